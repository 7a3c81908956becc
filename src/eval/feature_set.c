/* SPDX-License-Identifier: MIT */
#include "eval/feature_set.h"

#include <math.h>
#include <stdlib.h>

#define LANES 8 /* independent sums, which the vectoriser may keep in one register */

mdldm_status mdldm__feature_check(mdldm__env *env, const mdldm__feature_set *s, int64_t d, int64_t least)
{
    if (s->x == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the features %s are NULL", s->name);
    if (d < 1 || d > MDLDM__FEATURES_MOST)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there are %lld features a row; 1 to %d would be right",
                            (long long)d, MDLDM__FEATURES_MOST);
    if (s->n < least || s->n > INT32_MAX)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s has %lld rows; %lld to %d would be right", s->name,
                            (long long)s->n, (long long)least, INT32_MAX);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < d; k++)
            if (!isfinite(s->x[i * d + k]))
                return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                                    "row %lld, column %lld of %s is %g; finite features are right", (long long)i,
                                    (long long)k, s->name, (double)s->x[i * d + k]);
    return MDLDM_OK;
}

mdldm_status mdldm__sample_check(mdldm__env *env, const char *name, const double *sample, int64_t n, int64_t least)
{
    if (sample == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the sample %s is NULL", name);
    if (n < least || n > INT32_MAX)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s has %lld values; %lld to %d would be right", name,
                            (long long)n, (long long)least, INT32_MAX);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(sample[i]))
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "value %lld of %s is %g; finite values are right",
                                (long long)i, name, sample[i]);
    return MDLDM_OK;
}

static double add_lanes(const double lane[LANES])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

double mdldm__squared_distance(const float *a, const float *b, int64_t d)
{
    double lane[LANES] = {0};
    int64_t k = 0;
    for (; k + LANES <= d; k += LANES)
        for (int l = 0; l < LANES; l++) {
            const double difference = (double)a[k + l] - (double)b[k + l];
            lane[l] += difference * difference;
        }
    for (int l = 0; k < d; k++, l++) {
        const double difference = (double)a[k] - (double)b[k];
        lane[l] += difference * difference;
    }
    return add_lanes(lane);
}

double mdldm__inner_product(const float *a, const float *b, int64_t d)
{
    double lane[LANES] = {0};
    int64_t k = 0;
    for (; k + LANES <= d; k += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += (double)a[k + l] * (double)b[k + l];
    for (int l = 0; k < d; k++, l++)
        lane[l] += (double)a[k] * (double)b[k];
    return add_lanes(lane);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void mdldm__sort(double *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
}

double mdldm__quantile(const double *sorted, int64_t n, double q)
{
    const double place = q * (double)(n - 1);
    const int64_t below = (int64_t)floor(place);
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

mdldm_status mdldm__standardize(mdldm__env *env, const mdldm__feature_set *reference, const mdldm__feature_set *s,
                                int64_t d, float *out)
{
    MDLDM__TRY(mdldm__feature_check(env, reference, d, 2));
    MDLDM__TRY(mdldm__feature_check(env, s, d, 1));
    double *mean = mdldm__calloc(env, (size_t)d, 2 * sizeof *mean);
    if (mean == NULL)
        return mdldm__oom(env, "standardised features");
    double *scale = mean + d;
    for (int64_t i = 0; i < reference->n; i++)
        for (int64_t k = 0; k < d; k++)
            mean[k] += (double)reference->x[i * d + k] / (double)reference->n;
    for (int64_t i = 0; i < reference->n; i++)
        for (int64_t k = 0; k < d; k++) {
            const double difference = (double)reference->x[i * d + k] - mean[k];
            scale[k] += difference * difference / (double)(reference->n - 1);
        }
    for (int64_t k = 0; k < d; k++) {
        const double deviation = sqrt(scale[k]);
        scale[k] = deviation > 1e-6 * fabs(mean[k]) ? 1.0 / deviation : 1.0;
    }
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < d; k++)
            out[i * d + k] = (float)(((double)s->x[i * d + k] - mean[k]) * scale[k]);
    mdldm__free(env, mean);
    return MDLDM_OK;
}
