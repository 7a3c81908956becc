/* SPDX-License-Identifier: MIT
 * Data sets, and picture files. */
#include "mdldm_mex.h"

/* A new data set as handle and, when wanted, its facts. */
static mdldm_status give(mex_call *c, mdldm_dataset *d)
{
    static const char *fields[] = { "count", "skipped", "class_names", "labels", "names", "channels", "db_range" };
    double low = 0.0, high = 0.0;
    mdldm_status s = mex_handle_new(c, MEX_DATASET, d, &c->plhs[0]);

    if (s != MDLDM_OK || c->nlhs < 2) {
        return s;
    }
    int64_t count = mdldm_dataset_count(d), classes = mdldm_dataset_class_count(d);
    mxArray *info = mxCreateStructMatrix(1, 1, 7, fields), *labels = mxCreateDoubleMatrix(1, (mwSize)count, mxREAL);
    mxArray *classes_cell = mxCreateCellMatrix(1, (mwSize)classes), *names = mxCreateCellMatrix(1, (mwSize)count);
    for (int64_t i = 0; i < classes; i++) {
        mxSetCell(classes_cell, (mwIndex)i, mex_string(mdldm_dataset_class_name(d, i)));
    }
    for (int64_t i = 0; i < count; i++) {
        ((double *)mxGetData(labels))[i] = (double)mdldm_dataset_item_label(d, i);
        mxSetCell(names, (mwIndex)i, mex_string(mdldm_dataset_item_name(d, i)));
    }
    int ranged = mdldm_dataset_db_range(mex_context(), d, &low, &high) == MDLDM_OK;
    mxArray *range = mxCreateDoubleMatrix(ranged, ranged ? 2 : 0, mxREAL);
    if (ranged) {
        ((double *)mxGetData(range))[0] = low;
        ((double *)mxGetData(range))[1] = high;
    }
    mxSetField(info, 0, "count", mxCreateDoubleScalar((double)count));
    mxSetField(info, 0, "skipped", mxCreateDoubleScalar((double)mdldm_dataset_skipped(d)));
    mxSetField(info, 0, "class_names", classes_cell);
    mxSetField(info, 0, "labels", labels);
    mxSetField(info, 0, "names", names);
    mxSetField(info, 0, "channels", mxCreateDoubleScalar(mdldm_dataset_channels(d)));
    mxSetField(info, 0, "db_range", range);
    c->plhs[1] = info;
    return s;
}

