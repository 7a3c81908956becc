/* SPDX-License-Identifier: MIT
 * One evaluation of the UNet, in parts where the batch is large, and what running costs. */
#include <string.h>

#include "api/inference.h"
#include "api/inference_check.h"
#include "api/runtime.h"
#include "api/unet_inputs.h"

static mdldm_status predict_parts(mdldm_context *ctx, const mdldm_model *m, const mdldm__unet_inputs *c,
                                  const float *latent, int64_t n, int64_t h, int64_t w, float *result)
{
    const mdldm__component *unet = m->unet;
    size_t cells = (size_t)h * (size_t)w, width = (size_t)mdldm__unet_time_width(unet);
    size_t in = cells * (size_t)unet->unet.in_channels, out = cells * (size_t)unet->unet.out_channels;
    int64_t part = mdldm__images_per_part(n, h * w, unet->unet.block_out_channels[0]);
    for (int64_t i = 0; i < n; i += part) {
        int64_t count = n - i < part ? n - i : part;
        size_t at = (size_t)i;
        mdldm__named_binding b[] = {
            {"sample", MDLDM_F32, MDLDM_LAYOUT_NCHW, (void *)(latent + at * in)},
            {"time_proj", MDLDM_F32, MDLDM_LAYOUT_NHWC, c->time_proj + at * width},
            {"class_proj", MDLDM_F32, MDLDM_LAYOUT_NHWC, c->class_proj != NULL ? c->class_proj + at * width : NULL},
            {"label", MDLDM_I32, MDLDM_LAYOUT_NHWC, c->rows != NULL ? c->rows + at : NULL},
            {"timestep", MDLDM_F32, MDLDM_LAYOUT_NHWC, c->inverse != NULL ? c->inverse + at : NULL},
            {"group", MDLDM_I32, MDLDM_LAYOUT_NHWC, c->groups != NULL ? c->groups + at : NULL},
            {"output", MDLDM_F32, MDLDM_LAYOUT_NCHW, result + at * out}};
        MDLDM__TRY(mdldm__check_cancel(&ctx->env));
        MDLDM__TRY(mdldm__runtime_run(ctx, unet, MDLDM__GRAPH_UNET, count, h, w, b, 7));
    }
    return MDLDM_OK;
}

mdldm_status mdldm__predict(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n, int64_t h,
                            int64_t w, const double *timesteps, const int64_t *labels, float *output)
{
    mdldm__env *env = &ctx->env;
    size_t total = (size_t)n * (size_t)m->unet->unet.out_channels * (size_t)h * (size_t)w;
    mdldm__unet_inputs c = {0};
    mdldm_status status = mdldm__unet_inputs_make(env, m, timesteps, labels, n, &c);
    float *result = status == MDLDM_OK ? mdldm__calloc(env, total, sizeof *result) : NULL;
    if (status == MDLDM_OK && result == NULL)
        status = mdldm__oom(env, "the UNet's output");
    if (status == MDLDM_OK)
        status = predict_parts(ctx, m, &c, latent, n, h, w, result);
    if (status == MDLDM_OK)
        memcpy(output, result, total * sizeof *output);
    mdldm__free(env, result);
    mdldm__unet_inputs_free(env, &c);
    return status;
}

static mdldm_status check_timesteps(mdldm_context *ctx, const mdldm_model *m, const int64_t *timesteps,
                                    int64_t n)
{
    long long count = mdldm__model_train_timesteps(m);
    long long first = m->unet->unet.fourier ? 1 : 0; /* the output is divided by the timestep */
    for (int64_t i = 0; i < n; i++)
        if (timesteps[i] < first || timesteps[i] >= count)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "timesteps[%lld] is %lld, but must be in %lld..%lld", (long long)i,
                                (long long)timesteps[i], first, count - 1);
    return MDLDM_OK;
}

mdldm_status mdldm_predict(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n, int64_t h,
                           int64_t w, const int64_t *timesteps, const int64_t *labels, float *output,
                           size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(mdldm__check_unet_size(ctx, m, n, h, w));
    MDLDM__TRY(mdldm__check_pointer(ctx, "latent", latent));
    MDLDM__TRY(mdldm__check_pointer(ctx, "timesteps", timesteps));
    MDLDM__TRY(mdldm__check_pointer(ctx, "output", output));
    MDLDM__TRY(mdldm__check_capacity(ctx, "output", capacity, n, m->unet->unet.out_channels, h, w));
    MDLDM__TRY(mdldm__check_labels(ctx, m, labels, n));
    MDLDM__TRY(check_timesteps(ctx, m, timesteps, n));
    double *t = mdldm__calloc(&ctx->env, (size_t)n, sizeof *t);
    if (t == NULL)
        return mdldm__oom(&ctx->env, "timesteps");
    for (int64_t i = 0; i < n; i++)
        t[i] = (double)timesteps[i];
    mdldm_status status = mdldm__predict(ctx, m, latent, n, h, w, t, labels, output);
    mdldm__free(&ctx->env, t);
    return status;
}

mdldm_status mdldm_model_cost(mdldm_context *ctx, const mdldm_model *m, const char *what, int64_t height,
                              int64_t width, int64_t *macs, int64_t *activation_bytes)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(mdldm__check_pointer(ctx, "the model", m));
    MDLDM__TRY(mdldm__check_pointer(ctx, "what", what));
    MDLDM__TRY(mdldm__check_sizes(ctx, 1, "height", height, "width", width));
    int encode = strcmp(what, "encode") == 0, decode = strcmp(what, "decode") == 0;
    if (!encode && !decode && strcmp(what, "predict") != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "what is \"%s\": encode, decode or predict is expected", what);
    if (encode || decode)
        MDLDM__TRY(mdldm__check_autoencoder(ctx, m, 0));
    int64_t f = m->autoencoder != NULL ? mdldm__autoencoder_factor(&m->autoencoder->ae) : 1;
    if (height % f != 0 || width % f != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%lldx%lld pixels: multiples of %lld, the autoencoder's factor, are expected",
                            (long long)height, (long long)width, (long long)f);
    if (!encode && !decode)
        MDLDM__TRY(mdldm__check_unet_size(ctx, m, 1, height / f, width / f));
    mdldm_plan_info info;
    MDLDM__TRY(mdldm__runtime_cost(ctx, encode || decode ? m->autoencoder : m->unet,
                                   encode   ? MDLDM__GRAPH_ENCODE
                                   : decode ? MDLDM__GRAPH_DECODE_QUANTIZED
                                            : MDLDM__GRAPH_UNET,
                                   1, encode ? height : height / f, encode ? width : width / f, &info));
    if (macs != NULL)
        *macs = info.macs;
    if (activation_bytes != NULL)
        *activation_bytes = info.arena_bytes;
    return MDLDM_OK;
}
