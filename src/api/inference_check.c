/* SPDX-License-Identifier: MIT
 * Argument checks of encode, quantize, predict and decode: one sentence each. */
#include "api/inference_check.h"

#include "api/inference.h"

static mdldm_status bad(mdldm_context *ctx, const char *format, const char *what, long long value)
{
    return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, format, what, value);
}

mdldm_status mdldm__check_pointer(mdldm_context *ctx, const char *what, const void *pointer)
{
    if (pointer == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s is NULL", what);
    return MDLDM_OK;
}

mdldm_status mdldm__check_sizes(mdldm_context *ctx, int64_t n, const char *h_name, int64_t h,
                                const char *w_name, int64_t w)
{
    static const char *const format = "%s is %lld, but must be in 1..65536";
    if (n < 1 || n > 1 << 24)
        return bad(ctx, "%s is %lld, but must be in 1..16777216", "n", (long long)n);
    if (h < 1 || h > 65536)
        return bad(ctx, format, h_name, (long long)h);
    if (w < 1 || w > 65536)
        return bad(ctx, format, w_name, (long long)w);
    return MDLDM_OK;
}

mdldm_status mdldm__check_capacity(mdldm_context *ctx, const char *what, size_t capacity, int64_t n, int64_t c,
                                   int64_t h, int64_t w)
{
    /* check_sizes bounds n*h*w by 2^56 and configs bound c by 2^13, f by 2^15: no overflow in 128 bits. */
    __extension__ typedef unsigned __int128 wide;
    wide needed = (wide)n * (wide)c * (wide)h * (wide)w;
    if (needed > SIZE_MAX / sizeof(float))
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%s of %lldx%lldx%lldx%lld elements exceeds the address space", what,
                            (long long)n, (long long)c, (long long)h, (long long)w);
    if (capacity < (size_t)needed)
        return mdldm__error(&ctx->env, MDLDM_ERROR_CAPACITY,
                            "%s has room for %zu elements, but needs %lldx%lldx%lldx%lld = %zu", what, capacity,
                            (long long)n, (long long)c, (long long)h, (long long)w, (size_t)needed);
    return MDLDM_OK;
}

mdldm_status mdldm__check_autoencoder(mdldm_context *ctx, const mdldm_model *m, int codebook)
{
    MDLDM__TRY(mdldm__check_pointer(ctx, "the model", m));
    if (m->autoencoder == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND, "the model has no autoencoder");
    if (codebook && m->autoencoder->kind != MDLDM__VQ_MODEL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_UNSUPPORTED,
                            "the model's autoencoder is an %s, which has no codebook: a VQModel is needed",
                            mdldm__component_class(m->autoencoder));
    return MDLDM_OK;
}

mdldm_status mdldm__check_unet_size(mdldm_context *ctx, const mdldm_model *m, int64_t n, int64_t h, int64_t w)
{
    MDLDM__TRY(mdldm__check_pointer(ctx, "the model", m));
    if (m->unet == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND, "the model has no UNet");
    MDLDM__TRY(mdldm__check_sizes(ctx, n, "h", h, "w", w));
    int64_t multiple = (int64_t)1 << (m->unet->unet.levels - 1);
    if (h % multiple != 0 || w % multiple != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the latent is %lldx%lld, but the UNet's %d levels need multiples of %lld",
                            (long long)h, (long long)w, (int)m->unet->unet.levels, (long long)multiple);
    return MDLDM_OK;
}

mdldm_status mdldm__check_labels(mdldm_context *ctx, const mdldm_model *m, const int64_t *labels, int64_t n)
{
    const mdldm__unet_config *unet = &m->unet->unet;
    int64_t classes = mdldm__model_class_count(m);
    int conditional = unet->class_embed_timestep || classes > 0;
    if (labels == NULL && conditional)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "labels is NULL, but the model is conditional: one label per image is needed");
    for (int64_t i = 0; labels != NULL && i < n; i++) {
        long long label = (long long)labels[i];
        if (label == -1 && (!conditional || mdldm__model_null_class(m) >= 0))
            continue;
        if (!conditional)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "labels[%lld] is %lld, but the model has no classes: -1 or labels NULL is right",
                                (long long)i, label);
        if (label == -1 && !unet->class_embed_timestep)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "labels[%lld] is -1 (unconditional), but the model was trained without label "
                                "dropout: a label in 0..%lld is right",
                                (long long)i, (long long)classes - 1);
        if (unet->class_embed_timestep ? label < 0 : label < -1 || label >= classes)
            return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "labels[%lld] is %lld, but must be in %s..%lld", (long long)i, label,
                                mdldm__model_null_class(m) >= 0 ? "-1" : "0",
                                unet->class_embed_timestep ? (long long)INT64_MAX : (long long)classes - 1);
    }
    return MDLDM_OK;
}
