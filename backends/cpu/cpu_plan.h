/* SPDX-License-Identifier: MIT
 * A compiled graph: steps over tensors that lie in one arena.
 *
 * Compiling: check, copy the graph, fuse neighbours (cpu_fuse.c), lower each node to steps
 * (cpu_lower*.c: primitives, packed weights, scratch, results in place of dying operands), then
 * lifetimes and the arena. Running: refresh packed weights, import inputs, run the steps, export
 * outputs; nothing is allocated and no primitive is made. */
#ifndef MDLDM_CPU_PLAN_H
#define MDLDM_CPU_PLAN_H

#include "../common/arena.h"
#include "cpu_store.h"

typedef struct mdldm__cpu_step mdldm__cpu_step;
typedef mdldm_status (*mdldm__cpu_run_fn)(mdldm_plan *plan, mdldm__cpu_step *step);

/* Most scratch tensors and steps that an operation is lowered to. */
#define MDLDM__CPU_SCRATCH_PER_OP 10
#define MDLDM__CPU_STEPS_PER_OP 3

/* What a step reads and writes, by tensor id; -1 where there is nothing. in and out are those of op,
 * slot by slot, unless fusion changed them. */
struct mdldm__cpu_step {
    mdldm__cpu_run_fn run;
    const mdldm_graph_op *op;
    int32_t in[MDLDM_OP_INPUTS], out[MDLDM_OP_OUTPUTS];
    int32_t scratch;      /* a tensor of its own */
    int32_t bias_scratch; /* convolution: where bias + extra is summed */
    int32_t extra;        /* convolution: a [n,1,1,c] tensor added to the bias */
    int32_t add;          /* convolution: adds to what the output holds */
    int32_t threads;      /* that it runs on; 1: no parallel region */
    int32_t kind;         /* of the primitive: an mdldm__conv_kind */
    int32_t src_stage, dst_stage; /* F32 copies of bf16 operands where oneDNN has no bf16 */
    int64_t i0, ic;       /* convolution: slice of the weights' input channels */
    int32_t tile, operands; /* Winograd: kind of tile, dtype of the products */
    mdldm__dnnl_call call;
    mdldm__packed *packed;
    int32_t packing; /* where packed weights are made for this step alone */
};

/* One operation with what was fused into it. */
typedef struct mdldm__cpu_node {
    const mdldm_graph_op *op;
    int32_t position; /* index of the operation in whose place it runs */
    int32_t out;      /* convolution: the tensor that takes the result */
    int32_t extra;    /* convolution: BIAS operand, or -1 */
    int32_t residual; /* convolution: ADD operand, or -1 */
    int32_t resample; /* convolution: an UPSAMPLE2 before, or (data gradient) UPSAMPLE2_BWD behind it joined in */
    const mdldm_graph_op *quantize; /* group norm: QUANTIZE that makes out of its result, or NULL */
} mdldm__cpu_node;

struct mdldm_plan {
    mdldm_device *device;
    mdldm_store *store; /* NULL: the graph has no parameters */
    int32_t flags; /* MDLDM_PLAN_... */
    int32_t ema;
    int32_t op_count;
    int32_t tensor_count;   /* of the graph */
    int32_t all_tensors, tensor_capacity; /* with scratch */
    mdldm_graph_tensor *tensors;
    mdldm__arena_item *items;
    int32_t *alias;    /* tensor whose memory this one shares: itself, or a lower link */
    int32_t *last_use; /* [tensor_count] position of the last node that reads it */
    void **memory;     /* [all_tensors] */
    uint8_t *bound;    /* [tensor_count], during a run */
    mdldm_graph_op *ops;
    char *strings;
    mdldm__cpu_node *nodes;
    int32_t node_count;
    mdldm__cpu_step *steps;
    int32_t step_count, step_capacity;
    int32_t threads; /* the most of any step */
    mdldm_plan *next;   /* of those that share the device's arena */
    char *arena;        /* where it lay when addresses were set */
    size_t arena_bytes; /* that this plan wants */
    size_t packing_room; /* room at the arena's start that packing needs before a run */
    int64_t packed_bytes, macs;
};

