/* SPDX-License-Identifier: MIT
 * Pixels [n,c,h,w] in [-1, 1] to 8-bit RGB [n,h,w,3] (c 3) or grey [n,h,w] (c 1), and back. */
#include <math.h>

#include "api/context.h"
#include "data/resize.h"

/* Checks what both directions share and gives the number of values. */
static mdldm_status check(mdldm__env *env, const char *call, const void *from, const void *to, size_t channels,
                          int64_t n, int64_t height, int64_t width, size_t capacity, size_t *count)
{
    if (from == NULL || to == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: an array is NULL", call);
    size_t values = channels;
    if (n < 1 || height < 1 || width < 1 || __builtin_mul_overflow(values, (size_t)n, &values) ||
        __builtin_mul_overflow(values, (size_t)height, &values) ||
        __builtin_mul_overflow(values, (size_t)width, &values))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%s: %lld images of %lld x %lld pixels make no sense; each must be at least 1", call,
                            (long long)n, (long long)width, (long long)height);
    if (capacity < values)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "%s: %zu values do not fit an array of %zu", call, values,
                            capacity);
    *count = values;
    return MDLDM_OK;
}

static mdldm_status to_bytes(mdldm_context *ctx, const char *call, const float *pixels, size_t channels, int64_t n,
                             int64_t height, int64_t width, uint8_t *bytes, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    size_t count = 0;
    MDLDM__TRY(check(&ctx->env, call, pixels, bytes, channels, n, height, width, capacity, &count));
    for (size_t i = 0; i < count; i++)
        if (isnan(pixels[i]))
            return mdldm__error(&ctx->env, MDLDM_ERROR_NUMERIC, "%s: pixel value %zu is NaN", call, i);
    const size_t plane = (size_t)height * (size_t)width;
    for (size_t i = 0; i < count; i++) {
        const size_t image = i / (channels * plane), channel = i / plane % channels, at = i % plane;
        const float x = fminf(fmaxf(pixels[i], -1.0f), 1.0f);
        bytes[(image * plane + at) * channels + channel] = (uint8_t)lrintf(127.5f * (x + 1.0f));
    }
    return MDLDM_OK;
}

static mdldm_status from_bytes(mdldm_context *ctx, const char *call, const uint8_t *bytes, size_t channels, int64_t n,
                               int64_t height, int64_t width, float *pixels, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    size_t count = 0;
    MDLDM__TRY(check(&ctx->env, call, bytes, pixels, channels, n, height, width, capacity, &count));
    float table[256];
    mdldm__pixel_table(table);
    const size_t plane = (size_t)height * (size_t)width;
    for (size_t i = 0; i < count; i++) {
        const size_t image = i / (channels * plane), channel = i / plane % channels, at = i % plane;
        pixels[i] = table[bytes[(image * plane + at) * channels + channel]];
    }
    return MDLDM_OK;
}

mdldm_status mdldm_pixels_to_rgb8(mdldm_context *ctx, const float *pixels, int64_t n, int64_t height,
                                  int64_t width, uint8_t *rgb, size_t capacity)
{
    return to_bytes(ctx, "mdldm_pixels_to_rgb8", pixels, 3, n, height, width, rgb, capacity);
}

mdldm_status mdldm_rgb8_to_pixels(mdldm_context *ctx, const uint8_t *rgb, int64_t n, int64_t height,
                                  int64_t width, float *pixels, size_t capacity)
{
    return from_bytes(ctx, "mdldm_rgb8_to_pixels", rgb, 3, n, height, width, pixels, capacity);
}

mdldm_status mdldm_pixels_to_grey8(mdldm_context *ctx, const float *pixels, int64_t n, int64_t height,
                                   int64_t width, uint8_t *grey, size_t capacity)
{
    return to_bytes(ctx, "mdldm_pixels_to_grey8", pixels, 1, n, height, width, grey, capacity);
}

mdldm_status mdldm_grey8_to_pixels(mdldm_context *ctx, const uint8_t *grey, int64_t n, int64_t height,
                                   int64_t width, float *pixels, size_t capacity)
{
    return from_bytes(ctx, "mdldm_grey8_to_pixels", grey, 1, n, height, width, pixels, capacity);
}
