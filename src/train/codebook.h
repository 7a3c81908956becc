/* SPDX-License-Identifier: MIT
 * The host's side of a codebook: its start by k-means, how a set of images uses it, copies of what the store
 * keeps. Codes are rows of width d. */
#ifndef MDLDM_TRAIN_CODEBOOK_H
#define MDLDM_TRAIN_CODEBOOK_H

#include "util/env.h"

typedef struct mdldm__codebook {
    mdldm__env *env;
    int64_t size, width;
    float *counts;  /* EMA of assignments, [size] */
    float *sums;    /* EMA of assigned latents, [size][width] */
    int32_t *age;   /* steps since last use, [size] */
    float *values;  /* scratch copy of the codes, [size][width] */
    int64_t *usage; /* of the batch, [size] */
} mdldm__codebook;

mdldm_status mdldm__codebook_open(mdldm__env *env, int64_t size, int64_t width, mdldm__codebook *out);
void mdldm__codebook_close(mdldm__codebook *cb);

/* Clears the batch's usage; then each call adds codes[count]. */
void mdldm__codebook_usage_clear(mdldm__codebook *cb);
void mdldm__codebook_usage_add(mdldm__codebook *cb, const int32_t *codes, int64_t count);
/* From the usage: codes used, and exp(entropy of their frequencies). */
void mdldm__codebook_usage_report(const mdldm__codebook *cb, int64_t *used, double *perplexity);
/* Starts the averages so that they reproduce cb->values. */
void mdldm__codebook_ema_reset(mdldm__codebook *cb);
/* Lloyd's k-means over latents [count][width] from distinct random points, iterations rounds, into
 * cb->values; empty clusters are moved onto the points farthest from their centres. */
mdldm_status mdldm__codebook_kmeans(mdldm__codebook *cb, const float *latents, int64_t count,
                                    int32_t iterations, uint64_t seed);

#endif
