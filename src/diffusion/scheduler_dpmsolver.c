/* SPDX-License-Identifier: MIT
 * DPMSolverMultistepScheduler. DPM-Solver: Lu et al. 2022a (noise prediction); DPM-Solver++: Lu et al.
 * 2022b (data prediction), multistep orders 1 to 3, midpoint and Heun forms; their SDE variants. */
#include <math.h>

#include "diffusion/dpmsolver_timesteps.h"
#include "diffusion/scheduler_internal.h"

enum { OUTPUTS = 3 }; /* converted model outputs, newest first */

typedef struct level {
    float alpha, sigma, lambda; /* lambda = log(alpha/sigma) */
} level;

static level level_at(const mdldm__scheduler *s, int64_t index)
{
    const float ratio = s->sigmas[index];
    level l;
    l.alpha = 1.0f / sqrtf(ratio * ratio + 1.0f);
    l.sigma = ratio * l.alpha;
    l.lambda = logf(l.alpha) - logf(l.sigma);
    return l;
}

static int is_sde(const mdldm__scheduler *s)
{
    return s->config.algorithm_type == MDLDM__DPM_SDE_PP || s->config.algorithm_type == MDLDM__DPM_SDE;
}

static int predicts_data(const mdldm__scheduler *s)
{
    return s->config.algorithm_type == MDLDM__DPM_PP || s->config.algorithm_type == MDLDM__DPM_SDE_PP;
}

static int wants_noise(const mdldm__scheduler *s, int64_t index)
{
    (void)index;
    return is_sde(s);
}

/* convert_model_output: the clean sample for the ++ algorithms ... */
static mdldm_status convert_to_data(mdldm__scheduler *s, level l, const float *output, const float *sample,
                                    int64_t n, size_t count, float *x0)
{
    for (size_t i = 0; i < count; i++) {
        if (s->config.prediction_type == MDLDM__PREDICT_EPSILON)
            x0[i] = (sample[i] - l.sigma * output[i]) / l.alpha;
        else if (s->config.prediction_type == MDLDM__PREDICT_V)
            x0[i] = l.alpha * sample[i] - l.sigma * output[i];
        else
            x0[i] = output[i];
    }
    return s->config.thresholding ? mdldm__threshold_sample(s, x0, n, count) : MDLDM_OK;
}

/* ... the noise for the others. */
static mdldm_status convert_to_noise(mdldm__scheduler *s, level l, const float *output, const float *sample,
                                     int64_t n, size_t count, float *epsilon)
{
    for (size_t i = 0; i < count; i++) {
        if (s->config.prediction_type == MDLDM__PREDICT_EPSILON)
            epsilon[i] = output[i];
        else if (s->config.prediction_type == MDLDM__PREDICT_V)
            epsilon[i] = l.alpha * output[i] + l.sigma * sample[i];
        else
            epsilon[i] = (sample[i] - l.alpha * output[i]) / l.sigma;
    }
    if (!s->config.thresholding)
        return MDLDM_OK;
    for (size_t i = 0; i < count; i++)
        epsilon[i] = (sample[i] - l.sigma * epsilon[i]) / l.alpha;
    MDLDM__TRY(mdldm__threshold_sample(s, epsilon, n, count));
    for (size_t i = 0; i < count; i++)
        epsilon[i] = (sample[i] - l.alpha * epsilon[i]) / l.sigma;
    return MDLDM_OK;
}

/* x_t = x * sample + d0 D0 + d1 D1 + d2 D2 + noise: every algorithm, order and form is a choice of these
 * five, computed in float in the order of diffusers' expressions. */
typedef struct weights {
    float x, d0, d1, d2, noise;
} weights;

