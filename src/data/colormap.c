/* SPDX-License-Identifier: MIT
 * Colour maps of 256 entries: value v of [low, high] takes entry floor((v - low) / (high - low) * 256),
 * the rule of MATLAB's imagesc and of matplotlib; and back. */
#include "data/colormap.h"

#include <math.h>
#include <string.h>

#include "api/context.h"

/* What both directions share. */
static mdldm_status check(mdldm__env *env, const char *call, const char *name, const void *from, const void *to,
                          float low, float high, mdldm__colormap *map)
{
    if (name == NULL || from == NULL || to == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: name or an array is NULL", call);
    MDLDM__TRY(mdldm__colormap_table(env, name, map));
    if (!isfinite(low) || !isfinite(high) || !(low < high))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "colour map limits [%g, %g] make no sense; low must be less than high", (double)low,
                            (double)high);
    return MDLDM_OK;
}

mdldm_status mdldm_colormap_apply(mdldm_context *ctx, const char *name, const float *values, size_t count,
                                  float low, float high, uint8_t *rgb, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    mdldm__colormap map;
    MDLDM__TRY(check(env, "mdldm_colormap_apply", name, values, rgb, low, high, &map));
    if (count > capacity / 3)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "%zu colours need 3 bytes each, the array has %zu", count,
                            capacity);
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i]))
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "value %zu to colour is NaN", i);
    for (size_t i = 0; i < count; i++) {
        double at = ((double)values[i] - (double)low) / ((double)high - (double)low) * 256.0;
        at = fmin(fmax(at, 0.0), 255.0);
        memcpy(rgb + i * 3, map.rgb[(int)at], 3);
    }
    return MDLDM_OK;
}

mdldm_status mdldm_colormap_invert(mdldm_context *ctx, const char *name, const uint8_t *rgb, size_t count,
                                   float low, float high, float *values, size_t capacity, float *residuals,
                                   size_t residual_capacity, double *mean_residual, double *max_residual)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    mdldm__colormap map;
    MDLDM__TRY(check(env, "mdldm_colormap_invert", name, rgb, values, low, high, &map));
    if (count < 1)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_colormap_invert: count is 0; 1 or more is right");
    if (count > capacity || (residuals != NULL && count > residual_capacity))
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "%zu %s do not fit an array of %zu", count,
                            count > capacity ? "values" : "residuals", count > capacity ? capacity : residual_capacity);
    double largest = 0.0;
    const double width = (double)high - (double)low;
    const double sum = mdldm__colormap_nearest(&map, rgb, count, values, residuals, &largest);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)((double)low + width * (double)values[i]);
    if (mean_residual != NULL)
        *mean_residual = sum / (double)count;
    if (max_residual != NULL)
        *max_residual = largest;
    return MDLDM_OK;
}
