/* SPDX-License-Identifier: MIT */
#include "store_host.h"

#include <string.h>

#include "layout.h"
#include "util/pages.h"

static float *new_array(const mdldm_host *host, int64_t count)
{
    return mdldm__host_zalloc(host, (size_t)count, sizeof(float));
}

/* Arrays of one parameter, all zero. */
static int open_param(mdldm__store_host *store, int32_t index)
{
    mdldm__host_param *p = &store->params[index];
    const mdldm_host *host = store->host;
    if (!(store->flags & MDLDM_STORE_TRAIN))
        return 1;
    p->owned_value = new_array(host, p->count);
    if (p->owned_value == NULL)
        return 0;
    if (!store->desc[index].trainable)
        return 1;
    p->grad = new_array(host, p->count);
    p->exp_avg = new_array(host, p->count);
    p->exp_avg_sq = new_array(host, p->count);
    if (store->flags & MDLDM_STORE_EMA) {
        p->ema = new_array(host, p->count);
        if (p->ema == NULL)
            return 0;
    }
    return p->grad != NULL && p->exp_avg != NULL && p->exp_avg_sq != NULL;
}

mdldm_status mdldm__store_host_open_table(const mdldm_host *host, const mdldm_param_desc *params, int32_t count,
                                          int32_t flags, mdldm__store_host *store)
{
    memset(store, 0, sizeof *store);
    store->host = host;
    store->flags = flags;
    if (count < 0 || (count > 0 && params == NULL) ||
        ((flags & MDLDM_STORE_EMA) && !(flags & MDLDM_STORE_TRAIN)))
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "store: %d parameters with flags %d cannot be; EMA needs training", count,
                                 flags);
    store->desc = mdldm__host_zalloc(host, (size_t)count, sizeof *store->desc);
    store->params = mdldm__host_zalloc(host, (size_t)count, sizeof *store->params);
    if (store->desc == NULL || store->params == NULL)
        goto no_memory;
    store->count = count;
    for (int32_t i = 0; i < count; i++) {
        const char *name = params[i].name != NULL ? params[i].name : "";
        char *copy = mdldm__host_alloc(host, strlen(name) + 1);
        store->desc[i] = params[i];
        store->desc[i].name = copy;
        if (copy == NULL)
            goto no_memory;
        memcpy(copy, name, strlen(name) + 1);
        mdldm__host_param *p = &store->params[i];
        p->count = mdldm__elements(params[i].dims);
        p->first_chunk = store->chunk_count;
        if ((flags & MDLDM_STORE_TRAIN) && params[i].trainable)
            store->chunk_count += (p->count + MDLDM__STORE_CHUNK - 1) / MDLDM__STORE_CHUNK;
    }
    return MDLDM_OK;
no_memory:
    mdldm__store_host_close(store);
    return mdldm__host_oom(host, "parameter store");
}

mdldm_status mdldm__store_host_open(const mdldm_host *host, const mdldm_param_desc *params, int32_t count,
                                    int32_t flags, mdldm__store_host *store)
{
    mdldm_status status = mdldm__store_host_open_table(host, params, count, flags, store);
    if (status != MDLDM_OK)
        return status;
    store->sum_squares = mdldm__adamw_sum_squares;
    store->adamw = mdldm__adamw_update;
    store->chunk_sums = mdldm__host_zalloc(host, (size_t)store->chunk_count, sizeof(double));
    int complete = store->chunk_sums != NULL;
    for (int32_t i = 0; i < count && complete; i++)
        complete = open_param(store, i);
    if (complete)
        return MDLDM_OK;
    mdldm__store_host_close(store);
    return mdldm__host_oom(host, "parameter store");
}

void mdldm__store_host_close(mdldm__store_host *store)
{
    const mdldm_host *host = store->host;
    if (host == NULL)
        return;
    for (int32_t i = 0; i < store->count; i++) {
        mdldm__host_param *p = &store->params[i];
        mdldm__host_free(host, p->owned_value);
        mdldm__host_free(host, p->grad);
        mdldm__host_free(host, p->exp_avg);
        mdldm__host_free(host, p->exp_avg_sq);
        mdldm__host_free(host, p->ema);
        mdldm__host_free(host, (void *)(uintptr_t)store->desc[i].name); /* our own copy */
    }
    mdldm__host_free(host, store->desc);
    mdldm__host_free(host, store->params);
    mdldm__host_free(host, store->chunk_sums);
    memset(store, 0, sizeof *store);
}

mdldm_status mdldm__store_host_check_index(const mdldm__store_host *store, int32_t index)
{
    if (index >= 0 && index < store->count)
        return MDLDM_OK;
    return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                             "store: parameter %d is not among 0..%d", index, store->count - 1);
}

/* The bytes the caller bound. */
static size_t bound_bytes(const mdldm__host_param *p, int32_t dtype)
{
    return (size_t)p->count * mdldm__dtype_size(dtype);
}

