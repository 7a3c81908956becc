/* SPDX-License-Identifier: MIT
 * Distances, tests, intervals and features against scipy, prdc, statsmodels, PyWavelets and mpmath. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/golden.h"
#include "eval/sample_tests.h"

static const golden_run run = {"metrics", NULL, "f32"};
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

static void ok(mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

static double fact(const char *name, const char *what)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", name, what);
    return golden_fact(&g, full);
}

static const mdldm__st_tensor *part(const char *name, const char *what)
{
    char full[80];
    snprintf(full, sizeof full, "%s.%s", name, what);
    return golden_tensor(&g, full);
}

/* |got - expected| relative to expected, printed and held against the tolerance. */
static void close_to(const char *what, double got, double expected, double tolerance)
{
    const double error = fabs(got - expected) / fabs(expected);
    print_message("  %s: %.10g, error %.1e (%.0e)\n", what, got, error, tolerance);
    assert_true(error <= tolerance);
}

static const char *const sets[] = {"tall", "flat", "mixed"};

static void frechet_distances_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const mdldm__st_tensor *a = part(sets[i], "a"), *b = part(sets[i], "b");
        double distance = -1.0;
        ok(mdldm_frechet_distance(ctx, a->data, a->dims[0], b->data, b->dims[0], a->dims[1], &distance));
        print_message("  %s: clean-fid's formula errs by %.1e\n", sets[i],
                      fabs(fact(sets[i], "frechet_peer") / fact(sets[i], "frechet") - 1.0));
        close_to(sets[i], distance, fact(sets[i], "frechet"), 1e-14); /* observed: up to 4e-15 */
    }
}

static void kernel_distances_are_torch_fidelitys(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const mdldm__st_tensor *a = part(sets[i], "a"), *b = part(sets[i], "b");
        const int64_t na = a->dims[0], nb = b->dims[0], least = na < nb ? na : nb;
        double distance = 0.0, error = 0.0;
        ok(mdldm_kernel_distance(ctx, a->data, least, b->data, least, a->dims[1], 1, least, 1, &distance, NULL));
        close_to(sets[i], distance, fact(sets[i], "kernel"), 3e-14); /* observed: up to 8.9e-15 */
        /* The mean over subsets of all but one row, of the whole sets: 4000 of the many there are. */
        ok(mdldm_kernel_distance(ctx, a->data, na, b->data, nb, a->dims[1], 4000, least - 1, 1, &distance, &error));
        const double whole = fact(sets[i], "kernel_whole");
        print_message("  %s: %g for %g, standard error %g\n", sets[i], distance, whole, error);
        assert_true(fabs(distance - whole) <= 0.03 * error); /* observed: 0.012 and less */
    }
}

static void neighbours_are_prdcs(void **state)
{
    (void)state;
    static const char *const names[] = {"precision", "recall", "density", "coverage"};
    for (int i = 0; i < 3; i++)
        for (int k = 1; k <= 5; k += 2) {
            const mdldm__st_tensor *a = part(sets[i], "a"), *b = part(sets[i], "b");
            double got[4];
            ok(mdldm_precision_recall(ctx, a->data, a->dims[0], b->data, b->dims[0], a->dims[1], k, &got[0], &got[1],
                                      &got[2], &got[3]));
            for (int m = 0; m < 4; m++) {
                char key[32];
                snprintf(key, sizeof key, "%s.%d", names[m], k);
                assert_true(fabs(got[m] - fact(sets[i], key)) <= 2e-15); /* counts; density is a quotient */
            }
        }
}

typedef struct pair {
    double *a, *b;
    int64_t na, nb;
} pair;

static double van_der_corput(int i, int base)
{
    double value = 0.0, scale = 1.0;
    for (; i > 0; i /= base) {
        scale /= base;
        value += scale * (i % base);
    }
    return value;
}

static double *widened(const mdldm__st_tensor *t, int64_t *n)
{
    double *x = malloc((size_t)t->dims[0] * sizeof *x);
    assert_non_null(x);
    *n = t->dims[0];
    for (int64_t i = 0; i < *n; i++)
        x[i] = (double)((const float *)t->data)[i];
    return x;
}

