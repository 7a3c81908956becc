/* SPDX-License-Identifier: MIT
 * Spectrogram, decibels and float resizing: what the values mean, what is refused, no memory. Values against
 * scipy and Pillow: tests/golden/test_golden_signal.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../support/options_text.h"
#include "../support/torture.h"

enum { COUNT = 512 };
static const double RATE = 2000.0;
static mdldm_context *ctx;
static mdldm_options *options;
static float iq[2 * COUNT];

static void tone(double hertz, double amplitude)
{
    for (int i = 0; i < COUNT; i++) {
        iq[2 * i] = (float)(amplitude * cos(2 * M_PI * hertz * i / RATE));
        iq[2 * i + 1] = (float)(amplitude * sin(2 * M_PI * hertz * i / RATE));
    }
}

static int setup(void **state)
{
    (void)state;
    tone(500.0, 0.1);
    return mdldm_context_create(&ctx) != MDLDM_OK || mdldm_options_create(ctx, &options) != MDLDM_OK;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_options_free(options);
    mdldm_context_free(ctx);
    return 0;
}

/* An approaching tone of amplitude 0.1 is -20 dB, in the upper half, at its frequency. */
static void a_tone_is_where_it_belongs(void **state)
{
    (void)state;
    static float db[256 * 8];
    double frequency[256], time[8];
    int64_t rows, columns;
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, NULL, db, 256 * 8, &rows, &columns), MDLDM_OK);
    assert_int_equal(mdldm_spectrogram_axes(ctx, COUNT, RATE, NULL, frequency, 256, time, 8), MDLDM_OK);
    assert_int_equal(rows, 256);
    assert_int_equal(columns, 5);
    int64_t loudest = 0;
    for (int64_t i = 0; i < rows; i++)
        if (db[i * columns + 2] > db[loudest * columns + 2])
            loudest = i;
    assert_true(frequency[loudest] == 500.0);
    assert_true(loudest < rows / 2);
    assert_true(frequency[0] > 990.0 && frequency[255] == -1000.0);
    assert_true(fabs(time[2] - (128.0 + 128.0) / RATE) < 1e-12);
    assert_true(fabsf(db[loudest * columns + 2] + 20.0f) < 1e-4f);
    assert_int_equal(mdldm_options_parse(ctx, options, "db_reference", "peak"), MDLDM_OK);
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, options, db, 256 * 8, NULL, NULL), MDLDM_OK);
    float highest = -1e9f;
    for (int64_t i = 0; i < rows * columns; i++)
        highest = fmaxf(highest, db[i]);
    assert_true(highest == 0.0f);
}

static void silence_is_minus_200_db(void **state)
{
    (void)state;
    static float db[256 * 8];
    memset(iq, 0, sizeof iq);
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, NULL, db, 256 * 8, NULL, NULL), MDLDM_OK);
    for (int i = 0; i < 256 * 5; i++)
        assert_true(db[i] == -200.0f);
}

/* A thousandfold static echo disappears, without a transient, and the tone stays. */
static void clutter_goes(void **state)
{
    (void)state;
    static const char *const kinds[] = {"mean", "highpass", "mti"};
    static float db[256 * 8];
    for (int i = 0; i < COUNT; i++)
        iq[2 * i] += 100.0f;
    for (int k = 0; k < 3; k++) {
        int64_t rows, columns;
        assert_int_equal(mdldm_options_parse(ctx, options, "clutter_removal", kinds[k]), MDLDM_OK);
        assert_int_equal(mdldm_options_set_double(ctx, options, "clutter_cutoff", 20.0), MDLDM_OK);
        assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, options, db, 256 * 8, &rows, &columns), MDLDM_OK);
        for (int64_t j = 0; j < columns; j++) {
            const float zero = db[127 * columns + j], moving = db[63 * columns + j];
            /* Seen: -69.9, the onset of the tone itself in the high-pass; the clutter is at +40. */
            if (zero > -69.0f)
                fail_msg("%s leaves %g dB at 0 Hz in frame %d", kinds[k], (double)zero, (int)j);
            assert_true(fabsf(moving - (k == 2 ? -20.0f + 10.0f * log10f(2.0f) : -20.0f)) < 0.05f);
        }
    }
}

