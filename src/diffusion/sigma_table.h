/* SPDX-License-Identifier: MIT
 * Noise levels of an inference run: interpolation in the training table, and the spacings of Karras et
 * al. 2022, exponential, beta and Lu. */
#ifndef MDLDM_DIFFUSION_SIGMA_TABLE_H
#define MDLDM_DIFFUSION_SIGMA_TABLE_H

#include "diffusion/scheduler_internal.h"

/* numpy.interp at t over table[0..count-1] at 0, 1, 2, ... */
double mdldm__interpolate(const float *table, int64_t count, double t);
/* Fractional timestep of a noise level, by interpolation in log sigma. */
double mdldm__sigma_to_timestep(const mdldm__scheduler *s, double sigma);
/* 1 when the config asks for Karras, exponential or beta noise levels; then sigmas[steps] are made
 * between sigma_max and sigma_min (in double, as there). */
int mdldm__respaced_sigma(const mdldm__scheduler_config *config, double sigma_max, double sigma_min,
                          int64_t steps, int64_t i, double *sigma);
/* Quantile function of the beta distribution with both parameters 0.6. */
double mdldm__beta_quantile(double p);
/* UNSUPPORTED when the training table reaches infinite noise. */
mdldm_status mdldm__check_train_sigmas(mdldm__scheduler *s);

/* set_timesteps, init_noise_sigma of Euler, EulerAncestral and LMS. */
mdldm_status mdldm__sigma_set_timesteps(mdldm__scheduler *s, int64_t steps);

#endif
