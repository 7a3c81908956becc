/* SPDX-License-Identifier: MIT */
#include "train/latent_source.h"

#include <string.h>

#include "api/context.h"
#include "train/data_fits.h"

mdldm_status mdldm__latent_source_open(mdldm_context *ctx, mdldm__env *env, mdldm_model *model,
                                       mdldm_dataset *dataset, int64_t batch, mdldm__latent_source *out)
{
    const mdldm__autoencoder_config *ae = &model->autoencoder->ae;
    const int64_t factor = mdldm__autoencoder_factor(ae);
    mdldm__latent_source s = {.ctx = ctx, .env = env, .model = model, .dataset = dataset, .batch = batch};
    s.resolution = mdldm__dataset_resolution(dataset);
    if (s.resolution % factor != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "resolution is %lld: a multiple of the autoencoder's factor %lld is expected",
                            (long long)s.resolution, (long long)factor);
    MDLDM__TRY(mdldm__check_data_channels(&ctx->env, model->autoencoder, dataset));
    MDLDM__TRY(mdldm__check_data_range(&ctx->env, model, dataset));
    s.image_channels = ae->in_channels;
    s.channels = model->autoencoder->kind == MDLDM__VQ_MODEL ? ae->vq_embed_dim : ae->latent_channels;
    s.side = s.resolution / factor;
    s.size = s.channels * s.side * s.side;
    const int64_t items = mdldm_dataset_count(dataset);
    const size_t pixels = (size_t)(batch * s.image_channels * s.resolution * s.resolution);
    s.slot = mdldm__alloc(env, (size_t)items * sizeof *s.slot);
    s.images = mdldm__alloc(env, pixels * sizeof *s.images);
    s.pixels = mdldm__alloc(env, pixels * sizeof *s.pixels);
    s.items = mdldm__alloc(env, (size_t)batch * sizeof *s.items);
    if (s.items == NULL || s.slot == NULL || s.images == NULL || s.pixels == NULL) {
        mdldm__latent_source_close(&s);
        return mdldm__oom(&ctx->env, "latents");
    }
    for (int64_t i = 0; i < items; i++)
        s.slot[i] = -1;
    *out = s;
    return MDLDM_OK;
}

void mdldm__latent_source_close(mdldm__latent_source *s)
{
    if (s->env == NULL)
        return;
    mdldm__free(s->env, s->cache);
    mdldm__free(s->env, s->slot);
    mdldm__free(s->env, s->items);
    mdldm__free(s->env, s->images);
    mdldm__free(s->env, s->pixels);
    memset(s, 0, sizeof *s);
}

/* Encodes s->pixels[n]. */
static mdldm_status encode(mdldm__latent_source *s, int64_t n, float *latent)
{
    return mdldm_encode(s->ctx, s->model, s->pixels, n, s->resolution, s->resolution, latent,
                        (size_t)(n * s->size));
}

static mdldm_status read_and_encode(mdldm__latent_source *s, const int64_t *items, int64_t n, float *latent)
{
    const size_t image = (size_t)(s->image_channels * s->resolution * s->resolution);
    for (int64_t i = 0; i < n; i++)
        MDLDM__TRY(mdldm_dataset_read(s->ctx, s->dataset, items[i], s->pixels + (size_t)i * image, image));
    return encode(s, n, latent);
}

mdldm_status mdldm__latent_source_fill(mdldm__latent_source *s, const int64_t *items, int64_t count)
{
    int64_t have = 0;
    for (int64_t i = 0; i < mdldm_dataset_count(s->dataset); i++)
        have += s->slot[i] >= 0;
    float *cache = mdldm__realloc(s->env, s->cache, (size_t)((have + count) * s->size) * sizeof *cache);
    if (cache == NULL)
        return mdldm__error(&s->ctx->env, MDLDM_ERROR_OUT_OF_MEMORY,
                            "out of memory (%lld cached latents of %lld bytes; latent_cache off needs none)",
                            (long long)(have + count), (long long)(s->size * 4));
    s->cache = cache;
    for (int64_t i = 0; i < count; i += s->batch) {
        const int64_t n = count - i < s->batch ? count - i : s->batch;
        MDLDM__TRY(mdldm__progress(&s->ctx->env, "encode", i, count));
        MDLDM__TRY(read_and_encode(s, items + i, n, cache + (have + i) * s->size));
        for (int64_t k = 0; k < n; k++)
            s->slot[items[i + k]] = have + i + k;
    }
    return MDLDM_OK;
}

mdldm_status mdldm__latent_source_get(mdldm__latent_source *s, const int64_t *items, int64_t n, float *latent)
{
    int cached = s->cache != NULL;
    for (int64_t i = 0; i < n; i++)
        cached = cached && s->slot[items[i]] >= 0;
    if (!cached)
        return read_and_encode(s, items, n, latent);
    for (int64_t i = 0; i < n; i++)
        memcpy(latent + i * s->size, s->cache + s->slot[items[i]] * s->size,
               (size_t)s->size * sizeof *latent);
    return MDLDM_OK;
}

mdldm_status mdldm__latent_source_next(mdldm__latent_source *s, mdldm__loader *loader, int64_t n,
                                       float *latent, int64_t *labels)
{
    mdldm__env *env = &s->ctx->env;
    if (s->cache != NULL) {
        MDLDM__TRY(mdldm__loader_next(env, loader, NULL, labels, s->items));
        return mdldm__latent_source_get(s, s->items, n, latent);
    }
    MDLDM__TRY(mdldm__loader_next(env, loader, s->images, labels, NULL));
    const int64_t area = s->resolution * s->resolution;
    for (int64_t i = 0; i < n; i++) /* NHWC -> NCHW */
        for (int64_t p = 0; p < area; p++)
            for (int64_t c = 0; c < s->image_channels; c++)
                s->pixels[(i * s->image_channels + c) * area + p] = s->images[(i * area + p) * s->image_channels + c];
    return encode(s, n, latent);
}
