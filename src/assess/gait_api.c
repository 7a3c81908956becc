/* SPDX-License-Identifier: MIT
 * The public calls for gait measures: options to axes, pictures to dB. */
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "data/colormap.h"
#include "data/dataset.h"
#include "data/grey.h"
#include "eval/gait.h"

#define USUAL_RANGE 40.0 /* dB from a picture's black to its white, where nothing says so */

int32_t mdldm_gait_measure_count(void)
{
    return MDLDM__GAIT_COUNT;
}

static const char *text(int32_t index, int which)
{
#define ENTRY(name, unit, help) {#name, unit, help},
    static const char *const table[MDLDM__GAIT_COUNT][3] = {MDLDM__GAIT_TABLE(ENTRY)};
#undef ENTRY
    return index >= 0 && index < MDLDM__GAIT_COUNT ? table[index][which] : NULL;
}

const char *mdldm_gait_measure_name(int32_t index)
{
    return text(index, 0);
}

const char *mdldm_gait_measure_unit(int32_t index)
{
    return text(index, 1);
}

const char *mdldm_gait_measure_help(int32_t index)
{
    return text(index, 2);
}

/* Where steps are looked for. */
static mdldm_status step_range(mdldm__env *env, const mdldm_options *options, mdldm__gait_setup *s)
{
    const int known = mdldm__option_double(options, "picture_duration") > 0.0;
    const double most = (double)s->columns / (2.0 * s->duration); /* Nyquist's limit */
    const double low = mdldm__option_double(options, "step_low"), high = mdldm__option_double(options, "step_high");
    s->step_low = low > 0.0 ? low : known ? fmax(1.2, 1.5 / s->duration) : 2.0;
    s->step_high = high > 0.0 ? high : fmin(known ? 3.5 : 10.0, most);
    if ((low > 0.0 || high > 0.0) && !(s->step_low < s->step_high && s->step_high <= most))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "steps are looked for from %g to %g %s; step_low less than step_high, and that at most %g, "
                            "half the columns, is right",
                            s->step_low, s->step_high, known ? "Hz" : "cycles per picture", most);
    return MDLDM_OK;
}

static mdldm_status read_options(mdldm__env *env, const mdldm_options *options, int64_t rows, int64_t columns,
                                 mdldm__gait_setup *s)
{
    MDLDM__TRY(mdldm__gait_check_size(env, rows, columns));
    const double duration = mdldm__option_double(options, "picture_duration");
    const double zero = mdldm__option_double(options, "zero_doppler");
    *s = (mdldm__gait_setup){.rows = rows,
                             .columns = columns,
                             .duration = duration > 0.0 ? duration : 1.0,
                             .doppler_high = mdldm__option_double(options, "doppler_high"),
                             .doppler_low = mdldm__option_double(options, "doppler_low"),
                             .step_threshold = mdldm__option_double(options, "step_threshold"),
                             .percentile = mdldm__option_double(options, "envelope_percentile"),
                             .torso_width = mdldm__option_double(options, "torso_width")};
    if (s->doppler_high < s->doppler_low)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "doppler_high is %g, less than doppler_low, which is %g; the upper edge has the higher one",
                            s->doppler_high, s->doppler_low);
    if (s->doppler_high == s->doppler_low) {
        s->doppler_high = zero * (double)rows;
        s->doppler_low = (zero - 1.0) * (double)rows;
    }
    return step_range(env, options, s);
}

/* One call's work: results lie here until all are there. */
typedef struct gait_job {
    mdldm_context *ctx;
    const char *call;
    int64_t n, channels; /* channels 0: dB, no picture */
    mdldm__gait_setup setup;
    int has_map;
    mdldm__colormap map;
    double floor_db, ceiling_db; /* of pictures */
    double *values, *curves;     /* [n][MDLDM__GAIT_COUNT], [n][MDLDM__GAIT_CURVES][columns] or NULL */
    float *db;                   /* of one picture [rows][columns] */
    uint8_t *rgb;                /* [rows][columns][3] */
} gait_job;

