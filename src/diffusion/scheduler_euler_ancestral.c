/* SPDX-License-Identifier: MIT
 * EulerAncestralDiscreteScheduler: a deterministic step to sigma_down, then noise up to the next level. */
#include <math.h>

#include "diffusion/sigma_steps.h"
#include "diffusion/sigma_table.h"

static float sigma_up(const mdldm__scheduler *s, int64_t index)
{
    const float from = s->sigmas[index], to = s->sigmas[index + 1];
    return sqrtf(to * to * (from * from - to * to) / (from * from));
}

static int wants_noise(const mdldm__scheduler *s, int64_t index)
{
    return sigma_up(s, index) > 0.0f; /* diffusers draws for the last step too and multiplies by 0 */
}

static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    (void)n;
    const float sigma = s->sigmas[index], to = s->sigmas[index + 1], up = sigma_up(s, index);
    const float down = sqrtf(to * to - up * up), dt = down - sigma;
    const float square = sigma * sigma + 1.0f, root = -sigma / sqrtf(square);
    for (size_t i = 0; i < count; i++)
        sample[i] += mdldm__sigma_derivative(s->config.prediction_type, sigma, root, square, model_output[i],
                                             sample[i]) * dt;
    if (up > 0.0f)
        for (size_t i = 0; i < count; i++)
            sample[i] = sample[i] + noise[i] * up;
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__euler_ancestral_methods = {
    .set_timesteps = mdldm__sigma_set_timesteps,
    .wants_noise = wants_noise,
    .step = step,
    .scales_input = 1,
};
