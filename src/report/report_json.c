/* SPDX-License-Identifier: MIT
 * The report for programs: {title, library, values {key: number}, sections [{key, title, text, figures [...]}]}. Arrays
 * that belong to series are [series][points], of samples [series][points][counts]; null where there is no number.
 * Pictures are in the HTML alone. */
#include <math.h>
#include <string.h>

#include "io/json_util.h"
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

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *numbers(const double *values, int64_t count)
{
    json_t *out = json_array();
    for (int64_t i = 0; out != NULL && i < count; i++)
        if (json_array_append_new(out, number(values[i])) != 0) {
            json_decref(out);
            out = NULL;
        }
    return out;
}

static json_t *rows(const double *values, const mdldm__figure *f)
{
    json_t *out = json_array();
    for (int64_t s = 0; out != NULL && s < f->series; s++)
        if (json_array_append_new(out, numbers(values + s * f->points, f->points)) != 0) {
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
            failed = json_array_append_new(row, numbers(at, count)) != 0;
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
        bad |= json_object_set_new(o, "x", numbers(f->x, f->points));
    bad |= json_object_set_new(o, "values", f->kind == MDLDM__FIGURE_SAMPLES ? samples(f) : rows(f->values, f));
    if (f->low != NULL)
        bad |= json_object_set_new(o, "low", rows(f->low, f));
    if (f->high != NULL)
        bad |= json_object_set_new(o, "high", rows(f->high, f));
    return bad;
}

static int section(mdldm__env *env, const mdldm__section *s, json_t *o, json_t *values)
{
    json_t *figures = json_array();
    int bad = json_object_set_new(o, "key", string(env, s->key)) | json_object_set_new(o, "title", string(env, s->title)) |
              json_object_set_new(o, "text", string(env, s->text)) | json_object_set_new(o, "figures", figures);
    for (int64_t i = 0; !bad && i < s->count; i++) {
        json_t *item = json_object();
        bad = json_array_append_new(figures, item) || figure(env, &s->figures[i], item);
        if (!bad && s->figures[i].kind == MDLDM__FIGURE_VALUE)
            bad = json_object_set_new(values, s->figures[i].key, number(s->figures[i].values[0]));
    }
    return bad;
}

mdldm_status mdldm__report_json(const mdldm__report *r, char **text)
{
    json_t *root = json_object(), *values = json_object(), *sections = json_array();
    int bad = json_object_set_new(root, "title", string(r->env, r->title == NULL ? "" : r->title)) |
              json_object_set_new(root, "library", json_string(mdldm_version())) |
              json_object_set_new(root, "values", values) | json_object_set_new(root, "sections", sections);
    for (int64_t i = 0; !bad && i < r->count; i++) {
        json_t *item = json_object();
        bad = json_array_append_new(sections, item) || section(r->env, &r->sections[i], item, values);
    }
    char *out = bad ? NULL : mdldm__json_text(r->env, root);
    json_decref(root);
    if (out == NULL)
        return mdldm__oom(r->env, "report");
    *text = out;
    return MDLDM_OK;
}
