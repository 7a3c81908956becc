/* SPDX-License-Identifier: MIT
 * Packed copies of weights. */
#include <string.h>

#include "cpu_store.h"

static int same_key(const mdldm__packed_key *a, const mdldm__packed_key *b)
{
    return a->param == b->param && a->ema == b->ema && a->rotate == b->rotate && a->i0 == b->i0 &&
           a->ic == b->ic;
}

/* Dims and strides, in floats, of what the reorder reads: the canonical [O][I][kh][kw] from input
 * channel i0 on, or its transpose, or the turned copy. */
static void plain_view(const mdldm_param_desc *desc, const mdldm__packed *p, int64_t dims[4],
                       int64_t strides[4])
{
    int64_t oc = desc->dims[0], in = desc->dims[1], kh = desc->dims[2], kw = desc->dims[3];
    int64_t taps = kh * kw;
    if (p->turned_bytes > 0) { /* [ic][oc][kh][kw] */
        memcpy(dims, (int64_t[4]){p->key.ic, oc, kh, kw}, 4 * sizeof *dims);
        memcpy(strides, (int64_t[4]){oc * taps, taps, kw, 1}, 4 * sizeof *strides);
    } else if (p->key.rotate) { /* one tap: only the transpose */
        memcpy(dims, (int64_t[4]){p->key.ic, oc, 1, 1}, 4 * sizeof *dims);
        memcpy(strides, (int64_t[4]){1, in, 1, 1}, 4 * sizeof *strides);
    } else {
        memcpy(dims, (int64_t[4]){oc, p->key.ic, kh, kw}, 4 * sizeof *dims);
        memcpy(strides, (int64_t[4]){in * taps, taps, kw, 1}, 4 * sizeof *strides);
    }
}

mdldm_status mdldm__packed_get(mdldm_store *store, const mdldm__packed_key *key,
                               const mdldm__dnnl_layout *layout, mdldm__packed **out, int64_t *added)
{
    mdldm_device *device = store->device;
    const mdldm_param_desc *desc = &store->base.desc[key->param];
    mdldm__packed_key wanted = *key;
    wanted.ema = key->ema && store->base.params[key->param].ema != NULL;
    for (mdldm__packed *p = store->packed; p != NULL; p = p->next)
        if (same_key(&p->key, &wanted) && mdldm__dnnl_layout_equal(&p->layout, layout)) {
            p->refs++;
            *out = p;
            return MDLDM_OK;
        }
    mdldm__packed *p = mdldm__host_zalloc(device->host, 1, sizeof *p);
    if (p == NULL)
        return mdldm__host_oom(device->host, "packed weights");
    p->key = wanted;
    p->layout = *layout;
    p->refs = 1;
    p->bytes = mdldm__dnnl_layout_size(layout);
    if (wanted.rotate && desc->dims[2] * desc->dims[3] > 1)
        p->turned_bytes = (size_t)(wanted.ic * desc->dims[0] * desc->dims[2] * desc->dims[3]) * sizeof(float);
    p->block = mdldm__host_alloc(device->host, p->bytes + MDLDM__ALIGN);
    if (p->block == NULL) {
        mdldm__host_free(device->host, p);
        return mdldm__host_oom(device->host, "packed weights");
    }
    p->data = (void *)mdldm__align_up((uintptr_t)p->block);
    int64_t dims[4], strides[4];
    plain_view(desc, p, dims, strides);
    int status = mdldm__dnnl_pack(&device->dnnl, dims, strides, layout, &p->reorder);
    if (status != dnnl_success) {
        mdldm__host_free(device->host, p->block);
        mdldm__host_free(device->host, p);
        return mdldm__cpu_dnnl_error(device, status, "packing weights");
    }
    p->next = store->packed;
    store->packed = p;
    *out = p;
    *added += (int64_t)p->bytes;
    return MDLDM_OK;
}

void mdldm__packed_release(mdldm_store *store, mdldm__packed *packed)
{
    if (--packed->refs > 0)
        return;
    mdldm__packed **link = &store->packed;
    while (*link != packed)
        link = &(*link)->next;
    *link = packed->next;
    mdldm__dnnl_call_close(&packed->reorder);
    mdldm__host_free(store->device->host, packed->block);
    mdldm__host_free(store->device->host, packed);
}

mdldm_status mdldm__packed_refresh(mdldm_store *store, mdldm__packed *p, float *turned)
{
    mdldm_device *device = store->device;
    const mdldm_param_desc *desc = &store->base.desc[p->key.param];
    uint64_t version = store->base.params[p->key.param].version;
    if (p->version == version)
        return MDLDM_OK;
    const float *values = mdldm__store_host_values(&store->base, p->key.param, p->key.ema);
    const float *from = values + p->key.i0 * desc->dims[2] * desc->dims[3];
    if (p->turned_bytes > 0) {
        device->kernels->rotate(turned, values, desc->dims[0], desc->dims[1], p->key.i0, p->key.ic,
                                desc->dims[2], desc->dims[3], device->threads);
        from = turned;
    }
    int status = mdldm__dnnl_set(&p->reorder, MDLDM__ARG_SRC, from);
    if (status == dnnl_success)
        status = mdldm__dnnl_set(&p->reorder, MDLDM__ARG_DST, p->data);
    if (status == dnnl_success)
        status = mdldm__dnnl_run(&device->dnnl, &p->reorder);
    if (status != dnnl_success)
        return mdldm__cpu_dnnl_error(device, status, "packing weights");
    p->version = version;
    return MDLDM_OK;
}
