/* SPDX-License-Identifier: MIT */
#include "cuda_lower.h"

#include "../common/op_info.h"

static mdldm__cuda_lower_fn function_of(int32_t kind)
{
    switch (kind) {
    case MDLDM_OP_CONV: return mdldm__cuda_lower_conv;
    case MDLDM_OP_CONV_BWD_DATA: return mdldm__cuda_lower_conv_bwd_data;
    case MDLDM_OP_CONV_BWD_WEIGHTS: return mdldm__cuda_lower_conv_bwd_weights;
    case MDLDM_OP_GROUP_NORM:
    case MDLDM_OP_GROUP_NORM_APPLY: return mdldm__cuda_lower_group_norm;
    case MDLDM_OP_GROUP_NORM_BWD: return mdldm__cuda_lower_group_norm_bwd;
    case MDLDM_OP_SILU: return mdldm__cuda_lower_silu;
    case MDLDM_OP_SILU_BWD: return mdldm__cuda_lower_silu_bwd;
    case MDLDM_OP_ADD: return mdldm__cuda_lower_add;
    case MDLDM_OP_BIAS: return mdldm__cuda_lower_bias;
    case MDLDM_OP_SUM_HW: return mdldm__cuda_lower_sum_hw;
    case MDLDM_OP_SCALE: return mdldm__cuda_lower_scale;
    case MDLDM_OP_ATTENTION: return mdldm__cuda_lower_attention;
    case MDLDM_OP_ATTENTION_BWD: return mdldm__cuda_lower_attention_bwd;
    case MDLDM_OP_UPSAMPLE2: return mdldm__cuda_lower_upsample2;
    case MDLDM_OP_UPSAMPLE2_BWD: return mdldm__cuda_lower_upsample2_bwd;
    case MDLDM_OP_AVGPOOL2: return mdldm__cuda_lower_avgpool2;
    case MDLDM_OP_AVGPOOL2_BWD: return mdldm__cuda_lower_avgpool2_bwd;
    case MDLDM_OP_EMBEDDING: return mdldm__cuda_lower_embedding;
    case MDLDM_OP_EMBEDDING_BWD: return mdldm__cuda_lower_embedding_bwd;
    case MDLDM_OP_VQ: return mdldm__cuda_lower_vq;
    case MDLDM_OP_VQ_BWD: return mdldm__cuda_lower_vq_bwd;
    case MDLDM_OP_VQ_ENTROPY: return mdldm__cuda_lower_vq_entropy;
    case MDLDM_OP_VQ_ENTROPY_BWD: return mdldm__cuda_lower_vq_entropy_bwd;
    case MDLDM_OP_VQ_COLLECT: return mdldm__cuda_lower_vq_collect;
    case MDLDM_OP_VQ_UPDATE: return mdldm__cuda_lower_vq_update;
    case MDLDM_OP_LOSS: return mdldm__cuda_lower_loss;
    case MDLDM_OP_LOSS_BWD: return mdldm__cuda_lower_loss_bwd;
    case MDLDM_OP_CROSS_ENTROPY: return mdldm__cuda_lower_cross_entropy;
    case MDLDM_OP_CROSS_ENTROPY_BWD: return mdldm__cuda_lower_cross_entropy_bwd;
    case MDLDM_OP_DROPOUT: return mdldm__cuda_lower_dropout;
    case MDLDM_OP_CAST: return mdldm__cuda_lower_cast;
    case MDLDM_OP_QUANTIZE: return mdldm__cuda_lower_quantize;
    case MDLDM_OP_CONV_Q8: return mdldm__cuda_lower_conv_q8;
    default: return NULL;
    }
}

/* Operations whose last kernel reads each element before the same thread writes it, and nothing else of it. */
static void share_memory(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    switch (op->kind) {
    case MDLDM_OP_SILU:
    case MDLDM_OP_BIAS:
    case MDLDM_OP_SCALE:
    case MDLDM_OP_DROPOUT:
        mdldm__cuda_in_place(b, op->in[0], op->out[0]);
        break;
    case MDLDM_OP_ADD:
    case MDLDM_OP_SILU_BWD:
        if (!mdldm__cuda_in_place(b, op->in[0], op->out[0]))
            mdldm__cuda_in_place(b, op->in[1], op->out[0]);
        break;
    case MDLDM_OP_GROUP_NORM:
    case MDLDM_OP_GROUP_NORM_APPLY:
        if (op->in[1] < 0)
            mdldm__cuda_in_place(b, op->in[0], op->out[0]);
        break;
    case MDLDM_OP_GROUP_NORM_BWD:
        if (op->in[2] < 0 && !mdldm__cuda_in_place(b, op->in[0], op->out[0]))
            mdldm__cuda_in_place(b, op->in[1], op->out[0]);
        break;
    default:
        break;
    }
}

void mdldm__cuda_lower(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    if (b->status != MDLDM_OK)
        return;
    mdldm__cuda_lower_fn lower = function_of(op->kind);
    b->op = op;
    if (lower == NULL)
        mdldm__cuda_refuse(b, MDLDM_ERROR_UNSUPPORTED, "the cuda backend has no kernel for %s",
                           mdldm__op_name(op->kind));
    else {
        share_memory(b, op);
        lower(b, op);
    }
}
