/* SPDX-License-Identifier: MIT
 * Progress on standard error: a bar with rate and time left on a terminal, else a line at times. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>

typedef struct progress {
    const char *label, *unit;
    int64_t total, first;
    double started, shown;
    int silent, terminal, open;
} progress;

/* first: how many are done already (a resumed run); total 0: unknown. */
void progress_start(progress *p, const char *label, const char *unit, int64_t first, int64_t total, int silent);
/* note: loss terms and the like, may be "". The last one (done == total) is always shown. */
void progress_update(progress *p, int64_t done, const char *note);
/* Closes the bar's line, so that other text can follow; the bar may go on after it. */
void progress_break(progress *p);

double progress_clock(void);

#endif
