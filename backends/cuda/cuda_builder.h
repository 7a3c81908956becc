/* SPDX-License-Identifier: MIT
 * How an operation becomes launches. A launch is a kernel's name, a grid, a block, dynamic shared bytes,
 * one argument struct passed by value, and for each pointer in the struct what it refers to. From who names
 * what follow the lifetimes, from these the arena, from that the addresses.
 *
 * Lowering functions are void: the first error sticks, everything after it does nothing, and whoever
 * compiles the plan looks once. References are cheap values; an absent one (kind NONE) gives a NULL
 * pointer. */
#ifndef MDLDM_CUDA_BUILDER_H
#define MDLDM_CUDA_BUILDER_H

#include "mdldm/mdldm_backend.h"

typedef enum mdldm__cuda_ref_kind {
    MDLDM__CUDA_NONE = 0,
    MDLDM__CUDA_TENSOR,  /* in the arena: activation, input or output. index: tensor */
    MDLDM__CUDA_SCRATCH, /* in the arena. index: the how-manyth scratch of the plan */
    MDLDM__CUDA_VALUE,   /* in the store. index: parameter */
    MDLDM__CUDA_EMA,
    MDLDM__CUDA_GRAD,
    MDLDM__CUDA_EXP_AVG,
    MDLDM__CUDA_EXP_AVG_SQ,
    MDLDM__CUDA_WEIGHTS  /* in the store. index: entry of the plan's list of packed weights */
} mdldm__cuda_ref_kind;

typedef struct mdldm__cuda_ref {
    int32_t kind, index;
    int64_t offset; /* bytes, added to the address: for a part of what it names */
} mdldm__cuda_ref;

/* What lowering may read; the rest is cuda_builder.c's. */
typedef struct mdldm__cuda_builder {
    const mdldm_host *host;
    const mdldm_graph_tensor *tensors; /* shapes, types */
    int32_t plan_flags;                /* MDLDM_PLAN_... */
    int32_t allow_tf32;                /* F32 products may run in tf32 */
    int32_t sm_count;                  /* multiprocessors of the device */
    int32_t capability;                /* 80, 86, 89, 90 ... */
    uint32_t shared_limit;             /* dynamic shared bytes that one block may ask for */
    struct mdldm_plan *plan;
    mdldm_status status;               /* sticky; MDLDM_OK: go on */
    const mdldm_graph_op *op;          /* being lowered */
    int32_t position;                  /* of it */
} mdldm__cuda_builder;

/* ---- References. A tensor of -1 gives NONE. ---- */
/* Activation, input, output. */
mdldm__cuda_ref mdldm__cuda_tensor(mdldm__cuda_builder *b, int32_t tensor);
/* A parameter's canonical values: float, or int8_t where the tensor is I8. The EMA in plans that read it. */
mdldm__cuda_ref mdldm__cuda_param(mdldm__cuda_builder *b, int32_t tensor);
/* A parameter's canonical gradient, float: ADD to it. */
mdldm__cuda_ref mdldm__cuda_grad(mdldm__cuda_builder *b, int32_t tensor);
/* The canonical values of state, which launches write. */
mdldm__cuda_ref mdldm__cuda_state(mdldm__cuda_builder *b, int32_t tensor);
/* Moments or average of the parameter that tensor names; NONE where it has none of its own. slot: an mdldm_slot. */
mdldm__cuda_ref mdldm__cuda_learned(mdldm__cuda_builder *b, int32_t tensor, int32_t slot);
/* Memory of the arena, aligned to 256 bytes, that lives from the first launch naming it to the last. */
mdldm__cuda_ref mdldm__cuda_scratch(mdldm__cuda_builder *b, size_t bytes);
/* A parameter's weights in a kernel's own form, aligned to 256 bytes, shared by all plans of the store that
 * ask for the same parameter, form and bytes. *fresh is 1 the first time that this plan asks: then the caller
 * must append the launch (or launches) that fill them from mdldm__cuda_param. A launch that writes weights is
 * a preparation: it runs when the values have changed, before the plan's other launches, and may name
 * nothing but parameters and weights. form: MDLDM__CUDA_FORM_..., or it with a slice's first channel above
 * it; any number that tells apart what is not the same. */
mdldm__cuda_ref mdldm__cuda_weights(mdldm__cuda_builder *b, int32_t tensor, int64_t form, size_t bytes, int *fresh);
/* For kernels that read each element before they write it: lets activation out lie where activation in does,
 * if nothing reads in after this operation and both have the same size; 1 when it will. */
int mdldm__cuda_in_place(mdldm__cuda_builder *b, int32_t in, int32_t out);
/* The same thing, so many bytes further on. */
static inline mdldm__cuda_ref mdldm__cuda_at(mdldm__cuda_ref ref, int64_t bytes)
{
    ref.offset += bytes;
    return ref;
}

/* ---- Launches, in the order in which they run ---- */
/* kernel: a literal. args: the kernel's argument struct, copied; its pointers stay NULL but for those that
 * reads and writes name. grid[i] >= 1; block: threads, one-dimensional; shared: dynamic bytes, up to
 * shared_limit. */
void mdldm__cuda_launch(mdldm__cuda_builder *b, const char *kernel, const uint32_t grid[3], uint32_t block,
                        uint32_t shared, const void *args, size_t size);
/* Of the launch just made: the pointer at offset in its struct is what; it is read, or written (or both:
 * then writes). NONE leaves it NULL. */
void mdldm__cuda_reads(mdldm__cuda_builder *b, size_t offset, mdldm__cuda_ref what);
void mdldm__cuda_writes(mdldm__cuda_builder *b, size_t offset, mdldm__cuda_ref what);
/* Clears bytes of what before the launches that follow: a memset, no kernel. */
void mdldm__cuda_clear(mdldm__cuda_builder *b, mdldm__cuda_ref what, size_t bytes);

/* Refuses the operation being lowered: "NAME (kind): sentence". */
void mdldm__cuda_refuse(mdldm__cuda_builder *b, mdldm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of an elementwise kernel: blocks of `block` threads for count elements, `each` per thread; kernels loop,
 * so that no more than fill the device are asked for. */
uint32_t mdldm__cuda_blocks(const mdldm__cuda_builder *b, int64_t count, uint32_t block, uint32_t each);

static inline const int64_t *mdldm__cuda_dims(const mdldm__cuda_builder *b, int32_t tensor)
{
    return b->tensors[tensor].dims;
}

static inline int32_t mdldm__cuda_dtype(const mdldm__cuda_builder *b, int32_t tensor)
{
    return b->tensors[tensor].dtype;
}

/* The name for a tensor's type among a kernel's instances. */
#define MDLDM__CUDA_BY_TYPE(b, tensor, stem) \
    (mdldm__cuda_dtype(b, tensor) == MDLDM_BF16 ? stem "_bf16" : mdldm__cuda_dtype(b, tensor) == MDLDM_F16 ? stem "_f16" : stem "_f32")

#endif
