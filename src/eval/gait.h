/* SPDX-License-Identifier: MIT
 * What a radar person reads from the spectrogram of a walker: Doppler envelopes, torso line, step frequency, and
 * figures made of them. Matrices are in dB, [row][column]: rows are Doppler, the highest first, columns are time.
 * docs/GAIT_MEASURES.md has the definitions in words, tests/golden/make_gait_golden.py in NumPy. */
#ifndef MDLDM_EVAL_GAIT_H
#define MDLDM_EVAL_GAIT_H

#include "eval/gait_table.h"
#include "util/env.h"

#define MDLDM__GAIT_CURVES 3 /* upper envelope, lower envelope, torso line */

typedef struct mdldm__gait_setup {
    int64_t rows, columns;
    double duration;             /* of the columns together, in the unit of time */
    double doppler_high, doppler_low; /* at the upper edge of the first row and the lower edge of the last */
    double step_low, step_high;  /* where the step frequency is looked for, per unit of time */
    double step_threshold;       /* a step_strength below it is no step */
    double percentile;           /* of the upper envelope, in (0.5, 1); the lower one has 1 less it */
    double torso_width;          /* share of the rows that counts as the torso */
} mdldm__gait_setup;

/* Sides are 8 to 16384, else INVALID_ARGUMENT. */
mdldm_status mdldm__gait_check_size(mdldm__env *env, int64_t rows, int64_t columns);

/* values[MDLDM__GAIT_COUNT] and curves[MDLDM__GAIT_CURVES][columns] (or NULL) of db [rows][columns], NaN where there
 * is nothing to measure. -inf dB counts as the least number. Errors: OUT_OF_MEMORY, NUMERIC (NaN, +inf, nothing above
 * -inf). */
mdldm_status mdldm__gait_measure(mdldm__env *env, const mdldm__gait_setup *setup, const float *db, double *values,
                                 double *curves);

/* ---- its parts ---- */

/* The echo without the noise. */
typedef struct mdldm__gait_echo {
    double threshold, peak; /* dB */
    double *above;          /* dB above the threshold, 0 below it [rows][columns] */
    double *power;          /* linear, over that of peak, the noise subtracted; 0 below the threshold [rows][columns] */
} mdldm__gait_echo;
mdldm_status mdldm__gait_echo_make(mdldm__env *env, const mdldm__gait_setup *setup, const float *db,
                                   mdldm__gait_echo *out);
void mdldm__gait_echo_free(mdldm__env *env, mdldm__gait_echo *echo);

/* upper[columns] and lower[columns]: place from the upper edge in rows; NaN: no echo in that column. */
void mdldm__gait_envelopes(const mdldm__gait_setup *setup, const mdldm__gait_echo *echo, double *upper, double *lower);
/* torso[columns] likewise. */
mdldm_status mdldm__gait_torso(mdldm__env *env, const mdldm__gait_setup *setup, const mdldm__gait_echo *echo,
                               double *torso);

typedef struct mdldm__gait_step {
    double frequency, strength;           /* NaN, 0: no peak */
    double amplitude[MDLDM__GAIT_CURVES]; /* of the curves' sinusoids at that frequency; NaN: none */
} mdldm__gait_step;
mdldm_status mdldm__gait_step_find(mdldm__env *env, const mdldm__gait_setup *setup, const double *curves,
                                   mdldm__gait_step *out);

/* The q quantile of values[count], count 1 or more, linear between neighbours as numpy.quantile; sorts values. */
double mdldm__gait_quantile(double *values, int64_t count, double q);

#endif
