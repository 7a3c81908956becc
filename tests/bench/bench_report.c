/* SPDX-License-Identifier: MIT
 * Rows to the terminal, to a file of JSON lines, and against an earlier file. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

struct bench_report {
    const bench_options *o;
    FILE *file;
    json_t *before; /* key -> row of the earlier run, or NULL */
    int32_t compared, faster, slower;
    int failed;
};

int bench_wanted(const bench_options *o, const char *name)
{
    return strstr(name, o->filter) != NULL;
}

/* What makes two rows the same measurement. */
static void make_key(const char *part, const char *name, const char *precision, int64_t batch, int64_t threads,
                     const char *clock, char *key, size_t size)
{
    snprintf(key, size, "%s|%s|%s|%lld|%lld|%s", part, name, precision, (long long)batch, (long long)threads, clock);
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

static int load_before(bench_report *r, const char *path)
{
    char key[512];
    json_error_t error;
    FILE *f = fopen(path, "r");
    if (f == NULL || (r->before = json_object()) == NULL) {
        fprintf(stderr, "bench: cannot read %s\n", path);
        if (f != NULL)
            fclose(f);
        return 0;
    }
    json_t *row;
    while ((row = json_loadf(f, JSON_DISABLE_EOF_CHECK, &error)) != NULL) {
        make_key(text_of(row, "part"), text_of(row, "name"), text_of(row, "precision"),
                 json_integer_value(json_object_get(row, "batch")),
                 json_integer_value(json_object_get(row, "threads")), text_of(row, "clock"), key, sizeof key);
        json_object_set_new(r->before, key, row);
    }
    int whole = feof(f) != 0;
    fclose(f);
    if (!whole)
        fprintf(stderr, "bench: %s: %s\n", path, error.text);
    return whole;
}

static void first_line(const char *path, const char *start, char *text, size_t size)
{
    char line[256];
    FILE *f = fopen(path, "r");
    text[0] = '\0';
    while (f != NULL && text[0] == '\0' && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, start, strlen(start)) == 0) {
            const char *value = line + strlen(start);
            value += strspn(value, "\t: ");
            snprintf(text, size, "%.*s", (int)strcspn(value, "\n"), value);
        }
    if (f != NULL)
        fclose(f);
}

static void write_line(bench_report *r, json_t *line)
{
    if (line == NULL || (r->file != NULL && (json_dumpf(line, r->file, JSON_COMPACT) != 0 ||
                                             fputc('\n', r->file) == EOF || fflush(r->file) != 0)))
        r->failed = 1;
    json_decref(line);
}

bench_report *bench_report_open(const bench_options *o)
{
    char processor[200], load[64], date[32];
    time_t now = time(NULL);
    struct tm utc;
    bench_report *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->o = o;
    if (o->compare != NULL && !load_before(r, o->compare))
        return NULL;
    if (o->json != NULL && (r->file = fopen(o->json, "w")) == NULL) {
        fprintf(stderr, "bench: cannot write %s\n", o->json);
        return NULL;
    }
    first_line("/proc/cpuinfo", "model name", processor, sizeof processor);
    first_line("/proc/loadavg", "", load, sizeof load);
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    load[strcspn(load, " ")] = '\0';
    printf("libmdldm %s %s, %s, %d thread%s, load %s, %s\n", mdldm_version(), o->label, processor, (int)o->threads,
           o->threads > 1 ? "s" : "", load, date);
    write_line(r, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s}", "part", "run", "version", mdldm_version(),
                            "label", o->label, "processor", processor, "load", load, "date", date, "threads",
                            (int)o->threads, "preset", o->preset));
    return r;
}

void bench_report_heading(bench_report *r, const char *text)
{
    (void)r;
    printf("\n%s\n", text);
}

void bench_report_note(bench_report *r, const char *text)
{
    (void)r;
    printf("  %s\n", text);
    fflush(stdout);
}

static double ratio_to_before(bench_report *r, const bench_row *row, int *beyond)
{
    char key[512];
    *beyond = 0;
    if (r->before == NULL)
        return 0.0;
    make_key(row->part, row->name, bench_precision_name(row->precision), row->batch, row->threads,
             r->o->cpu_time ? "cpu" : "wall", key, sizeof key);
    const json_t *old = json_object_get(r->before, key);
    const double median = json_number_value(json_object_get(old, "median"));
    if (old == NULL || median <= 0.0 || row->median <= 0.0)
        return 0.0;
    *beyond = row->low > json_number_value(json_object_get(old, "max")) ||
              row->high < json_number_value(json_object_get(old, "min"));
    return strcmp(row->part, "peak") == 0 ? row->median / median : median / row->median;
}

static void print_ratio(bench_report *r, double ratio, int beyond)
{
    if (ratio <= 0.0)
        return;
    r->compared++;
    r->faster += beyond && ratio > 1.0;
    r->slower += beyond && ratio < 1.0;
    printf("  %.2fx%s", ratio, !beyond ? "" : ratio > 1.0 ? " faster" : " SLOWER");
}

