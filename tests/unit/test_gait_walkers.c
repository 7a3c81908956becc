/* SPDX-License-Identifier: MIT
 * Gait measures of simulated persons whose cadence and speed are known (Boulic et al. 1990), at several signal-to-noise
 * ratios, through the library's own spectrograms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../examples/common/gait_model.c"
#undef TAU
#include "../../examples/common/radar_echo.c"
#include "../support/options_text.h"
#include "eval/gait_table.h"

#define PRF 6400.0
#define HALF_WAVE (RADAR_SPEED_OF_LIGHT / 77e9 / 2.0) /* m: velocity over Doppler frequency */
enum { PERSONS = 20, WINDOW = 320, HOP = 55, COLUMNS = 256, ROWS = 512, PULSES = WINDOW + (COLUMNS - 1) * HOP };

typedef struct outcome {
    int unseen;
    double step, speed; /* largest errors: relative; m/s */
    double contrast;    /* mean, dB */
} outcome;

/* Person `index` walks towards the radar for 2.2 s; db [ROWS][COLUMNS]. */
static void walk(mdldm_context *ctx, int index, double noise_db, float *iq, float *db, gait_model *gait)
{
    small_rng features = small_rng_stream(11, 1, (uint64_t)index), build = small_rng_stream(11, 2, (uint64_t)index),
              noise = small_rng_stream(11, 3, (uint64_t)index);
    gait_walker walker = {.height = small_rng_between(&features, 1.55, 1.95)};
    walker.speed = small_rng_between(&features, 0.95, 1.5);
    walker.cadence = small_rng_between(&features, 0.9, 1.14);
    walker.arm_swing = small_rng_between(&features, 0.3, 2.0);
    gait_model_init(gait, &walker);
    radar_body body;
    radar_body_init(&body, gait, &build);
    const radar_track track = {.start = small_rng_between(&features, 8.0, 12.0), .offset = 0.3,
                               .phase = small_rng_uniform(&features), .sway_rate = 0.2};
    const radar_site site = {77e9, PRF, 1.0, noise_db};
    assert_true(radar_echo(&site, &body, &track, &noise, PULSES, iq));
    mdldm_options *o = options_from_text(ctx, "win_length=320 n_fft=512 hop_length=55");
    int64_t rows, columns;
    if (mdldm_spectrogram(ctx, iq, PULSES, PRF, o, db, ROWS * COLUMNS, &rows, &columns) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    assert_true(rows == ROWS && columns == COLUMNS);
    mdldm_options_free(o);
}

static outcome measure_all(mdldm_context *ctx, double noise_db)
{
    outcome out = {0, 0.0, 0.0, 0.0};
    float *iq = malloc(sizeof *iq * 2 * PULSES), *db = malloc(sizeof *db * ROWS * COLUMNS);
    assert_true(iq != NULL && db != NULL);
    mdldm_options *o = options_from_text(ctx, "");
    /* a row's frequency is in its middle: the first row, half the rate less one bin, reaches half a bin higher */
    const double bin = HALF_WAVE * PRF / ROWS;
    assert_int_equal(mdldm_options_set_double(ctx, o, "doppler_high", (ROWS / 2 - 0.5) * bin), MDLDM_OK);
    assert_int_equal(mdldm_options_set_double(ctx, o, "doppler_low", -(ROWS / 2 + 0.5) * bin), MDLDM_OK);
    assert_int_equal(mdldm_options_set_double(ctx, o, "picture_duration", COLUMNS * HOP / PRF), MDLDM_OK);
    for (int i = 0; i < PERSONS; i++) {
        double values[MDLDM__GAIT_COUNT];
        gait_model gait;
        walk(ctx, i, noise_db, iq, db, &gait);
        if (mdldm_gait_measure(ctx, db, 1, ROWS, COLUMNS, o, values, MDLDM__GAIT_COUNT, NULL, 0) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(ctx));
        if (isnan(values[MDLDM__GAIT_step_frequency]))
            out.unseen++;
        else
            out.step = fmax(out.step, fabs(values[MDLDM__GAIT_step_frequency] * gait.cycle_duration / 2.0 - 1.0));
        out.speed = fmax(out.speed, fabs(values[MDLDM__GAIT_torso_doppler] - gait.walker.speed));
        out.contrast += values[MDLDM__GAIT_contrast] / PERSONS;
    }
    mdldm_options_free(o);
    free(db);
    free(iq);
    print_message("  noise %g dB, contrast %.0f dB: steps of %d of %d, within %.2f%%; speed within %.3f m/s\n", noise_db,
                  out.contrast, PERSONS - out.unseen, PERSONS, 100.0 * out.step, out.speed);
    return out;
}

/* Observed over 40 persons: steps of all, within 1.0%, and 0.02 m/s; at 18 dB of contrast those of 38, within 1.7%, and
 * 0.06 m/s; at 8 dB, limbs in the noise, those of 34, within 3.6%, and 0.09 m/s. */
static void cadence_and_speed_are_found(void **state)
{
    (void)state;
    static const struct {
        double noise_db;
        int unseen;
        double step, speed;
    } cases[] = {{-40.0, 0, 0.03, 0.06}, {-20.0, 0, 0.03, 0.06}, {0.0, 3, 0.05, 0.15}, {10.0, 8, 0.1, 0.25}};
    mdldm_context *ctx;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const outcome o = measure_all(ctx, cases[i].noise_db);
        assert_true(o.unseen <= cases[i].unseen);
        assert_true(o.step < cases[i].step);
        assert_true(o.speed < cases[i].speed);
    }
    mdldm_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cadence_and_speed_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
