/* SPDX-License-Identifier: MIT
 * EulerDiscreteScheduler: algorithm 2 of Karras et al. 2022 without churn, first order. */
#include <math.h>

#include "diffusion/sigma_steps.h"
#include "diffusion/sigma_table.h"

static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    (void)noise;
    (void)n;
    const float sigma = s->sigmas[index], dt = s->sigmas[index + 1] - sigma;
    const float square = sigma * sigma + 1.0f, root = -sigma / sqrtf(square);
    for (size_t i = 0; i < count; i++)
        sample[i] += mdldm__sigma_derivative(s->config.prediction_type, sigma, root, square, model_output[i],
                                             sample[i]) * dt;
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__euler_methods = {
    .set_timesteps = mdldm__sigma_set_timesteps,
    .step = step,
    .scales_input = 1,
};
