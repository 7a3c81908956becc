/* SPDX-License-Identifier: MIT
 * Opening a safetensors file: everything is checked before a tensor is handed out. */
#include <stdlib.h>
#include <string.h>

#include "io/json_util.h"
#include "io/safetensors.h"
#include "io/safetensors_dtype.h"

enum { HEADER_LIMIT = 100000000 }; /* as the Rust implementation's */

static mdldm_status parse_shape(mdldm__env *env, const char *path, const json_t *shape,
                                mdldm__st_tensor *t, int64_t *elements)
{
    if (!json_is_array(shape))
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor \"%s\" lacks a \"shape\" array", path, t->name);
    size_t rank = json_array_size(shape);
    if (rank > sizeof t->dims / sizeof t->dims[0])
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "%s: tensor \"%s\" has %zu dimensions; at most 8 are supported", path, t->name, rank);
    t->rank = (int32_t)rank;
    *elements = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return mdldm__error(env, MDLDM_ERROR_FORMAT,
                                "%s: shape of tensor \"%s\": dimension %zu must be an integer of 0 or more", path,
                                t->name, i);
        t->dims[i] = json_integer_value(dim);
        if (__builtin_mul_overflow(*elements, t->dims[i], elements))
            return mdldm__error(env, MDLDM_ERROR_FORMAT,
                                "%s: shape of tensor \"%s\" overflows 64 bits", path, t->name);
    }
    return MDLDM_OK;
}

static mdldm_status parse_offsets(mdldm__env *env, const char *path, const json_t *offsets,
                                  mdldm__st_tensor *t, size_t data_size, size_t *begin)
{
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: \"data_offsets\" of tensor \"%s\" must be two integers", path, t->name);
    long long from = json_integer_value(first), to = json_integer_value(second);
    if (from < 0 || to < from)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: data_offsets [%lld, %lld] of tensor \"%s\" do not run forward", path, from, to,
                            t->name);
    if ((unsigned long long)to > data_size)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: tensor \"%s\" ends at byte %lld, but only %zu bytes of data are there "
                            "(is the file truncated?)", path, t->name, to, data_size);
    *begin = (size_t)from;
    t->bytes = (size_t)(to - from);
    return MDLDM_OK;
}

static mdldm_status parse_tensor(mdldm__env *env, const char *path, const json_t *entry,
                                 const uint8_t *data, size_t data_size, mdldm__st_tensor *t)
{
    if (!json_is_object(entry))
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: entry of tensor \"%s\" must be an object", path, t->name);
    const char *key;
    json_t *unused;
    json_object_foreach((json_t *)(uintptr_t)entry, key, unused)
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0)
            return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor \"%s\" has the unknown key \"%s\"", path,
                                t->name, key);
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (name == NULL)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor \"%s\" lacks a \"dtype\" string", path, t->name);
    const mdldm__st_dtype *type = mdldm__st_dtype_by_name(name);
    if (type == NULL)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: tensor \"%s\" has the unknown dtype \"%s\"; F32, F16 or BF16 would be right", path,
                            t->name, name);
    t->dtype = type->dtype;
    memcpy(t->dtype_name, type->name, strlen(type->name) + 1);
    int64_t elements = 0, bits;
    size_t begin = 0;
    MDLDM__TRY(parse_shape(env, path, json_object_get(entry, "shape"), t, &elements));
    MDLDM__TRY(parse_offsets(env, path, json_object_get(entry, "data_offsets"), t, data_size, &begin));
    if (__builtin_mul_overflow(elements, (int64_t)type->bits, &bits) || bits % 8 != 0 ||
        (size_t)(bits / 8) != t->bytes)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: tensor \"%s\" has %zu bytes of data, but %lld elements of %s", path, t->name,
                            t->bytes, (long long)elements, t->dtype_name);
    t->data = data + begin;
    return MDLDM_OK;
}

static int by_offset(const void *a, const void *b)
{
    const mdldm__st_tensor *x = a, *y = b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q)
        return p < q ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty tensors before their neighbour */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const mdldm__st_tensor *)a)->name, ((const mdldm__st_tensor *)b)->name);
}

/* The tensors must tile the data section: no overlap, no hole, nothing behind the last. */
static mdldm_status check_tiling(mdldm__safetensors *st, const char *path, const uint8_t *data,
                                 size_t data_size)
{
    if (st->count > 0)
        qsort(st->tensors, (size_t)st->count, sizeof *st->tensors, by_offset);
    size_t end = 0;
    for (int64_t i = 0; i < st->count; i++) {
        const mdldm__st_tensor *t = &st->tensors[i];
        size_t begin = (size_t)((const uint8_t *)t->data - data);
        if (begin != end)
            return mdldm__error(st->env, MDLDM_ERROR_FORMAT,
                                "%s: tensor \"%s\" starts at byte %zu of the data where %zu would be right: %s", path,
                                t->name, begin, end, begin < end ? "tensors overlap" : "a hole before it");
        end += t->bytes;
    }
    if (end != data_size)
        return mdldm__error(st->env, MDLDM_ERROR_FORMAT,
                            "%s: %zu bytes of data, but the tensors use %zu", path, data_size, end);
    return MDLDM_OK;
}

