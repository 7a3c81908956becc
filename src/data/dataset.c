/* SPDX-License-Identifier: MIT
 * The data set behind the public calls. Opening decodes every file once: what is broken is then known,
 * named and counted before any training starts, the item list stays fixed from there on, and the order
 * of training cannot depend on when a worker meets a broken file. A file that turns unreadable later is
 * an error that names it. */
#include "data/dataset.h"

#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "data/image.h"
#include "data/loader.h"
#include "data/resize.h"
#include "util/rng.h"

/* ---- life ---- */

static mdldm_status open_checked(mdldm_context *ctx, mdldm_dataset *d, const char *path,
                                 const mdldm_options *options)
{
    mdldm__env *env = &ctx->env;
    d->resolution = mdldm__option_int(options, "resolution");
    d->center_crop = (int)mdldm__option_int(options, "center_crop");
    d->random_flip = (int)mdldm__option_int(options, "random_flip");
    d->seed = (uint64_t)mdldm__option_int(options, "seed");
    mdldm_status status = mdldm__source_open(&d->env, path, &d->source);
    if (status != MDLDM_OK)
        return mdldm__error(env, status, "%s", d->env.error);
    d->source_open = 1;
    MDLDM__TRY(mdldm__dataset_check(env, d, (int)mdldm__option_int(options, "strict"),
                                    mdldm__option_int(options, "max_samples"),
                                    mdldm__context_thread_count(ctx)));
    if (d->source.count == 0)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "none of the %lld images of '%s' can be read; the last: %s",
                            (long long)d->skipped, path, env->error);
    if (d->skipped > 0)
        mdldm__log(env, 1, "data set '%s': %lld unreadable images skipped, %lld read", path,
                   (long long)d->skipped, (long long)d->source.count);
    env->error[0] = '\0';
    return MDLDM_OK;
}

