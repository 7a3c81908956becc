/* SPDX-License-Identifier: MIT
 * The arithmetic of Pillow's Resample.c for 8-bit channels: triangle filter widened by the reduction,
 * coefficients in 22-bit fixed point, a horizontal pass rounded to 8 bits, then a vertical one. */
#include "data/resize.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PRECISION_BITS (32 - 8 - 2)

/* The weights of outputs first .. first+count-1 along one axis. */
typedef struct axis {
    int64_t count, width;    /* outputs; room for weights of each */
    int64_t *start, *length; /* [count]: the inputs that output i reads */
    int32_t *weights;        /* [count][width] */
} axis;

static void axis_free(mdldm__env *env, axis *a)
{
    mdldm__free(env, a->start);
    mdldm__free(env, a->length);
    mdldm__free(env, a->weights);
}

int64_t mdldm__triangle_width(int64_t in_size, int64_t out_size)
{
    return (int64_t)ceil(fmax((double)in_size / (double)out_size, 1.0)) * 2 + 1;
}

int64_t mdldm__triangle_weights(int64_t in_size, int64_t out_size, int64_t i, double *weights, int64_t *start)
{
    const double scale = (double)in_size / (double)out_size;
    const double support = scale < 1.0 ? 1.0 : scale; /* the triangle's half width is 1, times the reduction */
    const double step = 1.0 / support;
    const double centre = ((double)i + 0.5) * scale;
    int64_t begin = (int64_t)(centre - support + 0.5);
    int64_t end = (int64_t)(centre + support + 0.5);
    begin = begin < 0 ? 0 : begin;
    end = end > in_size ? in_size : end;
    double sum = 0;
    for (int64_t k = 0; k < end - begin; k++) {
        double distance = fabs(((double)(k + begin) - centre + 0.5) * step);
        weights[k] = distance < 1.0 ? 1.0 - distance : 0.0;
        sum += weights[k];
    }
    while (end > begin + 1 && weights[end - begin - 1] == 0.0) /* 0 times -inf dB would be NaN */
        end--;
    for (int64_t k = 0; k < end - begin; k++)
        weights[k] /= sum;
    *start = begin;
    return end - begin;
}

static mdldm_status axis_make(mdldm__env *env, int64_t in_size, int64_t out_size, int64_t first,
                              int64_t count, axis *a)
{
    a->count = count;
    a->width = mdldm__triangle_width(in_size, out_size);
    a->start = mdldm__calloc(env, (size_t)count, sizeof *a->start);
    a->length = mdldm__calloc(env, (size_t)count, sizeof *a->length);
    a->weights = mdldm__calloc(env, (size_t)count * (size_t)a->width, sizeof *a->weights);
    double *exact = mdldm__calloc(env, (size_t)a->width, sizeof *exact);
    if (a->start == NULL || a->length == NULL || a->weights == NULL || exact == NULL) {
        axis_free(env, a);
        mdldm__free(env, exact);
        return mdldm__oom(env, "resize weights");
    }
    for (int64_t i = 0; i < count; i++) {
        a->length[i] = mdldm__triangle_weights(in_size, out_size, first + i, exact, &a->start[i]);
        for (int64_t k = 0; k < a->length[i]; k++)
            a->weights[i * a->width + k] = (int32_t)(0.5 + exact[k] * (1 << PRECISION_BITS));
    }
    mdldm__free(env, exact);
    return MDLDM_OK;
}

