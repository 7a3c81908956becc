/* SPDX-License-Identifier: MIT
 * The operations of the reference backend. They work on floats: the plan widens BF16 operands before
 * and rounds BF16 results after an operation (parameters and gradients are F32 already). */
#ifndef MDLDM_REF_OPS_H
#define MDLDM_REF_OPS_H

#include "../common/host_util.h"

/* Compiles a hot loop for several instruction sets, chosen when the library is loaded. Contraction is
 * off (Makefile), so that all of them round alike. */
#if defined(__x86_64__) && defined(__ELF__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MDLDM__REF_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MDLDM__REF_CLONES
#endif

typedef struct mdldm__ref_operand {
    void *data; /* float, int32_t, uint8_t or int8_t; NULL: the slot is empty */
    int64_t n, h, w, c; /* dims */
} mdldm__ref_operand;

typedef struct mdldm__ref_call {
    const mdldm_graph_op *op;
    mdldm__ref_operand in[MDLDM_OP_INPUTS], out[MDLDM_OP_OUTPUTS];
    void *scratch; /* of the size the kernel asked for */
    const struct mdldm__host_param *state; /* the store's entry of out[0], where that is state */
} mdldm__ref_call;

typedef struct mdldm__ref_kernel {
    void (*run)(const mdldm__ref_call *call);
    size_t (*scratch)(const mdldm__ref_call *call); /* bytes, from dims alone; NULL: none */
} mdldm__ref_kernel;

#define MDLDM__REF_DECLARE(name)                               \
    void mdldm__ref_##name(const mdldm__ref_call *call);       \
    size_t mdldm__ref_##name##_scratch(const mdldm__ref_call *call)

MDLDM__REF_DECLARE(conv);
MDLDM__REF_DECLARE(conv_bwd_data);
MDLDM__REF_DECLARE(conv_bwd_weights);
MDLDM__REF_DECLARE(conv_q8);
MDLDM__REF_DECLARE(attention);
MDLDM__REF_DECLARE(attention_bwd);
MDLDM__REF_DECLARE(group_norm_bwd);
MDLDM__REF_DECLARE(vq_entropy);
MDLDM__REF_DECLARE(vq_entropy_bwd);
MDLDM__REF_DECLARE(vq_collect);
void mdldm__ref_vq_update(const mdldm__ref_call *call);
void mdldm__ref_group_norm(const mdldm__ref_call *call);
void mdldm__ref_group_norm_apply(const mdldm__ref_call *call);
void mdldm__ref_silu(const mdldm__ref_call *call);
void mdldm__ref_silu_bwd(const mdldm__ref_call *call);
void mdldm__ref_add(const mdldm__ref_call *call);
void mdldm__ref_bias(const mdldm__ref_call *call);
void mdldm__ref_sum_hw(const mdldm__ref_call *call);
void mdldm__ref_scale(const mdldm__ref_call *call);
void mdldm__ref_dropout(const mdldm__ref_call *call);
void mdldm__ref_cast(const mdldm__ref_call *call);
void mdldm__ref_quantize(const mdldm__ref_call *call);
void mdldm__ref_upsample2(const mdldm__ref_call *call);
void mdldm__ref_upsample2_bwd(const mdldm__ref_call *call);
void mdldm__ref_avgpool2(const mdldm__ref_call *call);
void mdldm__ref_avgpool2_bwd(const mdldm__ref_call *call);
void mdldm__ref_embedding(const mdldm__ref_call *call);
void mdldm__ref_embedding_bwd(const mdldm__ref_call *call);
void mdldm__ref_vq(const mdldm__ref_call *call);
void mdldm__ref_vq_bwd(const mdldm__ref_call *call);
void mdldm__ref_loss(const mdldm__ref_call *call);
void mdldm__ref_loss_bwd(const mdldm__ref_call *call);
void mdldm__ref_cross_entropy(const mdldm__ref_call *call);
void mdldm__ref_cross_entropy_bwd(const mdldm__ref_call *call);

static inline int64_t mdldm__ref_count(const mdldm__ref_operand *x)
{
    return x->n * x->h * x->w * x->c;
}

#endif
