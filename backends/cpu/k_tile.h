/* SPDX-License-Identifier: MIT
 * The register tile under attention and codebook search: rows of scalars times a row of vectors.
 * Template: included once per instruction set. */
#ifndef MDLDM_CPU_K_TILE_H
#define MDLDM_CPU_K_TILE_H

#include "cpu_vec.h"

#define TILE (NV * VL) /* columns of a tile */

/* c[rows][TILE] (+)= sum over k < depth of a[r*a_row + k*a_depth] * b[k][TILE]. */
INLINE void tile_rows(int rows, const float *a, int64_t a_row, int64_t a_depth, const float *b,
                      int64_t depth, float *c, int add)
{
    V acc[MR][NV];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < NV; v++)
            acc[r][v] = add ? v_load(c + r * TILE + v * VL) : v_set(0.0f);
    for (int64_t k = 0; k < depth; k++) {
        V col[NV];
        for (int v = 0; v < NV; v++)
            col[v] = v_load(b + k * TILE + v * VL);
        for (int r = 0; r < rows; r++) {
            V scalar = v_set(a[r * a_row + k * a_depth]);
            for (int v = 0; v < NV; v++)
                acc[r][v] += scalar * col[v];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < NV; v++)
            v_store(c + r * TILE + v * VL, acc[r][v]);
}

/* The same for any number of rows. */
INLINE void tile_multiply(int64_t rows, const float *a, int64_t a_row, int64_t a_depth, const float *b,
                          int64_t depth, float *c, int add)
{
    while (rows > 0) {
        /* 8 rows go best as 4 + 4. */
        int step = rows >= MR && rows != 8 ? MR : rows >= 4 ? 4 : (int)rows;
        switch (step) {
        case 6: tile_rows(6, a, a_row, a_depth, b, depth, c, add); break;
        case 4: tile_rows(4, a, a_row, a_depth, b, depth, c, add); break;
        case 3: tile_rows(3, a, a_row, a_depth, b, depth, c, add); break;
        case 2: tile_rows(2, a, a_row, a_depth, b, depth, c, add); break;
        default: tile_rows(1, a, a_row, a_depth, b, depth, c, add); break;
        }
        a += step * a_row;
        c += step * TILE;
        rows -= step;
    }
}

#endif