static void job_free(gait_job *j)
{
    mdldm__env *env = &j->ctx->env;
    mdldm__free(env, j->rgb);
    mdldm__free(env, j->db);
    mdldm__free(env, j->curves);
    mdldm__free(env, j->values);
}

static mdldm_status job_start(gait_job *j, const mdldm_options *options, int64_t rows, int64_t columns, int has_values,
                              size_t capacity, int has_curves, size_t curve_capacity)
{
    mdldm__env *env = &j->ctx->env;
    if (!has_values)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: an array is NULL", j->call);
    if (j->n < 1 || (j->channels != 0 && j->channels != 1 && j->channels != 3))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%s: %lld spectrograms of %lld channels; 1 or more, of 1 or 3 channels, are right", j->call,
                            (long long)j->n, (long long)j->channels);
    MDLDM__TRY(read_options(env, options, rows, columns, &j->setup));
    const size_t points = (size_t)(MDLDM__GAIT_CURVES * columns), area = (size_t)(rows * columns);
    if (capacity / MDLDM__GAIT_COUNT < (size_t)j->n || (has_curves && curve_capacity / points < (size_t)j->n))
        return mdldm__error(env, MDLDM_ERROR_CAPACITY,
                            "%s: %lld spectrograms give %d values and %zu points of curves each; the arrays have room "
                            "for %zu and %zu in all",
                            j->call, (long long)j->n, (int)MDLDM__GAIT_COUNT, points, capacity, curve_capacity);
    if (j->channels != 0) {
        const char *name = mdldm__option_string(options, "colormap");
        const double low = mdldm__option_double(options, "db_floor"), high = mdldm__option_double(options, "db_ceiling");
        j->has_map = j->channels == 3 && strcmp(name, "none") != 0;
        if (j->has_map)
            MDLDM__TRY(mdldm__colormap_table(env, name, &j->map));
        if (low > high)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "db_floor is %g and db_ceiling %g dB; the floor must be less than the ceiling", low,
                                high);
        if (low < high) {
            j->floor_db = low;
            j->ceiling_db = high;
        }
    }
    j->values = mdldm__calloc(env, (size_t)j->n, MDLDM__GAIT_COUNT * sizeof *j->values);
    j->curves = has_curves ? mdldm__calloc(env, (size_t)j->n, points * sizeof *j->curves) : NULL;
    j->db = j->channels != 0 ? mdldm__calloc(env, area, sizeof *j->db) : NULL;
    j->rgb = j->channels == 3 ? mdldm__calloc(env, area, 3) : NULL;
    const int failed = j->values == NULL || (has_curves && j->curves == NULL) || (j->channels != 0 && j->db == NULL) ||
                       (j->channels == 3 && j->rgb == NULL);
    return failed ? mdldm__oom(env, "gait measures") : MDLDM_OK;
}

static mdldm_status job_measure(gait_job *j, int64_t item, const float *db)
{
    mdldm__env *env = &j->ctx->env;
    const int64_t points = MDLDM__GAIT_CURVES * j->setup.columns;
    MDLDM__TRY(mdldm__gait_measure(env, &j->setup, db, j->values + item * MDLDM__GAIT_COUNT,
                                   j->curves != NULL ? j->curves + item * points : NULL));
    return mdldm__progress(env, "measure", item + 1, j->n);
}

/* pixels [channels][rows][columns] of one picture. */
static mdldm_status job_picture(gait_job *j, int64_t item, const float *pixels)
{
    const size_t area = (size_t)(j->setup.rows * j->setup.columns), channels = (size_t)j->channels;
    for (size_t i = 0; i < channels * area; i++)
        if (isnan(pixels[i]))
            return mdldm__error(&j->ctx->env, MDLDM_ERROR_NUMERIC, "%s: pixel value %zu of picture %lld is NaN", j->call,
                                i, (long long)item);
    if (channels == 1) {
        for (size_t i = 0; i < area; i++)
            j->db[i] = 0.5f * (fminf(fmaxf(pixels[i], -1.0f), 1.0f) + 1.0f);
    } else {
        for (size_t i = 0; i < channels * area; i++)
            j->rgb[i] = (uint8_t)lrintf(127.5f * (fminf(fmaxf(pixels[i % 3 * area + i / 3], -1.0f), 1.0f) + 1.0f));
        if (j->has_map)
            mdldm__colormap_nearest(&j->map, j->rgb, area, j->db, NULL, NULL);
        else
            for (size_t i = 0; i < area; i++)
                j->db[i] = (float)mdldm__luma(j->rgb + 3 * i) / 255.0f;
    }
    for (size_t i = 0; i < area; i++)
        j->db[i] = (float)(j->floor_db + (j->ceiling_db - j->floor_db) * (double)j->db[i]);
    return job_measure(j, item, j->db);
}

