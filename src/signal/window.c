/* SPDX-License-Identifier: MIT
 * Windows of the short-time Fourier transform (Harris 1978), periodic: the point that would close the
 * symmetric window of length + 1 is left out. */
#include <math.h>

#include "signal/signal.h"

static const double pi = 3.14159265358979323846;

/* Modified Bessel function of order 0 by its power series, all of whose terms are positive: no digits are
 * lost, and terms fall off once k > x / 2. */
static double bessel_i0(double x)
{
    double sum = 1.0, term = 1.0;
    for (int k = 1; term > 1e-17 * sum; k++) {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
    }
    return sum;
}

double mdldm__window_fill(mdldm__window kind, double kaiser_beta, int64_t length, float *w)
{
    double sum = 0.0;
    for (int64_t i = 0; i < length; i++) {
        const double u = (double)i / (double)length; /* [0, 1) over the period */
        const double c = cos(2.0 * pi * u), r = 2.0 * u - 1.0;
        double value = 1.0;
        switch (kind) {
        case MDLDM__WINDOW_HANN:
            value = 0.5 - 0.5 * c;
            break;
        case MDLDM__WINDOW_HAMMING:
            value = 0.54 - 0.46 * c;
            break;
        case MDLDM__WINDOW_BLACKMAN:
            value = 0.42 - 0.5 * c + 0.08 * cos(4.0 * pi * u);
            break;
        case MDLDM__WINDOW_KAISER:
            value = bessel_i0(kaiser_beta * sqrt(fmax(0.0, 1.0 - r * r))) / bessel_i0(kaiser_beta);
            break;
        case MDLDM__WINDOW_RECTANGULAR:
            break;
        }
        w[i] = (float)value;
        sum += value;
    }
    return sum;
}
