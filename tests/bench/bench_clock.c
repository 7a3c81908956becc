/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

double bench_now(const bench_options *o)
{
    struct timespec t;
    clock_gettime(o->cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_resident(void)
{
    char line[256];
    double kib = 0.0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtod(line + 6, NULL);
    if (f != NULL)
        fclose(f);
    return kib / 1024.0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_take(bench_row *row, double *times, int32_t count)
{
    qsort(times, (size_t)count, sizeof *times, compare);
    row->rounds = count;
    row->median = count % 2 ? times[count / 2] : 0.5 * (times[count / 2 - 1] + times[count / 2]);
    row->low = times[0];
    row->high = times[count - 1];
}

int bench_repeat(const bench_options *o, bench_row *row, int (*function)(void *), void *user)
{
    double times[BENCH_MAX_ROUNDS], spent = 0.0;
    int32_t count = 0;
    if (!function(user))
        return 0;
    while (count < BENCH_MAX_ROUNDS && (count < 3 || spent < o->seconds)) {
        double start = bench_now(o);
        if (!function(user))
            return 0;
        times[count] = bench_now(o) - start;
        spent += times[count++];
    }
    bench_take(row, times, count);
    return 1;
}