static mdldm_status job_end(gait_job *j, mdldm_status status, double *values, double *curves)
{
    if (status == MDLDM_OK) {
        memcpy(values, j->values, (size_t)j->n * MDLDM__GAIT_COUNT * sizeof *values);
        if (j->curves != NULL)
            memcpy(curves, j->curves, (size_t)(j->n * MDLDM__GAIT_CURVES * j->setup.columns) * sizeof *curves);
    }
    job_free(j);
    return status;
}

/* channels 0: from holds dB. */
static mdldm_status measure(mdldm_context *ctx, const char *call, const float *from, int64_t n, int64_t channels,
                            int64_t rows, int64_t columns, const mdldm_options *options, double *values,
                            size_t capacity, double *curves, size_t curve_capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    gait_job j = {.ctx = ctx, .call = call, .n = n, .channels = channels, .floor_db = -USUAL_RANGE};
    mdldm_status status = job_start(&j, options, rows, columns, from != NULL && values != NULL, capacity,
                                    curves != NULL, curve_capacity);
    for (int64_t i = 0; status == MDLDM_OK && i < n; i++)
        status = channels == 0 ? job_measure(&j, i, from + i * rows * columns)
                               : job_picture(&j, i, from + i * channels * rows * columns);
    return job_end(&j, status, values, curves);
}

mdldm_status mdldm_gait_measure(mdldm_context *ctx, const float *db, int64_t n, int64_t rows, int64_t columns,
                                const mdldm_options *options, double *values, size_t capacity, double *curves,
                                size_t curve_capacity)
{
    return measure(ctx, "mdldm_gait_measure", db, n, 0, rows, columns, options, values, capacity, curves,
                   curve_capacity);
}

mdldm_status mdldm_gait_measure_pixels(mdldm_context *ctx, const float *pixels, int64_t n, int64_t channels,
                                       int64_t rows, int64_t columns, const mdldm_options *options, double *values,
                                       size_t capacity, double *curves, size_t curve_capacity)
{
    /* 0 channels mean dB among ourselves */
    return measure(ctx, "mdldm_gait_measure_pixels", pixels, n, channels == 0 ? -1 : channels, rows, columns, options,
                   values, capacity, curves, curve_capacity);
}

mdldm_status mdldm_gait_measure_dataset(mdldm_context *ctx, const mdldm_dataset *d, const mdldm_options *options,
                                        double *values, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    gait_job j = {.ctx = ctx, .call = "mdldm_gait_measure_dataset", .floor_db = -USUAL_RANGE};
    if (d == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: the data set is NULL", j.call);
    if (d->has_db) {
        j.floor_db = d->floor_db;
        j.ceiling_db = d->ceiling_db;
    }
    j.n = mdldm_dataset_count(d);
    j.channels = d->channels;
    const size_t needed = (size_t)(d->channels * d->resolution * d->resolution);
    mdldm_status status = job_start(&j, options, d->resolution, d->resolution, values != NULL, capacity, 0, 0);
    float *pixels = status == MDLDM_OK ? mdldm__calloc(&ctx->env, needed, sizeof *pixels) : NULL;
    if (status == MDLDM_OK && pixels == NULL)
        status = mdldm__oom(&ctx->env, "image");
    for (int64_t i = 0; status == MDLDM_OK && i < j.n; i++) {
        status = mdldm_dataset_read(ctx, d, i, pixels, needed);
        if (status == MDLDM_OK)
            status = job_picture(&j, i, pixels);
    }
    mdldm__free(&ctx->env, pixels);
    return job_end(&j, status, values, NULL);
}
