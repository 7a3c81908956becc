/* SPDX-License-Identifier: MIT
 * Gait measures of drawn spectrograms whose measures are known, units, pictures, what is refused, no memory. Values
 * against NumPy: tests/golden/test_golden_gait.c; against walkers of known cadence: test_gait_walkers.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/options_text.h"
#include "../support/torture.h"
#include "eval/gait_table.h"

enum { ROWS = 128, COLUMNS = 96, AREA = ROWS * COLUMNS, MEASURES = MDLDM__GAIT_COUNT };
#define TAU 6.283185307179586
#define QUIET_DB (-60.0f)

static mdldm_context *ctx;
static float db[AREA];
static double values[MEASURES], curves[3 * COLUMNS];

static void fill(float value)
{
    for (int i = 0; i < AREA; i++)
        db[i] = value;
}

static void fill_row(int row, float value)
{
    for (int c = 0; c < COLUMNS; c++)
        db[row * COLUMNS + c] = value;
}

static mdldm_status measure_into(const char *settings, double *out)
{
    mdldm_options *o = options_from_text(ctx, settings);
    const mdldm_status status = mdldm_gait_measure(ctx, db, 1, ROWS, COLUMNS, o, out, MEASURES, curves, 3 * COLUMNS);
    mdldm_options_free(o);
    return status;
}

static void measure(const char *settings)
{
    if (measure_into(settings, values) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

/* A torso at row torso of 0 dB, limbs at -20 dB between it and the rows upper and lower, places in rows from the upper
 * edge that swing about them by `swing` so many times in the picture. A cell's share of a limb's tip is that of its dB
 * over the quiet. */
static void draw_walker(double upper, double lower, int torso, double swing, double times)
{
    fill(QUIET_DB);
    for (int c = 0; c < COLUMNS; c++) {
        const double wave = swing * sin(TAU * times * (c + 0.5) / COLUMNS), top = upper - wave, bottom = lower + wave;
        for (int r = 0; r < ROWS; r++) {
            const double inside = fmin(fmax(fmin(bottom, r + 1.0) - fmax(top, r), 0.0), 1.0);
            db[r * COLUMNS + c] += 40.0f * (float)inside;
        }
        db[torso * COLUMNS + c] = 0.0f;
    }
}

/* Dominant Doppler of one line: its middle. The percentiles lie that share of the row from its edges. */
static void one_tone(void **state)
{
    (void)state;
    fill(QUIET_DB);
    fill_row(40, 0.0f);
    measure("doppler_high=640 doppler_low=-640 picture_duration=2");
    assert_float_equal(values[MDLDM__GAIT_torso_doppler], 640.0 - 10.0 * 40.5, 1e-9); /* 10 Hz a row */
    assert_float_equal(values[MDLDM__GAIT_torso_std], 0.0, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_envelope_upper], 640.0 - 10.0 * 40.025, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_envelope_lower], 640.0 - 10.0 * 40.975, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_bandwidth], 9.5, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_bandwidth_torso], 9.5, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_offset], 0.0, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_spectral_entropy], 0.0, 1e-12);
    assert_float_equal(values[MDLDM__GAIT_strength_std], 0.0, 1e-12);
    assert_float_equal(values[MDLDM__GAIT_occupancy], 1.0 / ROWS, 1e-12);
    assert_float_equal(values[MDLDM__GAIT_contrast], 60.0, 1e-12);
    assert_float_equal(values[MDLDM__GAIT_step_strength], 0.0, 1e-12);
    assert_true(isnan(values[MDLDM__GAIT_torso_to_limb])); /* no limb */
    assert_true(isnan(values[MDLDM__GAIT_step_frequency]));
}

