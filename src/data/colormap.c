/* SPDX-License-Identifier: MIT
 * Colour maps of 256 entries: value v of [low, high] takes entry floor((v - low) / (high - low) * 256),
 * the rule of MATLAB's imagesc and of matplotlib. */
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "data/viridis_table.h"

/* MATLAB's jet(256): one ramp u (up in 64 entries, flat for 63, down in 64), shifted for each channel. */
static uint8_t jet_ramp(int k)
{
    const double u = k < 1 || k > 191 ? 0.0 : k <= 64 ? k / 64.0 : k <= 127 ? 1.0 : (192 - k) / 64.0;
    return (uint8_t)lrint(255.0 * u);
}

static int fill_table(const char *name, uint8_t table[256][3])
{
    if (strcmp(name, "viridis") == 0) {
        memcpy(table, mdldm__viridis, sizeof mdldm__viridis);
        return 1;
    }
    const int jet = strcmp(name, "jet") == 0;
    if (!jet && strcmp(name, "grey") != 0 && strcmp(name, "gray") != 0)
        return 0;
    for (int i = 0; i < 256; i++) {
        table[i][0] = jet ? jet_ramp(i + 1 - 96) : (uint8_t)i;
        table[i][1] = jet ? jet_ramp(i + 1 - 32) : (uint8_t)i;
        table[i][2] = jet ? jet_ramp(i + 1 + 32) : (uint8_t)i;
    }
    return 1;
}

mdldm_status mdldm_colormap_apply(mdldm_context *ctx, const char *name, const float *values, size_t count,
                                  float low, float high, uint8_t *rgb, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (name == NULL || values == NULL || rgb == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_colormap_apply: name or an array is NULL");
    uint8_t table[256][3];
    if (!fill_table(name, table))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "no colour map '%s'; there are jet, viridis, grey",
                            name);
    if (!isfinite(low) || !isfinite(high) || !(low < high))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "colour map limits [%g, %g] make no sense; low must be less than high", (double)low,
                            (double)high);
    if (count > capacity / 3)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "%zu colours need 3 bytes each, the array has %zu", count,
                            capacity);
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i]))
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "value %zu to colour is NaN", i);
    for (size_t i = 0; i < count; i++) {
        double at = ((double)values[i] - (double)low) / ((double)high - (double)low) * 256.0;
        at = fmin(fmax(at, 0.0), 255.0);
        memcpy(rgb + i * 3, table[(int)at], 3);
    }
    return MDLDM_OK;
}
