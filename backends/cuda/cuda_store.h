/* SPDX-License-Identifier: MIT
 * The parameter store: canonical values, gradients, moments and average in the device's memory, one block per
 * slot, so that a parameter's address never changes; and beside them weights in the forms that kernels want,
 * shared by all plans. The host keeps the table: names, shapes, what is bound, versions. */
#ifndef MDLDM_CUDA_STORE_H
#define MDLDM_CUDA_STORE_H

#include "../common/store_host.h"
#include "cuda_device.h"

#define MDLDM__CUDA_SLOTS 5

typedef struct mdldm__cuda_packed {
    struct mdldm__cuda_packed *next;
    int32_t param, ema;
    int64_t form;
    size_t bytes;
    void *memory;
    uint64_t version; /* of the parameter that memory holds; 0: none */
    int32_t refs;     /* plans that use it */
} mdldm__cuda_packed;

struct mdldm_store {
    mdldm__store_host base; /* the table alone */
    mdldm_device *device;
    int64_t *offsets;                /* [count] bytes from each slot's beginning; what learns comes first */
    char *slots[MDLDM__CUDA_SLOTS];  /* by mdldm_slot; NULL: not there */
    size_t all_bytes, learned_bytes; /* of the values; of the other slots */
    void *step;                      /* AdamW's chunks, sums and result */
    mdldm__cuda_packed *packed;
};

/* The address of a slot of a parameter; the EMA where there is none: the value. NULL where that is not. */
static inline char *mdldm__cuda_slot(const mdldm_store *store, int32_t index, int32_t slot)
{
    int learned = (store->base.flags & MDLDM_STORE_TRAIN) && store->base.desc[index].trainable;
    if (slot == MDLDM_SLOT_EMA && (!learned || store->slots[MDLDM_SLOT_EMA] == NULL))
        slot = MDLDM_SLOT_VALUE;
    if (slot < 0 || slot >= MDLDM__CUDA_SLOTS || store->slots[slot] == NULL || (slot != MDLDM_SLOT_VALUE && !learned))
        return NULL;
    return store->slots[slot] + store->offsets[index];
}

mdldm_status mdldm__cuda_store_open(mdldm_device *device, const mdldm_param_desc *params, int32_t count, int32_t flags,
                                    mdldm_store **out);
void mdldm__cuda_store_close(mdldm_store *store);
mdldm_status mdldm__cuda_store_bind(mdldm_store *store, int32_t index, const void *data, int32_t dtype);
mdldm_status mdldm__cuda_store_read(mdldm_store *store, int32_t index, int32_t slot, float *out);
mdldm_status mdldm__cuda_store_write(mdldm_store *store, int32_t index, int32_t slot, const float *in);
mdldm_status mdldm__cuda_store_zero_grad(mdldm_store *store);

/* ---- cuda_adamw.c ---- */
mdldm_status mdldm__cuda_adamw_open(mdldm_store *store);
mdldm_status mdldm__cuda_store_adamw(mdldm_store *store, mdldm_adamw *args);

/* ---- cuda_packed.c ---- */
/* The weights of this parameter, form and size, one reference more; *added gets the bytes that are new. */
mdldm_status mdldm__cuda_packed_get(mdldm_store *store, int32_t param, int32_t ema, int64_t form, size_t bytes,
                                    mdldm__cuda_packed **out, int64_t *added);
void mdldm__cuda_packed_release(mdldm_store *store, mdldm__cuda_packed *packed);
static inline int mdldm__cuda_packed_stale(const mdldm_store *store, const mdldm__cuda_packed *p)
{
    return p->version != store->base.params[p->param].version;
}

#endif
