/* SPDX-License-Identifier: MIT */
#include "util/rng.h"

#include <math.h>

#include "util/philox.h"

/* The stream is mixed into the key's high word, so that seeds below 2^24 of different streams can never meet. */
void mdldm__rng_key(uint64_t seed, mdldm__rng_stream stream, uint32_t key[2])
{
    key[0] = (uint32_t)seed;
    key[1] = (uint32_t)(seed >> 32) ^ ((uint32_t)stream << 24);
}

/* Counter: element block, sub, item low and high. */
static void block(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub, uint32_t index,
                  uint32_t out[4])
{
    const uint32_t counter[4] = {index, sub, (uint32_t)item, (uint32_t)(item >> 32)};
    uint32_t key[2];
    mdldm__rng_key(seed, stream, key);
    mdldm__philox(counter, key, out);
}

void mdldm__rng_words(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub, uint32_t *out,
                      size_t count)
{
    uint32_t w[4];
    for (size_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            block(seed, stream, item, sub, (uint32_t)(i / 4), w);
        out[i] = w[i % 4];
    }
}

void mdldm__rng_uniform(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub, double *out,
                        size_t count)
{
    uint32_t w[4];
    for (size_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            block(seed, stream, item, sub, (uint32_t)(i / 4), w);
        out[i] = mdldm__philox_uniform(w[i % 4]);
    }
}

void mdldm__rng_normal(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub, float *out,
                       size_t count)
{
    const double two_pi = 6.283185307179586476925;
    uint32_t w[4];
    for (size_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            block(seed, stream, item, sub, (uint32_t)(i / 4), w);
        size_t pair = (i % 4) / 2 * 2;
        double radius = sqrt(-2.0 * log(mdldm__philox_uniform(w[pair])));
        double angle = two_pi * mdldm__philox_uniform(w[pair + 1]);
        out[i] = (float)(i % 2 == 0 ? radius * cos(angle) : radius * sin(angle));
    }
}

uint32_t mdldm__rng_below(uint64_t seed, mdldm__rng_stream stream, uint64_t item, uint32_t sub,
                          uint32_t bound)
{
    uint32_t key[2];
    const uint32_t at[2] = {(uint32_t)item, (uint32_t)(item >> 32)};
    mdldm__rng_key(seed, stream, key);
    return mdldm__philox_below(key, sub, at, bound);
}
