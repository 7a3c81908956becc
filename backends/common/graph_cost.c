/* SPDX-License-Identifier: MIT */
#include "graph_cost.h"

#include "host_util.h"

/* Of y [n,ho,wo,O] by w [O,I,kh,kw]: the three passes cost the same. */
static int64_t conv_macs(const mdldm_graph_tensor *y, const mdldm_graph_tensor *w)
{
    return y->dims[0] * y->dims[1] * y->dims[2] * mdldm__elements(w->dims);
}

/* n * T * T * c: one of the products of attention. */
static int64_t token_product(const mdldm_graph_tensor *q)
{
    int64_t tokens = q->dims[1] * q->dims[2];
    return q->dims[0] * tokens * tokens * q->dims[3];
}

static int64_t codebook_macs(const mdldm_graph_tensor *z, const mdldm_graph_tensor *codebook)
{
    return z->dims[0] * z->dims[1] * z->dims[2] * mdldm__elements(codebook->dims);
}

int64_t mdldm__op_macs(const mdldm_graph_op *op, const mdldm_graph_tensor *tensors)
{
    switch (op->kind) {
    case MDLDM_OP_CONV:
    case MDLDM_OP_CONV_Q8:
        return conv_macs(&tensors[op->out[0]], &tensors[op->in[2]]);
    case MDLDM_OP_CONV_BWD_DATA:
        return conv_macs(&tensors[op->in[0]], &tensors[op->in[1]]);
    case MDLDM_OP_CONV_BWD_WEIGHTS:
        return conv_macs(&tensors[op->in[2]], &tensors[op->out[0]]);
    case MDLDM_OP_ATTENTION:
        return 2 * token_product(&tensors[op->in[0]]);
    case MDLDM_OP_ATTENTION_BWD: /* scores, dp, dq, dk, dv */
        return 5 * token_product(&tensors[op->in[0]]);
    case MDLDM_OP_VQ:
    case MDLDM_OP_VQ_ENTROPY:
        return codebook_macs(&tensors[op->in[0]], &tensors[op->in[1]]);
    case MDLDM_OP_VQ_ENTROPY_BWD: /* distances twice (mean first), then two gradients */
        return 4 * codebook_macs(&tensors[op->in[0]], &tensors[op->in[1]]);
    default:
        return 0;
    }
}

int64_t mdldm__graph_macs(const mdldm_graph_desc *graph)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < graph->op_count; i++)
        sum += mdldm__op_macs(&graph->ops[i], graph->tensors);
    return sum;
}
