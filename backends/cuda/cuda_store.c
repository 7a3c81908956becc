/* SPDX-License-Identifier: MIT */
#include "cuda_store.h"

#include <string.h>

#include "util/pages.h"

static int learns(const mdldm_store *store, int32_t index)
{
    return (store->base.flags & MDLDM_STORE_TRAIN) && store->base.desc[index].trainable;
}

static size_t padded(const mdldm_store *store, int32_t index)
{
    const size_t bytes = (size_t)store->base.params[index].count * sizeof(float);
    return (bytes + MDLDM__CUDA_ALIGN - 1) / MDLDM__CUDA_ALIGN * MDLDM__CUDA_ALIGN;
}

/* What learns first, so that one offset serves in every slot. */
static void lay_out(mdldm_store *store)
{
    size_t end = 0;
    for (int pass = 1; pass >= 0; pass--) {
        for (int32_t i = 0; i < store->base.count; i++)
            if (learns(store, i) == pass) {
                store->offsets[i] = (int64_t)end;
                end += padded(store, i);
            }
        if (pass == 1)
            store->learned_bytes = end;
    }
    store->all_bytes = end;
}

static mdldm_status clear(mdldm_store *store, int32_t slot, size_t bytes)
{
    mdldm_device *device = store->device;
    return mdldm__cuda_check(device, device->api->cudaMemsetAsync(store->slots[slot], 0, bytes, device->stream),
                             "cudaMemsetAsync");
}

static mdldm_status open_slots(mdldm_store *store)
{
    static const char *const what[MDLDM__CUDA_SLOTS] = {"parameters", "gradients", "first moments", "second moments",
                                                        "averaged parameters"};
    const int32_t flags = store->base.flags;
    mdldm_status status = MDLDM_OK;
    for (int32_t slot = 0; slot < MDLDM__CUDA_SLOTS && status == MDLDM_OK; slot++) {
        const size_t bytes = slot == MDLDM_SLOT_VALUE ? store->all_bytes : store->learned_bytes;
        void *memory = NULL;
        if (bytes == 0 || (slot != MDLDM_SLOT_VALUE && !(flags & MDLDM_STORE_TRAIN)) ||
            (slot == MDLDM_SLOT_EMA && !(flags & MDLDM_STORE_EMA)))
            continue;
        status = mdldm__cuda_malloc(store->device, bytes, what[slot], &memory);
        store->slots[slot] = memory;
        if (status == MDLDM_OK)
            status = clear(store, slot, bytes);
    }
    return status;
}

mdldm_status mdldm__cuda_store_open(mdldm_device *device, const mdldm_param_desc *params, int32_t count, int32_t flags,
                                    mdldm_store **out)
{
    *out = NULL;
    mdldm_store *store = mdldm__host_zalloc(device->host, 1, sizeof *store);
    if (store == NULL)
        return mdldm__host_oom(device->host, "parameter store");
    store->device = device;
    mdldm_status status = mdldm__store_host_open_table(device->host, params, count, flags, &store->base);
    if (status != MDLDM_OK) {
        mdldm__host_free(device->host, store);
        return status;
    }
    store->offsets = mdldm__host_zalloc(device->host, (size_t)count, sizeof *store->offsets);
    mdldm__cuda_guard guard;
    status = store->offsets != NULL ? mdldm__cuda_enter(device, &guard) : mdldm__host_oom(device->host, "parameter store");
    if (status == MDLDM_OK) {
        lay_out(store);
        status = open_slots(store);
        if (status == MDLDM_OK && (flags & MDLDM_STORE_TRAIN))
            status = mdldm__cuda_adamw_open(store);
        mdldm__cuda_leave(&guard);
    }
    if (status != MDLDM_OK) {
        mdldm__cuda_store_close(store);
        return status;
    }
    *out = store;
    return MDLDM_OK;
}

void mdldm__cuda_store_close(mdldm_store *store)
{
    if (store == NULL)
        return;
    const mdldm_host *host = store->device->host;
    mdldm__cuda_guard guard;
    mdldm__cuda_enter_to_close(store->device, &guard);
    mdldm__cuda_drain(store->device);
    while (store->packed != NULL) {
        store->packed->refs = 1;
        mdldm__cuda_packed_release(store, store->packed);
    }
    for (int slot = 0; slot < MDLDM__CUDA_SLOTS; slot++)
        mdldm__cuda_free(store->device, store->slots[slot]);
    mdldm__cuda_free(store->device, store->step);
    mdldm__cuda_leave(&guard);
    mdldm__host_free(host, store->offsets);
    mdldm__store_host_close(&store->base);
    mdldm__host_free(host, store);
}

