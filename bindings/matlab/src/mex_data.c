/* SPDX-License-Identifier: MIT
 * Data sets, and picture files. */
#include "mdldm_mex.h"

/* dataset, path, options -> handle, struct of facts */
mdldm_status mex_cmd_dataset(mex_call *c)
{
    static const char *fields[] = { "count", "skipped", "class_names", "labels", "names" };
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
    if (s == MDLDM_OK) {
        s = mex_handle_new(c, MEX_DATASET, d, &c->plhs[0]);
    }
    if (s != MDLDM_OK || c->nlhs < 2) {
        return s;
    }
    int64_t count = mdldm_dataset_count(d), classes = mdldm_dataset_class_count(d);
    mxArray *info = mxCreateStructMatrix(1, 1, 5, fields), *labels = mxCreateDoubleMatrix(1, (mwSize)count, mxREAL);
    mxArray *classes_cell = mxCreateCellMatrix(1, (mwSize)classes), *names = mxCreateCellMatrix(1, (mwSize)count);
    for (int64_t i = 0; i < classes; i++) {
        mxSetCell(classes_cell, (mwIndex)i, mex_string(mdldm_dataset_class_name(d, i)));
    }
    for (int64_t i = 0; i < count; i++) {
        ((double *)mxGetData(labels))[i] = (double)mdldm_dataset_item_label(d, i);
        mxSetCell(names, (mwIndex)i, mex_string(mdldm_dataset_item_name(d, i)));
    }
    mxSetField(info, 0, "count", mxCreateDoubleScalar((double)count));
    mxSetField(info, 0, "skipped", mxCreateDoubleScalar((double)mdldm_dataset_skipped(d)));
    mxSetField(info, 0, "class_names", classes_cell);
    mxSetField(info, 0, "labels", labels);
    mxSetField(info, 0, "names", names);
    c->plhs[1] = info;
    return s;
}

/* dataset_read, data set, items (0 is the first), side -> uint8 [side side 3 N] */
mdldm_status mex_cmd_dataset_read(mex_call *c)
{
    mdldm_status s = mex_want(c, 3, 3);
    mdldm_dataset *d = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_DATASET) : NULL;
    int64_t side = 0, *items;

    if (d == NULL || mex_integer(c, c->prhs[2], "the resolution", 1, 4096, &side) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    mex_shape shape = { .n = (int64_t)mxGetNumberOfElements(c->prhs[1]), .h = side, .w = side, .c = 3 }, one = shape;
    one.n = 1;
    if (shape.n == 0 || mex_integers(c, c->prhs[1], "the items", shape.n, &items) != MDLDM_OK) {
        return shape.n == 0 ? mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "no items: at least one would be right")
                            : MDLDM_ERROR_INVALID_ARGUMENT;
    }
    uint8_t *rgb = mex_scratch(c, 3 * side * side, 1);
    if (rgb == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    c->plhs[0] = mex_new_array(shape, mxUINT8_CLASS);
    for (int64_t i = 0; s == MDLDM_OK && i < shape.n; i++) {
        s = mdldm_dataset_read_rgb8(mex_context(), d, items[i], rgb, (size_t)(3 * side * side));
        if (s == MDLDM_OK) {
            mex_from_rgb8(rgb, one, c->plhs[0], i);
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