/* Makes value of data, in memory of our own. */
static mdldm_status own_value(mdldm__store_host *store, mdldm__host_param *p, const void *data, int32_t dtype,
                              int32_t mapped)
{
    if (p->owned_value == NULL)
        p->owned_value = new_array(store->host, p->count);
    if (p->owned_value == NULL)
        return mdldm__host_oom(store->host, "parameter values");
    mdldm__convert_to_float(data, dtype, p->owned_value, p->count);
    if (mapped)
        mdldm__pages_forget(data, bound_bytes(p, dtype));
    p->value = p->owned_value;
    return MDLDM_OK;
}

static void drop_owned(mdldm__store_host *store, mdldm__host_param *p)
{
    mdldm__host_free(store->host, p->owned_value);
    p->owned_value = NULL;
}

mdldm_status mdldm__store_host_check_bind(const mdldm__store_host *store, int32_t index, const void *data,
                                          int32_t *dtype, int32_t *mapped)
{
    mdldm_status status = mdldm__store_host_check_index(store, index);
    if (status != MDLDM_OK)
        return status;
    *mapped = (*dtype & MDLDM_BIND_MAPPED) != 0;
    *dtype &= ~MDLDM_BIND_MAPPED;
    if (data == NULL ||
        (*dtype != MDLDM_F32 && *dtype != MDLDM_F16 && *dtype != MDLDM_BF16 && *dtype != MDLDM_I8))
        return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "store: the values of '%s' need memory of type F32, F16, BF16 or I8",
                                 store->desc[index].name);
    if (*dtype == MDLDM_I8 && (store->flags & MDLDM_STORE_TRAIN))
        return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "store: the values of '%s' are I8, which cannot be trained",
                                 store->desc[index].name);
    return MDLDM_OK;
}

mdldm_status mdldm__store_host_bind(mdldm__store_host *store, int32_t index, const void *data,
                                    int32_t dtype)
{
    int32_t mapped = 0;
    mdldm_status status = mdldm__store_host_check_bind(store, index, data, &dtype, &mapped);
    if (status != MDLDM_OK)
        return status;
    mdldm__host_param *p = &store->params[index];
    int lent = !(store->flags & MDLDM_STORE_TRAIN), integers = dtype == MDLDM_I8;
    /* A mapped file may hold floats at odd addresses; those are converted like the 16-bit types. */
    int floats = dtype == MDLDM_F32 && (uintptr_t)data % _Alignof(float) == 0;
    if (lent && (floats || integers || !p->eager)) {
        p->value = floats ? data : NULL;
        drop_owned(store, p);
    } else {
        status = own_value(store, p, data, dtype, mapped);
        if (status != MDLDM_OK)
            return status;
    }
    p->bound = lent ? data : NULL;
    p->bound_dtype = dtype;
    p->mapped = mapped;
    if (p->ema != NULL)
        memcpy(p->ema, p->value, (size_t)p->count * sizeof(float));
    p->version++;
    return MDLDM_OK;
}

static int holds_integers(const mdldm__host_param *p)
{
    return p->bound != NULL && p->bound_dtype == MDLDM_I8;
}

mdldm_status mdldm__store_host_no_value(const mdldm__store_host *store, int32_t index, int32_t dtype)
{
    const mdldm__host_param *p = &store->params[index];
    const char *name = store->desc[index].name;
    if (p->value == NULL && p->bound == NULL)
        return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT, "parameter '%s' has no value yet",
                                 name);
    return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                             "parameter '%s' holds %s, but %s is wanted", name,
                             holds_integers(p) ? "I8" : "floats", dtype == MDLDM_I8 ? "I8" : "F32");
}

mdldm_status mdldm__store_host_check_float(const mdldm__store_host *store, int32_t index)
{
    if (!holds_integers(&store->params[index]))
        return MDLDM_OK;
    return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                             "store: parameter '%s' is I8 and cannot be written as float", store->desc[index].name);
}

mdldm_status mdldm__store_host_no_slot(const mdldm__store_host *store, int32_t index, int32_t slot)
{
    if (slot == MDLDM_SLOT_VALUE || slot == MDLDM_SLOT_EMA)
        return mdldm__store_host_no_value(store, index, MDLDM_F32);
    return mdldm__host_error(store->host, MDLDM_ERROR_INVALID_ARGUMENT,
                             "store: parameter '%s' has no slot %d; only trainable ones in a store opened "
                             "for training do",
                             store->desc[index].name, slot);
}

/* The array of a slot; NULL with the sentence when there is none. */
static mdldm_status find_slot(const mdldm__store_host *store, int32_t index, int32_t slot,
                              const float **array)
{
    mdldm_status status = mdldm__store_host_check_index(store, index);
    if (status != MDLDM_OK)
        return status;
    const mdldm__host_param *p = &store->params[index];
    *array = slot == MDLDM_SLOT_VALUE        ? p->value
             : slot == MDLDM_SLOT_GRAD       ? p->grad
             : slot == MDLDM_SLOT_EXP_AVG    ? p->exp_avg
             : slot == MDLDM_SLOT_EXP_AVG_SQ ? p->exp_avg_sq
             : slot == MDLDM_SLOT_EMA        ? mdldm__store_host_values(store, index, 1)
                                             : NULL;
    return *array != NULL ? MDLDM_OK : mdldm__store_host_no_slot(store, index, slot);
}

