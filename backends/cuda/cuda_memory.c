/* SPDX-License-Identifier: MIT
 * The arena on the device and the pinned memory on the host that all plans of a device share: they never run
 * at the same time, and nothing in them outlives a run. Each has the size that the largest plan wants. */
#include "cuda_plan.h"

static mdldm_status obtain(const mdldm_device *device, int pinned, size_t bytes, void **out)
{
    if (!pinned)
        return mdldm__cuda_malloc(device, bytes, "activations", out);
    *out = NULL;
    mdldm_status status = mdldm__cuda_check(device, device->api->cudaMallocHost(out, bytes), "cudaMallocHost");
    if (status != MDLDM_OK)
        *out = NULL;
    return status;
}

static void drop(const mdldm_device *device, int pinned, mdldm__cuda_pool *pool)
{
    if (!pinned)
        mdldm__cuda_free(device, pool->memory);
    else if (pool->memory != NULL && device->api->cudaFreeHost(pool->memory) != 0)
        (void)device->api->cudaGetLastError();
    pool->memory = NULL;
    pool->bytes = 0;
}

/* Larger: a new one beside the old where there is room for both, else in its place. The old one may then be
 * gone; plans that miss it claim it again when they run. */
static mdldm_status fit(const mdldm_device *device, int pinned, mdldm__cuda_pool *pool, size_t bytes)
{
    void *memory = NULL;
    if (pool->bytes >= bytes)
        return MDLDM_OK;
    mdldm_status status = obtain(device, pinned, bytes, &memory);
    if (status == MDLDM_ERROR_OUT_OF_MEMORY && pool->memory != NULL) {
        drop(device, pinned, pool);
        status = obtain(device, pinned, bytes, &memory);
    }
    if (status != MDLDM_OK)
        return status;
    drop(device, pinned, pool);
    pool->memory = memory;
    pool->bytes = bytes;
    return MDLDM_OK;
}

/* Far too large, or wanted by nobody. Where a smaller one cannot be had, the large one serves. */
static void shrink(const mdldm_device *device, int pinned, mdldm__cuda_pool *pool, size_t bytes)
{
    void *memory = NULL;
    if (device->plans == NULL)
        drop(device, pinned, pool);
    if (pool->memory == NULL || bytes >= pool->bytes / 2)
        return;
    int error = pinned ? device->api->cudaMallocHost(&memory, bytes) : device->api->cudaMalloc(&memory, bytes);
    if (error != MDLDM__CUDA_SUCCESS) {
        (void)device->api->cudaGetLastError();
        return;
    }
    drop(device, pinned, pool);
    pool->memory = memory;
    pool->bytes = bytes;
}

mdldm_status mdldm__cuda_claim(mdldm_plan *plan)
{
    mdldm_device *device = plan->device;
    mdldm_status status = fit(device, 0, &device->arena, plan->arena_bytes);
    if (status == MDLDM_OK)
        status = fit(device, 1, &device->pinned, plan->pinned_bytes);
    if (status != MDLDM_OK)
        return status;
    for (const mdldm_plan *p = device->plans; p != NULL; p = p->next)
        if (p == plan)
            return MDLDM_OK;
    plan->next = device->plans;
    device->plans = plan;
    return MDLDM_OK;
}

void mdldm__cuda_unclaim(mdldm_plan *plan)
{
    mdldm_device *device = plan->device;
    mdldm_plan **link = &device->plans;
    size_t arena = 0, pinned = 0;
    while (*link != NULL && *link != plan)
        link = &(*link)->next;
    if (*link != NULL)
        *link = plan->next;
    for (const mdldm_plan *p = device->plans; p != NULL; p = p->next) {
        arena = p->arena_bytes > arena ? p->arena_bytes : arena;
        pinned = p->pinned_bytes > pinned ? p->pinned_bytes : pinned;
    }
    shrink(device, 0, &device->arena, arena);
    shrink(device, 1, &device->pinned, pinned);
}
