/* SPDX-License-Identifier: MIT
 * Whole steps through the public interface: encode, one UNet evaluation, decode. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

int bench_ok(bench_model *m, mdldm_status status, const char *what)
{
    if (status != MDLDM_OK)
        fprintf(stderr, "bench: %s: %s\n", what, mdldm_context_error(m->ctx));
    return status == MDLDM_OK;
}

static int make_preset(bench_model *m)
{
    const bench_options *o = m->o;
    mdldm_options *options = NULL;
    mdldm_model *fresh = NULL;
    int ok = bench_ok(m, mdldm_options_create(m->ctx, &options), "options") &&
             bench_ok(m, mdldm_options_set_string(m->ctx, options, "preset", o->preset), "preset") &&
             bench_ok(m, mdldm_options_set_int(m->ctx, options, "num_classes", 8), "classes") &&
             bench_ok(m, mdldm_options_set_int(m->ctx, options, "resolution",
                                               strcmp(o->preset, "tiny") == 0 ? 64 : 256), "resolution") &&
             bench_ok(m, mdldm_model_create(m->ctx, options, &fresh), "create") &&
             bench_ok(m, mdldm_model_save(m->ctx, fresh, m->folder), "save");
    mdldm_model_free(fresh);
    mdldm_options_free(options);
    return ok;
}

static int read_facts(bench_model *m)
{
    int64_t factor = 1, macs, bytes;
    return bench_ok(m, mdldm_model_get_int(m->ctx, m->model, "resolution", &m->resolution), "resolution") &&
           bench_ok(m, mdldm_model_get_int(m->ctx, m->model, "latent_channels", &m->channels), "channels") &&
           bench_ok(m, mdldm_model_get_int(m->ctx, m->model, "latent_factor", &factor), "factor") &&
           bench_ok(m, mdldm_model_get_int(m->ctx, m->model, "num_classes", &m->classes), "classes") &&
           (m->side = m->resolution / factor) > 0 &&
           bench_ok(m, mdldm_model_cost(m->ctx, m->model, "encode", m->resolution, m->resolution, &macs, &bytes),
                    "cost of encode") &&
           (m->macs_encode = (double)macs) > 0.0 &&
           bench_ok(m, mdldm_model_cost(m->ctx, m->model, "predict", m->resolution, m->resolution, &macs, &bytes),
                    "cost of predict") &&
           (m->macs_predict = (double)macs) > 0.0 &&
           bench_ok(m, mdldm_model_cost(m->ctx, m->model, "decode", m->resolution, m->resolution, &macs, &bytes),
                    "cost of decode") &&
           (m->macs_decode = (double)macs) > 0.0;
}

int bench_model_open(const bench_options *o, bench_report *r, const bench_peaks *p, bench_model *m)
{
    *m = (bench_model){.o = o, .report = r, .peaks = p};
    if (mdldm_context_create(&m->ctx) != MDLDM_OK ||
        !bench_ok(m, mdldm_context_use_backend(m->ctx, o->backend), "backend") ||
        !bench_ok(m, mdldm_context_set_threads(m->ctx, o->threads), "threads"))
        return 0;
    const char *temporary = getenv("TMPDIR");
    snprintf(m->scratch, sizeof m->scratch, "%.100s/mdldm-bench-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(m->scratch) == NULL) {
        fprintf(stderr, "bench: cannot make the folder %s\n", m->scratch);
        m->scratch[0] = '\0';
        return 0;
    }
    snprintf(m->folder, sizeof m->folder, "%s/model", m->scratch);
    if (o->model != NULL)
        snprintf(m->folder, sizeof m->folder, "%.255s", o->model);
    else if (!make_preset(m))
        return 0;
    return bench_ok(m, mdldm_model_load(m->ctx, m->folder, &m->model), "load") && read_facts(m);
}

void bench_model_close(bench_model *m)
{
    char command[200];
    mdldm_model_free(m->model);
    mdldm_context_free(m->ctx);
    m->model = NULL;
    m->ctx = NULL;
    if (m->scratch[0] != '\0') {
        snprintf(command, sizeof command, "rm -rf '%s'", m->scratch);
        if (system(command) != 0)
            fprintf(stderr, "bench: %s stays\n", m->scratch);
    }
}

typedef struct step {
    bench_model *m;
    mdldm_model *model;
    int64_t n;
    float *pixels, *latent, *output;
    int64_t *timesteps, *labels;
} step;

static size_t latent_size(const bench_model *m, int64_t n)
{
    return (size_t)(n * m->channels * m->side * m->side);
}

static size_t pixel_size(const bench_model *m, int64_t n)
{
    return (size_t)(n * 3 * m->resolution * m->resolution);
}

static int encode(void *user)
{
    step *s = user;
    return bench_ok(s->m, mdldm_encode(s->m->ctx, s->model, s->pixels, s->n, s->m->resolution, s->m->resolution,
                                       s->output, latent_size(s->m, s->n)), "encode");
}

static int predict(void *user)
{
    step *s = user;
    return bench_ok(s->m, mdldm_predict(s->m->ctx, s->model, s->latent, s->n, s->m->side, s->m->side, s->timesteps,
                                        s->labels, s->output, latent_size(s->m, s->n)), "predict");
}

static int decode(void *user)
{
    step *s = user;
    return bench_ok(s->m, mdldm_decode(s->m->ctx, s->model, s->latent, s->n, s->m->side, s->m->side, s->pixels,
                                       pixel_size(s->m, s->n)), "decode");
}

static int step_open(step *s, bench_model *m, mdldm_model *model, int64_t n)
{
    *s = (step){.m = m, .model = model, .n = n};
    s->pixels = calloc(pixel_size(m, n), sizeof *s->pixels);
    s->latent = calloc(latent_size(m, n), sizeof *s->latent);
    s->output = calloc(latent_size(m, n), sizeof *s->output);
    s->timesteps = calloc((size_t)n, sizeof *s->timesteps);
    s->labels = m->classes > 0 ? calloc((size_t)n, sizeof *s->labels) : NULL;
    if (s->pixels == NULL || s->latent == NULL || s->output == NULL || s->timesteps == NULL)
        return 0;
    for (size_t i = 0; i < pixel_size(m, n); i++)
        s->pixels[i] = (float)(i * 7919 % 2003) / 1001.5f - 1.0f;
    for (size_t i = 0; i < latent_size(m, n); i++)
        s->latent[i] = (float)(i * 7919 % 2003) / 500.75f - 2.0f;
    for (int64_t i = 0; i < n; i++)
        s->timesteps[i] = 500;
    return 1;
}

static void step_close(step *s)
{
    free(s->pixels);
    free(s->latent);
    free(s->output);
    free(s->timesteps);
    free(s->labels);
}

/* One kind of step at the precision in force. */
static int run_step(bench_model *m, mdldm_model *model, const char *part, const char *name, int32_t precision,
                    int64_t n, int32_t threads, const bench_peaks *p, double *median)
{
    bench_row row = {.precision = precision, .batch = n, .threads = threads};
    step s;
    const int kind = strncmp(name, "encode", 6) == 0 ? 0 : strncmp(name, "decode", 6) == 0 ? 2 : 1;
    snprintf(row.part, sizeof row.part, "%s", part);
    snprintf(row.name, sizeof row.name, "%s", name);
    row.flops = 2.0 * (double)n * (kind == 0 ? m->macs_encode : kind == 1 ? m->macs_predict : m->macs_decode);
    if (!bench_wanted(m->o, row.name))
        return 1;
    int ok = step_open(&s, m, model, n) &&
             bench_repeat(m->o, &row, kind == 0 ? encode : kind == 1 ? predict : decode, &s);
    step_close(&s);
    if (ok)
        bench_report_row(m->report, &row, p);
    if (median != NULL)
        *median = row.median;
    return ok;
}

