/* SPDX-License-Identifier: MIT
 * binary16 and bfloat16 as bits, to and from float and double, rounding to nearest even (or toward zero). */
#ifndef MDLDM_TESTS_CUDA_HALF_BITS_H
#define MDLDM_TESTS_CUDA_HALF_BITS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float bits_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
static inline float from_bf16(uint16_t h)
{
    return bits_float((uint32_t)h << 16);
}
static inline uint16_t to_bf16(float x)
{
    const uint32_t u = float_bits(x);
    if (x != x)
        return 0x7fff; /* the NaN that cvt gives */
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
static inline float from_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
    if (e == 31)
        return bits_float(sign | 0x7f800000u | m << 13);
    if (e == 0) {
        const float x = (float)m * 0x1p-24f;
        return sign ? -x : x;
    }
    return bits_float(sign | (e + 112) << 23 | m << 13);
}
static inline uint16_t to_f16(float x)
{
    const uint32_t u = float_bits(x), sign = u >> 16 & 0x8000;
    const float a = fabsf(x);
    if (x != x)
        return 0x7fff;
    if (a >= 65520.0f)
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x1p-14f) /* subnormal: the sum's last place is 2^-24 */
        return (uint16_t)(sign | (float_bits(a + 0.5f) - float_bits(0.5f)));
    const uint32_t v = (u & 0x7fffffff) - (112u << 23);
    return (uint16_t)(sign | (v + 0xfff + (v >> 13 & 1)) >> 13);
}
/* A double to float so that a second rounding to fewer bits is right: to odd (Boldo and Melquiond). */
static inline float to_odd(double x)
{
    const float f = (float)x;
    if ((double)f == x || f != f || isinf(f))
        return f;
    uint32_t u = float_bits(f);
    if (u & 1)
        return f;
    const bool away = fabs((double)f) > fabs(x);
    u += away ? UINT32_MAX : 1;
    return bits_float(u);
}
#endif
