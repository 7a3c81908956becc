/* SPDX-License-Identifier: MIT
 * LMSDiscreteScheduler: linear multistep (Adams-Bashforth) of order 4 over the noise levels. */
#include <math.h>

#include "diffusion/sigma_steps.h"
#include "diffusion/sigma_table.h"

#define ORDER 4

/* Lagrange basis polynomial `current` through the last `order` noise levels, at tau. */
static double basis(const float *sigmas, int64_t index, int order, int current, double tau)
{
    double product = 1.0;
    for (int k = 0; k < order; k++)
        if (k != current)
            product *= (tau - (double)sigmas[index - k]) /
                       ((double)sigmas[index - current] - (double)sigmas[index - k]);
    return product;
}

/* Its integral over the step. diffusers integrates by adaptive quadrature; the polynomial's degree is at
 * most 3, where two Gauss-Legendre points are exact. */
static double coefficient(const float *sigmas, int64_t index, int order, int current)
{
    const double a = sigmas[index], b = sigmas[index + 1];
    const double middle = 0.5 * (a + b), half = 0.5 * (b - a), node = half / sqrt(3.0);
    return half * (basis(sigmas, index, order, current, middle - node) +
                   basis(sigmas, index, order, current, middle + node));
}

static mdldm_status step(mdldm__scheduler *s, int64_t index, const float *model_output, float *sample,
                         const float *noise, int64_t n, size_t count)
{
    (void)noise;
    (void)n;
    const float sigma = s->sigmas[index];
    const float square = sigma * sigma + 1.0f, root = -sigma / sqrtf(square);
    float *derivative = mdldm__scheduler_push_history(s, ORDER); /* [count] */
    for (size_t i = 0; i < count; i++)
        derivative[i] = mdldm__sigma_derivative(s->config.prediction_type, sigma, root, square,
                                                model_output[i], sample[i]);
    const int order = index + 1 < ORDER ? (int)index + 1 : ORDER;
    float weights[ORDER];
    for (int k = 0; k < order; k++)
        weights[k] = (float)coefficient(s->sigmas, index, order, k);
    for (size_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (int k = 0; k < order; k++)
            sum += weights[k] * s->history[k][i];
        sample[i] = sample[i] + sum;
    }
    return MDLDM_OK;
}

const mdldm__scheduler_methods mdldm__lms_methods = {
    .set_timesteps = mdldm__sigma_set_timesteps,
    .step = step,
    .scales_input = 1,
    .arrays = ORDER,
    .remembers = 1,
};
