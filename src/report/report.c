/* SPDX-License-Identifier: MIT */
#include "report/report.h"

#include <string.h>

static mdldm_status copy_text(mdldm__env *env, const char *text, char **out)
{
    *out = mdldm__strdup(env, text == NULL ? "" : text);
    return *out == NULL ? mdldm__oom(env, "report") : MDLDM_OK;
}

/* count 0 or NULL: *out stays NULL. */
static mdldm_status copy_array(mdldm__env *env, const void *from, int64_t count, size_t size, void **out)
{
    if (from == NULL || count == 0)
        return MDLDM_OK;
    *out = mdldm__calloc(env, (size_t)count, size);
    if (*out == NULL)
        return mdldm__oom(env, "report");
    memcpy(*out, from, (size_t)count * size);
    return MDLDM_OK;
}

static mdldm_status copy_names(mdldm__env *env, const char *const *names, int64_t count, const char *const **out)
{
    if (names == NULL || count == 0)
        return MDLDM_OK;
    char **copies = mdldm__calloc(env, (size_t)count, sizeof *copies);
    if (copies == NULL)
        return mdldm__oom(env, "report");
    *out = (const char *const *)copies;
    for (int64_t i = 0; i < count; i++)
        MDLDM__TRY(copy_text(env, names[i], &copies[i]));
    return MDLDM_OK;
}

static void drop(mdldm__env *env, const void *pointer)
{
    mdldm__free(env, (void *)(uintptr_t)pointer);
}

static void drop_names(mdldm__env *env, const char *const *names, int64_t count)
{
    for (int64_t i = 0; names != NULL && i < count; i++)
        drop(env, names[i]);
    drop(env, names);
}

static void figure_free(mdldm__env *env, mdldm__figure *f)
{
    drop(env, f->key);
    drop(env, f->title);
    drop(env, f->text);
    drop(env, f->x_label);
    drop(env, f->y_label);
    drop_names(env, f->series_names, f->series);
    drop_names(env, f->point_names, f->points);
    drop(env, f->x);
    drop(env, f->values);
    drop(env, f->low);
    drop(env, f->high);
    drop(env, f->counts);
    drop(env, f->rgb);
}

static mdldm_status figure_copy(mdldm__env *env, const mdldm__figure *from, mdldm__figure *to)
{
    const int64_t cells = from->series * from->points;
    int64_t values = cells;
    if (from->kind == MDLDM__FIGURE_SAMPLES)
        for (int64_t i = values = 0; i < cells; i++)
            values += from->counts[i];
    *to = (mdldm__figure){.kind = from->kind, .series = from->series, .points = from->points,
                          .height = from->height, .width = from->width};
#define TEXT(member) MDLDM__TRY(copy_text(env, from->member, (char **)(uintptr_t)&to->member))
#define ARRAY(member, count) \
    MDLDM__TRY(copy_array(env, from->member, count, sizeof *from->member, (void **)(uintptr_t)&to->member))
    TEXT(key);
    TEXT(title);
    TEXT(text);
    TEXT(x_label);
    TEXT(y_label);
    MDLDM__TRY(copy_names(env, from->series_names, from->series, &to->series_names));
    MDLDM__TRY(copy_names(env, from->point_names, from->points, &to->point_names));
    ARRAY(x, from->points);
    ARRAY(values, values);
    ARRAY(low, cells);
    ARRAY(high, cells);
    ARRAY(counts, cells);
    ARRAY(rgb, from->height * from->width * 3);
#undef TEXT
#undef ARRAY
    return MDLDM_OK;
}

mdldm_status mdldm__report_title(mdldm__report *r, const char *title)
{
    mdldm__free(r->env, r->title);
    return copy_text(r->env, title, &r->title);
}

mdldm_status mdldm__report_section(mdldm__report *r, const char *key, const char *title, const char *text)
{
    mdldm__section *grown = mdldm__realloc(r->env, r->sections, (size_t)(r->count + 1) * sizeof *grown);
    if (grown == NULL)
        return mdldm__oom(r->env, "report");
    r->sections = grown;
    mdldm__section *s = &grown[r->count++];
    *s = (mdldm__section){0};
    MDLDM__TRY(copy_text(r->env, key, &s->key));
    MDLDM__TRY(copy_text(r->env, title, &s->title));
    return copy_text(r->env, text, &s->text);
}

mdldm_status mdldm__report_add(mdldm__report *r, const mdldm__figure *f)
{
    mdldm__section *s = &r->sections[r->count - 1];
    mdldm__figure *grown = mdldm__realloc(r->env, s->figures, (size_t)(s->count + 1) * sizeof *grown);
    if (grown == NULL)
        return mdldm__oom(r->env, "report");
    s->figures = grown;
    return figure_copy(r->env, f, &grown[s->count++]);
}

void mdldm__report_free(mdldm__report *r)
{
    for (int64_t i = 0; i < r->count; i++) {
        mdldm__section *s = &r->sections[i];
        for (int64_t k = 0; k < s->count; k++)
            figure_free(r->env, &s->figures[k]);
        mdldm__free(r->env, s->figures);
        mdldm__free(r->env, s->key);
        mdldm__free(r->env, s->title);
        mdldm__free(r->env, s->text);
    }
    mdldm__free(r->env, r->sections);
    mdldm__free(r->env, r->title);
    *r = (mdldm__report){.env = r->env};
}
