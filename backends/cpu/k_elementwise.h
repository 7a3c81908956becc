/* SPDX-License-Identifier: MIT
 * Elementwise kernels. Template: included once per instruction set. */
#include "cpu_vec.h"

#include "cpu_scratch.h"
#include "util/philox.h"

/* Runs body for each vector of [0, count): i is its first element, m its lanes. */
#define EACH_VECTOR(count, threads, body)                                                       \
    do {                                                                                        \
        int64_t each_parts = mdldm__cpu_ceil_div(count, MDLDM__CPU_BLOCK);                      \
        _Pragma("omp parallel for schedule(static) num_threads(threads)")                       \
        for (int64_t each_part = 0; each_part < each_parts; each_part++) {                      \
            int64_t each_end = (each_part + 1) * MDLDM__CPU_BLOCK;                              \
            each_end = each_end < (count) ? each_end : (count);                                 \
            for (int64_t i = each_part * MDLDM__CPU_BLOCK; i < each_end; i += VL) {             \
                int64_t m = each_end - i;                                                       \
                body                                                                            \
            }                                                                                   \
        }                                                                                       \
    } while (0)

static void k_silu(void *y, const void *x, int32_t dtype, int64_t count, int32_t threads)
{
    EACH_VECTOR(count, threads, {
        V a = v_get(x, dtype, i, m);
        v_put(y, dtype, i, m, a * v_sigmoid(a));
    });
}

static void k_silu_bwd(void *dx, const void *dy, const void *x, int32_t dtype, int64_t count,
                       int32_t threads)
{
    EACH_VECTOR(count, threads, {
        V a = v_get(x, dtype, i, m);
        V s = v_sigmoid(a);
        v_put(dx, dtype, i, m, v_get(dy, dtype, i, m) * (s * (1.0f + a * (1.0f - s))));
    });
}

static void k_add(void *y, const void *a, const void *b, int32_t dtype, float alpha, float beta,
                  int64_t count, int32_t threads)
{
    EACH_VECTOR(count, threads, {
        v_put(y, dtype, i, m, alpha * v_get(a, dtype, i, m) + beta * v_get(b, dtype, i, m));
    });
}

static void k_bias(void *y, const void *x, const void *e, int32_t dtype, int64_t n, int64_t hw,
                   int64_t c, int32_t threads)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < n * hw; row++) {
        int64_t from = row * c, of = row / hw * c;
        for (int64_t i = 0; i < c; i += VL)
            v_put(y, dtype, from + i, c - i,
                  v_get(x, dtype, from + i, c - i) + v_get(e, dtype, of + i, c - i));
    }
}

static void k_scale(void *y, const void *x, const float *s, int32_t dtype, float alpha, float beta,
                    int64_t n, int64_t count, int32_t threads)
{
    int64_t blocks = mdldm__cpu_ceil_div(count, MDLDM__CPU_BLOCK);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t part = 0; part < n * blocks; part++) {
        int64_t image = part / blocks, begin = part % blocks * MDLDM__CPU_BLOCK;
        int64_t end = begin + MDLDM__CPU_BLOCK < count ? begin + MDLDM__CPU_BLOCK : count;
        float factor = s != NULL ? alpha * s[image] : alpha;
        for (int64_t i = begin; i < end; i += VL)
            v_put(y, dtype, image * count + i, end - i,
                  v_get(x, dtype, image * count + i, end - i) * factor + beta);
    }
}

/* keep for the elements first.. that stay, else 0; first is a multiple of 4. */
INLINE V dropout_mask(const uint32_t key[2], uint32_t salt, int64_t first, double p, float keep)
{
    float mask[VL];
    for (int lane = 0; lane < VL; lane += 4) {
        const uint32_t counter[4] = {(uint32_t)((uint64_t)(first + lane) / 4), salt, 0, 0};
        uint32_t word[4];
        mdldm__philox(counter, key, word);
        for (int j = 0; j < 4; j++)
            mask[lane + j] = mdldm__philox_uniform(word[j]) >= p ? keep : 0.0f;
    }
    return v_load(mask);
}

static void k_dropout(void *y, const void *x, const int32_t *seed, int32_t dtype, float p,
                      uint32_t salt, int64_t count, int32_t threads)
{
    const uint32_t key[2] = {(uint32_t)seed[0], (uint32_t)seed[1]};
    float keep = p < 1.0f ? 1.0f / (1.0f - p) : 0.0f;
    EACH_VECTOR(count, threads, {
        V k = p > 0.0f ? dropout_mask(key, salt, i, (double)p, keep) : v_set(1.0f);
        V a = v_get(x, dtype, i, m);
        v_put(y, dtype, i, m, v_select(k > 0.0f, a * k, v_set(0.0f)));
    });
}

static void k_cast(void *y, int32_t y_dtype, const void *x, int32_t x_dtype, int64_t count,
                   int32_t threads)
{
    EACH_VECTOR(count, threads, { v_put(y, y_dtype, i, m, v_get(x, x_dtype, i, m)); });
}

static void k_bias_sum(float *y, const float *b, const void *e, int32_t dtype, int64_t c)
{
    for (int64_t i = 0; i < c; i += VL) {
        V sum = v_get(e, dtype, i, c - i);
        if (b != NULL)
            sum += v_get(b, MDLDM_F32, i, c - i);
        v_put(y, MDLDM_F32, i, c - i, sum);
    }
}

static int32_t k_finite(const void *x, int32_t dtype, int64_t count, int32_t threads)
{
    int32_t bad = 0;
    int64_t parts = mdldm__cpu_ceil_div(count, MDLDM__CPU_BLOCK);
#pragma omp parallel for schedule(static) num_threads(threads) reduction(| : bad)
    for (int64_t part = 0; part < parts; part++) {
        int64_t end = (part + 1) * MDLDM__CPU_BLOCK < count ? (part + 1) * MDLDM__CPU_BLOCK : count;
        V worst = v_set(0.0f); /* x*0 is 0, or NaN for what is not finite; NaN sticks in a sum */
        for (int64_t i = part * MDLDM__CPU_BLOCK; i < end; i += VL)
            worst += v_get(x, dtype, i, end - i) * 0.0f;
        bad |= v_sum(worst) != 0.0f;
    }
    return !bad;
}
