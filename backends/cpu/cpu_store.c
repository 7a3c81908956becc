/* SPDX-License-Identifier: MIT */
#include "cpu_store.h"

mdldm_status mdldm__cpu_store_open(mdldm_device *device, const mdldm_param_desc *params, int32_t count,
                                   int32_t flags, mdldm_store **out)
{
    *out = NULL;
    mdldm_store *store = mdldm__host_zalloc(device->host, 1, sizeof *store);
    if (store == NULL)
        return mdldm__host_oom(device->host, "parameter store");
    store->device = device;
    mdldm_status status = mdldm__store_host_open(device->host, params, count, flags, &store->base);
    if (status != MDLDM_OK) {
        mdldm__host_free(device->host, store);
        return status;
    }
    store->base.sum_squares = device->kernels->sum_squares;
    store->base.adamw = device->kernels->adamw;
    *out = store;
    return MDLDM_OK;
}

static mdldm_status close_packed(void *arg)
{
    mdldm_store *store = arg;
    while (store->packed != NULL) {
        store->packed->refs = 1;
        mdldm__packed_release(store, store->packed);
    }
    return MDLDM_OK;
}

void mdldm__cpu_store_close(mdldm_store *store)
{
    if (store == NULL)
        return;
    mdldm_device *device = store->device;
    mdldm__cpu_do(&device->worker, device->threads, close_packed, store);
    mdldm__store_host_close(&store->base);
    mdldm__host_free(device->host, store);
}

static void run_parallel(void *user, int64_t count, void (*body)(void *arg, int64_t i), void *arg)
{
    const mdldm_device *device = user;
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (int64_t i = 0; i < count; i++)
        body(arg, i);
}

typedef struct adamw_job {
    mdldm_store *store;
    mdldm_adamw *args;
} adamw_job;

static mdldm_status run_adamw(void *arg)
{
    const adamw_job *j = arg;
    return mdldm__store_host_adamw(&j->store->base, j->args, run_parallel, j->store->device);
}

mdldm_status mdldm__cpu_store_adamw(mdldm_store *store, mdldm_adamw *args)
{
    adamw_job job = {store, args};
    return mdldm__cpu_do(&store->device->worker, store->device->threads, run_adamw, &job);
}
