/* SPDX-License-Identifier: MIT
 * encode, quantize, decode. Large batches run in parts, so that memory stays bounded; results are
 * gathered aside and given to the caller only when all parts went well. */
#include "api/inference.h"

#include <string.h>

#include "api/inference_check.h"
#include "api/runtime.h"

/* Images per part: as many as keep one full-size feature map under 64 MiB, 8 at most, evenly spread
 * over the parts so that few plans are compiled. */
int64_t mdldm__images_per_part(int64_t n, int64_t pixels, int64_t channels)
{
    int64_t most = ((int64_t)64 << 20) / (pixels * channels * (int64_t)sizeof(float));
    most = most < 1 ? 1 : most > 8 ? 8 : most;
    int64_t parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
}

static mdldm__named_binding f32(const char *name, const float *data)
{
    return (mdldm__named_binding){name, MDLDM_F32, MDLDM_LAYOUT_NCHW, (void *)data};
}

/* z <- (z - shift) * scale, and back. */
static void to_diffusion_space(const mdldm__autoencoder_config *config, float *z, size_t count)
{
    for (size_t i = 0; i < count; i++)
        z[i] = (z[i] - config->shift_factor) * config->scaling_factor;
}

static void from_diffusion_space(const mdldm__autoencoder_config *config, const float *z, float *out,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = z[i] / config->scaling_factor + config->shift_factor;
}

static float *alloc_floats(mdldm_context *ctx, size_t count, mdldm_status *status)
{
    float *p = mdldm__calloc(&ctx->env, count, sizeof *p);
    if (p == NULL && *status == MDLDM_OK)
        *status = mdldm__oom(&ctx->env, "a batch of images");
    return p;
}

/* ---- encode ---- */

/* n images of one part; latent [n,c,h,w] unscaled. moments: scratch [n,2c,h,w] for AutoencoderKL. */
static mdldm_status encode_part(mdldm_context *ctx, const mdldm__component *ae, const float *pixels, int64_t n,
                                int64_t height, int64_t width, float *moments, float *latent, size_t each)
{
    int vq = ae->kind == MDLDM__VQ_MODEL;
    mdldm__named_binding b[] = {f32("pixels", pixels), f32(vq ? "latent" : "moments", vq ? latent : moments)};
    MDLDM__TRY(mdldm__runtime_run(ctx, ae, MDLDM__GRAPH_ENCODE, n, height, width, b, 2));
    if (!vq) /* the mode of the Gaussian: its mean, the first half of the channels */
        for (int64_t i = 0; i < n; i++)
            memcpy(latent + (size_t)i * each, moments + 2 * (size_t)i * each, each * sizeof *latent);
    return MDLDM_OK;
}

static mdldm_status encode(mdldm_context *ctx, const mdldm__component *ae, const float *pixels, int64_t n,
                           int64_t height, int64_t width, float *latent)
{
    int32_t f = mdldm__autoencoder_factor(&ae->ae);
    size_t each = (size_t)mdldm__autoencoder_latent_channels(ae) * (size_t)(height / f) * (size_t)(width / f);
    size_t each_pixels = (size_t)ae->ae.in_channels * (size_t)height * (size_t)width;
    int64_t part = mdldm__images_per_part(n, height * width, ae->ae.block_out_channels[0]);
    mdldm_status status = MDLDM_OK;
    float *result = alloc_floats(ctx, (size_t)n * each, &status);
    float *moments = ae->kind == MDLDM__AUTOENCODER_KL ? alloc_floats(ctx, 2 * (size_t)part * each, &status)
                                                       : NULL;
    for (int64_t i = 0; status == MDLDM_OK && i < n; i += part) {
        int64_t count = n - i < part ? n - i : part;
        status = mdldm__check_cancel(&ctx->env);
        if (status == MDLDM_OK)
            status = encode_part(ctx, ae, pixels + (size_t)i * each_pixels, count, height, width, moments,
                                 result + (size_t)i * each, each);
        if (status == MDLDM_OK)
            status = mdldm__progress(&ctx->env, "encode", i + count, n);
    }
    if (status == MDLDM_OK) {
        to_diffusion_space(&ae->ae, result, (size_t)n * each);
        memcpy(latent, result, (size_t)n * each * sizeof *latent);
    }
    mdldm__free(&ctx->env, moments);
    mdldm__free(&ctx->env, result);
    return status;
}

