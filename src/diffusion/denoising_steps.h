/* SPDX-License-Identifier: MIT
 * Timesteps and the clean sample's estimate as DDPM, DDIM and PNDM have them. */
#ifndef MDLDM_DIFFUSION_DENOISING_STEPS_H
#define MDLDM_DIFFUSION_DENOISING_STEPS_H

#include "diffusion/scheduler_internal.h"

/* Integer timestep i of `steps` by timestep_spacing, first the noisiest. */
int64_t mdldm__integer_timestep(const mdldm__scheduler_config *config, int64_t steps, int64_t i);
/* Fills s->timesteps with them; a timestep past the training's is refused. */
mdldm_status mdldm__integer_set_timesteps(mdldm__scheduler *s, int64_t steps);
/* x0 from the model output at alphas_cumprod ac ("predicted x_0", equation 15 of Ho et al. 2020 for
 * epsilon, Salimans and Ho 2022 for v), thresholded or clipped as the config says. */
mdldm_status mdldm__predict_x0(mdldm__scheduler *s, float ac, const float *model_output, const float *sample,
                               int64_t n, size_t count, float *x0);

#endif
