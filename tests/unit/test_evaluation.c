/* SPDX-License-Identifier: MIT
 * What the numbers of the evaluation are for: a real set against another is near, noise is far, swapped classes and
 * a generator that repeats its training set are seen. And what they refuse, and what they leave behind. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/torture.h"
#include "eval/spectrogram_features.h"
#include "mdldm/mdldm.h"
#include "util/rng.h"

enum { SIDE = 64, SIZE = SIDE * SIDE, COUNT = 60, FEATURES = 132 };
static mdldm_context *ctx;

static int setup(void **state)
{
    (void)state;
    return mdldm_context_create(&ctx) == MDLDM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_context_free(ctx);
    return 0;
}

static void ok(mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

static void refused(mdldm_status status, mdldm_status expected, const char *sentence)
{
    assert_int_equal(status, expected);
    if (strstr(mdldm_context_error(ctx), sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", mdldm_context_error(ctx), sentence);
}

/* Walkers' pictures in [-1, 1]: a torso line and a limb that swings steps times, speckle between. */
static void walk(int person, int index, float *pixels)
{
    double u[4];
    static float noise[SIZE];
    mdldm__rng_uniform(7, MDLDM__RNG_AUGMENT, (uint64_t)index, (uint32_t)person, u, 4);
    mdldm__rng_normal(8, MDLDM__RNG_AUGMENT, (uint64_t)index, (uint32_t)person, noise, SIZE);
    const double steps = (person ? 5.0 : 3.0) + 0.6 * u[0], swing = (person ? 9.0 : 16.0) + 3.0 * u[1];
    for (int j = 0; j < SIDE; j++) {
        const double torso = 30.0 + 2.0 * u[2], limb = torso - swing * fabs(sin(M_PI * (steps * j / SIDE + u[3])));
        for (int i = 0; i < SIDE; i++) {
            const double near_torso = (i - torso) / 2.5, near_limb = (i - limb) / 3.5;
            const double value = 1.6 * exp(-near_torso * near_torso) + exp(-near_limb * near_limb);
            pixels[i * SIDE + j] = (float)fmin(1.0, -0.8 + value + 0.12 * (double)noise[i * SIDE + j]);
        }
    }
}

/* Features of pictures first..first + COUNT of a person, in units of the reference's spread (NULL: its own). */
static float *features_of(int person, int first, const float *reference, double blur)
{
    float *pixels = malloc(COUNT * SIZE * sizeof *pixels), *features = malloc(COUNT * FEATURES * sizeof *features);
    assert_true(pixels != NULL && features != NULL);
    for (int n = 0; n < COUNT; n++) {
        float *p = pixels + n * SIZE;
        if (person < 0)
            mdldm__rng_normal(9, MDLDM__RNG_AUGMENT, (uint64_t)(first + n), 0, p, SIZE);
        else
            walk(person, first + n, p);
        for (int k = 0; blur > 0.0 && k + 1 < SIZE; k++)
            p[k] = (float)((1.0 - blur) * (double)p[k] + blur * (double)p[k + 1]);
    }
    ok(mdldm_spectrogram_features(ctx, pixels, COUNT, 1, SIDE, SIDE, features, COUNT * FEATURES));
    free(pixels);
    if (reference != NULL)
        ok(mdldm_standardize(ctx, reference, COUNT, features, COUNT, FEATURES, features, COUNT * FEATURES));
    return features;
}

static double frechet(const float *a, const float *b)
{
    double distance = -1.0;
    ok(mdldm_frechet_distance(ctx, a, COUNT, b, COUNT, FEATURES, &distance));
    return distance;
}

