/* SPDX-License-Identifier: MIT */
#include "report/svg_plot.h"

#include <math.h>
#include <string.h>

#define HEIGHT 300.0
#define NAME_CHARACTERS 12

void mdldm__range_hold(double *low, double *high, const double *values, int64_t count)
{
    for (int64_t i = 0; values != NULL && i < count; i++)
        if (isfinite(values[i])) {
            *low = fmin(*low, values[i]);
            *high = fmax(*high, values[i]);
        }
}

double mdldm__tick_step(double low, double high, int most)
{
    const double raw = fmax(high / most - low / most, 1e-300), power = pow(10.0, floor(log10(raw)));
    return raw <= power ? power : raw <= 2.0 * power ? 2.0 * power : raw <= 5.0 * power ? 5.0 * power : 10.0 * power;
}

void mdldm__svg_shape(mdldm__text *t, const char *pattern, const double *numbers)
{
    for (const char *next; (next = strchr(pattern, '#')) != NULL; pattern = next + 1) {
        mdldm__text_bytes(t, pattern, (size_t)(next - pattern));
        mdldm__text_number(t, *numbers++, 5);
    }
    mdldm__text_bytes(t, pattern, strlen(pattern));
}

void mdldm__svg_name(mdldm__text *t, const char *name, int most)
{
    char shorter[4 * 64 + 4] = "";
    size_t used = 0;
    const char *c = name;
    for (int i = 0; i < most && *c != '\0'; i++) {
        const int length = mdldm__utf8_length(c) == 0 ? 1 : mdldm__utf8_length(c);
        memcpy(shorter + used, c, (size_t)length);
        used += (size_t)length;
        c += length;
    }
    mdldm__text_escaped(t, shorter);
    if (*c != '\0') {
        mdldm__text_markup(t, "\xe2\x80\xa6<title>");
        mdldm__text_escaped(t, name);
        mdldm__text_markup(t, "</title>");
    }
}

double mdldm__plot_x(const mdldm__plot *p, double x)
{
    return p->left + (p->right - p->left) * (x - p->x_low) / (p->x_high - p->x_low);
}

double mdldm__plot_y(const mdldm__plot *p, double y)
{
    return p->bottom - (p->bottom - p->top) * (y - p->y_low) / (p->y_high - p->y_low);
}

static void widen(double *low, double *high)
{
    if (!(*low <= *high)) {
        *low = 0.0;
        *high = 1.0;
    }
    if (!(*high - *low > 1e-9 * fmax(fabs(*high), fabs(*low)))) {
        const double by = fmax(0.5 * fabs(*high), 0.5);
        *low -= by;
        *high += by;
    }
}

static void y_ticks(mdldm__plot *p)
{
    const double step = mdldm__tick_step(p->y_low, p->y_high, 6);
    p->y_low = step * floor(p->y_low / step + 1e-9);
    p->y_high = step * ceil(p->y_high / step - 1e-9);
    const int count = (int)lround((p->y_high - p->y_low) / step);
    for (int i = 0; i <= count; i++) {
        const double value = p->y_low + i * step, y = mdldm__plot_y(p, value);
        mdldm__svg_shape(p->t, "<line class=\"grid\" x1=\"#\" x2=\"#\" y1=\"#\" y2=\"#\"/>",
                         (double[]){p->left, p->right, y, y});
        mdldm__svg_shape(p->t, "<text text-anchor=\"end\" x=\"#\" y=\"#\">", (double[]){p->left - 6.0, y + 4.0});
        mdldm__text_number(p->t, fabs(value) < 1e-9 * step ? 0.0 : value, 6);
        mdldm__text_markup(p->t, "</text>\n");
    }
}

static void x_ticks(mdldm__plot *p)
{
    const double step = mdldm__tick_step(p->x_low, p->x_high, 8);
    const double first = step * ceil(p->x_low / step - 1e-9);
    for (int i = 0; first + i * step <= p->x_high + 1e-9 * step; i++) {
        const double value = first + i * step, x = mdldm__plot_x(p, value);
        mdldm__svg_shape(p->t, "<line class=\"grid\" x1=\"#\" x2=\"#\" y1=\"#\" y2=\"#\"/>",
                         (double[]){x, x, p->top, p->bottom});
        mdldm__svg_shape(p->t, "<text text-anchor=\"middle\" x=\"#\" y=\"#\">", (double[]){x, p->bottom + 16.0});
        mdldm__text_number(p->t, fabs(value) < 1e-9 * step ? 0.0 : value, 6);
        mdldm__text_markup(p->t, "</text>\n");
    }
}

static void x_names(mdldm__plot *p, const mdldm__figure *f)
{
    const int slanted = f->points > 9;
    for (int64_t i = 0; f->point_names != NULL && i < f->points; i++) {
        const double x = mdldm__plot_x(p, (double)i + 0.5), y = p->bottom + (slanted ? 12.0 : 16.0);
        mdldm__svg_shape(p->t, slanted ? "<text text-anchor=\"end\" transform=\"translate(#,#) rotate(-35)\">"
                                       : "<text text-anchor=\"middle\" x=\"#\" y=\"#\">",
                         (double[]){x, y});
        mdldm__svg_name(p->t, f->point_names[i], NAME_CHARACTERS);
        mdldm__text_markup(p->t, "</text>\n");
    }
}

void mdldm__plot_open(mdldm__plot *p, mdldm__text *t, const mdldm__figure *f, int numeric_x)
{
    const double below = (!numeric_x && f->points > 9 ? 66.0 : 26.0) + (f->x_label[0] != '\0' ? 18.0 : 0.0);
    p->t = t;
    p->left = f->y_label[0] != '\0' ? 78.0 : 58.0;
    p->right = MDLDM__SVG_WIDTH - 12.0;
    p->top = 10.0;
    p->bottom = p->top + HEIGHT;
    widen(&p->y_low, &p->y_high);
    mdldm__svg_shape(t, "<svg viewBox=\"0 0 # #\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\"><title>",
                     (double[]){MDLDM__SVG_WIDTH, p->bottom + below});
    mdldm__text_escaped(t, f->title);
    mdldm__text_markup(t, "</title>\n");
    y_ticks(p);
    if (numeric_x) {
        widen(&p->x_low, &p->x_high);
        x_ticks(p);
    } else {
        p->x_low = 0.0;
        p->x_high = (double)f->points;
        x_names(p, f);
    }
    if (f->x_label[0] != '\0') {
        mdldm__svg_shape(t, "<text text-anchor=\"middle\" x=\"#\" y=\"#\">",
                         (double[]){0.5 * (p->left + p->right), p->bottom + below - 4.0});
        mdldm__text_escaped(t, f->x_label);
        mdldm__text_markup(t, "</text>\n");
    }
    if (f->y_label[0] != '\0') {
        mdldm__svg_shape(t, "<text text-anchor=\"middle\" transform=\"translate(14,#) rotate(-90)\">",
                         (double[]){0.5 * (p->top + p->bottom)});
        mdldm__text_escaped(t, f->y_label);
        mdldm__text_markup(t, "</text>\n");
    }
}

void mdldm__plot_close(mdldm__plot *p)
{
    mdldm__svg_shape(p->t, "<line class=\"axis\" x1=\"#\" x2=\"#\" y1=\"#\" y2=\"#\"/></svg>\n",
                     (double[]){p->left, p->right, p->bottom, p->bottom});
}
