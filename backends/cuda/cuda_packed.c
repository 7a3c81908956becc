/* SPDX-License-Identifier: MIT
 * Weights in a kernel's own form. */
#include "cuda_store.h"

mdldm_status mdldm__cuda_packed_get(mdldm_store *store, int32_t param, int32_t ema, int64_t form, size_t bytes,
                                    mdldm__cuda_packed **out, int64_t *added)
{
    const mdldm_device *device = store->device;
    ema = ema && mdldm__cuda_slot(store, param, MDLDM_SLOT_EMA) != mdldm__cuda_slot(store, param, MDLDM_SLOT_VALUE);
    for (mdldm__cuda_packed *p = store->packed; p != NULL; p = p->next)
        if (p->param == param && p->ema == ema && p->form == form && p->bytes == bytes) {
            p->refs++;
            *out = p;
            return MDLDM_OK;
        }
    mdldm__cuda_packed *p = mdldm__host_zalloc(device->host, 1, sizeof *p);
    if (p == NULL)
        return mdldm__host_oom(device->host, "packed weights");
    mdldm_status status = mdldm__cuda_malloc(device, bytes, "packed weights", &p->memory);
    if (status != MDLDM_OK) {
        mdldm__host_free(device->host, p);
        return status;
    }
    p->param = param;
    p->ema = ema;
    p->form = form;
    p->bytes = bytes;
    p->refs = 1;
    p->next = store->packed;
    store->packed = p;
    *out = p;
    *added += (int64_t)bytes;
    return MDLDM_OK;
}

void mdldm__cuda_packed_release(mdldm_store *store, mdldm__cuda_packed *packed)
{
    if (--packed->refs > 0)
        return;
    mdldm__cuda_packed **link = &store->packed;
    while (*link != packed)
        link = &(*link)->next;
    *link = packed->next;
    mdldm__cuda_free(store->device, packed->memory);
    mdldm__host_free(store->device->host, packed);
}
