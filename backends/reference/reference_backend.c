/* SPDX-License-Identifier: MIT */
#include "reference_backend.h"

#include "../common/host_util.h"
#include "ref_plan.h"

static int32_t probe(char *reason, size_t capacity)
{
    if (capacity > 0)
        reason[0] = '\0';
    return 0;
}

static mdldm_status device_open(const mdldm_host *host, const char *device, int32_t threads,
                                mdldm_device **out)
{
    (void)threads; /* one thread always */
    *out = NULL;
    if (device != NULL && device[0] != '\0')
        return mdldm__host_error(host, MDLDM_ERROR_NOT_FOUND,
                                 "the reference backend has no device '%s'; leave the name out", device);
    mdldm_device *opened = mdldm__host_alloc(host, sizeof *opened);
    if (opened == NULL)
        return mdldm__host_oom(host, "device");
    opened->host = host;
    *out = opened;
    return MDLDM_OK;
}

static void device_close(mdldm_device *device)
{
    if (device != NULL)
        mdldm__host_free(device->host, device);
}

static mdldm_status store_open(mdldm_device *device, const mdldm_param_desc *params, int32_t count,
                               int32_t flags, mdldm_store **out)
{
    *out = NULL;
    mdldm_store *store = mdldm__host_alloc(device->host, sizeof *store);
    if (store == NULL)
        return mdldm__host_oom(device->host, "parameter store");
    mdldm_status status = mdldm__store_host_open(device->host, params, count, flags, &store->table);
    if (status != MDLDM_OK) {
        mdldm__host_free(device->host, store);
        return status;
    }
    *out = store;
    return MDLDM_OK;
}

static void store_close(mdldm_store *store)
{
    if (store == NULL)
        return;
    const mdldm_host *host = store->table.host;
    mdldm__store_host_close(&store->table);
    mdldm__host_free(host, store);
}

static mdldm_status store_bind(mdldm_store *store, int32_t index, const void *data, int32_t dtype)
{
    return mdldm__store_host_bind(&store->table, index, data, dtype);
}

static mdldm_status store_read(mdldm_store *store, int32_t index, int32_t slot, float *out)
{
    return mdldm__store_host_read(&store->table, index, slot, out);
}

static mdldm_status store_write(mdldm_store *store, int32_t index, int32_t slot, const float *in)
{
    return mdldm__store_host_write(&store->table, index, slot, in);
}

static mdldm_status store_adamw(mdldm_store *store, mdldm_adamw *args)
{
    return mdldm__store_host_adamw(&store->table, args, NULL, NULL);
}

static mdldm_status store_zero_grad(mdldm_store *store)
{
    return mdldm__store_host_zero_grad(&store->table);
}

const mdldm_backend mdldm__backend_reference = {
    .struct_size = sizeof(mdldm_backend),
    .abi = MDLDM_BACKEND_ABI,
    .name = "reference",
    .description = "plain C, double accumulation, one thread: exact and slow",
    .probe = probe,
    .device_open = device_open,
    .device_close = device_close,
    .store_open = store_open,
    .store_close = store_close,
    .store_bind = store_bind,
    .store_read = store_read,
    .store_write = store_write,
    .store_adamw = store_adamw,
    .store_zero_grad = store_zero_grad,
    .plan_compile = mdldm__ref_plan_compile,
    .plan_run = mdldm__ref_plan_run,
    .plan_close = mdldm__ref_plan_close,
    .plan_info = mdldm__ref_plan_info,
};
