/* SPDX-License-Identifier: MIT */
#include "models/config_reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/choice.h"

static int listed_as_default(const json_t *config, const char *key)
{
    const json_t *list = json_object_get(config, "_use_default_values");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text != NULL && strcmp(text, key) == 0)
            return 1;
    }
    return 0;
}

const json_t *mdldm__config_value(const mdldm__config_reader *r, const char *key, int *is_null)
{
    if (is_null != NULL)
        *is_null = 0;
    const json_t *value = json_object_get(r->config, key);
    if (value == NULL || listed_as_default(r->config, key))
        return NULL;
    if (json_is_null(value)) {
        if (is_null != NULL)
            *is_null = 1;
        return NULL;
    }
    return value;
}

/* Short JSON text of a value into text[capacity]. */
static void describe_value(const json_t *value, char *text, size_t capacity)
{
    text[0] = '\0';
    if (value == NULL) {
        snprintf(text, capacity, "missing");
        return;
    }
    size_t length = json_dumpb(value, text, capacity - 1, JSON_COMPACT | JSON_ENCODE_ANY);
    if (length == 0 || length > capacity - 1)
        snprintf(text, capacity, "a long %s", json_is_array(value) ? "list" : "value");
    else
        text[length] = '\0';
}

static void refuse(mdldm__config_reader *r, mdldm_status status, const char *key, const char *right)
{
    if (r->status != MDLDM_OK)
        return;
    char value[128];
    describe_value(json_object_get(r->config, key), value, sizeof value);
    r->status = mdldm__error(r->env, status, "%s: key \"%s\" is %s, but must be %s", r->where, key, value,
                             right);
}

void mdldm__config_refuse(mdldm__config_reader *r, const char *key, const char *right)
{
    if (r->status != MDLDM_OK)
        return;
    char value[128];
    describe_value(json_object_get(r->config, key), value, sizeof value);
    r->status = mdldm__error(r->env, MDLDM_ERROR_UNSUPPORTED,
                             "%s: key \"%s\": %s is not supported; supported: %s", r->where, key, value,
                             right);
}

static int number_is_integer(const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return 1;
    }
    if (!json_is_real(value))
        return 0;
    double d = json_real_value(value);
    if (!(fabs(d) < 1e15) || d != floor(d))
        return 0;
    *out = (int64_t)d;
    return 1;
}

static int32_t checked_int(mdldm__config_reader *r, const char *key, const json_t *value, int32_t min,
                           int32_t max)
{
    int64_t number = 0;
    if (!number_is_integer(value, &number) || number < min || number > max) {
        char right[80];
        snprintf(right, sizeof right, "an integer in %d..%d", (int)min, (int)max);
        refuse(r, MDLDM_ERROR_UNSUPPORTED, key, right);
        return min;
    }
    return (int32_t)number;
}

int32_t mdldm__config_int(mdldm__config_reader *r, const char *key, int32_t fallback, int32_t min,
                          int32_t max)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (is_null)
        refuse(r, MDLDM_ERROR_UNSUPPORTED, key, "an integer");
    return value == NULL ? fallback : checked_int(r, key, value, min, max);
}

int32_t mdldm__config_optional_int(mdldm__config_reader *r, const char *key, int32_t fallback,
                                   int32_t if_null, int32_t min, int32_t max)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (value == NULL)
        return is_null ? if_null : fallback;
    return checked_int(r, key, value, min, max);
}

int32_t mdldm__config_bool(mdldm__config_reader *r, const char *key, int32_t fallback)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (value == NULL && !is_null)
        return fallback;
    if (!json_is_boolean(value)) {
        refuse(r, MDLDM_ERROR_FORMAT, key, "true or false");
        return fallback;
    }
    return json_is_true(value);
}

double mdldm__config_double(mdldm__config_reader *r, const char *key, double fallback, double min,
                            double max)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (value == NULL && !is_null)
        return fallback;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        char right[96];
        snprintf(right, sizeof right, "a number in %g..%g", min, max);
        refuse(r, MDLDM_ERROR_UNSUPPORTED, key, right);
        return fallback;
    }
    return number;
}