static int run_batches(bench_model *m, mdldm_model *model, int32_t precision)
{
    char name[64];
    int ok = 1;
    for (int32_t i = 0; ok && i < m->o->batch_count; i++) {
        snprintf(name, sizeof name, "denoise step batch %lld", (long long)m->o->batches[i]);
        ok = run_step(m, model, "step", name, precision, m->o->batches[i], m->o->threads, m->peaks, NULL);
    }
    return ok && run_step(m, model, "step", "encode batch 1", precision, 1, m->o->threads, m->peaks, NULL) &&
           run_step(m, model, "step", "decode batch 1", precision, 1, m->o->threads, m->peaks, NULL);
}

int bench_steps(bench_model *m)
{
    bench_report_heading(m->report, "whole steps");
    for (int32_t k = BENCH_F32; k <= BENCH_BF16; k++)
        if (m->o->precisions >> k & 1 &&
            (!bench_ok(m, mdldm_context_set_precision(m->ctx, bench_precision_name(k)), "precision") ||
             !run_batches(m, m->model, k)))
            return 0;
    if (m->o->int8_model == NULL || (m->o->precisions >> BENCH_INT8 & 1) == 0)
        return 1;
    mdldm_model *quantized = NULL;
    /* What is not in eight bits is in bf16. */
    int ok = bench_ok(m, mdldm_context_set_precision(m->ctx, "bf16"), "precision") &&
             bench_ok(m, mdldm_model_load(m->ctx, m->o->int8_model, &quantized), "load") &&
             run_batches(m, quantized, BENCH_INT8);
    mdldm_model_free(quantized);
    return ok;
}

int bench_scaling(bench_model *m, const bench_peaks *single)
{
    const struct {
        const char *name;
        int64_t batch;
    } kinds[] = {{"denoise step batch 1", 1}, {"denoise step batch 4", 4}, {"decode batch 1", 1}};
    char note[128];
    bench_report_heading(m->report, "thread scaling");
    for (int32_t k = BENCH_F32; k <= BENCH_BF16; k++)
        for (size_t i = 0; (m->o->precisions >> k & 1) && i < sizeof kinds / sizeof *kinds; i++) {
            double times[2] = {0.0, 0.0};
            for (int many = 0; many < 2; many++) {
                const int32_t threads = many ? m->o->threads : 1;
                char name[80];
                snprintf(name, sizeof name, "%s, %d thread%s", kinds[i].name, (int)threads, many ? "s" : "");
                if (!bench_ok(m, mdldm_context_set_precision(m->ctx, bench_precision_name(k)), "precision") ||
                    !bench_ok(m, mdldm_context_set_threads(m->ctx, threads), "threads") ||
                    !run_step(m, m->model, "scaling", name, k, kinds[i].batch, threads, many ? m->peaks : single,
                              &times[many]))
                    return 0;
            }
            if (times[1] > 0.0) {
                snprintf(note, sizeof note, "%.2fx", times[0] / times[1]);
                bench_report_note(m->report, note);
            }
        }
    return bench_ok(m, mdldm_context_set_threads(m->ctx, m->o->threads), "threads");
}
