/* SPDX-License-Identifier: MIT
 * JSON as text, reals in the fewest digits that bring the same double back (0.18215, where a fixed 17
 * digits would give 0.18215000000000001), the same in every locale. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/json_util.h"

typedef struct text_out {
    mdldm__env *env;
    char *text;
    size_t length, capacity;
    int failed;
} text_out;

/* Room for size more bytes and a NUL; NULL when there is none. */
static char *reserve(text_out *o, size_t size)
{
    if (!o->failed && o->capacity - o->length <= size) {
        size_t capacity = 2 * o->capacity + size + 256;
        char *text = mdldm__realloc(o->env, o->text, capacity);
        if (text == NULL) {
            o->failed = 1;
            return NULL;
        }
        o->text = text;
        o->capacity = capacity;
    }
    return o->failed ? NULL : o->text + o->length;
}

static void put(text_out *o, const char *data, size_t size)
{
    char *to = reserve(o, size);
    if (to == NULL)
        return;
    memcpy(to, data, size);
    to[size] = '\0';
    o->length += size;
}

static void put_newline(text_out *o, int depth)
{
    put(o, "\n", 1);
    for (int i = 0; i < depth; i++)
        put(o, "  ", 2);
}

static void put_real(text_out *o, double value)
{
    char digits[40];
    int precision = 15;
    do
        snprintf(digits, sizeof digits, "%.*g", precision, value);
    while (strtod(digits, NULL) != value && ++precision <= 17);
    /* Anything that is no digit, sign or exponent is the locale's decimal point. */
    char *point = digits + strspn(digits, "0123456789-");
    if (*point != '\0' && *point != 'e')
        *point = '.';
    else if (*point == '\0')
        strcat(digits, ".0"); /* a real stays a real for the reader */
    put(o, digits, strlen(digits));
}

static void put_value(text_out *o, const json_t *value, int depth);

/* Into our own memory: what json_dumps returns would have to go through jansson's allocator, which
 * belongs to the host program. */
static void put_scalar(text_out *o, const json_t *value)
{
    size_t size = json_dumpb(value, NULL, 0, JSON_ENCODE_ANY);
    char *to = size > 0 ? reserve(o, size) : NULL;
    if (to == NULL || json_dumpb(value, to, size, JSON_ENCODE_ANY) != size) {
        o->failed = 1;
        return;
    }
    to[size] = '\0';
    o->length += size;
}

static void put_key(text_out *o, const char *key)
{
    json_t *string = json_string(key);
    if (string == NULL)
        o->failed = 1;
    else
        put_scalar(o, string);
    json_decref(string);
    put(o, ": ", 2);
}

static void put_object(text_out *o, json_t *object, int depth)
{
    const char *key;
    json_t *item;
    int count = 0;
    put(o, "{", 1);
    json_object_foreach(object, key, item) {
        if (count++ > 0)
            put(o, ",", 1);
        put_newline(o, depth + 1);
        put_key(o, key);
        put_value(o, item, depth + 1);
    }
    if (count > 0)
        put_newline(o, depth);
    put(o, "}", 1);
}

static void put_array(text_out *o, const json_t *array, int depth)
{
    size_t count = json_array_size(array);
    put(o, "[", 1);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put(o, ",", 1);
        put_newline(o, depth + 1);
        put_value(o, json_array_get(array, i), depth + 1);
    }
    if (count > 0)
        put_newline(o, depth);
    put(o, "]", 1);
}

static void put_value(text_out *o, const json_t *value, int depth)
{
    if (json_is_object(value))
        put_object(o, (json_t *)(uintptr_t)value, depth);
    else if (json_is_array(value))
        put_array(o, value, depth);
    else if (json_is_real(value))
        put_real(o, json_real_value(value));
    else
        put_scalar(o, value);
}

char *mdldm__json_text(mdldm__env *env, const json_t *value)
{
    text_out o = {.env = env};
    put_value(&o, value, 0);
    if (!o.failed)
        return o.text;
    mdldm__free(env, o.text);
    return NULL;
}
