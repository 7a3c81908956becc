/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_EVAL_FRECHET_H
#define MDLDM_EVAL_FRECHET_H

#include "eval/feature_set.h"

/* Squared Frechet (Wasserstein-2) distance between the normal distributions that have the means and covariances
 * (n - 1) of a [na][d] and b [nb][d], each of 2 rows or more: |ma - mb|^2 + tr Ca + tr Cb - 2 tr (Ca Cb)^(1/2); Dowson
 * and Landau 1982, as the "FID" of Heusel et al. 2017. UNAVAILABLE without LAPACK. */
mdldm_status mdldm__frechet_distance(mdldm__env *env, const mdldm__feature_set *a, const mdldm__feature_set *b,
                                     int64_t d, double *out);

#endif
