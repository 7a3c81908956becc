/* SPDX-License-Identifier: MIT
 * The core's generator (src/util/philox.h) on the device: the same words from the same counters. */
#ifndef MDLDM_PHILOX_CUH
#define MDLDM_PHILOX_CUH

#include "device.cuh"

/* Philox4x32-10 (Salmon et al. 2011): the counter becomes four words. */
DEVICE void philox(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t x = (uint32_t)(b >> 32) ^ c[1] ^ k0, z = (uint32_t)(a >> 32) ^ c[3] ^ k1;
        c[0] = x;
        c[1] = (uint32_t)b;
        c[2] = z;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* mdldm__philox_below: an integer in 0..bound-1, bound >= 1 (Lemire 2019). */
DEVICE uint32_t philox_below(const uint32_t key[2], uint32_t sub, const uint32_t item[2], uint32_t bound)
{
    const uint32_t threshold = (0u - bound) % bound;
    for (uint32_t i = 0;; i++) {
        uint32_t words[4] = {i, sub, item[0], item[1]};
        philox(words, key[0], key[1]);
        for (int lane = 0; lane < 4; lane++) {
            const uint64_t product = (uint64_t)words[lane] * bound;
            if ((uint32_t)product >= threshold)
                return (uint32_t)(product >> 32);
        }
    }
}

#endif
