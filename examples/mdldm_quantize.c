/* SPDX-License-Identifier: MIT
 * mdldm-quantize: a model whose UNet computes in eight bits, from a trained one. */
#include <string.h>

#include "common/cli.h"
#include "common/data_mode.h"
#include "common/paths.h"
#include "common/progress.h"

static const cli_flag flags[] = {
    { "model_path", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "model directory that mdldm-train (or diffusers) wrote; needed" },
    { "calibration", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "data set whose images, noised, help to set the ranges; without it they come from trajectories of the model alone" },
    { "colormap", MDLDM_OPTION_STRING, "model", 0, 0, "model|none|jet|viridis|parula-like|turbo|grey", "", "for a model of one channel: undo this colour map of the calibration images; model: the one it was trained with" },
    { "output", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "the quantised model directory; needed" },
    { "overwrite_output", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "replace a model that is there already" },
};

static const cli_program program = {
    .name = "mdldm-quantize",
    .summary = "Writes a copy of a model whose UNet computes its large layers in eight bits: weights per channel, "
               "activations by ranges measured on denoising trajectories, per group of timesteps. The other "
               "programs take it like any model; it cannot be trained.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .needed = " model_path output ",
    .scopes = MDLDM_SCOPE_QUANTIZE,
};

typedef struct quantization {
    const cli *c;
    mdldm_model *model, *quantized;
    mdldm_dataset *data;
    progress bar;
    int started;
} quantization;

static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    quantization *q = user;

    if (strcmp(stage, "calibrate") != 0) {
        return 0;
    }
    if (!q->started) {
        progress_start(&q->bar, "calibrate", "UNet runs", 0, total, q->c->quiet);
        q->started = 1;
    }
    progress_update(&q->bar, done, "");
    return 0;
}

static mdldm_status open_data(quantization *q)
{
    const cli *c = q->c;
    mdldm_options *options = NULL;
    int64_t resolution = 0;

    if (cli_text(c, "calibration")[0] == '\0') {
        return MDLDM_OK;
    }
    mdldm_status s = mdldm_model_get_int(c->ctx, q->model, "resolution", &resolution);
    if (s == MDLDM_OK) {
        s = mdldm_options_create(c->ctx, &options);
    }
    if (s == MDLDM_OK) {
        s = mdldm_options_set_int(c->ctx, options, "resolution", resolution);
    }
    if (s == MDLDM_OK && strcmp(cli_text(c, "colormap"), "model") != 0) {
        s = mdldm_options_set_string(c->ctx, options, "colormap", cli_text(c, "colormap"));
    }
    if (s == MDLDM_OK) {
        s = data_mode_follow(c, q->model, options);
    }
    if (s == MDLDM_OK) {
        s = mdldm_dataset_open(c->ctx, cli_text(c, "calibration"), options, &q->data);
    }
    mdldm_options_free(options);
    return s;
}

static int run(quantization *q)
{
    const cli *c = q->c;
    const char *output = cli_text(c, "output");

    if (!cli_integer(c, "overwrite_output") && paths_exists(output)) {
        return cli_error(c, "%s is there already: --overwrite_output replaces it", output);
    }
    mdldm_status s = mdldm_model_load(c->ctx, cli_text(c, "model_path"), &q->model);
    if (s == MDLDM_OK) {
        s = open_data(q);
    }
    if (s == MDLDM_OK) {
        mdldm_context_set_progress(c->ctx, on_progress, q);
        s = mdldm_model_quantize(c->ctx, q->model, q->data, c->options, &q->quantized);
        if (q->started) {
            progress_break(&q->bar);
        }
        mdldm_context_set_progress(c->ctx, NULL, NULL);
    }
    if (s == MDLDM_OK) {
        s = mdldm_model_save(c->ctx, q->quantized, output);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    cli_say(c, "the quantised model is in %s", output);
    return 0;
}

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    quantization q = { .c = &c };
    cli_catch_interrupt(&c, 1);
    code = run(&q);
    mdldm_dataset_free(q.data);
    mdldm_model_free(q.quantized);
    mdldm_model_free(q.model);
    cli_end(&c);
    return code;
}
