/* SPDX-License-Identifier: MIT
 * Resizing a matrix of float, as Pillow does in mode F: products summed in double, float after each pass. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "api/context.h"
#include "data/resize.h"

mdldm_status mdldm__resize_matrix(mdldm__env *env, const float *in, int64_t height, int64_t width,
                                  int64_t out_height, int64_t out_width, int64_t top, int64_t left, int64_t rows,
                                  int64_t columns, float *out)
{
    assert(top >= 0 && left >= 0 && top + rows <= out_height && left + columns <= out_width);
    if (height == out_height && width == out_width) {
        for (int64_t y = 0; y < rows; y++)
            memmove(out + y * columns, in + (top + y) * width + left, (size_t)columns * sizeof *out);
        return MDLDM_OK;
    }
    const int64_t across = mdldm__triangle_width(width, out_width), down = mdldm__triangle_width(height, out_height);
    double *weights = mdldm__calloc(env, (size_t)(across > down ? across : down), sizeof *weights);
    float *middle = mdldm__calloc(env, (size_t)height, (size_t)columns * sizeof *middle); /* [height][columns] */
    if (weights == NULL || middle == NULL) {
        mdldm__free(env, weights);
        mdldm__free(env, middle);
        return mdldm__oom(env, "resized matrix");
    }
    for (int64_t x = 0; x < columns; x++) {
        int64_t start = left + x, length = 1;
        weights[0] = 1.0;
        if (out_width != width)
            length = mdldm__triangle_weights(width, out_width, left + x, weights, &start);
        for (int64_t y = 0; y < height; y++) {
            double sum = 0.0;
            for (int64_t k = 0; k < length; k++)
                sum += (double)in[y * width + start + k] * weights[k];
            middle[y * columns + x] = (float)sum;
        }
    }
    for (int64_t y = 0; y < rows; y++) {
        int64_t start = top + y, length = 1;
        weights[0] = 1.0;
        if (out_height != height)
            length = mdldm__triangle_weights(height, out_height, top + y, weights, &start);
        for (int64_t x = 0; x < columns; x++) {
            double sum = 0.0;
            for (int64_t k = 0; k < length; k++)
                sum += (double)middle[(start + k) * columns + x] * weights[k];
            out[y * columns + x] = (float)sum;
        }
    }
    mdldm__free(env, weights);
    mdldm__free(env, middle);
    return MDLDM_OK;
}

mdldm_status mdldm_matrix_resize(mdldm_context *ctx, const float *matrix, int64_t rows, int64_t columns,
                                 int64_t out_rows, int64_t out_columns, float *out, size_t capacity)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    const int64_t sides[4] = {rows, columns, out_rows, out_columns};
    if (matrix == NULL || out == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_matrix_resize: an array is NULL");
    for (int i = 0; i < 4; i++)
        if (sides[i] < 1 || sides[i] > 1 << 24)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "a matrix of %lld x %lld to %lld x %lld makes no sense; sides are 1 to 16777216",
                                (long long)rows, (long long)columns, (long long)out_rows, (long long)out_columns);
    if (capacity < (size_t)(out_rows * out_columns))
        return mdldm__error(env, MDLDM_ERROR_CAPACITY, "%lld x %lld values do not fit an array of %zu",
                            (long long)out_rows, (long long)out_columns, capacity);
    for (int64_t i = 0; i < rows * columns; i++)
        if (isnan(matrix[i]) || matrix[i] == INFINITY)
            return mdldm__error(env, MDLDM_ERROR_NUMERIC, "value %lld of the matrix is %g; a number or -inf is right",
                                (long long)i, (double)matrix[i]);
    return mdldm__resize_matrix(env, matrix, rows, columns, out_rows, out_columns, 0, 0, out_rows, out_columns, out);
}
