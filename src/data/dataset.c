/* SPDX-License-Identifier: MIT
 * The data set behind the public calls. Opening decodes every file once: what is broken is then known,
 * named and counted before any training starts, the item list stays fixed from there on, and the order
 * of training cannot depend on when a worker meets a broken file. A file that turns unreadable later is
 * an error that names it. */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "data/loader.h"

/* ---- life ---- */

mdldm_status mdldm__dataset_options(mdldm__env *env, mdldm_dataset *d, const mdldm_options *options)
{
    d->resolution = mdldm__option_int(options, "resolution");
    d->center_crop = (int)mdldm__option_int(options, "center_crop");
    d->random_flip = (int)mdldm__option_int(options, "random_flip");
    d->seed = (uint64_t)mdldm__option_int(options, "seed");
    d->channels = strcmp(mdldm__option_string(options, "image_mode"), "L") == 0 ? 1 : 3;
    d->floor_db = mdldm__option_double(options, "db_floor");
    d->ceiling_db = mdldm__option_double(options, "db_ceiling");
    d->has_db = d->floor_db != d->ceiling_db;
    if (d->has_db && d->floor_db > d->ceiling_db)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "db_floor is %g and db_ceiling %g dB; the floor must be less than the ceiling", d->floor_db,
                            d->ceiling_db);
    const char *map = mdldm__option_string(options, "colormap");
    if (map[0] == '\0' || strcmp(map, "none") == 0)
        return MDLDM_OK;
    if (d->channels != 1)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "colormap is %s, which undoes that map, but image_mode is RGB; L is right", map);
    d->has_map = 1;
    snprintf(d->map_name, sizeof d->map_name, "%s", map);
    return mdldm__colormap_table(env, map, &d->map);
}

static mdldm_status open_checked(mdldm_context *ctx, mdldm_dataset *d, const char *path,
                                 const mdldm_options *options)
{
    mdldm__env *env = &ctx->env;
    MDLDM__TRY(mdldm__dataset_options(env, d, options));
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
    mdldm__free(&d->env, d->matrices);
    mdldm__free(&d->env, d->pictures);
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

int32_t mdldm_dataset_channels(const mdldm_dataset *d)
{
    return d != NULL ? d->channels : 0;
}

mdldm_status mdldm_dataset_db_range(mdldm_context *ctx, const mdldm_dataset *d, double *floor_db,
                                    double *ceiling_db)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (d == NULL || floor_db == NULL || ceiling_db == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_dataset_db_range: %s is NULL",
                            d == NULL ? "the data set" : "a pointer");
    if (!d->has_db)
        return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND,
                            "the data set has no range in dB; the options db_floor and db_ceiling give it one");
    *floor_db = d->floor_db;
    *ceiling_db = d->ceiling_db;
    return MDLDM_OK;
}

int64_t mdldm__dataset_resolution(const mdldm_dataset *d)
{
    return d->resolution;
}

int mdldm__dataset_augments(const mdldm_dataset *d)
{
    return d->random_flip || (!d->center_crop && d->any_cropped);
}