static void sets_are_as_far_as_they_should_be(void **state)
{
    (void)state;
    float *raw = features_of(0, 0, NULL, 0.0), *real = features_of(0, 0, raw, 0.0);
    float *other = features_of(0, COUNT, raw, 0.0), *person = features_of(1, 0, raw, 0.0);
    float *noise = features_of(-1, 0, raw, 0.0);
    const double self = frechet(real, real), same = frechet(real, other), swapped = frechet(real, person),
                 far = frechet(real, noise);
    print_message("  Frechet: itself %.1e, the same person %g, the other %g, noise %g\n", self, same, swapped, far);
    assert_true(self <= 1e-12); /* observed: 0 */
    assert_true(swapped > 10.0 * same && far > 10.0 * swapped);

    double kid_same, error_same, kid_swapped, error_swapped, precision[2], recall[2], density[2], coverage[2];
    ok(mdldm_kernel_distance(ctx, real, COUNT, other, COUNT, FEATURES, 100, 0, 1, &kid_same, &error_same));
    ok(mdldm_kernel_distance(ctx, real, COUNT, person, COUNT, FEATURES, 100, 0, 1, &kid_swapped, &error_swapped));
    print_message("  kernel: the same person %g +- %g, the other %g +- %g\n", kid_same, error_same, kid_swapped,
                  error_swapped);
    assert_true(fabs(kid_same) <= 3.0 * error_same);
    assert_true(kid_swapped > 5.0 * error_swapped);

    ok(mdldm_precision_recall(ctx, real, COUNT, other, COUNT, FEATURES, 5, &precision[0], &recall[0], &density[0],
                              &coverage[0]));
    ok(mdldm_precision_recall(ctx, real, COUNT, person, COUNT, FEATURES, 5, &precision[1], &recall[1], &density[1],
                              &coverage[1]));
    print_message("  precision %g and %g, recall %g and %g, density %g and %g, coverage %g and %g\n", precision[0],
                  precision[1], recall[0], recall[1], density[0], density[1], coverage[0], coverage[1]);
    assert_true(precision[0] > 0.7 && recall[0] > 0.7 && density[0] > 0.7 && coverage[0] > 0.7);
    assert_true(precision[1] < 0.1 && recall[1] < 0.1 && density[1] < 0.1 && coverage[1] < 0.1);
    free(raw);
    free(real);
    free(other);
    free(person);
    free(noise);
}

static void a_memorising_generator_is_caught(void **state)
{
    (void)state;
    float *raw = features_of(0, 0, NULL, 0.0), *train = features_of(0, 0, raw, 0.0);
    float *held_out = features_of(0, COUNT, raw, 0.0), *fresh = features_of(0, 2 * COUNT, raw, 0.0);
    float *copies = malloc(COUNT * FEATURES * sizeof *copies);
    double threshold, share, distances[COUNT];
    int64_t nearest[COUNT];
    assert_non_null(copies);
    for (int i = 0; i < COUNT * FEATURES; i++) /* the training set backwards, a little off */
        copies[i] = train[(COUNT - 1 - i / FEATURES) * FEATURES + i % FEATURES] + (i % 2 ? 0.02f : -0.02f);
    ok(mdldm_near_copies(ctx, train, COUNT, held_out, COUNT, fresh, COUNT, FEATURES, 0.01, &threshold, &share));
    print_message("  fresh ones: %g nearer than %g\n", share, threshold);
    assert_true(share <= 0.05); /* observed: 0; 3 of 60 are allowed */
    ok(mdldm_near_copies(ctx, train, COUNT, held_out, COUNT, copies, COUNT, FEATURES, 0.01, &threshold, &share));
    assert_true(share == 1.0);
    ok(mdldm_nearest_distances(ctx, copies, COUNT, train, COUNT, FEATURES, distances, nearest, COUNT));
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(nearest[i], COUNT - 1 - i);
        assert_true(fabs(distances[i] - 0.02 * sqrt(FEATURES)) < 1e-5);
    }
    free(raw);
    free(train);
    free(held_out);
    free(fresh);
    free(copies);
}

