/* SPDX-License-Identifier: MIT
 * Random numbers by address: (seed, stream, item, element) always gives the same value, whatever the
 * backend, the thread count or the split into batches. */
#ifndef MDLDM_UTIL_RNG_H
#define MDLDM_UTIL_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Streams keep the uses of one seed apart. Values are part of the file format: a resumed run and a
 * later release must draw the same numbers. */
typedef enum mdldm__rng_stream {
    MDLDM__RNG_SAMPLE_INIT = 1,  /* starting noise; item: image index */
    MDLDM__RNG_SAMPLE_STEP = 2,  /* noise of step s; item: image index, sub: s */
    MDLDM__RNG_WEIGHTS = 3,      /* initial weights; item: parameter index */
    MDLDM__RNG_SHUFFLE = 4,      /* data order; item: epoch */
    MDLDM__RNG_AUGMENT = 5,      /* crop and flip; item: data item, sub: epoch */
    MDLDM__RNG_TRAIN_NOISE = 6,  /* item: running sample number */
    MDLDM__RNG_TIMESTEP = 7,     /* item: running sample number */
    MDLDM__RNG_LABEL_DROP = 8,   /* item: running sample number */
    MDLDM__RNG_DROPOUT = 9,      /* item: micro step */
    MDLDM__RNG_CODEBOOK = 10,    /* k-means start and dead-code restarts; item: step */
    MDLDM__RNG_CALIBRATION = 12, /* timesteps and noise of images that set ranges; item: image */
    MDLDM__RNG_VALIDATION = 11,  /* fixed timesteps and noise; item: data item */
    MDLDM__RNG_EVAL_SUBSET = 20, /* kernel distance; item: subset and set, sub: place */
    MDLDM__RNG_EVAL_PERMUTE = 21, /* permutation test; item: permutation, sub: place */
    MDLDM__RNG_EVAL_RESAMPLE = 22 /* bootstrap; item: resample, sub: place */
} mdldm__rng_stream;

/* out[i], i < count: standard normal (Box-Muller in double), uniform in (0,1), raw 32-bit words. */
void mdldm__rng_normal(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub, float *out,
                       size_t count);
void mdldm__rng_uniform(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub,
                        double *out, size_t count);
void mdldm__rng_words(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub,
                      uint32_t *out, size_t count);
/* Philox's key for these: what a backend is told that draws from the same counters itself. */
void mdldm__rng_key(uint64_t seed, mdldm__rng_stream stream, uint32_t key[2]);
/* Unbiased integer in 0..bound-1, bound >= 1. */
uint32_t mdldm__rng_below(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub,
                          uint32_t bound);

#endif
