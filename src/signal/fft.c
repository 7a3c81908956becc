/* SPDX-License-Identifier: MIT
 * Fast Fourier transform of lengths whose only factors are 2, 3 and 5: Stockham's self-sorting form of
 * decimation in frequency (Van Loan 1992, section 1.7), which needs no permutation and no memory of its own. */
#include <math.h>

#include "signal/signal.h"

typedef mdldm__complex cplx;

static cplx add(cplx a, cplx b)
{
    return (cplx){a.re + b.re, a.im + b.im};
}

static cplx sub(cplx a, cplx b)
{
    return (cplx){a.re - b.re, a.im - b.im};
}

static cplx mul(cplx a, cplx b)
{
    return (cplx){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

void mdldm__fft_table(int64_t n, mdldm__complex *table)
{
    const double pi = 3.14159265358979323846;
    for (int64_t k = 0; k < n; k++)
        table[k] = (cplx){cos(2.0 * pi * (double)k / (double)n), -sin(2.0 * pi * (double)k / (double)n)};
}

/* The transform of p values a[p] into b[p]; root: exp(-2 pi i / p) to the power k is table[k * root]. */
static void butterfly(int p, const cplx *table, int64_t root, const cplx *a, cplx *b)
{
    if (p == 4) {
        const cplx even = add(a[0], a[2]), odd = add(a[1], a[3]), e = sub(a[0], a[2]), o = sub(a[1], a[3]);
        b[0] = add(even, odd);
        b[1] = (cplx){e.re + o.im, e.im - o.re};
        b[2] = sub(even, odd);
        b[3] = (cplx){e.re - o.im, e.im + o.re};
        return;
    }
    for (int j = 0; j < p; j++) {
        b[j] = a[0];
        for (int k = 1; k < p; k++)
            b[j] = add(b[j], mul(a[k], table[j * k % p * root]));
    }
}

/* One pass: length values at a time, stride sequences side by side; x [p][length / p][stride] ->
 * y [length / p][p][stride]. */
static void pass(int p, int64_t length, int64_t stride, const cplx *table, const cplx *x, cplx *y)
{
    const int64_t m = length / p;
    for (int64_t i = 0; i < m; i++)
        for (int64_t s = 0; s < stride; s++) {
            cplx a[5], b[5];
            for (int k = 0; k < p; k++)
                a[k] = x[(k * m + i) * stride + s];
            butterfly(p, table, m * stride, a, b);
            y[i * p * stride + s] = b[0];
            for (int j = 1; j < p; j++)
                y[(i * p + j) * stride + s] = mul(b[j], table[j * i * stride]);
        }
}

mdldm__complex *mdldm__fft(int64_t n, const mdldm__complex *table, mdldm__complex *x, mdldm__complex *work)
{
    int64_t length = n, stride = 1;
    while (length > 1) {
        const int p = length % 4 == 0 ? 4 : length % 2 == 0 ? 2 : length % 3 == 0 ? 3 : 5;
        pass(p, length, stride, table, x, work);
        cplx *const swap = x;
        x = work;
        work = swap;
        length /= p;
        stride *= p;
    }
    return x;
}
