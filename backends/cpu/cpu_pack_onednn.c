/* SPDX-License-Identifier: MIT
 * Weights packed by oneDNN's reorder in the layout that a primitive asks for. */
#include <string.h>

#include "cpu_store.h"

/* Dims and strides, in floats, of what the reorder reads: the canonical [O][I][kh][kw] from input
 * channel i0 on, or its transpose, or the turned copy. */
static void plain_view(const mdldm_param_desc *desc, const mdldm__packed *p, int64_t dims[4],
                       int64_t strides[4])
{
    int64_t oc = desc->dims[0], in = desc->dims[1], kh = desc->dims[2], kw = desc->dims[3];
    int64_t taps = kh * kw;
    if (p->room > 0) { /* [ic][oc][kh][kw] */
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

static int32_t same(const mdldm__packed *p, const void *layout)
{
    return mdldm__dnnl_layout_equal(&p->layout, layout);
}

static mdldm_status open(mdldm_store *store, mdldm__packed *p, const void *layout)
{
    const mdldm_param_desc *desc = &store->base.desc[p->key.param];
    int64_t dims[4], strides[4];
    p->layout = *(const mdldm__dnnl_layout *)layout;
    p->bytes = mdldm__dnnl_layout_size(&p->layout);
    if (p->key.rotate && desc->dims[2] * desc->dims[3] > 1)
        p->room = (size_t)(p->key.ic * desc->dims[0] * desc->dims[2] * desc->dims[3]) * sizeof(float);
    plain_view(desc, p, dims, strides);
    mdldm__cpu_use_threads(store->device->threads);
    int status = mdldm__dnnl_pack(&store->device->dnnl, dims, strides, &p->layout, &p->reorder);
    p->layout = p->reorder.weights; /* the caller's goes with its plan */
    return status == dnnl_success ? MDLDM_OK
                                  : mdldm__cpu_dnnl_error(store->device, status, "packing weights");
}

static mdldm_status pack(mdldm_store *store, mdldm__packed *p, const float *values, float *room)
{
    mdldm_device *device = store->device;
    const mdldm_param_desc *desc = &store->base.desc[p->key.param];
    const float *from = values + p->key.i0 * desc->dims[2] * desc->dims[3];
    if (p->room > 0) {
        device->kernels->rotate(room, values, desc->dims[0], desc->dims[1], p->key.i0, p->key.ic,
                                desc->dims[2], desc->dims[3], device->threads);
        from = room;
    }
    int status = mdldm__dnnl_set(&p->reorder, MDLDM__ARG_SRC, from);
    if (status == dnnl_success)
        status = mdldm__dnnl_set(&p->reorder, MDLDM__ARG_DST, p->data);
    if (status == dnnl_success)
        status = mdldm__dnnl_run(&device->dnnl, &p->reorder);
    return status == dnnl_success ? MDLDM_OK : mdldm__cpu_dnnl_error(device, status, "packing weights");
}

static void close(mdldm__packed *p)
{
    mdldm__dnnl_call_close(&p->reorder);
}

const mdldm__pack_ops mdldm__pack_onednn = {same, open, pack, close};
