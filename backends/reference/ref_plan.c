/* SPDX-License-Identifier: MIT
 * Compiling for the reference backend: check, copy the graph, plan one arena. Running: one kernel per
 * operation, BF16 operands widened into scratch of the operation. */
#include "ref_plan.h"

#include <math.h>
#include <string.h>

#include "../common/arena.h"
#include "../common/graph_cost.h"
#include "../common/layout.h"
#include "../common/op_info.h"
#include "../common/plan_check.h"
#include "ref_ops.h"

struct mdldm_plan {
    mdldm_device *device;
    mdldm_store *store; /* NULL: the graph has no parameters */
    int32_t ema;
    int32_t tensor_count, op_count;
    mdldm_graph_tensor *tensors; /* names point into strings */
    mdldm_graph_op *ops;
    char *strings;
    mdldm__arena_item *items; /* [tensor_count] tensors, then [op_count] scratch of each operation */
    uint8_t *bound;           /* [tensor_count], during a run */
    void *arena_memory;
    char *arena; /* aligned start */
    size_t arena_bytes;
    int64_t macs;
};

static const mdldm__ref_kernel kernels[MDLDM__OP_LAST + 1] = {
    [MDLDM_OP_CONV] = {mdldm__ref_conv, mdldm__ref_conv_scratch},
    [MDLDM_OP_CONV_BWD_DATA] = {mdldm__ref_conv_bwd_data, mdldm__ref_conv_bwd_data_scratch},
    [MDLDM_OP_CONV_BWD_WEIGHTS] = {mdldm__ref_conv_bwd_weights, mdldm__ref_conv_bwd_weights_scratch},
    [MDLDM_OP_GROUP_NORM] = {mdldm__ref_group_norm, NULL},
    [MDLDM_OP_GROUP_NORM_BWD] = {mdldm__ref_group_norm_bwd, mdldm__ref_group_norm_bwd_scratch},
    [MDLDM_OP_SILU] = {mdldm__ref_silu, NULL},
    [MDLDM_OP_SILU_BWD] = {mdldm__ref_silu_bwd, NULL},
    [MDLDM_OP_ADD] = {mdldm__ref_add, NULL},
    [MDLDM_OP_BIAS] = {mdldm__ref_bias, NULL},
    [MDLDM_OP_SUM_HW] = {mdldm__ref_sum_hw, NULL},
    [MDLDM_OP_SCALE] = {mdldm__ref_scale, NULL},
    [MDLDM_OP_ATTENTION] = {mdldm__ref_attention, mdldm__ref_attention_scratch},
    [MDLDM_OP_ATTENTION_BWD] = {mdldm__ref_attention_bwd, mdldm__ref_attention_bwd_scratch},
    [MDLDM_OP_UPSAMPLE2] = {mdldm__ref_upsample2, NULL},
    [MDLDM_OP_UPSAMPLE2_BWD] = {mdldm__ref_upsample2_bwd, NULL},
    [MDLDM_OP_AVGPOOL2] = {mdldm__ref_avgpool2, NULL},
    [MDLDM_OP_AVGPOOL2_BWD] = {mdldm__ref_avgpool2_bwd, NULL},
    [MDLDM_OP_EMBEDDING] = {mdldm__ref_embedding, NULL},
    [MDLDM_OP_EMBEDDING_BWD] = {mdldm__ref_embedding_bwd, NULL},
    [MDLDM_OP_VQ] = {mdldm__ref_vq, NULL},
    [MDLDM_OP_VQ_BWD] = {mdldm__ref_vq_bwd, NULL},
    [MDLDM_OP_VQ_ENTROPY] = {mdldm__ref_vq_entropy, mdldm__ref_vq_entropy_scratch},
    [MDLDM_OP_VQ_ENTROPY_BWD] = {mdldm__ref_vq_entropy_bwd, mdldm__ref_vq_entropy_bwd_scratch},
    [MDLDM_OP_LOSS] = {mdldm__ref_loss, NULL},
    [MDLDM_OP_LOSS_BWD] = {mdldm__ref_loss_bwd, NULL},
    [MDLDM_OP_CROSS_ENTROPY] = {mdldm__ref_cross_entropy, NULL},
    [MDLDM_OP_CROSS_ENTROPY_BWD] = {mdldm__ref_cross_entropy_bwd, NULL},
    [MDLDM_OP_DROPOUT] = {mdldm__ref_dropout, NULL},
    [MDLDM_OP_CAST] = {mdldm__ref_cast, NULL},
    [MDLDM_OP_GROUP_NORM_APPLY] = {mdldm__ref_group_norm_apply, NULL},
    [MDLDM_OP_QUANTIZE] = {mdldm__ref_quantize, NULL},
    [MDLDM_OP_CONV_Q8] = {mdldm__ref_conv_q8, mdldm__ref_conv_q8_scratch},
    [MDLDM_OP_VQ_COLLECT] = {mdldm__ref_vq_collect, mdldm__ref_vq_collect_scratch},
    [MDLDM_OP_VQ_UPDATE] = {mdldm__ref_vq_update, NULL},
};