int32_t mdldm__config_choice(mdldm__config_reader *r, const char *key, const char *choices,
                             int32_t fallback, int null_is_fallback)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (value == NULL && (!is_null || null_is_fallback))
        return fallback;
    const char *text = json_string_value(value);
    int32_t index = text != NULL ? mdldm__choice_index(choices, text) : -1;
    if (index < 0) {
        mdldm__config_refuse(r, key, choices);
        return fallback;
    }
    return index;
}

void mdldm__config_int_list(mdldm__config_reader *r, const char *key, int32_t *out, int32_t capacity,
                            int32_t *count)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (value == NULL && !is_null)
        return;
    size_t size = json_array_size(value);
    char right[96];
    snprintf(right, sizeof right, "a list of 1..%d positive integers", (int)capacity);
    if (!json_is_array(value) || size < 1 || size > (size_t)capacity) {
        refuse(r, MDLDM_ERROR_UNSUPPORTED, key, right);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        int64_t number = 0;
        if (!number_is_integer(json_array_get(value, i), &number) || number < 1 || number > 65536) {
            refuse(r, MDLDM_ERROR_UNSUPPORTED, key, right);
            return;
        }
        out[i] = (int32_t)number;
    }
    *count = (int32_t)size;
}

void mdldm__config_choice_list(mdldm__config_reader *r, const char *key, const char *choices,
                               int32_t *out, int32_t capacity, int32_t *count)
{
    int is_null;
    const json_t *value = mdldm__config_value(r, key, &is_null);
    if (value == NULL && !is_null)
        return;
    size_t size = json_array_size(value);
    if (!json_is_array(value) || size < 1 || size > (size_t)capacity) {
        char right[96];
        snprintf(right, sizeof right, "a list of 1..%d block names", (int)capacity);
        refuse(r, MDLDM_ERROR_UNSUPPORTED, key, right);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        const char *text = json_string_value(json_array_get(value, i));
        out[i] = text != NULL ? mdldm__choice_index(choices, text) : -1;
        if (out[i] < 0) {
            if (r->status == MDLDM_OK)
                r->status = mdldm__error(r->env, MDLDM_ERROR_UNSUPPORTED,
                                         "%s: key \"%s\": block \"%s\" is not supported; supported: %s",
                                         r->where, key, text != NULL ? text : "(not a string)", choices);
            return;
        }
    }
    *count = (int32_t)size;
}

void mdldm__config_size(mdldm__config_reader *r, const char *key, int32_t *height, int32_t *width)
{
    *height = *width = 0;
    const json_t *value = mdldm__config_value(r, key, NULL);
    if (value == NULL)
        return;
    int64_t h = 0, w = 0;
    int ok;
    if (json_is_array(value) && json_array_size(value) == 2)
        ok = number_is_integer(json_array_get(value, 0), &h) &&
             number_is_integer(json_array_get(value, 1), &w);
    else
        ok = number_is_integer(value, &h) && (w = h, 1);
    if (!ok || h < 1 || w < 1 || h > 65536 || w > 65536) {
        refuse(r, MDLDM_ERROR_UNSUPPORTED, key, "an integer in 1..65536 or [height, width]");
        return;
    }
    *height = (int32_t)h;
    *width = (int32_t)w;
}

void mdldm__config_must_be_null(mdldm__config_reader *r, const char *key)
{
    if (mdldm__config_value(r, key, NULL) != NULL)
        mdldm__config_refuse(r, key, "null");
}

void mdldm__config_warn_unknown(const mdldm__config_reader *r, const char *const *known)
{
    void *iterator = json_object_iter((json_t *)r->config);
    for (; iterator != NULL; iterator = json_object_iter_next((json_t *)r->config, iterator)) {
        const char *key = json_object_iter_key(iterator);
        int found = key[0] == '_';
        for (size_t i = 0; !found && known[i] != NULL; i++)
            found = strcmp(known[i], key) == 0;
        if (!found)
            mdldm__log(r->env, 1, "%s: key \"%s\" is unknown and ignored", r->where, key);
    }
}
