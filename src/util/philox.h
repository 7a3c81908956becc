/* SPDX-License-Identifier: MIT
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3" (SC 2011). Header only: core and backends share it. */
#ifndef MDLDM_UTIL_PHILOX_H
#define MDLDM_UTIL_PHILOX_H

#include <stdint.h>

static inline void mdldm__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Unbiased integer in 0..bound-1, bound >= 1, from the words of counters (0, sub, item), (1, sub, item), ...:
 * multiply-shift with rejection (Lemire 2019). item: low word, high word. */
static inline uint32_t mdldm__philox_below(const uint32_t key[2], uint32_t sub, const uint32_t item[2], uint32_t bound)
{
    const uint32_t threshold = (0u - bound) % bound;
    for (uint32_t i = 0;; i++) {
        const uint32_t counter[4] = {i, sub, item[0], item[1]};
        uint32_t w[4];
        mdldm__philox(counter, key, w);
        for (int lane = 0; lane < 4; lane++) {
            const uint64_t product = (uint64_t)w[lane] * bound;
            if ((uint32_t)product >= threshold)
                return (uint32_t)(product >> 32);
        }
    }
}

/* (0, 1), never 0 or 1 as a double. */
static inline double mdldm__philox_uniform(uint32_t word)
{
    return ((double)word + 0.5) * (1.0 / 4294967296.0);
}

#endif
