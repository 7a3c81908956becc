/* SPDX-License-Identifier: MIT */
#include "training.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data_mode.h"
#include "json_out.h"
#include "latents.h"
#include "paths.h"
#include "preprocess.h"
#include "progress.h"
#include "samples.h"

typedef struct training {
    const cli *c;
    mdldm_stage stage;
    mdldm_model *model;
    mdldm_dataset *data;
    mdldm_trainer *trainer;
    const char *folder; /* output_dir */
    FILE *record;       /* training_log.jsonl */
    progress bar;
} training;

/* Stage 2 reads pictures as its autoencoder was trained on, unless the command line says otherwise. */
static mdldm_status follow_autoencoder(const cli *c)
{
    mdldm_model *m = NULL;
    mdldm_status s = mdldm_model_load(c->ctx, cli_option_text(c, "vae_path"), &m);

    if (s == MDLDM_OK) {
        s = data_mode_follow(c, m, c->options);
    }
    if (s == MDLDM_OK && samples_fact(c, m, "image_channels") == 1) {
        cli_say(c, "the autoencoder takes one channel: image_mode %s, colormap %s", cli_option_text(c, "image_mode"),
                cli_option_text(c, "colormap"));
    }
    mdldm_model_free(m);
    return s;
}

static int open_data(const cli *c, mdldm_stage stage, mdldm_dataset **data)
{
    const char *raw = cli_text(c, "raw_data_dir"), *processed = cli_text(c, "processed_data_dir");
    const char *folder = cli_text(c, "train_data_dir"), *files = cli_text(c, "train_data_files");

    if (raw[0] != '\0') {
        if (processed[0] == '\0') {
            return cli_usage_error(c, "--raw_data_dir needs --processed_data_dir: where the PNGs shall go");
        }
        cli_catch_interrupt(c, 0);
        int code = preprocess_run(c, raw, processed);
        if (code != 0 || cli_integer(c, "preprocess_only")) {
            return code;
        }
    } else if (cli_integer(c, "preprocess_only")) {
        return cli_usage_error(c, "--preprocess_only needs --raw_data_dir and --processed_data_dir");
    }
    if (folder[0] != '\0' && files[0] != '\0') {
        return cli_usage_error(c, "--train_data_dir and --train_data_files exclude each other");
    }
    const char *path = folder[0] != '\0' ? folder : files[0] != '\0' ? files : processed;
    if (path[0] == '\0') {
        return cli_usage_error(c, "--train_data_dir or --train_data_files is missing: what to train on");
    }
    cli_catch_interrupt(c, 1);
    mdldm_status s = stage == MDLDM_STAGE_DIFFUSION ? follow_autoencoder(c) : MDLDM_OK;
    if (s == MDLDM_OK) {
        s = mdldm_dataset_open(c->ctx, path, c->options, data);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    cli_say(c, "%lld images of %lld persons in %s", (long long)mdldm_dataset_count(*data),
            (long long)mdldm_dataset_class_count(*data), path);
    return -1;
}

static int is_validation(const char *name)
{
    return strncmp(name, "val_", 4) == 0;
}

/* "loss 0.123 loss_l1 0.1 ...": metrics of the step, or those of the last validation. */
static void metrics_text(const training *t, int validation, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int pass = 0; pass < 2; pass++) { /* losses first: a narrow terminal cuts the rest */
        for (int32_t i = 0; i < mdldm_trainer_metric_count(t->trainer) && used < size; i++) {
            const char *name = mdldm_trainer_metric_name(t->trainer, i);
            double value = mdldm_trainer_metric_value(t->trainer, i);

            if (is_validation(name) == validation && (strncmp(name, "loss", 4) != 0) == pass && isfinite(value)) {
                int n = snprintf(text + used, size - used, "%s%s %.4g", used > 0 ? "  " : "", name, value);

                used += n > 0 ? (size_t)n : 0;
            }
        }
    }
}

/* One line of training_log.jsonl: what a plot of the run needs. */
static void write_record(const training *t, int validation)
{
    json_out j = { .file = t->record };

    if (t->record == NULL) {
        return;
    }
    json_open(&j, NULL, '{');
    json_integer(&j, "step", mdldm_trainer_global_step(t->trainer));
    json_integer(&j, "epoch", mdldm_trainer_epoch(t->trainer));
    for (int32_t i = 0; i < mdldm_trainer_metric_count(t->trainer); i++) {
        const char *name = mdldm_trainer_metric_name(t->trainer, i);

        if (is_validation(name) == validation) {
            json_number(&j, name, mdldm_trainer_metric_value(t->trainer, i));
        }
    }
    json_close(&j, '}');
    fflush(t->record);
}

