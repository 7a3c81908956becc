/* SPDX-License-Identifier: MIT
 * The parameter store: canonical float values (store_host) and, beside them, copies packed in the
 * layouts that convolutions ask for, shared by all plans and refreshed when the values changed. */
#ifndef MDLDM_CPU_STORE_H
#define MDLDM_CPU_STORE_H

#include "../common/store_host.h"
#include "cpu_device.h"

/* Which weights a primitive wants. */
typedef struct mdldm__packed_key {
    int32_t param, ema;
    int32_t rotate; /* 1: [ic][oc][kh][kw] with the kernel turned by 180 degrees */
    int32_t dtype;  /* of the copy, where an algorithm packs for several */
    int64_t i0, ic; /* the slice of input channels */
} mdldm__packed_key;

typedef struct mdldm__packed mdldm__packed;

/* How weights are packed. layout: what the algorithm says about the format, of a type of its own. same and
 * close may be NULL: the key tells all, nothing is held. */
typedef struct mdldm__pack_ops {
    int32_t (*same)(const mdldm__packed *p, const void *layout);
    /* Sets bytes, and room: the floats' bytes that pack needs to work in. On failure close follows. */
    mdldm_status (*open)(mdldm_store *store, mdldm__packed *p, const void *layout);
    /* values: the canonical weights. room: p->room bytes, aligned. */
    mdldm_status (*pack)(mdldm_store *store, mdldm__packed *p, const float *values, float *room);
    void (*close)(mdldm__packed *p);
} mdldm__pack_ops;

extern const mdldm__pack_ops mdldm__pack_onednn; /* layout: an mdldm__dnnl_layout */
extern const mdldm__pack_ops mdldm__pack_q8;     /* layout NULL; key.ic: channels of the first source */

/* Bytes of the sums [oc] in front of packed eight-bit weights. */
static inline size_t mdldm__q8_sums_bytes(int64_t oc)
{
    return mdldm__align_up((size_t)oc * sizeof(int32_t));
}

struct mdldm__packed {
    mdldm__packed *next;
    int32_t refs; /* plans that use it */
    mdldm__packed_key key;
    const mdldm__pack_ops *ops;
    mdldm__dnnl_layout layout; /* oneDNN's */
    mdldm__dnnl_call reorder;  /* oneDNN's */
    void *block, *data; /* data: block aligned; in passing: where it was packed last */
    size_t bytes, room;
    uint64_t version; /* of the parameter that data holds; 0: none */
};

struct mdldm_store {
    mdldm__store_host base;
    mdldm_device *device;
    mdldm__packed *packed;
};

mdldm_status mdldm__cpu_store_open(mdldm_device *device, const mdldm_param_desc *params, int32_t count,
                                   int32_t flags, mdldm_store **out);
void mdldm__cpu_store_close(mdldm_store *store);
mdldm_status mdldm__cpu_store_adamw(mdldm_store *store, mdldm_adamw *args);

/* Weights that change with each run are packed by each step that uses them into memory of its plan,
 * instead of copies that would last: in stores for training. */
int mdldm__packed_in_passing(const mdldm_store *store);
/* Bytes that packed_into wants, and packing in them. */
size_t mdldm__packed_passing_bytes(const mdldm__packed *packed);
mdldm_status mdldm__packed_into(mdldm_store *store, mdldm__packed *packed, void *memory);

/* The packed copy for key in this layout, one reference more. *added gets the bytes that were new. */
mdldm_status mdldm__packed_get(mdldm_store *store, const mdldm__packed_key *key, const mdldm__pack_ops *ops,
                               const void *layout, mdldm__packed **out, int64_t *added);
void mdldm__packed_release(mdldm_store *store, mdldm__packed *packed);
/* The parameter has changed since the copy was made. */
int mdldm__packed_stale(const mdldm_store *store, const mdldm__packed *packed);
/* Bytes that refresh needs to work in. */
size_t mdldm__packed_room(mdldm_store *store, const mdldm__packed *packed);
/* Brings the copy up to date; room is aligned. */
mdldm_status mdldm__packed_refresh(mdldm_store *store, mdldm__packed *packed, float *room);

#endif
