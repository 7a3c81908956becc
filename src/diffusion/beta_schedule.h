/* SPDX-License-Identifier: MIT
 * Tables of the forward process, and numpy's ranges, in the peer's own precision. */
#ifndef MDLDM_DIFFUSION_BETA_SCHEDULE_H
#define MDLDM_DIFFUSION_BETA_SCHEDULE_H

#include "diffusion/scheduler_config.h"

/* alphas_cumprod[config->num_train_timesteps]. */
void mdldm__alphas_cumprod(const mdldm__scheduler_config *config, float *out);
/* Element i of torch.linspace(start, end, count, dtype=float32). */
float mdldm__linspace_f32(double start, double end, int64_t count, int64_t i);
/* Element i of numpy.linspace(start, stop, count). */
double mdldm__linspace(double start, double stop, int64_t count, int64_t i);
/* Element i of numpy.arange(start, 0, -step). */
double mdldm__arange_down(double start, double step, int64_t i);

#endif