static void refused(const char *settings, const char *word)
{
    mdldm_options *o = options_from_text(ctx, settings);
    float db[4] = {7, 7, 7, 7};
    int64_t rows = -1;
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, o, db, 4, &rows, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    if (strstr(mdldm_context_error(ctx), word) == NULL)
        fail_msg("\"%s\" does not mention %s", mdldm_context_error(ctx), word);
    assert_true(db[0] == 7.0f && rows == -1);
    mdldm_options_free(o);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    refused("win_length=100 n_fft=64", "n_fft is 64");
    refused("win_length=97 n_fft=97", "100");
    refused("win_length=513", "512 samples");
    refused("clutter_removal=highpass clutter_cutoff=1000", "1000 Hz");
    float db[4];
    double axis[4], low, high;
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, NULL, db, 4, NULL, NULL), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_spectrogram_axes(ctx, COUNT, RATE, NULL, axis, 4, NULL, 0), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_spectrogram_axes(ctx, COUNT, RATE, NULL, NULL, 0, axis, 4), MDLDM_ERROR_CAPACITY);
    iq[2 * 77 + 1] = INFINITY;
    static float big[256 * 5];
    assert_int_equal(mdldm_spectrogram(ctx, iq, COUNT, RATE, NULL, big, 256 * 5, NULL, NULL), MDLDM_ERROR_NUMERIC);
    assert_non_null(strstr(mdldm_context_error(ctx), "Q of sample 77"));
    const float bad[3] = {0, NAN, 1}, none[1] = {-INFINITY};
    assert_int_equal(mdldm_db_range(ctx, bad, 3, 40, &low, &high), MDLDM_ERROR_NUMERIC);
    assert_int_equal(mdldm_db_range(ctx, none, 1, 40, &low, &high), MDLDM_ERROR_NUMERIC);
    assert_int_equal(mdldm_db_range(ctx, iq, 3, 0, &low, &high), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_db_to_unit(ctx, bad, 3, -40, 0, db, 4), MDLDM_ERROR_NUMERIC);
    assert_int_equal(mdldm_db_to_unit(ctx, iq, 5, -40, 0, db, 4), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_matrix_resize(ctx, bad, 1, 3, 1, 2, db, 4), MDLDM_ERROR_NUMERIC);
    assert_int_equal(mdldm_matrix_resize(ctx, iq, 1, 3, 5, 1, db, 4), MDLDM_ERROR_CAPACITY);
}

static void decibels_scale_and_return(void **state)
{
    (void)state;
    const float db[5] = {-70, -50, -35, -10, 3}, unit[5] = {0, 0, 0.375f, 1, 1}, back[5] = {-50, -50, -35, -10, -10};
    float out[5];
    assert_int_equal(mdldm_db_to_unit(ctx, db, 5, -50, -10, out, 5), MDLDM_OK);
    assert_memory_equal(out, unit, sizeof unit);
    assert_int_equal(mdldm_unit_to_db(ctx, out, 5, -50, -10, out, 5), MDLDM_OK);
    assert_memory_equal(out, back, sizeof back);
    assert_int_equal(mdldm_db_to_pixels(ctx, db, 5, -50, -10, out, 5), MDLDM_OK);
    for (int i = 0; i < 5; i++)
        assert_true(out[i] == 2.0f * unit[i] - 1.0f);
    assert_int_equal(mdldm_pixels_to_db(ctx, out, 5, -50, -10, out, 5), MDLDM_OK);
    assert_memory_equal(out, back, sizeof back);
    double low, high;
    assert_int_equal(mdldm_db_range(ctx, db, 5, 40, &low, &high), MDLDM_OK);
    assert_true(low == -37.0 && high == 3.0);
}

/* Silence is -inf dB: where it weighs nothing its neighbour stays, where it weighs something it wins. */
static void resizing_keeps_minus_infinity(void **state)
{
    (void)state;
    const float db[2] = {-3.0f, -INFINITY}, loud[2] = {0.0f, INFINITY};
    float out[6], same[2];
    assert_int_equal(mdldm_matrix_resize(ctx, db, 1, 2, 1, 6, out, 6), MDLDM_OK);
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == (i < 2 ? -3.0f : -INFINITY));
    assert_int_equal(mdldm_matrix_resize(ctx, db, 1, 2, 1, 2, same, 2), MDLDM_OK);
    assert_memory_equal(same, db, sizeof db);
    assert_int_equal(mdldm_matrix_resize(ctx, loud, 1, 2, 1, 6, out, 6), MDLDM_ERROR_NUMERIC);
    assert_non_null(strstr(mdldm_context_error(ctx), "value 1 of the matrix is inf"));
}

static mdldm_status spectrogram_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    mdldm_context *own;
    mdldm_options *o = NULL;
    static float db[256 * 8], small[16];
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &own);
    if (status != MDLDM_OK)
        return status;
    status = mdldm_options_create(own, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(own, o, "clutter_removal", "mti");
    if (status == MDLDM_OK)
        status = mdldm_spectrogram(own, iq, COUNT, RATE, o, db, 256 * 8, NULL, NULL);
    if (status == MDLDM_OK)
        status = mdldm_matrix_resize(own, db, 256, 5, 4, 4, small, 16);
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", mdldm_context_error(own));
    mdldm_options_free(o);
    mdldm_context_free(own);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_true(torture_run("spectrogram", spectrogram_scenario, NULL, 1000) > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tone_is_where_it_belongs, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_minus_200_db, setup, teardown),
        cmocka_unit_test_setup_teardown(clutter_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(resizing_keeps_minus_infinity, setup, teardown),
        cmocka_unit_test_setup_teardown(decibels_scale_and_return, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
