/* SPDX-License-Identifier: MIT
 * Noise floor, threshold, and the echo above them. Pictures come with noise of any strength, or with none when their
 * colours end above it, so the threshold is read from the picture: its quietest rows hold noise alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/gait.h"

/* An eighth of the rows is taken for quiet: a limb passes through few of them. */
#define QUIET 8
/* Power of noise is exponential. In dB its 90% quantile lies 5.21 above the median, and 1 cell of 10^4 lies
 * 11.2 above: 2.15 times as far. Both quantiles stand where a limb's tip strays into a quiet row. Where colours cut
 * the noise off, its spread says little and the 99.5% quantile holds. */
#define REACH 2.15
#define SPREAD_QUANTILE 0.9
#define CUT_QUANTILE 0.995

typedef struct row_mean {
    double mean;
    int64_t row;
} row_mean;

static int by_mean(const void *a, const void *b)
{
    const row_mean *p = a, *q = b;
    if (p->mean != q->mean)
        return p->mean < q->mean ? -1 : 1;
    return p->row < q->row ? -1 : 1;
}

static int by_value(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

double mdldm__gait_quantile(double *values, int64_t count, double q)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    const double place = q * (double)(count - 1);
    const int64_t i = (int64_t)floor(place);
    return i + 1 < count ? values[i] + (place - (double)i) * (values[i + 1] - values[i]) : values[i];
}

static double linear(double db)
{
    return pow(10.0, db / 10.0);
}

/* echo->above holds the values in dB on entry. Sets threshold; gives the mean power of the noise over that of peak. */
static double find_noise(const mdldm__gait_setup *s, row_mean *order, double *quiet, mdldm__gait_echo *echo)
{
    const int64_t rows = s->rows, columns = s->columns, taken = rows / QUIET;
    for (int64_t r = 0; r < rows; r++) {
        order[r] = (row_mean){0.0, r};
        for (int64_t c = 0; c < columns; c++)
            order[r].mean += echo->above[r * columns + c] / (double)columns;
    }
    qsort(order, (size_t)rows, sizeof *order, by_mean);
    double noise = 0.0;
    for (int64_t k = 0; k < taken; k++) {
        const double *row = echo->above + order[k].row * columns;
        memcpy(quiet + k * columns, row, (size_t)columns * sizeof *row);
        for (int64_t c = 0; c < columns; c++)
            noise += linear(row[c] - echo->peak) / (double)(taken * columns);
    }
    const double median = mdldm__gait_quantile(quiet, taken * columns, 0.5);
    const double spread = mdldm__gait_quantile(quiet, taken * columns, SPREAD_QUANTILE) - median;
    echo->threshold = fmax(median + REACH * spread, mdldm__gait_quantile(quiet, taken * columns, CUT_QUANTILE));
    return noise;
}

/* echo->above = db with -inf as the least number; sets peak. */
static mdldm_status take_values(mdldm__env *env, const float *db, size_t count, mdldm__gait_echo *echo)
{
    double least = INFINITY;
    echo->peak = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (isnan(db[i]) || db[i] == INFINITY)
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "value %zu of the spectrogram is %g dB", i, (double)db[i]);
        if (db[i] == -INFINITY)
            continue;
        least = fmin(least, (double)db[i]);
        echo->peak = fmax(echo->peak, (double)db[i]);
    }
    if (echo->peak == -INFINITY)
        return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                            "all %zu values of the spectrogram are -inf dB; one number at least is right", count);
    for (size_t i = 0; i < count; i++)
        echo->above[i] = db[i] == -INFINITY ? least : (double)db[i];
    return MDLDM_OK;
}

mdldm_status mdldm__gait_echo_make(mdldm__env *env, const mdldm__gait_setup *s, const float *db,
                                   mdldm__gait_echo *out)
{
    const size_t count = (size_t)(s->rows * s->columns);
    row_mean *order = mdldm__calloc(env, (size_t)s->rows, sizeof *order);
    double *quiet = mdldm__calloc(env, (size_t)(s->rows / QUIET * s->columns), sizeof *quiet);
    *out = (mdldm__gait_echo){0.0, 0.0, mdldm__calloc(env, count, sizeof(double)),
                              mdldm__calloc(env, count, sizeof(double))};
    mdldm_status status = order == NULL || quiet == NULL || out->above == NULL || out->power == NULL
                              ? mdldm__oom(env, "spectrogram")
                              : take_values(env, db, count, out);
    if (status == MDLDM_OK) {
        const double noise = find_noise(s, order, quiet, out);
        for (size_t i = 0; i < count; i++) {
            const double value = out->above[i];
            const int heard = value > out->threshold;
            out->power[i] = heard ? fmax(linear(value - out->peak) - noise, 0.0) : 0.0;
            out->above[i] = heard ? value - out->threshold : 0.0;
        }
    }
    mdldm__free(env, quiet);
    mdldm__free(env, order);
    if (status != MDLDM_OK)
        mdldm__gait_echo_free(env, out);
    return status;
}

void mdldm__gait_echo_free(mdldm__env *env, mdldm__gait_echo *echo)
{
    mdldm__free(env, echo->power);
    mdldm__free(env, echo->above);
    *echo = (mdldm__gait_echo){0.0, 0.0, NULL, NULL};
}