/* The tensor in a slot, -1 for slots the operation does not have. */
static int32_t input_of(const mdldm_graph_op *op, int slot)
{
    return slot < (int)strlen(mdldm__op_info_of(op->kind)->in) ? op->in[slot] : -1;
}

static int32_t output_of(const mdldm_graph_op *op, int slot)
{
    return slot < (int)strlen(mdldm__op_info_of(op->kind)->out) ? op->out[slot] : -1;
}

/* ---- Compiling ---- */

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

static int copy_graph(mdldm_plan *plan, const mdldm_graph_desc *graph)
{
    const mdldm_host *host = plan->device->host;
    size_t bytes = 0;
    plan->tensor_count = graph->tensor_count;
    plan->op_count = graph->op_count;
    for (int32_t i = 0; i < graph->tensor_count; i++)
        bytes += name_size(graph->tensors[i].name);
    for (int32_t i = 0; i < graph->op_count; i++)
        bytes += name_size(graph->ops[i].name);
    plan->tensors = mdldm__host_zalloc(host, (size_t)graph->tensor_count, sizeof *plan->tensors);
    plan->ops = mdldm__host_zalloc(host, (size_t)graph->op_count, sizeof *plan->ops);
    plan->strings = mdldm__host_alloc(host, bytes);
    plan->bound = mdldm__host_zalloc(host, (size_t)graph->tensor_count, 1);
    plan->items = mdldm__host_zalloc(host, (size_t)graph->tensor_count + (size_t)graph->op_count,
                                     sizeof *plan->items);
    if (plan->tensors == NULL || plan->ops == NULL || plan->strings == NULL || plan->bound == NULL ||
        plan->items == NULL)
        return 0;
    char *cursor = plan->strings;
    for (int32_t i = 0; i < graph->tensor_count; i++) {
        plan->tensors[i] = graph->tensors[i];
        plan->tensors[i].name = keep_name(&cursor, graph->tensors[i].name);
    }
    for (int32_t i = 0; i < graph->op_count; i++) {
        plan->ops[i] = graph->ops[i];
        plan->ops[i].name = keep_name(&cursor, graph->ops[i].name);
    }
    return 1;
}

/* A tensor as a kernel sees it, without memory but marked as present. */
static mdldm__ref_operand operand_of(const mdldm_graph_tensor *t, void *data)
{
    return (mdldm__ref_operand){data, t->dims[0], t->dims[1], t->dims[2], t->dims[3]};
}

static size_t staged_size(const mdldm_graph_tensor *t)
{
    return t->dtype == MDLDM_BF16 ? mdldm__align_up((size_t)mdldm__elements(t->dims) * sizeof(float)) : 0;
}

static size_t kernel_scratch(const mdldm_plan *plan, const mdldm_graph_op *op)
{
    mdldm__ref_call call = {.op = op};
    for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
        if (input_of(op, slot) >= 0)
            call.in[slot] = operand_of(&plan->tensors[op->in[slot]], NULL);
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
        if (output_of(op, slot) >= 0)
            call.out[slot] = operand_of(&plan->tensors[op->out[slot]], NULL);
    return kernels[op->kind].scratch != NULL ? mdldm__align_up(kernels[op->kind].scratch(&call)) : 0;
}

