/* SPDX-License-Identifier: MIT
 * The public calls on feature sets and samples: arguments checked here, numbers made in src/eval. */
#include "api/context.h"
#include "eval/frechet.h"
#include "eval/kernel_distance.h"
#include "eval/mean_interval.h"
#include "eval/neighbours.h"
#include "eval/sample_tests.h"
#include "eval/spectrogram_features.h"

#include <math.h>
#include <string.h>

#define ENTER(function, outputs)                                                                             \
    if (ctx == NULL)                                                                                         \
        return MDLDM_ERROR_INVALID_ARGUMENT;                                                                 \
    MDLDM__ENTER(ctx);                                                                                       \
    if (!(outputs))                                                                                          \
    return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s: an output is NULL", function)

static mdldm_status room(mdldm_context *ctx, int64_t rows, int64_t columns, size_t capacity)
{
    size_t needed;
    if (rows < 0 || columns < 0 || __builtin_mul_overflow((size_t)rows, (size_t)columns, &needed))
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%lld x %lld values exceed the address space",
                            (long long)rows, (long long)columns);
    if (needed > capacity)
        return mdldm__error(&ctx->env, MDLDM_ERROR_CAPACITY, "the result has %zu values, the array has room for %zu",
                            needed, capacity);
    return MDLDM_OK;
}

static void give(double *out, double value)
{
    if (out != NULL)
        *out = value;
}

mdldm_status mdldm_frechet_distance(mdldm_context *ctx, const float *a, int64_t na, const float *b, int64_t nb,
                                    int64_t d, double *distance)
{
    ENTER("mdldm_frechet_distance", distance != NULL);
    return mdldm__frechet_distance(&ctx->env, &(mdldm__feature_set){a, na, "a"}, &(mdldm__feature_set){b, nb, "b"}, d,
                                   distance);
}

mdldm_status mdldm_kernel_distance(mdldm_context *ctx, const float *a, int64_t na, const float *b, int64_t nb,
                                   int64_t d, int64_t subsets, int64_t subset_size, uint64_t seed, double *distance,
                                   double *standard_error)
{
    ENTER("mdldm_kernel_distance", distance != NULL);
    double mean = 0.0, error = 0.0;
    MDLDM__TRY(mdldm__kernel_distance(&ctx->env, &(mdldm__feature_set){a, na, "a"}, &(mdldm__feature_set){b, nb, "b"},
                                      d, subsets, subset_size, seed, &mean, standard_error != NULL ? &error : NULL));
    give(distance, mean);
    give(standard_error, error);
    return MDLDM_OK;
}

mdldm_status mdldm_precision_recall(mdldm_context *ctx, const float *real, int64_t n_real, const float *fake,
                                    int64_t n_fake, int64_t d, int64_t k, double *precision, double *recall,
                                    double *density, double *coverage)
{
    ENTER("mdldm_precision_recall", precision != NULL || recall != NULL || density != NULL || coverage != NULL);
    mdldm__neighbour_shares shares;
    MDLDM__TRY(mdldm__precision_recall(&ctx->env, &(mdldm__feature_set){real, n_real, "real"},
                                       &(mdldm__feature_set){fake, n_fake, "fake"}, d, k, &shares));
    give(precision, shares.precision);
    give(recall, shares.recall);
    give(density, shares.density);
    give(coverage, shares.coverage);
    return MDLDM_OK;
}

mdldm_status mdldm_nearest_distances(mdldm_context *ctx, const float *from, int64_t n, const float *to, int64_t m,
                                     int64_t d, double *distances, int64_t *nearest, size_t capacity)
{
    ENTER("mdldm_nearest_distances", distances != NULL);
    const mdldm__feature_set rows = {from, n, "from"}, others = {to, m, "to"};
    MDLDM__TRY(mdldm__feature_check(&ctx->env, &rows, d, 1));
    MDLDM__TRY(room(ctx, n, 1, capacity));
    double *found = mdldm__calloc(&ctx->env, (size_t)n, sizeof *found);
    int64_t *places = mdldm__calloc(&ctx->env, (size_t)n, sizeof *places);
    mdldm_status status = found != NULL && places != NULL ? MDLDM_OK : mdldm__oom(&ctx->env, "nearest distances");
    if (status == MDLDM_OK)
        status = mdldm__nearest_distances(&ctx->env, &rows, &others, d, found, places);
    if (status == MDLDM_OK) {
        memcpy(distances, found, (size_t)n * sizeof *found);
        if (nearest != NULL)
            memcpy(nearest, places, (size_t)n * sizeof *places);
    }
    mdldm__free(&ctx->env, found);
    mdldm__free(&ctx->env, places);
    return status;
}

mdldm_status mdldm_near_copies(mdldm_context *ctx, const float *train, int64_t n_train, const float *held_out,
                               int64_t n_held_out, const float *fake, int64_t n_fake, int64_t d, double quantile,
                               double *threshold, double *share)
{
    ENTER("mdldm_near_copies", threshold != NULL || share != NULL);
    double least = 0.0, part = 0.0;
    MDLDM__TRY(mdldm__near_copies(&ctx->env, &(mdldm__feature_set){train, n_train, "train"},
                                  &(mdldm__feature_set){held_out, n_held_out, "held_out"},
                                  &(mdldm__feature_set){fake, n_fake, "fake"}, d, quantile, &least, &part));
    give(threshold, least);
    give(share, part);
    return MDLDM_OK;
}

