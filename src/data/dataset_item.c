/* SPDX-License-Identifier: MIT
 * One item of a data set, from file or memory to the square of [-1, 1] that a model sees. Bytes are
 * resized as bytes, as PIL does; dB matrices and pictures whose colour map is undone as float. */
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "data/dataset.h"
#include "data/grey.h"
#include "data/image.h"
#include "data/loader.h"
#include "data/resize.h"
#include "util/rng.h"

/* An item before it is resized: rgb or values. */
typedef struct picture {
    int64_t height, width;
    const uint8_t *rgb;  /* [height][width][3] */
    const float *values; /* [height][width] */
    void *owned;         /* to be freed; NULL: it is the data set's */
} picture;

/* Where the square lies in the resized item. */
typedef struct window {
    int64_t height, width, top, left;
    int mirror;
} window;

static mdldm_status fetch_file(mdldm__env *env, const mdldm_dataset *d, const mdldm__entry *entry, picture *p)
{
    char *data = NULL;
    size_t size = 0;
    mdldm__image image = {0, 0, NULL};
    MDLDM__TRY(mdldm__source_read(env, (mdldm__source *)&d->source, entry, &data, &size));
    mdldm_status status = mdldm__image_decode(env, entry->name, data, size, &image);
    mdldm__free(env, data);
    if (status == MDLDM_OK)
        *p = (picture){image.height, image.width, image.rgb, NULL, image.rgb};
    return status;
}

/* rgb to one channel: the places on the colour map as values, or the luma thrice as rgb. */
static mdldm_status take_grey(mdldm__env *env, const mdldm_dataset *d, picture *p)
{
    const size_t count = (size_t)(p->height * p->width);
    float *values = d->has_map ? mdldm__calloc(env, count, sizeof *values) : NULL;
    uint8_t *grey = d->has_map ? NULL : mdldm__calloc(env, count, 3);
    if (values == NULL && grey == NULL)
        return mdldm__oom(env, "image");
    if (d->has_map)
        mdldm__colormap_nearest(&d->map, p->rgb, count, values, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (d->has_map)
            values[i] = 2.0f * values[i] - 1.0f;
        else
            memset(grey + 3 * i, mdldm__luma(p->rgb + 3 * i), 3);
    }
    mdldm__free(env, p->owned);
    *p = (picture){p->height, p->width, grey, values, d->has_map ? (void *)values : (void *)grey};
    return MDLDM_OK;
}

static mdldm_status fetch(mdldm__env *env, const mdldm_dataset *d, int64_t index, picture *p)
{
    *p = (picture){0, 0, NULL, NULL, NULL};
    if (index < 0 || index >= d->source.count)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "item %lld is not in a data set of %lld images",
                            (long long)index, (long long)d->source.count);
    const mdldm__entry *entry = &d->source.entries[index];
    const size_t first = (size_t)entry->zip_index * (size_t)(d->height * d->width);
    if (d->matrices != NULL)
        *p = (picture){d->height, d->width, NULL, d->matrices + first, NULL};
    else if (d->pictures != NULL)
        *p = (picture){d->height, d->width, d->pictures + 3 * first, NULL, NULL};
    else
        MDLDM__TRY(fetch_file(env, d, entry, p));
    if (d->channels == 3 || p->values != NULL)
        return MDLDM_OK;
    mdldm_status status = take_grey(env, d, p);
    if (status != MDLDM_OK)
        mdldm__free(env, p->owned);
    return status;
}

/* Offset of a crop drawn from a 32-bit word: 0 .. size - crop. */
static int64_t random_offset(uint32_t word, int64_t size, int64_t crop)
{
    return (int64_t)(((uint64_t)word * (uint64_t)(size - crop + 1)) >> 32);
}

/* epoch < 0: centre crop, no flip. */
static window choose_window(const mdldm_dataset *d, const picture *p, int64_t index, int64_t epoch)
{
    const int64_t side = d->resolution;
    window w = {0, 0, 0, 0, 0};
    mdldm__fit_size(p->height, p->width, side, &w.height, &w.width);
    w.top = mdldm__centre_offset(w.height, side);
    w.left = mdldm__centre_offset(w.width, side);
    if (epoch < 0)
        return w;
    uint32_t words[3];
    mdldm__rng_words(d->seed, MDLDM__RNG_AUGMENT, (uint64_t)index, (uint32_t)epoch, words, 3);
    if (!d->center_crop) {
        w.top = random_offset(words[0], w.height, side);
        w.left = random_offset(words[1], w.width, side);
    }
    w.mirror = d->random_flip && (words[2] & 1) != 0;
    return w;
}

