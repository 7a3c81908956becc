/* SPDX-License-Identifier: MIT
 * A compiled graph: launches over an arena.
 *
 * Compiling: check, copy the graph, lower each operation to launches (cuda_builder.h), and behind each
 * operation the launches that look for non-finite values; lifetimes, arena, kernels. Running: put the
 * addresses in where the arena has moved, prepare weights that are stale, inputs up, the launches (captured
 * once as a graph and replayed), outputs down, one wait. Nothing is allocated; the graphs are made in the
 * first run of their kind. */
#ifndef MDLDM_CUDA_PLAN_H
#define MDLDM_CUDA_PLAN_H

#include "../common/arena.h"
#include "cuda_builder.h"
#include "cuda_store.h"

typedef struct mdldm__cuda_launch_record {
    const char *name;          /* NULL: a memset */
    mdldm__cuda_handle kernel;
    uint32_t grid[3], block, shared;
    size_t args;               /* where in the plan's args; a memset: an address */
    size_t bytes;              /* a memset's */
    int32_t relocation, relocations; /* the first of them, how many */
    int32_t op;                /* that it belongs to */
    int32_t packed;            /* preparation: of these weights; else -1 */
    int32_t checks;            /* looks for non-finite values */
} mdldm__cuda_launch_record;

typedef struct mdldm__cuda_relocation {
    size_t at; /* in the plan's args */
    mdldm__cuda_ref ref;
    int32_t writes;
} mdldm__cuda_relocation;

/* What is captured as one graph: a run, flags. */
enum {
    MDLDM__CUDA_RUN_CHECKED = 1, /* outputs are looked at */
    MDLDM__CUDA_RUN_FRESH = 2,   /* all weights are brought into the kernels' forms on the way */
    MDLDM__CUDA_EXECS = 4
};

struct mdldm_plan {
    mdldm_device *device;
    mdldm_store *store; /* NULL: the graph has no parameters */
    int32_t flags;
    int32_t tensor_count, op_count;
    mdldm_graph_tensor *tensors;
    mdldm_graph_op *ops;
    char *strings;
    uint8_t *bound;       /* [tensor_count], during a run */
    int32_t *last_use;    /* [tensor_count] the last operation that reads it */
    int32_t *raw;         /* [tensor_count] item: a host array as it came or goes; -1 */
    size_t *pinned_at;    /* [tensor_count] and in pinned memory */
    mdldm__arena_item *items; /* tensors, then scratch; sizes and offsets in units of 4 bytes */
    int32_t *alias;           /* [items] whose place it takes: itself, or a lower link */
    int32_t item_count, item_capacity;
    mdldm__cuda_launch_record *launches;
    int32_t launch_count, launch_capacity;
    mdldm__cuda_relocation *relocations;
    int32_t relocation_count, relocation_capacity;
    char *args; /* of all launches */
    size_t args_size, args_capacity;
    mdldm__cuda_packed **packed;
    int32_t packed_count, packed_capacity;
    int32_t flag_item; /* one int32_t per operation: not finite */
    size_t flags_at;   /* in pinned memory */
    mdldm__cuda_handle execs[MDLDM__CUDA_EXECS];
    mdldm_plan *next;  /* of those that share the device's pools */
    char *arena;       /* where it lay when addresses were put in */
    size_t arena_bytes, pinned_bytes;
    int64_t packed_bytes, macs;
    int32_t kernels;
};

/* ---- cuda_builder.c ---- */
int32_t mdldm__cuda_new_item(mdldm__cuda_builder *b, size_t bytes); /* -1 behind an error */
void mdldm__cuda_check_outputs(mdldm__cuda_builder *b);
/* Lifetimes from who names what. */
void mdldm__cuda_set_lifetimes(mdldm_plan *plan);

/* ---- cuda_memory.c: the pools that plans share ---- */
mdldm_status mdldm__cuda_claim(mdldm_plan *plan);
void mdldm__cuda_unclaim(mdldm_plan *plan);

/* ---- cuda_replay.c ---- */
/* Runs the launches of a kind; captured and replayed where that works. Polls for cancellation. */
mdldm_status mdldm__cuda_replay(mdldm_plan *plan, int kind);
void mdldm__cuda_forget_graphs(mdldm_plan *plan);
/* One launch of the plan. */
mdldm_status mdldm__cuda_issue(mdldm_plan *plan, const mdldm__cuda_launch_record *launch);

/* ---- calls of the vtable ---- */
mdldm_status mdldm__cuda_plan_compile(mdldm_device *device, mdldm_store *store, const mdldm_graph_desc *graph,
                                      int32_t flags, mdldm_plan **out);
mdldm_status mdldm__cuda_plan_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count, int32_t flags);
void mdldm__cuda_plan_close(mdldm_plan *plan);
void mdldm__cuda_plan_info(const mdldm_plan *plan, mdldm_plan_info *info);

static inline int32_t mdldm__cuda_owner(const mdldm_plan *plan, int32_t item)
{
    while (plan->alias[item] != item)
        item = plan->alias[item];
    return item;
}

static inline char *mdldm__cuda_item_address(const mdldm_plan *plan, int32_t item)
{
    return plan->device->arena.memory + 4 * plan->items[mdldm__cuda_owner(plan, item)].offset;
}

#endif