/* Readers take data as arrays of its type; a file made by others may have it at any offset. */
static mdldm_status align_tensors(mdldm__safetensors *st)
{
    for (int64_t i = 0; i < st->count; i++) {
        mdldm__st_tensor *t = &st->tensors[i];
        const mdldm__st_dtype *type = mdldm__st_dtype_of(t->dtype);
        if (type == NULL || (uintptr_t)t->data % (size_t)(type->bits / 8) == 0)
            continue;
        t->copy = mdldm__alloc(st->env, t->bytes);
        if (t->copy == NULL)
            return mdldm__oom(st->env, "an unaligned tensor");
        memcpy(t->copy, t->data, t->bytes);
        t->data = t->copy;
    }
    return MDLDM_OK;
}

static mdldm_status check_metadata(mdldm__safetensors *st, const char *path, json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return mdldm__error(st->env, MDLDM_ERROR_FORMAT, "%s: \"__metadata__\" must be an object", path);
    json_object_foreach(metadata, key, value)
        if (!json_is_string(value))
            return mdldm__error(st->env, MDLDM_ERROR_FORMAT, "%s: \"%s\" in __metadata__ must be a string", path, key);
    st->metadata = json_incref(metadata);
    return MDLDM_OK;
}

static mdldm_status parse_header(mdldm__safetensors *st, const char *path, json_t *header,
                                 const uint8_t *data, size_t data_size)
{
    st->tensors = mdldm__calloc(st->env, json_object_size(header), sizeof *st->tensors);
    if (st->tensors == NULL)
        return mdldm__oom(st->env, "a tensor list");
    const char *key;
    json_t *entry;
    json_object_foreach(header, key, entry) {
        if (strcmp(key, "__metadata__") == 0) {
            MDLDM__TRY(check_metadata(st, path, entry));
            continue;
        }
        mdldm__st_tensor *t = &st->tensors[st->count];
        t->name = mdldm__strdup(st->env, key);
        if (t->name == NULL)
            return mdldm__oom(st->env, "a tensor's name");
        st->count++;
        MDLDM__TRY(parse_tensor(st->env, path, entry, data, data_size, t));
    }
    MDLDM__TRY(check_tiling(st, path, data, data_size));
    MDLDM__TRY(align_tensors(st));
    if (st->count > 0)
        qsort(st->tensors, (size_t)st->count, sizeof *st->tensors, by_name);
    return MDLDM_OK;
}

static mdldm_status open_mapped(mdldm__safetensors *st, const char *path)
{
    mdldm__env *env = st->env;
    const uint8_t *file = st->map.data;
    size_t size = st->map.size;
    if (size < 8)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s has %zu bytes; a safetensors file starts with an 8-byte header length", path, size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file[i];
    if (length > HEADER_LIMIT)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: header length %llu is beyond the format's 100000000: no safetensors file?", path,
                            (unsigned long long)length);
    if (length > size - 8)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: header of %llu bytes, but only %zu follow: the file is truncated", path,
                            (unsigned long long)length, size - 8);
    if (length == 0 || file[8] != '{')
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: the header must start with '{'", path);
    json_error_t error = {0};
    json_t *header = json_loadb((const char *)file + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL) {
        if (mdldm__json_no_memory(&error))
            return mdldm__oom(env, "a safetensors header");
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: the header is no valid JSON: column %d: %s", path,
                            error.column, error.text);
    }
    mdldm_status status = parse_header(st, path, header, file + 8 + length, size - 8 - (size_t)length);
    json_decref(header);
    return status;
}

mdldm_status mdldm__safetensors_open(mdldm__env *env, const char *path, mdldm__safetensors *out)
{
    memset(out, 0, sizeof *out);
    out->env = env;
    MDLDM__TRY(mdldm__map_open(env, path, &out->map));
    mdldm_status status = open_mapped(out, path);
    if (status != MDLDM_OK)
        mdldm__safetensors_close(out);
    return status;
}

void mdldm__safetensors_close(mdldm__safetensors *st)
{
    for (int64_t i = 0; i < st->count; i++) {
        mdldm__free(st->env, st->tensors[i].name);
        mdldm__free(st->env, st->tensors[i].copy);
    }
    if (st->tensors != NULL)
        mdldm__free(st->env, st->tensors);
    json_decref(st->metadata);
    mdldm__map_close(&st->map);
    st->metadata = NULL;
    st->tensors = NULL;
    st->count = 0;
}

const mdldm__st_tensor *mdldm__safetensors_find(const mdldm__safetensors *st, const char *name)
{
    int64_t low = 0, high = st->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(st->tensors[middle].name, name);
        if (order == 0)
            return &st->tensors[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
