/* SPDX-License-Identifier: MIT
 * Compiling a graph into a plan. */
#include "cuda_plan.h"

#include <string.h>

#include "../common/graph_cost.h"
#include "../common/op_info.h"
#include "../common/plan_check.h"
#include "cuda_lower.h"

static size_t name_size(const char *name)
{
    return name != NULL ? strlen(name) + 1 : 1;
}

static const char *keep_name(char **cursor, const char *name)
{
    char *copy = *cursor;
    memcpy(copy, name != NULL ? name : "", name_size(name));
    *cursor += name_size(name);
    return copy;
}

/* The operation with -1 in every slot it does not have. */
static mdldm_graph_op clean_op(const mdldm_graph_op *from)
{
    const mdldm__op_info *info = mdldm__op_info_of(from->kind);
    mdldm_graph_op op = *from;
    for (size_t slot = strlen(info->in); slot < MDLDM_OP_INPUTS; slot++)
        op.in[slot] = -1;
    for (size_t slot = strlen(info->out); slot < MDLDM_OP_OUTPUTS; slot++)
        op.out[slot] = -1;
    return op;
}

static mdldm_status copy_graph(mdldm_plan *plan, const mdldm_graph_desc *graph)
{
    const mdldm_host *host = plan->device->host;
    const size_t tensors = (size_t)graph->tensor_count, ops = (size_t)graph->op_count;
    size_t bytes = 1;
    for (int32_t i = 0; i < graph->tensor_count; i++)
        bytes += name_size(graph->tensors[i].name);
    for (int32_t i = 0; i < graph->op_count; i++)
        bytes += name_size(graph->ops[i].name);
    plan->tensor_count = graph->tensor_count;
    plan->op_count = graph->op_count;
    plan->tensors = mdldm__host_zalloc(host, tensors, sizeof *plan->tensors);
    plan->ops = mdldm__host_zalloc(host, ops, sizeof *plan->ops);
    plan->bound = mdldm__host_zalloc(host, tensors, 1);
    plan->last_use = mdldm__host_zalloc(host, tensors, sizeof *plan->last_use);
    plan->raw = mdldm__host_zalloc(host, tensors, sizeof *plan->raw);
    plan->pinned_at = mdldm__host_zalloc(host, tensors, sizeof *plan->pinned_at);
    plan->strings = mdldm__host_alloc(host, bytes);
    if (plan->tensors == NULL || plan->ops == NULL || plan->bound == NULL || plan->last_use == NULL ||
        plan->raw == NULL || plan->pinned_at == NULL || plan->strings == NULL)
        return mdldm__host_oom(host, "plan");
    char *cursor = plan->strings;
    for (int32_t i = 0; i < graph->tensor_count; i++) {
        plan->tensors[i] = graph->tensors[i];
        plan->tensors[i].name = keep_name(&cursor, graph->tensors[i].name);
        plan->last_use[i] = -1;
        plan->raw[i] = -1;
    }
    for (int32_t i = 0; i < graph->op_count; i++) {
        plan->ops[i] = clean_op(&graph->ops[i]);
        plan->ops[i].name = keep_name(&cursor, graph->ops[i].name);
        for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
            if (plan->ops[i].in[slot] >= 0)
                plan->last_use[plan->ops[i].in[slot]] = i;
    }
    return MDLDM_OK;
}

/* One item per tensor, with the tensor's index; then what the way in and out needs. */
static void add_items(mdldm__cuda_builder *b)
{
    mdldm_plan *plan = b->plan;
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        const mdldm_graph_tensor *t = &plan->tensors[i];
        const int stored = mdldm__is_stored(t->role);
        mdldm__cuda_new_item(b, stored ? 0 : (size_t)mdldm__elements(t->dims) * mdldm__dtype_size(t->dtype));
    }
    plan->flag_item = mdldm__cuda_new_item(b, (size_t)plan->op_count * sizeof(int32_t));
    plan->flags_at = 0;
    plan->pinned_bytes = mdldm__align_up((size_t)plan->op_count * sizeof(int32_t));
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        const mdldm_graph_tensor *t = &plan->tensors[i];
        if (t->role != MDLDM_ROLE_INPUT && !(t->flags & MDLDM_TENSOR_OUTPUT))
            continue;
        const size_t bytes = (size_t)mdldm__elements(t->dims) * sizeof(float); /* F32 and I32 alike */
        plan->raw[i] = mdldm__cuda_new_item(b, bytes);
        plan->pinned_at[i] = plan->pinned_bytes;
        plan->pinned_bytes += mdldm__align_up(bytes);
    }
}

/* Preparations name nothing that lies in the arena: they also run when no plan does. */
static void check_preparations(mdldm__cuda_builder *b)
{
    const mdldm_plan *plan = b->plan;
    for (int32_t i = 0; i < plan->launch_count && b->status == MDLDM_OK; i++)
        for (int32_t k = 0; k < plan->launches[i].relocations && plan->launches[i].packed >= 0; k++) {
            const int32_t kind = plan->relocations[plan->launches[i].relocation + k].ref.kind;
            if (kind == MDLDM__CUDA_TENSOR || kind == MDLDM__CUDA_SCRATCH || kind == MDLDM__CUDA_GRAD)
                mdldm__cuda_refuse(b, MDLDM_ERROR_INTERNAL, "%s prepares weights and names activations",
                                   plan->launches[i].name);
        }
}

