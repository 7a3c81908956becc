/* SPDX-License-Identifier: MIT
 * What an evaluation found, in sections of figures, and how it is written: as JSON for programs, as one HTML file
 * without scripts or outside resources for people. */
#ifndef MDLDM_REPORT_REPORT_H
#define MDLDM_REPORT_REPORT_H

#include <jansson.h>

#include "util/env.h"

typedef enum mdldm__figure_kind {
    MDLDM__FIGURE_VALUE,   /* series 1, points 1 */
    MDLDM__FIGURE_TABLE,   /* a column per series, a row per point */
    MDLDM__FIGURE_LINES,   /* a line per series over x, a band from low to high */
    MDLDM__FIGURE_SAMPLES, /* a box and its dots per point and series: counts values each */
    MDLDM__FIGURE_BARS,    /* a group per point, a bar per series, an interval from low to high */
    MDLDM__FIGURE_MATRIX,  /* a row per series, a column per point; coloured by the share of the row's sum */
    MDLDM__FIGURE_PICTURE
} mdldm__figure_kind;

/* Texts are UTF-8 of any content; what is not UTF-8 is shown as U+FFFD. NaN and infinities: there is no number. */
typedef struct mdldm__figure {
    mdldm__figure_kind kind;
    const char *key;   /* for programs; unique within the report */
    const char *title; /* for people */
    const char *text;  /* what it is, what would be good or bad */
    const char *x_label, *y_label; /* may be NULL */
    int64_t series, points;
    const char *const *series_names; /* [series]; NULL: none */
    const char *const *point_names;  /* [points]; NULL: none */
    const double *x;                 /* [points], LINES */
    const double *values;            /* [series][points]; SAMPLES: one after the other in this order */
    const double *low, *high;        /* [series][points], or NULL */
    const int64_t *counts;           /* [series][points], SAMPLES */
    const uint8_t *rgb;              /* [height][width][3], PICTURE */
    int64_t height, width;
} mdldm__figure;

typedef struct mdldm__section {
    char *key, *title, *text;
    mdldm__figure *figures; /* all that they point to is the report's */
    int64_t count;
} mdldm__section;

typedef struct mdldm__report {
    mdldm__env *env;
    char *title;
    mdldm__section *sections;
    int64_t count;
} mdldm__report;

/* A report starts as {.env = env}, and is freed also after a failure. */
mdldm_status mdldm__report_title(mdldm__report *r, const char *title);
/* Figures that follow belong to it. */
mdldm_status mdldm__report_section(mdldm__report *r, const char *key, const char *title, const char *text);
/* Copies the figure with all it points to. */
mdldm_status mdldm__report_add(mdldm__report *r, const mdldm__figure *f);
void mdldm__report_free(mdldm__report *r);

/* NULL: out of memory. "values" has every VALUE by key, "tables" every table and bars: {key: {row: {column: number}}}. */
json_t *mdldm__report_tree(const mdldm__report *r);
/* Freed with mdldm__free. */
mdldm_status mdldm__report_html(const mdldm__report *r, char **text, size_t *size);

#endif