static uint8_t clip8(int32_t sum)
{
    int32_t value = sum >> PRECISION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row to a->count outputs [.][3]; in holds the inputs from column first on. */
static void horizontal(const axis *a, const uint8_t *in, int64_t first, uint8_t *out)
{
    for (int64_t i = 0; i < a->count; i++) {
        int32_t r = 1 << (PRECISION_BITS - 1), g = r, b = r;
        const uint8_t *p = in + (a->start[i] - first) * 3;
        const int32_t *w = a->weights + i * a->width;
        for (int64_t k = 0; k < a->length[i]; k++, p += 3) {
            r += p[0] * w[k];
            g += p[1] * w[k];
            b += p[2] * w[k];
        }
        out[i * 3 + 0] = clip8(r);
        out[i * 3 + 1] = clip8(g);
        out[i * 3 + 2] = clip8(b);
    }
}

/* Output row i, count bytes; in holds the input rows from row first on, stride bytes apart. */
static void vertical(const axis *a, int64_t i, const uint8_t *in, int64_t first, size_t stride, size_t count,
                     int32_t *sums, uint8_t *out)
{
    for (size_t x = 0; x < count; x++)
        sums[x] = 1 << (PRECISION_BITS - 1);
    for (int64_t k = 0; k < a->length[i]; k++) {
        const uint8_t *row = in + (size_t)(a->start[i] + k - first) * stride;
        const int32_t weight = a->weights[i * a->width + k];
        for (size_t x = 0; x < count; x++)
            sums[x] += row[x] * weight;
    }
    for (size_t x = 0; x < count; x++)
        out[x] = clip8(sums[x]);
}

static int64_t axis_end(const axis *a)
{
    return a->start[a->count - 1] + a->length[a->count - 1];
}

/* The result of the first pass is rounded to 8 bits, so their order shows. Pillow 13 goes down first
 * when that saves more rows than twice the columns (found by trying 1500 sizes); older ones never do. */
static int goes_down_first(int64_t height, int64_t width, int64_t out_height, int64_t out_width)
{
    return out_height < height && height - out_height > 2 * (width - out_width);
}

/* The two passes over what the window needs: middle holds the first one's result. A side that keeps
 * its length has weights of exactly 1, which copies. */
static mdldm_status two_passes(mdldm__env *env, const uint8_t *rgb, int64_t width, const axis *across,
                               const axis *down, int down_first, uint8_t *out)
{
    const int64_t top = down->start[0], rows = axis_end(down) - top;
    const int64_t left = across->start[0], columns = axis_end(across) - left;
    const size_t stride = (size_t)width * 3, out_bytes = (size_t)across->count * 3;
    const size_t middle_bytes = down_first ? (size_t)columns * 3 : out_bytes;
    const uint8_t *in = rgb + (size_t)top * stride + (size_t)left * 3;

    uint8_t *middle = mdldm__calloc(env, (size_t)(down_first ? 1 : rows), middle_bytes);
    int32_t *sums = mdldm__calloc(env, middle_bytes, sizeof *sums);
    if (middle == NULL || sums == NULL) {
        mdldm__free(env, middle);
        mdldm__free(env, sums);
        return mdldm__oom(env, "resized image");
    }
    if (down_first) {
        for (int64_t i = 0; i < down->count; i++) {
            vertical(down, i, in, top, stride, middle_bytes, sums, middle);
            horizontal(across, middle, left, out + (size_t)i * out_bytes);
        }
    } else {
        for (int64_t y = 0; y < rows; y++)
            horizontal(across, in + (size_t)y * stride, left, middle + (size_t)y * middle_bytes);
        for (int64_t i = 0; i < down->count; i++)
            vertical(down, i, middle, top, middle_bytes, middle_bytes, sums, out + (size_t)i * out_bytes);
    }
    mdldm__free(env, middle);
    mdldm__free(env, sums);
    return MDLDM_OK;
}

mdldm_status mdldm__resize_bilinear(mdldm__env *env, const uint8_t *rgb, int64_t height, int64_t width,
                                    int64_t out_height, int64_t out_width, int64_t top, int64_t left,
                                    int64_t rows, int64_t columns, uint8_t *out)
{
    assert(top >= 0 && left >= 0 && rows >= 1 && columns >= 1);
    assert(top + rows <= out_height && left + columns <= out_width);
    if (out_height == height && out_width == width) {
        for (int64_t y = 0; y < rows; y++)
            memcpy(out + (size_t)(y * columns) * 3, rgb + (size_t)((top + y) * width + left) * 3,
                   (size_t)columns * 3);
        return MDLDM_OK;
    }
    axis across = {0}, down = {0};
    MDLDM__TRY(axis_make(env, width, out_width, left, columns, &across));
    mdldm_status status = axis_make(env, height, out_height, top, rows, &down);
    if (status == MDLDM_OK) {
        status = two_passes(env, rgb, width, &across, &down,
                            goes_down_first(height, width, out_height, out_width), out);
        axis_free(env, &down);
    }
    axis_free(env, &across);
    return status;
}

void mdldm__fit_size(int64_t height, int64_t width, int64_t resolution, int64_t *out_height,
                     int64_t *out_width)
{
    const int64_t shorter = width <= height ? width : height;
    const int64_t longer = width <= height ? height : width;
    /* Python's int(size * long / short): an exact product, one rounded division, truncation. */
    const int64_t other = (int64_t)((double)(resolution * longer) / (double)shorter);
    *out_width = width <= height ? resolution : other;
    *out_height = width <= height ? other : resolution;
}

int64_t mdldm__centre_offset(int64_t size, int64_t crop)
{
    const int64_t twice = size - crop, half = twice / 2;
    return twice % 2 == 0 ? half : half + half % 2; /* x.5 goes to the even neighbour */
}

void mdldm__pixel_table(float table[256])
{
    for (int v = 0; v < 256; v++)
        table[v] = ((float)v / 255.0f - 0.5f) / 0.5f;
}