/* Masses that are known: a torso of power 1, a limb of power 0.1, noise of 1e-6. */
static void two_tones(void **state)
{
    (void)state;
    const double torso = 1.0 - 1e-6, limb = 0.1 - 1e-6, share = torso / (torso + limb);
    fill(QUIET_DB);
    fill_row(64, 0.0f);
    fill_row(20, -10.0f);
    measure("");
    assert_float_equal(values[MDLDM__GAIT_torso_to_limb], 10.0 * log10(torso / limb), 1e-6);
    assert_float_equal(values[MDLDM__GAIT_spectral_entropy],
                       -(share * log(share) + (1.0 - share) * log(1.0 - share)) / log(ROWS), 1e-7);
    assert_float_equal(values[MDLDM__GAIT_torso_doppler], -0.5, 1e-9); /* rows above the middle */
    /* the echo is 60 and 50 dB above the noise: 2.5% of their sum lie 2.75 dB into the limb's row */
    assert_float_equal(values[MDLDM__GAIT_envelope_upper], 64.0 - (20.0 + 2.75 / 50.0), 1e-9);
    assert_float_equal(values[MDLDM__GAIT_envelope_lower], 64.0 - (65.0 - 2.75 / 60.0), 1e-9);
    assert_float_equal(values[MDLDM__GAIT_strength_std], 5.0 / 55.0, 1e-9);
}

/* Even power over all rows but the eighth that is taken for noise. */
static void entropy_of_an_even_spread(void **state)
{
    (void)state;
    fill(QUIET_DB);
    for (int r = 0; r < ROWS - ROWS / 8; r++)
        fill_row(r, 0.0f);
    measure("");
    assert_float_equal(values[MDLDM__GAIT_spectral_entropy], log(ROWS - ROWS / 8) / log(ROWS), 1e-12);
    assert_float_equal(values[MDLDM__GAIT_occupancy], 0.875, 1e-12);
}

/* Noise of exponential power and nothing else: no step, hardly a cell above the threshold. */
static void noise_has_no_gait(void **state)
{
    (void)state;
    int steps = 0;
    double heard = 0.0;
    uint32_t x = 1;
    for (int k = 0; k < 20; k++) {
        for (int i = 0; i < AREA; i++) {
            x = x * 1664525u + 1013904223u;
            db[i] = (float)(10.0 * log10(-log(((double)(x >> 8) + 0.5) / 16777216.0)));
        }
        measure("");
        steps += !isnan(values[MDLDM__GAIT_step_frequency]);
        heard += values[MDLDM__GAIT_occupancy] / 20.0;
    }
    print_message("  of 20 pictures of noise %d have a step; %.1e of the cells are above the threshold\n", steps, heard);
    assert_int_equal(steps, 0);
    assert_true(heard < 1e-3); /* observed: 2.3e-4 */
}

static void a_swing_of_known_frequency(void **state)
{
    (void)state;
    static const double times[] = {2.3, 3.0, 4.05, 6.6, 9.2};
    double worst = 0.0, depth = 0.0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        draw_walker(40.0, 90.0, 64, 12.0, times[i]);
        measure("");
        worst = fmax(worst, fabs(values[MDLDM__GAIT_step_frequency] - times[i]));
        depth = fmax(depth, fabs(values[MDLDM__GAIT_step_depth] / 12.0 - 1.0));
        assert_true(values[MDLDM__GAIT_step_strength] > 0.98);
        /* the outermost 5% of a sine's values begin at 0.988 of its amplitude */
        assert_float_equal(values[MDLDM__GAIT_upper_peak], 64.0 - 40.0 + 12.0 * 0.988, 2.0); /* observed: 0.9 */
        assert_float_equal(values[MDLDM__GAIT_torso_doppler], -0.5, 1e-6);
    }
    print_message("  step frequencies within %.1e cycles per picture, depths within %.1e of them\n", worst, depth);
    assert_true(worst < 4e-3); /* observed: 1.1e-3 */
    assert_true(depth < 0.2);  /* observed: 0.05: a percentile swings a little less than the tip */
}

static void units(void **state)
{
    (void)state;
    double plain[MEASURES];
    draw_walker(40.0, 90.0, 64, 12.0, 4.05);
    assert_int_equal(measure_into("step_low=2 step_high=7", plain), MDLDM_OK);
    measure("picture_duration=2 step_low=1 step_high=3.5 doppler_high=1280 doppler_low=-1280");
    for (int i = 0; i < MEASURES; i++) {
        const char *unit = mdldm_gait_measure_unit(i);
        const double factor = strcmp(unit, "doppler") == 0 ? 20.0 : strcmp(unit, "frequency") == 0 ? 0.5 : 1.0;
        if (!isnan(plain[i]))
            assert_float_equal(values[i], factor * plain[i], 1e-9 * fabs(factor * plain[i]) + 1e-12);
    }
    measure("zero_doppler=0.75 step_low=2 step_high=7"); /* zero a quarter lower: all places are 32 rows higher */
    assert_float_equal(values[MDLDM__GAIT_torso_doppler], plain[MDLDM__GAIT_torso_doppler] + 32.0, 1e-9);
    assert_float_equal(values[MDLDM__GAIT_bandwidth], plain[MDLDM__GAIT_bandwidth], 1e-9);
}