/* ---- cpu_fuse.c ---- */
/* Fills nodes and last_use. Error: OUT_OF_MEMORY. */
mdldm_status mdldm__cpu_fuse(mdldm_plan *plan);
int32_t mdldm__cpu_small_linear(const mdldm_plan *plan, const mdldm_graph_op *op);
int32_t mdldm__cpu_turned(const mdldm_conv_attr *a);

/* ---- cpu_lower.c; room for steps and scratch tensors was made when the graph was copied ---- */
mdldm_status mdldm__cpu_lower(mdldm_plan *plan, const mdldm__cpu_node *node);
/* A new step with the operands of op and the threads that op is worth. */
mdldm__cpu_step *mdldm__cpu_add_step(mdldm_plan *plan, const mdldm_graph_op *op, mdldm__cpu_run_fn run);
/* A tensor for one step; -1 for no bytes. */
int32_t mdldm__cpu_add_scratch(mdldm_plan *plan, size_t bytes);
/* Lets out share in's memory when in dies with this node and is as large; says whether it did. */
int32_t mdldm__cpu_in_place(mdldm_plan *plan, const mdldm__cpu_node *node, int32_t in, int32_t out);

/* ---- cpu_lower_conv.c, cpu_lower_wgrad.c ---- */
mdldm_status mdldm__cpu_lower_conv(mdldm_plan *plan, const mdldm__cpu_node *node);
mdldm_status mdldm__cpu_lower_bwd_data(mdldm_plan *plan, const mdldm__cpu_node *node);
mdldm_status mdldm__cpu_lower_bwd_weights(mdldm_plan *plan, const mdldm__cpu_node *node);

/* ---- cpu_threads.c ---- */
/* Threads for work of so many seconds on one, which are one or all; and for an operation, from its shapes. */
int32_t mdldm__cpu_threads_for(const mdldm_device *device, double seconds);
int32_t mdldm__cpu_op_threads(const mdldm_plan *plan, const mdldm_graph_op *op);

/* ---- cpu_lower_q8.c ---- */
mdldm__cpu_range mdldm__cpu_range_of(const mdldm_plan *plan, int32_t range, int32_t group);
mdldm_status mdldm__cpu_lower_quantize(mdldm_plan *plan, const mdldm__cpu_node *node);
mdldm_status mdldm__cpu_lower_conv_q8(mdldm_plan *plan, const mdldm__cpu_node *node);

/* ---- cpu_run_ops.c ---- */
mdldm__cpu_run_fn mdldm__cpu_runner(int32_t kind);
/* ---- cpu_run_codebook.c ---- */
mdldm_status mdldm__cpu_run_vq_collect(mdldm_plan *plan, mdldm__cpu_step *step);
mdldm_status mdldm__cpu_run_vq_update(mdldm_plan *plan, mdldm__cpu_step *step);
/* Bytes of scratch that operation wants. */
size_t mdldm__cpu_op_scratch(const mdldm_plan *plan, const mdldm_graph_op *op);

/* ---- cpu_arena.c ---- */
/* Makes the device's arena large enough for plan; and lets plan go. Error: OUT_OF_MEMORY. */
mdldm_status mdldm__cpu_arena_claim(mdldm_plan *plan);
void mdldm__cpu_arena_release(mdldm_plan *plan);

/* ---- cpu_plan.c, cpu_run.c: calls of the vtable ---- */
mdldm_status mdldm__cpu_set_addresses(mdldm_plan *plan);
mdldm_status mdldm__cpu_plan_compile(mdldm_device *device, mdldm_store *store,
                                     const mdldm_graph_desc *graph, int32_t flags, mdldm_plan **out);
mdldm_status mdldm__cpu_plan_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count,
                                 int32_t flags);
void mdldm__cpu_plan_close(mdldm_plan *plan);
void mdldm__cpu_plan_info(const mdldm_plan *plan, mdldm_plan_info *info);

static inline void *mdldm__cpu_memory(const mdldm_plan *plan, int32_t tensor)
{
    return tensor >= 0 ? plan->memory[tensor] : NULL;
}

static inline const int64_t *mdldm__cpu_dims(const mdldm_plan *plan, int32_t tensor)
{
    return plan->tensors[tensor].dims;
}

#endif
