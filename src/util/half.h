/* SPDX-License-Identifier: MIT
 * IEEE half and bfloat16 to and from float, on their 16-bit patterns. Header only. */
#ifndef MDLDM_UTIL_HALF_H
#define MDLDM_UTIL_HALF_H

#include <stdint.h>
#include <string.h>

static inline float mdldm__bits_to_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t mdldm__float_to_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float mdldm__bf16_to_float(uint16_t h)
{
    return mdldm__bits_to_float((uint32_t)h << 16);
}

/* Round to nearest even; NaN stays a (quiet) NaN. */
static inline uint16_t mdldm__float_to_bf16(float f)
{
    uint32_t bits = mdldm__float_to_bits(f);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

static inline float mdldm__half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 0x1Fu, mantissa = h & 0x3FFu;
    if (exponent == 31)
        return mdldm__bits_to_float(sign | 0x7F800000u | (mantissa << 13));
    if (exponent == 0) { /* zero or subnormal: mantissa * 2^-24 */
        float value = (float)mantissa * (1.0f / 16777216.0f);
        return sign != 0 ? -value : value;
    }
    return mdldm__bits_to_float(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

#endif
