/* SPDX-License-Identifier: MIT
 * A fresh process from its birth to the end of the first denoise step, and the memory it took at most.
 * The files are in the page cache: it is the library's own start-up that is measured. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

typedef struct cold_times {
    double loaded, first, second, memory; /* seconds since birth; MiB */
} cold_times;

static double monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* In the child: prints the four numbers. */
int bench_cold_child(const bench_options *o)
{
    bench_model m = {.o = o};
    int64_t timestep = 500, label = 0, resolution = 0, factor = 1;
    const int32_t precision = o->precisions & (1 << BENCH_F32) ? BENCH_F32 : BENCH_BF16;
    cold_times t;
    int ok = mdldm_context_create(&m.ctx) == MDLDM_OK &&
             bench_ok(&m, mdldm_context_use_backend(m.ctx, o->backend), "backend") &&
             bench_ok(&m, mdldm_context_set_threads(m.ctx, o->threads), "threads") &&
             bench_ok(&m, mdldm_context_set_precision(m.ctx, bench_precision_name(precision)), "precision") &&
             bench_ok(&m, mdldm_model_load(m.ctx, o->cold, &m.model), "load") &&
             bench_ok(&m, mdldm_model_get_int(m.ctx, m.model, "resolution", &resolution), "resolution") &&
             bench_ok(&m, mdldm_model_get_int(m.ctx, m.model, "latent_factor", &factor), "factor") &&
             bench_ok(&m, mdldm_model_get_int(m.ctx, m.model, "latent_channels", &m.channels), "channels") &&
             bench_ok(&m, mdldm_model_get_int(m.ctx, m.model, "num_classes", &m.classes), "classes");
    if (!ok)
        return 0;
    m.side = resolution / factor;
    const size_t size = (size_t)(m.channels * m.side * m.side);
    float *latent = calloc(size, sizeof *latent), *output = calloc(size, sizeof *output);
    double *steps[2] = {&t.first, &t.second};
    t.loaded = monotonic() - o->born;
    for (int i = 0; ok && i < 2; i++) {
        ok = latent != NULL && output != NULL &&
             bench_ok(&m, mdldm_predict(m.ctx, m.model, latent, 1, m.side, m.side, &timestep,
                                        m.classes > 0 ? &label : NULL, output, size), "predict");
        *steps[i] = monotonic() - o->born;
    }
    t.memory = bench_resident();
    if (ok)
        printf("%.6f %.6f %.6f %.3f\n", t.loaded, t.first, t.second, t.memory);
    free(latent);
    free(output);
    mdldm_model_free(m.model);
    mdldm_context_free(m.ctx);
    return ok;
}

static int run_child(const bench_model *m, const char *folder, int32_t precision, cold_times *t)
{
    int ends[2];
    char born[64], threads[16], text[128];
    if (pipe(ends) != 0)
        return 0;
    snprintf(threads, sizeof threads, "%d", (int)m->o->threads);
    snprintf(born, sizeof born, "%.9f", monotonic());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "bench", "--cold", folder, "--born", born, "--precision",
              bench_precision_name(precision), "--threads", threads, "--backend", m->o->backend, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    int ok = child > 0 && f != NULL && fgets(text, sizeof text, f) != NULL &&
             sscanf(text, "%lf %lf %lf %lf", &t->loaded, &t->first, &t->second, &t->memory) == 4;
    if (f != NULL)
        fclose(f);
    int status = 0;
    if (child > 0)
        waitpid(child, &status, 0);
    return ok && status == 0;
}

/* "start": all that comes before a step is under way, the first step's surplus over the second included. */
static int run_cold(bench_model *m, const char *folder, int32_t precision)
{
    enum { RUNS = 3 };
    double starts[RUNS], firsts[RUNS], memory = 0.0;
    for (int i = 0; i < RUNS; i++) {
        cold_times t;
        if (!run_child(m, folder, precision, &t)) {
            fprintf(stderr, "bench: the process of its own for %s failed\n", folder);
            return 0;
        }
        firsts[i] = t.first;
        starts[i] = t.first - (t.second - t.first);
        memory = t.memory > memory ? t.memory : memory;
    }
    bench_row row = {.part = "cold", .precision = precision, .batch = 1, .threads = m->o->threads};
    snprintf(row.name, sizeof row.name, "process to end of first step");
    bench_take(&row, firsts, RUNS);
    row.memory = memory;
    bench_report_row(m->report, &row, NULL);
    snprintf(row.name, sizeof row.name, "process to first step, start-up alone");
    bench_take(&row, starts, RUNS);
    row.memory = 0.0;
    bench_report_row(m->report, &row, NULL);
    return 1;
}

int bench_cold(bench_model *m)
{
    bench_report_heading(m->report, "a fresh process");
    for (int32_t k = BENCH_F32; k < BENCH_PRECISIONS; k++) {
        const char *folder = k == BENCH_INT8 ? m->o->int8_model : m->folder;
        if ((m->o->precisions >> k & 1) && folder != NULL && !run_cold(m, folder, k))
            return 0;
    }
    return 1;
}
