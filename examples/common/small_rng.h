/* SPDX-License-Identifier: MIT
 * A small random generator for the simulator: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef SMALL_RNG_H
#define SMALL_RNG_H

#include <math.h>
#include <stdint.h>

typedef struct small_rng {
    uint64_t state;
} small_rng;

static inline uint64_t small_rng_next(small_rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Streams a, b, c of one seed do not overlap in practice: each is hashed into the state. */
static inline small_rng small_rng_stream(uint64_t seed, uint64_t a, uint64_t b)
{
    small_rng r = { seed };

    r.state = small_rng_next(&r) ^ (a * UINT64_C(0xd1342543de82ef95));
    r.state = small_rng_next(&r) ^ (b * UINT64_C(0xaf251af3b0f025b5));
    return r;
}

/* In [0, 1). */
static inline double small_rng_uniform(small_rng *r)
{
    return (double)(small_rng_next(r) >> 11) * 0x1p-53;
}

static inline double small_rng_between(small_rng *r, double low, double high)
{
    return low + (high - low) * small_rng_uniform(r);
}

/* Two independent standard normal numbers (Box and Muller 1958). */
static inline void small_rng_normal2(small_rng *r, double *a, double *b)
{
    double radius = sqrt(-2.0 * log(1.0 - small_rng_uniform(r)));
    double angle = 6.283185307179586 * small_rng_uniform(r);

    *a = radius * cos(angle);
    *b = radius * sin(angle);
}

static inline double small_rng_normal(small_rng *r)
{
    double a, b;

    small_rng_normal2(r, &a, &b);
    return a;
}

#endif
