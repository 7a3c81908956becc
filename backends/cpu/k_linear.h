/* SPDX-License-Identifier: MIT
 * Linear layers on a few rows (time and class embeddings): bound by reading the weights, which lie
 * in their canonical [out][in] layout, once. Every output is one chain of sums over `in`, whatever
 * the number of rows and threads. Template: included once per instruction set. */
#include "cpu_vec.h"

#include "cpu_scratch.h"

/* y[rows][4 outputs] for rows <= 4. */
INLINE void linear_block(int rows, const float *x, int64_t in, const float *w, int64_t w_stride,
                         float *y, int64_t y_stride)
{
    V acc[4][4];
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < 4; o++)
            acc[r][o] = v_set(0.0f);
    for (int64_t k = 0; k < in; k += VL) {
        V b[4];
        for (int o = 0; o < 4; o++)
            b[o] = v_get(w + o * w_stride, MDLDM_F32, k, in - k);
        for (int r = 0; r < rows; r++) {
            V value = v_get(x + r * in, MDLDM_F32, k, in - k);
            for (int o = 0; o < 4; o++)
                acc[r][o] += value * b[o];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < 4; o++)
            y[r * y_stride + o] = v_sum(acc[r][o]);
}

/* The same for one output. */
INLINE float linear_one(const float *x, int64_t in, const float *w)
{
    V acc = v_set(0.0f);
    for (int64_t k = 0; k < in; k += VL)
        acc += v_get(x, MDLDM_F32, k, in - k) * v_get(w, MDLDM_F32, k, in - k);
    return v_sum(acc);
}

static void k_linear(const mdldm__cpu_linear *a)
{
    float *x = a->scratch, *y = x + a->m * a->in; /* [m][in], [m][out] */
    for (int64_t i = 0; i < a->m * a->in; i += VL)
        v_put(x, MDLDM_F32, i, a->m * a->in - i, v_get(a->x, a->dtype, i, a->m * a->in - i));
    int64_t blocks = mdldm__cpu_ceil_div(a->out, 4);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t block = 0; block < blocks; block++) {
        int64_t o = block * 4;
        const float *w = a->w + o * a->w_stride;
        if (o + 4 > a->out) {
            for (int64_t r = 0; r < a->m; r++)
                for (int64_t i = o; i < a->out; i++)
                    y[r * a->out + i] = linear_one(x + r * a->in, a->in, a->w + i * a->w_stride);
            continue;
        }
        int64_t r = 0;
        for (; r + 4 <= a->m; r += 4)
            linear_block(4, x + r * a->in, a->in, w, a->w_stride, y + r * a->out + o, a->out);
        for (; r < a->m; r++)
            linear_block(1, x + r * a->in, a->in, w, a->w_stride, y + r * a->out + o, a->out);
    }
    for (int64_t r = 0; r < a->m; r++)
        for (int64_t o = 0; o < a->out; o += VL) {
            int64_t at = r * a->out + o, left = a->out - o;
            V value = v_get(y, MDLDM_F32, at, left);
            if (a->b != NULL)
                value += v_get(a->b, MDLDM_F32, o, left);
            if (a->add)
                value += v_get(a->y, a->dtype, at, left);
            v_put(a->y, a->dtype, at, left, value);
        }
}

/* dx[m][in] = dy[m][out] w[out][in] */
static void k_linear_bwd_data(const mdldm__cpu_linear *a)
{
    float *dy = a->scratch;
    for (int64_t i = 0; i < a->m * a->out; i += VL)
        v_put(dy, MDLDM_F32, i, a->m * a->out - i, v_get(a->dy, a->dtype, i, a->m * a->out - i));
    int64_t blocks = mdldm__cpu_ceil_div(a->in, 4 * VL);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t block = 0; block < blocks; block++)
        for (int64_t r = 0; r < a->m; r++)
            for (int64_t k = block * 4 * VL; k < a->in && k < (block + 1) * 4 * VL; k += VL) {
                V sum = v_set(0.0f);
                for (int64_t o = 0; o < a->out; o++)
                    sum += dy[r * a->out + o] * v_get(a->w + o * a->w_stride, MDLDM_F32, k, a->in - k);
                v_put(a->dx, a->dtype, r * a->in + k, a->in - k, sum);
            }
}

/* dw[out][in] += dy[m][out]^T x[m][in] */
static void k_linear_bwd_weights(const mdldm__cpu_linear *a)
{
    float *x = a->scratch;
    for (int64_t i = 0; i < a->m * a->in; i += VL)
        v_put(x, MDLDM_F32, i, a->m * a->in - i, v_get(a->x, a->dtype, i, a->m * a->in - i));
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t o = 0; o < a->out; o++)
        for (int64_t k = 0; k < a->in; k += VL) {
            float *to = a->dw + o * a->w_stride;
            V sum = v_set(0.0f);
            for (int64_t r = 0; r < a->m; r++)
                sum += v_get(a->dy, a->dtype, r * a->out + o, 1)[0] *
                       v_get(x, MDLDM_F32, r * a->in + k, a->in - k);
            v_put(to, MDLDM_F32, k, a->in - k, v_get(to, MDLDM_F32, k, a->in - k) + sum);
        }
}
