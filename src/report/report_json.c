/* SPDX-License-Identifier: MIT
 * The report for programs: {title, library, values {key: number}, tables {key: {row: {column:
 * number}}}, sections [{key, title, text, figures [...]}]}. In figures all is by place: arrays that belong to series are [series][points], of samples [series][points][counts]; null where there is no number.
 * Pictures are in the HTML alone. */
#include <string.h>

#include "report/findings.h"
#include "report/report.h"
#include "report/report_text.h"

/* jansson takes nothing but UTF-8. */
static json_t *string(mdldm__env *env, const char *text)
{
    mdldm__text t = {.env = env};
    for (const char *c = text; *c != '\0';) {
        const int length = mdldm__utf8_length(c);
        if (length == 0)
            mdldm__text_bytes(&t, "\xef\xbf\xbd", 3);
        else
            mdldm__text_bytes(&t, c, (size_t)length);
        c += length == 0 ? 1 : length;
    }
    json_t *out = t.failed ? NULL : json_stringn(t.data == NULL ? "" : t.data, t.length);
    mdldm__free(env, t.data);
    return out;
}

static json_t *rows(const double *values, const mdldm__figure *f)
{
    json_t *out = json_array();
    for (int64_t s = 0; out != NULL && s < f->series; s++)
        if (json_array_append_new(out, mdldm__findings_reals(values + s * f->points, f->points)) != 0) {
            json_decref(out);
            out = NULL;
        }
    return out;
}

static json_t *samples(const mdldm__figure *f)
{
    json_t *out = json_array();
    const double *at = f->values;
    int failed = out == NULL;
    for (int64_t s = 0; !failed && s < f->series; s++) {
        json_t *row = json_array();
        failed = json_array_append_new(out, row) != 0; /* out owns it now */
        for (int64_t p = 0; !failed && p < f->points; p++) {
            const int64_t count = f->counts[s * f->points + p];
            failed = json_array_append_new(row, mdldm__findings_reals(at, count)) != 0;
            at += count;
        }
    }
    if (failed)
        json_decref(out);
    return failed ? NULL : out;
}

static json_t *names(mdldm__env *env, const char *const *texts, int64_t count)
{
    json_t *out = json_array();
    for (int64_t i = 0; out != NULL && i < count; i++)
        if (json_array_append_new(out, string(env, texts[i])) != 0) {
            json_decref(out);
            out = NULL;
        }
    return out;
}

static int figure(mdldm__env *env, const mdldm__figure *f, json_t *o)
{
    static const char *const kinds[] = {"value", "table", "lines", "samples", "bars", "matrix", "picture"};
    int bad = json_object_set_new(o, "key", string(env, f->key)) | json_object_set_new(o, "title", string(env, f->title)) |
              json_object_set_new(o, "kind", json_string(kinds[f->kind])) |
              json_object_set_new(o, "text", string(env, f->text));
    if (f->kind == MDLDM__FIGURE_PICTURE)
        return bad;
    if (f->series_names != NULL)
        bad |= json_object_set_new(o, "series", names(env, f->series_names, f->series));
    if (f->point_names != NULL)
        bad |= json_object_set_new(o, "points", names(env, f->point_names, f->points));
    if (f->x != NULL)
        bad |= json_object_set_new(o, "x", mdldm__findings_reals(f->x, f->points));
    bad |= json_object_set_new(o, "values", f->kind == MDLDM__FIGURE_SAMPLES ? samples(f) : rows(f->values, f));
    if (f->low != NULL)
        bad |= json_object_set_new(o, "low", rows(f->low, f));
    if (f->high != NULL)
        bad |= json_object_set_new(o, "high", rows(f->high, f));
    return bad;
}

/* {row: {column: number}} of a figure with names on both sides. */
static int cells(mdldm__env *env, const mdldm__figure *f, json_t *tables)
{
    json_t *rows_of = json_object();
    int bad = json_object_set_new(tables, f->key, rows_of);
    for (int64_t p = 0; !bad && p < f->points; p++) {
        json_t *name = string(env, f->point_names[p]), *row = json_object();
        bad = name == NULL || json_object_set_new(rows_of, json_string_value(name), row) != 0;
        if (name == NULL)
            json_decref(row);
        json_decref(name);
        for (int64_t s = 0; !bad && s < f->series; s++) {
            json_t *column = string(env, f->series_names[s]);
            bad = column == NULL || json_object_set_new(row, json_string_value(column),
                                                        mdldm__findings_real(f->values[s * f->points + p])) != 0;
            json_decref(column);
        }
    }
    return bad;
}

typedef struct flat_parts {
    json_t *values, *tables;
} flat_parts;

static int section(mdldm__env *env, const mdldm__section *s, json_t *o, const flat_parts *flat)
{
    json_t *figures = json_array();
    int bad = json_object_set_new(o, "key", string(env, s->key)) | json_object_set_new(o, "title", string(env, s->title)) |
              json_object_set_new(o, "text", string(env, s->text)) | json_object_set_new(o, "figures", figures);
    for (int64_t i = 0; !bad && i < s->count; i++) {
        const mdldm__figure *f = &s->figures[i];
        json_t *item = json_object();
        bad = json_array_append_new(figures, item) || figure(env, f, item);
        if (!bad && f->kind == MDLDM__FIGURE_VALUE)
            bad = json_object_set_new(flat->values, f->key, mdldm__findings_real(f->values[0]));
        if (!bad && (f->kind == MDLDM__FIGURE_TABLE || f->kind == MDLDM__FIGURE_BARS))
            bad = cells(env, f, flat->tables);
    }
    return bad;
}

json_t *mdldm__report_tree(const mdldm__report *r)
{
    json_t *root = json_object(), *sections = json_array();
    const flat_parts flat = {json_object(), json_object()};
    int bad = json_object_set_new(root, "title", string(r->env, r->title == NULL ? "" : r->title)) |
              json_object_set_new(root, "library", json_string(mdldm_version())) |
              json_object_set_new(root, "values", flat.values) | json_object_set_new(root, "tables", flat.tables) |
              json_object_set_new(root, "sections", sections);
    for (int64_t i = 0; !bad && i < r->count; i++) {
        json_t *item = json_object();
        bad = json_array_append_new(sections, item) || section(r->env, &r->sections[i], item, &flat);
    }
    if (bad)
        json_decref(root);
    return bad ? NULL : root;
}
