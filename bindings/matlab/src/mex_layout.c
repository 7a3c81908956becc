/* SPDX-License-Identifier: MIT
 * The host keeps [H W C N] column by column: rows vary fastest, then columns, channels, images. The
 * library keeps rows of floats, [n][c][h][w], and 8-bit pictures as [n][h][w][3]. Planes are turned in
 * blocks, so that reading and writing both stay within the cache. */
#include <math.h>
#include <string.h>

#include "mdldm_mex.h"

#define BLOCK 32

mdldm_status mex_shape_of(mex_call *c, const mxArray *a, const char *what, int64_t channels, mex_shape *shape)
{
    mwSize rank = mxGetNumberOfDimensions(a);
    const mwSize *d = mxGetDimensions(a);
    mxClassID type = mxGetClassID(a);

    if ((type != mxSINGLE_CLASS && type != mxDOUBLE_CLASS && type != mxUINT8_CLASS) || mxIsComplex(a) || mxIsSparse(a)) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is of class %s: a real full array of single, double or "
                        "(pictures) uint8 would be right", what, mxGetClassName(a));
    }
    *shape = (mex_shape){ .h = (int64_t)d[0], .w = (int64_t)d[1], .c = rank > 2 ? (int64_t)d[2] : 1,
                          .n = rank > 3 ? (int64_t)d[3] : 1 };
    if (rank > 4 || mxGetNumberOfElements(a) == 0 || (channels > 0 && shape->c != channels)) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s has %lld dimensions and is [%lld %lld %lld %lld]: "
                        "[H W %lld N] would be right", what, (long long)rank, (long long)shape->h,
                        (long long)shape->w, (long long)shape->c, (long long)shape->n,
                        (long long)(channels > 0 ? channels : shape->c));
    }
    return MDLDM_OK;
}

/* A loop over one plane, block by block: x over columns, y over rows. */
#define TURN(ASSIGN)                                                      \
    for (int64_t y0 = 0; y0 < h; y0 += BLOCK) {                           \
        int64_t y1 = y0 + BLOCK < h ? y0 + BLOCK : h;                     \
        for (int64_t x0 = 0; x0 < w; x0 += BLOCK) {                       \
            int64_t x1 = x0 + BLOCK < w ? x0 + BLOCK : w;                 \
            for (int64_t y = y0; y < y1; y++) {                           \
                for (int64_t x = x0; x < x1; x++) {                       \
                    ASSIGN;                                               \
                }                                                         \
            }                                                             \
        }                                                                 \
    }

static void plane_from_single(const float *from, int64_t h, int64_t w, float *to)
{
    TURN(to[y * w + x] = from[x * h + y])
}

static void plane_from_double(const double *from, int64_t h, int64_t w, float *to)
{
    TURN(to[y * w + x] = (float)from[x * h + y])
}

static void plane_to_single(const float *from, int64_t h, int64_t w, float *to)
{
    TURN(to[x * h + y] = from[y * w + x])
}

static void plane_to_double(const float *from, int64_t h, int64_t w, double *to)
{
    TURN(to[x * h + y] = from[y * w + x])
}

/* step: channels of the picture, whose values lie side by side. */
static void plane_from_bytes(const uint8_t *from, int64_t h, int64_t w, uint8_t *to, int64_t step)
{
    TURN(to[(y * w + x) * step] = from[x * h + y])
}

static void plane_to_bytes(const uint8_t *from, int64_t h, int64_t w, uint8_t *to, int64_t step)
{
    TURN(to[x * h + y] = from[(y * w + x) * step])
}

/* Planes first_plane and on, count of them. */
static void planes_to_floats(const mxArray *a, mex_shape s, int64_t first, int64_t count, float *values)
{
    int64_t plane = s.h * s.w;

    for (int64_t p = 0; p < count; p++) {
        if (mxGetClassID(a) == mxSINGLE_CLASS) {
            plane_from_single((const float *)mxGetData(a) + (first + p) * plane, s.h, s.w, values + p * plane);
        } else {
            plane_from_double((const double *)mxGetData(a) + (first + p) * plane, s.h, s.w, values + p * plane);
        }
    }
}

mdldm_status mex_to_floats(mex_call *c, const mxArray *a, const char *what, mex_shape s, float *values)
{
    if (mxGetClassID(a) == mxUINT8_CLASS) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is of class uint8: single or double would be right", what);
    }
    planes_to_floats(a, s, 0, s.c * s.n, values);
    return MDLDM_OK;
}