static pair pair_of(const char *name)
{
    pair p = {.na = 12000, .nb = 15000};
    if (strncmp(name, "large", 5) != 0) {
        p.a = widened(part(name, "a"), &p.na);
        p.b = widened(part(name, "b"), &p.nb);
        return p;
    }
    p.a = malloc((size_t)p.na * sizeof *p.a);
    p.b = malloc((size_t)p.nb * sizeof *p.b);
    assert_true(p.a != NULL && p.b != NULL);
    for (int i = 0; i < p.na; i++)
        p.a[i] = van_der_corput(i + 1, 2);
    for (int i = 0; i < p.nb; i++)
        p.b[i] = van_der_corput(i + 1, 3) * (strcmp(name, "large") == 0 ? 1.02 : 1.0) +
                 (strcmp(name, "large_near") == 0 ? 0.003 : 0.0);
    return p;
}

static void samples_are_scipys(void **state)
{
    (void)state;
    static const char *const names[] = {"sample", "small", "equal", "far", "large", "large_near"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pair p = pair_of(names[i]);
        double distance = 0.0, statistic = 0.0, p_value = 0.0;
        ok(mdldm_wasserstein_distance(ctx, p.a, p.na, p.b, p.nb, &distance));
        ok(mdldm_two_sample_test(ctx, MDLDM_TEST_KOLMOGOROV_SMIRNOV, p.a, p.na, p.b, p.nb, 0, 0, &statistic, &p_value));
        print_message("  %s\n", names[i]);
        close_to("Wasserstein", distance, fact(names[i], "wasserstein"), 3e-14); /* observed: up to 8.6e-15 */
        close_to("Kolmogorov-Smirnov", statistic, fact(names[i], "ks"), 1e-14); /* observed: 2.5e-15 */
        close_to("its p-value", p_value, fact(names[i], "ks_p"),
                 p.na > 10000 ? 1.2e-11 : 6e-16); /* observed: 3.4e-12, 1.7e-16 */
        free(p.a);
        free(p.b);
    }
}

static void permutations_are_scipys(void **state)
{
    (void)state;
    double statistic, p_value;
    pair p = pair_of("small"); /* 462 ways */
    ok(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, p.a, p.na, p.b, p.nb, 462, 1, &statistic, &p_value));
    close_to("all ways", p_value, fact("small", "permutation_p"), 1e-14);
    close_to("the statistic", statistic, fact("small", "wasserstein"), 1e-14);
    ok(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, p.a, p.na, p.b, p.nb, 461, 1, &statistic, &p_value));
    const double of_461 = p_value * 462.0;
    assert_true(fabs(of_461 - rint(of_461)) < 1e-9); /* a share of 461 random ones and the given one */
    free(p.a);
    free(p.b);
    p = pair_of("sample");
    ok(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, p.a, p.na, p.b, p.nb, 20000, 1, &statistic, &p_value));
    const double expected = fact("sample", "permutation_p"), spread = sqrt(expected / 20000.0 + expected / 99999.0);
    print_message("  random ones: %g for %g, %.1f standard errors\n", p_value, expected, (p_value - expected) / spread);
    assert_true(fabs(p_value - expected) <= 3.0 * spread);
    free(p.a);
    free(p.b);
}

static void the_tail_is_kstwos(void **state)
{
    (void)state;
    static const double cases[][2] = {{150, 0.05}, {1000, 0.01}, {1000, 0.04}, {5000, 0.02}, {5000, 0.03}, {100000, 0.01}};
    for (int i = 0; i < 6; i++) {
        char key[16], text[40];
        snprintf(key, sizeof key, "kstwo.%d", i);
        snprintf(text, sizeof text, "n %g, d %g", cases[i][0], cases[i][1]);
        close_to(text, mdldm__kolmogorov_survival(cases[i][0], cases[i][1]), golden_fact(&g, key),
                 2e-8); /* observed: 6e-9, where the peer takes another algorithm */
    }
}

