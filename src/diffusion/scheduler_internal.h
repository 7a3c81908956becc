/* SPDX-License-Identifier: MIT
 * What the schedulers share. diffusers keeps betas, alphas_cumprod and sigmas in float32 tensors and
 * does the step arithmetic in float32 as well; where 1 - alpha or log(alpha) - log(sigma) cancels, that
 * rounding is visible (beta_t of the last steps differs by 1e-3 from double). To give the same
 * trajectories the tables and coefficients here are float, in the same order of operations. */
#ifndef MDLDM_DIFFUSION_SCHEDULER_INTERNAL_H
#define MDLDM_DIFFUSION_SCHEDULER_INTERNAL_H

#include "diffusion/scheduler.h"
#include "diffusion/scheduler_config.h"

#define MDLDM__MAX_HISTORY 6

typedef struct mdldm__scheduler_methods {
    mdldm_status (*set_timesteps)(mdldm__scheduler *s, int64_t steps);
    int (*wants_noise)(const mdldm__scheduler *s, int64_t index); /* NULL: never */
    mdldm_status (*step)(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count);
    int scales_input;  /* scale_model_input divides by sqrt(sigma^2 + 1) */
    int32_t arrays;    /* arrays of count floats it works with */
    int remembers;     /* their contents go from step to step, so steps must come in order */
} mdldm__scheduler_methods;

struct mdldm__scheduler {
    mdldm__env *env;
    mdldm__scheduler_config config;
    const mdldm__scheduler_methods *methods;
    float *alphas_cumprod;         /* [num_train_timesteps]; zeros in flow matching */
    double *alphas_cumprod_double; /* the same values */
    float *train_sigmas;           /* rising with the timestep: sqrt((1-ac)/ac); in flow matching the share of noise */
    int64_t requested;             /* num_inference_steps; steps may be more (PNDM) */
    int64_t steps;
    double *timesteps; /* [steps] */
    float *sigmas;     /* [steps + 1], for the classes that have them */
    double init_noise_sigma;
    double eta;
    int64_t next_index;
    size_t history_size; /* floats in each history array */
    float *history[MDLDM__MAX_HISTORY];
    int32_t history_count; /* how many of them are filled, for the class to manage */
};

extern const mdldm__scheduler_methods mdldm__ddpm_methods, mdldm__ddim_methods, mdldm__dpmsolver_methods,
    mdldm__euler_methods, mdldm__euler_ancestral_methods, mdldm__lms_methods, mdldm__pndm_methods,
    mdldm__flow_euler_methods, mdldm__flow_heun_methods;

/* Room for `steps` timesteps and steps + 1 sigmas; sets s->steps. */
mdldm_status mdldm__scheduler_reserve(mdldm__scheduler *s, int64_t steps);
/* Of the first `slots` history arrays the last becomes the first, the others move up; history_count
 * grows up to slots. Returns the first. */
float *mdldm__scheduler_push_history(mdldm__scheduler *s, int32_t slots);

/* Dynamic thresholding of x0 in place, per image (Saharia et al. 2022, section 2.3): clamp to the
 * s-quantile of |x0| (at least 1, at most sample_max_value) and divide by it. */
mdldm_status mdldm__threshold_sample(mdldm__scheduler *s, float *x0, int64_t n, size_t count);

#endif
