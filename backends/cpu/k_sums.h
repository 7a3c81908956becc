/* SPDX-License-Identifier: MIT
 * Sums over rows, and the losses. Template: included once per instruction set. */
#include "cpu_vec.h"

#include <math.h>

#include "cpu_scratch.h"

#define SUM_WIDE 8 /* vectors of a row that are taken together, so that memory is read in longer pieces */

/* Rows begin..end-1 of the columns from j on: wide vectors, the last of m. */
INLINE void column_sum_of(const void *x, int32_t dtype, int64_t begin, int64_t end, int64_t c, int64_t j,
                          int wide, int64_t m, float *out)
{
    V sum[SUM_WIDE];
    for (int v = 0; v < wide; v++)
        sum[v] = v_set(0.0f);
    for (int64_t r = begin; r < end; r++)
        for (int v = 0; v < wide; v++)
            sum[v] += v_get(x, dtype, r * c + j + v * VL, m);
    for (int v = 0; v < wide; v++)
        v_put(out, MDLDM_F32, j + v * VL, m, sum[v]);
}

INLINE void column_sum_part(const void *x, int32_t dtype, int64_t begin, int64_t end, int64_t c, float *out)
{
    int64_t j = 0;
    for (; j + SUM_WIDE * VL <= c; j += SUM_WIDE * VL)
        column_sum_of(x, dtype, begin, end, c, j, SUM_WIDE, VL, out);
    for (; j < c; j += VL)
        column_sum_of(x, dtype, begin, end, c, j, 1, c - j, out);
}

static void k_column_sum(void *out, const void *x, int32_t dtype, int32_t add, int64_t n,
                         int64_t rows, int64_t c, float *scratch, int32_t threads)
{
    int64_t parts = mdldm__cpu_parts(rows), step = mdldm__cpu_part_rows(rows);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t part = 0; part < n * parts; part++) {
        int64_t image = part / parts, begin = part % parts * step;
        int64_t end = begin + step < rows ? begin + step : rows;
        if (dtype == MDLDM_BF16)
            column_sum_part(x, MDLDM_BF16, image * rows + begin, image * rows + end, c, scratch + part * c);
        else
            column_sum_part(x, MDLDM_F32, image * rows + begin, image * rows + end, c, scratch + part * c);
    }
    /* With add, one gradient takes the sum of all images; else each image has its own row. */
    for (int64_t image = 0; image < (add ? 1 : n); image++)
        for (int64_t j = 0; j < c; j++) {
            int64_t first = add ? 0 : image * parts, last = add ? n * parts : (image + 1) * parts;
            double sum = 0.0;
            for (int64_t part = first; part < last; part++)
                sum += (double)scratch[part * c + j];
            if (add)
                ((float *)out)[j] += (float)sum;
            else
                v_put(out, dtype, image * c + j, 1, v_set((float)sum));
        }
}

static void k_loss(float *out, const void *pred, int32_t pred_dtype, const void *target,
                   int32_t target_dtype, const float *weight, int32_t kind, int64_t n, int64_t count,
                   double *scratch, int32_t threads)
{
    int64_t blocks = mdldm__cpu_ceil_div(count, MDLDM__CPU_BLOCK);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t part = 0; part < n * blocks; part++) {
        int64_t base = part / blocks * count, begin = part % blocks * MDLDM__CPU_BLOCK;
        int64_t end = begin + MDLDM__CPU_BLOCK < count ? begin + MDLDM__CPU_BLOCK : count;
        V sum = v_set(0.0f);
        for (int64_t i = begin; i < end; i += VL) {
            V d = v_get(pred, pred_dtype, base + i, end - i) -
                  v_get(target, target_dtype, base + i, end - i);
            sum += kind == MDLDM_LOSS_L1 ? v_max(d, -d) : d * d;
        }
        scratch[part] = (double)v_sum(sum);
    }
    double total = 0.0;
    for (int64_t image = 0; image < n; image++) {
        double sum = 0.0;
        for (int64_t part = 0; part < blocks; part++)
            sum += scratch[image * blocks + part];
        total += (weight != NULL ? (double)weight[image] : 1.0) * (sum / (double)count);
    }
    out[0] = (float)(total / (double)n);
}

static void k_loss_bwd(void *dpred, int32_t out_dtype, const void *pred, int32_t pred_dtype,
                       const void *target, int32_t target_dtype, const float *weight, int32_t kind,
                       float grad, int64_t n, int64_t count, int32_t threads)
{
    int64_t blocks = mdldm__cpu_ceil_div(count, MDLDM__CPU_BLOCK);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t part = 0; part < n * blocks; part++) {
        int64_t image = part / blocks, base = image * count, begin = part % blocks * MDLDM__CPU_BLOCK;
        int64_t end = begin + MDLDM__CPU_BLOCK < count ? begin + MDLDM__CPU_BLOCK : count;
        double f = (double)grad / ((double)n * (double)count);
        float factor = (float)(weight != NULL ? f * (double)weight[image] : f);
        for (int64_t i = begin; i < end; i += VL) {
            V d = v_get(pred, pred_dtype, base + i, end - i) -
                  v_get(target, target_dtype, base + i, end - i);
            V g = d * (2.0f * factor);
            if (kind == MDLDM_LOSS_L1) { /* the subgradient at 0 is 0, as in torch */
                V zero = v_set(0.0f);
                g = v_select(d > 0.0f, v_set(factor), v_select(d < 0.0f, v_set(-factor), zero));
                g = v_select(d == d, g, d);
            }
            v_put(dpred, out_dtype, base + i, end - i, g);
        }
    }
}
