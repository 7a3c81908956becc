/* SPDX-License-Identifier: MIT
 * Winograd's three transforms of one tile, vectors over channels. Template: included once per
 * instruction set.
 *
 * F(2,3) interpolates at 0, 1, -1 and infinity. F(4,3) does at 0, +-5/8, +-3/2 and infinity: of the
 * symmetric points that are short in binary these have the least error, 1.05e-6 of the result's
 * standard deviation at 128 channels, against 2.3e-6 of the usual 0, +-1, +-2 and 6e-7 of direct sums.
 * The factors 1/N that G has in the paper stand in A here, where they cost nothing.
 *
 * f is the kind of tile, a constant wherever these are called. */
#ifndef MDLDM_CPU_K_WINOGRAD_TILE_H
#define MDLDM_CPU_K_WINOGRAD_TILE_H

#include "cpu_vec.h"
#include "cpu_winograd.h"

#define WINO_A 0.625f
#define WINO_B 1.5f
#define WINO_AA (WINO_A * WINO_A)
#define WINO_BB (WINO_B * WINO_B)
/* N of a point p is the product of p - q over the other finite points q. */
#define WINO_N0 (WINO_AA * WINO_BB)
#define WINO_NA (2.0f * WINO_AA * (WINO_AA - WINO_BB))
#define WINO_NB (2.0f * WINO_BB * (WINO_BB - WINO_AA))

/* y = B' x */
INLINE void wino_data(int f, const V *x, V *y)
{
    if (f == MDLDM__WINOGRAD_UP) {
        y[0] = x[1];
        y[1] = x[0] - x[1];
        y[2] = x[2] - x[1];
        return;
    }
    if (f == MDLDM__WINOGRAD_DOWN) { /* the weights are turned: y[1] belongs to w2 */
        y[0] = x[1] + x[2];
        y[1] = x[0] - x[2];
        y[2] = x[3] - x[1];
        return;
    }
    if (f == 2) {
        y[0] = x[0] - x[2];
        y[1] = x[1] + x[2];
        y[2] = x[2] - x[1];
        y[3] = x[3] - x[1];
        return;
    }
    V even = x[4] - WINO_BB * x[2], odd = x[3] - WINO_BB * x[1];
    y[0] = WINO_N0 * x[0] - (WINO_AA + WINO_BB) * x[2] + x[4];
    y[1] = even + WINO_A * odd;
    y[2] = even - WINO_A * odd;
    even = x[4] - WINO_AA * x[2];
    odd = x[3] - WINO_AA * x[1];
    y[3] = even + WINO_B * odd;
    y[4] = even - WINO_B * odd;
    y[5] = WINO_N0 * x[1] - (WINO_AA + WINO_BB) * x[3] + x[5];
}

/* u = G g, without 1/N */
INLINE void wino_weight(int f, const V *g, V *u)
{
    if (f == MDLDM__WINOGRAD_UP || f == MDLDM__WINOGRAD_DOWN) {
        u[0] = g[0] + g[1] + g[2];
        u[1] = g[0];
        u[2] = g[2];
        return;
    }
    if (f == 2) {
        V even = g[0] + g[2];
        u[0] = g[0];
        u[1] = even + g[1];
        u[2] = even - g[1];
        u[3] = g[2];
        return;
    }
    V even = g[0] + WINO_AA * g[2];
    u[0] = g[0];
    u[1] = even + WINO_A * g[1];
    u[2] = even - WINO_A * g[1];
    even = g[0] + WINO_BB * g[2];
    u[3] = even + WINO_B * g[1];
    u[4] = even - WINO_B * g[1];
    u[5] = g[2];
}

/* y = A' m, with 1/N */
INLINE void wino_sum(int f, const V *m, V *y)
{
    if (f == MDLDM__WINOGRAD_UP) {
        y[0] = m[0] + m[1];
        y[1] = m[0] + m[2];
        return;
    }
    if (f == MDLDM__WINOGRAD_DOWN) {
        y[0] = m[0] + m[1] + m[2];
        return;
    }
    if (f == 2) {
        V even = m[1] + m[2], odd = m[1] - m[2];
        y[0] = m[0] + 0.5f * even;
        y[1] = 0.5f * odd + m[3];
        return;
    }
    V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = (1.0f / WINO_N0) * m[0] + (1.0f / WINO_NA) * even_a + (1.0f / WINO_NB) * even_b;
    y[1] = (WINO_A / WINO_NA) * odd_a + (WINO_B / WINO_NB) * odd_b;
    y[2] = (WINO_AA / WINO_NA) * even_a + (WINO_BB / WINO_NB) * even_b;
    y[3] = (WINO_A * WINO_AA / WINO_NA) * odd_a + (WINO_B * WINO_BB / WINO_NB) * odd_b + m[5];
}

#define WINO_PLACES mdldm__winograd_places
#define WINO_IN mdldm__winograd_in
#define WINO_STEP mdldm__winograd_step
#define WINO_OUT mdldm__winograd_out

/* Loops are unrolled by pragma, that is before gcc would give the arrays places on the stack. */

/* Pixels of an input tile to its places. */
INLINE void wino_data_tile(int f, V t[6][6])
{
    V x[6], y[6];
#pragma GCC unroll 6
    for (int j = 0; j < WINO_IN(f); j++) {
#pragma GCC unroll 6
        for (int i = 0; i < WINO_IN(f); i++)
            x[i] = t[i][j];
        wino_data(f, x, y);
#pragma GCC unroll 6
        for (int i = 0; i < WINO_PLACES(f); i++)
            t[i][j] = y[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < WINO_PLACES(f); i++) {
        wino_data(f, t[i], y);
#pragma GCC unroll 6
        for (int j = 0; j < WINO_PLACES(f); j++)
            t[i][j] = y[j];
    }
}

/* 9 taps, row by row, transformed down the columns: the places' rows are each wino_weight of a row. */
INLINE void wino_weight_columns(int f, const V *taps, V t[6][3])
{
    V x[3], y[6];
#pragma GCC unroll 6
    for (int j = 0; j < 3; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < 3; i++)
            x[i] = taps[3 * i + j];
        wino_weight(f, x, y);
#pragma GCC unroll 6
        for (int i = 0; i < WINO_PLACES(f); i++)
            t[i][j] = y[i];
    }
}

/* Places to the pixels of the result. */
INLINE void wino_sum_tile(int f, V t[6][6], V out[4][4])
{
    V x[6], y[4], half[4][6];
#pragma GCC unroll 6
    for (int j = 0; j < WINO_PLACES(f); j++) {
#pragma GCC unroll 6
        for (int i = 0; i < WINO_PLACES(f); i++)
            x[i] = t[i][j];
        wino_sum(f, x, y);
#pragma GCC unroll 6
        for (int i = 0; i < WINO_OUT(f); i++)
            half[i][j] = y[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < WINO_OUT(f); i++)
        wino_sum(f, half[i], out[i]);
}

#endif
