/* SPDX-License-Identifier: MIT
 * Is there something in a set of latents that a diffusion model can learn? Statistics, spectrum, and two linear probes.
 * docs/LATENT_REPORT.md has the definitions in words, tests/golden/make_latent_golden.py in NumPy. */
#ifndef MDLDM_EVAL_LATENT_NUMBERS_H
#define MDLDM_EVAL_LATENT_NUMBERS_H

#include "util/env.h"

#define MDLDM__LATENT_LAGS 4 /* 1, 2, 4, 8 */
#define MDLDM__LATENT_TIMESTEPS 10

typedef struct mdldm__latent_set {
    const float *z; /* [n][channels][h][w]; n 2 or more */
    int64_t n, channels, h, w;
} mdldm__latent_set;

typedef struct mdldm__latent_moments {
    double mean, deviation, kurtosis; /* over images and places; kurtosis in excess of 3 */
    double fixed_share;               /* of the variance: what is the same in all images, place by place */
} mdldm__latent_moments;

/* One channel. A channel without variance has kurtosis and fixed_share NaN. */
mdldm__latent_moments mdldm__latent_moments_of(const mdldm__latent_set *s, int64_t channel);
/* Pearson's, over images and places; NaN where one has no variance. */
double mdldm__latent_correlation(const mdldm__latent_set *s, int64_t a, int64_t b);

/* rest [n][channels][h][w] = z less the mean of its place over the images: what a picture has of its own. */
void mdldm__latent_rest(const mdldm__latent_set *s, float *rest);

/* Of the rest of one channel, at lags of 1, 2, 4, 8 cells along w (time) and h (Doppler): mean of products over mean of
 * squares; NaN where a side is not longer. */
void mdldm__latent_autocorrelation(const mdldm__latent_set *rest, int64_t channel, double time[MDLDM__LATENT_LAGS],
                                   double doppler[MDLDM__LATENT_LAGS]);

/* power [h][w]: mean over the images of |DFT of the rest|^2 / (h w), over n - 1 instead of n, so that its mean over the
 * frequencies is the variance. */
mdldm_status mdldm__latent_power(mdldm__env *env, const mdldm__latent_set *rest, int64_t channel, double *power);

/* radial[min(h,w)/2 + 1] += power over its mean, averaged over frequencies that lie round(radius * min(h,w)) from zero, radius
 * in cycles per cell, at most 1/2; 1: white. Gives the share of the power at radii above 1/4 (white: 0.80). A power
 * of zero adds nothing and gives NaN. */
double mdldm__latent_radial(const double *power, int64_t h, int64_t w, double *radial);
/* Slope of log radial over log radius by least squares, radii from 1 on; NaN where fewer than two are above 0. */
double mdldm__latent_slope(const double *radial, int64_t count);

/* The principal directions of the rest's channels, a row each in directions [channels][channels], by falling variance. */
mdldm_status mdldm__latent_principal(mdldm__env *env, const mdldm__latent_set *rest, double *directions,
                                     double *variances);
/* z, of the size of s, to those directions, in place. Independent noise of one strength stays that. */
mdldm_status mdldm__latent_rotate(mdldm__env *env, const mdldm__latent_set *s, const double *directions, float *z);

/* Denoising by the best linear filter: errors[k] += of timestep mdldm__latent_timesteps[k] of the usual noise process (Ho
 * et al. 2020: 1000 steps, beta from 1e-4 to 0.02) the mean squared error of the noise that Wiener's filter for this power
 * leaves. White latents of that variance: frequencies 1. */
extern const int32_t mdldm__latent_timesteps[MDLDM__LATENT_TIMESTEPS];
void mdldm__latent_denoising(const double *power, int64_t frequencies, double errors[MDLDM__LATENT_TIMESTEPS]);

/* Ridge regression of a cell of the rest on the 5x5 cells around it but that one, all channels, fitted on four fifths of the
 * images and tested on every fifth. explained[channels]: share of the variance; NaN with fewer than 5 images or sides
 * below 5. Errors: OUT_OF_MEMORY, CANCELLED. */
mdldm_status mdldm__latent_probe(mdldm__env *env, const mdldm__latent_set *rest, double *explained);

#endif