/* The standard error that one pair of sets gives is the spread over many pairs. */
static void the_kernel_distances_error_is_its_spread(void **state)
{
    (void)state;
    enum { ROUNDS = 60, N = 80, D = 6 };
    static float a[N * D], b[N * D];
    double sum = 0.0, squares = 0.0, errors = 0.0;
    for (int round = 0; round < ROUNDS; round++) {
        double distance, error;
        mdldm__rng_normal(1, MDLDM__RNG_AUGMENT, (uint64_t)round, 0, a, N * D);
        mdldm__rng_normal(1, MDLDM__RNG_AUGMENT, (uint64_t)round, 1, b, N * D);
        for (int i = 0; i < N * D; i++)
            b[i] += 0.5f;
        ok(mdldm_kernel_distance(ctx, a, N, b, N, D, 100, 0, (uint64_t)round, &distance, &error));
        sum += distance;
        squares += distance * distance;
        errors += error * error;
    }
    const double spread = sqrt((squares - sum * sum / ROUNDS) / (ROUNDS - 1)), error = sqrt(errors / ROUNDS);
    print_message("  spread %g, standard error %g: %.2f\n", spread, error, error / spread);
    assert_true(error > 0.75 * spread && error < 1.4 * spread); /* observed: 1.03; the spread itself +-9% */
}

static void features_hardly_know_the_size(void **state)
{
    (void)state;
    static float small[SIZE], large[16 * SIZE], medium[4 * SIZE];
    float of_small[FEATURES], of_large[FEATURES], of_medium[FEATURES];
    walk(0, 3, small);
    for (int i = 0; i < 4 * SIDE; i++)
        for (int j = 0; j < 4 * SIDE; j++)
            large[i * 4 * SIDE + j] = small[i / 4 * SIDE + j / 4];
    for (int i = 0; i < 2 * SIDE; i++)
        for (int j = 0; j < 2 * SIDE; j++)
            medium[i * 2 * SIDE + j] = small[i / 2 * SIDE + j / 2];
    ok(mdldm_spectrogram_features(ctx, small, 1, 1, SIDE, SIDE, of_small, FEATURES));
    ok(mdldm_spectrogram_features(ctx, large, 1, 1, 4 * SIDE, 4 * SIDE, of_large, FEATURES));
    ok(mdldm_spectrogram_features(ctx, medium, 1, 1, 2 * SIDE, 2 * SIDE, of_medium, FEATURES));
    for (int k = 0; k < FEATURES; k++)
        assert_true(of_small[k] == of_large[k] && of_small[k] == of_medium[k]);
    /* A blur along time is seen in the finest bands along it. */
    for (int k = 0; k + 1 < SIZE; k++)
        small[k] = 0.5f * (small[k] + small[k + 1]);
    ok(mdldm_spectrogram_features(ctx, small, 1, 1, SIDE, SIDE, of_small, FEATURES));
    enum { SCALE_2_TIME = 4 + 2 * 12 + 1 };
    assert_true(of_small[SCALE_2_TIME] < 0.8f * of_large[SCALE_2_TIME]);
}

static int entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int mapped(const char *name)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[1024];
    int found = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        found += strstr(line, name) != NULL;
    fclose(f);
    return found;
}

/* LAPACK comes and goes with each call: no threads, no library of it, no descriptors in the host. */
static void lapack_leaves_nothing(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it keeps libraries loaded */
#endif
    const float rows[] = {0, 1, 2, 4, 8, 3};
    const int tasks = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
    assert_int_equal(mapped("blas") + mapped("lapack"), 0);
    for (int i = 0; i < 5; i++) {
        double distance;
        ok(mdldm_frechet_distance(ctx, rows, 3, rows, 2, 2, &distance));
        for (int wait = 0; wait < 500 && entries("/proc/self/task") > tasks; wait++)
            usleep(2000); /* a thread that was joined may be listed a moment longer */
        assert_int_equal(entries("/proc/self/task"), tasks);
        assert_int_equal(entries("/proc/self/fd"), descriptors);
        assert_int_equal(mapped("blas") + mapped("lapack"), 0);
    }
}

