/* SPDX-License-Identifier: MIT */
#include "quant/range_histogram.h"

#include <math.h>
#include <string.h>

#define BINS MDLDM__HISTOGRAM_BINS
#define LEAST_WIDTH 1e-6f /* of a range: a tensor of zeros has one too */

/* Doubles the reach: bin i of the new ones is the sum of two old ones, in the middle half. */
static void widen(mdldm__range_histogram *h)
{
    uint64_t merged[BINS / 2];
    for (int i = 0; i < BINS / 2; i++)
        merged[i] = h->bins[2 * i] + h->bins[2 * i + 1];
    memset(h->bins, 0, sizeof h->bins);
    memcpy(h->bins + BINS / 4, merged, sizeof merged);
    h->reach *= 2.0;
}

void mdldm__histogram_add(mdldm__range_histogram *h, const float *values, int64_t count)
{
    if (count == 0)
        return;
    float low = values[0], high = values[0];
    for (int64_t i = 1; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    if (h->reach == 0.0) {
        h->low = low;
        h->high = high;
        h->reach = 1e-6;
    }
    h->low = low < h->low ? low : h->low;
    h->high = high > h->high ? high : h->high;
    while (h->reach < fmax(-(double)low, (double)high))
        widen(h);
    const float factor = (float)(BINS / (2.0 * h->reach));
    for (int64_t i = 0; i < count; i++) {
        int32_t bin = (int32_t)(values[i] * factor + (float)(BINS / 2));
        h->bins[bin < 0 ? 0 : bin < BINS ? bin : BINS - 1]++;
    }
}

/* The values beyond which lies a share `tail` of all, on the side that `from` counts from. */
static double quantile(const mdldm__range_histogram *h, uint64_t total, int upper)
{
    const double tail = 1e-4 * (double)total, width = 2.0 * h->reach / BINS;
    double seen = 0.0;
    for (int i = 0; i < BINS; i++) {
        int bin = upper ? BINS - 1 - i : i;
        seen += (double)h->bins[bin];
        if (seen > tail) /* the outer edge of this bin */
            return -h->reach + width * (upper ? bin + 1 : bin);
    }
    return 0.0;
}

/* Counts, sums and sums of squares of the bins below each edge. */
typedef struct moments {
    double count[BINS + 1], sum[BINS + 1], square[BINS + 1];
} moments;

static int edge_of(const mdldm__range_histogram *h, double value)
{
    double edge = (value + h->reach) * BINS / (2.0 * h->reach);
    return edge <= 0.0 ? 0 : edge >= BINS ? BINS : (int)edge;
}

/* Sum of squared errors with this range: step^2/12 inside (Widrow 1956), the distance outside. */
static double squared_error(const mdldm__range_histogram *h, const moments *m, double low, double high)
{
    int a = edge_of(h, low), b = edge_of(h, high);
    double step = (high - low) / 255.0, inside = m->count[b] - m->count[a];
    double below = m->square[a] - 2.0 * low * m->sum[a] + low * low * m->count[a];
    double n = m->count[BINS] - m->count[b], s = m->sum[BINS] - m->sum[b];
    double above = m->square[BINS] - m->square[b] - 2.0 * high * s + high * high * n;
    return inside * step * step / 12.0 + below + above;
}

static void least_error(const mdldm__range_histogram *h, double *low, double *high)
{
    enum { STEPS = 40 };
    moments m;
    m.count[0] = m.sum[0] = m.square[0] = 0.0;
    for (int i = 0; i < BINS; i++) {
        double centre = h->reach * ((2.0 * i + 1.0) / BINS - 1.0), n = (double)h->bins[i];
        m.count[i + 1] = m.count[i] + n;
        m.sum[i + 1] = m.sum[i] + n * centre;
        m.square[i + 1] = m.square[i] + n * centre * centre;
    }
    double full_low = *low, full_high = *high, best = squared_error(h, &m, full_low, full_high);
    for (int i = 1; i <= STEPS; i++)
        for (int j = 1; j <= STEPS; j++) {
            double l = full_low * i / STEPS, u = full_high * j / STEPS, error = squared_error(h, &m, l, u);
            if (error < best) {
                best = error;
                *low = l;
                *high = u;
            }
        }
}

void mdldm__histogram_range(const mdldm__range_histogram *h, mdldm__range_method method, float range[2])
{
    uint64_t total = 0;
    for (int i = 0; i < BINS; i++)
        total += h->bins[i];
    double low = h->low < 0.0f ? (double)h->low : 0.0, high = h->high > 0.0f ? (double)h->high : 0.0;
    if (total > 0 && method == MDLDM__RANGE_PERCENTILE) {
        low = fmin(0.0, fmax(low, quantile(h, total, 0)));
        high = fmax(0.0, fmin(high, quantile(h, total, 1)));
    } else if (total > 0 && method == MDLDM__RANGE_MSE) {
        least_error(h, &low, &high);
    }
    range[0] = (float)low;
    range[1] = (float)high;
    if (range[1] - range[0] < LEAST_WIDTH)
        range[1] = range[0] + LEAST_WIDTH;
}
