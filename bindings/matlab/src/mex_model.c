/* SPDX-License-Identifier: MIT
 * Settings of the context, and models: load, create, save, facts. */
#include <string.h>

#include "mdldm_mex.h"

mdldm_status mex_cmd_version(mex_call *c)
{
    c->plhs[0] = mex_string(mdldm_version());
    return MDLDM_OK;
}

/* free, handle */
mdldm_status mex_cmd_free(mex_call *c)
{
    mdldm_status s = mex_want(c, 1, 1);

    if (s == MDLDM_OK) {
        mex_handle_free(c->prhs[0]);
    }
    return s;
}

/* handles -> how many objects are alive */
mdldm_status mex_cmd_handles(mex_call *c)
{
    c->plhs[0] = mxCreateDoubleScalar(mex_handle_count());
    return MDLDM_OK;
}

/* configure, name, value -> the backend in use */
mdldm_status mex_cmd_configure(mex_call *c)
{
    mdldm_context *ctx = mex_context();
    mdldm_status s = mex_want(c, 0, 2);
    int64_t number = 0;

    if (s == MDLDM_OK && c->nrhs == 2) {
        const char *name = mex_text(c, c->prhs[0], "the setting's name"), *text = NULL;

        if (name == NULL) {
            return MDLDM_ERROR_INVALID_ARGUMENT;
        }
        int words = strcmp(name, "backend") == 0 || strcmp(name, "precision") == 0;
        if (words && (text = mex_text(c, c->prhs[1], name)) == NULL) {
            return MDLDM_ERROR_INVALID_ARGUMENT;
        }
        if (!words) {
            s = mex_integer(c, c->prhs[1], name, 0, 1024, &number);
        }
        if (s != MDLDM_OK) {
            return s;
        }
        if (strcmp(name, "backend") == 0) {
            s = mdldm_context_use_backend(ctx, text);
        } else if (strcmp(name, "precision") == 0) {
            s = mdldm_context_set_precision(ctx, text);
        } else if (strcmp(name, "threads") == 0) {
            s = mdldm_context_set_threads(ctx, (int32_t)number);
        } else if (strcmp(name, "winograd") == 0) {
            s = mdldm_context_set_winograd(ctx, (int32_t)number);
        } else {
            s = mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "there is no setting %s: backend, threads, precision and "
                         "winograd are known", name);
        }
    }
    if (s == MDLDM_OK) {
        c->plhs[0] = mex_string(mdldm_context_backend(ctx));
    }
    return s;
}

/* backends -> struct array: name, description, reason ("": it can be used) */
mdldm_status mex_cmd_backends(mex_call *c)
{
    static const char *fields[] = { "name", "description", "reason" };
    mdldm_context *ctx = mex_context();
    int32_t count = mdldm_backend_count(ctx);
    mxArray *list = mxCreateStructMatrix(1, (mwSize)count, 3, fields);

    for (int32_t i = 0; i < count; i++) {
        mxSetField(list, (mwIndex)i, "name", mex_string(mdldm_backend_name(ctx, i)));
        mxSetField(list, (mwIndex)i, "description", mex_string(mdldm_backend_description(ctx, i)));
        mxSetField(list, (mwIndex)i, "reason", mex_string(mdldm_backend_reason(ctx, i)));
    }
    c->plhs[0] = list;
    return MDLDM_OK;
}

