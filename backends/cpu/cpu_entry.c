/* SPDX-License-Identifier: MIT
 * The plug-in's one symbol. */
#include <stdio.h>

#include "cpu_plan.h"

const mdldm_backend *mdldm_backend_entry(uint32_t abi);

static int32_t probe(char *reason, size_t capacity)
{
    /* oneDNN runs on any x86-64 processor, its floor being SSE4.1. */
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.1")) {
        snprintf(reason, capacity, "the processor has no SSE4.1, which oneDNN needs");
        return 1;
    }
#endif
    if (capacity > 0)
        reason[0] = '\0';
    return 0;
}

static mdldm_status store_bind(mdldm_store *store, int32_t index, const void *data, int32_t dtype)
{
    return mdldm__store_host_bind(&store->base, index, data, dtype);
}

static mdldm_status store_read(mdldm_store *store, int32_t index, int32_t slot, float *out)
{
    return mdldm__store_host_read(&store->base, index, slot, out);
}

static mdldm_status store_write(mdldm_store *store, int32_t index, int32_t slot, const float *in)
{
    return mdldm__store_host_write(&store->base, index, slot, in);
}

static mdldm_status store_zero_grad(mdldm_store *store)
{
    return mdldm__store_host_zero_grad(&store->base);
}

static const mdldm_backend backend = {
    .struct_size = sizeof(mdldm_backend),
    .abi = MDLDM_BACKEND_ABI,
    .name = "cpu",
    .description = "oneDNN and own vector kernels, f32 and bf16",
    .probe = probe,
    .device_open = mdldm__cpu_device_open,
    .device_close = mdldm__cpu_device_close,
    .store_open = mdldm__cpu_store_open,
    .store_close = mdldm__cpu_store_close,
    .store_bind = store_bind,
    .store_read = store_read,
    .store_write = store_write,
    .store_adamw = mdldm__cpu_store_adamw,
    .store_zero_grad = store_zero_grad,
    .plan_compile = mdldm__cpu_plan_compile,
    .plan_run = mdldm__cpu_plan_run,
    .plan_close = mdldm__cpu_plan_close,
    .plan_info = mdldm__cpu_plan_info,
};

__attribute__((visibility("default"))) const mdldm_backend *mdldm_backend_entry(uint32_t abi)
{
    return abi == MDLDM_BACKEND_ABI ? &backend : NULL;
}
