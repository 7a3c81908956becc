/* SPDX-License-Identifier: MIT
 * caller FOLDER: see caller.h. */
#include "caller.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void caller_say(const char *call, const char *format, ...)
{
    va_list args;

    printf("%.*s -> ", (int)strcspn(call, "("), call);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout); /* whatever happens next, this was reached */
}

int caller_status(const char *call, mdldm_status status)
{
    caller_say(call, "%d %s", (int)status, mdldm_status_name(status));
    return status == MDLDM_OK;
}

const char *caller_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return "NOT FINITE";
    }
    return "finite";
}

/* The hook of the second context: counts what is alive. */
static void *resize(void *user, void *pointer, size_t size)
{
    int *alive = user;

    if (size == 0) {
        *alive -= pointer != NULL;
        free(pointer);
        return NULL;
    }
    void *result = realloc(pointer, size);
    *alive += pointer == NULL && result != NULL;
    return result;
}

static void on_log(void *user, int32_t level, const char *text)
{
    int *lines = user;

    *lines += level >= 0 && level <= 3 && text[0] != '\0' && strchr(text, '\n') == NULL;
}

static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    int *calls = user;

    *calls += stage[0] != '\0' && done >= 0 && (total == 0 || done <= total);
    return 0;
}

static int log_lines, progress_calls;

void caller_context(caller *c)
{
    mdldm_context *own = NULL;
    int alive = 0, listed = 0, described = 0, reference = -1;

    caller_say("mdldm_version", "%s", mdldm_version()[0] >= '0' && mdldm_version()[0] <= '9' ? "a number" : "NONE");
    for (int i = 0; i <= 11; i++)
        caller_say("mdldm_status_name", "%d %s", i, mdldm_status_name((mdldm_status)i));
    TRY(mdldm_context_create(NULL));
    TRY(mdldm_context_create(&c->ctx));
    TRY(mdldm_context_create_with(resize, &alive, &own));
    caller_say("mdldm_context_create_with", "%s", alive > 0 ? "takes from the hook" : "DOES NOT USE THE HOOK");
    mdldm_context_free(own);
    mdldm_context_free(NULL);
    caller_say("mdldm_context_free", "%d left", alive);
    TRY(mdldm_context_use_backend(c->ctx, "no-such-backend"));
    caller_say("mdldm_context_error", "%s", strstr(mdldm_context_error(c->ctx), "no-such-backend") != NULL ? "names the value" : "DOES NOT NAME THE VALUE");
    caller_say("mdldm_context_backend", "\"%s\"", mdldm_context_backend(c->ctx));
    TRY(mdldm_context_use_backend(c->ctx, "reference"));
    caller_say("mdldm_context_backend", "\"%s\"", mdldm_context_backend(c->ctx));
    TRY(mdldm_context_use_backend(c->ctx, "auto"));
    for (int32_t i = 0; i < mdldm_backend_count(c->ctx); i++) {
        listed += mdldm_backend_name(c->ctx, i) != NULL;
        described += mdldm_backend_description(c->ctx, i) != NULL;
        if (strcmp(mdldm_backend_name(c->ctx, i), "reference") == 0)
            reference = i;
    }
    caller_say("mdldm_backend_count", "%s", listed > 0 ? "some" : "NONE");
    caller_say("mdldm_backend_name", "reference is %s", reference >= 0 ? "among them" : "MISSING");
    caller_say("mdldm_backend_description", "%s", described == listed ? "of each" : "MISSING");
    caller_say("mdldm_backend_reason", "reference %s", mdldm_backend_reason(c->ctx, reference) == NULL ? "works" : "FAILS");
    TRY(mdldm_context_set_threads(c->ctx, 1));
    TRY(mdldm_context_set_threads(c->ctx, -1));
    TRY(mdldm_context_set_precision(c->ctx, "f32"));
    TRY(mdldm_context_set_precision(c->ctx, "f8"));
    TRY(mdldm_context_set_winograd(c->ctx, 1));
    mdldm_context_set_log(c->ctx, on_log, &log_lines);
    mdldm_context_set_progress(c->ctx, on_progress, &progress_calls);
}

