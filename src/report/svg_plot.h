/* SPDX-License-Identifier: MIT
 * What the plots share: a frame with ticks in a drawing of fixed width that the browser scales. Colours come from the
 * page's style: classes s0..s5 fill, l0..l5 stroke, in a light and a dark version. */
#ifndef MDLDM_REPORT_SVG_PLOT_H
#define MDLDM_REPORT_SVG_PLOT_H

#include "report/report.h"
#include "report/report_text.h"

#define MDLDM__SVG_COLOURS 6
#define MDLDM__SVG_WIDTH 720.0

typedef struct mdldm__plot {
    mdldm__text *t;
    double left, right, top, bottom; /* of the frame, in the drawing's units */
    double x_low, x_high, y_low, y_high; /* what they stand for */
} mdldm__plot;

/* Widens *low..*high to hold the numbers among values. */
void mdldm__range_hold(double *low, double *high, const double *values, int64_t count);
/* A step of 1, 2 or 5 by a power of ten that leaves at most `most` ticks. */
double mdldm__tick_step(double low, double high, int most);

/* pattern with each # replaced by the next of numbers. */
void mdldm__svg_shape(mdldm__text *t, const char *pattern, const double *numbers);
/* An element's text, shortened to `most` characters, with the whole as its tooltip where it was. */
void mdldm__svg_name(mdldm__text *t, const char *name, int most);

double mdldm__plot_x(const mdldm__plot *p, double x);
double mdldm__plot_y(const mdldm__plot *p, double y);

/* Opens the drawing with frame, ticks of y and labels; points NULL: x is an axis of numbers, else the names under
 * equal shares of the width. The ranges are rounded outwards to ticks in y. */
void mdldm__plot_open(mdldm__plot *p, mdldm__text *t, const mdldm__figure *f, int numeric_x);
void mdldm__plot_close(mdldm__plot *p);

/* One figure each, finished drawings. */
void mdldm__svg_lines(mdldm__text *t, const mdldm__figure *f);
void mdldm__svg_samples(mdldm__text *t, const mdldm__figure *f);
void mdldm__svg_bars(mdldm__text *t, const mdldm__figure *f);
void mdldm__svg_matrix(mdldm__text *t, const mdldm__figure *f);

#endif
