/* SPDX-License-Identifier: MIT
 * mexFunction: finds the command, runs it, puts everything in order and only then raises the error. */
#include <stdio.h>
#include <string.h>

#include "mdldm_mex.h"

static const struct {
    const char *name;
    mex_command run;
    int works; /* may take long: reports progress, can be interrupted */
} commands[] = {
    { "version", mex_cmd_version, 0 },
    { "options", mex_cmd_options, 0 },
    { "configure", mex_cmd_configure, 0 },
    { "backends", mex_cmd_backends, 0 },
    { "free", mex_cmd_free, 0 },
    { "handles", mex_cmd_handles, 0 },
    { "load", mex_cmd_load, 1 },
    { "create", mex_cmd_create, 1 },
    { "save", mex_cmd_save, 1 },
    { "info", mex_cmd_info, 0 },
    { "quantize_unet", mex_cmd_quantize_unet, 1 },
    { "encode", mex_cmd_encode, 1 },
    { "quantize", mex_cmd_quantize, 1 },
    { "predict", mex_cmd_predict, 1 },
    { "decode", mex_cmd_decode, 1 },
    { "decode_codes", mex_cmd_decode_codes, 1 },
    { "sampler", mex_cmd_sampler, 0 },
    { "noise", mex_cmd_noise, 1 },
    { "denoise_step", mex_cmd_denoise_step, 1 },
    { "generate", mex_cmd_generate, 1 },
    { "dataset", mex_cmd_dataset, 1 },
    { "dataset_from", mex_cmd_dataset_from, 1 },
    { "dataset_read", mex_cmd_dataset_read, 1 },
    { "image_read", mex_cmd_image_read, 1 },
    { "image_write", mex_cmd_image_write, 1 },
    { "spectrogram", mex_cmd_spectrogram, 1 },
    { "matrix_resize", mex_cmd_matrix_resize, 0 },
    { "db_range", mex_cmd_db_range, 0 },
    { "scale", mex_cmd_scale, 0 },
    { "colormaps", mex_cmd_colormaps, 0 },
    { "colormap_apply", mex_cmd_colormap_apply, 0 },
    { "colormap_invert", mex_cmd_colormap_invert, 0 },
    { "trainer", mex_cmd_trainer, 1 },
    { "trainer_do", mex_cmd_trainer_do, 1 },
};

/* Callbacks run in the midst of a call: one that calls mdldm again would use the context twice. */
static int running;

static int find(const char *name)
{
    for (int i = 0; i < (int)(sizeof commands / sizeof commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The last two arguments of every call are the callbacks: function handles, or []. */
static const mxArray *callback(const mxArray *a)
{
    return mxIsClass(a, "function_handle") ? a : NULL;
}

/* A request to cancel that came as its call was ending is still pending, and would end the next one. */
static int stale;

static mdldm_status run_once(mex_call *c, int command)
{
    mdldm_status status;

    if (!commands[command].works) {
        return commands[command].run(c);
    }
    mex_callbacks_begin(c);
    status = commands[command].run(c);
    mex_callbacks_end(c);
    return status;
}

static mdldm_status run_guarded(mex_call *c, int command)
{
    mdldm_status status = run_once(c, command);

    if (status == MDLDM_ERROR_CANCELLED && stale && !c->asked && c->text[0] == '\0') {
        stale = 0; /* nothing had begun: the old request is what was met */
        mex_drop_kept();
        status = run_once(c, command);
    }
    if (c->asked) {
        stale = status != MDLDM_ERROR_CANCELLED || c->text[0] != '\0';
    }
    return status;
}

static mdldm_status run(mex_call *c, int command)
{
    mdldm_context *ctx = mex_context();
    mdldm_status status;

    if (ctx == NULL) {
        return mex_fail(c, MDLDM_ERROR_OUT_OF_MEMORY, "no memory for the library's context");
    }
    running = 1;
    mexLock(); /* "clear mex" in a callback must not take the code away from under us */
    status = run_guarded(c, command);
    mexUnlock();
    running = 0;
    mex_bury_doomed();
    if (status != MDLDM_OK && c->failed != MDLDM_OK) {
        status = c->failed;
    }
    if (status == MDLDM_OK && (c->interrupted || c->text[0] != '\0')) { /* at the very end */
        if (c->made) {
            mex_handle_free(c->plhs[0]);
        }
        status = MDLDM_ERROR_CANCELLED;
    }
    if (status == MDLDM_ERROR_CANCELLED && c->interrupted) {
        mex_fail(c, status, "stopped by Ctrl-C; models and trainers are whole");
    }
    if (status != MDLDM_OK && c->text[0] == '\0') {
        snprintf(c->text, sizeof c->text, "%s", mdldm_context_error(ctx));
    }
    return status;
}

void mexFunction(int nlhs, mxArray *plhs[], int nrhs, const mxArray *prhs[])
{
    char name[32] = "";
    mex_call c = { .command = name, .nlhs = nlhs, .plhs = plhs };
    int command = -1;
    mdldm_status status;

    if (nrhs >= 3 && mxIsChar(prhs[0]) && mxGetString(prhs[0], name, sizeof name) == 0) {
        command = find(name);
    }
    if (command < 0) {
        mexErrMsgIdAndTxt("mdldm:invalid_argument", "mdldm_mex is called by the functions of the package mdldm");
    }
    if (running && commands[command].run == mex_cmd_free && nrhs > 3) { /* a destructor in a callback */
        mex_handle_doom(prhs[1]);
        return;
    }
    if (running) {
        mexErrMsgIdAndTxt("mdldm:busy", "mdldm is called from a callback of mdldm; wait until its call has returned");
    }
    mexAtExit(mex_release_all);
    mex_drop_kept(); /* of a call that the host ended for want of memory */
    c.nrhs = nrhs - 3;
    c.prhs = prhs + 1;
    c.progress = callback(prhs[nrhs - 2]);
    c.log = callback(prhs[nrhs - 1]);
    status = run(&c, command);
    mex_drop_kept();
    if (status != MDLDM_OK) {
        char id[96] = "mdldm:";

        if (c.id[0] != '\0') {
            snprintf(id, sizeof id, "%s", c.id);
        } else {
            mex_status_id(status, id + 6, sizeof id - 6);
        }
        mexErrMsgIdAndTxt(id, "%s", c.text);
    }
}
