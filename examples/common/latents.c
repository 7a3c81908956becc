/* SPDX-License-Identifier: MIT */
#include "latents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data_mode.h"
#include "progress.h"

typedef struct measuring {
    progress bar;
    int started, quiet;
} measuring;

static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    measuring *p = user;

    if (strcmp(stage, "measure") != 0) {
        return 0;
    }
    if (!p->started) {
        progress_start(&p->bar, "measure", "images and pairs", 0, total, p->quiet);
        p->started = 1;
    }
    progress_update(&p->bar, done, "");
    return 0;
}

static double at(const mdldm_report *r, const char *list, int64_t index, const char *name)
{
    char path[80];

    snprintf(path, sizeof path, "%s.%lld%s%s", list, (long long)index, name[0] != '\0' ? "." : "", name);
    return mdldm_report_value(r, path);
}

static void print_lines(const mdldm_report *r)
{
    char path[40];

    printf("latents of       %.0f images\n", mdldm_report_value(r, "images"));
    printf("  scale          deviation %.4g after scaling factor %.5g; measured %.5g\n",
           mdldm_report_value(r, "scale.deviation"), mdldm_report_value(r, "scale.stored"),
           mdldm_report_value(r, "scale.measured"));
    for (int64_t k = 0; k < mdldm_report_length(r, "channels"); k++) {
        printf("  channel %-6lld mean %.3g, deviation %.3g, kurtosis %.3g; correlation with the next cell in time "
               "%.2f, in Doppler %.2f\n", (long long)k, at(r, "channels", k, "mean"), at(r, "channels", k, "deviation"),
               at(r, "channels", k, "kurtosis"), at(r, "channels", k, "correlation_time.0"),
               at(r, "channels", k, "correlation_doppler.0"));
    }
    printf("  spectrum       slope %.2f (white: 0), above a quarter cycle %.0f%% (white: 80%%)\n",
           mdldm_report_value(r, "spectrum.slope"), 100.0 * mdldm_report_value(r, "spectrum.high_share"));
    printf("  principal      deviations");
    for (int64_t k = 0; k < mdldm_report_length(r, "principal"); k++) {
        printf(" %.3g", at(r, "principal", k, ""));
    }
    printf("\n  learnable      neighbours explain %.1f%%; linear denoising gains %.1f%%, leaves %.3f, over timesteps",
           100.0 * mdldm_report_value(r, "probe.explained"), 100.0 * mdldm_report_value(r, "denoising.gain"),
           mdldm_report_value(r, "denoising.mean_error"));
    for (int64_t k = 0; k < mdldm_report_length(r, "denoising.error"); k++) {
        printf(" %.2g", at(r, "denoising.error", k, ""));
    }
    printf("\n  between        path %.2f (straight: 1), largest step %.2f (even: 1), return %.2f, at the ends %.2f\n",
           mdldm_report_value(r, "interpolation.path"), mdldm_report_value(r, "interpolation.largest_step"),
           mdldm_report_value(r, "interpolation.return_middle"), mdldm_report_value(r, "interpolation.return_end"));
    if (mdldm_report_length(r, "codebook") > 0) {
        printf("  codebook       %.0f of %.0f codes used, perplexity %.1f\n", mdldm_report_value(r, "codebook.used"),
               mdldm_report_value(r, "codebook.size"), mdldm_report_value(r, "codebook.perplexity"));
    }
    for (int64_t i = 0; i < mdldm_report_length(r, "warnings"); i++) {
        snprintf(path, sizeof path, "warnings.%lld", (long long)i);
        printf("  ! %s\n", mdldm_report_text(r, path));
    }
}

static mdldm_status measure(const cli *c, const mdldm_model *m, const mdldm_dataset *d, mdldm_report **out)
{
    measuring p = { .quiet = c->quiet };

    mdldm_context_set_progress(c->ctx, on_progress, &p);
    mdldm_status s = mdldm_latent_report(c->ctx, m, d, c->options, out);
    mdldm_context_set_progress(c->ctx, NULL, NULL);
    if (p.started) {
        progress_break(&p.bar);
    }
    return s;
}

static mdldm_status open_images(const cli *c, const mdldm_model *m, const char *path, int64_t side, mdldm_dataset **out)
{
    mdldm_options *options = NULL;
    mdldm_status s = mdldm_options_create(c->ctx, &options);

    if (s == MDLDM_OK) {
        s = mdldm_options_set_int(c->ctx, options, "resolution", side);
    }
    if (s == MDLDM_OK) {
        s = data_mode_follow(c, m, options);
    }
    if (s == MDLDM_OK) {
        s = mdldm_dataset_open(c->ctx, path, options, out);
    }
    mdldm_options_free(options);
    return s;
}

int latents_print(const cli *c, const mdldm_model *m, const char *path, int64_t side, json_out *json)
{
    mdldm_dataset *d = NULL;
    mdldm_report *r = NULL;
    mdldm_status s = open_images(c, m, path, side, &d);

    if (s == MDLDM_OK) {
        s = measure(c, m, d, &r);
    }
    mdldm_dataset_free(d);
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    if (json != NULL) {
        json_verbatim(json, "latent_report", mdldm_report_json(r));
    } else {
        print_lines(r);
    }
    mdldm_report_free(r);
    return 0;
}

int latents_record(const cli *c, const mdldm_model *m, const mdldm_dataset *d, const char *path)
{
    mdldm_report *r = NULL;
    mdldm_status s = measure(c, m, d, &r);

    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    FILE *file = fopen(path, "w");
    int written = file != NULL && fprintf(file, "%s\n", mdldm_report_json(r)) > 0;
    written &= file != NULL && fclose(file) == 0;
    if (!c->quiet) {
        print_lines(r);
    }
    mdldm_report_free(r);
    return written ? 0 : cli_error(c, "cannot write %s: %s", path, strerror(errno));
}
