/* SPDX-License-Identifier: MIT
 * A parameter store in plain host memory, canonical layout, float: the store of the reference backend
 * and the master copy of others. */
#ifndef MDLDM_COMMON_STORE_HOST_H
#define MDLDM_COMMON_STORE_HOST_H

#include "host_util.h"

typedef struct mdldm__host_param {
    int64_t count;      /* elements */
    int64_t first_chunk; /* of this parameter among the chunks of all trainable ones */
    const float *value; /* borrowed or owned_value; NULL: unbound, or still to be converted from bound */
    float *owned_value;
    const void *bound; /* what the caller lent, of a store that does not train */
    int32_t bound_dtype, mapped; /* dtype I8: bound is what graph tensors of that type read */
    int32_t read;  /* a plan reads the canonical floats themselves */
    int32_t eager; /* a plan counts on value: what is bound is converted at once */
    float *grad, *exp_avg, *exp_avg_sq; /* trainable, in a store for training; else NULL */
    float *ema;                         /* NULL: none, the value stands for it */
    uint64_t version;                   /* grows whenever value or ema may have changed */
} mdldm__host_param;

/* Scalars of AdamW as torch forms them: in double, rounded to float where they meet a tensor. */
typedef struct mdldm__adamw_constants {
    float grad_scale, clip;
    float keep;          /* 1 - lr*weight_decay */
    float beta2, w1, w2; /* w1 = 1-beta1, w2 = 1-beta2 */
    float step_size;     /* lr/(1-beta1^t) */
    float correction;    /* sqrt(1-beta2^t) */
    float eps;
    float ema_decay, ema_rest;
} mdldm__adamw_constants;

typedef struct mdldm__store_host {
    const mdldm_host *host;
    mdldm_param_desc *desc; /* [count], names owned */
    mdldm__host_param *params;
    int32_t count, flags;
    int64_t chunk_count;
    double *chunk_sums; /* [chunk_count] */
    /* AdamW's two passes over a chunk: plain C after an open, a backend may put its own here. g ends as
     * zeros; ema may be NULL. */
    double (*sum_squares)(const float *g, int64_t count);
    void (*adamw)(const mdldm__adamw_constants *c, int64_t count, float *p, float *g, float *mean, float *square,
                  float *ema);
} mdldm__store_host;

/* Runs body(arg, i) for i in 0..count-1 in any order, on any threads, and returns when all are done. */
typedef void (*mdldm__parallel_fn)(void *user, int64_t count, void (*body)(void *arg, int64_t i),
                                   void *arg);

/* The table alone, names, sizes and chunks: for a store whose arrays lie elsewhere. Its backend says what is
 * bound by setting bound and bound_dtype, and counts versions. check_bind takes MAPPED out of *dtype. */
mdldm_status mdldm__store_host_open_table(const mdldm_host *host, const mdldm_param_desc *params, int32_t count,
                                          int32_t flags, mdldm__store_host *store);
mdldm_status mdldm__store_host_check_index(const mdldm__store_host *store, int32_t index);
mdldm_status mdldm__store_host_check_bind(const mdldm__store_host *store, int32_t index, const void *data,
                                          int32_t *dtype, int32_t *mapped);
mdldm_status mdldm__store_host_check_float(const mdldm__store_host *store, int32_t index); /* not I8: for writes */
mdldm_status mdldm__store_host_no_slot(const mdldm__store_host *store, int32_t index, int32_t slot);
/* Refuses what cannot be a step; and the scalars of one, clip left 1. */
mdldm_status mdldm__adamw_check(const mdldm__store_host *store, mdldm_adamw *args);
mdldm__adamw_constants mdldm__adamw_constants_of(const mdldm_adamw *args);
/* The sentence of a gradient that is not finite, and args->bad_param. */
mdldm_status mdldm__adamw_bad(const mdldm__store_host *store, mdldm_adamw *args, int32_t index);
/* The calls of mdldm_backend's store. After a failed open the store is empty; close takes it anyway. */
mdldm_status mdldm__store_host_open(const mdldm_host *host, const mdldm_param_desc *params, int32_t count,
                                    int32_t flags, mdldm__store_host *store);
void mdldm__store_host_close(mdldm__store_host *store);
mdldm_status mdldm__store_host_bind(mdldm__store_host *store, int32_t index, const void *data,
                                    int32_t dtype);
mdldm_status mdldm__store_host_read(mdldm__store_host *store, int32_t index, int32_t slot, float *out);
mdldm_status mdldm__store_host_write(mdldm__store_host *store, int32_t index, int32_t slot,
                                     const float *in);
mdldm_status mdldm__store_host_zero_grad(mdldm__store_host *store);
double mdldm__adamw_sum_squares(const float *g, int64_t count);
void mdldm__adamw_update(const mdldm__adamw_constants *c, int64_t count, float *p, float *g, float *mean,
                         float *square, float *ema);
/* parallel NULL: on the caller's thread. The result does not depend on it: the norm is summed in fixed
 * chunks. A non-finite gradient gives NUMERIC with its name, and bad_param. */
mdldm_status mdldm__store_host_adamw(mdldm__store_host *store, mdldm_adamw *args,
                                     mdldm__parallel_fn parallel, void *parallel_user);

/* What a plan reads for parameter index: the EMA when wanted and there, else the value; NULL: unbound, or
 * 16-bit values that nobody wanted in float yet. */
const float *mdldm__store_host_values(const mdldm__store_host *store, int32_t index, int ema);
/* Whether there are values for a graph tensor of type F32 or I8; they lie at memory, for I8 or after
 * mdldm__store_host_will_read; and the sentence (INVALID_ARGUMENT) where there are none. */
int mdldm__store_host_is_bound(const mdldm__store_host *store, int32_t index, int32_t dtype);
const void *mdldm__store_host_memory(const mdldm__store_host *store, int32_t index, int32_t dtype, int ema);
mdldm_status mdldm__store_host_no_value(const mdldm__store_host *store, int32_t index, int32_t dtype);

/* ---- Values that are copied elsewhere (packed) need not stay in float, nor resident ---- */
/* A plan will read the canonical floats: they are there from now on, whatever is bound later. */
mdldm_status mdldm__store_host_will_read(mdldm__store_host *store, int32_t index);
/* A plan will only copy the values: the bytes of room that mdldm__store_host_floats will need for it. */
size_t mdldm__store_host_will_copy(mdldm__store_host *store, int32_t index);
/* The values in float, converted in room where they are not there as such. */
const float *mdldm__store_host_floats(mdldm__store_host *store, int32_t index, int ema, float *room);
/* The copy is made: gives back the mapped pages of the values unless some plan reads them. */
void mdldm__store_host_copied(const mdldm__store_host *store, int32_t index);

#define MDLDM__STORE_CHUNK 16384 /* elements whose squares are summed together */

#endif