static mdldm_status validate(training *t)
{
    char text[480];
    mdldm_status s = mdldm_trainer_validate(t->c->ctx, t->trainer);

    if (s == MDLDM_OK) {
        metrics_text(t, 1, text, sizeof text);
        if (text[0] != '\0') {
            progress_break(&t->bar);
            cli_say(t->c, "step %lld  %s", (long long)mdldm_trainer_global_step(t->trainer), text);
            write_record(t, 1);
        }
    }
    return s;
}

/* From the weights in the model. */
static mdldm_status write_samples(training *t)
{
    char path[4096], title[80];
    long long step = mdldm_trainer_global_step(t->trainer), epoch = mdldm_trainer_epoch(t->trainer);
    mdldm_status s;

    snprintf(path, sizeof path, "%s/samples/step_%06lld.png", t->folder, step);
    snprintf(title, sizeof title, "epoch %lld, step %lld", epoch, step);
    s = t->stage == MDLDM_STAGE_DIFFUSION ? samples_write_grid(t->c, t->model, path, title)
                                          : samples_write_reconstructions(t->c, t->model, t->data, path, title);
    if (s == MDLDM_OK) {
        progress_break(&t->bar);
        cli_say(t->c, "samples: %s", path);
    }
    return s;
}

/* The weights of now, EMA where it is on, go into the model; then samples and model are written. */
static mdldm_status write_results(training *t, int samples, int model)
{
    mdldm_status s = samples || model ? mdldm_trainer_update_model(t->c->ctx, t->trainer) : MDLDM_OK;

    if (s == MDLDM_OK && model) {
        s = mdldm_model_save(t->c->ctx, t->model, t->folder);
    }
    return s == MDLDM_OK && samples ? write_samples(t) : s;
}

static int due(int64_t every, int64_t epoch)
{
    return every > 0 && epoch % every == 0;
}

/* What falls due when an epoch ends. A Ctrl-C ends it early; the caller then saves. */
static mdldm_status end_epoch(training *t, int64_t epoch)
{
    const cli *c = t->c;
    mdldm_status s = MDLDM_OK;

    cli_catch_interrupt(c, 1);
    if (due(cli_integer(c, "validation_epochs"), epoch)) {
        s = validate(t);
    }
    if (s == MDLDM_OK) {
        s = write_results(t, due(cli_option_integer(c, "save_images_epochs"), epoch),
                          due(cli_option_integer(c, "save_model_epochs"), epoch));
    }
    if (!cli_interrupted()) {
        cli_catch_interrupt(c, 0);
    }
    return s;
}

/* Interrupted: a checkpoint of the last whole step, and how to go on. */
static int stop_early(training *t)
{
    const cli *c = t->c;
    mdldm_status s = mdldm_trainer_checkpoint(c->ctx, t->trainer);

    if (s == MDLDM_ERROR_CANCELLED) { /* the interrupt came between two calls and met this one */
        s = mdldm_trainer_checkpoint(c->ctx, t->trainer);
    }
    progress_break(&t->bar);
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    fprintf(stderr,
            "%s: stopped after step %lld of %lld; %s/checkpoint-%lld is saved\n"
            "to go on: the same command with --resume_from_checkpoint latest\n",
            c->program->name, (long long)mdldm_trainer_global_step(t->trainer),
            (long long)mdldm_trainer_total_steps(t->trainer), t->folder,
            (long long)mdldm_trainer_global_step(t->trainer));
    return CLI_EXIT_INTERRUPTED;
}

/* Steps to the end. Returns -1 when all are done. */
static int run_steps(training *t)
{
    const cli *c = t->c;
    int64_t total = mdldm_trainer_total_steps(t->trainer), per_epoch = mdldm_trainer_steps_per_epoch(t->trainer);
    int64_t checkpointing = cli_option_integer(c, "checkpointing_steps");
    char text[480];

    progress_start(&t->bar, "train", "steps", mdldm_trainer_global_step(t->trainer), total, c->quiet);
    while (mdldm_trainer_global_step(t->trainer) < total) {
        mdldm_status s = mdldm_trainer_step(c->ctx, t->trainer);
        int64_t step = mdldm_trainer_global_step(t->trainer);

        if (s == MDLDM_OK) {
            metrics_text(t, 0, text, sizeof text);
            progress_update(&t->bar, step, text);
            write_record(t, 0);
        }
        if (s == MDLDM_OK && !cli_interrupted() && checkpointing > 0 && step % checkpointing == 0) {
            s = mdldm_trainer_checkpoint(c->ctx, t->trainer);
        }
        if (s == MDLDM_OK && !cli_interrupted() && step % per_epoch == 0 && step < total) {
            s = end_epoch(t, step / per_epoch);
        }
        if (cli_interrupted() && (s == MDLDM_OK || s == MDLDM_ERROR_CANCELLED)) {
            return stop_early(t);
        }
        if (s != MDLDM_OK) {
            progress_break(&t->bar);
            return cli_failed(c, s);
        }
    }
    return -1;
}

