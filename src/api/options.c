/* SPDX-License-Identifier: MIT
 * Options: the table of options.def, checked setters, typed getters. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "util/choice.h"
#include "util/number.h"

typedef struct option_row {
    const char *key;
    int32_t type, scopes;
    const char *text;
    double low, high;
    const char *choices, *unit, *help, *since;
} option_row;

static const option_row table[] = {
#define OPTION(key, type, scopes, text, low, high, choices, unit, help, since) \
    {key, MDLDM_OPTION_##type, scopes, text, low, high, choices, unit, help, since},
#include "api/options.def"
#undef OPTION
};
enum { ROWS = sizeof table / sizeof table[0] };

typedef struct option_value {
    int32_t set;
    int64_t integer;
    double real;
    char *text;
} option_value;

struct mdldm_options {
    mdldm__env env;
    option_value values[ROWS];
};

static const option_row *row_at(int32_t index)
{
    return index >= 0 && index < ROWS ? &table[index] : NULL;
}

static int same_key(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
            return 0;
    return *a == *b;
}

int32_t mdldm_option_count(void) { return ROWS; }
const char *mdldm_option_key(int32_t i) { return row_at(i) != NULL ? table[i].key : NULL; }
int32_t mdldm_option_type_of(int32_t i) { return row_at(i) != NULL ? table[i].type : 0; }
int32_t mdldm_option_scopes(int32_t i) { return row_at(i) != NULL ? table[i].scopes : 0; }
const char *mdldm_option_default(int32_t i) { return row_at(i) != NULL ? table[i].text : NULL; }
const char *mdldm_option_choices(int32_t i) { return row_at(i) != NULL ? table[i].choices : NULL; }
double mdldm_option_min(int32_t i) { return row_at(i) != NULL ? table[i].low : 0.0; }
double mdldm_option_max(int32_t i) { return row_at(i) != NULL ? table[i].high : 0.0; }
const char *mdldm_option_unit(int32_t i) { return row_at(i) != NULL ? table[i].unit : NULL; }
const char *mdldm_option_help(int32_t i) { return row_at(i) != NULL ? table[i].help : NULL; }
const char *mdldm_option_since(int32_t i) { return row_at(i) != NULL ? table[i].since : NULL; }

int32_t mdldm_option_index(const char *key)
{
    for (int32_t i = 0; key != NULL && i < ROWS; i++)
        if (same_key(table[i].key, key))
            return i;
    return -1;
}

/* Levenshtein distance, for suggestions; both shorter than 64. */
static int distance(const char *a, const char *b)
{
    int row[64], la = (int)strlen(a), lb = (int)strlen(b);
    if (la >= 64 || lb >= 64)
        return 1000;
    for (int j = 0; j <= lb; j++)
        row[j] = j;
    for (int i = 1; i <= la; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            char ca = a[i - 1] == '-' ? '_' : a[i - 1], cb = b[j - 1] == '-' ? '_' : b[j - 1];
            int best = diagonal + (ca != cb);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

static mdldm_status find(mdldm__env *env, const char *key, int32_t *index)
{
    if (key == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the option's key is NULL");
    *index = mdldm_option_index(key);
    if (*index >= 0)
        return MDLDM_OK;
    int best = 1000;
    const char *nearest = "";
    for (int32_t i = 0; i < ROWS; i++) {
        int d = distance(key, table[i].key);
        if (d < best) {
            best = d;
            nearest = table[i].key;
        }
    }
    if (best <= 2 + (int)strlen(key) / 4)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there is no option %s; did you mean %s?", key,
                            nearest);
    return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there is no option %s", key);
}

static mdldm_status enter(mdldm_context *ctx, const void *needed, const char *sentence)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    return needed != NULL ? MDLDM_OK : mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s", sentence);
}

mdldm_status mdldm_options_create(mdldm_context *ctx, mdldm_options **out)
{
    if (out != NULL)
        *out = NULL;
    MDLDM__TRY(enter(ctx, out, "mdldm_options_create: out is NULL"));
    mdldm_options *o = mdldm__calloc(&ctx->env, 1, sizeof *o);
    if (o == NULL)
        return mdldm__oom(&ctx->env, "options");
    mdldm__env_init(&o->env, &ctx->env);
    *out = o;
    return MDLDM_OK;
}

void mdldm_options_free(mdldm_options *options)
{
    if (options == NULL)
        return;
    mdldm__env env = options->env;
    for (int i = 0; i < ROWS; i++)
        mdldm__free(&env, options->values[i].text);
    mdldm__free(&env, options);
}

static mdldm_status check_range(mdldm__env *env, const option_row *row, double value)
{
    if (!isfinite(value) || ((row->low != 0.0 || row->high != 0.0) && (value < row->low || value > row->high)))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s is %.9g: %.9g to %.9g is expected%s%s",
                            row->key, value, row->low, row->high, row->unit[0] != '\0' ? ", in " : "",
                            row->unit);
    return MDLDM_OK;
}

