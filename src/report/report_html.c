/* SPDX-License-Identifier: MIT
 * The report for people: one HTML file that is also well-formed XML, style and drawings inside, no script. */
#include <math.h>
#include <string.h>

#include "data/image.h"
#include "report/svg_plot.h"

/* Colours of Okabe and Ito 2008, which those see who cannot tell red from green; lighter on a dark page. */
static const char style[] =
    ":root{color-scheme:light dark;--page:#fdfdfc;--ink:#1c1c1a;--faint:#6b6b66;--rule:#dcdcd6;"
    "--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#aa4499;--c4:#a07800;--c5:#4b4b4b}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#171817;--ink:#ececea;--faint:#a3a39d;--rule:#3a3b39;"
    "--c0:#56b4e9;--c1:#ff9147;--c2:#3fcf9f;--c3:#e39bd0;--c4:#f0e442;--c5:#bbbbbb}}\n"
    "body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:60rem;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.25rem;margin:2.5rem 0 .3rem;border-bottom:1px solid var(--rule)}\n"
    "h3{font-size:1rem;margin:1.6rem 0 .1rem}\np{margin:.2rem 0 .6rem;max-width:46rem}\n.text,.foot{color:var(--faint)}\n"
    ".wide{overflow-x:auto}\ntable{border-collapse:collapse;margin:.4rem 0 1rem;font-size:.9rem}\n"
    "th,td{padding:.2rem .7rem .2rem 0;text-align:right;border-bottom:1px solid var(--rule);"
    "font-variant-numeric:tabular-nums;vertical-align:top;white-space:nowrap}\n"
    "th{font-weight:600}th[scope=row],td.text{text-align:left}td.text{white-space:normal;min-width:16rem}\n"
    "figure{margin:.3rem 0 1rem}svg{display:block;width:100%;height:auto;max-width:52rem}\n"
    "svg text{font-size:12px;fill:var(--ink)}.grid{stroke:var(--rule);stroke-width:1}.axis{stroke:var(--faint)}\n"
    ".line{fill:none;stroke-width:2}.band{fill-opacity:.18}.dots{fill-opacity:.4}.box{fill:none;stroke-width:1.5}\n"
    ".median{stroke-width:3}.interval{fill:none;stroke:var(--ink);stroke-width:1.5}.bar{fill-opacity:.75}\n"
    ".cell{stroke:var(--rule)}img{max-width:100%;height:auto}\n"
    ".key{display:inline-block;margin-right:1.2rem;font-size:.9rem}.key svg{display:inline;width:.8rem;height:.8rem}\n"
    "@media print{body{max-width:none}figure,table{break-inside:avoid}}\n";

static void colours(mdldm__text *t)
{
    for (int i = 0; i < MDLDM__SVG_COLOURS; i++)
        mdldm__text_markup(t, ".s%d{fill:var(--c%d)}.l%d{stroke:var(--c%d)}", i, i, i, i);
}

static void element(mdldm__text *t, const char *open, const char *text, const char *close)
{
    mdldm__text_markup(t, "%s", open);
    mdldm__text_escaped(t, text);
    mdldm__text_markup(t, "%s", close);
}

static void cell(mdldm__text *t, double value, const double *low, const double *high)
{
    mdldm__text_markup(t, "<td>");
    mdldm__text_number(t, value, 4);
    if (low != NULL && high != NULL && isfinite(*low) && isfinite(*high)) {
        mdldm__text_markup(t, " <small>(");
        mdldm__text_number(t, *low, 3);
        mdldm__text_markup(t, " to ");
        mdldm__text_number(t, *high, 3);
        mdldm__text_markup(t, ")</small>");
    }
    mdldm__text_markup(t, "</td>");
}

/* Single values that follow each other make one table: name, value, meaning. Returns how many. */
static int64_t values(mdldm__text *t, const mdldm__figure *f, int64_t left)
{
    int64_t count = 0;
    mdldm__text_markup(t, "<div class=\"wide\"><table>\n");
    for (; count < left && f[count].kind == MDLDM__FIGURE_VALUE; count++) {
        element(t, "<tr><th scope=\"row\">", f[count].title, "</th>");
        cell(t, f[count].values[0], f[count].low, f[count].high);
        element(t, "<td class=\"text\">", f[count].text, "</td></tr>\n");
    }
    mdldm__text_markup(t, "</table></div>\n");
    return count;
}

