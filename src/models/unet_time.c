/* SPDX-License-Identifier: MIT
 * Projections of timesteps, on the host: diffusers' get_timestep_embedding and
 * GaussianFourierProjection. Angles are rounded to float32 where diffusers rounds them: near t = 1000
 * that moves the sines by 1e-5, more than all the rest of the network adds. */
#include <math.h>

#include "models/model.h"

int32_t mdldm__unet_time_width(const mdldm__component *c)
{
    return c->unet.fourier ? 2 * c->unet.block_out_channels[0] : c->unet.block_out_channels[0];
}

/* Sinusoidal embedding (Vaswani et al. 2017, as in Ho et al. 2020): row [2*half] of angles
 * t * 10000^(-i/(half - shift)). */
static void sinusoidal(const mdldm__unet_config *config, double t, int32_t width, float *row)
{
    int32_t half = width / 2;
    for (int32_t i = 0; i < half; i++) {
        float exponent = (float)-log(10000.0) * (float)i;
        exponent = exponent / ((float)half - config->freq_shift);
        float angle = (float)t * (float)exp((double)exponent);
        float s = (float)sin((double)angle), c = (float)cos((double)angle);
        row[i] = config->flip_sin_to_cos ? c : s;
        row[half + i] = config->flip_sin_to_cos ? s : c;
    }
    if (width % 2 == 1)
        row[width - 1] = 0.0f;
}

/* Random Fourier features of log(t) (Tancik et al. 2020): sin and cos of 2 pi w log(t). */
static void fourier(const float *weights, double t, int32_t half, float *row)
{
    float x = (float)log((double)(float)t);
    for (int32_t i = 0; i < half; i++) {
        float angle = x * weights[i] * 2.0f * (float)3.14159265358979323846;
        row[i] = (float)sin((double)angle);
        row[half + i] = (float)cos((double)angle);
    }
}

int32_t mdldm__unet_q8_group(int32_t groups, double timestep, int64_t train_timesteps)
{
    double g = floor(timestep * (double)groups / (double)train_timesteps);
    return g > 0.0 ? g < (double)groups ? (int32_t)g : groups - 1 : 0;
}

mdldm_status mdldm__unet_time_proj(mdldm__env *env, const mdldm__component *c, const double *timesteps,
                                   int64_t n, float *out)
{
    const mdldm__unet_config *config = &c->unet;
    int32_t width = mdldm__unet_time_width(c);
    if (!config->fourier) {
        for (int64_t i = 0; i < n; i++)
            sinusoidal(config, timesteps[i], width, out + i * width);
        return MDLDM_OK;
    }
    int32_t index = mdldm__params_find(&c->params, "time_proj.weight");
    if (index < 0 || c->params.items[index].data == NULL)
        return mdldm__error(env, MDLDM_ERROR_INTERNAL, "time_proj.weight has no values");
    float *weights = mdldm__calloc(env, (size_t)width, sizeof *weights);
    if (weights == NULL)
        return mdldm__oom(env, "the time projection");
    mdldm__param_get(&c->params.items[index], weights);
    for (int64_t i = 0; i < n; i++)
        fourier(weights, timesteps[i], width / 2, out + i * width);
    mdldm__free(env, weights);
    return MDLDM_OK;
}