/* 1: items of this set are of float before they are resized, else bytes. */
static int holds_float(const mdldm_dataset *d)
{
    return d->matrices != NULL || d->has_map;
}

/* Room for what square gives. */
static size_t square_bytes(const mdldm_dataset *d)
{
    return (size_t)(d->resolution * d->resolution) * (holds_float(d) ? sizeof(float) : 3);
}

/* The resized item, not mirrored: out is float [side][side], or bytes [side][side][3]. *w: what was chosen. */
static mdldm_status square(mdldm__env *env, const mdldm_dataset *d, int64_t index, int64_t epoch, void *out,
                           window *w)
{
    picture p;
    const int64_t side = d->resolution;
    MDLDM__TRY(fetch(env, d, index, &p));
    *w = choose_window(d, &p, index, epoch);
    mdldm_status status =
        holds_float(d) ? mdldm__resize_matrix(env, p.values, p.height, p.width, w->height, w->width, w->top,
                                              w->left, side, side, out)
                       : mdldm__resize_bilinear(env, p.rgb, p.height, p.width, w->height, w->width, w->top,
                                                w->left, side, side, out);
    mdldm__free(env, p.owned);
    return status;
}

mdldm_status mdldm__dataset_item(mdldm__env *env, const mdldm_dataset *d, int64_t index, int64_t epoch,
                                 float *nhwc)
{
    const int64_t side = d->resolution, channels = d->channels;
    void *work = mdldm__alloc(env, square_bytes(d));
    if (work == NULL)
        return mdldm__oom(env, "image");
    window w;
    mdldm_status status = square(env, d, index, epoch, work, &w);
    if (status == MDLDM_OK) {
        const float *values = holds_float(d) ? work : NULL;
        const uint8_t *rgb = work;
        float table[256];
        mdldm__pixel_table(table);
        for (int64_t y = 0; y < side; y++)
            for (int64_t x = 0; x < side; x++) {
                const int64_t from = y * side + (w.mirror ? side - 1 - x : x);
                float *to = nhwc + (y * side + x) * channels;
                for (int64_t k = 0; k < channels; k++)
                    to[k] = values != NULL ? values[from] : table[rgb[3 * from + k]];
            }
    }
    mdldm__free(env, work);
    return status;
}

static mdldm_status check_read(mdldm__env *env, const mdldm_dataset *d, const void *array, int64_t channels,
                               size_t capacity, size_t *needed)
{
    if (d == NULL || array == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "reading a data set: the handle or the array is NULL");
    *needed = (size_t)(d->resolution * d->resolution * (channels > 0 ? channels : d->channels));
    if (capacity < *needed)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "an item has %zu values, the array has room for %zu",
                            *needed, capacity);
    return MDLDM_OK;
}

mdldm_status mdldm_dataset_read_rgb8(mdldm_context *ctx, const mdldm_dataset *d, int64_t index, uint8_t *rgb,
                                     size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    size_t needed = 0;
    MDLDM__TRY(check_read(env, d, rgb, 3, capacity, &needed));
    void *work = mdldm__alloc(env, square_bytes(d)); /* outputs stay untouched on error */
    if (work == NULL)
        return mdldm__oom(env, "image");
    window w;
    mdldm_status status = square(env, d, index, -1, work, &w);
    if (status == MDLDM_OK && holds_float(d)) {
        const float *values = work;
        for (size_t i = 0; i < needed / 3; i++)
            memset(rgb + 3 * i, (int)lrintf(127.5f * (fminf(fmaxf(values[i], -1.0f), 1.0f) + 1.0f)), 3);
    } else if (status == MDLDM_OK) {
        memcpy(rgb, work, needed);
    }
    mdldm__free(env, work);
    return status;
}

mdldm_status mdldm_dataset_read(mdldm_context *ctx, const mdldm_dataset *d, int64_t index, float *pixels,
                                size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    size_t needed = 0;
    MDLDM__TRY(check_read(env, d, pixels, 0, capacity, &needed));
    float *item = mdldm__calloc(env, needed, sizeof *item);
    if (item == NULL)
        return mdldm__oom(env, "image");
    mdldm_status status = mdldm__dataset_item(env, d, index, -1, item);
    const size_t channels = (size_t)d->channels, area = needed / channels;
    for (size_t k = 0; status == MDLDM_OK && k < channels; k++) /* NHWC -> NCHW */
        for (size_t i = 0; i < area; i++)
            pixels[k * area + i] = item[i * channels + k];
    mdldm__free(env, item);
    return status;
}