static void corrections_are_statsmodels(void **state)
{
    (void)state;
    const mdldm__st_tensor *t = golden_tensor(&g, "p");
    int64_t n;
    double *p = widened(t, &n), adjusted[32];
    for (int kind = 0; kind < 2; kind++) {
        ok(mdldm_adjust_p_values(ctx, (mdldm_correction)kind, p, n, adjusted, 32));
        for (int i = 0; i < n; i++) {
            char key[16];
            snprintf(key, sizeof key, "%s.%d", kind == MDLDM_CORRECTION_HOLM ? "holm" : "bh", i);
            assert_true(fabs(adjusted[i] - golden_fact(&g, key)) <= 1e-15);
        }
    }
    free(p);
}

static void intervals_are_scipys(void **state)
{
    (void)state;
    static const char *const kinds[] = {"t", "percentile", "bca"};
    static const char *const levels[] = {"0.9", "0.99"};
    pair p = pair_of("skewed");
    for (int kind = 0; kind < 3; kind++)
        for (int two = 0; two < 2; two++)
            for (int level = 0; level < 2; level++) {
                double estimate, bound[2];
                ok(mdldm_mean_interval(ctx, (mdldm_interval)kind, p.a, p.na, two ? p.b : NULL, p.nb,
                                       atof(levels[level]), 50000, 3, &estimate, &bound[0], &bound[1]));
                for (int side = 0; side < 2; side++) {
                    char key[40];
                    snprintf(key, sizeof key, "%s%d.%s.%d", kinds[kind], two + 1, levels[level], side);
                    const double expected = golden_fact(&g, key), error = fabs(bound[side] - expected);
                    print_message("  %s: %.6f, error %.1e\n", key, bound[side], error);
                    /* T observed: 1.3e-15. Of random resamples, theirs and ours, 1.0e-2 at 90%, 3.0e-2 at 99%. */
                    assert_true(error <= (kind == MDLDM_INTERVAL_T ? 5e-15 : level == 0 ? 0.02 : 0.06));
                }
            }
    free(p.a);
    free(p.b);
}

static void features_are_pywavelets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t channels, height, width;
    } pictures[] = {{"square", 1, 64, 64}, {"odd", 1, 37, 50}, {"colour", 3, 24, 300}, {"wide", 1, 300, 270}};
    for (int i = 0; i < 4; i++) {
        const int64_t c = pictures[i].channels, h = pictures[i].height, w = pictures[i].width;
        const mdldm__st_tensor *t = part(pictures[i].name, "features");
        const float *expected = t->data;
        float *pixels = malloc((size_t)(c * h * w) * sizeof *pixels), got[256];
        assert_non_null(pixels);
        for (uint32_t k = 0; k < (uint32_t)(c * h * w); k++) {
            const int64_t wave = ((int64_t)(k % (uint32_t)w) * 7 + (int64_t)(k / (uint32_t)w) * 3) % 97;
            pixels[k] = ((float)((k * 2654435761u) >> 24) + (float)wave) / 256.0f - 0.75f;
        }
        assert_int_equal(mdldm_spectrogram_feature_count(c), t->dims[0]);
        ok(mdldm_spectrogram_features(ctx, pixels, 1, c, h, w, got, 256));
        double worst = 0.0;
        for (int64_t k = 0; k < t->dims[0]; k++)
            worst = fmax(worst, fabs((double)got[k] - (double)expected[k]) / fmax(1.0, fabs((double)expected[k])));
        print_message("  %s: %.1e\n", pictures[i].name, worst);
        assert_true(worst <= 1.2e-7); /* kept in float32; observed: 0 */
        free(pixels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frechet_distances_are_exact),
        cmocka_unit_test(kernel_distances_are_torch_fidelitys),
        cmocka_unit_test(neighbours_are_prdcs),
        cmocka_unit_test(samples_are_scipys),
        cmocka_unit_test(permutations_are_scipys),
        cmocka_unit_test(the_tail_is_kstwos),
        cmocka_unit_test(corrections_are_statsmodels),
        cmocka_unit_test(intervals_are_scipys),
        cmocka_unit_test(features_are_pywavelets),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
