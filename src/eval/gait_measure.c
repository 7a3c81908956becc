/* SPDX-License-Identifier: MIT
 * The measures of one spectrogram. Kim and Ling (IEEE Trans. Geosci. Remote Sens. 47, 2009) classify human activities
 * by six features: torso Doppler, total bandwidth, offset, bandwidth without micro-Doppler, standard deviation of the
 * signal strength, period of the limbs; Bjorklund, Petersson and Hendeby (IET Radar Sonar Navig. 9, 2015) and
 * Seyfioglu, Ozbayoglu and Gurbuz (IEEE Trans. Aerosp. Electron. Syst. 54, 2018) extract the like. Where they take
 * extremes of the envelopes we take 5% and 95% points, which one speckle does not move. */
#include <math.h>

#include "eval/gait.h"

#define LEAST_SIDE 8
#define MOST_SIDE 16384
#define FAR 0.95 /* quantile of an envelope that stands for its extreme */

mdldm_status mdldm__gait_check_size(mdldm__env *env, int64_t rows, int64_t columns)
{
    if (rows < LEAST_SIDE || columns < LEAST_SIDE || rows > MOST_SIDE || columns > MOST_SIDE)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "a spectrogram of %lld rows and %lld columns cannot be measured; sides of %d to %d are right",
                            (long long)rows, (long long)columns, LEAST_SIDE, MOST_SIDE);
    return MDLDM_OK;
}

/* Copies the finite values; their number. */
static int64_t keep_finite(const double *values, int64_t count, double *out)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            out[kept++] = values[i];
    return kept;
}

static double quantile(const double *curve, int64_t columns, double q, double *scratch)
{
    const int64_t kept = keep_finite(curve, columns, scratch);
    return kept > 0 ? mdldm__gait_quantile(scratch, kept, q) : NAN;
}

/* Mean of the finite values, NaN without any; *deviation (or NULL): about it. */
static double mean_of(const double *curve, int64_t columns, double *deviation)
{
    double sum = 0.0, square = 0.0;
    int64_t kept = 0;
    for (int64_t c = 0; c < columns; c++)
        if (isfinite(curve[c])) {
            sum += curve[c];
            kept++;
        }
    const double mean = kept > 0 ? sum / (double)kept : NAN;
    for (int64_t c = 0; c < columns; c++)
        if (isfinite(curve[c]))
            square += (curve[c] - mean) * (curve[c] - mean);
    if (deviation != NULL)
        *deviation = kept > 0 ? sqrt(square / (double)kept) : NAN;
    return mean;
}

/* Shannon's entropy of each column's power over Doppler, over that of an even spread; mean over time. */
static double entropy(const mdldm__gait_setup *s, const double *power)
{
    double sum = 0.0;
    int64_t heard = 0;
    for (int64_t c = 0; c < s->columns; c++) {
        double total = 0.0, column = 0.0;
        for (int64_t r = 0; r < s->rows; r++)
            total += power[r * s->columns + c];
        for (int64_t r = 0; r < s->rows && total > 0.0; r++) {
            const double p = power[r * s->columns + c] / total;
            column -= p > 0.0 ? p * log(p) : 0.0;
        }
        sum += column / log((double)s->rows);
        heard += total > 0.0;
    }
    return heard > 0 ? sum / (double)heard : NAN;
}

/* torso [columns]: in rows. */
static double torso_to_limb(const mdldm__gait_setup *s, const double *power, const double *torso)
{
    const double reach = 0.5 * s->torso_width * (double)s->rows;
    double inside = 0.0, outside = 0.0;
    for (int64_t c = 0; c < s->columns; c++)
        for (int64_t r = 0; r < s->rows && isfinite(torso[c]); r++) {
            const double p = power[r * s->columns + c];
            if (fabs((double)r + 0.5 - torso[c]) <= reach)
                inside += p;
            else
                outside += p;
        }
    return inside > 0.0 && outside > 0.0 ? 10.0 * log10(inside / outside) : NAN;
}

