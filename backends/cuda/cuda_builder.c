/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../common/op_info.h"
#include "cuda_args_frame.h"
#include "cuda_plan.h"

void mdldm__cuda_refuse(mdldm__cuda_builder *b, mdldm_status status, const char *format, ...)
{
    char text[512];
    if (b->status != MDLDM_OK)
        return;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    b->status = mdldm__host_error(b->host, status, "%s (%s): %s", b->op != NULL ? b->op->name : "",
                                  b->op != NULL ? mdldm__op_name(b->op->kind) : "graph", text);
}

/* Room for one more (or `more` bytes where size is 1); 0 behind an error. */
static int grow(mdldm__cuda_builder *b, void *array, size_t count, size_t more, size_t *capacity, size_t size)
{
    void *old;
    if (b->status != MDLDM_OK)
        return 0;
    if (count + more <= *capacity)
        return 1;
    const size_t wanted = (count + more) * 2 + 16;
    memcpy(&old, array, sizeof old);
    void *grown = b->host->resize(b->host, old, wanted * size);
    if (grown == NULL) {
        b->status = mdldm__host_oom(b->host, "plan");
        return 0;
    }
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return 1;
}

static int grow_one(mdldm__cuda_builder *b, void *array, int32_t count, int32_t *capacity, size_t size)
{
    size_t room = (size_t)*capacity;
    int done = grow(b, array, (size_t)count, 1, &room, size);
    *capacity = (int32_t)room;
    return done;
}

static mdldm__cuda_ref none(void)
{
    return (mdldm__cuda_ref){.kind = MDLDM__CUDA_NONE};
}

int32_t mdldm__cuda_new_item(mdldm__cuda_builder *b, size_t bytes)
{
    mdldm_plan *plan = b->plan;
    int32_t aliases = plan->item_capacity;
    if (!grow_one(b, &plan->alias, plan->item_count, &aliases, sizeof *plan->alias) ||
        !grow_one(b, &plan->items, plan->item_count, &plan->item_capacity, sizeof *plan->items))
        return -1;
    plan->items[plan->item_count] = (mdldm__arena_item){.size = (bytes + 3) / 4};
    plan->alias[plan->item_count] = plan->item_count;
    return plan->item_count++;
}

/* ---- References ---- */

mdldm__cuda_ref mdldm__cuda_tensor(mdldm__cuda_builder *b, int32_t tensor)
{
    (void)b;
    return tensor < 0 ? none() : (mdldm__cuda_ref){.kind = MDLDM__CUDA_TENSOR, .index = tensor};
}

mdldm__cuda_ref mdldm__cuda_param(mdldm__cuda_builder *b, int32_t tensor)
{
    if (tensor < 0)
        return none();
    return (mdldm__cuda_ref){.kind = (b->plan_flags & MDLDM_PLAN_EMA) ? MDLDM__CUDA_EMA : MDLDM__CUDA_VALUE,
                             .index = b->tensors[tensor].param};
}

mdldm__cuda_ref mdldm__cuda_grad(mdldm__cuda_builder *b, int32_t tensor)
{
    return tensor < 0 ? none() : (mdldm__cuda_ref){.kind = MDLDM__CUDA_GRAD, .index = b->tensors[tensor].param};
}

mdldm__cuda_ref mdldm__cuda_state(mdldm__cuda_builder *b, int32_t tensor)
{
    return tensor < 0 ? none() : (mdldm__cuda_ref){.kind = MDLDM__CUDA_VALUE, .index = b->tensors[tensor].param};
}

mdldm__cuda_ref mdldm__cuda_learned(mdldm__cuda_builder *b, int32_t tensor, int32_t slot)
{
    const int32_t index = b->tensors[tensor].param;
    const char *address = mdldm__cuda_slot(b->plan->store, index, slot);
    if (address == NULL || address == mdldm__cuda_slot(b->plan->store, index, MDLDM_SLOT_VALUE))
        return none();
    return (mdldm__cuda_ref){.kind = slot == MDLDM_SLOT_EXP_AVG      ? MDLDM__CUDA_EXP_AVG
                                     : slot == MDLDM_SLOT_EXP_AVG_SQ ? MDLDM__CUDA_EXP_AVG_SQ
                                                                     : MDLDM__CUDA_EMA,
                             .index = index};
}

mdldm__cuda_ref mdldm__cuda_scratch(mdldm__cuda_builder *b, size_t bytes)
{
    int32_t item = bytes > 0 ? mdldm__cuda_new_item(b, bytes) : -1;
    return item < 0 ? none() : (mdldm__cuda_ref){.kind = MDLDM__CUDA_SCRATCH, .index = item};
}

