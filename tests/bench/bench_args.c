/* SPDX-License-Identifier: MIT
 * The command line. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const char usage[] =
    "bench [OPTION]... [FILTER]\n"
    "Measures the machine's peaks, then the operations and whole steps of a preset against them.\n"
    "FILTER: only rows whose name holds this text.\n"
    "  --preset ldm-256|small|tiny  whose shapes (ldm-256)\n"
    "  --parts LIST        of ops,steps,train,cold,scaling (all but train)\n"
    "  --precision LIST    of f32,bf16,int8 (f32,bf16); int8 needs --int8-model\n"
    "  --batch LIST        batches of the steps; operations take the first (1,4,16)\n"
    "  --train-batch N     batch of training steps (2)\n"
    "  --backward          operations of the training graph at --train-batch, backward ones too\n"
    "  --threads N         (one per processor)\n"
    "  --cpu-time          processor time instead of elapsed: for one thread on a busy machine\n"
    "  --seconds S         time for one row, at least 3 rounds (0.5)\n"
    "  --backend NAME      cpu or reference (cpu)\n"
    "  --model DIR         this model for the steps instead of a fresh one of the preset\n"
    "  --int8-model DIR    one that mdldm-quantize wrote\n"
    "  --json FILE         one JSON object a line: the run, then its rows\n"
    "  --compare FILE      a file of --json: ratios, and which lie beyond both runs' spread\n"
    "  --label TEXT        kept in the file: a commit, say\n";

static const char *const part_names[] = {"ops", "steps", "train", "cold", "scaling", NULL};
static const char *const precision_names[] = {"f32", "bf16", "int8", NULL};

const char *bench_precision_name(int32_t precision)
{
    return precision >= 0 && precision < BENCH_PRECISIONS ? precision_names[precision] : "";
}

/* Bits of the names in a list separated by commas; 0: one is unknown. */
static int32_t read_names(const char *list, const char *const *names)
{
    int32_t bits = 0;
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        int32_t k = 0;
        while (names[k] != NULL && (strlen(names[k]) != length || strncmp(names[k], list, length) != 0))
            k++;
        if (names[k] == NULL)
            return 0;
        bits |= 1 << k;
        list += length + (list[length] == ',');
    }
    return bits;
}

static int read_batches(bench_options *o, const char *list)
{
    char *end;
    o->batch_count = 0;
    do {
        int64_t n = strtoll(list, &end, 10);
        if (end == list || n < 1 || o->batch_count == BENCH_MAX_BATCHES)
            return 0;
        o->batches[o->batch_count++] = n;
        list = end + 1;
    } while (*end == ',');
    return *end == '\0';
}

/* An option with a value; 0: no such option or a bad value. */
static int read_value(bench_options *o, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {{"preset", &o->preset}, {"backend", &o->backend}, {"model", &o->model},
                 {"json", &o->json},     {"compare", &o->compare}, {"int8-model", &o->int8_model},
                 {"label", &o->label},   {"cold", &o->cold}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(key, texts[i].key) == 0) {
            *texts[i].to = value;
            return 1;
        }
    if (strcmp(key, "parts") == 0)
        return (o->parts = read_names(value, part_names)) != 0;
    if (strcmp(key, "precision") == 0)
        return (o->precisions = read_names(value, precision_names)) != 0;
    if (strcmp(key, "batch") == 0)
        return read_batches(o, value);
    if (strcmp(key, "threads") == 0)
        return (o->threads = atoi(value)) > 0;
    if (strcmp(key, "train-batch") == 0)
        return (o->train_batch = atoll(value)) > 0;
    if (strcmp(key, "seconds") == 0)
        return (o->seconds = strtod(value, NULL)) >= 0.0;
    if (strcmp(key, "born") == 0)
        return (o->born = strtod(value, NULL)) > 0.0;
    return 0;
}

int bench_args(int argc, char **argv, bench_options *o, int *status)
{
    *o = (bench_options){.threads = (int32_t)sysconf(_SC_NPROCESSORS_ONLN),
                         .parts = BENCH_OPS | BENCH_STEPS | BENCH_COLD | BENCH_SCALING,
                         .precisions = 1 << BENCH_F32 | 1 << BENCH_BF16,
                         .batches = {1, 4, 16},
                         .batch_count = 3,
                         .train_batch = 2,
                         .seconds = 0.5,
                         .filter = "",
                         .preset = "ldm-256",
                         .backend = "cpu",
                         .label = ""};
    *status = 0;
    for (int i = 1; i < argc; i++) {
        const char *key = argv[i];
        if (strcmp(key, "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(key, "--cpu-time") == 0)
            o->cpu_time = 1;
        else if (strcmp(key, "--backward") == 0)
            o->backward = 1;
        else if (strncmp(key, "--", 2) != 0)
            o->filter = key;
        else if (i + 1 == argc || !read_value(o, key + 2, argv[++i])) {
            fprintf(stderr, "bench: %s: no such option, or not a value for it; --help lists them\n", key);
            *status = 2;
            return 0;
        }
    }
    return 1;
}
