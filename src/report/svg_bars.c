/* SPDX-License-Identifier: MIT
 * Bars from zero in groups, an interval on each. */
#include <math.h>

#include "report/svg_plot.h"

static void interval(const mdldm__plot *p, double x, double low, double high)
{
    const double bottom = mdldm__plot_y(p, low), top = mdldm__plot_y(p, high);
    mdldm__svg_shape(p->t, "<path class=\"interval\" d=\"M# #V#M# #H#M# #H#\"/>\n",
                     (double[]){x, bottom, top, x - 4.0, bottom, x + 4.0, x - 4.0, top, x + 4.0});
}

void mdldm__svg_bars(mdldm__text *t, const mdldm__figure *f)
{
    mdldm__plot p = {.y_low = 0.0, .y_high = 0.0};
    const int64_t cells = f->series * f->points;
    mdldm__range_hold(&p.y_low, &p.y_high, f->values, cells);
    mdldm__range_hold(&p.y_low, &p.y_high, f->low, cells);
    mdldm__range_hold(&p.y_low, &p.y_high, f->high, cells);
    mdldm__plot_open(&p, t, f, 0);
    const double zero = mdldm__plot_y(&p, 0.0);
    for (int64_t s = 0; s < f->series; s++)
        for (int64_t i = 0; i < f->points; i++) {
            const int64_t at = s * f->points + i;
            const double slot = 0.8 / (double)f->series;
            const double x = mdldm__plot_x(&p, (double)i + 0.1 + slot * ((double)s + 0.5));
            const double half = fmin(0.42 * slot * (p.right - p.left) / (double)f->points, 28.0);
            if (!isfinite(f->values[at]))
                continue;
            const double y = mdldm__plot_y(&p, f->values[at]);
            mdldm__text_markup(t, "<rect class=\"bar s%d\" ", (int)(s % MDLDM__SVG_COLOURS));
            mdldm__svg_shape(t, "x=\"#\" y=\"#\" width=\"#\" height=\"#\"/>\n",
                             (double[]){x - half, fmin(y, zero), 2.0 * half, fabs(y - zero)});
            if (f->low != NULL && f->high != NULL && isfinite(f->low[at]) && isfinite(f->high[at]))
                interval(&p, x, f->low[at], f->high[at]);
        }
    mdldm__plot_close(&p);
}