/* What the decibels' origin and scale change. */
static void decibels(void **state)
{
    (void)state;
    double plain[MEASURES];
    draw_walker(40.0, 90.0, 64, 12.0, 4.05);
    assert_int_equal(measure_into("", plain), MDLDM_OK);
    for (int i = 0; i < AREA; i++)
        db[i] += 128.0f;
    measure("");
    for (int i = 0; i < MEASURES; i++)
        assert_float_equal(values[i], plain[i], 1e-5 * fabs(plain[i])); /* observed: 0 or rounding of the input */
    for (int i = 0; i < AREA; i++)
        db[i] = 0.5f * (db[i] - 128.0f);
    measure("");
    for (int i = 0; i < MEASURES; i++)
        if (strcmp(mdldm_gait_measure_unit(i), "dB") != 0 && i != MDLDM__GAIT_spectral_entropy)
            assert_float_equal(values[i], plain[i], 1e-3 * fabs(plain[i]) + 1e-6);
    assert_float_equal(values[MDLDM__GAIT_contrast], 0.5 * plain[MDLDM__GAIT_contrast], 1e-5);
}

static void silent_columns(void **state)
{
    (void)state;
    draw_walker(40.0, 90.0, 64, 12.0, 4.05);
    for (int r = 0; r < ROWS; r++)
        for (int c = 30; c < 34; c++)
            db[r * COLUMNS + c] = -INFINITY;
    measure("");
    for (int c = 0; c < COLUMNS; c++)
        for (int k = 0; k < 3; k++)
            assert_int_equal(isnan(curves[k * COLUMNS + c]) != 0, c >= 30 && c < 34);
    assert_float_equal(values[MDLDM__GAIT_step_frequency], 4.05, 4e-3); /* observed: 1e-3 */
    fill(-5.0f); /* no echo at all */
    measure("");
    assert_true(isnan(values[MDLDM__GAIT_torso_doppler]) && isnan(values[MDLDM__GAIT_contrast]));
    assert_true(values[MDLDM__GAIT_occupancy] == 0.0 && values[MDLDM__GAIT_step_strength] == 0.0);
}

/* A matrix, its coloured picture, its grey one, and a data set of these measure alike. */
static void pictures(void **state)
{
    (void)state;
    static uint8_t rgb[3 * AREA];
    static float pixels[3 * AREA], grey[AREA];
    double coloured[MEASURES], bright[MEASURES];
    draw_walker(40.0, 90.0, 64, 12.0, 4.05);
    for (int i = 0; i < AREA; i++) {
        db[i] = fmaxf(db[i], -40.0f);
        grey[i] = db[i] / 20.0f + 1.0f;
    }
    measure("");
    assert_int_equal(mdldm_colormap_apply(ctx, "jet", db, AREA, -40.0f, 0.0f, rgb, sizeof rgb), MDLDM_OK);
    assert_int_equal(mdldm_rgb8_to_pixels(ctx, rgb, 1, ROWS, COLUMNS, pixels, 3 * AREA), MDLDM_OK);
    mdldm_options *o = options_from_text(ctx, "colormap=jet");
    assert_int_equal(mdldm_gait_measure_pixels(ctx, pixels, 1, 3, ROWS, COLUMNS, o, coloured, MEASURES, NULL, 0),
                     MDLDM_OK);
    assert_int_equal(mdldm_gait_measure_pixels(ctx, grey, 1, 1, ROWS, COLUMNS, o, bright, MEASURES, NULL, 0), MDLDM_OK);
    for (int i = 0; i < MEASURES; i++) {
        assert_float_equal(bright[i], values[i], 1e-5 * fabs(values[i]) + 1e-6);
        /* a colour stands for 0.16 dB */
        const double step = strcmp(mdldm_gait_measure_unit(i), "dB") == 0 ? 0.2 : 0.02;
        assert_float_equal(coloured[i], values[i], 0.02 * fabs(values[i]) + step);
    }
    for (int i = 0; i < AREA; i++) /* grey in three channels */
        pixels[i] = pixels[AREA + i] = pixels[2 * AREA + i] = grey[i];
    mdldm_options_free(o);
    o = options_from_text(ctx, "db_floor=-80 db_ceiling=0");
    assert_int_equal(mdldm_gait_measure_pixels(ctx, pixels, 1, 3, ROWS, COLUMNS, o, coloured, MEASURES, NULL, 0),
                     MDLDM_OK);
    assert_float_equal(coloured[MDLDM__GAIT_contrast], 2.0 * values[MDLDM__GAIT_contrast], 0.5);
    assert_float_equal(coloured[MDLDM__GAIT_step_frequency], values[MDLDM__GAIT_step_frequency], 1e-3);
    mdldm_options_free(o);
}

