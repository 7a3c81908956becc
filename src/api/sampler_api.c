/* SPDX-License-Identifier: MIT
 * The sampler's public calls: checks, then sampler_step.c. */
#include "api/inference.h"
#include "api/inference_check.h"
#include "api/sampler.h"

static mdldm_status check_first_index(mdldm_context *ctx, int64_t first_index, int64_t n)
{
    if (first_index < 0 || first_index > INT64_MAX - n)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "first_index is %lld, but images are counted from 0", (long long)first_index);
    return MDLDM_OK;
}

static mdldm_status check_batch(mdldm_context *ctx, const mdldm_sampler *s, const float *latent, int64_t n,
                                int64_t h, int64_t w, int64_t first_index)
{
    MDLDM__TRY(mdldm__check_pointer(ctx, "the sampler", s));
    MDLDM__TRY(mdldm__check_pointer(ctx, "latent", latent));
    MDLDM__TRY(mdldm__check_unet_size(ctx, s->model, n, h, w));
    return check_first_index(ctx, first_index, n);
}

static mdldm_status check_step(mdldm_context *ctx, const mdldm_sampler *s, int64_t step_index)
{
    int64_t steps = mdldm__scheduler_steps(s->scheduler);
    if (step_index < 0 || step_index >= steps)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "step_index is %lld, but must be in 0..%lld", (long long)step_index,
                            (long long)steps - 1);
    return MDLDM_OK;
}

static size_t latent_size(const mdldm_sampler *s, int64_t h, int64_t w)
{
    return (size_t)s->model->unet->unet.in_channels * (size_t)h * (size_t)w;
}

mdldm_status mdldm_sampler_noise(mdldm_context *ctx, mdldm_sampler *s, int64_t n, int64_t h, int64_t w,
                                 int64_t first_index, float *latent, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_batch(ctx, s, latent, n, h, w, first_index));
    MDLDM__TRY(mdldm__check_capacity(ctx, "latent", capacity, n, s->model->unet->unet.in_channels, h, w));
    mdldm__sampler_start(s, n, latent_size(s, h, w), first_index, latent);
    return MDLDM_OK;
}

mdldm_status mdldm_denoise_step(mdldm_context *ctx, mdldm_sampler *s, float *latent, int64_t n, int64_t h,
                                int64_t w, const int64_t *labels, int64_t first_index, int64_t step_index)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_batch(ctx, s, latent, n, h, w, first_index));
    MDLDM__TRY(mdldm__check_labels(ctx, s->model, labels, n));
    MDLDM__TRY(check_step(ctx, s, step_index));
    return mdldm__sampler_denoise(ctx, s, latent, n, h, w, labels, first_index, step_index);
}

mdldm_status mdldm_scheduler_step(mdldm_context *ctx, mdldm_sampler *s, const float *model_output,
                                  float *latent, int64_t n, int64_t h, int64_t w, int64_t first_index,
                                  int64_t step_index, const float *noise)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_batch(ctx, s, latent, n, h, w, first_index));
    MDLDM__TRY(mdldm__check_pointer(ctx, "model_output", model_output));
    MDLDM__TRY(check_step(ctx, s, step_index));
    return mdldm__sampler_advance(ctx, s, model_output, latent, n, latent_size(s, h, w), first_index,
                                  step_index, noise);
}

/* Latents of n images denoised and decoded. */
static mdldm_status generate(mdldm_context *ctx, mdldm_sampler *s, int64_t n, int64_t h, int64_t w,
                             const int64_t *labels, int64_t first_index, float *latent, float *pixels)
{
    const int64_t steps = mdldm__scheduler_steps(s->scheduler);
    mdldm__sampler_start(s, n, latent_size(s, h, w), first_index, latent);
    MDLDM__TRY(mdldm__progress(&ctx->env, "denoise", 0, steps));
    for (int64_t i = 0; i < steps; i++) {
        MDLDM__TRY(mdldm__sampler_denoise(ctx, s, latent, n, h, w, labels, first_index, i));
        MDLDM__TRY(mdldm__progress(&ctx->env, "denoise", i + 1, steps));
    }
    return mdldm__decode(ctx, s->model, latent, n, h, w, pixels);
}

mdldm_status mdldm_generate(mdldm_context *ctx, mdldm_sampler *s, int64_t n, int64_t height, int64_t width,
                            const int64_t *labels, int64_t first_index, float *pixels, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(mdldm__check_pointer(ctx, "the sampler", s));
    MDLDM__TRY(mdldm__check_pointer(ctx, "pixels", pixels));
    MDLDM__TRY(mdldm__check_autoencoder(ctx, s->model, 0));
    MDLDM__TRY(mdldm__check_sizes(ctx, n, "height", height, "width", width));
    const mdldm__autoencoder_config *ae = &s->model->autoencoder->ae;
    const int64_t f = mdldm__autoencoder_factor(ae);
    if (height % f != 0 || width % f != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the image is %lldx%lld, but height and width must be multiples of %lld, the "
                            "autoencoder's factor",
                            (long long)height, (long long)width, (long long)f);
    MDLDM__TRY(mdldm__check_unet_size(ctx, s->model, n, height / f, width / f));
    MDLDM__TRY(check_first_index(ctx, first_index, n));
    MDLDM__TRY(mdldm__check_labels(ctx, s->model, labels, n));
    MDLDM__TRY(mdldm__check_capacity(ctx, "pixels", capacity, n, ae->out_channels, height, width));
    float *latent = mdldm__calloc(&ctx->env, (size_t)n, latent_size(s, height / f, width / f) * sizeof *latent);
    if (latent == NULL)
        return mdldm__oom(&ctx->env, "a batch of latents");
    mdldm_status status = generate(ctx, s, n, height / f, width / f, labels, first_index, latent, pixels);
    mdldm__free(&ctx->env, latent);
    return status;
}