/* dataset, path, options -> handle, struct of facts */
mdldm_status mex_cmd_dataset(mex_call *c)
{
    mdldm_options *o = NULL;
    mdldm_dataset *d = NULL;
    const char *path;
    mdldm_status s = mex_want(c, 2, 2);

    if (s != MDLDM_OK || (path = mex_text(c, c->prhs[0], "the data set's path")) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mex_options(c, c->prhs[1], MDLDM_SCOPE_DATASET, &o);
    if (s == MDLDM_OK) {
        s = mdldm_dataset_open(mex_context(), path, o, &d);
    }
    return s == MDLDM_OK ? give(c, d) : s;
}

/* dataset_from, dB [R C 1 N] single or double, or pictures [H W 3 N] uint8, labels or [], "a/b" or "", options ->
 * handle, struct of facts */
mdldm_status mex_cmd_dataset_from(mex_call *c)
{
    mdldm_options *o = NULL;
    mdldm_dataset *d = NULL;
    mex_shape shape;
    int64_t *labels;
    const char *names;
    mdldm_status s = mex_want(c, 4, 4);
    int pictures = s == MDLDM_OK && mxGetClassID(c->prhs[0]) == mxUINT8_CLASS;

    if (s != MDLDM_OK ||
        mex_shape_of(c, c->prhs[0], pictures ? "the pictures" : "the matrices", pictures ? 3 : 1, &shape) != MDLDM_OK ||
        mex_integers(c, c->prhs[1], "Labels", shape.n, &labels) != MDLDM_OK ||
        (names = mex_text(c, c->prhs[2], "ClassNames")) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    names = names[0] != '\0' ? names : NULL;
    s = mex_options(c, c->prhs[3], MDLDM_SCOPE_DATASET, &o);
    void *data = s == MDLDM_OK ? mex_scratch(c, shape.n * shape.h * shape.w * shape.c, pictures ? 1 : sizeof(float)) : NULL;
    if (data == NULL) {
        return s != MDLDM_OK ? s : MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = pictures ? mex_to_rgb8(c, c->prhs[0], shape, data) : mex_to_floats(c, c->prhs[0], "the matrices", shape, data);
    if (s == MDLDM_OK) {
        s = pictures ? mdldm_dataset_from_rgb8(mex_context(), data, shape.n, shape.h, shape.w, labels, names, o, &d)
                     : mdldm_dataset_from_db(mex_context(), data, shape.n, shape.h, shape.w, labels, names, o, &d);
    }
    return s == MDLDM_OK ? give(c, d) : s;
}

/* dataset_read, data set, items (0 is the first), side, bytes (1: uint8 [side side 3 N], 0: single pixels
 * [side side channels N]) */
mdldm_status mex_cmd_dataset_read(mex_call *c)
{
    mdldm_status s = mex_want(c, 4, 4);
    mdldm_dataset *d = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_DATASET) : NULL;
    int64_t side = 0, bytes = 0, *items;

    if (d == NULL || mex_integer(c, c->prhs[2], "the resolution", 1, 4096, &side) != MDLDM_OK ||
        mex_integer(c, c->prhs[3], "uint8 output", 0, 1, &bytes) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    mex_shape shape = { .n = (int64_t)mxGetNumberOfElements(c->prhs[1]), .h = side, .w = side,
                        .c = bytes ? 3 : mdldm_dataset_channels(d) }, one = shape;
    one.n = 1;
    if (shape.n == 0) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "no items: at least one would be right");
    }
    int64_t count = one.c * side * side;
    void *buffer = mex_scratch(c, count, sizeof(float));
    if (buffer == NULL || mex_integers(c, c->prhs[1], "the items", shape.n, &items) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    c->plhs[0] = mex_new_array(shape, bytes ? mxUINT8_CLASS : mxSINGLE_CLASS);
    for (int64_t i = 0; s == MDLDM_OK && i < shape.n; i++) {
        s = bytes ? mdldm_dataset_read_rgb8(mex_context(), d, items[i], buffer, (size_t)count)
                  : mdldm_dataset_read(mex_context(), d, items[i], buffer, (size_t)count);
        if (s == MDLDM_OK && bytes) {
            mex_from_rgb8(buffer, one, c->plhs[0], i);
        } else if (s == MDLDM_OK) {
            mex_from_floats(buffer, one, c->plhs[0], i);
        }
    }
    return s;
}

/* image_read, path -> uint8 [H W 3] */
mdldm_status mex_cmd_image_read(mex_call *c)
{
    mdldm_status s = mex_want(c, 1, 1);
    mex_shape shape = { .n = 1, .c = 3 };
    const char *path;
    uint8_t *rgb;

    if (s != MDLDM_OK || (path = mex_text(c, c->prhs[0], "the picture's path")) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mdldm_image_read(mex_context(), path, NULL, 0, &shape.h, &shape.w);
    if (s != MDLDM_OK) {
        return s;
    }
    int64_t count = 3 * shape.h * shape.w;
    rgb = mex_scratch(c, count, 1);
    if (rgb == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = mdldm_image_read(mex_context(), path, rgb, (size_t)count, &shape.h, &shape.w);
    if (s == MDLDM_OK) {
        c->plhs[0] = mex_new_array(shape, mxUINT8_CLASS);
        mex_from_rgb8(rgb, shape, c->plhs[0], 0);
    }
    return s;
}

/* image_write, path, uint8 [H W 3] */
mdldm_status mex_cmd_image_write(mex_call *c)
{
    mdldm_status s = mex_want(c, 2, 2);
    mex_shape shape;
    const char *path;
    uint8_t *rgb;

    if (s != MDLDM_OK || (path = mex_text(c, c->prhs[0], "the picture's path")) == NULL ||
        mex_shape_of(c, c->prhs[1], "the picture", 3, &shape) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    if (shape.n != 1) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%lld pictures are given: one would be right",
                        (long long)shape.n);
    }
    rgb = mex_scratch(c, 3 * shape.h * shape.w, 1);
    if (rgb == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = mex_to_rgb8(c, c->prhs[1], shape, rgb);
    return s == MDLDM_OK ? mdldm_image_write(mex_context(), path, rgb, shape.h, shape.w) : s;
}