/* Share of the roof that the row is under: arithmetic where work is stated, else memory or cache. */
static double percent_of_peak(const bench_row *row, const bench_peaks *p, const char **of)
{
    const double last_cache = 24e6;
    *of = "";
    if (p == NULL || row->median <= 0.0)
        return 0.0;
    if (row->flops > 0.0) {
        const int32_t k = row->precision >= 0 && p->compute[row->precision] > 0.0 ? row->precision : BENCH_F32;
        *of = bench_precision_name(k);
        return p->compute[k] > 0.0 ? 100e-9 * row->flops / row->median / p->compute[k] : 0.0;
    }
    if (row->bytes > 0.0) {
        const double roof = row->bytes < last_cache ? p->cache : p->memory;
        *of = row->bytes < last_cache ? "cache" : "memory";
        return roof > 0.0 ? 100e-9 * row->bytes / row->median / roof : 0.0;
    }
    return 0.0;
}

void bench_report_row(bench_report *r, const bench_row *row, const bench_peaks *p)
{
    const char *of;
    const double percent = percent_of_peak(row, p, &of);
    int beyond;
    const double ratio = ratio_to_before(r, row, &beyond);
    char name[160];
    if (row->uses > 0)
        snprintf(name, sizeof name, "%2lldx %s", (long long)row->uses, row->name);
    else
        snprintf(name, sizeof name, "%s %s", row->name, bench_precision_name(row->precision));
    printf("  %-50s %10.3f ms (%.3f..%.3f)", name, 1e3 * row->median, 1e3 * row->low, 1e3 * row->high);
    if (row->flops > 0.0)
        printf(" %8.1f GFLOP/s", 1e-9 * row->flops / row->median);
    else if (row->bytes > 0.0)
        printf(" %8.1f GB/s   ", 1e-9 * row->bytes / row->median);
    if (percent > 0.0)
        printf(" %5.1f%% of %s", percent, of);
    if (row->memory > 0.0)
        printf("  %.0f MiB", row->memory);
    print_ratio(r, ratio, beyond);
    printf("\n");
    fflush(stdout);
    json_t *line = json_pack("{s:s, s:s, s:s, s:I, s:i, s:s, s:f, s:f, s:f, s:i}", "part", row->part, "name", row->name,
                             "precision", bench_precision_name(row->precision), "batch", (json_int_t)row->batch,
                             "threads", (int)row->threads, "clock", r->o->cpu_time ? "cpu" : "wall", "median",
                             row->median, "min", row->low, "max", row->high, "rounds", (int)row->rounds);
    const struct {
        const char *key;
        double value;
    } more[] = {{"uses", (double)row->uses},
                {"gflops", row->flops > 0.0 ? 1e-9 * row->flops / row->median : 0.0},
                {"gbytes_per_second", row->bytes > 0.0 ? 1e-9 * row->bytes / row->median : 0.0},
                {"percent_of_peak", percent},
                {"peak_mib", row->memory},
                {"ratio", ratio}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (more[i].value > 0.0)
            json_object_set_new(line, more[i].key, json_real(more[i].value));
    write_line(r, line);
}

void bench_report_peaks(bench_report *r, int32_t threads, const bench_peaks *p)
{
    const struct {
        const char *name, *unit;
        double value;
    } rows[] = {{"f32 multiply-add", "GFLOP/s", p->compute[BENCH_F32]},
                {"bf16 dot product", "GFLOP/s", p->compute[BENCH_BF16]},
                {"int8 dot product", "GOP/s", p->compute[BENCH_INT8]},
                {"triad in memory", "GB/s", p->memory},
                {"triad in the last cache", "GB/s", p->cache}};
    printf("\npeaks of %d thread%s\n", (int)threads, threads > 1 ? "s" : "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_row row = {.part = "peak", .precision = -1, .threads = threads, .rounds = 1};
        int beyond;
        if (rows[i].value <= 0.0)
            continue;
        snprintf(row.name, sizeof row.name, "%s", rows[i].name);
        row.median = row.low = row.high = rows[i].value;
        double ratio = ratio_to_before(r, &row, &beyond);
        printf("  %-50s %10.1f %s", row.name, row.median, rows[i].unit);
        print_ratio(r, ratio, 0);
        printf("\n");
        write_line(r, json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:f, s:f, s:f, s:s}", "part", "peak", "name", row.name,
                                "precision", "", "batch", 0, "threads", (int)threads, "clock",
                                r->o->cpu_time ? "cpu" : "wall", "median", row.median, "min", row.median, "max",
                                row.median, "unit", rows[i].unit));
    }
    fflush(stdout);
}

int bench_report_close(bench_report *r)
{
    int ok = !r->failed;
    if (r->before != NULL)
        printf("\n%d rows compared with %s: %d faster and %d slower beyond both spreads\n", (int)r->compared,
               r->o->compare, (int)r->faster, (int)r->slower);
    if (r->file != NULL && fclose(r->file) != 0)
        ok = 0;
    if (!ok)
        fprintf(stderr, "bench: %s could not be written\n", r->o->json);
    json_decref(r->before);
    free(r);
    return ok;
}
