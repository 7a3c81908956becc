/* SPDX-License-Identifier: MIT
 * Moments, correlation and autocorrelation of latents. */
#include <math.h>

#include "eval/latent_numbers.h"

static const float *map_of(const mdldm__latent_set *s, int64_t image, int64_t channel)
{
    return s->z + (image * s->channels + channel) * s->h * s->w;
}

static double mean_of(const mdldm__latent_set *s, int64_t channel)
{
    const int64_t cells = s->h * s->w;
    double sum = 0.0;
    for (int64_t i = 0; i < s->n; i++) {
        const float *map = map_of(s, i, channel);
        for (int64_t p = 0; p < cells; p++)
            sum += map[p];
    }
    return sum / (double)(s->n * cells);
}

mdldm__latent_moments mdldm__latent_moments_of(const mdldm__latent_set *s, int64_t channel)
{
    const int64_t cells = s->h * s->w;
    const double mean = mean_of(s, channel), count = (double)(s->n * cells);
    double second = 0.0, fourth = 0.0, within = 0.0;
    for (int64_t p = 0; p < cells; p++) {
        double sum = 0.0, square = 0.0;
        for (int64_t i = 0; i < s->n; i++) {
            const double d = (double)map_of(s, i, channel)[p] - mean;
            sum += d;
            square += d * d;
            fourth += d * d * d * d;
        }
        second += square;
        within += square - sum * sum / (double)s->n;
    }
    const double variance = second / count;
    const int flat = !(variance > 1e-14 * mean * mean && variance > 0.0);
    return (mdldm__latent_moments){
        .mean = mean,
        .deviation = sqrt(variance),
        .kurtosis = flat ? NAN : fourth / count / (variance * variance) - 3.0,
        .fixed_share = flat ? NAN : 1.0 - within / ((double)(s->n - 1) * (double)cells) / variance,
    };
}

double mdldm__latent_correlation(const mdldm__latent_set *s, int64_t a, int64_t b)
{
    const double mean_a = mean_of(s, a), mean_b = mean_of(s, b);
    double both = 0.0, aa = 0.0, bb = 0.0;
    for (int64_t i = 0; i < s->n; i++) {
        const float *x = map_of(s, i, a), *y = map_of(s, i, b);
        for (int64_t p = 0; p < s->h * s->w; p++) {
            const double u = (double)x[p] - mean_a, v = (double)y[p] - mean_b;
            both += u * v;
            aa += u * u;
            bb += v * v;
        }
    }
    return aa > 0.0 && bb > 0.0 ? both / sqrt(aa * bb) : NAN;
}

void mdldm__latent_rest(const mdldm__latent_set *s, float *rest)
{
    const int64_t each = s->channels * s->h * s->w;
    for (int64_t p = 0; p < each; p++) {
        double sum = 0.0;
        for (int64_t i = 0; i < s->n; i++)
            sum += s->z[i * each + p];
        for (int64_t i = 0; i < s->n; i++)
            rest[i * each + p] = (float)((double)s->z[i * each + p] - sum / (double)s->n);
    }
}

/* Mean product of cells that lie right and down apart. */
static double mean_product(const mdldm__latent_set *rest, int64_t channel, int64_t down, int64_t right)
{
    double sum = 0.0;
    for (int64_t i = 0; i < rest->n; i++) {
        const float *map = map_of(rest, i, channel);
        for (int64_t r = 0; r + down < rest->h; r++)
            for (int64_t c = 0; c + right < rest->w; c++)
                sum += (double)map[r * rest->w + c] * (double)map[(r + down) * rest->w + c + right];
    }
    return sum / (double)(rest->n * (rest->h - down) * (rest->w - right));
}

void mdldm__latent_autocorrelation(const mdldm__latent_set *rest, int64_t channel, double time[MDLDM__LATENT_LAGS],
                                   double doppler[MDLDM__LATENT_LAGS])
{
    const double variance = mean_product(rest, channel, 0, 0);
    for (int k = 0; k < MDLDM__LATENT_LAGS; k++) {
        const int64_t lag = INT64_C(1) << k;
        time[k] = variance > 0.0 && lag < rest->w ? mean_product(rest, channel, 0, lag) / variance : NAN;
        doppler[k] = variance > 0.0 && lag < rest->h ? mean_product(rest, channel, lag, 0) / variance : NAN;
    }
}
