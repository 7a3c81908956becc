/* SPDX-License-Identifier: MIT */
#include "diffusion/beta_schedule.h"

#include <math.h>

static const double half_pi = 1.57079632679489661923;

/* torch fills from both ends, each element one fused multiply-add in float32. */
float mdldm__linspace_f32(double start, double end, int64_t count, int64_t i)
{
    float first = (float)start, last = (float)end;
    if (count == 1)
        return first;
    float step = (last - first) / (float)(count - 1);
    return i < count / 2 ? fmaf(step, (float)i, first) : fmaf(-step, (float)(count - 1 - i), last);
}

double mdldm__linspace(double start, double stop, int64_t count, int64_t i)
{
    if (count == 1)
        return start;
    if (i == count - 1)
        return stop;
    return (double)i * ((stop - start) / (double)(count - 1)) + start;
}

/* numpy takes the step from the difference of the first two elements. */
double mdldm__arange_down(double start, double step, int64_t i)
{
    double delta = (start - step) - start;
    return start + (double)i * delta;
}

/* Nichol and Dhariwal 2021, equation 17. */
static double cosine_alpha_bar(double t)
{
    double c = cos((t + 0.008) / 1.008 * half_pi);
    return c * c;
}

static double laplace_alpha_bar(double t)
{
    double lambda = -0.5 * copysign(1.0, 0.5 - t) * log(1.0 - 2.0 * fabs(0.5 - t) + 1e-6);
    double snr = exp(lambda);
    return sqrt(snr / (1.0 + snr));
}

static float beta_from_alpha_bar(double (*alpha_bar)(double), int64_t count, int64_t i)
{
    double ratio = alpha_bar((double)(i + 1) / (double)count) / alpha_bar((double)i / (double)count);
    return (float)fmin(1.0 - ratio, 0.999);
}

static float beta_at(const mdldm__scheduler_config *c, int64_t i)
{
    const int64_t count = c->num_train_timesteps;
    float x;
    if (c->trained_betas != NULL)
        return (float)c->trained_betas[i];
    switch (c->beta_schedule) {
    case MDLDM__BETA_SCALED_LINEAR:
        x = mdldm__linspace_f32(sqrt(c->beta_start), sqrt(c->beta_end), count, i);
        return x * x;
    case MDLDM__BETA_COSINE:
        return beta_from_alpha_bar(cosine_alpha_bar, count, i);
    case MDLDM__BETA_LAPLACE:
        return beta_from_alpha_bar(laplace_alpha_bar, count, i);
    case MDLDM__BETA_SIGMOID: /* GeoDiff */
        x = 1.0f / (1.0f + expf(-mdldm__linspace_f32(-6.0, 6.0, count, i)));
        return x * (float)(c->beta_end - c->beta_start) + (float)c->beta_start;
    default:
        return mdldm__linspace_f32(c->beta_start, c->beta_end, count, i);
    }
}

/* torch.cumprod carries the product in double and rounds each element to float32. */
static void cumulative_product(const float *values, int64_t count, float *out)
{
    double product = 1.0;
    for (int64_t i = 0; i < count; i++) {
        product *= (double)values[i];
        out[i] = (float)product;
    }
}

/* Lin et al. 2023, "Common diffusion noise schedules and sample steps are flawed", algorithm 1. In place
 * on alphas[count] = 1 - betas. */
static void rescale_zero_terminal_snr(float *alphas, int64_t count)
{
    cumulative_product(alphas, count, alphas);
    float first = sqrtf(alphas[0]), last = sqrtf(alphas[count - 1]);
    float scale = first / (first - last), previous = 1.0f;
    for (int64_t i = 0; i < count; i++) {
        float root = (sqrtf(alphas[i]) - last) * scale;
        float bar = root * root;
        float beta = 1.0f - (i == 0 ? bar : bar / previous);
        alphas[i] = 1.0f - beta;
        previous = bar;
    }
}

void mdldm__alphas_cumprod(const mdldm__scheduler_config *c, float *out)
{
    const int64_t count = c->num_train_timesteps;
    for (int64_t i = 0; i < count; i++)
        out[i] = 1.0f - beta_at(c, i);
    if (c->rescale_betas_zero_snr)
        rescale_zero_terminal_snr(out, count);
    cumulative_product(out, count, out);
    /* The solvers that work with sigma = sqrt((1-ac)/ac) keep it finite: float16's smallest number. */
    int uses_sigma = c->kind == MDLDM__DPMSOLVER || c->kind == MDLDM__EULER || c->kind == MDLDM__EULER_ANCESTRAL;
    if (c->rescale_betas_zero_snr && uses_sigma)
        out[count - 1] = 0x1p-24f;
}
