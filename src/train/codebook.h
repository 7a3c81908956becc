/* SPDX-License-Identifier: MIT
 * Keeping a codebook alive on the host: usage, exponential moving averages (van den Oord, Vinyals and
 * Kavukcuoglu 2017, appendix A.1), restarts of dead codes, k-means start. Codes are rows of width d. */
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
/* Ages by the usage: used codes 0, others one older. Returns how many are older than limit. */
int64_t mdldm__codebook_grow_older(mdldm__codebook *cb, int64_t limit);

/* Starts the averages so that they reproduce cb->values. */
void mdldm__codebook_ema_reset(mdldm__codebook *cb);
/* counts and sums follow the batch (latents [count][width], codes [count]); cb->values = sums/counts. */
void mdldm__codebook_ema_update(mdldm__codebook *cb, const float *latents, const int32_t *codes,
                                int64_t count, double decay);
/* Moves codes older than limit onto random latents of the batch, in cb->values (and the averages).
 * moved[size] gets 1 for each; returns how many. */
int64_t mdldm__codebook_restart(mdldm__codebook *cb, const float *latents, int64_t count, int64_t limit,
                                uint64_t seed, uint64_t step, unsigned char *moved);

/* Lloyd's k-means over latents [count][width] from distinct random points, iterations rounds, into
 * cb->values; empty clusters are moved onto the points farthest from their centres. */
mdldm_status mdldm__codebook_kmeans(mdldm__codebook *cb, const float *latents, int64_t count,
                                    int32_t iterations, uint64_t seed);

#endif