static void data_sets(void **state)
{
    (void)state;
    static float two[2 * AREA], pixels[AREA];
    static const int64_t labels[2] = {0, 1};
    double all[2 * MEASURES];
    mdldm_dataset *d;
    draw_walker(40.0, 90.0, 64, 12.0, 4.05);
    memcpy(two, db, sizeof db);
    draw_walker(50.0, 80.0, 66, 9.0, 3.1);
    memcpy(two + AREA, db, sizeof db);
    mdldm_options *o = options_from_text(ctx, "resolution=64 image_mode=L db_floor=-60 db_ceiling=0");
    if (mdldm_dataset_from_db(ctx, two, 2, ROWS, COLUMNS, labels, NULL, o, &d) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    assert_int_equal(mdldm_gait_measure_dataset(ctx, d, NULL, all, 2 * MEASURES - 1), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_gait_measure_dataset(ctx, d, NULL, all, 2 * MEASURES), MDLDM_OK);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(mdldm_dataset_read(ctx, d, k, pixels, AREA), MDLDM_OK);
        assert_int_equal(mdldm_gait_measure_pixels(ctx, pixels, 1, 1, 64, 64, o, values, MEASURES, NULL, 0), MDLDM_OK);
        for (int i = 0; i < MEASURES; i++)
            assert_true(values[i] == all[k * MEASURES + i] || (isnan(values[i]) && isnan(all[k * MEASURES + i])));
    }
    mdldm_options_free(o);
    mdldm_dataset_free(d);
}

