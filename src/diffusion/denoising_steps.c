/* SPDX-License-Identifier: MIT */
#include "diffusion/denoising_steps.h"

#include <math.h>
#include <string.h>

#include "diffusion/beta_schedule.h"

int64_t mdldm__integer_timestep(const mdldm__scheduler_config *config, int64_t steps, int64_t i)
{
    const int64_t train = config->num_train_timesteps;
    switch (config->timestep_spacing) {
    case MDLDM__SPACING_LINSPACE:
        return (int64_t)rint(mdldm__linspace(0.0, (double)(train - 1), steps, steps - 1 - i));
    case MDLDM__SPACING_LEADING:
        return (steps - 1 - i) * (train / steps) + config->steps_offset;
    default:
        /* For some step counts (61, 103, 121 of 1000 ...) rounding makes numpy.arange one longer, and
         * diffusers takes one step more, at timestep -1. Here it is always `steps`. */
        return (int64_t)rint(mdldm__arange_down((double)train, (double)train / (double)steps, i)) - 1;
    }
}

mdldm_status mdldm__integer_set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    int64_t first = mdldm__integer_timestep(&s->config, steps, 0);
    if (first >= s->config.num_train_timesteps)
        return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "steps_offset %lld with %lld steps begins at timestep %lld, past the training's "
                            "last, %lld; fewer steps or another timestep_spacing would be right",
                            (long long)s->config.steps_offset, (long long)steps, (long long)first,
                            (long long)s->config.num_train_timesteps - 1);
    MDLDM__TRY(mdldm__scheduler_reserve(s, steps));
    for (int64_t i = 0; i < steps; i++)
        s->timesteps[i] = (double)mdldm__integer_timestep(&s->config, steps, i);
    return MDLDM_OK;
}

mdldm_status mdldm__predict_x0(mdldm__scheduler *s, float ac, const float *model_output, const float *sample,
                               int64_t n, size_t count, float *x0)
{
    const mdldm__scheduler_config *c = &s->config;
    const float root = sqrtf(ac), root_beta = sqrtf(1.0f - ac);
    if (c->prediction_type == MDLDM__PREDICT_EPSILON)
        for (size_t i = 0; i < count; i++)
            x0[i] = (sample[i] - root_beta * model_output[i]) / root;
    else if (c->prediction_type == MDLDM__PREDICT_V)
        for (size_t i = 0; i < count; i++)
            x0[i] = root * sample[i] - root_beta * model_output[i];
    else
        memcpy(x0, model_output, count * sizeof *x0);
    if (c->thresholding)
        return mdldm__threshold_sample(s, x0, n, count);
    if (c->clip_sample) {
        const float range = (float)c->clip_sample_range;
        for (size_t i = 0; i < count; i++) /* not fminf(fmaxf()): a NaN must stay one */
            x0[i] = x0[i] < -range ? -range : x0[i] > range ? range : x0[i];
    }
    return MDLDM_OK;
}
