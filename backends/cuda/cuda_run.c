/* SPDX-License-Identifier: MIT
 * Running a plan: inputs up, launches, outputs down, one wait. */
#include <string.h>

#include "../common/plan_check.h"
#include "cuda_args_frame.h"
#include "cuda_plan.h"

static void *address_of(const mdldm_plan *plan, const mdldm__cuda_ref *ref)
{
    char *base = NULL;
    switch (ref->kind) {
    case MDLDM__CUDA_TENSOR:
    case MDLDM__CUDA_SCRATCH:
        base = mdldm__cuda_item_address(plan, ref->index);
        break;
    case MDLDM__CUDA_VALUE:
        base = mdldm__cuda_slot(plan->store, ref->index, MDLDM_SLOT_VALUE);
        break;
    case MDLDM__CUDA_EMA:
        base = mdldm__cuda_slot(plan->store, ref->index, MDLDM_SLOT_EMA);
        break;
    case MDLDM__CUDA_GRAD:
        base = mdldm__cuda_slot(plan->store, ref->index, MDLDM_SLOT_GRAD);
        break;
    case MDLDM__CUDA_EXP_AVG:
        base = mdldm__cuda_slot(plan->store, ref->index, MDLDM_SLOT_EXP_AVG);
        break;
    case MDLDM__CUDA_EXP_AVG_SQ:
        base = mdldm__cuda_slot(plan->store, ref->index, MDLDM_SLOT_EXP_AVG_SQ);
        break;
    case MDLDM__CUDA_WEIGHTS:
        base = plan->packed[ref->index]->memory;
        break;
    default:
        return NULL;
    }
    return base + ref->offset;
}

static char *tensor_address(const mdldm_plan *plan, int32_t tensor)
{
    const mdldm_graph_tensor *t = &plan->tensors[tensor];
    if (t->role == MDLDM_ROLE_PARAM)
        return mdldm__cuda_slot(plan->store, t->param,
                                (plan->flags & MDLDM_PLAN_EMA) ? MDLDM_SLOT_EMA : MDLDM_SLOT_VALUE);
    if (t->role == MDLDM_ROLE_PARAM_GRAD)
        return mdldm__cuda_slot(plan->store, t->param, MDLDM_SLOT_GRAD);
    return mdldm__cuda_item_address(plan, tensor);
}

/* Once, and again when the arena has moved: graphs hold addresses too. */
static mdldm_status set_addresses(mdldm_plan *plan)
{
    const mdldm_device *device = plan->device;
    if (device->arena.bytes < plan->arena_bytes || device->pinned.bytes < plan->pinned_bytes) {
        mdldm_status status = mdldm__cuda_claim(plan); /* an earlier growth failed and took the memory along */
        if (status != MDLDM_OK)
            return status;
    }
    if (plan->arena == device->arena.memory)
        return MDLDM_OK;
    mdldm__cuda_forget_graphs(plan);
    for (int32_t i = 0; i < plan->relocation_count; i++) {
        void *address = address_of(plan, &plan->relocations[i].ref);
        memcpy(plan->args + plan->relocations[i].at, &address, sizeof address);
    }
    plan->arena = device->arena.memory;
    return MDLDM_OK;
}

/* ---- Weights in the kernels' forms ---- */

static void weights_are_ready(mdldm_plan *plan)
{
    for (int32_t i = 0; i < plan->packed_count; i++)
        plan->packed[i]->version = plan->store->base.params[plan->packed[i]->param].version;
}

/* *fresh: all of them are stale, as after each step of the optimiser, and go into the run's own graph. */
static mdldm_status prepare_weights(mdldm_plan *plan, int *fresh)
{
    mdldm_status status = MDLDM_OK;
    int32_t stale = 0;
    for (int32_t i = 0; i < plan->packed_count; i++)
        stale += mdldm__cuda_packed_stale(plan->store, plan->packed[i]);
    *fresh = stale > 0 && stale == plan->packed_count && (plan->store->base.flags & MDLDM_STORE_TRAIN);
    if (stale == 0 || *fresh)
        return MDLDM_OK;
    for (int32_t i = 0; i < plan->launch_count && status == MDLDM_OK; i++)
        if (plan->launches[i].packed >= 0 &&
            mdldm__cuda_packed_stale(plan->store, plan->packed[plan->launches[i].packed]))
            status = mdldm__cuda_issue(plan, &plan->launches[i]);
    if (status == MDLDM_OK)
        weights_are_ready(plan);
    return status;
}

/* ---- The way in and out ---- */

