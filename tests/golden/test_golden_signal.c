/* SPDX-License-Identifier: MIT
 * Spectrograms against scipy.signal, colour maps against matplotlib, float resizing and grey
 * against Pillow. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/golden.h"
#include "../support/options_text.h"

static const golden_run run = {"signal", NULL, "f32"};
static golden g;
static mdldm_context *ctx;

static int setup(void **state)
{
    (void)state;
    golden_open(&g, &run);
    return mdldm_context_create(&ctx) == MDLDM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_context_free(ctx);
    golden_close(&g);
    return 0;
}

static const mdldm__st_tensor *part(const char *name, const char *what)
{
    char full[80];
    snprintf(full, sizeof full, "%s.%s", name, what);
    return golden_tensor(&g, full);
}

typedef struct stft_case {
    const char *name, *options; /* "key=value key=value" */
} stft_case;

static const stft_case CASES[] = {
    {"hann", "win_length=64 n_fft=64"},
    {"hamming", "window=hamming win_length=50 hop_length=20 n_fft=60 clutter_removal=mean"},
    {"blackman", "window=blackman win_length=75 hop_length=33 n_fft=75 clutter_removal=mti"},
    {"kaiser", "window=kaiser win_length=64 hop_length=24 n_fft=128 clutter_removal=highpass clutter_cutoff=40 "
               "db_reference=peak"},
    {"rectangular", "window=rectangular win_length=45 hop_length=45 n_fft=45 clutter_removal=highpass"},
};

static void spectrograms_are_scipys(void **state)
{
    (void)state;
    const mdldm__st_tensor *iq = golden_tensor(&g, "iq");
    const int64_t count = iq->dims[0];
    const double rate = golden_fact(&g, "rate");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const stft_case *c = &CASES[i];
        const mdldm__st_tensor *db = part(c->name, "db");
        const float *expected = db->data, *frequency = part(c->name, "frequency")->data,
                    *time = part(c->name, "time")->data;
        mdldm_options *o = options_from_text(ctx, c->options);
        int64_t rows = 0, columns = 0;
        golden_ok(&g, mdldm_spectrogram(ctx, NULL, count, rate, o, NULL, 0, &rows, &columns), c->name);
        assert_int_equal(rows, db->dims[0]);
        assert_int_equal(columns, db->dims[1]);
        float *got = malloc((size_t)(rows * columns) * sizeof *got);
        double f[128], t[64];
        assert_non_null(got);
        golden_ok(&g, mdldm_spectrogram(ctx, iq->data, count, rate, o, got, (size_t)(rows * columns), NULL, NULL),
                  c->name);
        golden_ok(&g, mdldm_spectrogram_axes(ctx, count, rate, o, f, 128, t, 64), c->name);
        double amplitude = 0.0, decibels = 0.0, highest = -1e9, axes = 0.0;
        for (int64_t k = 0; k < rows * columns; k++)
            highest = fmax(highest, (double)expected[k]);
        for (int64_t k = 0; k < rows * columns; k++) {
            const double a = (double)got[k] - highest, b = (double)expected[k] - highest;
            amplitude = fmax(amplitude, fabs(pow(10.0, a / 20.0) - pow(10.0, b / 20.0)));
            if (b > -70.0)
                decibels = fmax(decibels, fabs(a - b));
        }
        for (int64_t k = 0; k < rows; k++)
            axes = fmax(axes, fabs(f[k] - (double)frequency[k]) / rate);
        for (int64_t k = 0; k < columns; k++)
            axes = fmax(axes, fabs(t[k] - (double)time[k]));
        print_message("  %s: %.1e of the largest amplitude; %.1e dB in the upper 70 dB; axes %.1e\n", c->name,
                      amplitude, decibels, axes);
        assert_true(amplitude <= 4e-7);
        assert_true(decibels <= 4e-3);
        assert_true(axes <= 1e-7); /* the axes are kept as float */
        free(got);
        mdldm_options_free(o);
    }
}

static void colours_are_matplotlibs(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"viridis", "viridis"}, {"turbo", "turbo"}, {"gray", "grey"}};
    for (int n = 0; n < 3; n++) {
        const int32_t *expected = part(names[n][0], "colours")->data;
        for (int i = 0; i < 256; i++) {
            const float value = ((float)i + 0.5f) / 256.0f;
            uint8_t rgb[3];
            assert_int_equal(mdldm_colormap_apply(ctx, names[n][1], &value, 1, 0, 1, rgb, 3), MDLDM_OK);
            for (int k = 0; k < 3; k++)
                assert_int_equal(rgb[k], expected[i * 3 + k]);
        }
    }
}

static void matrices_resize_as_pillows(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {{30, 41, 16, 16}, {9, 8, 20, 24}, {25, 12, 25, 30}};
    for (int i = 0; i < 3; i++) {
        const int64_t *s = sizes[i];
        char name[40];
        snprintf(name, sizeof name, "matrix.%dx%d", (int)s[0], (int)s[1]);
        const float *matrix = golden_f32(&g, name);
        snprintf(name, sizeof name, "resized.%dx%d", (int)s[2], (int)s[3]);
        const float *expected = golden_f32(&g, name);
        float out[32 * 32];
        golden_ok(&g, mdldm_matrix_resize(ctx, matrix, s[0], s[1], s[2], s[3], out, sizeof out / sizeof *out), name);
        double worst = 0.0;
        for (int64_t k = 0; k < s[2] * s[3]; k++)
            worst = fmax(worst, fabs((double)out[k] - (double)expected[k]));
        print_message("  %s: %.1e\n", name, worst);
        assert_true(worst == 0.0);
    }
}

/* image_mode L: PIL's convert("L"), Resize(16), CenterCrop(16). */
static void grey_is_pils(void **state)
{
    (void)state;
    const mdldm__st_tensor *rgb = golden_tensor(&g, "luma.rgb");
    const uint8_t *resized = golden_tensor(&g, "luma.resized")->data, *grey = golden_tensor(&g, "luma.grey")->data;
    const int64_t height = rgb->dims[0], width = rgb->dims[1];
    mdldm_options *o = options_from_text(ctx, "image_mode=L resolution=16 colormap=none");
    mdldm_dataset *d = NULL;
    uint8_t got[16 * 16 * 3], whole[20 * 33 * 3];
    golden_ok(&g, mdldm_dataset_from_rgb8(ctx, rgb->data, 1, height, width, NULL, NULL, o, &d), "from_rgb8");
    golden_ok(&g, mdldm_dataset_read_rgb8(ctx, d, 0, got, sizeof got), "read");
    for (int i = 0; i < 16 * 16 * 3; i++)
        assert_int_equal(got[i], resized[i / 3]);
    mdldm_dataset_free(d);
    char path[] = "/tmp/mdldm_grey_XXXXXX";
    const int file = mkstemp(path);
    int64_t h = 0, w = 0;
    assert_true(file >= 0);
    golden_ok(&g, mdldm_image_write(ctx, path, rgb->data, height, width), "write");
    golden_ok(&g, mdldm_image_read_grey8(ctx, path, whole, sizeof whole, &h, &w), "read");
    assert_true(h == height && w == width);
    assert_memory_equal(whole, grey, (size_t)(height * width));
    close(file);
    unlink(path);
    mdldm_options_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectrograms_are_scipys),
        cmocka_unit_test(colours_are_matplotlibs),
        cmocka_unit_test(matrices_resize_as_pillows),
        cmocka_unit_test(grey_is_pils),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
