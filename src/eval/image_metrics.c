/* SPDX-License-Identifier: MIT */
#include "eval/image_metrics.h"

#include <math.h>

#define WINDOW 11
#define SIGMA 1.5
#define MOMENTS 5 /* a, b, a*a, b*b, a*b */

double mdldm__psnr(const float *a, const float *b, size_t count, double range)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum == 0 ? INFINITY : 10.0 * log10(range * range * (double)count / sum);
}

/* The window is separable: rows are filtered across first, into across [MOMENTS][height][columns]. */
static void filter_across(const float *a, const float *b, int64_t height, int64_t width, int64_t channels,
                          int64_t channel, const double *window, double *across)
{
    const int64_t columns = width - WINDOW + 1;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < columns; x++) {
            double m[MOMENTS] = {0};
            for (int64_t k = 0; k < WINDOW; k++) {
                const int64_t at = (y * width + x + k) * channels + channel;
                const double p = a[at], q = b[at];
                m[0] += window[k] * p;
                m[1] += window[k] * q;
                m[2] += window[k] * p * p;
                m[3] += window[k] * q * q;
                m[4] += window[k] * p * q;
            }
            for (int64_t i = 0; i < MOMENTS; i++)
                across[(i * height + y) * columns + x] = m[i];
        }
}

mdldm_status mdldm__ssim(mdldm__env *env, const float *a, const float *b, int64_t height, int64_t width,
                         int64_t channels, double range, double *out)
{
    if (height < WINDOW || width < WINDOW)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "SSIM needs images of at least %d x %d pixels, not %lld x %lld", WINDOW, WINDOW,
                            (long long)width, (long long)height);
    const int64_t rows = height - WINDOW + 1, columns = width - WINDOW + 1;
    double window[WINDOW], total = 0;
    for (int k = 0; k < WINDOW; k++) {
        const double distance = k - WINDOW / 2;
        window[k] = exp(-distance * distance / (2 * SIGMA * SIGMA));
        total += window[k];
    }
    for (int k = 0; k < WINDOW; k++)
        window[k] /= total;
    double *across = mdldm__calloc(env, (size_t)(MOMENTS * height), (size_t)columns * sizeof *across);
    if (across == NULL)
        return mdldm__oom(env, "SSIM");

    const double c1 = (0.01 * range) * (0.01 * range), c2 = (0.03 * range) * (0.03 * range);
    double sum = 0;
    for (int64_t channel = 0; channel < channels; channel++) {
        filter_across(a, b, height, width, channels, channel, window, across);
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < columns; x++) {
                double m[MOMENTS] = {0};
                for (int64_t i = 0; i < MOMENTS; i++)
                    for (int64_t k = 0; k < WINDOW; k++)
                        m[i] += window[k] * across[(i * height + y + k) * columns + x];
                const double mean_product = m[0] * m[1];
                const double mean_squares = m[0] * m[0] + m[1] * m[1];
                const double covariance = m[4] - mean_product;
                const double variances = m[2] + m[3] - mean_squares;
                /* Equation 13 of the paper. */
                sum += (2 * mean_product + c1) * (2 * covariance + c2) /
                       ((mean_squares + c1) * (variances + c2));
            }
    }
    mdldm__free(env, across);
    *out = sum / ((double)rows * (double)columns * (double)channels);
    return MDLDM_OK;
}
