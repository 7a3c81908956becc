/* SPDX-License-Identifier: MIT
 * How close two images are. Images are float NHWC [height][width][channels]; range is the distance
 * between the smallest and the largest value a pixel may have: 2 for [-1, 1]. One image a call: a set's
 * figure is the mean over its images. */
#ifndef MDLDM_EVAL_IMAGE_METRICS_H
#define MDLDM_EVAL_IMAGE_METRICS_H

#include "util/env.h"

/* Peak signal-to-noise ratio, 10 log10(range^2 / mean squared error), in dB; INFINITY when equal. */
double mdldm__psnr(const float *a, const float *b, size_t count, double range);

/* Structural similarity, Wang, Bovik, Sheikh and Simoncelli 2004: Gaussian window 11x11 of sigma 1.5,
 * K1 0.01, K2 0.03, mean over channels and over the places where the window fits. Images of less than
 * 11 pixels a side are INVALID_ARGUMENT. */
mdldm_status mdldm__ssim(mdldm__env *env, const float *a, const float *b, int64_t height, int64_t width,
                         int64_t channels, double range, double *out);

#endif