void caller_options(caller *c)
{
    mdldm_options *o = NULL;
    int64_t whole = 0;
    double number = 0;
    const char *text = NULL;
    int32_t i = mdldm_option_index("train_batch_size");

    caller_say("mdldm_option_count", "%s", mdldm_option_count() >= 89 ? "no fewer than there were" : "FEWER THAN THERE WERE");
    caller_say("mdldm_option_index", "%s, unknown: %d", i >= 0 ? "known" : "UNKNOWN", (int)mdldm_option_index("no_such_option"));
    caller_say("mdldm_option_key", "%s", mdldm_option_key(i));
    caller_say("mdldm_option_type_of", "%d", (int)mdldm_option_type_of(i));
    caller_say("mdldm_option_scopes", "%d", (int)mdldm_option_scopes(i) & MDLDM_SCOPE_TRAIN);
    caller_say("mdldm_option_default", "%s", mdldm_option_default(i));
    caller_say("mdldm_option_choices", "\"%s\"", mdldm_option_choices(i));
    caller_say("mdldm_option_min", "%g", mdldm_option_min(i));
    caller_say("mdldm_option_max", "%s", mdldm_option_max(i) >= 65536 ? "as wide as it was" : "NARROWER");
    caller_say("mdldm_option_unit", "%s", mdldm_option_unit(i));
    caller_say("mdldm_option_help", "%s", mdldm_option_help(i)[0] != '\0' ? "some" : "NONE");
    caller_say("mdldm_option_since", "%s", mdldm_option_since(i));
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_int(c->ctx, o, "train-batch-size", 3));
    TRY(mdldm_options_set_int(c->ctx, o, "train_batch_size", 0));
    TRY(mdldm_options_get_int(c->ctx, o, "train_batch_size", &whole));
    caller_say("mdldm_options_get_int", "%d", (int)whole);
    TRY(mdldm_options_set_double(c->ctx, o, "learning_rate", 0.5));
    TRY(mdldm_options_get_double(c->ctx, o, "learning_rate", &number));
    caller_say("mdldm_options_get_double", "%g", number);
    TRY(mdldm_options_set_string(c->ctx, o, "prediction_type", "nonsense"));
    TRY(mdldm_options_set_string(c->ctx, o, "prediction_type", "v_prediction"));
    TRY(mdldm_options_get_string(c->ctx, o, "prediction_type", &text));
    caller_say("mdldm_options_get_string", "%s", text);
    TRY(mdldm_options_parse(c->ctx, o, "eta", "0.25"));
    TRY(mdldm_options_parse(c->ctx, o, "eta", "a quarter"));
    caller_say("mdldm_options_is_set", "%d %d", (int)mdldm_options_is_set(o, "eta"), (int)mdldm_options_is_set(o, "seed"));
    mdldm_options_free(o);
    caller_say("mdldm_options_free", "done");
}

int main(int argc, char **argv)
{
    caller c = { .folder = argc > 1 ? argv[1] : "." };

    caller_context(&c);
    caller_options(&c);
    caller_signal(&c);
    caller_images(&c);
    caller_matrix(&c);
    caller_dataset(&c);
    caller_model(&c);
    caller_inference(&c);
    caller_sampler(&c);
    caller_training(&c);
    caller_gait(&c);
    caller_evaluation(&c);
    caller_latents(&c);
    caller_say("mdldm_context_set_log", "%s", log_lines > 0 ? "lines came" : "NOTHING CAME");
    caller_say("mdldm_context_set_progress", "%s", progress_calls > 0 ? "calls came" : "NOTHING CAME");
    mdldm_dataset_free(c.data);
    caller_say("mdldm_dataset_free", "done");
    mdldm_model_free(c.model);
    mdldm_context_free(c.ctx); /* before or after what was made with it: any order */
    caller_say("mdldm_context_free", "done");
    return 0;
}
