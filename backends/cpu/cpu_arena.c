/* SPDX-License-Identifier: MIT
 * The arena that all plans of a device share: they never run at the same time, and nothing in it
 * outlives a run. It has the size that the largest of them wants. */
#include "cpu_plan.h"

static int resize(mdldm_device *device, size_t bytes)
{
    void *block = mdldm__host_alloc(device->host, bytes + MDLDM__ALIGN);
    if (block == NULL)
        return 0;
    mdldm__host_free(device->host, device->arena_block);
    device->arena_block = block;
    device->arena = (char *)mdldm__align_up((uintptr_t)block);
    device->arena_bytes = bytes;
    return 1;
}

mdldm_status mdldm__cpu_arena_claim(mdldm_plan *plan)
{
    mdldm_device *device = plan->device;
    if ((device->arena_block == NULL || plan->arena_bytes > device->arena_bytes) &&
        !resize(device, plan->arena_bytes))
        return mdldm__host_error(device->host, MDLDM_ERROR_OUT_OF_MEMORY,
                                 "out of memory (%zu bytes of activations)", plan->arena_bytes);
    plan->next = device->plans;
    device->plans = plan;
    return MDLDM_OK;
}

void mdldm__cpu_arena_release(mdldm_plan *plan)
{
    mdldm_device *device = plan->device;
    mdldm_plan **link = &device->plans;
    while (*link != NULL && *link != plan)
        link = &(*link)->next;
    if (*link == NULL)
        return; /* it never had a place */
    *link = plan->next;
    size_t most = 0;
    for (const mdldm_plan *p = device->plans; p != NULL; p = p->next)
        most = p->arena_bytes > most ? p->arena_bytes : most;
    if (device->plans == NULL) {
        mdldm__host_free(device->host, device->arena_block);
        device->arena_block = NULL;
        device->arena = NULL;
        device->arena_bytes = 0;
    } else if (most < device->arena_bytes / 2) {
        resize(device, most); /* failing that, the large one serves */
    }
}