/* Whether a host array needs no more than a copy. */
static int is_plain(const mdldm_binding *binding, const mdldm_graph_tensor *t)
{
    return binding->dtype == t->dtype &&
           (binding->layout == MDLDM_LAYOUT_NHWC || t->dims[3] == 1 || t->dims[1] * t->dims[2] == 1);
}

static const char *move_name(int32_t from, int32_t to)
{
    static const char *const names[4][4] = { /* by mdldm_dtype */
        [MDLDM_F32] = {"mdldm_move_f32_f32", "mdldm_move_f32_bf16", "mdldm_move_f32_i32", "mdldm_move_f32_f16"},
        [MDLDM_BF16] = {"mdldm_move_bf16_f32", NULL, "mdldm_move_bf16_i32", NULL},
        [MDLDM_I32] = {"mdldm_move_i32_f32", "mdldm_move_i32_bf16", "mdldm_move_i32_i32", "mdldm_move_i32_f16"},
        [MDLDM_F16] = {"mdldm_move_f16_f32", NULL, "mdldm_move_f16_i32", NULL}};
    return names[from][to];
}

/* Between the host array's order and the tensor's. */
static mdldm_status move(mdldm_plan *plan, const mdldm_binding *binding, int up)
{
    mdldm_device *device = plan->device;
    const mdldm_graph_tensor *t = &plan->tensors[binding->tensor];
    char *raw = mdldm__cuda_item_address(plan, plan->raw[binding->tensor]), *tensor = tensor_address(plan, binding->tensor);
    const int64_t pixels = t->dims[1] * t->dims[2], channels = t->dims[3];
    const int turned = binding->layout == MDLDM_LAYOUT_NCHW && pixels > 1 && channels > 1;
    struct mdldm__cuda_args_move args = {.from = up ? raw : tensor,
                                         .to = up ? tensor : raw,
                                         .images = t->dims[0],
                                         .rows = turned ? (up ? channels : pixels) : 1,
                                         .columns = turned ? (up ? pixels : channels) : pixels * channels};
    const int64_t blocks = turned ? t->dims[0] * ((pixels + 31) / 32) * ((channels + 31) / 32)
                                  : (mdldm__elements(t->dims) + 255) / 256;
    const int64_t most = 8 * (int64_t)device->sm_count;
    const uint32_t grid[3] = {(uint32_t)(blocks < most ? blocks : most), 1, 1};
    const char *name = up ? move_name(binding->dtype, t->dtype) : move_name(t->dtype, binding->dtype);
    mdldm__cuda_handle kernel = NULL;
    mdldm_status status = mdldm__cuda_kernel(device, name, 0, &kernel);
    return status == MDLDM_OK ? mdldm__cuda_start(device, kernel, name, grid, 256, 0, &args) : status;
}

static size_t binding_bytes(const mdldm_plan *plan, const mdldm_binding *binding)
{
    return (size_t)mdldm__elements(plan->tensors[binding->tensor].dims) * sizeof(float);
}

static char *pinned_of(const mdldm_plan *plan, const mdldm_binding *binding)
{
    return plan->device->pinned.memory + plan->pinned_at[binding->tensor];
}

static mdldm_status bring_in(mdldm_plan *plan, const mdldm_binding *binding)
{
    const mdldm_device *device = plan->device;
    const int plain = is_plain(binding, &plan->tensors[binding->tensor]);
    char *pinned = pinned_of(plan, binding);
    memcpy(pinned, binding->data, binding_bytes(plan, binding));
    char *to = plain ? tensor_address(plan, binding->tensor) : mdldm__cuda_item_address(plan, plan->raw[binding->tensor]);
    mdldm_status status = mdldm__cuda_check(device,
                                            device->api->cudaMemcpyAsync(to, pinned, binding_bytes(plan, binding),
                                                                         MDLDM__CUDA_TO_DEVICE, device->stream),
                                            "cudaMemcpyAsync");
    return status == MDLDM_OK && !plain ? move(plan, binding, 1) : status;
}

static mdldm_status take_out(mdldm_plan *plan, const mdldm_binding *binding)
{
    const mdldm_device *device = plan->device;
    const int plain = is_plain(binding, &plan->tensors[binding->tensor]);
    mdldm_status status = plain ? MDLDM_OK : move(plan, binding, 0);
    if (status != MDLDM_OK)
        return status;
    const char *from =
        plain ? tensor_address(plan, binding->tensor) : mdldm__cuda_item_address(plan, plan->raw[binding->tensor]);
    return mdldm__cuda_check(device,
                             device->api->cudaMemcpyAsync(pinned_of(plan, binding), from, binding_bytes(plan, binding),
                                                          MDLDM__CUDA_TO_HOST, device->stream),
                             "cudaMemcpyAsync");
}

