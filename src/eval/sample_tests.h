/* SPDX-License-Identifier: MIT
 * Two samples of one number each: how far apart, and whether that may be chance. */
#ifndef MDLDM_EVAL_SAMPLE_TESTS_H
#define MDLDM_EVAL_SAMPLE_TESTS_H

#include "eval/feature_set.h"

typedef struct mdldm__samples {
    const double *a, *b;
    int64_t na, nb;
} mdldm__samples;

/* Wasserstein-1 distance: the area between the two distribution functions. */
mdldm_status mdldm__wasserstein_distance(mdldm__env *env, const mdldm__samples *s, double *out);

/* Kolmogorov and Smirnov, two-sided: *statistic the largest difference of the distribution functions, *p its
 * p-value: exact while na nb is at most 1e8 or one sample has up to 280 values (with ties it errs towards 1), else by
 * the distribution of the one-sample statistic of na nb / (na + nb) values, as scipy.stats.ks_2samp. */
mdldm_status mdldm__ks_test(mdldm__env *env, const mdldm__samples *s, double *statistic, double *p);

/* *statistic the Wasserstein-1 distance, *p the share of the ways to deal the values into two samples of these sizes
 * that are as far apart: all ways where there are at most `permutations`, else that many random ones, the given one
 * counted among them (Phipson and Smyth 2010). */
mdldm_status mdldm__permutation_test(mdldm__env *env, const mdldm__samples *s, int64_t permutations, uint64_t seed,
                                     double *statistic, double *p);

/* Survival function of the two-sided one-sample Kolmogorov-Smirnov statistic d of n > 140 values: Simard and
 * L'Ecuyer 2011. */
double mdldm__kolmogorov_survival(double n, double d);

/* adjusted[n] for p[n] in [0, 1]: Holm 1979 (holm), which bounds the chance of any false rejection, or Benjamini and
 * Hochberg 1995, which bounds the share of false ones. In place is fine. */
mdldm_status mdldm__adjust_p_values(mdldm__env *env, int holm, const double *p, int64_t n, double *adjusted);

#endif
