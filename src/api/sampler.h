/* SPDX-License-Identifier: MIT
 * A sampler: a model, a scheduler set to its steps, a seed. Its own environment, so that it outlives the
 * context it was made with. */
#ifndef MDLDM_API_SAMPLER_H
#define MDLDM_API_SAMPLER_H

#include "api/context.h"
#include "diffusion/scheduler.h"
#include "models/model.h"

struct mdldm_sampler {
    mdldm__env env;
    mdldm_model *model;
    mdldm__scheduler *scheduler;
    double guidance_scale;
    uint64_t seed;
    float *work; /* arrays of one denoise step: guidance, noise, ... */
    size_t work_size;
    double *timesteps; /* [images] of one UNet evaluation, all the same */
    int64_t *labels;   /* [images], all unconditional */
    int64_t images;
};

/* Runs the scheduler's step on latent [n,c,h,w] in place, or leaves it alone on failure. noise NULL: the
 * sampler's own. Arguments are taken as checked. */
mdldm_status mdldm__sampler_advance(mdldm_context *ctx, mdldm_sampler *s, const float *model_output,
                                    float *latent, int64_t n, size_t each, int64_t first_index,
                                    int64_t step_index, const float *noise);
/* UNet (twice with guidance) and scheduler. */
mdldm_status mdldm__sampler_denoise(mdldm_context *ctx, mdldm_sampler *s, float *latent, int64_t n, int64_t h,
                                    int64_t w, const int64_t *labels, int64_t first_index,
                                    int64_t step_index);
/* Starting noise, unchecked. */
void mdldm__sampler_start(const mdldm_sampler *s, int64_t n, size_t each, int64_t first_index, float *latent);

#endif
