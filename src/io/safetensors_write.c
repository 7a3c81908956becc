/* SPDX-License-Identifier: MIT
 * Writing a safetensors file piece by piece. The header is padded with spaces so that the data starts
 * at a multiple of 8, as the Rust implementation does. */
#include <assert.h>
#include <string.h>

#include "io/safetensors.h"
#include "io/safetensors_dtype.h"

struct mdldm__st_writer {
    mdldm__env *env;
    mdldm__file_out out;
    json_t *header;  /* as it will stand in the file */
    size_t *sizes;   /* [count] bytes of each declared tensor */
    size_t count, capacity;
    size_t declared; /* bytes of all of them */
    size_t given;    /* tensors whose data is written */
    int started;     /* the header is written: no more declarations */
};

mdldm_status mdldm__st_writer_open(mdldm__env *env, const char *path, mdldm__st_writer **out)
{
    *out = NULL;
    mdldm__st_writer *w = mdldm__calloc(env, 1, sizeof *w);
    if (w == NULL)
        return mdldm__oom(env, "a safetensors writer");
    w->env = env;
    w->header = json_object();
    mdldm_status status = w->header != NULL ? mdldm__file_out_open(env, path, &w->out)
                                            : mdldm__oom(env, "a safetensors header");
    if (status != MDLDM_OK) {
        json_decref(w->header);
        mdldm__free(env, w);
        return status;
    }
    *out = w;
    return MDLDM_OK;
}

mdldm_status mdldm__st_writer_metadata(mdldm__st_writer *w, const char *key, const char *value)
{
    assert(!w->started);
    json_t *metadata = json_object_get(w->header, "__metadata__");
    if (metadata == NULL) {
        metadata = json_object();
        if (json_object_set_new(w->header, "__metadata__", metadata) != 0)
            return mdldm__oom(w->env, "safetensors metadata");
    }
    if (json_object_set_new(metadata, key, json_string(value)) != 0)
        return mdldm__oom(w->env, "safetensors metadata");
    return MDLDM_OK;
}

static mdldm_status reserve(mdldm__st_writer *w)
{
    if (w->count < w->capacity)
        return MDLDM_OK;
    size_t capacity = w->capacity > 0 ? 2 * w->capacity : 64;
    size_t *sizes = mdldm__realloc(w->env, w->sizes, capacity * sizeof *sizes);
    if (sizes == NULL)
        return mdldm__oom(w->env, "a tensor list");
    w->sizes = sizes;
    w->capacity = capacity;
    return MDLDM_OK;
}

mdldm_status mdldm__st_writer_declare(mdldm__st_writer *w, const char *name, int32_t dtype, int32_t rank,
                                      const int64_t *dims)
{
    const mdldm__st_dtype *type = mdldm__st_dtype_of(dtype);
    assert(!w->started && type != NULL && rank >= 0 && rank <= 8);
    MDLDM__TRY(reserve(w));
    if (json_object_get(w->header, name) != NULL || strcmp(name, "__metadata__") == 0)
        return mdldm__error(w->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%s: a tensor \"%s\" cannot be written twice", w->out.path, name);
    size_t bytes = (size_t)(type->bits / 8), end;
    json_t *shape = json_array();
    int failed = shape == NULL;
    for (int32_t i = 0; i < rank && !failed; i++) {
        assert(dims[i] >= 0);
        failed = json_array_append_new(shape, json_integer(dims[i])) != 0;
        if (__builtin_mul_overflow(bytes, (size_t)dims[i], &bytes)) {
            json_decref(shape);
            return mdldm__error(w->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: tensor \"%s\" is too large",
                                w->out.path, name);
        }
    }
    if (__builtin_add_overflow(w->declared, bytes, &end) || end > INT64_MAX) {
        json_decref(shape);
        return mdldm__error(w->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: tensor \"%s\" is too large", w->out.path,
                            name);
    }
    json_t *entry = failed ? NULL : json_pack("{s:s, s:O, s:[I, I]}", "dtype", type->name, "shape", shape,
                                              "data_offsets", (json_int_t)w->declared, (json_int_t)end);
    json_decref(shape);
    if (entry == NULL || json_object_set_new(w->header, name, entry) != 0)
        return mdldm__oom(w->env, "a safetensors header");
    w->sizes[w->count++] = bytes;
    w->declared = end;
    return MDLDM_OK;
}

static mdldm_status start(mdldm__st_writer *w)
{
    static const char spaces[] = "        ";
    size_t length = json_dumpb(w->header, NULL, 0, JSON_COMPACT);
    char *text = length > 0 ? mdldm__alloc(w->env, length) : NULL;
    if (text == NULL || json_dumpb(w->header, text, length, JSON_COMPACT) != length) {
        mdldm__free(w->env, text);
        return mdldm__oom(w->env, "a safetensors header");
    }
    size_t padding = (8 - length % 8) % 8;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)(length + padding) >> 8 * i);
    mdldm_status status = mdldm__file_out_write(&w->out, prefix, sizeof prefix);
    if (status == MDLDM_OK)
        status = mdldm__file_out_write(&w->out, text, length);
    if (status == MDLDM_OK)
        status = mdldm__file_out_write(&w->out, spaces, padding);
    mdldm__free(w->env, text);
    w->started = 1;
    return status;
}

mdldm_status mdldm__st_writer_data(mdldm__st_writer *w, const void *data, size_t bytes)
{
    assert(w->given < w->count && bytes == w->sizes[w->given]);
    if (!w->started)
        MDLDM__TRY(start(w));
    w->given++;
    return mdldm__file_out_write(&w->out, data, bytes);
}

static void release(mdldm__st_writer *w)
{
    mdldm__file_out_abort(&w->out);
    json_decref(w->header);
    mdldm__free(w->env, w->sizes);
    mdldm__free(w->env, w);
}

mdldm_status mdldm__st_writer_commit(mdldm__st_writer *w)
{
    assert(w->given == w->count);
    mdldm_status status = w->started ? MDLDM_OK : start(w);
    if (status == MDLDM_OK)
        status = mdldm__file_out_commit(&w->out);
    release(w);
    return status;
}

void mdldm__st_writer_abort(mdldm__st_writer *w)
{
    if (w != NULL)
        release(w);
}