mdldm_status mdldm__store_host_read(mdldm__store_host *store, int32_t index, int32_t slot, float *out)
{
    if (mdldm__store_host_check_index(store, index) == MDLDM_OK && (slot == MDLDM_SLOT_VALUE || slot == MDLDM_SLOT_EMA) &&
        store->params[index].value == NULL && store->params[index].bound != NULL &&
        !holds_integers(&store->params[index])) {
        (void)mdldm__store_host_floats(store, index, 0, out);
        return MDLDM_OK;
    }
    const float *array = NULL;
    mdldm_status status = find_slot(store, index, slot, &array);
    if (status == MDLDM_OK)
        memcpy(out, array, (size_t)store->params[index].count * sizeof *out);
    return status;
}

mdldm_status mdldm__store_host_write(mdldm__store_host *store, int32_t index, int32_t slot,
                                     const float *in)
{
    mdldm_status status = mdldm__store_host_check_index(store, index);
    if (status != MDLDM_OK)
        return status;
    mdldm__host_param *p = &store->params[index];
    status = mdldm__store_host_check_float(store, index);
    if (status != MDLDM_OK)
        return status;
    if (slot == MDLDM_SLOT_VALUE || (slot == MDLDM_SLOT_EMA && p->ema == NULL)) {
        /* Borrowed memory is the caller's: never written, but replaced by memory of our own. */
        if (p->owned_value == NULL)
            p->owned_value = new_array(store->host, p->count);
        if (p->owned_value == NULL)
            return mdldm__host_oom(store->host, "parameter values");
        memcpy(p->owned_value, in, (size_t)p->count * sizeof *in);
        p->value = p->owned_value;
        p->bound = NULL;
        p->version++;
        return MDLDM_OK;
    }
    const float *array = NULL;
    status = find_slot(store, index, slot, &array);
    if (status != MDLDM_OK)
        return status;
    float *target = slot == MDLDM_SLOT_GRAD      ? p->grad
                    : slot == MDLDM_SLOT_EXP_AVG ? p->exp_avg
                    : slot == MDLDM_SLOT_EMA     ? p->ema
                                                 : p->exp_avg_sq;
    memcpy(target, in, (size_t)p->count * sizeof *in);
    p->version++;
    return MDLDM_OK;
}

mdldm_status mdldm__store_host_zero_grad(mdldm__store_host *store)
{
    for (int32_t i = 0; i < store->count; i++)
        if (store->params[i].grad != NULL)
            memset(store->params[i].grad, 0, (size_t)store->params[i].count * sizeof(float));
    return MDLDM_OK;
}

const float *mdldm__store_host_values(const mdldm__store_host *store, int32_t index, int ema)
{
    const mdldm__host_param *p = &store->params[index];
    return ema && p->ema != NULL && p->value != NULL ? p->ema : p->value;
}

int mdldm__store_host_is_bound(const mdldm__store_host *store, int32_t index, int32_t dtype)
{
    const mdldm__host_param *p = &store->params[index];
    return (p->value != NULL || p->bound != NULL) && (dtype == MDLDM_I8) == holds_integers(p);
}

const void *mdldm__store_host_memory(const mdldm__store_host *store, int32_t index, int32_t dtype, int ema)
{
    return dtype == MDLDM_I8 ? store->params[index].bound : mdldm__store_host_values(store, index, ema);
}

mdldm_status mdldm__store_host_will_read(mdldm__store_host *store, int32_t index)
{
    mdldm__host_param *p = &store->params[index];
    p->read = p->eager = 1;
    int there = p->value != NULL || p->bound == NULL || holds_integers(p);
    return there ? MDLDM_OK : own_value(store, p, p->bound, p->bound_dtype, p->mapped);
}

size_t mdldm__store_host_will_copy(mdldm__store_host *store, int32_t index)
{
    mdldm__host_param *p = &store->params[index];
    if (holds_integers(p)) /* packed as they are */
        return 0;
    if (p->value != NULL) /* then values bound later must not need room either */
        p->eager = 1;
    return p->eager ? 0 : (size_t)p->count * sizeof(float);
}

const float *mdldm__store_host_floats(mdldm__store_host *store, int32_t index, int ema, float *room)
{
    const mdldm__host_param *p = &store->params[index];
    const float *values = mdldm__store_host_values(store, index, ema);
    if (values != NULL || holds_integers(p))
        return values;
    mdldm__convert_to_float(p->bound, p->bound_dtype, room, p->count);
    return room;
}

void mdldm__store_host_copied(const mdldm__store_host *store, int32_t index)
{
    const mdldm__host_param *p = &store->params[index];
    if (p->mapped && p->bound != NULL && !p->read)
        mdldm__pages_forget(p->bound, bound_bytes(p, p->bound_dtype));
}
