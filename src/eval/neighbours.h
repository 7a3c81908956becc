/* SPDX-License-Identifier: MIT
 * What Euclidean neighbours say about two feature sets. */
#ifndef MDLDM_EVAL_NEIGHBOURS_H
#define MDLDM_EVAL_NEIGHBOURS_H

#include "eval/feature_set.h"

typedef struct mdldm__neighbour_shares {
    double precision, recall, density, coverage;
} mdldm__neighbour_shares;

/* Improved precision and recall of Kynkaanniemi et al. 2019, density and coverage of Naeem et al. 2020 (as their
 * package prdc): a point is within another set when it is nearer to one of its points than that one's k-th
 * neighbour. 1 <= k < rows of either. */
mdldm_status mdldm__precision_recall(mdldm__env *env, const mdldm__feature_set *real, const mdldm__feature_set *fake,
                                     int64_t d, int64_t k, mdldm__neighbour_shares *out);

/* Of each row of from the distance to the nearest of to, and that one's row (nearest may be NULL). */
mdldm_status mdldm__nearest_distances(mdldm__env *env, const mdldm__feature_set *from, const mdldm__feature_set *to,
                                      int64_t d, double *distances, int64_t *nearest);

/* The quantile of the held-out rows' distances to the nearest training row, and the share of fakes that are nearer
 * than that. */
mdldm_status mdldm__near_copies(mdldm__env *env, const mdldm__feature_set *train, const mdldm__feature_set *held_out,
                                const mdldm__feature_set *fake, int64_t d, double quantile, double *threshold,
                                double *share);

#endif
