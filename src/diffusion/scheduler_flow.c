/* SPDX-License-Identifier: MIT
 * FlowMatchEulerDiscreteScheduler and FlowMatchHeunDiscreteScheduler: the straight path between sample and noise
 * (Lipman et al., "Flow matching for generative modeling", 2023; Esser et al., "Scaling rectified flow
 * transformers", 2024). The model predicts dx/dsigma = noise - sample; sigma goes from 1 to 0. */
#include <math.h>

#include "diffusion/beta_schedule.h"
#include "diffusion/scheduler_internal.h"
#include "diffusion/sigma_table.h"

/* Noise levels of a run: sigma[0..steps-1], the 0 after them left to the caller. The shift of the training table's
 * ends is applied again, as in diffusers. */
static double spaced_sigma(const mdldm__scheduler *s, int64_t steps, int64_t i)
{
    const mdldm__scheduler_config *c = &s->config;
    const double train = (double)c->num_train_timesteps;
    const double highest = s->train_sigmas[c->num_train_timesteps - 1], lowest = s->train_sigmas[0];
    const double sigma = mdldm__linspace(highest * train, lowest * train, steps, i) / train;
    return c->shift * sigma / (1.0 + (c->shift - 1.0) * sigma);
}

/* So that the last is shift_terminal. */
static double stretched_sigma(const mdldm__scheduler *s, int64_t steps, int64_t i)
{
    const double sigma = spaced_sigma(s, steps, i), end = s->config.shift_terminal;
    if (isnan(end) || end == 0.0) /* Python's "if shift_terminal:" */
        return sigma;
    return 1.0 - (1.0 - sigma) / ((1.0 - spaced_sigma(s, steps, steps - 1)) / (1.0 - end));
}

static mdldm_status euler_set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    MDLDM__TRY(mdldm__scheduler_reserve(s, steps));
    const double first = stretched_sigma(s, steps, 0), last = stretched_sigma(s, steps, steps - 1);
    for (int64_t i = 0; i < steps; i++) {
        double sigma;
        if (!mdldm__respaced_sigma(&s->config, first, last, steps, i, &sigma))
            sigma = stretched_sigma(s, steps, i);
        s->sigmas[i] = (float)sigma;
        s->timesteps[i] = s->sigmas[i] * (float)s->config.num_train_timesteps;
    }
    s->sigmas[steps] = 0.0f;
    return MDLDM_OK;
}

/* The last step goes to sigma 0, where noise has no share. */
static int euler_wants_noise(const mdldm__scheduler *s, int64_t index)
{
    return s->config.stochastic_sampling && s->sigmas[index + 1] > 0.0f;
}

static mdldm_status euler_step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                               const float *noise, int64_t n, size_t count)
{
    (void)n;
    const float sigma = s->sigmas[index], next = s->sigmas[index + 1], dt = next - sigma;
    if (!s->config.stochastic_sampling) {
        for (size_t i = 0; i < count; i++)
            sample[i] += dt * model_output[i];
        return MDLDM_OK;
    }
    for (size_t i = 0; i < count; i++) {
        const float clean = sample[i] - sigma * model_output[i];
        sample[i] = next > 0.0f ? (1.0f - next) * clean + next * noise[i] : clean;
    }
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__flow_euler_methods = {
    .set_timesteps = euler_set_timesteps,
    .wants_noise = euler_wants_noise,
    .step = euler_step,
};

/* Two evaluations a level but the last: index 2k goes from level k to k+1 by Euler, index 2k+1 goes there again with
 * the mean of both ends' derivatives. */
static mdldm_status heun_set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    const int64_t evaluations = 2 * steps - 1;
    MDLDM__TRY(mdldm__scheduler_reserve(s, evaluations));
    for (int64_t i = 0; i < evaluations; i++) {
        s->sigmas[i] = (float)spaced_sigma(s, steps, (i + 1) / 2);
        s->timesteps[i] = s->sigmas[i] * (float)s->config.num_train_timesteps;
    }
    s->sigmas[evaluations] = 0.0f;
    return MDLDM_OK;
}

static mdldm_status heun_step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                              const float *noise, int64_t n, size_t count)
{
    (void)noise;
    (void)n;
    float *derivative = s->history[0], *start = s->history[1]; /* [count] each */
    const int first = index % 2 == 0;
    const float from = s->sigmas[first ? index : index - 1], to = s->sigmas[first ? index + 1 : index];
    const float here = first ? from : to, dt = to - from;
    for (size_t i = 0; i < count; i++) {
        const float clean = sample[i] - model_output[i] * here, slope = (sample[i] - clean) / here;
        if (first) {
            derivative[i] = slope;
            start[i] = sample[i];
            sample[i] += slope * dt;
        } else {
            sample[i] = start[i] + 0.5f * (derivative[i] + slope) * dt;
        }
    }
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__flow_heun_methods = {
    .set_timesteps = heun_set_timesteps,
    .step = heun_step,
    .arrays = 2,
    .remembers = 1,
};
