/* SPDX-License-Identifier: MIT
 * Samplers: noise, single denoise steps, whole images. */
#include "mdldm_mex.h"

static void free_sampler(void *object)
{
    mdldm_sampler_free(object);
}

static mdldm_status create(mex_call *c, int model, int options, mdldm_model **m, mdldm_sampler **out)
{
    mdldm_options *o = NULL;

    *m = mex_handle_get(c, model, MEX_MODEL);
    if (*m == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    mdldm_status s = mex_options(c, c->prhs[options], MDLDM_SCOPE_SAMPLE, &o);
    return s == MDLDM_OK ? mdldm_sampler_create(mex_context(), *m, o, out) : s;
}

/* sampler, model, options -> handle, timesteps (row) */
mdldm_status mex_cmd_sampler(mex_call *c)
{
    mdldm_model *m;
    mdldm_sampler *sampler = NULL;
    mdldm_status s = mex_want(c, 2, 2);

    if (s == MDLDM_OK) {
        s = create(c, 0, 1, &m, &sampler);
    }
    if (s == MDLDM_OK) {
        s = mex_handle_new(c, MEX_SAMPLER, sampler, &c->plhs[0]);
    }
    if (s == MDLDM_OK && c->nlhs > 1) {
        int64_t steps = mdldm_sampler_steps(sampler);

        c->plhs[1] = mxCreateDoubleMatrix(1, (mwSize)steps, mxREAL);
        for (int64_t i = 0; i < steps; i++) {
            ((double *)mxGetData(c->plhs[1]))[i] = mdldm_sampler_timestep(sampler, i);
        }
    }
    return s;
}

/* noise, sampler, channels, count, h, w, first index -> single [h w c N] */
mdldm_status mex_cmd_noise(mex_call *c)
{
    mdldm_status s = mex_want(c, 6, 6);
    mdldm_sampler *sampler = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_SAMPLER) : NULL;
    mex_shape shape;
    int64_t first = 0;

    if (sampler == NULL || mex_integer(c, c->prhs[1], "the latent channels", 1, 1024, &shape.c) != MDLDM_OK ||
        mex_integer(c, c->prhs[2], "Count", 1, 1000000, &shape.n) != MDLDM_OK ||
        mex_integer(c, c->prhs[3], "the height", 1, 65536, &shape.h) != MDLDM_OK ||
        mex_integer(c, c->prhs[4], "the width", 1, 65536, &shape.w) != MDLDM_OK ||
        mex_integer(c, c->prhs[5], "FirstIndex", 0, (int64_t)1 << 53, &first) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    int64_t count = shape.n * shape.c * shape.h * shape.w;
    float *latents = mex_scratch(c, count, sizeof *latents);
    if (latents == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = mdldm_sampler_noise(mex_context(), sampler, shape.n, shape.h, shape.w, first, latents, (size_t)count);
    if (s == MDLDM_OK) {
        c->plhs[0] = mex_new_array(shape, mxSINGLE_CLASS);
        mex_from_floats(latents, shape, c->plhs[0], 0);
    }
    return s;
}

/* denoise_step, sampler, latents, labels, first index, step (0 is the first), latent channels -> the latents
 * after it */
mdldm_status mex_cmd_denoise_step(mex_call *c)
{
    mdldm_status s = mex_want(c, 6, 6);
    mdldm_sampler *sampler = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_SAMPLER) : NULL;
    mex_shape shape;
    int64_t *labels, first = 0, step = 0, channels = 0;

    if (sampler == NULL || mex_integer(c, c->prhs[5], "the latent channels", 1, 1024, &channels) != MDLDM_OK ||
        mex_shape_of(c, c->prhs[1], "the latents", channels, &shape) != MDLDM_OK ||
        mex_integers(c, c->prhs[2], "the classes", shape.n, &labels) != MDLDM_OK ||
        mex_integer(c, c->prhs[3], "FirstIndex", 0, (int64_t)1 << 53, &first) != MDLDM_OK ||
        mex_integer(c, c->prhs[4], "the step", 0, (int64_t)1 << 53, &step) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    float *latents = mex_scratch(c, shape.n * shape.c * shape.h * shape.w, sizeof *latents);
    if (latents == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    s = mex_to_floats(c, c->prhs[1], "the latents", shape, latents);
    if (s == MDLDM_OK) {
        s = mdldm_denoise_step(mex_context(), sampler, latents, shape.n, shape.h, shape.w, labels, first, step);
    }
    if (s == MDLDM_OK) {
        c->plhs[0] = mex_new_array(shape, mxSINGLE_CLASS);
        mex_from_floats(latents, shape, c->plhs[0], 0);
    }
    return s;
}

/* generate, model, options, count, h, w, labels, first index, batch size, bytes -> [H W C N] */
mdldm_status mex_cmd_generate(mex_call *c)
{
    mdldm_status s = mex_want(c, 9, 9);
    mdldm_model *m = NULL;
    mdldm_sampler *sampler = NULL;
    mex_shape out = { 0 };
    int64_t *labels, first = 0, batch = 0, bytes = 0;

    if (s == MDLDM_OK) {
        s = create(c, 0, 1, &m, &sampler);
    }
    if (s == MDLDM_OK) {
        s = mex_keep(c, sampler, free_sampler);
    }
    if (s != MDLDM_OK) {
        return s;
    }
    if (mex_integer(c, c->prhs[2], "Count", 1, 1000000, &out.n) != MDLDM_OK ||
        mex_integer(c, c->prhs[3], "the height", 1, 65536, &out.h) != MDLDM_OK ||
        mex_integer(c, c->prhs[4], "the width", 1, 65536, &out.w) != MDLDM_OK ||
        mex_integers(c, c->prhs[5], "Class", out.n, &labels) != MDLDM_OK ||
        mex_integer(c, c->prhs[6], "FirstIndex", 0, (int64_t)1 << 53, &first) != MDLDM_OK ||
        mex_integer(c, c->prhs[7], "BatchSize", 1, 65536, &batch) != MDLDM_OK ||
        mex_integer(c, c->prhs[8], "uint8 output", 0, 1, &bytes) != MDLDM_OK) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    batch = batch < out.n ? batch : out.n;
    out.c = mex_fact(m, "image_channels");
    out.c = out.c > 0 ? out.c : 3;
    int64_t image = out.c * out.h * out.w;
    float *pixels = mex_scratch(c, batch * image, sizeof *pixels);
    if (pixels == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    mxArray *result = mex_new_array(out, bytes ? mxUINT8_CLASS : mxSINGLE_CLASS);
    for (int64_t i = 0; s == MDLDM_OK && i < out.n; i += batch) {
        mex_shape part = out;

        part.n = batch < out.n - i ? batch : out.n - i;
        s = mdldm_generate(mex_context(), sampler, part.n, out.h, out.w, labels != NULL ? labels + i : NULL, first + i,
                           pixels, (size_t)(part.n * image));
        if (s == MDLDM_OK) {
            s = mex_from_pixels(c, pixels, part, result, i);
        }
    }
    c->plhs[0] = result;
    return s;
}
