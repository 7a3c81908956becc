/* SPDX-License-Identifier: MIT
 * Numbers on feature sets and samples. */
#include "caller.h"

#include <math.h>
#include <string.h>

enum { ROWS = 8, FEATURES = 2 };

static void sets(caller *c)
{
    float a[ROWS * FEATURES], b[ROWS * FEATURES], scaled[ROWS * FEATURES];
    double distance = -1, error = -1, shares[4] = { -1, -1, -1, -1 }, distances[ROWS];
    int64_t nearest[ROWS];

    for (int i = 0; i < ROWS * FEATURES; i++) {
        a[i] = (float)(i * i % 7);
        b[i] = a[i] + (i % FEATURES ? 2.0F : 0.0F);
    }
    TRY(mdldm_frechet_distance(c->ctx, a, 1, b, ROWS, FEATURES, &distance));
    TRY(mdldm_frechet_distance(c->ctx, a, ROWS, b, ROWS, FEATURES, &distance));
    caller_say("mdldm_frechet_distance", "%.6f", distance);
    TRY(mdldm_kernel_distance(c->ctx, a, ROWS, b, ROWS, FEATURES, 10, ROWS, 1, &distance, &error));
    TRY(mdldm_kernel_distance(c->ctx, a, ROWS, b, ROWS, FEATURES, 10, 0, 1, &distance, &error));
    caller_say("mdldm_kernel_distance", "%.6f +- %.6f", distance, error);
    TRY(mdldm_precision_recall(c->ctx, a, ROWS, b, ROWS, FEATURES, ROWS, shares, NULL, NULL, NULL));
    TRY(mdldm_precision_recall(c->ctx, a, ROWS, b, ROWS, FEATURES, 2, &shares[0], &shares[1], &shares[2], &shares[3]));
    caller_say("mdldm_precision_recall", "%.6f %.6f %.6f %.6f", shares[0], shares[1], shares[2], shares[3]);
    TRY(mdldm_nearest_distances(c->ctx, b, ROWS, a, ROWS, FEATURES, distances, nearest, 1));
    TRY(mdldm_nearest_distances(c->ctx, b, ROWS, a, ROWS, FEATURES, distances, nearest, ROWS));
    caller_say("mdldm_nearest_distances", "%.6f to row %d", distances[1], (int)nearest[1]);
    TRY(mdldm_near_copies(c->ctx, a, ROWS, b, ROWS, a, ROWS, FEATURES, 0.5, &shares[0], &shares[1]));
    caller_say("mdldm_near_copies", "%.6f nearer than %.6f", shares[1], shares[0]);
    TRY(mdldm_standardize(c->ctx, a, ROWS, b, ROWS, FEATURES, scaled, 3));
    TRY(mdldm_standardize(c->ctx, a, ROWS, b, ROWS, FEATURES, scaled, ROWS * FEATURES));
    caller_say("mdldm_standardize", "%.5f %.5f", (double)scaled[0], (double)scaled[1]);
}

static void pictures(caller *c)
{
    static float pixels[CALLER_PIXELS], features[256];
    const int64_t count = mdldm_spectrogram_feature_count(3);

    for (int i = 0; i < CALLER_PIXELS; i++)
        pixels[i] = (float)(i * 37 % 101) / 50.0F - 1.0F;
    caller_say("mdldm_spectrogram_feature_count", "%d %d %d", (int)mdldm_spectrogram_feature_count(1), (int)count,
               (int)mdldm_spectrogram_feature_count(2));
    TRY(mdldm_spectrogram_features(c->ctx, pixels, 1, 3, CALLER_SIDE, 1, features, 256));
    TRY(mdldm_spectrogram_features(c->ctx, pixels, 1, 3, CALLER_SIDE, CALLER_SIDE, features, 10));
    TRY(mdldm_spectrogram_features(c->ctx, pixels, 1, 3, CALLER_SIDE, CALLER_SIDE, features, 256));
    caller_say("mdldm_spectrogram_features", "%s, %.4f %.4f", caller_finite(features, (size_t)count),
               (double)features[0], (double)features[1]);
}

static void samples(caller *c)
{
    const double a[] = { 1, 2, 4, 7, 5 }, b[] = { 3, 9, 8, 6 }, p[] = { 0.04, 0.01, 0.5 };
    double x = -1, y = -1, z = -1, adjusted[3];

    TRY(mdldm_wasserstein_distance(c->ctx, a, 5, b, 0, &x));
    TRY(mdldm_wasserstein_distance(c->ctx, a, 5, b, 4, &x));
    caller_say("mdldm_wasserstein_distance", "%.6f", x);
    TRY(mdldm_two_sample_test(c->ctx, (mdldm_test)7, a, 5, b, 4, 99, 1, &x, &y));
    TRY(mdldm_two_sample_test(c->ctx, MDLDM_TEST_KOLMOGOROV_SMIRNOV, a, 5, b, 4, 0, 0, &x, &y));
    caller_say("mdldm_two_sample_test", "%.6f, p %.6f", x, y);
    TRY(mdldm_two_sample_test(c->ctx, MDLDM_TEST_WASSERSTEIN, a, 5, b, 4, 99, 1, &x, &y));
    caller_say("mdldm_two_sample_test", "%.6f, p %.6f", x, y);
    TRY(mdldm_adjust_p_values(c->ctx, MDLDM_CORRECTION_HOLM, p, 3, adjusted, 3));
    caller_say("mdldm_adjust_p_values", "%.6f %.6f %.6f", adjusted[0], adjusted[1], adjusted[2]);
    TRY(mdldm_adjust_p_values(c->ctx, MDLDM_CORRECTION_BENJAMINI_HOCHBERG, p, 3, adjusted, 3));
    caller_say("mdldm_adjust_p_values", "%.6f %.6f %.6f", adjusted[0], adjusted[1], adjusted[2]);
    TRY(mdldm_mean_interval(c->ctx, MDLDM_INTERVAL_T, a, 5, b, 4, 2.0, 0, 0, &x, &y, &z));
    TRY(mdldm_mean_interval(c->ctx, MDLDM_INTERVAL_T, a, 5, b, 4, 0.9, 0, 0, &x, &y, &z));
    caller_say("mdldm_mean_interval", "%.6f, %.6f to %.6f", x, y, z);
    TRY(mdldm_mean_interval(c->ctx, MDLDM_INTERVAL_BCA, a, 5, NULL, 0, 0.9, 999, 1, &x, &y, &z));
    caller_say("mdldm_mean_interval", "%.6f, %s", x, y < x && x < z ? "between its bounds" : "OUTSIDE");
}

static void reports(caller *c)
{
    mdldm_report *r = NULL;

    TRY(mdldm_evaluate(c->ctx, c->data, NULL, NULL, NULL, &r));
    caller_say("mdldm_evaluate", "%s", r == NULL ? "nothing made" : "A REPORT ALL THE SAME");
    TRY(mdldm_evaluate(c->ctx, c->data, c->data, NULL, NULL, &r));
    caller_say("mdldm_report_value", "person kept %.1f", mdldm_report_value(r, "values.person_kept_fixed"));
    caller_say("mdldm_report_html", "%s", strncmp(mdldm_report_html(r), "<!DOCTYPE html>", 15) == 0 ? "a page" : "NO PAGE");
    mdldm_report_free(r);
}

void caller_evaluation(caller *c)
{
    sets(c);
    pictures(c);
    samples(c);
    reports(c);
}
