/* SPDX-License-Identifier: MIT */
#include "graph/params.h"

#include <assert.h>
#include <string.h>

#include "util/half.h"
#include "util/rng.h"

void mdldm__params_init(mdldm__params *params, mdldm__env *env)
{
    memset(params, 0, sizeof *params);
    params->env = env;
}

void mdldm__params_free(mdldm__params *params)
{
    for (int32_t i = 0; i < params->count; i++) {
        mdldm__free(params->env, params->items[i].name);
        mdldm__free(params->env, params->items[i].owned);
    }
    if (params->env != NULL)
        mdldm__free(params->env, params->items);
    params->items = NULL;
    params->count = params->capacity = 0;
}

int32_t mdldm__params_find(const mdldm__params *params, const char *name)
{
    for (int32_t i = 0; i < params->count; i++)
        if (strcmp(params->items[i].name, name) == 0)
            return i;
    return -1;
}

mdldm_status mdldm__params_add(mdldm__params *params, const char *name, int32_t rank, const int64_t *dims,
                               mdldm__init init, float a, int32_t trainable)
{
    mdldm__env *env = params->env;
    if (params->count == params->capacity) {
        int32_t capacity = params->capacity > 0 ? params->capacity * 2 : 64;
        mdldm__param *items = mdldm__realloc(env, params->items, (size_t)capacity * sizeof *items);
        if (items == NULL)
            return mdldm__oom(env, "parameter table");
        params->items = items;
        params->capacity = capacity;
    }
    mdldm__param *p = &params->items[params->count];
    memset(p, 0, sizeof *p);
    p->name = mdldm__strdup(env, name);
    if (p->name == NULL)
        return mdldm__oom(env, "parameter name");
    for (int32_t i = 0; i < 4; i++)
        p->dims[i] = i < rank ? dims[i] : 1;
    p->rank = rank;
    p->trainable = trainable;
    p->init = init;
    p->init_a = a;
    params->count++;
    return MDLDM_OK;
}

int32_t mdldm__param_bind_dtype(const mdldm__param *param)
{
    return param->dtype + (param->mapped ? MDLDM_BIND_MAPPED : 0);
}

int64_t mdldm__param_elements(const mdldm__param *param)
{
    return param->dims[0] * param->dims[1] * param->dims[2] * param->dims[3];
}

size_t mdldm__param_bytes(const mdldm__param *param)
{
    size_t size = param->dtype == MDLDM_F32 ? 4 : param->dtype == MDLDM_I8 ? 1 : 2;
    return (size_t)mdldm__param_elements(param) * size;
}

static mdldm_status own(mdldm__params *params, mdldm__param *p)
{
    if (p->owned == NULL) {
        size_t size = p->integer ? sizeof(int8_t) : sizeof(float);
        p->owned = mdldm__alloc(params->env, (size_t)mdldm__param_elements(p) * size);
        if (p->owned == NULL)
            return mdldm__oom(params->env, p->name);
    }
    p->data = p->owned;
    p->dtype = p->integer ? MDLDM_I8 : MDLDM_F32;
    p->mapped = 0;
    return MDLDM_OK;
}

mdldm_status mdldm__params_randomize(mdldm__params *params, uint64_t seed)
{
    enum { CHUNK = 1024 };
    for (int32_t i = 0; i < params->count; i++) {
        mdldm__param *p = &params->items[i];
        if (p->data != NULL)
            continue;
        MDLDM__TRY(own(params, p));
        int64_t count = mdldm__param_elements(p);
        if (p->integer) { /* -127..127 */
            for (int64_t k = 0; k < count; k++)
                ((int8_t *)p->owned)[k] = (int8_t)((int32_t)mdldm__rng_below(
                    seed, MDLDM__RNG_WEIGHTS, (uint64_t)i, (uint32_t)k, 255) - 127);
            continue;
        }
        float *out = p->owned;
        switch (p->init) {
        case MDLDM__INIT_ZEROS:
        case MDLDM__INIT_ONES:
            for (int64_t k = 0; k < count; k++)
                out[k] = p->init == MDLDM__INIT_ONES ? 1.0f : 0.0f;
            break;
        case MDLDM__INIT_NORMAL:
            for (int64_t k = 0; k < count; k += CHUNK) {
                size_t part = (size_t)(count - k < CHUNK ? count - k : CHUNK);
                mdldm__rng_normal(seed, MDLDM__RNG_WEIGHTS, (uint64_t)i, (uint32_t)(k / CHUNK), out + k,
                                  part);
                for (size_t j = 0; j < part; j++)
                    out[k + (int64_t)j] *= p->init_a;
            }
            break;
        case MDLDM__INIT_UNIFORM:
            for (int64_t k = 0; k < count; k += CHUNK) {
                double u[CHUNK];
                size_t part = (size_t)(count - k < CHUNK ? count - k : CHUNK);
                mdldm__rng_uniform(seed, MDLDM__RNG_WEIGHTS, (uint64_t)i, (uint32_t)(k / CHUNK), u, part);
                for (size_t j = 0; j < part; j++)
                    out[k + (int64_t)j] = (float)((2.0 * u[j] - 1.0) * (double)p->init_a);
            }
            break;
        }
    }
    return MDLDM_OK;
}

mdldm_status mdldm__param_set(mdldm__params *params, int32_t index, const float *values)
{
    mdldm__param *p = &params->items[index];
    assert(!p->integer);
    MDLDM__TRY(own(params, p));
    memcpy(p->owned, values, (size_t)mdldm__param_elements(p) * sizeof(float));
    return MDLDM_OK;
}

mdldm_status mdldm__param_set_i8(mdldm__params *params, int32_t index, const int8_t *values)
{
    mdldm__param *p = &params->items[index];
    assert(p->integer);
    MDLDM__TRY(own(params, p));
    memcpy(p->owned, values, (size_t)mdldm__param_elements(p));
    return MDLDM_OK;
}

void mdldm__param_get(const mdldm__param *param, float *out)
{
    int64_t count = mdldm__param_elements(param);
    const unsigned char *bytes = param->data; /* a mapped file promises no alignment */
    if (param->dtype == MDLDM_F32) {
        memcpy(out, bytes, (size_t)count * sizeof(float));
        return;
    }
    if (param->dtype == MDLDM_I8) {
        for (int64_t i = 0; i < count; i++)
            out[i] = (float)((const int8_t *)param->data)[i];
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        out[i] = param->dtype == MDLDM_BF16 ? mdldm__bf16_to_float(half) : mdldm__half_to_float(half);
    }
}

mdldm_param_desc *mdldm__params_desc(const mdldm__params *params)
{
    mdldm_param_desc *desc =
        mdldm__calloc(params->env, (size_t)params->count + 1, sizeof(mdldm_param_desc));
    if (desc == NULL)
        return NULL;
    for (int32_t i = 0; i < params->count; i++) {
        desc[i].name = params->items[i].name;
        memcpy(desc[i].dims, params->items[i].dims, sizeof desc[i].dims);
        desc[i].rank = params->items[i].rank;
        desc[i].trainable = params->items[i].trainable;
    }
    return desc;
}
