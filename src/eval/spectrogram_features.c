/* SPDX-License-Identifier: MIT */
#include "eval/spectrogram_features.h"

#include <math.h>

#define GRID MDLDM__GRID
#define SCALES 6        /* of the Haar pyramid: bands of 128 to 4 a side */
#define DOPPLER_BINS 16
#define TINY 1e-12      /* variances of pixels in [-1, 1] below this are rounding */

static const int time_lags[] = {1, 2, 4, 8, 16, 32, 64}, doppler_lags[] = {1, 2, 4, 8, 16, 32},
                 gait_lags[] = {4, 8, 16, 24, 32, 48, 64, 96};
#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))
#define FULL_COUNT (4 + SCALES * 12 + 2 * DOPPLER_BINS + 3 + COUNT(time_lags) + COUNT(doppler_lags) + COUNT(gait_lags))
#define COLOUR_COUNT (4 + SCALES * 3 + DOPPLER_BINS)

typedef struct shape {
    double mean, deviation, skewness, kurtosis; /* the last as asinh of the excess, skewness as its asinh */
} shape;

/* asinh keeps the order and is linear near 0, but tames the long tails of third and fourth moments, which would
 * otherwise rule a covariance. */
static shape shape_of(const double *x, int64_t n)
{
    double sum = 0.0, m2 = 0.0, m3 = 0.0, m4 = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    shape s = {.mean = sum / (double)n};
    for (int64_t i = 0; i < n; i++) {
        const double difference = x[i] - s.mean, square = difference * difference;
        m2 += square;
        m3 += square * difference;
        m4 += square * square;
    }
    m2 /= (double)n;
    if (m2 > TINY) {
        s.deviation = sqrt(m2);
        s.skewness = asinh(m3 / (double)n / (m2 * s.deviation));
        s.kurtosis = asinh(m4 / (double)n / (m2 * m2) - 3.0);
    }
    return s;
}

static float *put_shape(float *out, const shape *s)
{
    *out++ = (float)s->mean;
    *out++ = (float)s->deviation;
    *out++ = (float)s->skewness;
    *out++ = (float)s->kurtosis;
    return out;
}

/* One scale of the Haar pyramid: x [2 side][2 side] -> its averages in place [side][side], and three bands [side][side]
 * of halved differences: along time, along Doppler, along both. */
static void haar(double *x, int64_t side, double *bands)
{
    for (int64_t i = 0; i < side; i++)
        for (int64_t j = 0; j < side; j++) {
            const double *top = x + 2 * i * 2 * side + 2 * j, *bottom = top + 2 * side;
            const double a = top[0], b = top[1], c = bottom[0], d = bottom[1];
            const int64_t at = i * side + j;
            bands[at] = 0.25 * (a - b + c - d);
            bands[side * side + at] = 0.25 * (a + b - c - d);
            bands[2 * side * side + at] = 0.25 * (a - b - c + d);
            x[at] = 0.25 * (a + b + c + d); /* read by now: at is before top */
        }
}

static float *put_pyramid(float *out, const double *plane, double *x, double *bands, int full)
{
    for (int64_t i = 0; i < GRID * GRID; i++)
        x[i] = plane[i];
    for (int64_t side = GRID / 2, scale = 0; scale < SCALES; side /= 2, scale++) {
        haar(x, side, bands);
        for (int band = 0; band < 3; band++) {
            double *values = bands + band * side * side, sum = 0.0;
            const shape s = shape_of(values, side * side);
            for (int64_t i = 0; i < side * side; i++)
                sum += fabs(values[i]);
            if (!full) {
                *out++ = (float)s.deviation;
                continue;
            }
            *out++ = (float)(sum / (double)(side * side));
            *out++ = (float)s.deviation;
            *out++ = (float)s.skewness;
            *out++ = (float)s.kurtosis;
        }
    }
    return out;
}

/* Mean, and for full planes the deviation along time, of each sixteenth of the rows. */
static float *put_doppler(float *out, const double *plane, int full)
{
    enum { ROWS = GRID / DOPPLER_BINS };
    for (int64_t bin = 0; bin < DOPPLER_BINS; bin++) {
        double of_time[GRID] = {0};
        for (int64_t i = 0; i < ROWS; i++)
            for (int64_t j = 0; j < GRID; j++)
                of_time[j] += plane[(bin * ROWS + i) * GRID + j] / ROWS;
        const shape s = shape_of(of_time, GRID);
        out[bin] = (float)s.mean;
        if (full)
            out[DOPPLER_BINS + bin] = (float)s.deviation;
    }
    return out + (full ? 2 : 1) * DOPPLER_BINS;
}