mdldm_status mdldm_encode(mdldm_context *ctx, const mdldm_model *m, const float *pixels, int64_t n,
                          int64_t height, int64_t width, float *latent, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(mdldm__check_autoencoder(ctx, m, 0));
    MDLDM__TRY(mdldm__check_pointer(ctx, "pixels", pixels));
    MDLDM__TRY(mdldm__check_pointer(ctx, "latent", latent));
    MDLDM__TRY(mdldm__check_sizes(ctx, n, "height", height, "width", width));
    const mdldm__component *ae = m->autoencoder;
    int32_t f = mdldm__autoencoder_factor(&ae->ae);
    if (height % f != 0 || width % f != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the image is %lldx%lld, but height and width must be multiples of %d, the "
                            "autoencoder's factor",
                            (long long)height, (long long)width, (int)f);
    MDLDM__TRY(mdldm__check_capacity(ctx, "latent", capacity, n, mdldm__autoencoder_latent_channels(ae),
                                     height / f, width / f));
    return encode(ctx, ae, pixels, n, height, width, latent);
}

/* ---- quantize ---- */

static mdldm_status quantize(mdldm_context *ctx, const mdldm__component *ae, const float *latent, int64_t n,
                             int64_t h, int64_t w, float *quantized, int32_t *codes)
{
    size_t cells = (size_t)h * (size_t)w, each = cells * (size_t)ae->ae.vq_embed_dim;
    int64_t part = mdldm__images_per_part(n, h * w, ae->ae.vq_embed_dim);
    mdldm_status status = MDLDM_OK;
    float *z = alloc_floats(ctx, (size_t)part * each, &status);
    float *result = alloc_floats(ctx, (size_t)n * each, &status);
    int32_t *found = mdldm__calloc(&ctx->env, (size_t)n * cells, sizeof *found);
    if (found == NULL && status == MDLDM_OK)
        status = mdldm__oom(&ctx->env, "codes");
    for (int64_t i = 0; status == MDLDM_OK && i < n; i += part) {
        int64_t count = n - i < part ? n - i : part;
        from_diffusion_space(&ae->ae, latent + (size_t)i * each, z, (size_t)count * each);
        mdldm__named_binding b[] = {
            f32("latent", z),
            f32("quantized", result + (size_t)i * each),
            {"codes", MDLDM_I32, MDLDM_LAYOUT_NHWC, found + (size_t)i * cells}};
        status = mdldm__check_cancel(&ctx->env);
        if (status == MDLDM_OK)
            status = mdldm__runtime_run(ctx, ae, MDLDM__GRAPH_QUANTIZE, count, h, w, b, 3);
    }
    if (status == MDLDM_OK && quantized != NULL) {
        to_diffusion_space(&ae->ae, result, (size_t)n * each);
        memcpy(quantized, result, (size_t)n * each * sizeof *quantized);
    }
    if (status == MDLDM_OK && codes != NULL)
        memcpy(codes, found, (size_t)n * cells * sizeof *codes);
    mdldm__free(&ctx->env, found);
    mdldm__free(&ctx->env, result);
    mdldm__free(&ctx->env, z);
    return status;
}

mdldm_status mdldm_quantize(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n, int64_t h,
                            int64_t w, float *quantized, size_t capacity, int32_t *codes,
                            size_t code_capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(mdldm__check_autoencoder(ctx, m, 1));
    MDLDM__TRY(mdldm__check_pointer(ctx, "latent", latent));
    MDLDM__TRY(mdldm__check_sizes(ctx, n, "h", h, "w", w));
    const mdldm__component *ae = m->autoencoder;
    if (quantized != NULL)
        MDLDM__TRY(mdldm__check_capacity(ctx, "quantized", capacity, n, ae->ae.vq_embed_dim, h, w));
    if (codes != NULL)
        MDLDM__TRY(mdldm__check_capacity(ctx, "codes", code_capacity, n, 1, h, w));
    if (quantized == NULL && codes == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "quantized and codes are both NULL: there is nothing to do");
    return quantize(ctx, ae, latent, n, h, w, quantized, codes);
}

/* ---- decode ---- */

/* Where decode takes its latents from: the caller's array, or codes and the codebook [K, d]. */
typedef struct latent_source {
    const float *latent;
    const int32_t *codes;
    const float *codebook;
} latent_source;

/* Latents of images first .. first+count-1, unscaled: NCHW from latents, NHWC from codes. */
static void fetch(const mdldm__component *ae, const latent_source *from, int64_t first, int64_t count,
                  size_t cells, float *z)
{
    size_t channels = (size_t)mdldm__autoencoder_latent_channels(ae);
    if (from->latent != NULL) {
        from_diffusion_space(&ae->ae, from->latent + (size_t)first * cells * channels, z,
                             (size_t)count * cells * channels);
        return;
    }
    const int32_t *codes = from->codes + (size_t)first * cells;
    for (size_t i = 0; i < (size_t)count * cells; i++)
        memcpy(z + i * channels, from->codebook + (size_t)codes[i] * channels, channels * sizeof *z);
}

