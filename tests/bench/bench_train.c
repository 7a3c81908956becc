/* SPDX-License-Identifier: MIT
 * One optimiser step of both stages, everything in it: loading, forward, backward, AdamW. Its work is
 * counted as three times the forward pass (outputs, gradients of inputs, gradients of weights). */
#include <stdlib.h>
#include <sys/stat.h>

#include "bench.h"

typedef struct training {
    bench_model *m;
    mdldm_trainer *trainer;
} training;

static int train_step(void *user)
{
    training *t = user;
    return bench_ok(t->m, mdldm_trainer_step(t->m->ctx, t->trainer), "training step");
}

/* Pictures of noise: what they show does not matter for the time. */
static int make_images(bench_model *m, const char *folder)
{
    enum { COUNT = 16 };
    const size_t size = (size_t)(m->resolution * m->resolution * 3);
    uint8_t *rgb = malloc(size);
    char path[400];
    int ok = rgb != NULL && mkdir(folder, 0777) == 0;
    uint32_t state = 1;
    snprintf(path, sizeof path, "%s/A", folder);
    ok = ok && mkdir(path, 0777) == 0;
    for (int i = 0; ok && i < COUNT; i++) {
        for (size_t k = 0; k < size; k++)
            rgb[k] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
        snprintf(path, sizeof path, "%s/A/%d.png", folder, i);
        ok = bench_ok(m, mdldm_image_write(m->ctx, path, rgb, m->resolution, m->resolution), "image");
    }
    free(rgb);
    return ok;
}

static mdldm_options *train_options(bench_model *m, int32_t precision)
{
    char batch[32], resolution[32];
    mdldm_options *options = NULL;
    snprintf(batch, sizeof batch, "%lld", (long long)m->o->train_batch);
    snprintf(resolution, sizeof resolution, "%lld", (long long)m->resolution);
    const char *const pairs[][2] = {{"train_batch_size", batch},     {"resolution", resolution},
                                    {"validation_fraction", "0"},    {"restart_dead_codes", "0"},
                                    {"kmeans_start", "0"},           {"max_train_steps", "1000000"},
                                    {"lr_warmup_steps", "0"},        {"eval_batch_size", batch},
                                    {"mixed_precision", precision == BENCH_BF16 ? "bf16" : "no"}};
    if (!bench_ok(m, mdldm_options_create(m->ctx, &options), "options"))
        return NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!bench_ok(m, mdldm_options_parse(m->ctx, options, pairs[i][0], pairs[i][1]), "option")) {
            mdldm_options_free(options);
            return NULL;
        }
    return options;
}

static int run_stage(bench_model *m, const char *folder, mdldm_stage stage, int32_t precision)
{
    bench_row row = {.part = "train", .precision = precision, .batch = m->o->train_batch, .threads = m->o->threads};
    training t = {.m = m};
    mdldm_dataset *data = NULL;
    const double forward = stage == MDLDM_STAGE_DIFFUSION ? m->macs_predict : m->macs_encode + m->macs_decode;
    row.flops = 3.0 * 2.0 * (double)row.batch * forward;
    snprintf(row.name, sizeof row.name, "training step %s batch %lld",
             stage == MDLDM_STAGE_DIFFUSION ? "UNet" : "autoencoder", (long long)row.batch);
    if (!bench_wanted(m->o, row.name))
        return 1;
    mdldm_options *options = train_options(m, precision);
    int ok = options != NULL && bench_ok(m, mdldm_dataset_open(m->ctx, folder, options, &data), "data set") &&
             bench_ok(m, mdldm_trainer_create(m->ctx, stage, m->model, data, options, &t.trainer), "trainer") &&
             bench_repeat(m->o, &row, train_step, &t);
    mdldm_trainer_free(t.trainer);
    mdldm_dataset_free(data);
    mdldm_options_free(options);
    if (ok)
        bench_report_row(m->report, &row, m->peaks);
    return ok;
}

int bench_train(bench_model *m)
{
    char folder[200];
    snprintf(folder, sizeof folder, "%s/images", m->scratch);
    bench_report_heading(m->report, "training steps");
    if (!make_images(m, folder))
        return 0;
    for (int32_t k = BENCH_F32; k <= BENCH_BF16; k++)
        if ((m->o->precisions >> k & 1) && (!run_stage(m, folder, MDLDM_STAGE_DIFFUSION, k) ||
                                            !run_stage(m, folder, MDLDM_STAGE_AUTOENCODER, k)))
            return 0;
    return 1;
}
