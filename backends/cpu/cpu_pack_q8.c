/* SPDX-License-Identifier: MIT
 * Eight-bit weights in the order that conv_q8 reads them, their sums per output channel in front. */
#include "cpu_scratch.h"
#include "cpu_store.h"

#include <string.h>

static int64_t taps_of(const mdldm_param_desc *desc)
{
    return desc->dims[2] * desc->dims[3];
}

static mdldm_status open(mdldm_store *store, mdldm__packed *p, const void *layout)
{
    (void)layout;
    const mdldm_param_desc *desc = &store->base.desc[p->key.param];
    int64_t size = mdldm__cpu_q8_packed_size(desc->dims[0], p->key.ic, desc->dims[1] - p->key.ic, taps_of(desc),
                                             store->device->kernels->q8_block);
    p->bytes = mdldm__q8_sums_bytes(desc->dims[0]) + (size_t)size;
    return MDLDM_OK;
}

static mdldm_status pack(mdldm_store *store, mdldm__packed *p, const float *values, float *room)
{
    (void)values; /* floats: there are none */
    (void)room;
    const mdldm_param_desc *desc = &store->base.desc[p->key.param];
    store->device->kernels->pack_q8((int8_t *)p->data + mdldm__q8_sums_bytes(desc->dims[0]), p->data,
                                    mdldm__store_host_memory(&store->base, p->key.param, MDLDM_I8, 0), desc->dims[0], p->key.ic,
                                    desc->dims[1] - p->key.ic, taps_of(desc), store->device->threads);
    return MDLDM_OK;
}

/* key.ic: channels of the first source. */
const mdldm__pack_ops mdldm__pack_q8 = {NULL, open, pack, NULL};
