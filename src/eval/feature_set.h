/* SPDX-License-Identifier: MIT
 * A feature set: x [n][d], a row per image. What every distance between two of them asks first. */
#ifndef MDLDM_EVAL_FEATURE_SET_H
#define MDLDM_EVAL_FEATURE_SET_H

#include "util/env.h"

#define MDLDM__FEATURES_MOST 16384 /* d: twice its square counts in 32 bits */

typedef struct mdldm__feature_set {
    const float *x; /* [n][d] */
    int64_t n;
    const char *name; /* in sentences: "a", "real" */
} mdldm__feature_set;

/* At least `least` rows of 1..MDLDM__FEATURES_MOST finite values each. INVALID_ARGUMENT, or NUMERIC, which names
 * row and column. */
mdldm_status mdldm__feature_check(mdldm__env *env, const mdldm__feature_set *s, int64_t d, int64_t least);
/* The same for a sample[n] of numbers. */
mdldm_status mdldm__sample_check(mdldm__env *env, const char *name, const double *sample, int64_t n, int64_t least);

/* Squared Euclidean distance and inner product in double; the order of summation is fixed. */
double mdldm__squared_distance(const float *a, const float *b, int64_t d);
double mdldm__inner_product(const float *a, const float *b, int64_t d);

/* The quantile q in [0, 1] of sorted[n], linear between its neighbours (type 7 of Hyndman and Fan 1996). */
double mdldm__quantile(const double *sorted, int64_t n, double q);
/* Ascending order, in place. */
void mdldm__sort(double *values, int64_t n);

/* out [n][d] = (x - mean) / standard deviation (n - 1) of the reference's columns. A column that is constant there,
 * to a millionth of its mean, is only moved. In place is fine. */
mdldm_status mdldm__standardize(mdldm__env *env, const mdldm__feature_set *reference, const mdldm__feature_set *s,
                                int64_t d, float *out);

#endif