/* More rows than one block of the factorisation, and features that depend on each other. */
static void many_rows_are_taken_in_blocks(void **state)
{
    (void)state;
    enum { N = 500, D = 7 };
    static float a[N * D], b[N * D];
    mdldm__rng_normal(2, MDLDM__RNG_AUGMENT, 0, 0, a, N * D);
    for (int i = 0; i < N; i++) {
        a[i * D + 6] = a[i * D] + a[i * D + 1]; /* exact in the mean of all, rank 6 */
        for (int k = 0; k < D; k++)
            b[i * D + k] = 3.0f * a[i * D + k];
    }
    /* Covariances C and 9 C: the distance is |2 m|^2 + (3 - 1)^2 tr C. */
    double expected = 0.0, distance;
    for (int k = 0; k < D; k++) {
        double mean = 0.0, variance = 0.0;
        for (int i = 0; i < N; i++)
            mean += (double)a[i * D + k] / N;
        for (int i = 0; i < N; i++)
            variance += ((double)a[i * D + k] - mean) * ((double)a[i * D + k] - mean) / (N - 1);
        expected += 4.0 * mean * mean + 4.0 * variance;
    }
    ok(mdldm_frechet_distance(ctx, a, N, b, N, D, &distance));
    print_message("  %.12g, error %.1e\n", distance, fabs(distance / expected - 1.0));
    assert_true(fabs(distance / expected - 1.0) <= 6e-9); /* b is rounded to float; observed: 1.5e-9 */
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    float x[6] = {0, 1, 2, 3, 4, 5}, features[FEATURES], picture[4] = {0};
    double s[3] = {1, 2, 3}, bad[3] = {1, INFINITY, 3}, p[2] = {0.5, 1.5}, out = 7.0, low = 7.0, high = 7.0;
    refused(mdldm_frechet_distance(ctx, x, 1, x, 3, 2, &out), MDLDM_ERROR_INVALID_ARGUMENT, "a has 1 rows; 2 to");
    refused(mdldm_frechet_distance(ctx, x, 3, NULL, 3, 2, &out), MDLDM_ERROR_INVALID_ARGUMENT, "b are NULL");
    refused(mdldm_frechet_distance(ctx, x, 3, x, 3, 0, &out), MDLDM_ERROR_INVALID_ARGUMENT, "0 features a row");
    refused(mdldm_frechet_distance(ctx, x, 3, x, 3, 2, NULL), MDLDM_ERROR_INVALID_ARGUMENT, "an output is NULL");
    refused(mdldm_precision_recall(ctx, x, 3, x, 3, 2, 3, &out, NULL, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT,
            "k is 3; 1 to 2 would be right");
    refused(mdldm_precision_recall(ctx, x, 3, x, 2, 2, 0, &out, NULL, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT,
            "1 to 1 would be right, less than the rows of fake");
    refused(mdldm_kernel_distance(ctx, x, 3, x, 3, 2, 10, 0, 1, &out, NULL), MDLDM_ERROR_INVALID_ARGUMENT, "a has 3 rows");
    refused(mdldm_kernel_distance(ctx, x, 6, x, 6, 1, 10, 6, 1, &out, &low), MDLDM_ERROR_INVALID_ARGUMENT,
            "subsets have 6 rows; 2 to 5");
    refused(mdldm_kernel_distance(ctx, x, 6, x, 6, 1, 1, 0, 1, &out, &low), MDLDM_ERROR_INVALID_ARGUMENT, "1 subsets");
    refused(mdldm_nearest_distances(ctx, x, 3, x, 3, 2, s, NULL, 2), MDLDM_ERROR_CAPACITY, "3 values");
    refused(mdldm_near_copies(ctx, x, 3, x, 3, x, 3, 2, 1.5, &out, NULL), MDLDM_ERROR_INVALID_ARGUMENT, "quantile is 1.5");
    refused(mdldm_standardize(ctx, x, 1, x, 3, 2, x, 6), MDLDM_ERROR_INVALID_ARGUMENT, "reference has 1 rows");
    refused(mdldm_standardize(ctx, x, 3, x, 3, 2, x, 5), MDLDM_ERROR_CAPACITY, "6 values");
    refused(mdldm_wasserstein_distance(ctx, s, 3, bad, 3, &out), MDLDM_ERROR_NUMERIC, "value 1 of b is inf");
    refused(mdldm_wasserstein_distance(ctx, s, 0, s, 3, &out), MDLDM_ERROR_INVALID_ARGUMENT, "a has 0 values");
    refused(mdldm_two_sample_test(ctx, (mdldm_test)9, s, 3, s, 3, 9, 1, &out, NULL), MDLDM_ERROR_INVALID_ARGUMENT, "9 is no test");
    refused(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, s, 3, s, 3, 0, 1, &out, NULL), MDLDM_ERROR_INVALID_ARGUMENT,
            "0 permutations");
    refused(mdldm_adjust_p_values(ctx, MDLDM_CORRECTION_HOLM, p, 2, s, 3), MDLDM_ERROR_INVALID_ARGUMENT, "p-value 1 is 1.5");
    refused(mdldm_adjust_p_values(ctx, (mdldm_correction)4, p, 1, s, 3), MDLDM_ERROR_INVALID_ARGUMENT, "4 is no correction");
    refused(mdldm_mean_interval(ctx, MDLDM_INTERVAL_T, s, 1, NULL, 0, 0.9, 0, 1, &out, &low, &high), MDLDM_ERROR_INVALID_ARGUMENT,
            "a has 1 values; 2 to");
    refused(mdldm_mean_interval(ctx, MDLDM_INTERVAL_T, s, 3, NULL, 0, 1.0, 0, 1, &out, &low, &high), MDLDM_ERROR_INVALID_ARGUMENT,
            "confidence is 1");
    refused(mdldm_mean_interval(ctx, MDLDM_INTERVAL_BCA, s, 3, NULL, 0, 0.9, 9, 1, &out, &low, &high), MDLDM_ERROR_INVALID_ARGUMENT,
            "9 resamples");
    refused(mdldm_mean_interval(ctx, (mdldm_interval)3, s, 3, NULL, 0, 0.9, 999, 1, &out, &low, &high), MDLDM_ERROR_INVALID_ARGUMENT,
            "3 is no kind");
    refused(mdldm_spectrogram_features(ctx, picture, 1, 2, 2, 1, features, FEATURES), MDLDM_ERROR_INVALID_ARGUMENT, "2 channels");
    refused(mdldm_spectrogram_features(ctx, picture, 1, 1, 4, 1, features, FEATURES), MDLDM_ERROR_INVALID_ARGUMENT, "1 x 4 pixels");
    refused(mdldm_spectrogram_features(ctx, picture, 1, 1, 2, 2, features, 5), MDLDM_ERROR_CAPACITY, "132 values");
    picture[3] = NAN;
    refused(mdldm_spectrogram_features(ctx, picture, 1, 1, 2, 2, features, FEATURES), MDLDM_ERROR_NUMERIC,
            "picture 0 has nan in channel 0, row 1, column 1");
    x[3] = NAN;
    refused(mdldm_frechet_distance(ctx, x, 3, x, 3, 2, &out), MDLDM_ERROR_NUMERIC, "row 1, column 1 of a is nan");
    assert_true(out == 7.0 && low == 7.0 && high == 7.0 && s[0] == 1.0);
    assert_int_equal(mdldm_frechet_distance(NULL, x, 3, x, 3, 2, &out), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_spectrogram_feature_count(2), 0);
}

static void what_is_degenerate_has_an_answer(void **state)
{
    (void)state;
    const double same[] = {2, 2, 2}, other[] = {3, 3};
    double a, b, c;
    for (int kind = 0; kind < 3; kind++) { /* no spread, no width */
        ok(mdldm_mean_interval(ctx, (mdldm_interval)kind, same, 3, other, 2, 0.95, 200, 1, &a, &b, &c));
        assert_true(a == -1.0 && b == -1.0 && c == -1.0);
    }
    ok(mdldm_two_sample_test(ctx, MDLDM_TEST_KOLMOGOROV_SMIRNOV, same, 3, same, 2, 0, 0, &a, &b));
    assert_true(a == 0.0 && b == 1.0);
    ok(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, same, 3, same, 2, 5, 1, &a, &b));
    assert_true(a == 0.0 && b == 1.0);
    ok(mdldm_two_sample_test(ctx, MDLDM_TEST_WASSERSTEIN, same, 3, other, 2, 10, 0, &a, &b)); /* 1 of 10 ways */
    assert_true(a == 1.0 && fabs(b - 0.1) < 1e-15);
    const float constant[] = {5, 1, 5, 2, 5, 3}, moved[] = {6, 2};
    float out[2];
    ok(mdldm_standardize(ctx, constant, 3, moved, 1, 2, out, 2));
    assert_true(out[0] == 1.0f && out[1] == 0.0f);
    float flat[16] = {0}, features[FEATURES];
    ok(mdldm_spectrogram_features(ctx, flat, 1, 1, 4, 4, features, FEATURES));
    for (int k = 0; k < FEATURES; k++)
        assert_true(features[k] == 0.0f);
}