/* Lu et al. 2022b, table 1 and appendix: data prediction, ODE and SDE. */
static weights data_weights(const mdldm__scheduler *s, level t, level from, float h, int order)
{
    const int heun = s->config.solver_type == MDLDM__SOLVER_HEUN;
    weights w = {0};
    if (!is_sde(s)) {
        const float e = expf(-h) - 1.0f;
        w.x = t.sigma / from.sigma;
        w.d0 = -(t.alpha * e);
        if (order == 2)
            w.d1 = heun ? t.alpha * (e / h + 1.0f) : -(0.5f * (t.alpha * e));
        if (order == 3) {
            w.d1 = t.alpha * (e / h + 1.0f);
            w.d2 = -(t.alpha * ((e + h) / (h * h) - 0.5f));
        }
        return w;
    }
    const float e = 1.0f - expf(-2.0f * h);
    w.x = t.sigma / from.sigma * expf(-h);
    w.d0 = t.alpha * e;
    w.noise = t.sigma * sqrtf(e);
    if (order == 2)
        w.d1 = heun ? t.alpha * (e / (-2.0f * h) + 1.0f) : 0.5f * (t.alpha * e);
    if (order == 3) {
        w.d1 = t.alpha * (e / (-2.0f * h) + 1.0f);
        w.d2 = t.alpha * ((e - 2.0f * h) / ((2.0f * h) * (2.0f * h)) - 0.5f);
    }
    return w;
}

/* Lu et al. 2022a, algorithm 1 and appendix: noise prediction, ODE and SDE (the SDE up to order 2). */
static weights noise_weights(const mdldm__scheduler *s, level t, level from, float h, int order)
{
    const int heun = s->config.solver_type == MDLDM__SOLVER_HEUN;
    const float e = expf(h) - 1.0f;
    weights w = {0};
    w.x = t.alpha / from.alpha;
    if (!is_sde(s)) {
        w.d0 = -(t.sigma * e);
        if (order == 2)
            w.d1 = heun ? -(t.sigma * (e / h - 1.0f)) : -(0.5f * (t.sigma * e));
        if (order == 3) {
            w.d1 = -(t.sigma * (e / h - 1.0f));
            w.d2 = -(t.sigma * ((e - h) / (h * h) - 0.5f));
        }
        return w;
    }
    w.d0 = -(2.0f * (t.sigma * e));
    w.noise = t.sigma * sqrtf(expf(2.0f * h) - 1.0f);
    if (order == 2)
        w.d1 = heun ? -(2.0f * (t.sigma * (e / h - 1.0f))) : -(t.sigma * e);
    return w;
}

static int order_at(const mdldm__scheduler *s, int64_t index)
{
    const mdldm__scheduler_config *c = &s->config;
    const int few = c->lower_order_final && s->steps < 15;
    int order = (int)c->solver_order;
    if (index == s->steps - 1 && (c->euler_at_final || few || !c->final_sigma_min))
        return 1;
    if (index == s->steps - 2 && few && order > 2)
        order = 2;
    return order < index + 1 ? order : (int)(index + 1);
}

static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    const level t = level_at(s, index + 1), s0 = level_at(s, index);
    const int order = order_at(s, index);
    float *newest = mdldm__scheduler_push_history(s, OUTPUTS); /* [count] */
    if (predicts_data(s))
        MDLDM__TRY(convert_to_data(s, s0, model_output, sample, n, count, newest));
    else
        MDLDM__TRY(convert_to_noise(s, s0, model_output, sample, n, count, newest));

    const float h = t.lambda - s0.lambda;
    const weights w = predicts_data(s) ? data_weights(s, t, s0, h, order) : noise_weights(s, t, s0, h, order);
    const float h0 = order > 1 ? s0.lambda - level_at(s, index - 1).lambda : 1.0f;
    const float h1 = order > 2 ? level_at(s, index - 1).lambda - level_at(s, index - 2).lambda : 1.0f;
    const float r0 = h0 / h, r1 = h1 / h;
    const float *m0 = s->history[0], *m1 = s->history[1], *m2 = s->history[2];
    for (size_t i = 0; i < count; i++) {
        float x = w.x * sample[i] + w.d0 * m0[i];
        if (order == 2)
            x += w.d1 * (1.0f / r0 * (m0[i] - m1[i]));
        if (order == 3) {
            float a = 1.0f / r0 * (m0[i] - m1[i]), b = 1.0f / r1 * (m1[i] - m2[i]);
            x += w.d1 * (a + r0 / (r0 + r1) * (a - b)) + w.d2 * (1.0f / (r0 + r1) * (a - b));
        }
        sample[i] = noise != NULL ? x + w.noise * noise[i] : x;
    }
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__dpmsolver_methods = {
    .set_timesteps = mdldm__dpmsolver_set_timesteps,
    .wants_noise = wants_noise,
    .step = step,
    .arrays = OUTPUTS,
    .remembers = 1,
};
