/* SPDX-License-Identifier: MIT
 * Compiling a graph into a plan. */
#include "cpu_plan.h"

#include <string.h>

#include "../common/graph_cost.h"
#include "../common/op_info.h"
#include "../common/plan_check.h"

static size_t name_size(const char *name)
{
    return name != NULL ? strlen(name) + 1 : 1;
}

static const char *keep_name(char **cursor, const char *name)
{
    char *copy = *cursor;
    size_t size = name_size(name);
    memcpy(copy, name != NULL ? name : "", size);
    *cursor += size;
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
    size_t bytes = 1, tensors = (size_t)graph->tensor_count, ops = (size_t)graph->op_count;
    for (int32_t i = 0; i < graph->tensor_count; i++)
        bytes += name_size(graph->tensors[i].name);
    for (int32_t i = 0; i < graph->op_count; i++)
        bytes += name_size(graph->ops[i].name);
    plan->tensor_count = plan->all_tensors = graph->tensor_count;
    plan->op_count = graph->op_count;
    plan->tensor_capacity = graph->tensor_count + MDLDM__CPU_SCRATCH_PER_OP * graph->op_count + 1;
    plan->step_capacity = MDLDM__CPU_STEPS_PER_OP * graph->op_count + 1;
    plan->tensors = mdldm__host_zalloc(host, (size_t)plan->tensor_capacity, sizeof *plan->tensors);
    plan->items = mdldm__host_zalloc(host, (size_t)plan->tensor_capacity, sizeof *plan->items);
    plan->alias = mdldm__host_zalloc(host, (size_t)plan->tensor_capacity, sizeof *plan->alias);
    plan->memory = mdldm__host_zalloc(host, (size_t)plan->tensor_capacity, sizeof *plan->memory);
    plan->last_use = mdldm__host_zalloc(host, tensors, sizeof *plan->last_use);
    plan->bound = mdldm__host_zalloc(host, tensors, 1);
    plan->ops = mdldm__host_zalloc(host, ops, sizeof *plan->ops);
    plan->nodes = mdldm__host_zalloc(host, ops, sizeof *plan->nodes);
    plan->steps = mdldm__host_zalloc(host, (size_t)plan->step_capacity, sizeof *plan->steps);
    plan->strings = mdldm__host_alloc(host, bytes);
    if (plan->tensors == NULL || plan->items == NULL || plan->alias == NULL || plan->memory == NULL ||
        plan->last_use == NULL || plan->bound == NULL || plan->ops == NULL || plan->nodes == NULL ||
        plan->steps == NULL || plan->strings == NULL)
        return mdldm__host_oom(host, "plan");
    char *cursor = plan->strings;
    for (int32_t i = 0; i < graph->tensor_count; i++) {
        plan->tensors[i] = graph->tensors[i];
        plan->tensors[i].name = keep_name(&cursor, graph->tensors[i].name);
        plan->alias[i] = i;
    }
    for (int32_t i = 0; i < graph->op_count; i++) {
        plan->ops[i] = clean_op(&graph->ops[i]);
        plan->ops[i].name = keep_name(&cursor, graph->ops[i].name);
    }
    return MDLDM_OK;
}

static int32_t owner_of(const mdldm_plan *plan, int32_t tensor)
{
    while (plan->alias[tensor] != tensor)
        tensor = plan->alias[tensor];
    return tensor;
}

/* The memory that tensor lies in must be there at this step. */
static void touch(mdldm_plan *plan, int32_t tensor, int32_t step)
{
    if (tensor < 0)
        return;
    mdldm__arena_item *item = &plan->items[owner_of(plan, tensor)];
    if (step < item->first)
        item->first = step;
    if (step > item->last)
        item->last = step;
}

static int is_stored(const mdldm_graph_tensor *t)
{
    return mdldm__is_stored(t->role);
}

static void set_lifetimes(mdldm_plan *plan)
{
    for (int32_t i = 0; i < plan->all_tensors; i++) {
        const mdldm_graph_tensor *t = &plan->tensors[i];
        plan->items[i] = (mdldm__arena_item){.first = plan->step_count, .last = -1};
        if (!is_stored(t) && plan->alias[i] == i)
            plan->items[i].size = (size_t)mdldm__elements(t->dims) * mdldm__dtype_size(t->dtype);
    }
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        if (plan->tensors[i].role == MDLDM_ROLE_INPUT)
            touch(plan, i, -1);
        if (plan->tensors[i].flags & MDLDM_TENSOR_OUTPUT)
            touch(plan, i, plan->step_count);
    }
    for (int32_t i = 0; i < plan->step_count; i++) {
        const mdldm__cpu_step *step = &plan->steps[i];
        for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
            touch(plan, step->in[slot], i);
        for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
            touch(plan, step->out[slot], i);
        touch(plan, step->scratch, i);
        touch(plan, step->bias_scratch, i);
        touch(plan, step->extra, i);
        touch(plan, step->src_stage, i);
        touch(plan, step->dst_stage, i);
        touch(plan, step->packing, i);
    }
    for (int32_t i = 0; i < plan->all_tensors; i++)
        if (plan->items[i].last < plan->items[i].first) /* a tensor that no step touches */
            plan->items[i].size = 0;
}

