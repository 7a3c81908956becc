/* SPDX-License-Identifier: MIT
 * From radar samples to pictures, and back: spectrogram, decibels, colour maps. Matrices [R C] are the
 * library's [row][column]. */
#include <string.h>

#include "mdldm_mex.h"

/* Single or double elements of argument index, in the host's order; NULL with the error set. */
static float *elements(mex_call *c, int index, const char *what, int64_t *count)
{
    const mxArray *a = c->prhs[index];
    mxClassID type = mxGetClassID(a);

    if ((type != mxSINGLE_CLASS && type != mxDOUBLE_CLASS) || mxIsComplex(a) || mxIsSparse(a)) {
        mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s is of class %s: a real full array of single or double would be "
                 "right", what, mxGetClassName(a));
        return NULL;
    }
    *count = (int64_t)mxGetNumberOfElements(a);
    float *values = mex_scratch(c, *count, sizeof *values);
    for (int64_t i = 0; values != NULL && i < *count; i++) {
        values[i] = type == mxSINGLE_CLASS ? ((const float *)mxGetData(a))[i] : (float)((const double *)mxGetData(a))[i];
    }
    return values;
}

/* A matrix [R C]; floats row by row. */
static float *matrix(mex_call *c, int index, const char *what, mex_shape *s)
{
    float *values = NULL;

    if (mex_shape_of(c, c->prhs[index], what, 0, s) != MDLDM_OK) {
        return NULL;
    }
    if (s->c != 1 || s->n != 1) {
        mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s has more than two dimensions: one matrix would be right", what);
        return NULL;
    }
    values = mex_scratch(c, s->h * s->w, sizeof *values);
    return values != NULL && mex_to_floats(c, c->prhs[index], what, *s, values) == MDLDM_OK ? values : NULL;
}

/* spectrogram, I, Q, sample rate, options -> dB [R C], frequency [R 1] in Hz, time [1 C] in s */
mdldm_status mex_cmd_spectrogram(mex_call *c)
{
    mdldm_options *o = NULL;
    int64_t count = 0, others = 0, rows = 0, columns = 0;
    double rate = 0.0;
    float *i_part, *q_part, *iq;
    mdldm_status s = mex_want(c, 4, 4);

    if (s != MDLDM_OK || mex_number(c, c->prhs[2], "the sample rate", &rate) != MDLDM_OK ||
        (i_part = elements(c, 0, "the samples", &count)) == NULL ||
        (q_part = elements(c, 1, "the samples", &others)) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    if (count != others) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "I has %lld samples and Q %lld: as many would be right",
                        (long long)count, (long long)others);
    }
    iq = mex_scratch(c, 2 * count, sizeof *iq);
    if (iq == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < count; i++) {
        iq[2 * i] = i_part[i];
        iq[2 * i + 1] = q_part[i];
    }
    s = mex_options(c, c->prhs[3], MDLDM_SCOPE_SPECTROGRAM, &o);
    if (s == MDLDM_OK) {
        s = mdldm_spectrogram(mex_context(), iq, count, rate, o, NULL, 0, &rows, &columns);
    }
    if (s != MDLDM_OK) {
        return s;
    }
    mex_shape shape = { .n = 1, .h = rows, .w = columns, .c = 1 };
    float *db = mex_scratch(c, rows * columns, sizeof *db);
    mxArray *frequency = mxCreateDoubleMatrix((mwSize)rows, 1, mxREAL);
    mxArray *time = mxCreateDoubleMatrix(1, (mwSize)columns, mxREAL);
    if (db == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = mdldm_spectrogram(mex_context(), iq, count, rate, o, db, (size_t)(rows * columns), NULL, NULL);
    if (s == MDLDM_OK) {
        s = mdldm_spectrogram_axes(mex_context(), count, rate, o, mxGetData(frequency), (size_t)rows, mxGetData(time),
                                   (size_t)columns);
    }
    if (s == MDLDM_OK) {
        c->plhs[0] = mex_new_array(shape, mxSINGLE_CLASS);
        mex_from_floats(db, shape, c->plhs[0], 0);
        mex_put(c, 1, frequency);
        mex_put(c, 2, time);
    }
    return s;
}