/* What the library makes of 0..255: its own conversion, asked once with a picture of all bytes. */
static mdldm_status byte_values(float table[256])
{
    uint8_t rgb[3 * 256];
    float pixels[3 * 256];

    for (int i = 0; i < 256; i++) {
        memset(rgb + 3 * i, i, 3);
    }
    mdldm_status status = mdldm_rgb8_to_pixels(mex_context(), rgb, 1, 1, 256, pixels, 3 * 256);
    if (status == MDLDM_OK) {
        memcpy(table, pixels, 256 * sizeof *table);
    }
    return status;
}

mdldm_status mex_to_pixels(const mxArray *a, mex_shape s, int64_t first, int64_t count, float *pixels)
{
    float table[256];
    int64_t h = s.h, w = s.w;

    if (mxGetClassID(a) != mxUINT8_CLASS) {
        planes_to_floats(a, s, first * s.c, count * s.c, pixels);
        return MDLDM_OK;
    }
    mdldm_status status = byte_values(table);
    const uint8_t *from = (const uint8_t *)mxGetData(a) + first * s.c * h * w;
    for (int64_t p = 0; status == MDLDM_OK && p < count * s.c; p++, from += h * w, pixels += h * w) {
        TURN(pixels[y * w + x] = table[from[x * h + y]])
    }
    return status;
}

mxArray *mex_new_array(mex_shape s, mxClassID type)
{
    mwSize d[4] = { (mwSize)s.h, (mwSize)s.w, (mwSize)s.c, (mwSize)s.n };

    return mxCreateNumericArray(4, d, type, mxREAL);
}

void mex_from_floats(const float *values, mex_shape s, mxArray *out, int64_t first)
{
    int64_t plane = s.h * s.w;

    for (int64_t p = 0; p < s.c * s.n; p++) {
        int64_t at = (first * s.c + p) * plane;

        if (mxGetClassID(out) == mxSINGLE_CLASS) {
            plane_to_single(values + p * plane, s.h, s.w, (float *)mxGetData(out) + at);
        } else {
            plane_to_double(values + p * plane, s.h, s.w, (double *)mxGetData(out) + at);
        }
    }
}

void mex_from_rgb8(const uint8_t *rgb, mex_shape s, mxArray *out, int64_t first)
{
    int64_t image = s.c * s.h * s.w;

    for (int64_t i = 0; i < s.n; i++) {
        for (int64_t k = 0; k < s.c; k++) {
            plane_to_bytes(rgb + i * image + k, s.h, s.w,
                           (uint8_t *)mxGetData(out) + (first + i) * image + k * s.h * s.w, s.c);
        }
    }
}

/* As mdldm_pixels_to_rgb8, for any number of channels. */
static uint8_t byte_of(float x)
{
    return (uint8_t)lrintf(127.5f * (fminf(fmaxf(x, -1.0f), 1.0f) + 1.0f));
}

mdldm_status mex_from_pixels(mex_call *c, const float *pixels, mex_shape s, mxArray *out, int64_t first)
{
    int64_t h = s.h, w = s.w;

    if (mxGetClassID(out) != mxUINT8_CLASS) {
        mex_from_floats(pixels, s, out, first);
        return MDLDM_OK;
    }
    for (int64_t i = 0; i < s.n * s.c * h * w; i++) {
        if (isnan(pixels[i])) {
            return mex_fail(c, MDLDM_ERROR_NUMERIC, "pixel value %lld is NaN", (long long)i);
        }
    }
    uint8_t *to = (uint8_t *)mxGetData(out) + first * s.c * h * w;
    for (int64_t p = 0; p < s.n * s.c; p++, to += h * w, pixels += h * w) {
        TURN(to[x * h + y] = byte_of(pixels[y * w + x]))
    }
    return MDLDM_OK;
}

mdldm_status mex_to_rgb8(mex_call *c, const mxArray *a, mex_shape s, uint8_t *rgb)
{
    if (mxGetClassID(a) != mxUINT8_CLASS) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "the picture is of class %s: uint8 would be right",
                        mxGetClassName(a));
    }
    for (int64_t i = 0; i < s.n * s.c; i++) {
        plane_from_bytes((const uint8_t *)mxGetData(a) + i * s.h * s.w, s.h, s.w,
                         rgb + i / s.c * s.c * s.h * s.w + i % s.c, s.c);
    }
    return MDLDM_OK;
}
