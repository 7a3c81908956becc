/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_DIFFUSION_SIGMA_STEPS_H
#define MDLDM_DIFFUSION_SIGMA_STEPS_H

#include "diffusion/scheduler_internal.h"

/* (x - x0) / sigma, Karras et al. 2022's dx/dsigma, for element values of a variance-exploding sample x
 * (sample = signal + sigma noise) and the model output at noise level sigma. */
static inline float mdldm__sigma_derivative(int32_t prediction_type, float sigma, float root, float square,
                                            float model_output, float x)
{
    float x0 = model_output;
    if (prediction_type == MDLDM__PREDICT_EPSILON)
        x0 = x - sigma * model_output;
    else if (prediction_type == MDLDM__PREDICT_V) /* root = -sigma / sqrt(sigma^2 + 1), square = sigma^2 + 1 */
        x0 = model_output * root + x / square;
    return (x - x0) / sigma;
}

#endif
