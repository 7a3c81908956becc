/* SPDX-License-Identifier: MIT
 * Softmax cross-entropy against labels. Template: included once per instruction set. */
#include "cpu_vec.h"

#include <math.h>

/* log sum exp of one row, and its mean */
INLINE double row_log_sum(const void *logits, int32_t dtype, int64_t at, int64_t classes, double *mean)
{
    V top = v_set(-INFINITY);
    for (int64_t k = 0; k < classes; k += VL) {
        V x = v_get(logits, dtype, at + k, classes - k);
        for (int64_t i = classes - k; i < VL; i++)
            x[i] = -INFINITY;
        top = v_max(top, x);
    }
    float most = top[0];
    for (int i = 1; i < VL; i++)
        most = top[i] > most ? top[i] : most;
    double exps = 0.0, sum = 0.0;
    for (int64_t k = 0; k < classes; k += VL) {
        V x = v_get(logits, dtype, at + k, classes - k), e = v_exp(x - most);
        for (int64_t i = 0; i < VL && k + i < classes; i++) {
            exps += (double)e[i];
            sum += (double)x[i];
        }
    }
    *mean = sum / (double)classes;
    return (double)most + log(exps);
}

/* A row's term goes to scratch: the sum is in order, for any number of threads. */
static void k_cross_entropy(const mdldm__cpu_cross_entropy *a)
{
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t row = 0; row < a->rows; row++) {
        const int32_t label = a->label[row];
        double mean, sum = row_log_sum(a->logits, a->dtype, row * a->classes, a->classes, &mean);
        a->scratch[row] = 0.0;
        if (label < 0 || label >= a->classes)
            continue;
        const double own = (double)v_get(a->logits, a->dtype, row * a->classes + label, 1)[0];
        a->scratch[row] = (a->weight != NULL ? (double)a->weight[row / a->per_image] : 1.0) *
                          (sum - (double)a->smoothing * mean - (1.0 - (double)a->smoothing) * own);
    }
    double total = 0.0;
    for (int64_t row = 0; row < a->rows; row++)
        total += a->scratch[row];
    a->loss[0] = (float)(total / (double)a->rows);
}

static void k_cross_entropy_bwd(const mdldm__cpu_cross_entropy *a)
{
    const float even = a->smoothing / (float)a->classes;
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t row = 0; row < a->rows; row++) {
        const int64_t at = row * a->classes, label = a->label[row];
        const int known = label >= 0 && label < a->classes;
        double mean, sum = row_log_sum(a->logits, a->dtype, at, a->classes, &mean);
        const double scale = (double)a->grad / (double)a->rows;
        const float factor = (float)(a->weight != NULL ? scale * (double)a->weight[row / a->per_image] : scale);
        for (int64_t k = 0; k < a->classes; k += VL) {
            V p = v_exp(v_get(a->logits, a->dtype, at + k, a->classes - k) - (float)sum) - even;
            if (label >= k && label < k + VL)
                p[label - k] -= 1.0f - a->smoothing;
            v_put(a->dlogits, a->out_dtype, at + k, a->classes - k, known ? p * factor : v_set(0.0f));
        }
    }
}
