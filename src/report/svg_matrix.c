/* SPDX-License-Identifier: MIT
 * A matrix of counts as a heat map: numbers are counts, colour is the share of the row. */
#include <math.h>

#include "report/svg_plot.h"

#define MARGIN 110.0
#define FOOT 84.0

static void name(mdldm__text *t, const char *const *names, int64_t i)
{
    if (names != NULL)
        mdldm__svg_name(t, names[i], 14);
    mdldm__text_markup(t, "</text>\n");
}

static void label(mdldm__text *t, const char *text)
{
    mdldm__text_escaped(t, text);
    mdldm__text_markup(t, "</text>\n");
}

static void row(mdldm__text *t, const mdldm__figure *f, int64_t s, double cell)
{
    const double *counts = f->values + s * f->points, y = 4.0 + cell * (double)s;
    double sum = 0.0;
    for (int64_t i = 0; i < f->points; i++)
        sum += isfinite(counts[i]) ? counts[i] : 0.0;
    mdldm__svg_shape(t, "<text text-anchor=\"end\" x=\"#\" y=\"#\">", (double[]){MARGIN - 6.0, y + 0.5 * cell + 4.0});
    name(t, f->series_names, s);
    for (int64_t i = 0; i < f->points; i++) {
        const double x = MARGIN + cell * (double)i, share = sum > 0.0 && isfinite(counts[i]) ? counts[i] / sum : 0.0;
        mdldm__svg_shape(t, "<rect class=\"cell s0\" x=\"#\" y=\"#\" width=\"#\" height=\"#\" fill-opacity=\"#\"/>",
                         (double[]){x, y, cell, cell, 0.65 * fmax(0.0, share)});
        mdldm__svg_shape(t, "<text class=\"count\" text-anchor=\"middle\" x=\"#\" y=\"#\">",
                         (double[]){x + 0.5 * cell, y + 0.5 * cell + 4.0});
        mdldm__text_number(t, counts[i], 4);
        mdldm__text_markup(t, "</text>\n");
    }
}

void mdldm__svg_matrix(mdldm__text *t, const mdldm__figure *f)
{
    const double cell = fmin(52.0, (MDLDM__SVG_WIDTH - MARGIN - 20.0) / (double)f->points);
    const double right = MARGIN + cell * (double)f->points, bottom = 4.0 + cell * (double)f->series;
    mdldm__svg_shape(t, "<svg class=\"matrix\" viewBox=\"0 0 # #\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">",
                     (double[]){MDLDM__SVG_WIDTH, bottom + FOOT});
    mdldm__text_markup(t, "<title>");
    mdldm__text_escaped(t, f->title);
    mdldm__text_markup(t, "</title>\n");
    for (int64_t s = 0; s < f->series; s++)
        row(t, f, s, cell);
    for (int64_t i = 0; i < f->points; i++) {
        mdldm__svg_shape(t, "<text text-anchor=\"end\" transform=\"translate(#,#) rotate(-35)\">",
                         (double[]){MARGIN + cell * ((double)i + 0.5) + 4.0, bottom + 12.0});
        name(t, f->point_names, i);
    }
    mdldm__svg_shape(t, "<text text-anchor=\"middle\" x=\"#\" y=\"#\">",
                     (double[]){0.5 * (MARGIN + right), bottom + FOOT - 6.0});
    label(t, f->x_label);
    mdldm__svg_shape(t, "<text text-anchor=\"middle\" transform=\"translate(14,#) rotate(-90)\">",
                     (double[]){0.5 * bottom});
    label(t, f->y_label);
    mdldm__text_markup(t, "</svg>\n");
}