mdldm_status mdldm_standardize(mdldm_context *ctx, const float *reference, int64_t n_reference, const float *x,
                               int64_t n, int64_t d, float *out, size_t capacity)
{
    ENTER("mdldm_standardize", out != NULL);
    const mdldm__feature_set rows = {x, n, "x"};
    MDLDM__TRY(mdldm__feature_check(&ctx->env, &rows, d, 1));
    MDLDM__TRY(room(ctx, n, d, capacity));
    return mdldm__standardize(&ctx->env, &(mdldm__feature_set){reference, n_reference, "reference"}, &rows, d, out);
}

int64_t mdldm_spectrogram_feature_count(int64_t channels)
{
    return mdldm__spectrogram_feature_count(channels);
}

mdldm_status mdldm_spectrogram_features(mdldm_context *ctx, const float *pixels, int64_t n, int64_t channels,
                                        int64_t height, int64_t width, float *features, size_t capacity)
{
    ENTER("mdldm_spectrogram_features", features != NULL);
    mdldm__env *env = &ctx->env;
    const int64_t count = mdldm__spectrogram_feature_count(channels);
    if (pixels == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_spectrogram_features: pixels is NULL");
    if (count == 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there are %lld channels; 1 or 3 would be right",
                            (long long)channels);
    if (height < 2 || width < 2 || height > 16384 || width > 16384)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "pictures have %lld x %lld pixels; 2 to 16384 a side would be right", (long long)width,
                            (long long)height);
    if (n < 1 || n > INT32_MAX)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there are %lld pictures; 1 to %d would be right",
                            (long long)n, INT32_MAX);
    MDLDM__TRY(room(ctx, n, count, capacity));
    for (int64_t i = 0; i < n * channels * height * width; i++)
        if (!isfinite(pixels[i]))
            return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                                "picture %lld has %g in channel %lld, row %lld, column %lld; finite pixels are right",
                                (long long)(i / (channels * height * width)), (double)pixels[i],
                                (long long)(i / (height * width) % channels), (long long)(i / width % height),
                                (long long)(i % width));
    float *made = mdldm__calloc(env, (size_t)n, (size_t)count * sizeof *made);
    if (made == NULL)
        return mdldm__oom(env, "spectrogram features");
    const mdldm_status status = mdldm__spectrogram_features(env, pixels, n, channels, height, width, made);
    if (status == MDLDM_OK)
        memcpy(features, made, (size_t)(n * count) * sizeof *made);
    mdldm__free(env, made);
    return status;
}

mdldm_status mdldm_wasserstein_distance(mdldm_context *ctx, const double *a, int64_t na, const double *b, int64_t nb,
                                        double *distance)
{
    ENTER("mdldm_wasserstein_distance", distance != NULL);
    return mdldm__wasserstein_distance(&ctx->env, &(mdldm__samples){a, b, na, nb}, distance);
}

mdldm_status mdldm_two_sample_test(mdldm_context *ctx, mdldm_test test, const double *a, int64_t na, const double *b,
                                   int64_t nb, int64_t permutations, uint64_t seed, double *statistic, double *p_value)
{
    ENTER("mdldm_two_sample_test", statistic != NULL || p_value != NULL);
    const mdldm__samples s = {a, b, na, nb};
    double distance = 0.0, p = 0.0;
    switch (test) {
    case MDLDM_TEST_KOLMOGOROV_SMIRNOV:
        MDLDM__TRY(mdldm__ks_test(&ctx->env, &s, &distance, &p));
        break;
    case MDLDM_TEST_WASSERSTEIN:
        MDLDM__TRY(mdldm__permutation_test(&ctx->env, &s, permutations, seed, &distance, &p));
        break;
    default:
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%d is no test of two samples", (int)test);
    }
    give(statistic, distance);
    give(p_value, p);
    return MDLDM_OK;
}

mdldm_status mdldm_adjust_p_values(mdldm_context *ctx, mdldm_correction correction, const double *p_values, int64_t n,
                                   double *adjusted, size_t capacity)
{
    ENTER("mdldm_adjust_p_values", adjusted != NULL);
    if (correction != MDLDM_CORRECTION_HOLM && correction != MDLDM_CORRECTION_BENJAMINI_HOCHBERG)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%d is no correction of p-values",
                            (int)correction);
    MDLDM__TRY(mdldm__sample_check(&ctx->env, "p_values", p_values, n, 1));
    MDLDM__TRY(room(ctx, n, 1, capacity));
    return mdldm__adjust_p_values(&ctx->env, correction == MDLDM_CORRECTION_HOLM, p_values, n, adjusted);
}

mdldm_status mdldm_mean_interval(mdldm_context *ctx, mdldm_interval interval, const double *a, int64_t na,
                                 const double *b, int64_t nb, double confidence, int64_t resamples, uint64_t seed,
                                 double *estimate, double *low, double *high)
{
    ENTER("mdldm_mean_interval", estimate != NULL && low != NULL && high != NULL);
    return mdldm__mean_interval(&ctx->env, interval, &(mdldm__samples){a, b, na, nb}, confidence, resamples, seed,
                                estimate, low, high);
}
