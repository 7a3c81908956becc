/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_EVAL_KERNEL_DISTANCE_H
#define MDLDM_EVAL_KERNEL_DISTANCE_H

#include "eval/feature_set.h"

/* Kernel distance ("KID", Binkowski et al. 2018): the unbiased estimate of the squared maximum mean discrepancy
 * (equation 3 of Gretton et al. 2012) under the kernel (x.y / d + 1)^3, as the mean over random subsets of size rows
 * of each set, without repetition within one. *error: its standard error by the spread over the subsets (the
 * delete-d jackknife of Shao and Wu 1989); NULL: not wanted. size 0: half the smaller set; otherwise 2 to one less than
 * that set, or all of it without an error. */
mdldm_status mdldm__kernel_distance(mdldm__env *env, const mdldm__feature_set *a, const mdldm__feature_set *b,
                                    int64_t d, int64_t subsets, int64_t size, uint64_t seed, double *mean,
                                    double *error);

#endif