static void says(const char *part)
{
    if (strstr(mdldm_context_error(ctx), part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", mdldm_context_error(ctx), part);
}

static void refuses(const char *settings, mdldm_status status, const char *part)
{
    values[0] = curves[0] = 77.0;
    assert_int_equal(measure_into(settings, values), status);
    says(part);
    assert_true(values[0] == 77.0 && curves[0] == 77.0);
}

static int32_t stop(void *user, const char *stage, int64_t done, int64_t total)
{
    (void)user;
    assert_string_equal(stage, "measure");
    assert_int_equal(done, 1);
    assert_int_equal(total, 2);
    return 1;
}

static void refusals(void **state)
{
    (void)state;
    static float two[2 * AREA];
    double room[2 * MEASURES];
    draw_walker(40.0, 90.0, 64, 12.0, 4.05);
    refuses("doppler_high=-1 doppler_low=1", MDLDM_ERROR_INVALID_ARGUMENT, "doppler_high is -1");
    refuses("step_low=5 step_high=4", MDLDM_ERROR_INVALID_ARGUMENT, "from 5 to 4 cycles per picture");
    refuses("step_high=49", MDLDM_ERROR_INVALID_ARGUMENT, "at most 48");
    refuses("picture_duration=100 step_low=1", MDLDM_ERROR_INVALID_ARGUMENT, "from 1 to 0.48 Hz");
    db[5] = NAN;
    refuses("", MDLDM_ERROR_NUMERIC, "value 5 of the spectrogram");
    db[5] = INFINITY;
    refuses("", MDLDM_ERROR_NUMERIC, "value 5 of the spectrogram");
    fill(-INFINITY);
    refuses("", MDLDM_ERROR_NUMERIC, "are -inf dB");
    fill(0.0f);
    assert_int_equal(mdldm_gait_measure(ctx, db, 1, 7, COLUMNS, NULL, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    says("7 rows and 96 columns");
    assert_int_equal(mdldm_gait_measure(ctx, db, 1, ROWS, 16385, NULL, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_gait_measure(ctx, db, INT64_MAX, ROWS, COLUMNS, NULL, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_gait_measure(ctx, db, 1, ROWS, COLUMNS, NULL, values, MEASURES, curves, 3 * COLUMNS - 1),
                     MDLDM_ERROR_CAPACITY);
    says("have room");
    assert_int_equal(mdldm_gait_measure_pixels(ctx, db, 1, 2, 8, 8, NULL, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    says("2 channels");
    assert_int_equal(mdldm_gait_measure_pixels(ctx, db, 1, 0, 8, 8, NULL, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    db[3] = NAN;
    assert_int_equal(mdldm_gait_measure_pixels(ctx, db, 1, 3, 8, 8, NULL, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_NUMERIC);
    says("pixel value 3 of picture 0 is NaN");
    mdldm_options *o = options_from_text(ctx, "db_floor=0 db_ceiling=-40");
    assert_int_equal(mdldm_gait_measure_pixels(ctx, two, 1, 3, 8, 8, o, values, MEASURES, NULL, 0),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    says("db_floor is 0 and db_ceiling -40");
    mdldm_options_free(o);
    mdldm_context_set_progress(ctx, stop, NULL);
    room[0] = 77.0;
    assert_int_equal(mdldm_gait_measure(ctx, two, 2, ROWS, COLUMNS, NULL, room, 2 * MEASURES, NULL, 0),
                     MDLDM_ERROR_CANCELLED);
    mdldm_context_set_progress(ctx, NULL, NULL);
    assert_true(room[0] == 77.0);
}

static void the_table(void **state)
{
    (void)state;
    assert_int_equal(mdldm_gait_measure_count(), MEASURES);
    assert_string_equal(mdldm_gait_measure_name(MDLDM__GAIT_step_frequency), "step_frequency");
    assert_string_equal(mdldm_gait_measure_unit(MDLDM__GAIT_step_frequency), "frequency");
    assert_non_null(strstr(mdldm_gait_measure_help(MDLDM__GAIT_torso_doppler), "torso line"));
    assert_null(mdldm_gait_measure_name(-1));
    assert_null(mdldm_gait_measure_unit(MEASURES));
    assert_null(mdldm_gait_measure_help(INT32_MAX));
}

static mdldm_status memory_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    static float pixels[3 * 16 * 16];
    double row[MEASURES], lines[3 * 16];
    mdldm_context *own;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &own);
    if (status != MDLDM_OK)
        return status;
    for (int i = 0; i < 3 * 16 * 16; i++)
        pixels[i] = i / 16 % 16 == 7 ? 0.5f : -0.5f;
    status = mdldm_gait_measure_pixels(own, pixels, 1, 3, 16, 16, NULL, row, MEASURES, lines, 3 * 16);
    snprintf(sentence, 1024, "%s", mdldm_context_error(own));
    mdldm_context_free(own);
    return status;
}

static void no_memory(void **state)
{
    (void)state;
    assert_true(torture_run("gait measures", memory_scenario, NULL, 100) > 10);
}

static int setup(void **state)
{
    (void)state;
    return mdldm_context_create(&ctx) != MDLDM_OK;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_context_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tone),
        cmocka_unit_test(two_tones),
        cmocka_unit_test(entropy_of_an_even_spread),
        cmocka_unit_test(noise_has_no_gait),
        cmocka_unit_test(a_swing_of_known_frequency),
        cmocka_unit_test(units),
        cmocka_unit_test(decibels),
        cmocka_unit_test(silent_columns),
        cmocka_unit_test(pictures),
        cmocka_unit_test(data_sets),
        cmocka_unit_test(refusals),
        cmocka_unit_test(the_table),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