static void measure_echo(const mdldm__gait_setup *s, const mdldm__gait_echo *echo, const double *torso, double *values)
{
    const int64_t count = s->rows * s->columns;
    double sum = 0.0, square = 0.0;
    int64_t heard = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += echo->above[i];
        square += echo->above[i] * echo->above[i];
        heard += echo->above[i] > 0.0;
    }
    const double mean = heard > 0 ? sum / (double)heard : NAN;
    values[MDLDM__GAIT_occupancy] = (double)heard / (double)count;
    values[MDLDM__GAIT_contrast] = heard > 0 ? echo->peak - echo->threshold : NAN;
    values[MDLDM__GAIT_strength_std] = heard > 0 ? sqrt(fmax(square / (double)heard - mean * mean, 0.0)) / mean : NAN;
    values[MDLDM__GAIT_spectral_entropy] = entropy(s, echo->power);
    values[MDLDM__GAIT_torso_to_limb] = torso_to_limb(s, echo->power, torso);
}

/* curves in the unit of Doppler. */
static void measure_curves(const mdldm__gait_setup *s, const double *curves, double *scratch, double *values)
{
    const int64_t n = s->columns;
    const double *upper = curves, *lower = curves + n, *torso = curves + 2 * n;
    const double high = quantile(upper, n, FAR, scratch), low = quantile(lower, n, 1.0 - FAR, scratch);
    values[MDLDM__GAIT_torso_doppler] = mean_of(torso, n, &values[MDLDM__GAIT_torso_std]);
    values[MDLDM__GAIT_envelope_upper] = mean_of(upper, n, NULL);
    values[MDLDM__GAIT_envelope_lower] = mean_of(lower, n, NULL);
    values[MDLDM__GAIT_upper_peak] = high;
    values[MDLDM__GAIT_lower_peak] = low;
    values[MDLDM__GAIT_bandwidth] = high - low;
    values[MDLDM__GAIT_bandwidth_torso] = quantile(upper, n, 1.0 - FAR, scratch) - quantile(lower, n, FAR, scratch);
    values[MDLDM__GAIT_offset] = 0.5 * (high + low) - values[MDLDM__GAIT_torso_doppler];
}

static void measure_step(const mdldm__gait_setup *s, const mdldm__gait_step *step, double *values)
{
    const int seen = isfinite(step->frequency) && step->strength >= s->step_threshold;
    values[MDLDM__GAIT_step_strength] = step->strength;
    values[MDLDM__GAIT_step_frequency] = seen ? step->frequency : NAN;
    values[MDLDM__GAIT_step_depth] = seen ? step->amplitude[0] : NAN;
    values[MDLDM__GAIT_torso_bob] = seen ? step->amplitude[2] : NAN;
}

mdldm_status mdldm__gait_measure(mdldm__env *env, const mdldm__gait_setup *s, const float *db, double *values,
                                 double *curves)
{
    const int64_t columns = s->columns, points = MDLDM__GAIT_CURVES * columns;
    double *own = mdldm__calloc(env, (size_t)(points + columns), sizeof *own);
    mdldm__gait_echo echo = {0.0, 0.0, NULL, NULL};
    mdldm__gait_step step;
    if (own == NULL)
        return mdldm__oom(env, "Doppler envelopes");
    double *scratch = own + points;
    mdldm_status status = mdldm__gait_echo_make(env, s, db, &echo);
    if (status == MDLDM_OK)
        status = mdldm__gait_torso(env, s, &echo, own + 2 * columns);
    if (status == MDLDM_OK) {
        mdldm__gait_envelopes(s, &echo, own, own + columns);
        measure_echo(s, &echo, own + 2 * columns, values);
        for (int64_t i = 0; i < points; i++)
            own[i] = s->doppler_high + (s->doppler_low - s->doppler_high) * own[i] / (double)s->rows;
        measure_curves(s, own, scratch, values);
        status = mdldm__gait_step_find(env, s, own, &step);
    }
    if (status == MDLDM_OK) {
        measure_step(s, &step, values);
        for (int64_t i = 0; i < points && curves != NULL; i++)
            curves[i] = own[i];
    }
    mdldm__gait_echo_free(env, &echo);
    mdldm__free(env, own);
    return status;
}
