/* SPDX-License-Identifier: MIT
 * Trainers. */
#include <string.h>

#include "mdldm_mex.h"

/* trainer, stage (1 autoencoder, 2 diffusion), model, data set, options -> handle */
mdldm_status mex_cmd_trainer(mex_call *c)
{
    mdldm_options *o = NULL;
    mdldm_trainer *t = NULL;
    mdldm_model *m;
    mdldm_dataset *d;
    int64_t stage = 0;
    mdldm_status s = mex_want(c, 4, 4);

    if (s != MDLDM_OK || mex_integer(c, c->prhs[0], "the stage", 1, 2, &stage) != MDLDM_OK ||
        (m = mex_handle_get(c, 1, MEX_MODEL)) == NULL || (d = mex_handle_get(c, 2, MEX_DATASET)) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    s = mex_options(c, c->prhs[3], MDLDM_SCOPE_TRAIN | (stage == 1 ? MDLDM_SCOPE_VQ : MDLDM_SCOPE_DIFFUSION), &o);
    if (s == MDLDM_OK) {
        s = mdldm_trainer_create(mex_context(), (mdldm_stage)stage, m, d, o, &t);
    }
    return s == MDLDM_OK ? mex_handle_new(c, MEX_TRAINER, t, &c->plhs[0]) : s;
}

/* Where the trainer stands and the metrics of its last step, fields of one struct. */
static mxArray *report(const mdldm_trainer *t)
{
    static const char *fields[] = { "step", "total_steps", "epoch", "steps_per_epoch" };
    mxArray *r = mxCreateStructMatrix(1, 1, 4, fields);

    mxSetField(r, 0, "step", mxCreateDoubleScalar((double)mdldm_trainer_global_step(t)));
    mxSetField(r, 0, "total_steps", mxCreateDoubleScalar((double)mdldm_trainer_total_steps(t)));
    mxSetField(r, 0, "epoch", mxCreateDoubleScalar((double)mdldm_trainer_epoch(t)));
    mxSetField(r, 0, "steps_per_epoch", mxCreateDoubleScalar((double)mdldm_trainer_steps_per_epoch(t)));
    for (int32_t i = 0; i < mdldm_trainer_metric_count(t); i++) {
        const char *name = mdldm_trainer_metric_name(t, i);

        if (mxGetFieldNumber(r, name) < 0) {
            mxAddField(r, name);
            mxSetField(r, 0, name, mxCreateDoubleScalar(mdldm_trainer_metric_value(t, i)));
        }
    }
    return r;
}

/* trainer_do, trainer, "step" | "validate" | "checkpoint" | "update_model" | "status" -> struct */
mdldm_status mex_cmd_trainer_do(mex_call *c)
{
    mdldm_context *ctx = mex_context();
    mdldm_status s = mex_want(c, 2, 2);
    mdldm_trainer *t = s == MDLDM_OK ? mex_handle_get(c, 0, MEX_TRAINER) : NULL;
    const char *what;

    if (t == NULL || (what = mex_text(c, c->prhs[1], "what the trainer is to do")) == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    if (strcmp(what, "step") == 0) {
        s = mdldm_trainer_step(ctx, t);
    } else if (strcmp(what, "validate") == 0) {
        s = mdldm_trainer_validate(ctx, t);
    } else if (strcmp(what, "checkpoint") == 0) {
        s = mdldm_trainer_checkpoint(ctx, t);
    } else if (strcmp(what, "update_model") == 0) {
        s = mdldm_trainer_update_model(ctx, t);
    } else if (strcmp(what, "status") != 0) {
        s = mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "a trainer cannot %s: step, validate, checkpoint, update_model "
                     "or status would be right", what);
    }
    if (s == MDLDM_OK) {
        c->plhs[0] = report(t);
    }
    return s;
}
