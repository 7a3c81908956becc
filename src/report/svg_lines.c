/* SPDX-License-Identifier: MIT
 * Lines over a common x, each with its band; both are broken where there is no number. */
#include <math.h>

#include "report/svg_plot.h"

static int there(const mdldm__figure *f, const double *y, int64_t i)
{
    return i >= 0 && i < f->points && isfinite(f->x[i]) && isfinite(y[i]);
}

static void band(const mdldm__plot *p, const mdldm__figure *f, int64_t s)
{
    const double *low = f->low + s * f->points, *high = f->high + s * f->points;
    for (int64_t first = 0, end; first < f->points; first = end + 1) {
        for (end = first; there(f, low, end) && there(f, high, end);)
            end++;
        if (end - first < 2)
            continue;
        mdldm__text_markup(p->t, "<path class=\"band s%d\" d=\"", (int)(s % MDLDM__SVG_COLOURS));
        for (int64_t i = first; i < end; i++)
            mdldm__svg_shape(p->t, i == first ? "M# #" : "L# #",
                             (double[]){mdldm__plot_x(p, f->x[i]), mdldm__plot_y(p, high[i])});
        for (int64_t i = end; i-- > first;)
            mdldm__svg_shape(p->t, "L# #", (double[]){mdldm__plot_x(p, f->x[i]), mdldm__plot_y(p, low[i])});
        mdldm__text_markup(p->t, "Z\"/>\n");
    }
}

static void line(const mdldm__plot *p, const mdldm__figure *f, int64_t s)
{
    const double *y = f->values + s * f->points;
    int begun = 0;
    for (int64_t i = 0; i < f->points; i++) {
        if (!there(f, y, i))
            continue;
        if (!begun)
            mdldm__text_markup(p->t, "<path class=\"line l%d\" d=\"", (int)(s % MDLDM__SVG_COLOURS));
        begun = 1;
        mdldm__svg_shape(p->t, there(f, y, i - 1) ? "L# #" : "M# #",
                         (double[]){mdldm__plot_x(p, f->x[i]), mdldm__plot_y(p, y[i])});
    }
    if (begun)
        mdldm__text_markup(p->t, "\"/>\n");
}

/* A few points are what was measured: they are marked. */
static void dots(const mdldm__plot *p, const mdldm__figure *f, int64_t s)
{
    const double *y = f->values + s * f->points;
    for (int64_t i = 0; f->points <= 16 && i < f->points; i++)
        if (there(f, y, i)) {
            mdldm__text_markup(p->t, "<circle class=\"s%d\" ", (int)(s % MDLDM__SVG_COLOURS));
            mdldm__svg_shape(p->t, "cx=\"#\" cy=\"#\" r=\"3\"/>\n",
                             (double[]){mdldm__plot_x(p, f->x[i]), mdldm__plot_y(p, y[i])});
        }
}

void mdldm__svg_lines(mdldm__text *t, const mdldm__figure *f)
{
    mdldm__plot p = {.x_low = INFINITY, .x_high = -INFINITY, .y_low = INFINITY, .y_high = -INFINITY};
    const int64_t cells = f->series * f->points;
    mdldm__range_hold(&p.x_low, &p.x_high, f->x, f->points);
    mdldm__range_hold(&p.y_low, &p.y_high, f->values, cells);
    mdldm__range_hold(&p.y_low, &p.y_high, f->low, cells);
    mdldm__range_hold(&p.y_low, &p.y_high, f->high, cells);
    mdldm__plot_open(&p, t, f, 1);
    for (int64_t s = 0; f->low != NULL && f->high != NULL && s < f->series; s++)
        band(&p, f, s);
    for (int64_t s = 0; s < f->series; s++) {
        line(&p, f, s);
        dots(&p, f, s);
    }
    mdldm__plot_close(&p);
}