/* The parameter has values now, or others. */
static void note_values(mdldm_store *store, int32_t index, int32_t dtype)
{
    mdldm__host_param *p = &store->base.params[index];
    p->bound = mdldm__cuda_slot(store, index, MDLDM_SLOT_VALUE);
    p->bound_dtype = dtype;
    p->version++;
}

static mdldm_status bind(mdldm_store *store, int32_t index, const void *data, int32_t dtype)
{
    mdldm_device *device = store->device;
    const int64_t count = store->base.params[index].count;
    char *value = mdldm__cuda_slot(store, index, MDLDM_SLOT_VALUE), *ema = mdldm__cuda_slot(store, index, MDLDM_SLOT_EMA);
    mdldm_status status = mdldm__cuda_upload(device, value, data, dtype, count);
    if (status == MDLDM_OK && ema != value)
        status = mdldm__cuda_check(device,
                                   device->api->cudaMemcpyAsync(ema, value, (size_t)count * sizeof(float),
                                                                MDLDM__CUDA_ON_DEVICE, device->stream),
                                   "cudaMemcpyAsync");
    return status;
}

mdldm_status mdldm__cuda_store_bind(mdldm_store *store, int32_t index, const void *data, int32_t dtype)
{
    int32_t mapped = 0;
    mdldm__cuda_guard guard;
    mdldm_status status = mdldm__store_host_check_bind(&store->base, index, data, &dtype, &mapped);
    if (status == MDLDM_OK)
        status = mdldm__cuda_enter(store->device, &guard);
    if (status != MDLDM_OK)
        return status;
    status = bind(store, index, data, dtype);
    mdldm__cuda_leave(&guard);
    if (status != MDLDM_OK)
        return status;
    if (mapped)
        mdldm__pages_forget(data, (size_t)store->base.params[index].count * mdldm__dtype_size(dtype));
    note_values(store, index, dtype == MDLDM_I8 ? MDLDM_I8 : MDLDM_F32);
    return MDLDM_OK;
}

mdldm_status mdldm__cuda_store_read(mdldm_store *store, int32_t index, int32_t slot, float *out)
{
    mdldm_status status = mdldm__store_host_check_index(&store->base, index);
    if (status != MDLDM_OK)
        return status;
    const char *from = mdldm__cuda_slot(store, index, slot);
    const int of_values = slot == MDLDM_SLOT_VALUE || slot == MDLDM_SLOT_EMA;
    if (from == NULL || (of_values && !mdldm__store_host_is_bound(&store->base, index, MDLDM_F32)))
        return mdldm__store_host_no_slot(&store->base, index, slot);
    mdldm__cuda_guard guard;
    status = mdldm__cuda_enter(store->device, &guard);
    if (status != MDLDM_OK)
        return status;
    status = mdldm__cuda_download(store->device, out, from, (size_t)store->base.params[index].count * sizeof(float));
    mdldm__cuda_leave(&guard);
    return status;
}

mdldm_status mdldm__cuda_store_write(mdldm_store *store, int32_t index, int32_t slot, const float *in)
{
    mdldm_status status = mdldm__store_host_check_index(&store->base, index);
    if (status == MDLDM_OK)
        status = mdldm__store_host_check_float(&store->base, index);
    if (status != MDLDM_OK)
        return status;
    char *to = mdldm__cuda_slot(store, index, slot);
    if (to == NULL)
        return mdldm__store_host_no_slot(&store->base, index, slot);
    mdldm__cuda_guard guard;
    status = mdldm__cuda_enter(store->device, &guard);
    if (status != MDLDM_OK)
        return status;
    status = mdldm__cuda_upload(store->device, to, in, MDLDM_F32, store->base.params[index].count);
    mdldm__cuda_leave(&guard);
    if (status == MDLDM_OK && to == mdldm__cuda_slot(store, index, MDLDM_SLOT_VALUE))
        note_values(store, index, MDLDM_F32);
    else if (status == MDLDM_OK)
        store->base.params[index].version++;
    return status;
}

mdldm_status mdldm__cuda_store_zero_grad(mdldm_store *store)
{
    if (store->slots[MDLDM_SLOT_GRAD] == NULL)
        return MDLDM_OK;
    mdldm__cuda_guard guard;
    mdldm_status status = mdldm__cuda_enter(store->device, &guard);
    if (status != MDLDM_OK)
        return status;
    status = clear(store, MDLDM_SLOT_GRAD, store->learned_bytes);
    mdldm__cuda_leave(&guard);
    return status;
}