/* Correlation at each lag of all rows with themselves, about each row's mean: sums of products over the sums of
 * squares times what a lag leaves of them. strides: from one row to the next, from one value to the next. */
static float *put_correlation(float *out, const double *x, int64_t rows, int64_t row_stride, int64_t stride,
                              const int *lags, int64_t lag_count)
{
    double squares = 0.0, products[8] = {0};
    for (int64_t i = 0; i < rows; i++) {
        double row[GRID], mean = 0.0;
        for (int64_t j = 0; j < GRID; j++)
            mean += x[i * row_stride + j * stride] / GRID;
        for (int64_t j = 0; j < GRID; j++) {
            row[j] = x[i * row_stride + j * stride] - mean;
            squares += row[j] * row[j];
        }
        for (int64_t l = 0; l < lag_count; l++)
            for (int64_t j = 0; j + lags[l] < GRID; j++)
                products[l] += row[j] * row[j + lags[l]];
    }
    for (int64_t l = 0; l < lag_count; l++)
        *out++ = squares > TINY * (double)(rows * GRID)
                     ? (float)(products[l] / squares * GRID / (double)(GRID - lags[l]))
                     : 0.0f;
    return out;
}

static float *put_plane(float *out, const double *plane, double *x, double *bands, int full)
{
    shape s = shape_of(plane, GRID * GRID);
    out = put_shape(out, &s);
    out = put_pyramid(out, plane, x, bands, full);
    out = put_doppler(out, plane, full);
    if (!full)
        return out;
    double of_time[GRID] = {0}; /* the mean of each column */
    for (int64_t i = 0; i < GRID; i++)
        for (int64_t j = 0; j < GRID; j++)
            of_time[j] += plane[i * GRID + j] / GRID;
    s = shape_of(of_time, GRID);
    *out++ = (float)s.deviation;
    *out++ = (float)s.skewness;
    *out++ = (float)s.kurtosis;
    out = put_correlation(out, plane, GRID, GRID, 1, time_lags, COUNT(time_lags));
    out = put_correlation(out, plane, GRID, 1, GRID, doppler_lags, COUNT(doppler_lags));
    return put_correlation(out, of_time, 1, 0, 1, gait_lags, COUNT(gait_lags));
}

int64_t mdldm__spectrogram_feature_count(int64_t channels)
{
    return channels == 1 ? FULL_COUNT : channels == 3 ? FULL_COUNT + 2 * COLOUR_COUNT : 0;
}

/* Plane p of a picture [channels][height * width]: grey as it is; of colours luma and the two colour differences of
 * ITU-R BT.601. */
static void take_plane(const float *pixels, int64_t channels, int64_t size, int p, double *plane)
{
    for (int64_t i = 0; i < size; i++) {
        plane[i] = (double)pixels[i];
        if (channels == 3) {
            const double r = plane[i], g = (double)pixels[size + i], b = (double)pixels[2 * size + i];
            const double luma = 0.299 * r + 0.587 * g + 0.114 * b;
            plane[i] = p == 0 ? luma : p == 1 ? (b - luma) / 1.772 : (r - luma) / 1.402;
        }
    }
}

mdldm_status mdldm__spectrogram_features(mdldm__env *env, const float *pixels, int64_t n, int64_t channels,
                                         int64_t height, int64_t width, float *features)
{
    const int64_t size = height * width;
    const size_t room = (size_t)(height > GRID ? height : GRID) * (size_t)(width > GRID ? width : GRID);
    double *plane = mdldm__calloc(env, room, 2 * sizeof *plane);
    double *x = mdldm__calloc(env, GRID * GRID, 2 * sizeof *x); /* the pyramid's averages, then its bands */
    mdldm_status status = plane != NULL && x != NULL ? MDLDM_OK : mdldm__oom(env, "spectrogram features");
    float *out = features;
    for (int64_t i = 0; i < n && status == MDLDM_OK; i++) {
        for (int p = 0; p < channels; p++) {
            take_plane(pixels + i * channels * size, channels, size, p, plane);
            mdldm__picture_grid(plane, height, width, plane + room);
            out = put_plane(out, plane, x, x + GRID * GRID, p == 0);
        }
        status = mdldm__check_cancel(env);
    }
    mdldm__free(env, plane);
    mdldm__free(env, x);
    return status;
}