static mdldm_status wait(const mdldm_device *device)
{
    return mdldm__cuda_check(device, device->api->cudaStreamSynchronize(device->stream), "the work on the GPU");
}

static mdldm_status find_not_finite(const mdldm_plan *plan)
{
    const int32_t *flags = (const int32_t *)(const void *)(plan->device->pinned.memory + plan->flags_at);
    for (int32_t i = 0; i < plan->op_count; i++)
        if (flags[i] != 0)
            return mdldm__plan_not_finite(plan->device->host, &plan->ops[i]);
    return MDLDM_OK;
}

/* ---- A run ---- */

static mdldm_status send(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count, int32_t flags)
{
    const mdldm_device *device = plan->device;
    const mdldm_host *host = device->host;
    const int check = (flags & MDLDM_RUN_CHECK_FINITE) != 0;
    int fresh = 0;
    if (host->cancelled(host))
        return mdldm__plan_cancelled(host);
    mdldm_status status = set_addresses(plan);
    if (status == MDLDM_OK)
        status = prepare_weights(plan, &fresh);
    for (int32_t i = 0; i < count && status == MDLDM_OK; i++)
        if (plan->tensors[bindings[i].tensor].role == MDLDM_ROLE_INPUT) {
            if (plan->bound[bindings[i].tensor] != 0) /* bound twice: the last one counts */
                status = wait(device);
            plan->bound[bindings[i].tensor] = 1;
            if (status == MDLDM_OK)
                status = bring_in(plan, &bindings[i]);
        }
    if (status == MDLDM_OK)
        status = mdldm__cuda_replay(plan, (check ? MDLDM__CUDA_RUN_CHECKED : 0) | (fresh ? MDLDM__CUDA_RUN_FRESH : 0));
    if (status == MDLDM_OK && fresh)
        weights_are_ready(plan);
    for (int32_t i = 0; i < count && status == MDLDM_OK; i++)
        if (plan->tensors[bindings[i].tensor].role != MDLDM_ROLE_INPUT && plan->bound[bindings[i].tensor] == 0) {
            plan->bound[bindings[i].tensor] = 1;
            status = take_out(plan, &bindings[i]);
        }
    if (status == MDLDM_OK && check)
        status = mdldm__cuda_check(device,
                                   device->api->cudaMemcpyAsync(device->pinned.memory + plan->flags_at,
                                                                mdldm__cuda_item_address(plan, plan->flag_item),
                                                                (size_t)plan->op_count * sizeof(int32_t),
                                                                MDLDM__CUDA_TO_HOST, device->stream),
                                   "cudaMemcpyAsync");
    if (status == MDLDM_OK)
        status = wait(device);
    if (status == MDLDM_OK && host->cancelled(host))
        return mdldm__plan_cancelled(host);
    return status == MDLDM_OK && check ? find_not_finite(plan) : status;
}

/* From pinned memory to the caller's; what is bound twice may be wanted in two forms. */
static mdldm_status hand_over(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count)
{
    mdldm_status status = MDLDM_OK;
    memset(plan->bound, 0, (size_t)plan->tensor_count);
    for (int32_t i = 0; i < count && status == MDLDM_OK; i++) {
        if (plan->tensors[bindings[i].tensor].role == MDLDM_ROLE_INPUT)
            continue;
        if (plan->bound[bindings[i].tensor] != 0) {
            status = take_out(plan, &bindings[i]);
            if (status == MDLDM_OK)
                status = wait(plan->device);
        }
        plan->bound[bindings[i].tensor] = 1;
        if (status == MDLDM_OK)
            memcpy(bindings[i].data, pinned_of(plan, &bindings[i]), binding_bytes(plan, &bindings[i]));
    }
    return status;
}

mdldm_status mdldm__cuda_plan_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count, int32_t flags)
{
    mdldm__cuda_guard guard;
    mdldm_status status = mdldm__plan_check_ready(plan->device->host, plan->store != NULL ? &plan->store->base : NULL,
                                                  plan->tensors, plan->tensor_count, bindings, count, plan->bound);
    if (status == MDLDM_OK)
        status = mdldm__cuda_enter(plan->device, &guard);
    if (status != MDLDM_OK)
        return status;
    memset(plan->bound, 0, (size_t)plan->tensor_count);
    status = send(plan, bindings, count, flags);
    if (plan->store != NULL)
        mdldm__plan_wrote(&plan->store->base, plan->tensors, plan->tensor_count);
    if (status == MDLDM_OK)
        status = hand_over(plan, bindings, count);
    if (status != MDLDM_OK)
        mdldm__cuda_drain(plan->device); /* what is under way uses pinned memory */
    mdldm__cuda_leave(&guard);
    return status;
}
