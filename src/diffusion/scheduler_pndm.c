/* SPDX-License-Identifier: MIT
 * PNDMScheduler: Liu et al., "Pseudo numerical methods for diffusion models on manifolds", 2022. Without
 * skip_prk_steps three noise levels are crossed by pseudo Runge-Kutta (four evaluations each), the rest
 * by pseudo linear multistep; with it the multistep method warms itself up by one repeated step. */
#include <math.h>
#include <string.h>

#include "diffusion/denoising_steps.h"

#define RUNGE_KUTTA_STEPS 12
/* Arrays: 0..3 model outputs, newest first; a combination of them; the sample a step began with. */
enum { OUTPUTS = 4, SUM = 4, START = 5, ARRAYS = 6 };

/* Timestep i of the rising list the orders below index. */
static int64_t rising(const mdldm__scheduler *s, int64_t i)
{
    return mdldm__integer_timestep(&s->config, s->requested, s->requested - 1 - i);
}

static int64_t half_ratio(const mdldm__scheduler *s)
{
    return s->config.num_train_timesteps / s->requested / 2;
}

static mdldm_status set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    const int64_t train = s->config.num_train_timesteps;
    /* Refuses an offset past the end. */
    MDLDM__TRY(mdldm__integer_set_timesteps(s, steps));
    int64_t k = 0;
    if (s->config.skip_prk_steps) {
        MDLDM__TRY(mdldm__scheduler_reserve(s, steps > 1 ? steps + 1 : steps));
        s->timesteps[k++] = (double)rising(s, steps - 1);
        if (steps > 1)
            s->timesteps[k++] = (double)rising(s, steps - 2);
        for (int64_t i = steps - 2; i >= 0; i--)
            s->timesteps[k++] = (double)rising(s, i);
        if (steps > 1 && s->timesteps[1] + (double)(train / steps) > (double)(train - 1))
            return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "pndm's first step from timestep %g would begin past the training's last; "
                                "another timestep_spacing would be right",
                                s->timesteps[1]);
        return MDLDM_OK;
    }
    if (steps < 4)
        return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "num_inference_steps is %lld but pndm with its Runge-Kutta start (skip_prk_steps "
                            "false) needs at least 4",
                            (long long)steps);
    MDLDM__TRY(mdldm__scheduler_reserve(s, RUNGE_KUTTA_STEPS + steps - 3));
    /* Levels a > b > c > d, h half a step: a, b+h, b+h, b, b, c+h, c+h, c, c, d+h, d+h, d. */
    for (int64_t level = 1; level <= 3; level++) {
        double upper = (double)rising(s, steps - level), lower = (double)rising(s, steps - level - 1);
        double middle = lower + (double)half_ratio(s);
        s->timesteps[k++] = upper;
        s->timesteps[k++] = middle;
        s->timesteps[k++] = middle;
        s->timesteps[k++] = lower;
    }
    for (int64_t i = steps - 4; i >= 0; i--)
        s->timesteps[k++] = (double)rising(s, i);
    return MDLDM_OK;
}

/* Equation 9 (11 in the journal version): from t to previous with noise estimate e, x -> out. */
static void transfer(const mdldm__scheduler *s, int64_t t, int64_t previous, const float *e, const float *x,
                     float *out, size_t count)
{
    const mdldm__scheduler_config *c = &s->config;
    const float final = c->set_alpha_to_one ? 1.0f : s->alphas_cumprod[0];
    const float a = s->alphas_cumprod[t], b = previous >= 0 ? s->alphas_cumprod[previous] : final;
    const float root = sqrtf(a), root_beta = sqrtf(1.0f - a);
    const float wx = sqrtf(b / a), we = b - a;
    const float denominator = a * sqrtf(1.0f - b) + sqrtf(a * (1.0f - a) * b);
    const int is_v = c->prediction_type == MDLDM__PREDICT_V;
    for (size_t i = 0; i < count; i++) {
        float epsilon = is_v ? root * e[i] + root_beta * x[i] : e[i];
        out[i] = wx * x[i] - we * epsilon / denominator;
    }
}

static void step_runge_kutta(mdldm__scheduler *s, int64_t index, const float *output, float *sample,
                             size_t count)
{
    float *sum = s->history[SUM], *start = s->history[START]; /* [count] */
    const float sixth = (float)(1.0 / 6.0), third = (float)(1.0 / 3.0);
    const int64_t base = index / 4 * 4;
    const int64_t t = (int64_t)s->timesteps[base];
    const int64_t previous = (int64_t)s->timesteps[index] - (index % 2 ? 0 : half_ratio(s));
    if (index % 4 == 0) {
        for (size_t i = 0; i < count; i++)
            sum[i] = sixth * output[i];
        memcpy(start, sample, count * sizeof *start);
        memcpy(mdldm__scheduler_push_history(s, OUTPUTS), output, count * sizeof *output);
    } else if (index % 4 == 3) {
        for (size_t i = 0; i < count; i++)
            sum[i] = sum[i] + sixth * output[i];
        output = sum;
    } else {
        for (size_t i = 0; i < count; i++)
            sum[i] = sum[i] + third * output[i];
    }
    transfer(s, t, previous, output, start, sample, count);
}

/* Adams-Bashforth combination of the outputs so far, newest first (equation 12 and the lower orders). */
static void combine(const mdldm__scheduler *s, float *out, size_t count)
{
    const float *e0 = s->history[0], *e1 = s->history[1], *e2 = s->history[2], *e3 = s->history[3];
    const float share = (float)(1.0 / 24.0);
    for (size_t i = 0; i < count; i++) {
        if (s->history_count == 1)
            out[i] = e0[i];
        else if (s->history_count == 2)
            out[i] = (3.0f * e0[i] - e1[i]) / 2.0f;
        else if (s->history_count == 3)
            out[i] = (23.0f * e0[i] - 16.0f * e1[i] + 5.0f * e2[i]) / 12.0f;
        else
            out[i] = share * (55.0f * e0[i] - 59.0f * e1[i] + 37.0f * e2[i] - 9.0f * e3[i]);
    }
}

static void step_multistep(mdldm__scheduler *s, int64_t index, const float *output, float *sample,
                           size_t count)
{
    const int64_t ratio = s->config.num_train_timesteps / s->requested;
    const int64_t t = (int64_t)s->timesteps[index];
    float *sum = s->history[SUM], *start = s->history[START]; /* [count] */
    if (index == 1) {
        /* The first step again, from where it began, with the mean of both estimates. */
        for (size_t i = 0; i < count; i++)
            sum[i] = (output[i] + s->history[0][i]) / 2.0f;
        transfer(s, t + ratio, t, sum, start, sample, count);
        return;
    }
    memcpy(mdldm__scheduler_push_history(s, OUTPUTS), output, count * sizeof *output);
    if (index == 0)
        memcpy(start, sample, count * sizeof *start);
    combine(s, sum, count);
    transfer(s, t, t - ratio, sum, sample, sample, count);
}

static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    (void)noise;
    (void)n;
    if (!s->config.skip_prk_steps && index < RUNGE_KUTTA_STEPS)
        step_runge_kutta(s, index, model_output, sample, count);
    else
        step_multistep(s, index, model_output, sample, count);
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__pndm_methods = {
    .set_timesteps = set_timesteps,
    .step = step,
    .arrays = ARRAYS,
    .remembers = 1,
};