mdldm_status mdldm_dataset_open(mdldm_context *ctx, const char *path, const mdldm_options *options,
                                mdldm_dataset **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (path == NULL || out == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_dataset_open: path or out is NULL");
    mdldm_dataset *d = mdldm__calloc(env, 1, sizeof *d);
    if (d == NULL)
        return mdldm__oom(env, "data set");
    mdldm__env_init(&d->env, env);
    d->references = 1;
    mdldm_status status = open_checked(ctx, d, path, options);
    if (status != MDLDM_OK)
        mdldm_dataset_free(d);
    else
        *out = d;
    return status;
}

void mdldm__dataset_retain(mdldm_dataset *d)
{
    __atomic_add_fetch(&d->references, 1, __ATOMIC_RELAXED);
}

void mdldm_dataset_free(mdldm_dataset *d)
{
    if (d == NULL || __atomic_sub_fetch(&d->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (d->source_open)
        mdldm__source_close(&d->source);
    mdldm__env env = d->env; /* d itself goes through it */
    mdldm__free(&env, d);
}

/* ---- questions ---- */

int64_t mdldm_dataset_count(const mdldm_dataset *d)
{
    return d != NULL ? d->source.count : 0;
}

int64_t mdldm_dataset_skipped(const mdldm_dataset *d)
{
    return d != NULL ? d->skipped : 0;
}

int64_t mdldm_dataset_class_count(const mdldm_dataset *d)
{
    return d != NULL ? d->source.class_count : 0;
}

const char *mdldm_dataset_class_name(const mdldm_dataset *d, int64_t label)
{
    return d != NULL && label >= 0 && label < d->source.class_count ? d->source.class_names[label] : NULL;
}

const char *mdldm_dataset_item_name(const mdldm_dataset *d, int64_t index)
{
    return d != NULL && index >= 0 && index < d->source.count ? d->source.entries[index].name : NULL;
}

int64_t mdldm_dataset_item_label(const mdldm_dataset *d, int64_t index)
{
    return d != NULL && index >= 0 && index < d->source.count ? d->source.entries[index].label : -1;
}

int64_t mdldm__dataset_resolution(const mdldm_dataset *d)
{
    return d->resolution;
}

int mdldm__dataset_augments(const mdldm_dataset *d)
{
    return d->random_flip || (!d->center_crop && d->any_cropped);
}

/* ---- items ---- */

/* Offset of a crop drawn from a 32-bit word: 0 .. size - crop. */
static int64_t random_offset(uint32_t word, int64_t size, int64_t crop)
{
    return (int64_t)(((uint64_t)word * (uint64_t)(size - crop + 1)) >> 32);
}

/* Item index as 8-bit RGB [resolution][resolution][3]; *mirror: whether to flip it afterwards.
 * epoch < 0: centre crop, no flip. */
static mdldm_status item_rgb8(mdldm__env *env, const mdldm_dataset *d, int64_t index, int64_t epoch,
                              uint8_t *rgb, int *mirror)
{
    if (index < 0 || index >= d->source.count)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "item %lld is not in a data set of %lld images",
                            (long long)index, (long long)d->source.count);
    const mdldm__entry *entry = &d->source.entries[index];
    char *data = NULL;
    size_t size = 0;
    mdldm__image image = {0, 0, NULL};
    MDLDM__TRY(mdldm__source_read(env, (mdldm__source *)&d->source, entry, &data, &size));
    mdldm_status status = mdldm__image_decode(env, entry->name, data, size, &image);
    mdldm__free(env, data);
    if (status != MDLDM_OK)
        return status;

    const int64_t side = d->resolution;
    int64_t height = 0, width = 0;
    mdldm__fit_size(image.height, image.width, side, &height, &width);
    int64_t top = mdldm__centre_offset(height, side), left = mdldm__centre_offset(width, side);
    *mirror = 0;
    if (epoch >= 0) {
        uint32_t words[3];
        mdldm__rng_words(d->seed, MDLDM__RNG_AUGMENT, (uint64_t)index, (uint32_t)epoch, words, 3);
        if (!d->center_crop) {
            top = random_offset(words[0], height, side);
            left = random_offset(words[1], width, side);
        }
        *mirror = d->random_flip && (words[2] & 1) != 0;
    }
    status = mdldm__resize_bilinear(env, image.rgb, image.height, image.width, height, width, top, left, side,
                                    side, rgb);
    mdldm__image_free(env, &image);
    return status;
}

mdldm_status mdldm__dataset_item(mdldm__env *env, const mdldm_dataset *d, int64_t index, int64_t epoch,
                                 float *nhwc)
{
    const int64_t side = d->resolution;
    uint8_t *rgb = mdldm__alloc(env, (size_t)(side * side) * 3);
    if (rgb == NULL)
        return mdldm__oom(env, "image");
    int mirror = 0;
    mdldm_status status = item_rgb8(env, d, index, epoch, rgb, &mirror);
    if (status == MDLDM_OK) {
        float table[256];
        mdldm__pixel_table(table);
        for (int64_t y = 0; y < side; y++)
            for (int64_t x = 0; x < side; x++) {
                const uint8_t *from = rgb + (y * side + (mirror ? side - 1 - x : x)) * 3;
                float *to = nhwc + (y * side + x) * 3;
                to[0] = table[from[0]];
                to[1] = table[from[1]];
                to[2] = table[from[2]];
            }
    }
    mdldm__free(env, rgb);
    return status;
}

mdldm_status mdldm_dataset_read_rgb8(mdldm_context *ctx, const mdldm_dataset *d, int64_t index, uint8_t *rgb,
                                     size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (d == NULL || rgb == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "reading a data set: the handle or the array is NULL");
    const size_t needed = (size_t)(d->resolution * d->resolution) * 3;
    if (capacity < needed)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "an item has %zu values, the array has room for %zu",
                            needed, capacity);
    uint8_t *item = mdldm__alloc(env, needed); /* outputs stay untouched on error */
    if (item == NULL)
        return mdldm__oom(env, "image");
    int mirror = 0;
    mdldm_status status = item_rgb8(env, d, index, -1, item, &mirror);
    if (status == MDLDM_OK)
        memcpy(rgb, item, needed);
    mdldm__free(env, item);
    return status;
}

mdldm_status mdldm_dataset_read(mdldm_context *ctx, const mdldm_dataset *d, int64_t index, float *pixels,
                                size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (d == NULL || pixels == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "reading a data set: the handle or the array is NULL");
    const size_t needed = (size_t)(d->resolution * d->resolution) * 3;
    if (capacity < needed)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "an item has %zu values, the array has room for %zu",
                            needed, capacity);
    uint8_t *item = mdldm__alloc(env, needed);
    if (item == NULL)
        return mdldm__oom(env, "image");
    int mirror = 0;
    mdldm_status status = item_rgb8(env, d, index, -1, item, &mirror);
    if (status == MDLDM_OK)
        status = mdldm_rgb8_to_pixels(ctx, item, 1, d->resolution, d->resolution, pixels, capacity);
    mdldm__free(env, item);
    return status;
}
