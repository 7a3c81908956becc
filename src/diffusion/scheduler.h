/* SPDX-License-Identifier: MIT
 * Schedulers with diffusers' formulas and config keys. A scheduler is made from a JSON config (the
 * stored one, or the same config under another class, as from_config does) and set to a number of
 * steps; its step takes the model output and the current sample to the previous sample. All arithmetic
 * on whole arrays of count floats, whatever their shape; per-image noise comes from the caller. */
#ifndef MDLDM_DIFFUSION_SCHEDULER_H
#define MDLDM_DIFFUSION_SCHEDULER_H

#include <jansson.h>

#include "util/env.h"

typedef struct mdldm__scheduler mdldm__scheduler;

/* config: any scheduler_config.json; class_name: "DDPMScheduler", or the option's short words ddpm,
 * ddim, dpmsolver++, dpmsolver-sde, euler, euler_ancestral, lms, pndm, flow_euler, flow_heun; NULL: config's
 * _class_name.
 * Keys the class has and config lacks take diffusers' from_pretrained/from_config defaults. Unknown
 * values are refused by key. */
mdldm_status mdldm__scheduler_create(mdldm__env *env, const json_t *config, const char *class_name,
                                     mdldm__scheduler **out);
void mdldm__scheduler_free(mdldm__scheduler *s);

/* 1-based step count, 1..num_train_timesteps. Resets history. */
mdldm_status mdldm__scheduler_set_timesteps(mdldm__scheduler *s, int64_t steps);
int64_t mdldm__scheduler_steps(const mdldm__scheduler *s);
double mdldm__scheduler_timestep(const mdldm__scheduler *s, int64_t index);
double mdldm__scheduler_init_noise_sigma(const mdldm__scheduler *s);
int64_t mdldm__scheduler_num_train_timesteps(const mdldm__scheduler *s);
const char *mdldm__scheduler_class(const mdldm__scheduler *s);
const char *mdldm__scheduler_prediction_type(const mdldm__scheduler *s);
/* alphas_cumprod[num_train_timesteps] in double; zeros in flow matching. */
const double *mdldm__scheduler_alphas_cumprod(const mdldm__scheduler *s);

/* scale_model_input of step index: in -> out, count floats (may be the same array). */
void mdldm__scheduler_scale_input(const mdldm__scheduler *s, int64_t index, const float *in, float *out,
                                  size_t count);
/* 1 when step index draws noise. */
int mdldm__scheduler_wants_noise(const mdldm__scheduler *s, int64_t index);
void mdldm__scheduler_set_eta(mdldm__scheduler *s, double eta); /* DDIM */
/* One step in place. n images of count/n floats (thresholding works per image). noise: count floats,
 * needed where wants_noise says so. index 0 drops the history, later indices must come in order. */
mdldm_status mdldm__scheduler_step(mdldm__scheduler *s, int64_t index, const float *model_output,
                                   float *sample, const float *noise, int64_t n, size_t count);
/* The time a model is told in training at timestep 0..num_train_timesteps-1: the same number; in flow matching
 * num_train_timesteps times the share of noise. */
double mdldm__scheduler_train_time(const mdldm__scheduler *s, int64_t index);
/* sqrt((1-ac)/ac) there; in flow matching the share of noise. */
double mdldm__scheduler_train_sigma(const mdldm__scheduler *s, int64_t index);
/* Forward process at integer training timesteps[n]: noisy = sqrt(ac) x + sqrt(1-ac) noise; in flow matching
 * noisy = (1-sigma) x + sigma noise (Lipman et al. 2023; Liu et al. 2023). */
mdldm_status mdldm__scheduler_add_noise(const mdldm__scheduler *s, const float *sample, const float *noise,
                                        const int64_t *timesteps, int64_t n, size_t count, float *noisy);
/* v = sqrt(ac) noise - sqrt(1-ac) x; in flow matching noise - x. */
mdldm_status mdldm__scheduler_velocity(const mdldm__scheduler *s, const float *sample, const float *noise,
                                       const int64_t *timesteps, int64_t n, size_t count, float *out);

#endif