static mdldm_status lower(mdldm_plan *plan)
{
    mdldm_device *device = plan->device;
    mdldm__cuda_builder b = {.host = device->host,
                             .tensors = plan->tensors,
                             .plan_flags = plan->flags,
                             .allow_tf32 = (plan->flags & MDLDM_PLAN_TF32) != 0,
                             .sm_count = device->sm_count,
                             .capability = device->capability,
                             .shared_limit = device->shared_limit,
                             .plan = plan};
    add_items(&b);
    for (int32_t i = 0; i < plan->op_count && b.status == MDLDM_OK; i++) {
        b.position = i;
        mdldm__cuda_lower(&b, &plan->ops[i]);
        if (b.status == MDLDM_OK)
            mdldm__cuda_check_outputs(&b);
    }
    check_preparations(&b);
    for (int32_t i = 0; i < plan->launch_count && b.status == MDLDM_OK; i++) {
        mdldm__cuda_launch_record *launch = &plan->launches[i];
        if (launch->name != NULL)
            b.status = mdldm__cuda_kernel(device, launch->name, launch->shared, &launch->kernel);
        plan->kernels += launch->packed < 0 && !launch->checks;
    }
    return b.status;
}

static mdldm_status build(mdldm_plan *plan, const mdldm_graph_desc *graph)
{
    mdldm_status status = copy_graph(plan, graph);
    if (status == MDLDM_OK)
        status = lower(plan);
    if (status != MDLDM_OK)
        return status;
    mdldm__cuda_set_lifetimes(plan);
    size_t units = 0; /* of 4 bytes: what is a multiple of 64 units is one of 256 bytes */
    status = mdldm__arena_plan(plan->device->host, plan->items, plan->item_count, &units);
    plan->arena_bytes = units * 4 > 0 ? units * 4 : MDLDM__CUDA_ALIGN;
    plan->macs = mdldm__graph_macs(graph);
    return status == MDLDM_OK ? mdldm__cuda_claim(plan) : status;
}

mdldm_status mdldm__cuda_plan_compile(mdldm_device *device, mdldm_store *store, const mdldm_graph_desc *graph,
                                      int32_t flags, mdldm_plan **out)
{
    *out = NULL;
    mdldm_status status =
        mdldm__plan_check_graph(device->host, store != NULL ? &store->base : NULL, graph, flags);
    if (status != MDLDM_OK)
        return status;
    mdldm_plan *plan = mdldm__host_zalloc(device->host, 1, sizeof *plan);
    if (plan == NULL)
        return mdldm__host_oom(device->host, "plan");
    plan->device = device;
    plan->store = store;
    plan->flags = flags;
    mdldm__cuda_guard guard;
    status = mdldm__cuda_enter(device, &guard);
    if (status == MDLDM_OK) {
        status = build(plan, graph);
        mdldm__cuda_leave(&guard);
    }
    if (status != MDLDM_OK) {
        mdldm__cuda_plan_close(plan);
        return status;
    }
    *out = plan;
    return MDLDM_OK;
}

void mdldm__cuda_plan_close(mdldm_plan *plan)
{
    if (plan == NULL)
        return;
    const mdldm_host *host = plan->device->host;
    mdldm__cuda_guard guard;
    mdldm__cuda_enter_to_close(plan->device, &guard);
    mdldm__cuda_drain(plan->device);
    mdldm__cuda_forget_graphs(plan);
    mdldm__cuda_unclaim(plan);
    for (int32_t i = 0; i < plan->packed_count; i++)
        mdldm__cuda_packed_release(plan->store, plan->packed[i]);
    mdldm__cuda_leave(&guard);
    mdldm__host_free(host, plan->tensors);
    mdldm__host_free(host, plan->ops);
    mdldm__host_free(host, plan->strings);
    mdldm__host_free(host, plan->bound);
    mdldm__host_free(host, plan->last_use);
    mdldm__host_free(host, plan->raw);
    mdldm__host_free(host, plan->pinned_at);
    mdldm__host_free(host, plan->items);
    mdldm__host_free(host, plan->alias);
    mdldm__host_free(host, plan->launches);
    mdldm__host_free(host, plan->relocations);
    mdldm__host_free(host, plan->args);
    mdldm__host_free(host, plan->packed);
    mdldm__host_free(host, plan);
}

void mdldm__cuda_plan_info(const mdldm_plan *plan, mdldm_plan_info *info)
{
    info->arena_bytes = (int64_t)plan->arena_bytes;
    info->packed_bytes = plan->packed_bytes;
    info->macs = plan->macs;
    info->kernels = plan->kernels;
}
