/* SPDX-License-Identifier: MIT
 * Fixed features of a spectrogram's picture: docs/METRICS.md has the list and the formulae. */
#ifndef MDLDM_EVAL_SPECTROGRAM_FEATURES_H
#define MDLDM_EVAL_SPECTROGRAM_FEATURES_H

#include "util/env.h"

#define MDLDM__GRID 256 /* every picture is brought to this many rows and columns */

/* 0: no such number of channels. */
int64_t mdldm__spectrogram_feature_count(int64_t channels);
/* pixels [n,channels,height,width] -> features [n][count]. */
mdldm_status mdldm__spectrogram_features(mdldm__env *env, const float *pixels, int64_t n, int64_t channels,
                                         int64_t height, int64_t width, float *features);

/* plane [height][width] -> [GRID][GRID] in place: the picture as a function that is constant on each pixel, averaged over
 * each cell of the grid. plane and room hold max(height, GRID) * max(width, GRID) values. */
void mdldm__picture_grid(double *plane, int64_t height, int64_t width, double *room);

#endif