/* load, folder -> handle */
mdldm_status mex_cmd_load(mex_call *c)
{
    mdldm_model *m = NULL;
    const char *folder;
    mdldm_status s = mex_want(c, 1, 1);

    if (s != MDLDM_OK || (folder = mex_text(c, c->prhs[0], "the model's folder")) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mdldm_model_load(mex_context(), folder, &m);
    return s == MDLDM_OK ? mex_handle_new(c, MEX_MODEL, m, &c->plhs[0]) : s;
}

/* create, options -> handle */
mdldm_status mex_cmd_create(mex_call *c)
{
    mdldm_options *o = NULL;
    mdldm_model *m = NULL;
    mdldm_status s = mex_want(c, 1, 1);

    if (s == MDLDM_OK) {
        s = mex_options(c, c->prhs[0], MDLDM_SCOPE_MODEL, &o);
    }
    if (s == MDLDM_OK) {
        s = mdldm_model_create(mex_context(), o, &m);
    }
    return s == MDLDM_OK ? mex_handle_new(c, MEX_MODEL, m, &c->plhs[0]) : s;
}

/* save, model, folder */
mdldm_status mex_cmd_save(mex_call *c)
{
    const char *folder;
    mdldm_status s = mex_want(c, 2, 2);
    mdldm_model *m = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_MODEL) : NULL;

    if (m == NULL || (folder = mex_text(c, c->prhs[1], "the model's folder")) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    return mdldm_model_save(mex_context(), m, folder);
}

/* info, model -> struct of facts */
mdldm_status mex_cmd_info(mex_call *c)
{
    static const char *const whole[] = { "latent_channels", "latent_factor", "image_channels", "sample_size",
                                         "resolution", "num_classes", "num_codes", "has_autoencoder", "has_unet",
                                         "parameters", "autoencoder_parameters", "unet_parameters",
                                         "num_train_timesteps", "weight_bytes", "timestep_groups" };
    static const char *const texts[] = { "autoencoder_class", "unet_class", "scheduler_class", "prediction_type",
                                         "autoencoder_config", "unet_config", "scheduler_config", "colormap" };
    static const char *const numbers[] = { "scaling_factor", "db_floor", "db_ceiling" }; /* those it has */
    mdldm_status s = mex_want(c, 1, 1);
    mdldm_model *m = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_MODEL) : NULL;
    double value = 0.0;

    if (m == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    mxArray *info = mxCreateStructMatrix(1, 1, 0, NULL);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        mxAddField(info, whole[i]);
        mxSetField(info, 0, whole[i], mxCreateDoubleScalar((double)mex_fact(m, whole[i])));
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = "";

        if (mdldm_model_get_string(mex_context(), m, texts[i], &text) != MDLDM_OK) {
            text = "";
        }
        mxAddField(info, texts[i]);
        mxSetField(info, 0, texts[i], mex_string(text));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (mdldm_model_get_double(mex_context(), m, numbers[i], &value) == MDLDM_OK) {
            mxAddField(info, numbers[i]);
            mxSetField(info, 0, numbers[i], mxCreateDoubleScalar(value));
        }
    }
    int64_t classes = mex_fact(m, "num_classes");
    mxArray *names = mxCreateCellMatrix(1, (mwSize)classes);
    for (int64_t i = 0; i < classes; i++) {
        mxSetCell(names, (mwIndex)i, mex_string(mdldm_model_class_name(m, i)));
    }
    mxAddField(info, "class_names");
    mxSetField(info, 0, "class_names", names);
    c->plhs[0] = info;
    return MDLDM_OK;
}

/* quantize_unet, model, data set or [], options -> handle */
mdldm_status mex_cmd_quantize_unet(mex_call *c)
{
    mdldm_options *o = NULL;
    mdldm_model *result = NULL;
    mdldm_dataset *d = NULL;
    mdldm_status s = mex_want(c, 3, 3);
    mdldm_model *m = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_MODEL) : NULL;

    if (m == NULL || (mxGetNumberOfElements(c->prhs[1]) > 0 && (d = mex_handle_get(c, 1, MEX_DATASET)) == NULL)) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mex_options(c, c->prhs[2], MDLDM_SCOPE_QUANTIZE, &o);
    if (s == MDLDM_OK) {
        s = mdldm_model_quantize(mex_context(), m, d, o, &result);
    }
    return s == MDLDM_OK ? mex_handle_new(c, MEX_MODEL, result, &c->plhs[0]) : s;
}
