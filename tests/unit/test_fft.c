/* SPDX-License-Identifier: MIT
 * The Fourier transform against its definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "signal/signal.h"

enum { MOST = 1024 };
static mdldm__complex table[MOST], x[MOST], work[MOST], given[MOST];

static double worst_of(int64_t n)
{
    const double pi = 3.14159265358979323846;
    double worst = 0.0, largest = 0.0;
    uint32_t word = (uint32_t)n;
    for (int64_t i = 0; i < n; i++) {
        word = word * 1664525u + 1013904223u; /* Numerical Recipes' generator: any numbers do */
        const double re = (double)(word >> 8) / (1 << 24) - 0.5;
        word = word * 1664525u + 1013904223u;
        given[i] = x[i] = (mdldm__complex){re, (double)(word >> 8) / (1 << 24) - 0.5};
    }
    mdldm__fft_table(n, table);
    const mdldm__complex *got = mdldm__fft(n, table, x, work);
    for (int64_t k = 0; k < n; k++) {
        long double re = 0.0L, im = 0.0L;
        for (int64_t i = 0; i < n; i++) {
            const double angle = -2.0 * pi * (double)(k * i % n) / (double)n;
            re += (long double)given[i].re * cosl(angle) - (long double)given[i].im * sinl(angle);
            im += (long double)given[i].re * sinl(angle) + (long double)given[i].im * cosl(angle);
        }
        worst = fmax(worst, hypot((double)(got[k].re - re), (double)(got[k].im - im)));
        largest = fmax(largest, hypot((double)re, (double)im));
    }
    return worst / largest;
}

static void it_is_the_transform(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1,  2,  3,  4,  5,  6,  8,  9,  10, 12,  15,  16,  18,  20,  25,  27,   30,  32,
                                      36, 45, 48, 50, 60, 64, 75, 81, 90, 100, 120, 125, 128, 240, 243, 256, 360, 500,
                                      512, 600, 625, 729, 768, 1000, 1024};
    double worst = 0.0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const double error = worst_of(lengths[i]);
        worst = fmax(worst, error);
        if (error > 6e-15) /* seen: 1.7e-15 */
            fail_msg("length %d: off by %.2g of the largest value", (int)lengths[i], error);
    }
    print_message("worst: %.2g of the largest value\n", worst);
}

/* An impulse has a flat spectrum, a constant a single line: the places are right, not only the sums. */
static void places_are_right(void **state)
{
    (void)state;
    enum { N = 60 };
    mdldm__fft_table(N, table);
    for (int i = 0; i < N; i++)
        x[i] = (mdldm__complex){cos(2.0 * 3.14159265358979323846 * 7 * i / N), sin(2.0 * 3.14159265358979323846 * 7 * i / N)};
    const mdldm__complex *got = mdldm__fft(N, table, x, work);
    for (int k = 0; k < N; k++)
        assert_true(fabs(got[k].re - (k == 7 ? N : 0)) < 1e-12 && fabs(got[k].im) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_transform),
        cmocka_unit_test(places_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
