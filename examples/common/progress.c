/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BAR_SECONDS 0.1   /* between two drawings of a bar */
#define LINE_SECONDS 10.0 /* between two plain lines */

double progress_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, const char *label, const char *unit, int64_t first, int64_t total, int silent)
{
    *p = (progress){ .label = label, .unit = unit, .total = total, .first = first, .silent = silent };
    p->started = progress_clock();
    p->shown = -1e9;
    p->terminal = isatty(STDERR_FILENO);
}

static void duration(double seconds, char *text, size_t size)
{
    long s = (long)(seconds + 0.5);

    if (s < 3600) {
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
    } else {
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    }
}

static void bar(const progress *p, int64_t done, char *text, size_t size)
{
    enum { CELLS = 20 };
    char cells[CELLS + 1];
    int full = p->total > 0 ? (int)(CELLS * done / p->total) : 0;

    for (int i = 0; i < CELLS; i++) {
        cells[i] = i < full ? '#' : '.';
    }
    cells[CELLS] = '\0';
    snprintf(text, size, "[%s] ", cells);
}

void progress_update(progress *p, int64_t done, const char *note)
{
    double now = progress_clock(), elapsed = now - p->started;
    int last = done == p->total;
    char line[512], cells[32] = "", passed[24], left[24] = "?", speed[48];

    if (p->silent || (!last && now - p->shown < (p->terminal ? BAR_SECONDS : LINE_SECONDS))) {
        return;
    }
    p->shown = now;
    double rate = elapsed > 0.0 ? (double)(done - p->first) / elapsed : 0.0;
    duration(elapsed, passed, sizeof passed);
    if (rate > 0.0 && p->total > 0) {
        duration((double)(p->total - done) / rate, left, sizeof left);
    }
    if (rate >= 1.0 || rate <= 0.0) {
        snprintf(speed, sizeof speed, "%.1f %s/s", rate, p->unit);
    } else {
        snprintf(speed, sizeof speed, "%.1f s/%s", 1.0 / rate, p->unit);
    }
    if (p->terminal) {
        bar(p, done, cells, sizeof cells);
    }
    if (p->total > 0) {
        snprintf(line, sizeof line, "%s %s%lld/%lld  %s  %s, %s left%s%s", p->label, cells, (long long)done,
                 (long long)p->total, speed, passed, left, note[0] != '\0' ? "  " : "", note);
    } else {
        snprintf(line, sizeof line, "%s %lld  %s  %s  %s", p->label, (long long)done, speed, passed, note);
    }
    if (!p->terminal) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    struct winsize window;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 20 ? window.ws_col : 80;
    fprintf(stderr, "\r%.*s\033[K", width - 1, line);
    fflush(stderr);
    p->open = 1;
    if (last) {
        progress_break(p);
    }
}

void progress_break(progress *p)
{
    if (p->open) {
        fputc('\n', stderr);
        p->open = 0;
    }
}
