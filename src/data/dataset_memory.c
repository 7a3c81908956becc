/* SPDX-License-Identifier: MIT
 * Data sets from the caller's arrays, which are copied: RGB pictures, or matrices in dB. */
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "data/dataset.h"
#include "data/image.h"

#define DEFAULT_RANGE 60.0 /* dB */

/* What the caller gave. */
typedef struct arrays {
    const uint8_t *rgb;
    const float *db;
    int64_t n, height, width;
    const int64_t *labels;
    const char *class_names; /* "a/b/c" or NULL */
} arrays;

static mdldm_status check(mdldm__env *env, const arrays *a)
{
    if (a->rgb == NULL && a->db == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the array of the data set's images is NULL");
    if (a->n < 1 || a->n > (int64_t)1 << 32)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "a data set of %lld images makes no sense; 1 or more "
                            "are right", (long long)a->n);
    if (a->height < 1 || a->width < 1)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "an image of %lld x %lld pixels makes no sense; sides "
                            "of 1 or more are right", (long long)a->width, (long long)a->height);
    MDLDM__TRY(mdldm__image_check_size(env, "in memory", a->height, a->width));
    for (int64_t i = 0; a->labels != NULL && i < a->n; i++)
        if (a->labels[i] < 0 || a->labels[i] >= 1000000)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "label %lld is %lld; 0 to 999999 are right",
                                (long long)i, (long long)a->labels[i]);
    if (a->labels == NULL && a->class_names != NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "there are class names \"%s\" but no labels; one for each image is right",
                            a->class_names);
    return MDLDM_OK;
}

/* class_names, or numbers up to the largest label. */
static mdldm_status name_classes(mdldm__env *env, mdldm_dataset *d, const arrays *a)
{
    mdldm__source *source = &d->source;
    int64_t count = 0;
    for (int64_t i = 0; i < a->n; i++)
        count = a->labels[i] >= count ? a->labels[i] + 1 : count;
    if (a->class_names != NULL) {
        int64_t names = 1;
        for (const char *p = a->class_names; *p != '\0'; p++)
            names += *p == '/';
        if (names < count)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "a label is %lld, but \"%s\" names only %lld classes", (long long)count - 1,
                                a->class_names, (long long)names);
        count = names;
    }
    source->class_names = mdldm__calloc(&d->env, (size_t)count, sizeof *source->class_names);
    if (source->class_names == NULL)
        return mdldm__oom(env, "class names");
    const char *p = a->class_names;
    for (int64_t i = 0; i < count; i++) {
        const size_t length = p != NULL ? strcspn(p, "/") : 1;
        if (length == 0)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "the class names are \"%s\"; names separated by single '/' are right",
                                a->class_names);
        char *name = p != NULL ? mdldm__strndup(&d->env, p, length)
                               : mdldm__strprintf(&d->env, "%lld", (long long)i);
        if (name == NULL)
            return mdldm__oom(env, "class names");
        source->class_names[source->class_count++] = name;
        p = p != NULL ? p + length + (p[length] == '/') : NULL;
    }
    return MDLDM_OK;
}

static mdldm_status add_entry(mdldm__env *env, mdldm_dataset *d, const arrays *a, int64_t i)
{
    char *name = a->labels != NULL
                     ? mdldm__strprintf(&d->env, "%s/%lld", d->source.class_names[a->labels[i]], (long long)i)
                     : mdldm__strprintf(&d->env, "%lld", (long long)i);
    mdldm_status status = name != NULL ? mdldm__source_add(&d->source, name, i) : MDLDM_ERROR_OUT_OF_MEMORY;
    mdldm__free(&d->env, name);
    if (status != MDLDM_OK)
        return mdldm__oom(env, "list of images");
    d->source.entries[d->source.count - 1].label = a->labels != NULL ? a->labels[i] : -1;
    return MDLDM_OK;
}

/* order[n]: the images class by class, in the caller's order within a class. next: room for class_count + 1. */
static void sort_by_label(const arrays *a, int64_t class_count, int64_t *next, int64_t *order)
{
    for (int64_t i = 0; a->labels != NULL && i < a->n; i++)
        next[a->labels[i] + 1]++;
    for (int64_t k = 0; k < class_count; k++)
        next[k + 1] += next[k]; /* next[k]: where the next image of class k goes */
    for (int64_t i = 0; i < a->n; i++)
        order[a->labels != NULL ? next[a->labels[i]]++ : i] = i;
}

