/* SPDX-License-Identifier: MIT
 * Decibels to [0, 1] or to pixels in [-1, 1] over a stated dynamic range, and back. */
#include <math.h>

#include "api/context.h"

typedef struct span {
    double low, high;
} span;

static mdldm_status check_range(mdldm__env *env, span range)
{
    if (!isfinite(range.low) || !isfinite(range.high) || !(range.low < range.high))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "a dynamic range from %g dB to %g dB makes no sense; the floor must be less than the "
                            "ceiling",
                            range.low, range.high);
    return MDLDM_OK;
}

/* Maps from linearly onto to, clamped at both ends. range: that of the two which is in dB. */
static mdldm_status rescale(mdldm_context *ctx, const char *call, const float *values, size_t count, span from,
                            span to, span range, float *out, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (values == NULL || out == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: an array is NULL", call);
    MDLDM__TRY(check_range(env, range));
    if (count > capacity)
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "%s: %zu values do not fit an array of %zu", call, count,
                            capacity);
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i]))
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "%s: value %zu is NaN", call, i);
    for (size_t i = 0; i < count; i++) {
        const double u = fmin(fmax(((double)values[i] - from.low) / (from.high - from.low), 0.0), 1.0);
        out[i] = (float)(to.low + (to.high - to.low) * u);
    }
    return MDLDM_OK;
}

static const span UNIT = {0.0, 1.0}, PIXEL = {-1.0, 1.0};

mdldm_status mdldm_db_to_unit(mdldm_context *ctx, const float *db, size_t count, double floor_db,
                              double ceiling_db, float *unit, size_t capacity)
{
    const span range = {floor_db, ceiling_db};
    return rescale(ctx, "mdldm_db_to_unit", db, count, range, UNIT, range, unit, capacity);
}

mdldm_status mdldm_unit_to_db(mdldm_context *ctx, const float *unit, size_t count, double floor_db,
                              double ceiling_db, float *db, size_t capacity)
{
    const span range = {floor_db, ceiling_db};
    return rescale(ctx, "mdldm_unit_to_db", unit, count, UNIT, range, range, db, capacity);
}

mdldm_status mdldm_db_to_pixels(mdldm_context *ctx, const float *db, size_t count, double floor_db,
                                double ceiling_db, float *pixels, size_t capacity)
{
    const span range = {floor_db, ceiling_db};
    return rescale(ctx, "mdldm_db_to_pixels", db, count, range, PIXEL, range, pixels, capacity);
}

mdldm_status mdldm_pixels_to_db(mdldm_context *ctx, const float *pixels, size_t count, double floor_db,
                                double ceiling_db, float *db, size_t capacity)
{
    const span range = {floor_db, ceiling_db};
    return rescale(ctx, "mdldm_pixels_to_db", pixels, count, PIXEL, range, range, db, capacity);
}

mdldm_status mdldm_db_range(mdldm_context *ctx, const float *db, size_t count, double dynamic_range,
                            double *floor_db, double *ceiling_db)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (db == NULL || floor_db == NULL || ceiling_db == NULL || count < 1)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_db_range: %s",
                            count < 1 ? "count is 0; 1 or more is right" : "a pointer is NULL");
    if (!isfinite(dynamic_range) || dynamic_range <= 0.0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the dynamic range is %g dB; more than 0 is right, 30 to 60 are usual", dynamic_range);
    float highest = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (isnan(db[i]) || db[i] == INFINITY)
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "mdldm_db_range: value %zu is %g", i, (double)db[i]);
        highest = fmaxf(highest, db[i]);
    }
    if (highest == -INFINITY)
        return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                            "all %zu values are -inf dB; one number at least, or a floor and a ceiling of your own, "
                            "is right",
                            count);
    *ceiling_db = (double)highest;
    *floor_db = (double)highest - dynamic_range;
    return MDLDM_OK;
}
