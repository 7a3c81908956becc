/* SPDX-License-Identifier: MIT
 * DDPMScheduler: Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", 2020. */
#include <math.h>

#include "diffusion/denoising_steps.h"

static int wants_noise(const mdldm__scheduler *s, int64_t index)
{
    return s->timesteps[index] > 0.0;
}

/* Standard deviation of the noise, from equations 6 and 7. */
static float noise_deviation(const mdldm__scheduler_config *c, float ac, float ac_previous, float beta)
{
    float variance = (1.0f - ac_previous) / (1.0f - ac) * beta;
    if (variance < 1e-20f)
        variance = 1e-20f;
    switch (c->variance_type) {
    case MDLDM__VARIANCE_SMALL_LOG:
        return expf(0.5f * logf(variance));
    case MDLDM__VARIANCE_LARGE:
        return sqrtf(beta);
    case MDLDM__VARIANCE_LARGE_LOG:
        /* diffusers takes the square root of the logarithm here, which is NaN; this is what is meant. */
        return expf(0.5f * logf(beta));
    default:
        return sqrtf(variance);
    }
}

static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    const int64_t t = (int64_t)s->timesteps[index];
    const float ac = s->alphas_cumprod[t];
    const float ac_previous =
        index + 1 < s->steps ? s->alphas_cumprod[(int64_t)s->timesteps[index + 1]] : 1.0f;
    const float alpha = ac / ac_previous, beta = 1.0f - alpha;
    float *x0 = s->history[0]; /* [count] */
    MDLDM__TRY(mdldm__predict_x0(s, ac, model_output, sample, n, count, x0));
    const float w0 = sqrtf(ac_previous) * beta / (1.0f - ac);
    const float wt = sqrtf(alpha) * (1.0f - ac_previous) / (1.0f - ac);
    for (size_t i = 0; i < count; i++)
        sample[i] = w0 * x0[i] + wt * sample[i];
    if (wants_noise(s, index)) {
        const float deviation = noise_deviation(&s->config, ac, ac_previous, beta);
        for (size_t i = 0; i < count; i++)
            sample[i] = sample[i] + deviation * noise[i];
    }
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__ddpm_methods = {
    .set_timesteps = mdldm__integer_set_timesteps,
    .wants_noise = wants_noise,
    .step = step,
    .arrays = 1,
};