/* Entries in order of their labels, at most max_samples of each class. */
static mdldm_status list(mdldm__env *env, mdldm_dataset *d, const arrays *a, int64_t max_samples)
{
    int64_t *next = mdldm__calloc(env, (size_t)d->source.class_count + 1, sizeof *next);
    int64_t *order = mdldm__calloc(env, (size_t)a->n, sizeof *order);
    mdldm_status status = next != NULL && order != NULL ? MDLDM_OK : mdldm__oom(env, "list of images");
    if (status == MDLDM_OK)
        sort_by_label(a, d->source.class_count, next, order);
    int64_t taken = 0;
    for (int64_t k = 0; status == MDLDM_OK && k < a->n; k++) {
        const int first = k == 0 || (a->labels != NULL && a->labels[order[k]] != a->labels[order[k - 1]]);
        taken = first ? 1 : taken + 1;
        if (max_samples == 0 || taken <= max_samples)
            status = add_entry(env, d, a, order[k]);
    }
    mdldm__free(env, next);
    mdldm__free(env, order);
    return status;
}

/* The caller's dB to [-1, 1] over the stated range, or that of the data. */
static mdldm_status take_db(mdldm_context *ctx, mdldm_dataset *d, const arrays *a, const mdldm_options *options)
{
    mdldm__env *env = &ctx->env;
    if (d->has_map)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "colormap is %s, but matrices in dB have no colours; none is right",
                            mdldm__option_string(options, "colormap"));
    d->channels = 1; /* whatever image_mode says of pictures */
    const size_t matrix = (size_t)(a->height * a->width), count = (size_t)a->n * matrix;
    for (size_t i = 0; i < count; i++)
        if (isnan(a->db[i]) || a->db[i] == INFINITY)
            return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                                "value %zu of matrix %zu is %g; a number of dB or -inf is right", i % matrix,
                                i / matrix, (double)a->db[i]);
    if (!d->has_db)
        MDLDM__TRY(mdldm_db_range(ctx, a->db, count, DEFAULT_RANGE, &d->floor_db, &d->ceiling_db));
    d->has_db = 1;
    d->matrices = mdldm__calloc(&d->env, count, sizeof *d->matrices);
    if (d->matrices == NULL)
        return mdldm__oom(env, "matrices");
    return mdldm_db_to_pixels(ctx, a->db, count, d->floor_db, d->ceiling_db, d->matrices, count);
}

static mdldm_status fill(mdldm_context *ctx, mdldm_dataset *d, const arrays *a, const mdldm_options *options)
{
    mdldm__env *env = &ctx->env;
    MDLDM__TRY(check(env, a));
    MDLDM__TRY(mdldm__dataset_options(env, d, options));
    d->height = a->height;
    d->width = a->width;
    d->any_cropped = a->height != a->width;
    d->source.env = &d->env;
    d->source_open = 1;
    pthread_mutex_init(&d->source.lock, NULL);
    if (a->labels != NULL)
        MDLDM__TRY(name_classes(env, d, a));
    MDLDM__TRY(list(env, d, a, mdldm__option_int(options, "max_samples")));
    if (a->db != NULL)
        return take_db(ctx, d, a, options);
    const size_t image = (size_t)(a->height * a->width) * 3;
    d->pictures = mdldm__calloc(&d->env, (size_t)a->n, image);
    if (d->pictures == NULL)
        return mdldm__oom(env, "images");
    memcpy(d->pictures, a->rgb, (size_t)a->n * image);
    return MDLDM_OK;
}

static mdldm_status create(mdldm_context *ctx, const arrays *a, const mdldm_options *options, mdldm_dataset **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (out == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "a data set from memory: out is NULL");
    mdldm_dataset *d = mdldm__calloc(env, 1, sizeof *d);
    if (d == NULL)
        return mdldm__oom(env, "data set");
    mdldm__env_init(&d->env, env);
    d->references = 1;
    mdldm_status status = fill(ctx, d, a, options);
    if (status != MDLDM_OK)
        mdldm_dataset_free(d);
    else
        *out = d;
    return status;
}

mdldm_status mdldm_dataset_from_rgb8(mdldm_context *ctx, const uint8_t *rgb, int64_t n, int64_t height,
                                     int64_t width, const int64_t *labels, const char *class_names,
                                     const mdldm_options *options, mdldm_dataset **out)
{
    const arrays a = {rgb, NULL, n, height, width, labels, class_names};
    return create(ctx, &a, options, out);
}

mdldm_status mdldm_dataset_from_db(mdldm_context *ctx, const float *db, int64_t n, int64_t rows, int64_t columns,
                                   const int64_t *labels, const char *class_names, const mdldm_options *options,
                                   mdldm_dataset **out)
{
    const arrays a = {NULL, db, n, rows, columns, labels, class_names};
    return create(ctx, &a, options, out);
}
