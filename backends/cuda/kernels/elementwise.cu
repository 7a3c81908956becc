/* SPDX-License-Identifier: MIT
 * One value per element: SiLU and its derivative, sums, scaling, conversion, dropout. Four neighbours a
 * thread, read and written as one vector where the operation allows. */
#include "device.cuh"
#include "philox.cuh"
#include "vectors.cuh"

#include "../cuda_args_ops.h"

/* y[i] = f(a[i], b[i]); TWO: b is read. */
template <class T, bool TWO, class F> DEVICE void map4(const mdldm__cuda_map_args &p, F f)
{
    const T *a = (const T *)p.a, *b = (const T *)p.b;
    T *y = (T *)p.y;
    const int64_t stride = (int64_t)grid_x() * block_threads() * 4;
    for (int64_t i = ((int64_t)block_x() * block_threads() + thread_x()) * 4; i < p.count; i += stride) {
        if (i + 4 <= p.count) {
            float u[4], v[4] = {0, 0, 0, 0};
            load4(a + i, u);
            if (TWO)
                load4(b + i, v);
            for (int j = 0; j < 4; j++)
                u[j] = f(u[j], v[j]);
            store4(y + i, u);
        } else {
            for (int64_t k = i; k < p.count; k++)
                put(y + k, f(get(a + k), TWO ? get(b + k) : 0.0f));
        }
    }
}

/* y[n,i] = f(a[n,i], n, i): gridDim.y walks the images, so that neither needs a division. */
template <class T, class F> DEVICE void map_images(const mdldm__cuda_map_args &p, F f)
{
    const T *a = (const T *)p.a;
    T *y = (T *)p.y;
    for (uint32_t n = block_y(); n < (uint32_t)p.images; n += grid_y())
        for (uint32_t i = block_x() * block_threads() + thread_x(); i < p.each; i += grid_x() * block_threads()) {
            const int64_t at = (int64_t)n * p.each + i;
            put(y + at, f(get(a + at), n, i));
        }
}

DEVICE float silu_slope(float x) /* of x*sigmoid(x) */
{
    const float s = sigmoid32(x);
    return s * (1.0f + x * (1.0f - s));
}

template <class T> DEVICE void scale(const mdldm__cuda_map_args &p)
{
    const float alpha = p.alpha, beta = p.beta;
    const float *s = p.s;
    map_images<T>(p, [=](float x, uint32_t n, uint32_t) { return (s != nullptr ? alpha * s[n] : alpha) * x + beta; });
}

template <class T> DEVICE void bias(const mdldm__cuda_map_args &p)
{
    const T *e = (const T *)p.b;
    const uint32_t c = (uint32_t)p.channels;
    map_images<T>(p, [=](float x, uint32_t n, uint32_t i) { return x + get(e + (int64_t)n * c + i % c); });
}

/* a = dy, b = x of SILU_BWD */
#define MAP_KERNELS(type, suffix)                                                             \
    MDLDM_KERNEL(256) mdldm_silu_##suffix(MDLDM_PARAM mdldm__cuda_map_args p)                 \
    {                                                                                         \
        map4<type, false>(p, [](float x, float) { return x * sigmoid32(x); });                \
    }                                                                                         \
    MDLDM_KERNEL(256) mdldm_silu_bwd_##suffix(MDLDM_PARAM mdldm__cuda_map_args p)             \
    {                                                                                         \
        map4<type, true>(p, [](float dy, float x) { return dy * silu_slope(x); });            \
    }                                                                                         \
    MDLDM_KERNEL(256) mdldm_add_##suffix(MDLDM_PARAM mdldm__cuda_map_args p)                  \
    {                                                                                         \
        const float alpha = p.alpha, beta = p.beta;                                           \
        map4<type, true>(p, [=](float a, float b) { return alpha * a + beta * b; });          \
    }                                                                                         \
    MDLDM_KERNEL(256) mdldm_scale_##suffix(MDLDM_PARAM mdldm__cuda_map_args p) { scale<type>(p); } \
    MDLDM_KERNEL(256) mdldm_bias_##suffix(MDLDM_PARAM mdldm__cuda_map_args p) { bias<type>(p); }

MAP_KERNELS(float, f32)
MAP_KERNELS(bf16, bf16)
MAP_KERNELS(f16, f16)

/* y <- a between any two types of activations. */
MDLDM_KERNEL(256) mdldm_cast(MDLDM_PARAM mdldm__cuda_map_args p)
{
    const int64_t stride = (int64_t)grid_x() * block_threads();
    for (int64_t i = (int64_t)block_x() * block_threads() + thread_x(); i < p.count; i += stride)
        put_any(p.y, p.to, i, get_any(p.a, p.from, i));
}

/* ---- Dropout: Philox4x32-10, counter (i/4, salt, 0, 0), key seed ---- */
template <class T> DEVICE void dropout(const mdldm__cuda_dropout_args &p)
{
    const T *x = (const T *)p.x;
    T *y = (T *)p.y;
    const int64_t stride = (int64_t)grid_x() * block_threads() * 4;
    for (int64_t i = ((int64_t)block_x() * block_threads() + thread_x()) * 4; i < p.count; i += stride) {
        uint32_t words[4] = {(uint32_t)(i / 4), p.salt, 0, 0};
        philox(words, (uint32_t)p.seed[0], (uint32_t)p.seed[1]);
        for (int j = 0; j < 4; j++)
            if (i + j < p.count)
                put(y + i + j, words[j] >= p.threshold ? div32(get(x + i + j), p.kept) : 0.0f);
    }
}

MDLDM_KERNEL(256) mdldm_dropout_f32(MDLDM_PARAM mdldm__cuda_dropout_args p) { dropout<float>(p); }
MDLDM_KERNEL(256) mdldm_dropout_bf16(MDLDM_PARAM mdldm__cuda_dropout_args p) { dropout<bf16>(p); }
MDLDM_KERNEL(256) mdldm_dropout_f16(MDLDM_PARAM mdldm__cuda_dropout_args p) { dropout<f16>(p); }
