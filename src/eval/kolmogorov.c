/* SPDX-License-Identifier: MIT
 * The tail of the Kolmogorov-Smirnov statistic for many values: Simard and L'Ecuyer, "Computing the two-sided
 * Kolmogorov-Smirnov distribution", 2011. */
#include <math.h>

#include "eval/sample_tests.h"

/* P(D+ >= d), the one-sided statistic: Birnbaum and Tingey 1951. Terms are positive. */
static double one_sided(double n, double d)
{
    double sum = 0.0;
    const double most = floor(n * (1.0 - d));
    for (double j = 0.0; j <= most; j++) {
        const double below = d + j / n, above = 1.0 - below;
        if (above <= 0.0)
            break;
        sum += exp(lgamma(n + 1.0) - lgamma(j + 1.0) - lgamma(n - j + 1.0) + (j - 1.0) * log(below) +
                   (n - j) * log(above));
    }
    return fmin(1.0, d * sum);
}

/* P(D < d) by the expansion of Pelz and Good 1976: four terms in powers of n^(-1/2). */
static double pelz_good(double n, double d)
{
    const double p2 = M_PI * M_PI, p4 = p2 * p2, p6 = p4 * p2;
    const double z = sqrt(n) * d, z2 = z * z, z3 = z2 * z, z4 = z2 * z2, z6 = z4 * z2, z8 = z4 * z4;
    double k0 = 0.0, k1 = 0.0, k2 = 0.0, k3 = 0.0;
    for (int i = (int)ceil(16.0 * z / M_PI); i >= 1; i--) {
        const double m = 2.0 * i - 1.0, m2 = m * m, m4 = m2 * m2, m6 = m4 * m2;
        const double odd = exp(-p2 * m2 / (8.0 * z2)), all = exp(-p2 * (double)i * (double)i / (2.0 * z2));
        k0 += odd;
        k1 += odd * (p2 * m2 / 4.0 - z2);
        k2 += odd * (6.0 * z6 + 2.0 * z4 + p2 * (2.0 * z4 - 5.0 * z2) * m2 / 4.0 + p4 * (1.0 - 2.0 * z2) * m4 / 16.0) /
              (72.0 * z6 * z);
        k2 -= all * p2 * (double)i * (double)i / (36.0 * z3);
        k3 += odd *
              (-30.0 * z6 - 90.0 * z8 + p2 * (135.0 * z4 - 96.0 * z6) * m2 / 4.0 +
               p4 * (212.0 * z4 - 60.0 * z2) * m4 / 16.0 + p6 * (5.0 - 30.0 * z2) * m6 / 64.0) /
              (6480.0 * z8 * z2);
        k3 += all * p2 * (double)i * (double)i * (3.0 * z2 - p2 * (double)i * (double)i) / (216.0 * z6);
    }
    const double sum = k0 / z + k1 / (6.0 * z4 * sqrt(n)) + k2 / n + k3 / (n * sqrt(n));
    return fmin(1.0, fmax(0.0, sqrt(2.0 * M_PI) * sum));
}

double mdldm__kolmogorov_survival(double n, double d)
{
    if (d <= 0.0)
        return 1.0;
    if (d >= 1.0)
        return 0.0;
    if (n * d * d >= 2.2) /* both sides at once are as good as impossible */
        return fmin(1.0, 2.0 * one_sided(n, d));
    return 1.0 - pelz_good(n, d);
}
