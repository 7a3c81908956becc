/* SPDX-License-Identifier: MIT
 * Activations to bytes, by the range of each image's group (QUANTIZE in mdldm_backend.h); the group norm
 * uses it too. Template: included once per instruction set. */
#ifndef MDLDM_CPU_K_QUANTIZE_H
#define MDLDM_CPU_K_QUANTIZE_H

#include "cpu_scratch.h"
#include "cpu_vec.h"

typedef struct q8_quantizer {
    float m;
    int32_t z;
} q8_quantizer;

INLINE q8_quantizer q8_quantizer_of(const mdldm__cpu_range *r, int64_t image)
{
    int64_t g = r->group[image];
    g = g < 0 ? 0 : g >= r->groups ? r->groups - 1 : g;
    float low = r->range[2 * g], m = 255.0f / (r->range[2 * g + 1] - low);
    V z = v_min(v_set(255.0f), v_max(v_round(v_min(v_set(1e6f), v_set(-low * m))), v_set(0.0f)));
    return (q8_quantizer){m, (int32_t)z[0]};
}

/* round(x*m) + z in 0..255; NaN gives 0. */
INLINE V q8_level(V x, V m, V z)
{
    V bound = v_set(1e6f); /* v_round's argument fits */
    V q = v_round(v_min(v_max(x * m, -bound), bound)) + z;
    return v_min(v_max(q, v_set(0.0f)), v_set(255.0f));
}

INLINE void q8_put(uint8_t *y, int64_t count, V level)
{
#if defined(__AVX512F__)
    __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32((__m512)level));
    if (count >= VL)
        _mm_storeu_si128((__m128i *)(void *)y, bytes);
    else
        memcpy(y, &bytes, (size_t)count);
#else
    for (int64_t i = 0; i < count && i < VL; i++)
        y[i] = (uint8_t)(int32_t)level[i];
#endif
}

__attribute__((unused)) static void k_quantize(uint8_t *y, const void *x, int32_t dtype,
                                               const mdldm__cpu_range *range, int64_t n, int64_t count,
                                               int32_t threads)
{
    const int64_t part = 16384, parts = mdldm__cpu_ceil_div(count, part);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t unit = 0; unit < n * parts; unit++) {
        int64_t image = unit / parts, begin = unit % parts * part;
        int64_t end = begin + part < count ? begin + part : count;
        q8_quantizer q = q8_quantizer_of(range, image);
        V m = v_set(q.m), z = v_set((float)q.z);
        for (int64_t i = begin; i < end; i += VL)
            q8_put(y + image * count + i, end - i, q8_level(v_get(x, dtype, image * count + i, end - i), m, z));
    }
}

#endif
