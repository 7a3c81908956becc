/* SPDX-License-Identifier: MIT
 * The optimiser's two passes over a chunk of a parameter: the sum of the squared gradients, then AdamW,
 * EMA and the gradient's zero together (store_adamw.c has both in plain C, and what the constants are).
 * Bound by memory: 4 + 32 (+ 8 with EMA) bytes a weight. Template: included once per instruction set. */
#include "cpu_vec.h"

#include "../common/store_host.h"

typedef float VHALF __attribute__((vector_size(VL * 2), aligned(4), may_alias));
typedef double VD __attribute__((vector_size(VL * 4)));

INLINE V v_sqrt(V x)
{
#if defined(__AVX512F__)
    return (V)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (V)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE2__)
    return (V)_mm_sqrt_ps((__m128)x);
#else
    for (int i = 0; i < VL; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

/* In double: squares of floats do not overflow it. */
static double k_sum_squares(const float *g, int64_t count)
{
    VD sums[4] = {{0}};
    int64_t i = 0;
    for (; i + 2 * VL <= count; i += 2 * VL)
        for (int part = 0; part < 4; part++) {
            VD d = __builtin_convertvector(*(const VHALF *)(g + i + part * (VL / 2)), VD);
            sums[part] += d * d;
        }
    VD all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double sum = 0.0;
    for (int lane = 0; lane < VL / 2; lane++)
        sum += all[lane];
    for (; i < count; i++)
        sum += (double)g[i] * (double)g[i];
    return sum;
}

INLINE void adamw_vector(const mdldm__adamw_constants *c, int64_t i, int64_t m, float *p, float *g, float *mean,
                         float *square, float *ema)
{
    V grad = v_get(g, MDLDM_F32, i, m) * c->grad_scale * c->clip;
    V first = v_get(mean, MDLDM_F32, i, m), second = v_get(square, MDLDM_F32, i, m);
    first += c->w1 * (grad - first);
    second = second * c->beta2 + c->w2 * grad * grad;
    V value = v_get(p, MDLDM_F32, i, m) * c->keep -
              c->step_size * first / (v_sqrt(second) / c->correction + c->eps);
    v_put(p, MDLDM_F32, i, m, value);
    v_put(mean, MDLDM_F32, i, m, first);
    v_put(square, MDLDM_F32, i, m, second);
    v_put(g, MDLDM_F32, i, m, v_set(0.0f));
    if (ema != NULL)
        v_put(ema, MDLDM_F32, i, m, c->ema_decay * v_get(ema, MDLDM_F32, i, m) + c->ema_rest * value);
}

static void k_adamw(const mdldm__adamw_constants *c, int64_t count, float *p, float *g, float *mean, float *square,
                    float *ema)
{
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        adamw_vector(c, i, VL, p, g, mean, square, ema);
    if (i < count)
        adamw_vector(c, i, count - i, p, g, mean, square, ema);
}
