/* SPDX-License-Identifier: MIT
 * The latent report of the tiny model, and what reports answer. */
#include "caller.h"

#include <math.h>
#include <string.h>

void caller_latents(caller *c)
{
    mdldm_options *o = NULL;
    mdldm_report *r = NULL;

    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_int(c->ctx, o, "latent_pairs", 1));
    TRY(mdldm_latent_report(c->ctx, c->model, NULL, o, &r));
    caller_say("mdldm_latent_report", "%s", r == NULL ? "nothing made" : "A REPORT ALL THE SAME");
    TRY(mdldm_latent_report(c->ctx, c->model, c->data, o, &r));
    caller_say("mdldm_report_value", "%.0f images, %.0f codes, %s", mdldm_report_value(r, "images"),
               mdldm_report_value(r, "codebook.size"), isnan(mdldm_report_value(r, "no.such.place")) ? "NaN" : "A NUMBER");
    caller_say("mdldm_report_value", "%s", isfinite(mdldm_report_value(r, "channels.0.deviation")) ? "finite" : "NOT FINITE");
    caller_say("mdldm_report_length", "%d", (int)mdldm_report_length(r, "denoising.error"));
    caller_say("mdldm_report_text", "%s", mdldm_report_text(r, "images") == NULL ? "a number is no text" : "A TEXT");
    caller_say("mdldm_report_json", "%s", strncmp(mdldm_report_json(r), "{", 1) == 0 ? "an object" : "SOMETHING ELSE");
    caller_say("mdldm_report_html", "%s", mdldm_report_html(r) == NULL ? "no page" : "A PAGE");
    mdldm_report_free(r);
    caller_say("mdldm_report_free", "done");
    mdldm_options_free(o);
}
