/* SPDX-License-Identifier: MIT
 * Progress and log. They come as function handles that mdldm.internal.parse made around the user's: these
 * catch errors themselves, for a host's own trap need not tell identifier and message. */
#include <string.h>

#include "mdldm_mex.h"

/* [id, text] = function(arguments). 1: the call is to end. */
static int call_back(mex_call *c, const mxArray *function, int count, mxArray **arguments)
{
    mxArray *in[5], *out[2] = { NULL, NULL };
    mxArray *error;

    in[0] = (mxArray *)(uintptr_t)function; /* an input: mexCallMATLAB does not change it */
    for (int i = 0; i < count; i++) {
        in[i + 1] = arguments[i];
    }
    error = mexCallMATLABWithTrap(2, out, count + 1, in, "feval");
    for (int i = 0; i < count; i++) {
        mxDestroyArray(arguments[i]);
    }
    if (error != NULL) { /* MATLAB's Ctrl-C, which try does not catch */
        c->interrupted = 1;
        return 1;
    }
    int failed = mxGetNumberOfElements(out[1]) > 0;
    if (failed && c->text[0] == '\0') {
        mxGetString(out[0], c->id, sizeof c->id);
        mxGetString(out[1], c->text, sizeof c->text);
    }
    mxDestroyArray(out[0]);
    mxDestroyArray(out[1]);
    return failed;
}

static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    mex_call *c = user;

    if (mex_interrupt_poll(c)) {
        return 1;
    }
    if (c->progress == NULL) {
        return 0;
    }
    mxArray *in[3] = { mxCreateString(stage), mxCreateDoubleScalar((double)done), mxCreateDoubleScalar((double)total) };
    return call_back(c, c->progress, 3, in);
}

static void on_log(void *user, int32_t level, const char *text)
{
    mex_call *c = user;
    mxArray *in[2] = { mxCreateDoubleScalar(level), mxCreateString(text) };

    if (call_back(c, c->log, 2, in)) {
        c->asked = 1;
        mdldm_context_cancel(mex_context());
    }
}

void mex_callbacks_begin(mex_call *c)
{
    mdldm_context *ctx = mex_context();

    mdldm_context_set_progress(ctx, on_progress, c);
    mdldm_context_set_log(ctx, c->log != NULL ? on_log : NULL, c);
    mex_interrupt_begin(ctx);
}

void mex_callbacks_end(mex_call *c)
{
    mex_interrupt_end(c);
    mdldm_context_set_progress(mex_context(), NULL, NULL);
    mdldm_context_set_log(mex_context(), NULL, NULL);
}