static void set_lifetimes(mdldm_plan *plan)
{
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        const mdldm_graph_tensor *t = &plan->tensors[i];
        int stored = mdldm__is_stored(t->role);
        plan->items[i].size = stored ? 0 : (size_t)mdldm__elements(t->dims) * mdldm__dtype_size(t->dtype);
        /* Inputs are filled before operation 0, outputs read after the last. */
        plan->items[i].first = t->role == MDLDM_ROLE_INPUT ? -1 : plan->op_count;
        plan->items[i].last = t->flags & MDLDM_TENSOR_OUTPUT ? plan->op_count : -1;
    }
    for (int32_t i = 0; i < plan->op_count; i++) {
        const mdldm_graph_op *op = &plan->ops[i];
        mdldm__arena_item *scratch = &plan->items[plan->tensor_count + i];
        scratch->first = scratch->last = i;
        scratch->size = kernel_scratch(plan, op);
        for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
            if (input_of(op, slot) >= 0) {
                mdldm__arena_item *item = &plan->items[op->in[slot]];
                item->last = item->last > i ? item->last : i;
                scratch->size += staged_size(&plan->tensors[op->in[slot]]);
            }
        for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
            if (output_of(op, slot) >= 0) {
                mdldm__arena_item *item = &plan->items[op->out[slot]];
                item->first = item->first < i ? item->first : i;
                item->last = item->last > i ? item->last : i;
                scratch->size += staged_size(&plan->tensors[op->out[slot]]);
            }
    }
}

static mdldm_status build(mdldm_plan *plan, const mdldm_graph_desc *graph)
{
    const mdldm_host *host = plan->device->host;
    if (!copy_graph(plan, graph))
        return mdldm__host_oom(host, "plan");
    set_lifetimes(plan);
    mdldm_status status = mdldm__arena_plan(host, plan->items, plan->tensor_count + plan->op_count,
                                            &plan->arena_bytes);
    if (status != MDLDM_OK)
        return status;
    plan->arena_memory = mdldm__host_alloc(host, plan->arena_bytes + MDLDM__ALIGN);
    if (plan->arena_memory == NULL)
        return mdldm__host_error(host, MDLDM_ERROR_OUT_OF_MEMORY, "out of memory (%zu bytes of activations)",
                                 plan->arena_bytes);
    plan->arena = (char *)mdldm__align_up((size_t)(uintptr_t)plan->arena_memory);
    plan->macs = mdldm__graph_macs(graph);
    return MDLDM_OK;
}

mdldm_status mdldm__ref_plan_compile(mdldm_device *device, mdldm_store *store,
                                     const mdldm_graph_desc *graph, int32_t flags, mdldm_plan **out)
{
    *out = NULL;
    mdldm_status status =
        mdldm__plan_check_graph(device->host, store != NULL ? &store->table : NULL, graph, flags);
    if (status != MDLDM_OK)
        return status;
    mdldm_plan *plan = mdldm__host_zalloc(device->host, 1, sizeof *plan);
    if (plan == NULL)
        return mdldm__host_oom(device->host, "plan");
    plan->device = device;
    plan->store = store;
    plan->ema = (flags & MDLDM_PLAN_EMA) != 0;
    status = build(plan, graph);
    for (int32_t i = 0; i < graph->tensor_count && status == MDLDM_OK; i++)
        if (graph->tensors[i].role == MDLDM_ROLE_PARAM)
            status = mdldm__store_host_will_read(&store->table, graph->tensors[i].param);
    if (status != MDLDM_OK) {
        mdldm__ref_plan_close(plan);
        return status;
    }
    *out = plan;
    return MDLDM_OK;
}

void mdldm__ref_plan_close(mdldm_plan *plan)
{
    if (plan == NULL)
        return;
    const mdldm_host *host = plan->device->host;
    mdldm__host_free(host, plan->tensors);
    mdldm__host_free(host, plan->ops);
    mdldm__host_free(host, plan->strings);
    mdldm__host_free(host, plan->bound);
    mdldm__host_free(host, plan->items);
    mdldm__host_free(host, plan->arena_memory);
    mdldm__host_free(host, plan);
}

void mdldm__ref_plan_info(const mdldm_plan *plan, mdldm_plan_info *info)
{
    info->arena_bytes = (int64_t)plan->arena_bytes;
    info->packed_bytes = 0;
    info->macs = plan->macs;
    info->kernels = plan->op_count;
}

/* ---- Running ---- */

static void *memory_of(const mdldm_plan *plan, int32_t tensor)
{
    const mdldm_graph_tensor *t = &plan->tensors[tensor];
    if (t->role == MDLDM_ROLE_PARAM) /* kernels read parameters only */
        return (void *)(uintptr_t)mdldm__store_host_memory(&plan->store->table, t->param, t->dtype, plan->ema);
    if (t->role == MDLDM_ROLE_STATE)
        return plan->store->table.params[t->param].owned_value;
    if (t->role == MDLDM_ROLE_PARAM_GRAD)
        return plan->store->table.params[t->param].grad;
    return plan->arena + plan->items[tensor].offset;
}

