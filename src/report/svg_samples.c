/* SPDX-License-Identifier: MIT
 * Distributions side by side: a box from quartile to quartile with the median, whiskers from the 5th to the 95th
 * percentile, and dots of the values. */
#include <math.h>

#include "eval/feature_set.h"
#include "report/svg_plot.h"

#define DOTS 60

/* One sample, sorted, around x; half: of the box's width. */
static void box(const mdldm__plot *p, const double *sorted, int64_t count, double x, double half, int colour)
{
    double y[5];
    static const double levels[5] = {0.05, 0.25, 0.5, 0.75, 0.95};
    for (int i = 0; i < 5; i++)
        y[i] = mdldm__plot_y(p, mdldm__quantile(sorted, count, levels[i]));
    const int64_t dots = count < DOTS ? count : DOTS;
    mdldm__text_markup(p->t, "<g class=\"dots s%d\">", colour);
    for (int64_t i = 0; i < dots; i++) {
        const double value = sorted[dots < 2 ? 0 : i * (count - 1) / (dots - 1)];
        /* Multiples of the golden ratio spread evenly whatever their number. */
        const double place = fmod(0.6180339887498949 * (double)i, 1.0) - 0.5;
        mdldm__svg_shape(p->t, "<circle cx=\"#\" cy=\"#\" r=\"1.8\"/>",
                         (double[]){x + 1.6 * half * place, mdldm__plot_y(p, value)});
    }
    mdldm__text_markup(p->t, "</g>\n<g class=\"box l%d\">", colour);
    mdldm__svg_shape(p->t, "<path d=\"M# #V#M# #V#\"/>", (double[]){x, y[0], y[1], x, y[3], y[4]});
    mdldm__svg_shape(p->t, "<rect x=\"#\" y=\"#\" width=\"#\" height=\"#\"/>",
                     (double[]){x - half, y[3], 2.0 * half, y[1] - y[3]});
    mdldm__svg_shape(p->t, "<path class=\"median\" d=\"M# #H#\"/></g>\n", (double[]){x - half, y[2], x + half});
}

void mdldm__svg_samples(mdldm__text *t, const mdldm__figure *f)
{
    mdldm__plot p = {.y_low = INFINITY, .y_high = -INFINITY};
    int64_t most = 0, all = 0;
    for (int64_t i = 0; i < f->series * f->points; i++) {
        most = f->counts[i] > most ? f->counts[i] : most;
        all += f->counts[i];
    }
    double *sorted = mdldm__calloc(t->env, (size_t)most + 1, sizeof *sorted);
    if (sorted == NULL) {
        t->failed = 1;
        return;
    }
    mdldm__range_hold(&p.y_low, &p.y_high, f->values, all);
    mdldm__plot_open(&p, t, f, 0);
    const double *at = f->values;
    for (int64_t s = 0; s < f->series; s++)
        for (int64_t i = 0; i < f->points; i++) {
            const double slot = 0.8 / (double)f->series;
            const int64_t count = f->counts[s * f->points + i];
            int64_t kept = 0;
            for (int64_t k = 0; k < count; k++)
                if (isfinite(at[k]))
                    sorted[kept++] = at[k];
            at += count;
            mdldm__sort(sorted, kept);
            const double x = mdldm__plot_x(&p, (double)i + 0.1 + slot * ((double)s + 0.5));
            const double half = fmin(0.4 * slot * (p.right - p.left) / (double)f->points, 28.0);
            if (kept > 0)
                box(&p, sorted, kept, x, half, (int)(s % MDLDM__SVG_COLOURS));
        }
    mdldm__free(t->env, sorted);
    mdldm__plot_close(&p);
}