static mdldm_status everything(torture *t, void *user, char sentence[1024])
{
    (void)user;
    enum { N = 9, D = 4 };
    mdldm_context *c;
    float a[N * D], b[N * D], picture[16], features[FEATURES];
    double x[N], y[N], u, v, w;
    int64_t nearest[N];
    mdldm__rng_normal(3, MDLDM__RNG_AUGMENT, 0, 0, a, N * D);
    mdldm__rng_normal(3, MDLDM__RNG_AUGMENT, 1, 0, b, N * D);
    mdldm__rng_uniform(3, MDLDM__RNG_AUGMENT, 2, 0, x, N);
    mdldm__rng_uniform(3, MDLDM__RNG_AUGMENT, 3, 0, y, N);
    mdldm__rng_normal(3, MDLDM__RNG_AUGMENT, 4, 0, picture, 16);
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &c);
    if (status != MDLDM_OK)
        return status;
#define THEN(call) status = status == MDLDM_OK ? (call) : status
    THEN(mdldm_frechet_distance(c, a, N, b, 3, D, &u));
    THEN(mdldm_kernel_distance(c, a, N, b, N, D, 3, 0, 1, &u, &v));
    THEN(mdldm_precision_recall(c, a, N, b, N, D, 2, &u, &v, &w, NULL));
    THEN(mdldm_nearest_distances(c, a, N, b, N, D, y, nearest, N));
    THEN(mdldm_near_copies(c, a, N, b, N, b, N, D, 0.01, &u, &v));
    THEN(mdldm_standardize(c, a, N, b, N, D, b, N * D));
    THEN(mdldm_spectrogram_features(c, picture, 1, 1, 4, 4, features, FEATURES));
    THEN(mdldm_wasserstein_distance(c, x, N, y, N, &u));
    THEN(mdldm_two_sample_test(c, MDLDM_TEST_KOLMOGOROV_SMIRNOV, x, N, y, N, 0, 0, &u, &v));
    THEN(mdldm_two_sample_test(c, MDLDM_TEST_WASSERSTEIN, x, N, y, N, 5, 1, &u, &v));
    THEN(mdldm_two_sample_test(c, MDLDM_TEST_WASSERSTEIN, x, 2, y, 2, 6, 1, &u, &v));
    THEN(mdldm_adjust_p_values(c, MDLDM_CORRECTION_HOLM, x, N, y, N));
    THEN(mdldm_mean_interval(c, MDLDM_INTERVAL_BCA, x, N, y, N, 0.9, 100, 1, &u, &v, &w));
#undef THEN
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", mdldm_context_error(c));
    mdldm_context_free(c);
    return status;
}

static void allocations_may_fail(void **state)
{
    (void)state;
    assert_true(torture_run("evaluation", everything, NULL, 60) > 25);
}

static void calls_can_be_cancelled(void **state)
{
    (void)state;
    const float x[] = {0, 1, 2, 4, 8, 3};
    double out = 7.0;
    mdldm_context_cancel(ctx);
    refused(mdldm_precision_recall(ctx, x, 3, x, 3, 2, 1, &out, NULL, NULL, NULL), MDLDM_ERROR_CANCELLED, "cancel");
    assert_true(out == 7.0);
    ok(mdldm_precision_recall(ctx, x, 3, x, 3, 2, 1, &out, NULL, NULL, NULL));
    assert_true(out == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lapack_leaves_nothing),
        cmocka_unit_test(sets_are_as_far_as_they_should_be),
        cmocka_unit_test(a_memorising_generator_is_caught),
        cmocka_unit_test(the_kernel_distances_error_is_its_spread),
        cmocka_unit_test(features_hardly_know_the_size),
        cmocka_unit_test(many_rows_are_taken_in_blocks),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(what_is_degenerate_has_an_answer),
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(calls_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