/* Takes the float copy of a BF16 tensor from the operation's scratch, or the tensor itself. */
static mdldm__ref_operand stage(const mdldm_plan *plan, int32_t tensor, char **scratch)
{
    const mdldm_graph_tensor *t = &plan->tensors[tensor];
    if (t->dtype != MDLDM_BF16)
        return operand_of(t, memory_of(plan, tensor));
    mdldm__ref_operand operand = operand_of(t, *scratch);
    *scratch += staged_size(t);
    return operand;
}

static void run_op(const mdldm_plan *plan, int32_t index)
{
    const mdldm_graph_op *op = &plan->ops[index];
    char *scratch = plan->arena + plan->items[plan->tensor_count + index].offset;
    mdldm__ref_call call = {.op = op, .scratch = scratch};
    scratch += kernel_scratch(plan, op);
    for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++) {
        int32_t tensor = input_of(op, slot);
        if (tensor < 0)
            continue;
        call.in[slot] = stage(plan, tensor, &scratch);
        if (plan->tensors[tensor].dtype == MDLDM_BF16)
            mdldm__convert_to_float(memory_of(plan, tensor), MDLDM_BF16, call.in[slot].data,
                                    mdldm__ref_count(&call.in[slot]));
    }
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
        if (output_of(op, slot) >= 0)
            call.out[slot] = stage(plan, op->out[slot], &scratch);
    if (output_of(op, 0) >= 0 && plan->tensors[op->out[0]].role == MDLDM_ROLE_STATE)
        call.state = &plan->store->table.params[plan->tensors[op->out[0]].param];
    kernels[op->kind].run(&call);
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++) {
        int32_t tensor = output_of(op, slot);
        if (tensor >= 0 && plan->tensors[tensor].dtype == MDLDM_BF16)
            mdldm__convert_to_bf16(call.out[slot].data, memory_of(plan, tensor),
                                   mdldm__ref_count(&call.out[slot]));
    }
}

static int all_finite(const mdldm_plan *plan, int32_t tensor)
{
    const mdldm_graph_tensor *t = &plan->tensors[tensor];
    int64_t count = mdldm__elements(t->dims);
    if (t->dtype == MDLDM_F32) {
        const float *values = memory_of(plan, tensor);
        for (int64_t i = 0; i < count; i++)
            if (!isfinite(values[i]))
                return 0;
    } else if (t->dtype == MDLDM_BF16) {
        const uint16_t *values = memory_of(plan, tensor);
        for (int64_t i = 0; i < count; i++)
            if ((values[i] & 0x7F80) == 0x7F80)
                return 0;
    }
    return 1;
}

static mdldm_status check_finite(const mdldm_plan *plan, int32_t index)
{
    const mdldm_graph_op *op = &plan->ops[index];
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
        if (output_of(op, slot) >= 0 && !all_finite(plan, op->out[slot]))
            return mdldm__plan_not_finite(plan->device->host, op);
    return MDLDM_OK;
}

mdldm_status mdldm__ref_plan_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count,
                                 int32_t flags)
{
    const mdldm_host *host = plan->device->host;
    mdldm_status status =
        mdldm__plan_check_ready(host, plan->store != NULL ? &plan->store->table : NULL, plan->tensors,
                                plan->tensor_count, bindings, count, plan->bound);
    if (status != MDLDM_OK)
        return status;
    for (int32_t i = 0; i < count; i++)
        if (plan->tensors[bindings[i].tensor].role == MDLDM_ROLE_INPUT)
            mdldm__layout_import(&bindings[i], &plan->tensors[bindings[i].tensor],
                                 memory_of(plan, bindings[i].tensor));
    for (int32_t i = 0; i < plan->op_count; i++) {
        if (host->cancelled(host))
            return mdldm__plan_cancelled(host);
        run_op(plan, i);
        if ((flags & MDLDM_RUN_CHECK_FINITE) != 0) {
            status = check_finite(plan, i);
            if (status != MDLDM_OK)
                return status;
        }
    }
    if (plan->store != NULL)
        mdldm__plan_wrote(&plan->store->table, plan->tensors, plan->tensor_count);
    for (int32_t i = 0; i < count; i++)
        if (plan->tensors[bindings[i].tensor].role != MDLDM_ROLE_INPUT)
            mdldm__layout_export(&bindings[i], &plan->tensors[bindings[i].tensor],
                                 memory_of(plan, bindings[i].tensor));
    return MDLDM_OK;
}