static void table(mdldm__text *t, const mdldm__figure *f)
{
    mdldm__text_markup(t, "<div class=\"wide\"><table>\n<tr><th scope=\"row\"></th>");
    for (int64_t s = 0; s < f->series; s++)
        element(t, "<th>", f->series_names == NULL ? "" : f->series_names[s], "</th>");
    mdldm__text_markup(t, "</tr>\n");
    for (int64_t i = 0; i < f->points; i++) {
        element(t, "<tr><th scope=\"row\">", f->point_names == NULL ? "" : f->point_names[i], "</th>");
        for (int64_t s = 0; s < f->series; s++) {
            const int64_t at = s * f->points + i;
            cell(t, f->values[at], f->low == NULL ? NULL : f->low + at, f->high == NULL ? NULL : f->high + at);
        }
        mdldm__text_markup(t, "</tr>\n");
    }
    mdldm__text_markup(t, "</table></div>\n");
}

static mdldm_status picture(mdldm__text *t, const mdldm__figure *f)
{
    char *png;
    size_t size;
    MDLDM__TRY(mdldm__png_encode(t->env, f->key, f->rgb, 3, f->height, f->width, &png, &size));
    mdldm__text_markup(t, "<figure><img width=\"%lld\" height=\"%lld\" alt=\"", (long long)f->width,
                       (long long)f->height);
    mdldm__text_escaped(t, f->title);
    mdldm__text_markup(t, "\" src=\"data:image/png;base64,");
    mdldm__text_base64(t, (const uint8_t *)png, size);
    mdldm__text_markup(t, "\"/></figure>\n");
    mdldm__free(t->env, png);
    return MDLDM_OK;
}

static void legend(mdldm__text *t, const mdldm__figure *f)
{
    if (f->series_names == NULL || f->kind == MDLDM__FIGURE_MATRIX)
        return;
    mdldm__text_markup(t, "<div>");
    for (int64_t s = 0; s < f->series; s++) {
        mdldm__text_markup(t, "<span class=\"key\"><svg viewBox=\"0 0 10 10\"><rect class=\"s%d\" width=\"10\" "
                              "height=\"10\"/></svg> ",
                           (int)(s % MDLDM__SVG_COLOURS));
        element(t, "", f->series_names[s], "</span>");
    }
    mdldm__text_markup(t, "</div>\n");
}

static mdldm_status figure(mdldm__text *t, const mdldm__figure *f)
{
    element(t, "<h3>", f->title, "</h3>\n");
    element(t, "<p class=\"text\">", f->text, "</p>\n");
    if (f->kind == MDLDM__FIGURE_PICTURE)
        return picture(t, f);
    if (f->kind == MDLDM__FIGURE_TABLE) {
        table(t, f);
        return MDLDM_OK;
    }
    mdldm__text_markup(t, "<figure>");
    legend(t, f);
    if (f->kind == MDLDM__FIGURE_LINES)
        mdldm__svg_lines(t, f);
    else if (f->kind == MDLDM__FIGURE_SAMPLES)
        mdldm__svg_samples(t, f);
    else if (f->kind == MDLDM__FIGURE_BARS)
        mdldm__svg_bars(t, f);
    else
        mdldm__svg_matrix(t, f);
    mdldm__text_markup(t, "</figure>\n");
    return MDLDM_OK;
}

static mdldm_status sections(mdldm__text *t, const mdldm__report *r)
{
    for (int64_t i = 0; i < r->count; i++) {
        const mdldm__section *s = &r->sections[i];
        element(t, "<section>\n<h2>", s->title, "</h2>\n");
        element(t, "<p>", s->text, "</p>\n");
        for (int64_t k = 0; k < s->count;) {
            if (s->figures[k].kind == MDLDM__FIGURE_VALUE)
                k += values(t, &s->figures[k], s->count - k);
            else
                MDLDM__TRY(figure(t, &s->figures[k++]));
        }
        mdldm__text_markup(t, "</section>\n");
    }
    return MDLDM_OK;
}

mdldm_status mdldm__report_html(const mdldm__report *r, char **text, size_t *size)
{
    mdldm__text t = {.env = r->env};
    const char *title = r->title == NULL ? "" : r->title;
    mdldm__text_markup(&t, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    element(&t, "<title>", title, "</title>\n<style>\n");
    mdldm__text_bytes(&t, style, strlen(style));
    colours(&t);
    element(&t, "\n</style>\n</head>\n<body>\n<h1>", title, "</h1>\n");
    const mdldm_status status = sections(&t, r);
    if (status != MDLDM_OK) {
        mdldm__free(t.env, t.data);
        return status;
    }
    mdldm__text_markup(&t, "<p class=\"foot\">Made by libmdldm %s.</p>\n</body>\n</html>\n", mdldm_version());
    return mdldm__text_finish(&t, text, size);
}
