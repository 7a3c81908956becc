/* SPDX-License-Identifier: MIT
 * Vectors of floats for the kernels, in the width of the instruction set a file is compiled for
 * (cpu_isa_*.c): gcc's vector extensions, with intrinsics only where these have no word for it. */
#ifndef MDLDM_CPU_VEC_H
#define MDLDM_CPU_VEC_H

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu_kernels.h"

#if defined(__AVX512F__)
#define VL 16 /* lanes */
#define NV 4  /* vectors in a register tile's row: MR*NV + NV + 1 registers of the 32 */
#elif defined(__AVX2__)
#define VL 8
#define NV 2
#else
#define VL 4
#define NV 2
#endif
#define MR 6 /* rows of a register tile */

#define INLINE static inline __attribute__((always_inline))

typedef float V __attribute__((vector_size(VL * 4)));
typedef int32_t VI __attribute__((vector_size(VL * 4)));
typedef uint32_t VU __attribute__((vector_size(VL * 4)));
typedef uint16_t VH __attribute__((vector_size(VL * 2)));
typedef int8_t VB8 __attribute__((vector_size(VL)));
typedef uint8_t VUB8 __attribute__((vector_size(VL)));
typedef float VUN __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef uint16_t VHUN __attribute__((vector_size(VL * 2), aligned(2), may_alias));

/* x - 0 is x, -0 too, so that only the broadcast is left; of 0 + x the addition would stay. */
INLINE V v_set(float x)
{
    return x - (V){0};
}

INLINE V v_load(const float *p)
{
    return *(const VUN *)p;
}

INLINE void v_store(float *p, V x)
{
    *(VUN *)p = x;
}

INLINE V v_select(VI mask, V a, V b)
{
    return (V)((mask & (VI)a) | (~mask & (VI)b));
}

INLINE V v_max(V a, V b)
{
#if defined(__AVX512F__)
    return (V)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (V)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (V)_mm_max_ps((__m128)a, (__m128)b);
#else
    return v_select(a > b, a, b);
#endif
}

INLINE V v_min(V a, V b)
{
#if defined(__AVX512F__)
    return (V)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (V)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (V)_mm_min_ps((__m128)a, (__m128)b);
#else
    return v_select(a < b, a, b);
#endif
}

