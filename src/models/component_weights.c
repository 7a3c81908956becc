/* SPDX-License-Identifier: MIT */
#include "models/component_weights.h"

#include <stdio.h>
#include <string.h>

/* diffusers before 0.18 named the attention's layers otherwise; as its loader does, only the layers
 * of our own attention blocks are renamed. */
static const char *const OLD_SPELLINGS[][2] = {
    {".to_q.", ".query."}, {".to_k.", ".key."}, {".to_v.", ".value."}, {".to_out.0.", ".proj_attn."}};

static const mdldm__st_tensor *find_in(const mdldm__component *c, const char *name, int32_t *file)
{
    for (int32_t i = 0; i < c->file_count; i++) {
        const mdldm__st_tensor *t = mdldm__safetensors_find(&c->files[i], name);
        if (t != NULL) {
            *file = i;
            return t;
        }
    }
    return NULL;
}

static const mdldm__st_tensor *find_tensor(const mdldm__component *c, const char *name, int32_t *file)
{
    const mdldm__st_tensor *t = find_in(c, name, file);
    for (size_t i = 0; t == NULL && i < sizeof OLD_SPELLINGS / sizeof *OLD_SPELLINGS; i++) {
        const char *at = strstr(name, OLD_SPELLINGS[i][0]);
        if (at == NULL)
            continue;
        char old[640];
        int length = snprintf(old, sizeof old, "%.*s%s%s", (int)(at - name), name, OLD_SPELLINGS[i][1],
                              at + strlen(OLD_SPELLINGS[i][0]));
        if (length > 0 && (size_t)length < sizeof old)
            t = find_in(c, old, file);
    }
    return t;
}

/* Equal shapes, where [O,I] and [O,I,1,1] (a linear layer and a 1x1 convolution) count as equal. */
static int same_shape(const mdldm__param *p, const mdldm__st_tensor *t)
{
    int pointwise = (p->rank == 2 && t->rank == 4) || (p->rank == 4 && t->rank == 2);
    if (p->rank != t->rank && !pointwise)
        return 0;
    for (int32_t i = 0; i < 4; i++)
        if (p->dims[i] != (i < t->rank ? t->dims[i] : 1))
            return 0;
    return 1;
}

static void shape_text(const int64_t *dims, int32_t rank, char *text, size_t capacity)
{
    size_t used = (size_t)snprintf(text, capacity, "[");
    for (int32_t i = 0; i < rank && used < capacity; i++)
        used += (size_t)snprintf(text + used, capacity - used, "%s%lld", i > 0 ? "," : "", (long long)dims[i]);
    if (used < capacity)
        snprintf(text + used, capacity - used, "]");
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* What quantised layers divide by or multiply with: scales above 0, ranges that hold 0 and more. Both are
 * small. */
static mdldm_status check_q8(mdldm__env *env, const char *where, const mdldm__param *p)
{
    int scale = ends_with(p->name, ".weight_scale"), range = ends_with(p->name, ".input_range");
    if (!scale && !range)
        return MDLDM_OK;
    int64_t count = mdldm__param_elements(p);
    float *values = mdldm__calloc(env, (size_t)count, sizeof *values);
    if (values == NULL)
        return mdldm__oom(env, p->name);
    mdldm__param_get(p, values);
    mdldm_status status = MDLDM_OK;
    for (int64_t i = 0; scale && i < count && status == MDLDM_OK; i++)
        if (!(values[i] > 0.0f))
            status = mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor %s holds %g at index %lld; scales are above 0",
                                  where, p->name, (double)values[i], (long long)i);
    for (int64_t g = 0; range && g < count / 2 && status == MDLDM_OK; g++) {
        float low = values[2 * g], high = values[2 * g + 1], step = (high - low) / 255.0f;
        if (!(low <= 0.0f && high >= 0.0f && step >= MDLDM__Q8_LEAST_STEP && step <= MDLDM__Q8_MOST_STEP))
            status = mdldm__error(env, MDLDM_ERROR_FORMAT,
                                  "%s: tensor %s: group %lld has the range %g to %g; one that holds 0 and is "
                                  "neither empty nor boundless is expected",
                                  where, p->name, (long long)g, (double)low, (double)high);
    }
    mdldm__free(env, values);
    return status;
}

static mdldm_status bind_one(mdldm__env *env, const char *where, mdldm__param *p, const mdldm__st_tensor *t)
{
    if (!same_shape(p, t)) {
        char have[160], want[160];
        shape_text(t->dims, t->rank, have, sizeof have);
        shape_text(p->dims, p->rank, want, sizeof want);
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor %s has shape %s, but the config asks for %s",
                            where, t->name, have, want);
    }
    int is_float = t->dtype == MDLDM_F32 || t->dtype == MDLDM_F16 || t->dtype == MDLDM_BF16;
    if (p->integer ? t->dtype != MDLDM_I8 : !is_float)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED, "%s: tensor %s has type %s; supported: %s", where,
                            t->name, t->dtype_name, p->integer ? "I8" : "F32|F16|BF16");
    MDLDM__TRY(mdldm__st_check_finite(env, where, t));
    p->data = t->data;
    p->dtype = t->dtype;
    p->mapped = t->copy == NULL;
    return check_q8(env, where, p);
}

/* used: one byte per tensor, file after file. */
static void warn_surplus(mdldm__env *env, const char *where, const mdldm__component *c,
                         const unsigned char *used)
{
    int64_t surplus = 0;
    for (int32_t i = 0; i < c->file_count; i++)
        for (int64_t k = 0; k < c->files[i].count; k++) {
            if (*used++)
                continue;
            if (surplus++ < 8)
                mdldm__log(env, 1, "%s: tensor %s is unknown to the config and ignored", where,
                           c->files[i].tensors[k].name);
        }
    if (surplus > 8)
        mdldm__log(env, 1, "%s: %lld more tensors are unknown and ignored", where, (long long)(surplus - 8));
}

static mdldm_status bind_all(mdldm__env *env, const char *where, mdldm__component *c, unsigned char *used)
{
    const char *missing = NULL;
    int32_t missing_count = 0;
    for (int32_t i = 0; i < c->params.count; i++) {
        mdldm__param *p = &c->params.items[i];
        int32_t file = 0;
        const mdldm__st_tensor *t = find_tensor(c, p->name, &file);
        if (t == NULL) {
            missing = missing_count++ == 0 ? p->name : missing;
            continue;
        }
        MDLDM__TRY(bind_one(env, where, p, t));
        mdldm__component_forget(c, i, 1); /* the check was the only reader so far */
        int64_t before = 0;
        for (int32_t k = 0; k < file; k++)
            before += c->files[k].count;
        used[before + (t - c->files[file].tensors)] = 1;
    }
    if (missing_count == 1)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: tensor %s is missing from the weights", where,
                            missing);
    if (missing_count > 1)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: %d of %d tensors are missing from the weights, the first is %s", where,
                            (int)missing_count, (int)c->params.count, missing);
    return MDLDM_OK;
}

mdldm_status mdldm__component_bind_files(mdldm__env *env, const char *where, mdldm__component *c)
{
    int64_t total = 0;
    for (int32_t i = 0; i < c->file_count; i++)
        total += c->files[i].count;
    unsigned char *used = mdldm__calloc(env, (size_t)total + 1, 1);
    if (used == NULL)
        return mdldm__oom(env, "the tensors' list");
    mdldm_status status = bind_all(env, where, c, used);
    if (status == MDLDM_OK)
        warn_surplus(env, where, c, used);
    mdldm__free(env, used);
    return status;
}
