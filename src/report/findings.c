/* SPDX-License-Identifier: MIT */
#include "report/findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_util.h"

mdldm_status mdldm__findings_create(mdldm__env *env, json_t *root, char *html, mdldm_report **out)
{
    mdldm__env own;
    mdldm__env_init(&own, env);
    mdldm_report *r = root != NULL ? mdldm__calloc(&own, 1, sizeof *r) : NULL;
    if (r != NULL) {
        r->env = own;
        r->root = root;
        r->html = html;
        r->text = mdldm__json_text(&r->env, root);
    }
    if (r == NULL || r->text == NULL) {
        json_decref(root);
        mdldm__free(&own, html);
        mdldm__free(&own, r);
        return mdldm__oom(env, "report");
    }
    *out = r;
    return MDLDM_OK;
}

void mdldm_report_free(mdldm_report *r)
{
    if (r == NULL)
        return;
    mdldm__env env = r->env;
    json_decref(r->root);
    mdldm__free(&env, r->text);
    mdldm__free(&env, r->html);
    mdldm__free(&env, r);
}

json_t *mdldm__findings_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *mdldm__findings_reals(const double *values, int64_t count)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < count; i++)
        if (json_array_append_new(array, mdldm__findings_real(values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* The entry of `at` whose name, or number in an array, is the first `length` bytes of name. */
static const json_t *entry(const json_t *at, const char *name, size_t length)
{
    if (json_is_array(at)) {
        size_t index = 0;
        for (size_t i = 0; i < length; i++) {
            if (name[i] < '0' || name[i] > '9' || index > SIZE_MAX / 10 - 1)
                return NULL;
            index = 10 * index + (size_t)(name[i] - '0');
        }
        return length > 0 ? json_array_get(at, index) : NULL;
    }
    char key[128];
    if (length >= sizeof key)
        return NULL;
    memcpy(key, name, length);
    key[length] = '\0';
    return json_object_get(at, key);
}

static const json_t *find(const mdldm_report *r, const char *path)
{
    const json_t *at = r != NULL && path != NULL ? r->root : NULL;
    while (at != NULL && *path != '\0') {
        const size_t length = strcspn(path, ".");
        at = entry(at, path, length);
        path += length + (path[length] == '.');
    }
    return at;
}

double mdldm_report_value(const mdldm_report *r, const char *path)
{
    const json_t *found = find(r, path);
    return json_is_number(found) ? json_number_value(found) : NAN;
}

const char *mdldm_report_text(const mdldm_report *r, const char *path)
{
    return json_string_value(find(r, path));
}

int64_t mdldm_report_length(const mdldm_report *r, const char *path)
{
    const json_t *found = find(r, path);
    return json_is_array(found) ? (int64_t)json_array_size(found) : (int64_t)json_object_size(found);
}

const char *mdldm_report_json(const mdldm_report *r)
{
    return r != NULL ? r->text : NULL;
}

const char *mdldm_report_html(const mdldm_report *r)
{
    return r != NULL ? r->html : NULL;
}
