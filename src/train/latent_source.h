/* SPDX-License-Identifier: MIT
 * Where stage 2 gets its latents: encoded once and kept, or on the fly when images are augmented. */
#ifndef MDLDM_TRAIN_LATENT_SOURCE_H
#define MDLDM_TRAIN_LATENT_SOURCE_H

#include "data/loader.h"
#include "models/model.h"

typedef struct mdldm__latent_source {
    mdldm_context *ctx;
    mdldm__env *env; /* of the memory */
    mdldm_model *model;
    mdldm_dataset *dataset;
    int64_t image_channels, resolution, channels, side, size; /* size = channels*side*side, floats of one latent */
    float *cache;      /* [slots][channels][side][side], or NULL: on the fly */
    int64_t *slot;     /* of each item of the data set; -1: not cached */
    float *images;     /* [batch][res][res][image_channels] */
    float *pixels;     /* [batch][image_channels][res][res] */
    int64_t *items;    /* [batch] */
    int64_t batch;     /* most images per call */
} mdldm__latent_source;

mdldm_status mdldm__latent_source_open(mdldm_context *ctx, mdldm__env *env, mdldm_model *model,
                                       mdldm_dataset *dataset, int64_t batch, mdldm__latent_source *out);
void mdldm__latent_source_close(mdldm__latent_source *s);
/* Encodes items[count] (plain: no flip, centre crop) into the cache. progress "encode". */
mdldm_status mdldm__latent_source_fill(mdldm__latent_source *s, const int64_t *items, int64_t count);
/* Latents of items[n], n <= batch, NCHW, scaled. From the cache, or read and encoded plainly. */
mdldm_status mdldm__latent_source_get(mdldm__latent_source *s, const int64_t *items, int64_t n, float *latent);
/* The next batch of the loader: cached or encoded from its augmented images; labels as the data's. */
mdldm_status mdldm__latent_source_next(mdldm__latent_source *s, mdldm__loader *loader, int64_t n,
                                       float *latent, int64_t *labels);

#endif