mdldm__cuda_ref mdldm__cuda_weights(mdldm__cuda_builder *b, int32_t tensor, int64_t form, size_t bytes, int *fresh)
{
    mdldm_plan *plan = b->plan;
    mdldm__cuda_packed *packed = NULL;
    *fresh = 0;
    if (!grow_one(b, &plan->packed, plan->packed_count, &plan->packed_capacity, sizeof *plan->packed))
        return none();
    b->status = mdldm__cuda_packed_get(plan->store, b->tensors[tensor].param, (b->plan_flags & MDLDM_PLAN_EMA) != 0, form,
                                       bytes, &packed, &plan->packed_bytes);
    if (b->status != MDLDM_OK)
        return none();
    for (int32_t i = 0; i < plan->packed_count; i++)
        if (plan->packed[i] == packed) {
            packed->refs--;
            return (mdldm__cuda_ref){.kind = MDLDM__CUDA_WEIGHTS, .index = i};
        }
    *fresh = 1;
    plan->packed[plan->packed_count] = packed;
    return (mdldm__cuda_ref){.kind = MDLDM__CUDA_WEIGHTS, .index = plan->packed_count++};
}

int mdldm__cuda_in_place(mdldm__cuda_builder *b, int32_t in, int32_t out)
{
    if (b->status != MDLDM_OK || in < 0 || out < 0 || in == out)
        return 0;
    const mdldm_graph_tensor *from = &b->tensors[in], *to = &b->tensors[out];
    if (from->role != MDLDM_ROLE_ACTIVATION || to->role != MDLDM_ROLE_ACTIVATION ||
        (from->flags & MDLDM_TENSOR_OUTPUT) || b->plan->last_use[in] != b->position || from->dtype != to->dtype ||
        mdldm__elements(from->dims) != mdldm__elements(to->dims))
        return 0;
    b->plan->alias[out] = in;
    return 1;
}

/* ---- Launches ---- */

void mdldm__cuda_launch(mdldm__cuda_builder *b, const char *kernel, const uint32_t grid[3], uint32_t block,
                        uint32_t shared, const void *args, size_t size)
{
    mdldm_plan *plan = b->plan;
    const size_t start = (plan->args_size + 15) / 16 * 16; /* as the struct's members want */
    if (b->status != MDLDM_OK)
        return;
    if (grid[0] < 1 || grid[1] < 1 || grid[2] < 1 || grid[1] > 65535 || grid[2] > 65535 || grid[0] > 0x7fffffffu ||
        block < 1 || block > 1024 || shared > b->shared_limit) {
        mdldm__cuda_refuse(b, MDLDM_ERROR_UNSUPPORTED,
                           "the launch of %s with a grid of %u x %u x %u, %u threads and %u shared bytes is beyond this GPU",
                           kernel, grid[0], grid[1], grid[2], block, shared);
        return;
    }
    if (!grow_one(b, &plan->launches, plan->launch_count, &plan->launch_capacity, sizeof *plan->launches) ||
        !grow(b, &plan->args, plan->args_size, size + 16, &plan->args_capacity, 1))
        return;
    if (size > 0)
        memcpy(plan->args + start, args, size);
    plan->args_size = start + size;
    plan->launches[plan->launch_count++] = (mdldm__cuda_launch_record){.name = kernel,
                                                                       .grid = {grid[0], grid[1], grid[2]},
                                                                       .block = block,
                                                                       .shared = shared,
                                                                       .args = start,
                                                                       .relocation = plan->relocation_count,
                                                                       .op = b->position,
                                                                       .packed = -1};
}

static void refer(mdldm__cuda_builder *b, size_t offset, mdldm__cuda_ref what, int32_t writes)
{
    mdldm_plan *plan = b->plan;
    if (b->status != MDLDM_OK || what.kind == MDLDM__CUDA_NONE ||
        !grow_one(b, &plan->relocations, plan->relocation_count, &plan->relocation_capacity, sizeof *plan->relocations))
        return;
    mdldm__cuda_launch_record *launch = &plan->launches[plan->launch_count - 1];
    plan->relocations[plan->relocation_count++] =
        (mdldm__cuda_relocation){.at = launch->args + offset, .ref = what, .writes = writes};
    launch->relocations++;
    if (writes && what.kind == MDLDM__CUDA_WEIGHTS)
        launch->packed = what.index;
}

void mdldm__cuda_reads(mdldm__cuda_builder *b, size_t offset, mdldm__cuda_ref what)
{
    refer(b, offset, what, 0);
}

void mdldm__cuda_writes(mdldm__cuda_builder *b, size_t offset, mdldm__cuda_ref what)
{
    refer(b, offset, what, 1);
}