static const char *type_word(const option_row *row)
{
    static const char *const words[] = {"a whole number", "a number", "text", "0 or 1"};
    return words[row->type];
}

static mdldm_status wrong_type(mdldm__env *env, const option_row *row, const char *given)
{
    return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "%s is %s: %s is expected", row->key, given,
                        type_word(row));
}

mdldm_status mdldm_options_set_int(mdldm_context *ctx, mdldm_options *options, const char *key,
                                   int64_t value)
{
    MDLDM__TRY(enter(ctx, options, "the options are NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    char given[32];
    snprintf(given, sizeof given, "%lld", (long long)value);
    if (table[i].type == MDLDM_OPTION_STRING)
        return wrong_type(&ctx->env, &table[i], given);
    MDLDM__TRY(check_range(&ctx->env, &table[i], (double)value));
    options->values[i].integer = value;
    options->values[i].real = (double)value;
    options->values[i].set = 1;
    return MDLDM_OK;
}

mdldm_status mdldm_options_set_double(mdldm_context *ctx, mdldm_options *options, const char *key,
                                      double value)
{
    MDLDM__TRY(enter(ctx, options, "the options are NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    char given[32];
    snprintf(given, sizeof given, "%.9g", value);
    if (table[i].type != MDLDM_OPTION_DOUBLE)
        return wrong_type(&ctx->env, &table[i], given);
    MDLDM__TRY(check_range(&ctx->env, &table[i], value));
    options->values[i].real = value;
    options->values[i].set = 1;
    return MDLDM_OK;
}

mdldm_status mdldm_options_set_string(mdldm_context *ctx, mdldm_options *options, const char *key,
                                      const char *value)
{
    MDLDM__TRY(enter(ctx, options, "the options are NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    if (value == NULL)
        return wrong_type(&ctx->env, &table[i], "NULL");
    if (table[i].type != MDLDM_OPTION_STRING)
        return wrong_type(&ctx->env, &table[i], value);
    if (table[i].choices[0] != '\0' && mdldm__choice_index(table[i].choices, value) < 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s is %s: one of %s is expected",
                            table[i].key, value[0] != '\0' ? value : "empty", table[i].choices);
    char *copy = mdldm__strdup(&options->env, value); /* ctx may be another than the one they were made with */
    if (copy == NULL)
        return mdldm__oom(&ctx->env, "option value");
    mdldm__free(&options->env, options->values[i].text);
    options->values[i].text = copy;
    options->values[i].set = 1;
    return MDLDM_OK;
}

mdldm_status mdldm_options_parse(mdldm_context *ctx, mdldm_options *options, const char *key,
                                 const char *text)
{
    MDLDM__TRY(enter(ctx, options, "the options are NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    if (text == NULL)
        return wrong_type(&ctx->env, &table[i], "NULL");
    char *end = NULL;
    errno = 0;
    switch (table[i].type) {
    case MDLDM_OPTION_STRING:
        return mdldm_options_set_string(ctx, options, key, text);
    case MDLDM_OPTION_DOUBLE: {
        double value = mdldm__strtod(text, &end);
        if (end == text || *end != '\0' || errno == ERANGE)
            return wrong_type(&ctx->env, &table[i], text[0] != '\0' ? text : "empty");
        return mdldm_options_set_double(ctx, options, key, value);
    }
    default:
        break;
    }
    if (table[i].type == MDLDM_OPTION_FLAG) {
        if (mdldm__choice_index("1|true|yes|on", text) >= 0)
            return mdldm_options_set_int(ctx, options, key, 1);
        if (mdldm__choice_index("0|false|no|off", text) >= 0)
            return mdldm_options_set_int(ctx, options, key, 0);
        return wrong_type(&ctx->env, &table[i], text[0] != '\0' ? text : "empty");
    }
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno == ERANGE)
        return wrong_type(&ctx->env, &table[i], text[0] != '\0' ? text : "empty");
    return mdldm_options_set_int(ctx, options, key, value);
}

static int64_t int_at(const mdldm_options *o, int32_t i)
{
    return o != NULL && o->values[i].set ? o->values[i].integer : strtoll(table[i].text, NULL, 10);
}

static double double_at(const mdldm_options *o, int32_t i)
{
    return o != NULL && o->values[i].set ? o->values[i].real : mdldm__strtod(table[i].text, NULL);
}

static const char *string_at(const mdldm_options *o, int32_t i)
{
    return o != NULL && o->values[i].set ? o->values[i].text : table[i].text;
}

mdldm_status mdldm_options_get_int(mdldm_context *ctx, const mdldm_options *options, const char *key,
                                   int64_t *value)
{
    MDLDM__TRY(enter(ctx, value, "the place for the option's value is NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    if (table[i].type != MDLDM_OPTION_INT && table[i].type != MDLDM_OPTION_FLAG)
        return wrong_type(&ctx->env, &table[i], "asked for as an integer");
    *value = int_at(options, i);
    return MDLDM_OK;
}

mdldm_status mdldm_options_get_double(mdldm_context *ctx, const mdldm_options *options, const char *key,
                                      double *value)
{
    MDLDM__TRY(enter(ctx, value, "the place for the option's value is NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    if (table[i].type == MDLDM_OPTION_STRING)
        return wrong_type(&ctx->env, &table[i], "asked for as a number");
    *value = double_at(options, i);
    return MDLDM_OK;
}

mdldm_status mdldm_options_get_string(mdldm_context *ctx, const mdldm_options *options, const char *key,
                                      const char **value)
{
    MDLDM__TRY(enter(ctx, value, "the place for the option's value is NULL"));
    int32_t i = -1;
    MDLDM__TRY(find(&ctx->env, key, &i));
    if (table[i].type != MDLDM_OPTION_STRING)
        return wrong_type(&ctx->env, &table[i], "asked for as text");
    *value = string_at(options, i);
    return MDLDM_OK;
}

int32_t mdldm_options_is_set(const mdldm_options *options, const char *key)
{
    int32_t i = mdldm_option_index(key);
    return options != NULL && i >= 0 && options->values[i].set;
}

static int32_t must_find(const char *key)
{
    int32_t i = mdldm_option_index(key);
    assert(i >= 0);
    return i;
}

int64_t mdldm__option_int(const mdldm_options *options, const char *key)
{
    int32_t i = must_find(key);
    assert(table[i].type == MDLDM_OPTION_INT || table[i].type == MDLDM_OPTION_FLAG);
    return int_at(options, i);
}

double mdldm__option_double(const mdldm_options *options, const char *key)
{
    int32_t i = must_find(key);
    assert(table[i].type == MDLDM_OPTION_DOUBLE);
    return double_at(options, i);
}

const char *mdldm__option_string(const mdldm_options *options, const char *key)
{
    int32_t i = must_find(key);
    assert(table[i].type == MDLDM_OPTION_STRING);
    return string_at(options, i);
}