/* matrix_resize, matrix [R C], rows, columns -> single [rows columns] */
mdldm_status mex_cmd_matrix_resize(mex_call *c)
{
    mex_shape in, out = { .n = 1, .c = 1 };
    mdldm_status s = mex_want(c, 3, 3);
    float *from = s == MDLDM_OK ? matrix(c, 0, "the matrix", &in) : NULL, *to;

    if (from == NULL || mex_integer(c, c->prhs[1], "the rows", 1, 65536, &out.h) != MDLDM_OK ||
        mex_integer(c, c->prhs[2], "the columns", 1, 65536, &out.w) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    to = mex_scratch(c, out.h * out.w, sizeof *to);
    if (to == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = mdldm_matrix_resize(mex_context(), from, in.h, in.w, out.h, out.w, to, (size_t)(out.h * out.w));
    if (s == MDLDM_OK) {
        c->plhs[0] = mex_new_array(out, mxSINGLE_CLASS);
        mex_from_floats(to, out, c->plhs[0], 0);
    }
    return s;
}

/* db_range, dB of any shape, dynamic range -> floor, ceiling */
mdldm_status mex_cmd_db_range(mex_call *c)
{
    int64_t count = 0;
    double range = 0.0, low = 0.0, high = 0.0;
    mdldm_status s = mex_want(c, 2, 2);
    float *db = s == MDLDM_OK ? elements(c, 0, "the dB values", &count) : NULL;

    if (db == NULL || mex_number(c, c->prhs[1], "the dynamic range", &range) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mdldm_db_range(mex_context(), db, (size_t)count, range, &low, &high);
    if (s == MDLDM_OK) {
        c->plhs[0] = mxCreateDoubleScalar(low);
        mex_put(c, 1, mxCreateDoubleScalar(high));
    }
    return s;
}

typedef mdldm_status (*scale_fn)(mdldm_context *ctx, const float *in, size_t count, double floor_db,
                                 double ceiling_db, float *out, size_t capacity);

/* scale, "db_to_unit" | "unit_to_db" | "db_to_pixels" | "pixels_to_db", values, floor, ceiling -> single */
mdldm_status mex_cmd_scale(mex_call *c)
{
    static const struct {
        const char *name;
        scale_fn run;
    } ways[] = { { "db_to_unit", mdldm_db_to_unit }, { "unit_to_db", mdldm_unit_to_db },
                 { "db_to_pixels", mdldm_db_to_pixels }, { "pixels_to_db", mdldm_pixels_to_db } };
    int64_t count = 0;
    double low = 0.0, high = 0.0;
    mdldm_status s = mex_want(c, 4, 4);
    const char *name = s == MDLDM_OK ? mex_text(c, c->prhs[0], "the scale's name") : NULL;
    float *values = name != NULL ? elements(c, 1, "the values", &count) : NULL;

    if (values == NULL || mex_number(c, c->prhs[2], "the floor", &low) != MDLDM_OK ||
        mex_number(c, c->prhs[3], "the ceiling", &high) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    size_t i = 0;
    while (i < sizeof ways / sizeof ways[0] && strcmp(ways[i].name, name) != 0) {
        i++;
    }
    if (i == sizeof ways / sizeof ways[0]) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "there is no scale %s", name);
    }
    s = ways[i].run(mex_context(), values, (size_t)count, low, high, values, (size_t)count);
    if (s == MDLDM_OK) {
        c->plhs[0] = mxCreateNumericArray(mxGetNumberOfDimensions(c->prhs[1]), mxGetDimensions(c->prhs[1]), mxSINGLE_CLASS,
                                          mxREAL);
        memcpy(mxGetData(c->plhs[0]), values, (size_t)count * sizeof *values);
    }
    return s;
}

/* colormaps -> cell row of names */
mdldm_status mex_cmd_colormaps(mex_call *c)
{
    int32_t count = mdldm_colormap_count();

    c->plhs[0] = mxCreateCellMatrix(1, (mwSize)count);
    for (int32_t i = 0; i < count; i++) {
        mxSetCell(c->plhs[0], (mwIndex)i, mex_string(mdldm_colormap_name(i)));
    }
    return MDLDM_OK;
}

static mdldm_status limits(mex_call *c, int first, double *low, double *high)
{
    mdldm_status s = mex_number(c, c->prhs[first], "the low end", low);

    return s == MDLDM_OK ? mex_number(c, c->prhs[first + 1], "the high end", high) : s;
}

/* colormap_apply, name, values [R C 1 N], low, high -> uint8 [R C 3 N] */
mdldm_status mex_cmd_colormap_apply(mex_call *c)
{
    int64_t count = 0;
    double low = 0.0, high = 0.0;
    mex_shape shape;
    mdldm_status s = mex_want(c, 4, 4);
    const char *name = s == MDLDM_OK ? mex_text(c, c->prhs[0], "the colour map") : NULL;

    if (name == NULL || mex_shape_of(c, c->prhs[1], "the values", 1, &shape) != MDLDM_OK ||
        limits(c, 2, &low, &high) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    float *values = elements(c, 1, "the values", &count);
    uint8_t *rgb = values != NULL ? mex_scratch(c, 3 * count, 1) : NULL, *to;
    if (rgb == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mdldm_colormap_apply(mex_context(), name, values, (size_t)count, (float)low, (float)high, rgb, (size_t)(3 * count));
    if (s != MDLDM_OK) {
        return s;
    }
    int64_t plane = shape.h * shape.w;
    shape.c = 3;
    c->plhs[0] = mex_new_array(shape, mxUINT8_CLASS);
    to = mxGetData(c->plhs[0]);
    for (int64_t i = 0; i < count; i++) { /* element by element, so the order within a plane does not matter */
        for (int64_t k = 0; k < 3; k++) {
            to[(i / plane * 3 + k) * plane + i % plane] = rgb[3 * i + k];
        }
    }
    return s;
}

/* colormap_invert, name, uint8 [R C 3 N], low, high -> values, residuals (single [R C 1 N]), mean, largest */
mdldm_status mex_cmd_colormap_invert(mex_call *c)
{
    double low = 0.0, high = 0.0, mean = 0.0, largest = 0.0;
    mex_shape shape;
    mdldm_status s = mex_want(c, 4, 4);
    const char *name = s == MDLDM_OK ? mex_text(c, c->prhs[0], "the colour map") : NULL;

    if (name == NULL || mex_shape_of(c, c->prhs[1], "the picture", 3, &shape) != MDLDM_OK ||
        limits(c, 2, &low, &high) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    if (mxGetClassID(c->prhs[1]) != mxUINT8_CLASS) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "the picture is of class %s: uint8 would be right",
                        mxGetClassName(c->prhs[1]));
    }
    int64_t plane = shape.h * shape.w, count = shape.n * plane;
    const uint8_t *from = mxGetData(c->prhs[1]);
    uint8_t *rgb = mex_scratch(c, 3 * count, 1);
    if (rgb == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < 3; k++) {
            rgb[3 * i + k] = from[(i / plane * 3 + k) * plane + i % plane];
        }
    }
    shape.c = 1;
    mxArray *values = mex_new_array(shape, mxSINGLE_CLASS), *residuals = mex_new_array(shape, mxSINGLE_CLASS);
    s = mdldm_colormap_invert(mex_context(), name, rgb, (size_t)count, (float)low, (float)high, mxGetData(values),
                              (size_t)count, mxGetData(residuals), (size_t)count, &mean, &largest);
    if (s == MDLDM_OK) {
        c->plhs[0] = values;
        mex_put(c, 1, residuals);
        mex_put(c, 2, mxCreateDoubleScalar(mean));
        mex_put(c, 3, mxCreateDoubleScalar(largest));
    }
    return s;
}
