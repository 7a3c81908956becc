/* SPDX-License-Identifier: MIT
 * One denoise step: UNet, classifier-free guidance, scheduler, and the check that numbers stayed numbers. */
#include <math.h>
#include <string.h>

#include "api/inference.h"
#include "api/sampler.h"
#include "util/rng.h"

void mdldm__sampler_start(const mdldm_sampler *s, int64_t n, size_t each, int64_t first_index, float *latent)
{
    const float sigma = (float)mdldm__scheduler_init_noise_sigma(s->scheduler);
    for (int64_t k = 0; k < n; k++) {
        float *image = latent + (size_t)k * each;
        mdldm__rng_normal(s->seed, MDLDM__RNG_SAMPLE_INIT, (uint64_t)(first_index + k), 0, image, each);
        for (size_t i = 0; i < each; i++)
            image[i] *= sigma;
    }
}

/* Room for `arrays` arrays of n * each floats, and n timesteps and labels. Grows only. */
static mdldm_status reserve(mdldm_context *ctx, mdldm_sampler *s, int64_t n, size_t each, size_t arrays)
{
    size_t size;
    if (__builtin_mul_overflow((size_t)n, each, &size) || __builtin_mul_overflow(size, arrays, &size))
        return mdldm__oom(&ctx->env, "a batch of latents");
    if (size > s->work_size) {
        float *work = mdldm__calloc(&s->env, size, sizeof *work);
        if (work == NULL)
            return mdldm__oom(&ctx->env, "a batch of latents");
        mdldm__free(&s->env, s->work);
        s->work = work;
        s->work_size = size;
    }
    if (n > s->images) {
        double *timesteps = mdldm__calloc(&s->env, (size_t)n, sizeof *timesteps);
        int64_t *labels = mdldm__calloc(&s->env, (size_t)n, sizeof *labels);
        if (timesteps == NULL || labels == NULL) {
            mdldm__free(&s->env, timesteps);
            mdldm__free(&s->env, labels);
            return mdldm__oom(&ctx->env, "a batch of labels");
        }
        mdldm__free(&s->env, s->timesteps);
        mdldm__free(&s->env, s->labels);
        s->timesteps = timesteps;
        s->labels = labels;
        s->images = n;
    }
    return MDLDM_OK;
}

static int all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return 0;
    return 1;
}

/* work: two arrays, for the new latent and for noise. */
static mdldm_status advance(mdldm_context *ctx, mdldm_sampler *s, const float *model_output, float *latent,
                            int64_t n, size_t each, int64_t first_index, int64_t step_index,
                            const float *noise, float *work)
{
    const size_t count = (size_t)n * each;
    float *next = work, *own = work + count; /* [n, each] */
    if (mdldm__scheduler_wants_noise(s->scheduler, step_index) && noise == NULL) {
        for (int64_t k = 0; k < n; k++)
            mdldm__rng_normal(s->seed, MDLDM__RNG_SAMPLE_STEP, (uint64_t)(first_index + k),
                              (uint32_t)step_index, own + (size_t)k * each, each);
        noise = own;
    }
    memcpy(next, latent, count * sizeof *next);
    mdldm_status status = mdldm__scheduler_step(s->scheduler, step_index, model_output, next, noise, n, count);
    if (status != MDLDM_OK)
        return mdldm__error(&ctx->env, status, "%s", s->env.error);
    if (!all_finite(next, count))
        return mdldm__error(&ctx->env, MDLDM_ERROR_NUMERIC,
                            "the latent holds NaN or Inf after denoise step %lld (timestep %g); a smaller "
                            "guidance_scale, clip_sample or another scheduler may be right",
                            (long long)step_index, mdldm__scheduler_timestep(s->scheduler, step_index));
    memcpy(latent, next, count * sizeof *latent);
    return MDLDM_OK;
}

mdldm_status mdldm__sampler_advance(mdldm_context *ctx, mdldm_sampler *s, const float *model_output,
                                    float *latent, int64_t n, size_t each, int64_t first_index,
                                    int64_t step_index, const float *noise)
{
    MDLDM__TRY(reserve(ctx, s, n, each, 2));
    return advance(ctx, s, model_output, latent, n, each, first_index, step_index, noise, s->work);
}

/* Ho and Salimans 2022: u + g (c - u), c the prediction for the labels, u the unconditional one. output
 * holds c and becomes the mix; u is scratch. Two calls of one plan rather than a doubled batch: the same
 * plan serves guided and unguided runs, and memory stays that of n images. */
static mdldm_status guide(mdldm_context *ctx, mdldm_sampler *s, const float *input, int64_t n, int64_t h,
                          int64_t w, float *output, float *u, size_t count)
{
    const float scale = (float)s->guidance_scale;
    for (int64_t k = 0; k < n; k++)
        s->labels[k] = -1;
    MDLDM__TRY(mdldm__predict(ctx, s->model, input, n, h, w, s->timesteps, s->labels, u));
    for (size_t i = 0; i < count; i++)
        output[i] = u[i] + scale * (output[i] - u[i]);
    return MDLDM_OK;
}

mdldm_status mdldm__sampler_denoise(mdldm_context *ctx, mdldm_sampler *s, float *latent, int64_t n, int64_t h,
                                    int64_t w, const int64_t *labels, int64_t first_index,
                                    int64_t step_index)
{
    const size_t each = (size_t)s->model->unet->unet.in_channels * (size_t)h * (size_t)w;
    const size_t count = (size_t)n * each;
    MDLDM__TRY(reserve(ctx, s, n, each, 3));
    float *input = s->work, *output = s->work + count, *scratch = s->work + 2 * count; /* [n, c, h, w] */
    const double t = mdldm__scheduler_timestep(s->scheduler, step_index);
    for (int64_t k = 0; k < n; k++)
        s->timesteps[k] = t;
    mdldm__scheduler_scale_input(s->scheduler, step_index, latent, input, count);
    MDLDM__TRY(mdldm__predict(ctx, s->model, input, n, h, w, s->timesteps, labels, output));
    if (s->guidance_scale != 1.0)
        MDLDM__TRY(guide(ctx, s, input, n, h, w, output, scratch, count));
    if (!all_finite(output, count))
        return mdldm__error(&ctx->env, MDLDM_ERROR_NUMERIC,
                            "the UNet's prediction holds NaN or Inf at denoise step %lld (timestep %g); its "
                            "weights, or bf16 where f32 is needed, are the likely cause",
                            (long long)step_index, t);
    /* input's and scratch's places serve the scheduler; output lies between them. */
    memcpy(input, output, count * sizeof *input);
    return advance(ctx, s, input, latent, n, each, first_index, step_index, NULL, output);
}
