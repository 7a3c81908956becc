/* SPDX-License-Identifier: MIT
 * How sure a mean is. */
#ifndef MDLDM_EVAL_MEAN_INTERVAL_H
#define MDLDM_EVAL_MEAN_INTERVAL_H

#include "eval/sample_tests.h"

/* *estimate is mean(a) - mean(b), or mean(a) where b is NULL (paired differences), and *low..*high its confidence
 * interval. T: Student's, for two samples Welch's 1947. PERCENTILE and BCA: by `resamples` bootstrap samples drawn
 * with seed, BCa corrected for bias and skewness (Efron 1987). */
mdldm_status mdldm__mean_interval(mdldm__env *env, mdldm_interval kind, const mdldm__samples *s, double confidence,
                                  int64_t resamples, uint64_t seed, double *estimate, double *low, double *high);

double mdldm__normal_quantile(double p);              /* 0 < p < 1 */
double mdldm__student_quantile(double p, double freedom); /* 0.5 <= p < 1 */

#endif
