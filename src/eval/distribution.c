/* SPDX-License-Identifier: MIT
 * Quantiles of the normal and of Student's distribution, by bisection of their distribution functions. */
#include <math.h>

#include "eval/mean_interval.h"

double mdldm__normal_quantile(double p)
{
    const int upper = p > 0.5; /* erfc is exact where it is small */
    const double tail = upper ? 1.0 - p : p;
    double low = 0.0, high = 40.0;
    for (int i = 0; i < 200 && low < high; i++) {
        const double middle = 0.5 * (low + high);
        if (0.5 * erfc(middle * M_SQRT1_2) > tail)
            low = middle;
        else
            high = middle;
    }
    return upper ? 0.5 * (low + high) : -0.5 * (low + high);
}

/* The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz' method. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 10000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
        d = 1.0 + even * d;
        c = 1.0 + even / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        d = 1.0 + odd * d;
        c = 1.0 + odd / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        if (fabs(d * c - 1.0) < 1e-16)
            break;
    }
    return f;
}

static double incomplete_beta(double a, double b, double x)
{
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0))
        return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/* P(T > t) for t > 0. */
static double student_tail(double t, double freedom)
{
    return 0.5 * incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t));
}

double mdldm__student_quantile(double p, double freedom)
{
    double low = 0.0, high = 1.0;
    while (high < 1e100 && student_tail(high, freedom) > 1.0 - p)
        high *= 2.0;
    for (int i = 0; i < 200 && low < high; i++) {
        const double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high)
            break;
        if (student_tail(middle, freedom) > 1.0 - p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}
