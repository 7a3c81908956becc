/* SPDX-License-Identifier: MIT
 * Numbers of latents against NumPy, SciPy and scikit-learn (make_latent_golden.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/golden.h"
#include "eval/latent_numbers.h"

static const golden_run run = {"latents", NULL, "f32"};
static golden g;

static int setup(void **state)
{
    (void)state;
    golden_open(&g, &run);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    golden_close(&g);
    return 0;
}

static const mdldm__st_tensor *part(const char *name, const char *what)
{
    char full[80];
    snprintf(full, sizeof full, "%s.%s", name, what);
    return golden_tensor(&g, full);
}

/* got [count] against NAME.WHAT from entry first on, relative to its largest; NaN stands against NaN. */
static void near(const char *name, const char *what, const double *got, int64_t first, int64_t count, double tolerance)
{
    const float *expected = (const float *)part(name, what)->data + first;
    double worst = 0.0, largest = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        if ((isnan(got[i]) != 0) != (isnan(expected[i]) != 0))
            fail_msg("%s.%s: entry %d is %g, expected %g", name, what, (int)i, got[i], (double)expected[i]);
        if (!isnan(got[i])) {
            worst = fmax(worst, fabs(got[i] - (double)expected[i]));
            largest = fmax(largest, fabs((double)expected[i]));
        }
    }
    print_message("  %s.%s: %.1e\n", name, what, worst / largest);
    assert_true(worst <= tolerance * largest);
}

static mdldm__latent_set open_set(const char *name, float **rest)
{
    const mdldm__st_tensor *z = part(name, "z");
    const mdldm__latent_set s = {z->data, z->dims[0], z->dims[1], z->dims[2], z->dims[3]};
    *rest = malloc((size_t)(s.n * s.channels * s.h * s.w) * sizeof **rest);
    assert_non_null(*rest);
    mdldm__latent_rest(&s, *rest);
    return s;
}

static const char *const CASES[] = {"smooth", "odd", "small"};
#define ROUNDING 2e-7 /* observed: 6e-8, what is kept as float */

static void moments(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        float *rest;
        const mdldm__latent_set s = open_set(CASES[i], &rest);
        const mdldm__latent_set r = {rest, s.n, s.channels, s.h, s.w};
        for (int64_t k = 0; k < s.channels; k++) {
            const mdldm__latent_moments m = mdldm__latent_moments_of(&s, k);
            const double four[4] = {m.mean, m.deviation, m.kurtosis, m.fixed_share};
            double row[8], auto_[8];
            near(CASES[i], "moments", four, 4 * k, 4, ROUNDING);
            for (int64_t c = 0; c < s.channels; c++)
                row[c] = mdldm__latent_correlation(&s, k, c);
            near(CASES[i], "correlation", row, s.channels * k, s.channels, ROUNDING);
            mdldm__latent_autocorrelation(&r, k, auto_, auto_ + MDLDM__LATENT_LAGS);
            near(CASES[i], "auto", auto_, 8 * k, 8, ROUNDING);
        }
        free(rest);
    }
}

static void spectrum(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        float *rest;
        const mdldm__latent_set s = open_set(CASES[i], &rest);
        const mdldm__latent_set r = {rest, s.n, s.channels, s.h, s.w};
        const int64_t cells = s.h * s.w, bins = (s.h < s.w ? s.h : s.w) / 2 + 1;
        double *power = calloc((size_t)cells, sizeof *power);
        assert_non_null(power);
        for (int64_t k = 0; k < s.channels; k++) {
            double rings[16] = {0};
            assert_int_equal(mdldm__latent_power(&g.env, &r, k, power), MDLDM_OK);
            near(CASES[i], "power", power, k * cells, cells, ROUNDING);
            const double high = mdldm__latent_radial(power, s.h, s.w, rings);
            near(CASES[i], "radial", rings, k * bins, bins, ROUNDING);
            near(CASES[i], "high", &high, k, 1, ROUNDING);
            const double slope = mdldm__latent_slope(rings, bins);
            near(CASES[i], "slope", &slope, k, 1, ROUNDING);
        }
        double variances[8], directions[64];
        assert_int_equal(mdldm__latent_principal(&g.env, &r, directions, variances), MDLDM_OK);
        assert_int_equal(mdldm__latent_rotate(&g.env, &r, directions, rest), MDLDM_OK);
        near(CASES[i], "principal", variances, 0, s.channels, ROUNDING);
        for (int64_t k = 0; k < s.channels; k++) {
            double errors[MDLDM__LATENT_TIMESTEPS] = {0};
            assert_int_equal(mdldm__latent_power(&g.env, &r, k, power), MDLDM_OK);
            mdldm__latent_denoising(power, cells, errors);
            near(CASES[i], "denoising", errors, MDLDM__LATENT_TIMESTEPS * k, MDLDM__LATENT_TIMESTEPS, ROUNDING);
        }
        free(power);
        free(rest);
    }
}

static void probe(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        float *rest;
        const mdldm__latent_set s = open_set(CASES[i], &rest);
        const mdldm__latent_set r = {rest, s.n, s.channels, s.h, s.w};
        double explained[8];
        assert_int_equal(mdldm__latent_probe(&g.env, &r, explained), MDLDM_OK);
        near(CASES[i], "probe", explained, 0, s.channels, ROUNDING);
        free(rest);
    }
}

/* More places than the probe looks at. */
static void probe_of_many(void **state)
{
    (void)state;
    enum { N = 80, SIDE = 24, FULL = SIDE + 1 };
    float *u = malloc(sizeof *u * N * FULL * FULL), *z = malloc(sizeof *z * N * SIDE * SIDE),
          *rest = malloc(sizeof *rest * N * SIDE * SIDE);
    assert_true(u != NULL && z != NULL && rest != NULL);
    uint32_t x = 1;
    for (int i = 0; i < N * FULL * FULL; i++) {
        x = x * 1664525u + 1013904223u;
        u[i] = (float)(x >> 16) / 65536.0f - 0.5f;
    }
    for (int i = 0; i < N; i++)
        for (int r = 0; r < SIDE; r++)
            for (int c = 0; c < SIDE; c++) {
                const float *at = u + (i * FULL + r) * FULL + c;
                z[(i * SIDE + r) * SIDE + c] = at[0] + at[FULL] + at[1];
            }
    const mdldm__latent_set s = {z, N, 1, SIDE, SIDE}, r = {rest, N, 1, SIDE, SIDE};
    double explained;
    mdldm__latent_rest(&s, rest);
    assert_int_equal(mdldm__latent_probe(&g.env, &r, &explained), MDLDM_OK);
    near("many", "probe", &explained, 0, 1, ROUNDING);
    free(rest);
    free(z);
    free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(spectrum),
        cmocka_unit_test(probe),
        cmocka_unit_test(probe_of_many),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
