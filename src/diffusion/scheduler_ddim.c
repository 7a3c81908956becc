/* SPDX-License-Identifier: MIT
 * DDIMScheduler: Song, Meng and Ermon, "Denoising diffusion implicit models", 2020. */
#include <math.h>

#include "diffusion/denoising_steps.h"

static int wants_noise(const mdldm__scheduler *s, int64_t index)
{
    (void)index;
    return s->eta > 0.0;
}

/* Equation 12, with sigma_t = eta sqrt((1-a_prev)/(1-a_t)) sqrt(1 - a_t/a_prev) of equation 16. */
static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    const mdldm__scheduler_config *c = &s->config;
    const int64_t t = (int64_t)s->timesteps[index];
    const int64_t previous = t - c->num_train_timesteps / s->requested;
    const float final = c->set_alpha_to_one ? 1.0f : s->alphas_cumprod[0];
    const float ac = s->alphas_cumprod[t];
    const float ac_previous = previous >= 0 ? s->alphas_cumprod[previous] : final;
    const float root = sqrtf(ac), root_beta = sqrtf(1.0f - ac);
    float *x0 = s->history[0]; /* [count] */
    MDLDM__TRY(mdldm__predict_x0(s, ac, model_output, sample, n, count, x0));

    const float variance = (1.0f - ac_previous) / (1.0f - ac) * (1.0f - ac / ac_previous);
    const float deviation = (float)s->eta * sqrtf(variance);
    const float direction = sqrtf(1.0f - ac_previous - deviation * deviation);
    const float w0 = sqrtf(ac_previous);
    for (size_t i = 0; i < count; i++) {
        float epsilon = model_output[i];
        if (c->prediction_type == MDLDM__PREDICT_SAMPLE)
            epsilon = (sample[i] - root * model_output[i]) / root_beta;
        else if (c->prediction_type == MDLDM__PREDICT_V)
            epsilon = root * model_output[i] + root_beta * sample[i];
        sample[i] = w0 * x0[i] + direction * epsilon;
    }
    if (s->eta > 0.0)
        for (size_t i = 0; i < count; i++)
            sample[i] = sample[i] + deviation * noise[i];
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__ddim_methods = {
    .set_timesteps = mdldm__integer_set_timesteps,
    .wants_noise = wants_noise,
    .step = step,
    .arrays = 1,
};