void mdldm__cuda_clear(mdldm__cuda_builder *b, mdldm__cuda_ref what, size_t bytes)
{
    static const uint32_t one[3] = {1, 1, 1};
    void *address = NULL;
    mdldm__cuda_launch(b, "memset", one, 1, 0, &address, sizeof address);
    if (b->status != MDLDM_OK)
        return;
    b->plan->launches[b->plan->launch_count - 1].name = NULL;
    b->plan->launches[b->plan->launch_count - 1].bytes = bytes;
    mdldm__cuda_writes(b, 0, what);
}

uint32_t mdldm__cuda_blocks(const mdldm__cuda_builder *b, int64_t count, uint32_t block, uint32_t each)
{
    const int64_t wanted = (count + (int64_t)block * each - 1) / ((int64_t)block * each);
    const int64_t most = (int64_t)b->sm_count * (2048 / block);
    return (uint32_t)(wanted < 1 ? 1 : wanted < most ? wanted : most);
}

void mdldm__cuda_check_outputs(mdldm__cuda_builder *b)
{
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS && b->status == MDLDM_OK; slot++) {
        const int32_t tensor = b->op->out[slot];
        if (tensor < 0)
            continue;
        const int32_t dtype = b->tensors[tensor].dtype;
        if (dtype != MDLDM_F32 && dtype != MDLDM_BF16 && dtype != MDLDM_F16)
            continue;
        const struct mdldm__cuda_args_finite args = {.count = mdldm__elements(b->tensors[tensor].dims)};
        const uint32_t grid[3] = {mdldm__cuda_blocks(b, args.count, 256, 4), 1, 1};
        mdldm__cuda_launch(b, MDLDM__CUDA_BY_TYPE(b, tensor, "mdldm_finite"), grid, 256, 0, &args, sizeof args);
        if (b->status != MDLDM_OK)
            return;
        b->plan->launches[b->plan->launch_count - 1].checks = 1;
        mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_finite, x),
                          b->tensors[tensor].role == MDLDM_ROLE_PARAM_GRAD ? mdldm__cuda_grad(b, tensor)
                          : b->tensors[tensor].role == MDLDM_ROLE_STATE    ? mdldm__cuda_state(b, tensor)
                                                                           : mdldm__cuda_tensor(b, tensor));
        mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_finite, flag),
                           (mdldm__cuda_ref){.kind = MDLDM__CUDA_SCRATCH,
                                             .index = b->plan->flag_item,
                                             .offset = b->position * (int64_t)sizeof(int32_t)});
    }
}

/* ---- Lifetimes ---- */

static void touch(mdldm_plan *plan, int32_t item, int32_t when)
{
    mdldm__arena_item *owner = &plan->items[mdldm__cuda_owner(plan, item)];
    owner->first = when < owner->first ? when : owner->first;
    owner->last = when > owner->last ? when : owner->last;
}

/* Launches are counted from 0; inputs come in at -1, outputs go out at launch_count. The launches that check
 * an operation's outputs stand behind its own, so that these outputs still lie there. */
void mdldm__cuda_set_lifetimes(mdldm_plan *plan)
{
    const int32_t end = plan->launch_count;
    for (int32_t i = 0; i < plan->item_count; i++) {
        plan->items[i].first = end + 1;
        plan->items[i].last = -2;
    }
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        const int input = plan->tensors[i].role == MDLDM_ROLE_INPUT;
        const int output = (plan->tensors[i].flags & MDLDM_TENSOR_OUTPUT) != 0;
        const int stored = mdldm__is_stored(plan->tensors[i].role);
        if (input && !stored)
            touch(plan, i, -1);
        if (output && !stored)
            touch(plan, i, end);
        if (plan->raw[i] >= 0 && input)
            touch(plan, plan->raw[i], -1);
        if (plan->raw[i] >= 0 && output)
            touch(plan, plan->raw[i], end);
    }
    touch(plan, plan->flag_item, -1);
    touch(plan, plan->flag_item, end);
    for (int32_t i = 0; i < end; i++)
        for (int32_t k = 0; k < plan->launches[i].relocations; k++) {
            const mdldm__cuda_ref *ref = &plan->relocations[plan->launches[i].relocation + k].ref;
            if (ref->kind == MDLDM__CUDA_TENSOR || ref->kind == MDLDM__CUDA_SCRATCH)
                touch(plan, ref->index, i);
        }
    for (int32_t i = 0; i < plan->item_count; i++)
        if (plan->alias[i] != i || plan->items[i].last < plan->items[i].first)
            plan->items[i].size = 0; /* lies in another's place, or nobody names it */
}
