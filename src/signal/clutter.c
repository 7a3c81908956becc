/* SPDX-License-Identifier: MIT
 * Clutter removal along slow time. The filters start as if the first sample had always been there, so a
 * strong static echo makes no transient. */
#include <math.h>

#include "signal/signal.h"

static const double pi = 3.14159265358979323846;

/* One second-order high-pass of quality q by the bilinear transform, in transposed direct form II, on one
 * of I and Q: in[i * 2], in place. */
static void highpass(double cutoff, double q, float *x, int64_t count)
{
    const double k = tan(pi * cutoff), norm = 1.0 / (1.0 + k / q + k * k);
    const double a1 = 2.0 * (k * k - 1.0) * norm, a2 = (1.0 - k / q + k * k) * norm;
    /* b = norm * (1, -2, 1). For a constant input the output is 0, which is the state to start with. */
    double s1 = -norm * (double)x[0], s2 = norm * (double)x[0];
    for (int64_t i = 0; i < count; i++) {
        const double in = (double)x[2 * i], out = norm * in + s1;
        s1 = -2.0 * norm * in - a1 * out + s2;
        s2 = norm * in - a2 * out;
        x[2 * i] = (float)out;
    }
}

static void subtract_mean(float *x, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[2 * i];
    for (int64_t i = 0; i < count; i++)
        x[2 * i] = (float)((double)x[2 * i] - sum / (double)count);
}

/* Two-pulse canceller: x[i] - x[i - 1]. */
static void difference(float *x, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--)
        x[2 * i] -= x[2 * (i - 1)];
    x[0] = 0.0f;
}

void mdldm__clutter_remove(mdldm__clutter kind, double cutoff, float *iq, int64_t count)
{
    for (int part = 0; part < 2; part++) {
        switch (kind) {
        case MDLDM__CLUTTER_NONE:
            break;
        case MDLDM__CLUTTER_MEAN:
            subtract_mean(iq + part, count);
            break;
        case MDLDM__CLUTTER_HIGHPASS: /* Butterworth of order 4: poles at 22.5 and 67.5 degrees */
            highpass(cutoff, 0.5 / cos(pi / 8.0), iq + part, count);
            highpass(cutoff, 0.5 / cos(3.0 * pi / 8.0), iq + part, count);
            break;
        case MDLDM__CLUTTER_MTI:
            difference(iq + part, count);
            break;
        }
    }
}