static mdldm_status decode(mdldm_context *ctx, const mdldm__component *ae, const latent_source *from, int64_t n,
                           int64_t h, int64_t w, float *pixels)
{
    int64_t f = mdldm__autoencoder_factor(&ae->ae);
    size_t cells = (size_t)h * (size_t)w;
    size_t each = (size_t)ae->ae.out_channels * cells * (size_t)(f * f);
    int64_t part = mdldm__images_per_part(n, h * f * w * f, ae->ae.block_out_channels[0]);
    mdldm__graph_kind kind = from->latent != NULL ? MDLDM__GRAPH_DECODE_QUANTIZED : MDLDM__GRAPH_DECODE;
    mdldm_status status = MDLDM_OK;
    float *z = alloc_floats(ctx, (size_t)part * cells * (size_t)mdldm__autoencoder_latent_channels(ae), &status);
    float *result = alloc_floats(ctx, (size_t)n * each, &status);
    for (int64_t i = 0; status == MDLDM_OK && i < n; i += part) {
        int64_t count = n - i < part ? n - i : part;
        fetch(ae, from, i, count, cells, z);
        mdldm__named_binding b[] = {f32("latent", z), f32("pixels", result + (size_t)i * each)};
        if (from->latent == NULL)
            b[0].layout = MDLDM_LAYOUT_NHWC;
        status = mdldm__check_cancel(&ctx->env);
        if (status == MDLDM_OK)
            status = mdldm__runtime_run(ctx, ae, kind, count, h, w, b, 2);
        if (status == MDLDM_OK)
            status = mdldm__progress(&ctx->env, "decode", i + count, n);
    }
    if (status == MDLDM_OK)
        memcpy(pixels, result, (size_t)n * each * sizeof *pixels);
    mdldm__free(&ctx->env, result);
    mdldm__free(&ctx->env, z);
    return status;
}

mdldm_status mdldm__decode(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n, int64_t h,
                           int64_t w, float *pixels)
{
    latent_source from = {.latent = latent};
    return decode(ctx, m->autoencoder, &from, n, h, w, pixels);
}

static mdldm_status check_decode(mdldm_context *ctx, const mdldm_model *m, int codebook, int64_t n, int64_t h,
                                 int64_t w, const float *pixels, size_t capacity)
{
    MDLDM__TRY(mdldm__check_autoencoder(ctx, m, codebook));
    MDLDM__TRY(mdldm__check_pointer(ctx, "pixels", pixels));
    MDLDM__TRY(mdldm__check_sizes(ctx, n, "h", h, "w", w));
    int64_t f = mdldm__autoencoder_factor(&m->autoencoder->ae);
    return mdldm__check_capacity(ctx, "pixels", capacity, n, m->autoencoder->ae.out_channels, h * f, w * f);
}

mdldm_status mdldm_decode(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n, int64_t h,
                          int64_t w, float *pixels, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_decode(ctx, m, 0, n, h, w, pixels, capacity));
    MDLDM__TRY(mdldm__check_pointer(ctx, "latent", latent));
    return mdldm__decode(ctx, m, latent, n, h, w, pixels);
}

mdldm_status mdldm_decode_codes(mdldm_context *ctx, const mdldm_model *m, const int32_t *codes, int64_t n,
                                int64_t h, int64_t w, float *pixels, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_decode(ctx, m, 1, n, h, w, pixels, capacity));
    MDLDM__TRY(mdldm__check_pointer(ctx, "codes", codes));
    const mdldm__component *ae = m->autoencoder;
    for (int64_t i = 0; i < n * h * w; i++)
        if (codes[i] < 0 || codes[i] >= ae->ae.num_vq_embeddings)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "codes[%lld] is %d, but must be in 0..%d", (long long)i, (int)codes[i],
                                (int)ae->ae.num_vq_embeddings - 1);
    int32_t index = mdldm__params_find(&ae->params, "quantize.embedding.weight");
    const mdldm__param *p = &ae->params.items[index];
    mdldm_status status = MDLDM_OK;
    float *codebook = alloc_floats(ctx, (size_t)mdldm__param_elements(p), &status);
    if (codebook == NULL)
        return status;
    mdldm__param_get(p, codebook);
    latent_source from = {.codes = codes, .codebook = codebook};
    status = decode(ctx, ae, &from, n, h, w, pixels);
    mdldm__free(&ctx->env, codebook);
    return status;
}
