/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "eval/spectrogram_features.h"

/* out[place][k], k < count: the integral of in[size][count] as steps of width 1 / size, averaged over 1 / GRID. */
static void average(const double *in, int64_t size, int64_t count, double *out)
{
    for (int64_t place = 0; place < MDLDM__GRID; place++) {
        /* In units of 1 / (size GRID), so that borders are exact. */
        const int64_t begin = place * size, end = begin + size;
        double *row = out + place * count;
        for (int64_t k = 0; k < count; k++)
            row[k] = 0.0;
        for (int64_t i = begin / MDLDM__GRID; i * MDLDM__GRID < end; i++) {
            const int64_t from = i * MDLDM__GRID > begin ? i * MDLDM__GRID : begin;
            const int64_t to = (i + 1) * MDLDM__GRID < end ? (i + 1) * MDLDM__GRID : end;
            const double share = (double)(to - from) / (double)size;
            for (int64_t k = 0; k < count; k++)
                row[k] += share * in[i * count + k];
        }
    }
}

static void transpose(const double *in, int64_t rows, int64_t columns, double *out)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[j * rows + i] = in[i * columns + j];
}

void mdldm__picture_grid(double *plane, int64_t height, int64_t width, double *room)
{
    average(plane, height, width, room);             /* [GRID][width] */
    transpose(room, MDLDM__GRID, width, plane);      /* [width][GRID] */
    average(plane, width, MDLDM__GRID, room);        /* [GRID columns][GRID rows] */
    transpose(room, MDLDM__GRID, MDLDM__GRID, plane);
}