/* Lanes added in a fixed tree. */
INLINE float v_sum(V x)
{
    float t[VL];
    memcpy(t, &x, sizeof t);
    for (int width = VL / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            t[i] += t[i + width];
    return t[0];
}

INLINE V v_from_bf16(VH h)
{
#if defined(__AVX512F__)
    return (V)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#elif defined(__AVX2__)
    return (V)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
#else
    return (V)(__builtin_convertvector(h, VU) << 16);
#endif
}

/* Round to nearest even; NaN stays NaN. The instruction takes subnormals for 0. */
INLINE VH v_to_bf16(V x)
{
#if defined(__AVX512BF16__)
    return (VH)_mm512_cvtneps_pbh((__m512)x);
#else
    VU u = (VU)x;
    VU rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    VU quiet = (u >> 16) | 0x40u;
    VU nan = (VU)(x != x);
    return __builtin_convertvector((rounded & ~nan) | (quiet & nan), VH);
#endif
}

/* Words of two bf16, of each lane: low in the lower half, high in the upper one. */
INLINE V v_pair_bf16(V low, V high)
{
#if defined(__AVX512BF16__)
    static const uint16_t order[2 * VL] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    return (V)_mm512_permutexvar_epi16(_mm512_loadu_si512(order), both);
#else
    VU word = __builtin_convertvector(v_to_bf16(low), VU);
    return (V)(word | __builtin_convertvector(v_to_bf16(high), VU) << 16);
#endif
}

/* m (1..VL) bytes, the other lanes 0, with a sign or without. */
INLINE V v_from_bytes(const void *p, int64_t m, int has_sign)
{
    VB8 t = {0};
    memcpy(&t, p, m >= VL ? sizeof t : (size_t)m);
#if defined(__AVX512F__)
    return (V)_mm512_cvtepi32_ps(has_sign ? _mm512_cvtepi8_epi32((__m128i)t) : _mm512_cvtepu8_epi32((__m128i)t));
#else
    VI whole = has_sign ? __builtin_convertvector(t, VI) : __builtin_convertvector((VUB8)t, VI);
    return __builtin_convertvector(whole, V);
#endif
}

/* m lanes (1..VL) of element i on of a tensor of this type; the other lanes are 0. */
INLINE V v_get(const void *p, int32_t dtype, int64_t i, int64_t m)
{
    if (dtype == MDLDM_BF16) {
        const uint16_t *h = (const uint16_t *)p + i;
        if (m >= VL)
            return v_from_bf16(*(const VHUN *)h);
        VH t = {0};
        memcpy(&t, h, (size_t)m * sizeof *h);
        return v_from_bf16(t);
    }
    const float *f = (const float *)p + i;
    if (m >= VL)
        return v_load(f);
    V t = {0};
    memcpy(&t, f, (size_t)m * sizeof *f);
    return t;
}

INLINE void v_put(void *p, int32_t dtype, int64_t i, int64_t m, V x)
{
    if (dtype == MDLDM_BF16) {
        uint16_t *h = (uint16_t *)p + i;
        VH t = v_to_bf16(x);
        if (m >= VL)
            *(VHUN *)h = t;
        else
            memcpy(h, &t, (size_t)m * sizeof *h);
        return;
    }
    float *f = (float *)p + i;
    if (m >= VL)
        v_store(f, x);
    else
        memcpy(f, &x, (size_t)m * sizeof *f);
}

/* p * 2^n for whole n; n in [-254, 254] where there is no instruction for it. */
INLINE V v_scale(V p, V n)
{
#if defined(__AVX512F__)
    return (V)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    /* Two factors, so that n = 128 and subnormal results need no special case. */
    VI e = __builtin_convertvector(n, VI), half = e >> 1;
    V s0 = (V)((half + 127) << 23), s1 = (V)((e - half + 127) << 23);
    return p * s0 * s1;
#endif
}

/* To the nearest whole number, |x| < 2^22. */
INLINE V v_round(V x)
{
#if defined(__AVX512F__)
    return (V)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
    return (V)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    return (x + 12582912.0f) - 12582912.0f;
#endif
}

/* exp(x) to about 1 ulp: 2^n times a polynomial on [-ln2/2, ln2/2] (the Cephes coefficients).
 * Below -104 it gives 0, above 88.7 infinity; NaN goes through. */
INLINE V v_exp(V x)
{
    V c = v_min(v_set(88.8f), v_max(v_set(-104.0f), x)); /* max, min return their 2nd operand for NaN */
    V n = v_round(c * 1.44269504088896341f);
    V r = c - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    V p = v_set(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    return v_scale(p, n);
}

/* 2^x for x <= 100 or so, to 2e-7 of it (minimax on [-1/2, 1/2]); below -150 it gives 0; NaN goes
 * through. */
INLINE V v_exp2(V x)
{
    V c = v_max(v_set(-150.0f), x);
    V n = v_round(c), r = c - n;
    V p = v_set(1.339887440266574e-3f);
    p = p * r + 9.618437357674640e-3f;
    p = p * r + 5.550332471162809e-2f;
    p = p * r + 2.402264791363012e-1f;
    p = p * r + 6.931472028550421e-1f;
    p = p * r + 1.0f;
    return v_scale(p, n);
}

/* The same to 1e-4, a twentieth of a rounding to bf16. */
INLINE V v_exp2_bf16(V x)
{
    V c = v_max(v_set(-150.0f), x);
    V n = v_round(c), r = c - n;
    V p = v_set(5.517e-2f);
    p = p * r + 2.4261e-1f;
    p = p * r + 6.9325e-1f;
    p = p * r + 0.99993f;
    return v_scale(p, n);
}

/* The same to 2e-4, for results in bf16. */
INLINE V v_sigmoid_bf16(V x)
{
    V d = 1.0f + v_exp2_bf16(v_min(v_set(125.0f), x * -1.44269504088896341f));
#if defined(__AVX512F__)
    return (V)_mm512_rcp14_ps((__m512)d);
#else
    return 1.0f / d;
#endif
}

INLINE V v_sigmoid(V x)
{
    V d = 1.0f + v_exp2(v_min(v_set(125.0f), x * -1.44269504088896341f)); /* below 2^126 */
#if defined(__AVX512F__)
    /* 1/d from 14 bits by one Newton step, a third of a division's time. */
    V r = (V)_mm512_rcp14_ps((__m512)d);
    return r * (2.0f - d * r);
#else
    return 1.0f / d;
#endif
}

#endif
