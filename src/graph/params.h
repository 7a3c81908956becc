/* SPDX-License-Identifier: MIT
 * The parameters of one model component by name: shapes, initialisation and where the values lie.
 * Declared by describing the model once (mdldm__graph_init with declare), then bound to a mapped file
 * or filled with fresh random values. */
#ifndef MDLDM_GRAPH_PARAMS_H
#define MDLDM_GRAPH_PARAMS_H

#include "mdldm/mdldm_backend.h"
#include "util/env.h"

typedef enum mdldm__init {
    MDLDM__INIT_ZEROS = 0,
    MDLDM__INIT_ONES = 1,
    MDLDM__INIT_UNIFORM = 2, /* U(-a, a); a = 1/sqrt(fan_in) is torch's default for conv and linear */
    MDLDM__INIT_NORMAL = 3   /* N(0, a^2) */
} mdldm__init;

typedef struct mdldm__param {
    char *name;      /* diffusers' tensor name */
    int64_t dims[4]; /* canonical (PyTorch) shape, padded with 1 */
    int32_t rank;
    int32_t trainable;
    mdldm__init init;
    float init_a;
    const void *data; /* values, canonical order; NULL until bound */
    int32_t dtype;    /* of data: F32, F16, BF16; I8 when integer */
    int32_t integer;  /* 1: the values are I8 (declared so, and the graph reads them so) */
    int32_t mapped;   /* data lies in a mapped file */
    void *owned;      /* data when this table owns it: floats, or int8_t */
} mdldm__param;

typedef struct mdldm__params {
    mdldm__env *env; /* of the owner; outlives the table */
    mdldm__param *items;
    int32_t count, capacity;
} mdldm__params;

void mdldm__params_init(mdldm__params *params, mdldm__env *env);
void mdldm__params_free(mdldm__params *params);
/* Index, or -1. */
int32_t mdldm__params_find(const mdldm__params *params, const char *name);
mdldm_status mdldm__params_add(mdldm__params *params, const char *name, int32_t rank,
                               const int64_t *dims, mdldm__init init, float a, int32_t trainable);
/* The type of the values as the backend's store_bind wants it. */
int32_t mdldm__param_bind_dtype(const mdldm__param *param);
int64_t mdldm__param_elements(const mdldm__param *param);
size_t mdldm__param_bytes(const mdldm__param *param); /* of the values at data */
/* Draws initial values for all parameters without data, from (seed, index). */
mdldm_status mdldm__params_randomize(mdldm__params *params, uint64_t seed);
/* Replaces the values by a copy of values[elements]. */
mdldm_status mdldm__param_set(mdldm__params *params, int32_t index, const float *values);
/* The same for I8. */
mdldm_status mdldm__param_set_i8(mdldm__params *params, int32_t index, const int8_t *values);
/* Copies the values as float32, whatever their type. */
void mdldm__param_get(const mdldm__param *param, float *out);
/* The table as the backend's store_open wants it; free with mdldm__free. NULL: out of memory. */
mdldm_param_desc *mdldm__params_desc(const mdldm__params *params);

#endif
