/* SPDX-License-Identifier: MIT
 * One function per kind of operation: appends its launches to the builder. The graph has passed
 * mdldm__graph_check; slots that a kind does not have are -1. */
#ifndef MDLDM_CUDA_LOWER_H
#define MDLDM_CUDA_LOWER_H

#include "cuda_builder.h"

typedef void (*mdldm__cuda_lower_fn)(mdldm__cuda_builder *b, const mdldm_graph_op *op);

/* Appends the launches of b->op, or refuses it. */
void mdldm__cuda_lower(mdldm__cuda_builder *b, const mdldm_graph_op *op);

#define MDLDM__CUDA_LOWER(name) void mdldm__cuda_lower_##name(mdldm__cuda_builder *b, const mdldm_graph_op *op)

/* ---- cuda_lower_conv.c ---- */
MDLDM__CUDA_LOWER(conv);
MDLDM__CUDA_LOWER(conv_bwd_data);
MDLDM__CUDA_LOWER(conv_bwd_weights);
/* ---- cuda_lower_attention.c ---- */
MDLDM__CUDA_LOWER(attention);
MDLDM__CUDA_LOWER(attention_bwd);
/* ---- cuda_lower_norm.c ---- */
MDLDM__CUDA_LOWER(group_norm); /* GROUP_NORM and GROUP_NORM_APPLY */
MDLDM__CUDA_LOWER(group_norm_bwd);
/* ---- cuda_lower_ops.c ---- */
MDLDM__CUDA_LOWER(silu);
MDLDM__CUDA_LOWER(silu_bwd);
MDLDM__CUDA_LOWER(add);
MDLDM__CUDA_LOWER(bias);
MDLDM__CUDA_LOWER(sum_hw);
MDLDM__CUDA_LOWER(scale);
MDLDM__CUDA_LOWER(upsample2);
MDLDM__CUDA_LOWER(upsample2_bwd);
MDLDM__CUDA_LOWER(avgpool2);
MDLDM__CUDA_LOWER(avgpool2_bwd);
MDLDM__CUDA_LOWER(embedding);
MDLDM__CUDA_LOWER(embedding_bwd);
MDLDM__CUDA_LOWER(loss);
MDLDM__CUDA_LOWER(loss_bwd);
MDLDM__CUDA_LOWER(cross_entropy);
MDLDM__CUDA_LOWER(cross_entropy_bwd);
MDLDM__CUDA_LOWER(dropout);
MDLDM__CUDA_LOWER(cast);
/* ---- cuda_lower_vq.c ---- */
MDLDM__CUDA_LOWER(vq);
MDLDM__CUDA_LOWER(vq_bwd);
MDLDM__CUDA_LOWER(vq_entropy);
MDLDM__CUDA_LOWER(vq_entropy_bwd);
/* ---- cuda_lower_codebook.c ---- */
MDLDM__CUDA_LOWER(vq_collect);
MDLDM__CUDA_LOWER(vq_update);
/* ---- cuda_lower_q8.c ---- */
MDLDM__CUDA_LOWER(quantize);
MDLDM__CUDA_LOWER(conv_q8);

#endif
