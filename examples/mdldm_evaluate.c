/* SPDX-License-Identifier: MIT
 * mdldm-evaluate: generated pictures against real ones, as a page for people and JSON for programs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/paths.h"
#include "common/progress.h"

static const cli_flag flags[] = {
    { "real_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "real images, a folder per person, which the generator was not trained on; needed" },
    { "fake_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "generated images under the same folder names; needed" },
    { "train_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "the images that the generator was trained on: with them copies are looked for" },
    { "report", MDLDM_OPTION_STRING, "report.html", 0, 0, "", "path", "the page to write; the same numbers go beside it, with .json in place of .html" },
};

static const cli_program program = {
    .name = "mdldm-evaluate",
    .summary = "Compares generated spectrograms with real ones. Distances in fixed features over all and per person, whose "
               "real picture is nearest, gait measures as distributions with tests, copies of training images, and of "
               "reconstructions PSNR and SSIM. Writes one HTML page with plots, and JSON.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .needed = " real_dir fake_dir ",
    .scopes = MDLDM_SCOPE_DATASET | MDLDM_SCOPE_EVALUATE,
    .hide = " random_flip center_crop ",
};

typedef struct evaluation {
    const cli *c;
    mdldm_dataset *real, *fake, *train;
    mdldm_report *report;
    progress bar;
    char stage[32];
} evaluation;

static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    evaluation *e = user;

    if (strcmp(stage, e->stage) != 0 || done == 0) {
        if (e->stage[0] != '\0') {
            progress_break(&e->bar);
        }
        snprintf(e->stage, sizeof e->stage, "%s", stage);
        progress_start(&e->bar, e->stage, "steps", 0, total, e->c->quiet);
    }
    progress_update(&e->bar, done, "");
    return 0;
}

static mdldm_status open_set(const evaluation *e, const char *flag, mdldm_dataset **out)
{
    const char *path = cli_text(e->c, flag);
    return path[0] == '\0' ? MDLDM_OK : mdldm_dataset_open(e->c->ctx, path, e->c->options, out);
}

/* 1: all of the text is in the file. */
static int write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        return 0;
    }
    int written = fwrite(text, 1, strlen(text), file) == strlen(text);
    return fclose(file) == 0 && written;
}

static int write_report(const evaluation *e)
{
    const char *page = cli_text(e->c, "report"), *names[2] = { page, NULL };
    const char *const texts[2] = { mdldm_report_html(e->report), mdldm_report_json(e->report) };
    size_t length = strlen(page);
    char *json = malloc(length + 6);
    int code = 0;

    if (json == NULL) {
        return cli_error(e->c, "out of memory");
    }
    strcpy(json, page);
    strcpy(json + (length > 5 && strcmp(page + length - 5, ".html") == 0 ? length - 5 : length), ".json");
    names[1] = json;
    for (int k = 0; k < 2 && code == 0; k++) {
        if (!paths_make_parents(names[k]) || !write_text(names[k], texts[k])) {
            code = cli_error(e->c, "cannot write %s: %s", names[k], strerror(errno));
        }
    }
    if (code == 0) {
        cli_say(e->c, "%s and %s are written", page, json);
    }
    free(json);
    return code;
}

static void print_values(const evaluation *e)
{
    static const char *const lines[][2] = {
        { "frechet_fixed", "Frechet distance" }, { "frechet_real_fixed", "  real against real" },
        { "kernel_fixed", "kernel distance" },   { "precision_fixed", "precision" },
        { "recall_fixed", "recall" },            { "person_kept_fixed", "person kept" },
        { "near_copies", "near copies" },        { "psnr", "PSNR (dB)" },
        { "ssim", "SSIM" },                      { "same_step_frequency", "persons with the same step frequency" },
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "values.%s", lines[i][0]);
        const double value = mdldm_report_value(e->report, path);
        if (isfinite(value)) {
            printf("%-38s %.4g\n", lines[i][1], value);
        }
    }
}

static int run(evaluation *e)
{
    const cli *c = e->c;
    mdldm_status s = open_set(e, "real_dir", &e->real);

    if (s == MDLDM_OK) {
        s = open_set(e, "fake_dir", &e->fake);
    }
    if (s == MDLDM_OK) {
        s = open_set(e, "train_dir", &e->train);
    }
    if (s == MDLDM_OK) {
        mdldm_context_set_progress(c->ctx, on_progress, e);
        s = mdldm_evaluate(c->ctx, e->real, e->fake, e->train, c->options, &e->report);
        if (e->stage[0] != '\0') {
            progress_break(&e->bar);
        }
        mdldm_context_set_progress(c->ctx, NULL, NULL);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    print_values(e);
    return write_report(e);
}

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    evaluation e = { .c = &c };
    cli_catch_interrupt(&c, 1);
    code = run(&e);
    mdldm_report_free(e.report);
    mdldm_dataset_free(e.real);
    mdldm_dataset_free(e.fake);
    mdldm_dataset_free(e.train);
    cli_end(&c);
    return code;
}