/* Parameters that steps read as they are, and the room that packing the others takes. */
static mdldm_status claim_parameters(mdldm_plan *plan)
{
    mdldm_status status = MDLDM_OK;
    for (int32_t i = 0; i < plan->step_count && status == MDLDM_OK; i++) {
        const mdldm__cpu_step *step = &plan->steps[i];
        for (int slot = 0; slot < MDLDM_OP_INPUTS && status == MDLDM_OK; slot++) {
            const mdldm_graph_tensor *t = step->in[slot] >= 0 ? &plan->tensors[step->in[slot]] : NULL;
            if (t != NULL && t->role == MDLDM_ROLE_PARAM &&
                (step->packed == NULL || step->packed->key.param != t->param))
                status = mdldm__store_host_will_read(&plan->store->base, t->param);
        }
    }
    for (int32_t i = 0; i < plan->step_count && status == MDLDM_OK; i++)
        if (plan->steps[i].packed != NULL && plan->steps[i].packing < 0) {
            size_t room = mdldm__packed_room(plan->store, plan->steps[i].packed);
            plan->packing_room = room > plan->packing_room ? room : plan->packing_room;
        }
    return status;
}

/* Hands the arena's addresses to the primitives: once, and again when the arena has moved. */
mdldm_status mdldm__cpu_set_addresses(mdldm_plan *plan)
{
    plan->arena = plan->device->arena;
    for (int32_t i = 0; i < plan->all_tensors; i++)
        if (!is_stored(&plan->tensors[i]))
            plan->memory[i] = plan->arena + plan->items[owner_of(plan, i)].offset;
    for (int32_t i = 0; i < plan->step_count; i++) {
        mdldm__cpu_step *step = &plan->steps[i];
        int failed = 0;
        if (step->packed != NULL)
            failed |= mdldm__dnnl_set(&step->call, MDLDM__ARG_WEIGHTS,
                                      step->packing >= 0 ? mdldm__cpu_memory(plan, step->packing)
                                                         : step->packed->data);
        failed |= mdldm__dnnl_set(&step->call, MDLDM__ARG_SCRATCH, mdldm__cpu_memory(plan, step->scratch));
        if (failed)
            return mdldm__cpu_dnnl_error(plan->device, failed, step->op->name);
    }
    return MDLDM_OK;
}

static mdldm_status place(mdldm_plan *plan)
{
    const mdldm_host *host = plan->device->host;
    set_lifetimes(plan);
    mdldm_status status = mdldm__arena_plan(host, plan->items, plan->all_tensors, &plan->arena_bytes);
    if (status != MDLDM_OK)
        return status;
    if (plan->arena_bytes < plan->packing_room)
        plan->arena_bytes = plan->packing_room;
    for (int32_t i = 0; i < plan->step_count; i++) {
        int32_t threads = plan->steps[i].packing >= 0 ? plan->device->threads : plan->steps[i].threads;
        plan->threads = threads > plan->threads ? threads : plan->threads;
    }
    status = mdldm__cpu_arena_claim(plan);
    return status == MDLDM_OK ? mdldm__cpu_set_addresses(plan) : status;
}

typedef struct build_job {
    mdldm_plan *plan;
    const mdldm_graph_desc *graph;
} build_job;

static mdldm_status build(void *arg)
{
    mdldm_plan *plan = ((const build_job *)arg)->plan;
    const mdldm_graph_desc *graph = ((const build_job *)arg)->graph;
    mdldm_status status = copy_graph(plan, graph);
    if (status == MDLDM_OK)
        status = mdldm__cpu_fuse(plan);
    for (int32_t i = 0; i < plan->node_count && status == MDLDM_OK; i++)
        status = mdldm__cpu_lower(plan, &plan->nodes[i]);
    if (status == MDLDM_OK)
        status = claim_parameters(plan);
    if (status == MDLDM_OK)
        status = place(plan);
    plan->macs = mdldm__graph_macs(graph);
    return status;
}

mdldm_status mdldm__cpu_plan_compile(mdldm_device *device, mdldm_store *store,
                                     const mdldm_graph_desc *graph, int32_t flags, mdldm_plan **out)
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
    plan->threads = 1;
    plan->flags = flags;
    plan->ema = (flags & MDLDM_PLAN_EMA) != 0;
    build_job job = {plan, graph};
    status = mdldm__cpu_do(&device->worker, device->threads, build, &job);
    if (status != MDLDM_OK) {
        mdldm__cpu_plan_close(plan);
        return status;
    }
    *out = plan;
    return MDLDM_OK;
}

/* Where they were made: oneDNN counts references to scratch memory thread by thread. */
static mdldm_status close_steps(void *arg)
{
    mdldm_plan *plan = arg;
    for (int32_t i = 0; i < plan->step_count; i++) {
        mdldm__dnnl_call_close(&plan->steps[i].call);
        if (plan->steps[i].packed != NULL)
            mdldm__packed_release(plan->store, plan->steps[i].packed);
    }
    return MDLDM_OK;
}

void mdldm__cpu_plan_close(mdldm_plan *plan)
{
    if (plan == NULL)
        return;
    const mdldm_host *host = plan->device->host;
    mdldm__cpu_do(&plan->device->worker, plan->device->threads, close_steps, plan);
    mdldm__host_free(host, plan->tensors);
    mdldm__host_free(host, plan->items);
    mdldm__host_free(host, plan->alias);
    mdldm__host_free(host, plan->memory);
    mdldm__host_free(host, plan->last_use);
    mdldm__host_free(host, plan->bound);
    mdldm__host_free(host, plan->ops);
    mdldm__host_free(host, plan->nodes);
    mdldm__host_free(host, plan->steps);
    mdldm__host_free(host, plan->strings);
    mdldm__cpu_arena_release(plan);
    mdldm__host_free(host, plan);
}

void mdldm__cpu_plan_info(const mdldm_plan *plan, mdldm_plan_info *info)
{
    info->arena_bytes = (int64_t)plan->arena_bytes;
    info->packed_bytes = plan->packed_bytes;
    info->macs = plan->macs;
    info->kernels = plan->step_count;
}
