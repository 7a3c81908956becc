/* SPDX-License-Identifier: MIT
 * Encode, quantise, predict, decode. Pictures go through in groups, so that beside the caller's arrays
 * only one group of floats is needed. */
#include "mdldm_mex.h"

/* model handle, array, group size: what these commands begin with. */
static mdldm_model *open_model(mex_call *c, int least, int most)
{
    return mex_want(c, least, most) == MDLDM_OK ? mex_handle_get(c, 0, MEX_MODEL) : NULL;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static mdldm_status group_size(mex_call *c, int index, int64_t n, int64_t *group)
{
    mdldm_status s = mex_integer(c, c->prhs[index], "BatchSize", 1, 65536, group);

    *group = smaller(*group, n);
    return s;
}

/* encode, model, images [H W C N], batch size -> latents, single [H/f W/f c N] */
mdldm_status mex_cmd_encode(mex_call *c)
{
    mdldm_model *m = open_model(c, 3, 3);
    mex_shape in, out;
    int64_t group = 0;

    if (m == NULL || mex_shape_of(c, c->prhs[1], "the images", mex_fact(m, "image_channels"), &in) != MDLDM_OK ||
        group_size(c, 2, in.n, &group) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    int64_t f = mex_fact(m, "latent_factor"), image = in.c * in.h * in.w;
    f = f > 0 ? f : 1; /* a model without an autoencoder: the library says so */
    out = (mex_shape){ .n = in.n, .h = in.h / f, .w = in.w / f, .c = mex_fact(m, "latent_channels") };
    int64_t latent = out.c * out.h * out.w;
    float *pixels = mex_scratch(c, group * image, sizeof *pixels), *latents = mex_scratch(c, group * latent, sizeof *latents);
    if (pixels == NULL || latents == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    mxArray *result = mex_new_array(out, mxSINGLE_CLASS);
    mdldm_status s = MDLDM_OK;
    for (int64_t i = 0; s == MDLDM_OK && i < in.n; i += group) {
        mex_shape part = out;

        part.n = smaller(group, in.n - i);
        s = mex_to_pixels(c->prhs[1], in, i, part.n, pixels);
        if (s == MDLDM_OK) {
            s = mdldm_encode(mex_context(), m, pixels, part.n, in.h, in.w, latents, (size_t)(part.n * latent));
        }
        if (s == MDLDM_OK) {
            mex_from_floats(latents, part, result, i);
        }
    }
    c->plhs[0] = result;
    return s;
}

/* Latents of argument 1 as floats [n, c, h, w]; NULL with the error set. */
static float *read_latents(mex_call *c, const mdldm_model *m, mex_shape *s)
{
    float *values = NULL;

    if (mex_shape_of(c, c->prhs[1], "the latents", mex_fact(m, "latent_channels"), s) == MDLDM_OK) {
        values = mex_scratch(c, s->n * s->c * s->h * s->w, sizeof *values);
    }
    return values != NULL && mex_to_floats(c, c->prhs[1], "the latents", *s, values) == MDLDM_OK ? values : NULL;
}

/* int32 codes [n, h, w] <-> [H W N] */
static void codes_out(const int32_t *codes, mex_shape s, mxArray *out)
{
    int32_t *to = mxGetData(out);

    for (int64_t i = 0; i < s.n; i++) {
        for (int64_t y = 0; y < s.h; y++) {
            for (int64_t x = 0; x < s.w; x++) {
                to[(i * s.w + x) * s.h + y] = codes[(i * s.h + y) * s.w + x];
            }
        }
    }
}

/* quantize, model, latents -> nearest codebook vectors (single, as the latents), codes (int32 [h w N]) */
mdldm_status mex_cmd_quantize(mex_call *c)
{
    mdldm_model *m = open_model(c, 2, 2);
    mex_shape s;
    float *latents = m != NULL ? read_latents(c, m, &s) : NULL;

    if (latents == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    int64_t cells = s.n * s.h * s.w;
    float *vectors = mex_scratch(c, cells * s.c, sizeof *vectors);
    int32_t *codes = mex_scratch(c, cells, sizeof *codes);
    if (vectors == NULL || codes == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    mdldm_status status = mdldm_quantize(mex_context(), m, latents, s.n, s.h, s.w, vectors, (size_t)(cells * s.c), codes,
                                         (size_t)cells);
    if (status == MDLDM_OK) {
        mwSize d[3] = { (mwSize)s.h, (mwSize)s.w, (mwSize)s.n };

        c->plhs[0] = mex_new_array(s, mxSINGLE_CLASS);
        mex_from_floats(vectors, s, c->plhs[0], 0);
        mxArray *numbers = mxCreateNumericArray(3, d, mxINT32_CLASS, mxREAL);
        codes_out(codes, s, numbers);
        mex_put(c, 1, numbers);
    }
    return status;
}

/* predict, model, latents, timesteps, labels -> output, single, as the latents */
mdldm_status mex_cmd_predict(mex_call *c)
{
    mdldm_model *m = open_model(c, 4, 4);
    mex_shape s;
    int64_t *timesteps, *labels;
    float *latents = m != NULL ? read_latents(c, m, &s) : NULL;

    if (latents == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    if (mex_integers(c, c->prhs[2], "the timesteps", s.n, &timesteps) != MDLDM_OK ||
        mex_integers(c, c->prhs[3], "the classes", s.n, &labels) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    int64_t count = s.n * s.c * s.h * s.w;
    float *output = mex_scratch(c, count, sizeof *output);
    if (output == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    mdldm_status status = mdldm_predict(mex_context(), m, latents, s.n, s.h, s.w, timesteps, labels, output,
                                        (size_t)count);
    if (status == MDLDM_OK) {
        c->plhs[0] = mex_new_array(s, mxSINGLE_CLASS);
        mex_from_floats(output, s, c->plhs[0], 0);
    }
    return status;
}

/* "uint8" or "single" of argument index */
static mdldm_status output_class(mex_call *c, int index, mxClassID *type)
{
    int64_t bytes = 0;
    mdldm_status s = mex_integer(c, c->prhs[index], "uint8 output", 0, 1, &bytes);

    *type = bytes ? mxUINT8_CLASS : mxSINGLE_CLASS;
    return s;
}

static mex_shape decoded_shape(const mdldm_model *m, mex_shape s)
{
    int64_t f = mex_fact(m, "latent_factor"), channels = mex_fact(m, "image_channels");

    f = f > 0 ? f : 1;
    return (mex_shape){ .n = s.n, .h = s.h * f, .w = s.w * f, .c = channels > 0 ? channels : 3 };
}

/* decode, model, latents [h w c N], batch size, bytes (1: uint8 pictures, 0: single) -> [H W C N] */
mdldm_status mex_cmd_decode(mex_call *c)
{
    mdldm_model *m = open_model(c, 4, 4);
    mex_shape s;
    int64_t group = 0;
    mxClassID type = mxUINT8_CLASS;
    float *latents = m != NULL ? read_latents(c, m, &s) : NULL;

    if (latents == NULL || group_size(c, 2, s.n, &group) != MDLDM_OK || output_class(c, 3, &type) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    mex_shape out = decoded_shape(m, s);
    int64_t latent = s.c * s.h * s.w, image = out.c * out.h * out.w;
    float *pixels = mex_scratch(c, group * image, sizeof *pixels);
    if (pixels == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    mxArray *result = mex_new_array(out, type);
    mdldm_status status = MDLDM_OK;
    for (int64_t i = 0; status == MDLDM_OK && i < s.n; i += group) {
        mex_shape part = out;

        part.n = smaller(group, s.n - i);
        status = mdldm_decode(mex_context(), m, latents + i * latent, part.n, s.h, s.w, pixels, (size_t)(part.n * image));
        if (status == MDLDM_OK) {
            status = mex_from_pixels(c, pixels, part, result, i);
        }
    }
    c->plhs[0] = result;
    return status;
}

/* decode_codes, model, codes [h w N] (any numeric class), bytes -> [H W C N] */
mdldm_status mex_cmd_decode_codes(mex_call *c)
{
    mdldm_model *m = open_model(c, 3, 3);
    mxClassID type = mxUINT8_CLASS;
    int64_t *values;

    if (m == NULL || output_class(c, 2, &type) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    mwSize rank = mxGetNumberOfDimensions(c->prhs[1]);
    const mwSize *d = mxGetDimensions(c->prhs[1]);
    mex_shape s = { .n = rank > 2 ? (int64_t)d[2] : 1, .h = (int64_t)d[0], .w = (int64_t)d[1], .c = 1 };
    int64_t cells = s.n * s.h * s.w;
    if (rank > 3 || cells == 0) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "the codes have %lld dimensions and %lld elements: [h w N] "
                        "would be right", (long long)rank, (long long)cells);
    }
    mdldm_status status = mex_integers(c, c->prhs[1], "the codes", cells, &values);
    int32_t *codes = mex_scratch(c, cells, sizeof *codes);
    mex_shape out = decoded_shape(m, s);
    int64_t count = out.n * out.c * out.h * out.w;
    float *pixels = mex_scratch(c, count, sizeof *pixels);
    if (status != MDLDM_OK || codes == NULL || pixels == NULL) {
        return status != MDLDM_OK ? status : MDLDM_ERROR_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < cells; i++) {
        int64_t x = i % s.w, y = i / s.w % s.h, v = values[(i / (s.w * s.h) * s.w + x) * s.h + y];

        codes[i] = (int32_t)(v < INT32_MAX && v > INT32_MIN ? v : -1); /* the library refuses -1 */
    }
    status = mdldm_decode_codes(mex_context(), m, codes, s.n, s.h, s.w, pixels, (size_t)count);
    if (status == MDLDM_OK) {
        c->plhs[0] = mex_new_array(out, type);
        status = mex_from_pixels(c, pixels, out, c->plhs[0], 0);
    }
    return status;
}