static int finish(training *t)
{
    const cli *c = t->c;
    mdldm_status s;

    cli_catch_interrupt(c, 1);
    s = validate(t);
    if (s == MDLDM_OK) {
        s = write_results(t, cli_option_integer(c, "save_images_epochs") > 0, 1);
    }
    if (s == MDLDM_ERROR_CANCELLED && cli_interrupted()) {
        return stop_early(t);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    cli_say(c, "the model is in %s", t->folder);
    if (t->stage == MDLDM_STAGE_AUTOENCODER && cli_integer(c, "latent_report")) {
        char path[4096];

        snprintf(path, sizeof path, "%s/latent_report.json", t->folder);
        return latents_record(c, t->model, t->data, path);
    }
    return 0;
}

static void open_record(training *t)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/training_log.jsonl", t->folder);
    t->record = fopen(path, mdldm_trainer_global_step(t->trainer) > 0 ? "a" : "w");
    if (t->record == NULL) {
        cli_say(t->c, "warning: no record of this run, cannot write %s: %s", path, strerror(errno));
    }
}

static int run(const cli *c, mdldm_stage stage, mdldm_model *model, mdldm_dataset *data)
{
    training t = { .c = c, .stage = stage, .model = model, .data = data, .folder = cli_option_text(c, "output_dir") };

    cli_catch_interrupt(c, 1);
    mdldm_status s = mdldm_trainer_create(c->ctx, stage, model, data, c->options, &t.trainer);
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    char samples[4096];
    int code;
    snprintf(samples, sizeof samples, "%s/samples", t.folder);
    if (!paths_make_folder(samples)) {
        code = cli_error(c, "cannot make the folder %s: %s", samples, strerror(errno));
    } else {
        open_record(&t);
        cli_say(c, "%lld parameters to train on %s; %lld steps, %lld an epoch; from step %lld",
                (long long)samples_fact(c, model, stage == MDLDM_STAGE_DIFFUSION ? "unet_parameters"
                                                                                 : "autoencoder_parameters"),
                mdldm_context_backend(c->ctx), (long long)mdldm_trainer_total_steps(t.trainer),
                (long long)mdldm_trainer_steps_per_epoch(t.trainer), (long long)mdldm_trainer_global_step(t.trainer));
        if (!cli_interrupted()) {
            cli_catch_interrupt(c, 0);
        }
        code = run_steps(&t);
        if (code < 0) {
            code = finish(&t);
        }
        if (t.record != NULL) {
            fclose(t.record);
        }
    }
    mdldm_trainer_free(t.trainer);
    return code;
}

/* Says what is missing on the command line, or returns -1. */
static int check_paths(const cli *c, mdldm_stage stage)
{
    if (cli_integer(c, "preprocess_only")) {
        return -1;
    }
    if (cli_option_text(c, "output_dir")[0] == '\0') {
        return cli_usage_error(c, "--output_dir is missing: where checkpoints and the model shall go");
    }
    if (stage == MDLDM_STAGE_DIFFUSION && cli_option_text(c, "vae_path")[0] == '\0') {
        return cli_usage_error(c, "--vae_path is missing: the autoencoder that mdldm-train-vqvae wrote");
    }
    return -1;
}

int training_main(int argc, char **argv, const cli_program *program, mdldm_stage stage, training_model create)
{
    cli c;
    mdldm_dataset *data = NULL;
    mdldm_model *model = NULL;
    int code = cli_start(&c, program, argc, argv);

    if (code >= 0) {
        return code;
    }
    code = check_paths(&c, stage);
    if (code < 0) {
        code = open_data(&c, stage, &data);
    }
    if (code < 0) {
        mdldm_status s = create(&c, data, &model);

        code = s == MDLDM_OK ? run(&c, stage, model, data) : cli_failed(&c, s);
    }
    mdldm_model_free(model);
    mdldm_dataset_free(data);
    cli_end(&c);
    return code;
}
