/* SPDX-License-Identifier: MIT
 * Name-value pairs to the library's options, and the table itself. Nothing about single options stands
 * here: names, types, ranges and scopes are the library's. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mdldm_mex.h"

static const struct {
    int32_t bit;
    const char *name;
} scope_names[] = {
    { MDLDM_SCOPE_MODEL, "model" },   { MDLDM_SCOPE_DATASET, "dataset" },     { MDLDM_SCOPE_TRAIN, "train" },
    { MDLDM_SCOPE_VQ, "vq" },         { MDLDM_SCOPE_DIFFUSION, "diffusion" }, { MDLDM_SCOPE_SAMPLE, "sample" },
    { MDLDM_SCOPE_QUANTIZE, "quantize" }, { MDLDM_SCOPE_SPECTROGRAM, "spectrogram" },
    { MDLDM_SCOPE_GAIT, "gait" }, { MDLDM_SCOPE_LATENTS, "latents" }, { MDLDM_SCOPE_EVALUATE, "evaluate" },
};
#define SCOPE_COUNT (sizeof scope_names / sizeof scope_names[0])

/* "MaxTrainSteps", "maxTrainSteps", "max_train_steps", "max-train-steps" are one name. */
static int same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "_-");
        b += strspn(b, "_-");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return 0;
        }
        if (*a == '\0') {
            return 1;
        }
    }
}

static int32_t find_option(const char *name)
{
    for (int32_t i = 0; i < mdldm_option_count(); i++) {
        if (same_name(name, mdldm_option_key(i))) {
            return i;
        }
    }
    return -1;
}

/* An unknown name in the table's spelling, so that the library can suggest the nearest. */
static void snake_case(const char *name, char *key, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; name[i] != '\0' && used + 3 < size; i++) {
        if (isupper((unsigned char)name[i]) && i > 0 && !isupper((unsigned char)name[i - 1]) && name[i - 1] != '_') {
            key[used++] = '_';
        }
        key[used++] = (char)tolower((unsigned char)name[i]);
    }
    key[used] = '\0';
}

static void list_scopes(int32_t bits, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < SCOPE_COUNT && used < size; i++) {
        if (scope_names[i].bit & bits) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", scope_names[i].name);
        }
    }
}

static mdldm_status set_number(mex_call *c, mdldm_options *o, const char *key, const mxArray *value)
{
    double v = 0.0;
    mdldm_status s = mex_number(c, value, key, &v);

    if (s != MDLDM_OK) {
        return s;
    }
    if (v == floor(v) && fabs(v) <= 9007199254740992.0) {
        return mdldm_options_set_int(mex_context(), o, key, (int64_t)v);
    }
    return mdldm_options_set_double(mex_context(), o, key, v);
}

/* {'a', 'b'} as "a/b", the library's form of a list. */
static mdldm_status set_list(mex_call *c, mdldm_options *o, const char *key, const mxArray *cell)
{
    size_t count = mxGetNumberOfElements(cell), size = 1;
    char *joined;

    for (int pass = 0; pass < 2; pass++) {
        joined = pass == 0 ? NULL : mex_scratch(c, (int64_t)size, 1);
        if (pass == 1 && joined == NULL) {
            return MDLDM_ERROR_OUT_OF_MEMORY;
        }
        size_t used = 0;
        for (size_t i = 0; i < count; i++) {
            const mxArray *item = mxGetCell(cell, (mwIndex)i);
            const char *text = item != NULL ? mex_text(c, item, key) : NULL;

            if (text == NULL) {
                return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "%s: each cell should hold a text", key);
            }
            if (pass == 0) {
                size += strlen(text) + 1;
            } else {
                used += (size_t)snprintf(joined + used, size - used, "%s%s", i > 0 ? "/" : "", text);
            }
        }
        if (pass == 1 && count == 0) {
            joined[0] = '\0';
        }
    }
    return mdldm_options_set_string(mex_context(), o, key, joined);
}

static mdldm_status set_option(mex_call *c, mdldm_options *o, const mxArray *name_array, const mxArray *value,
                               int32_t scopes)
{
    char key[128];
    const char *name = mex_text(c, name_array, "an option's name"), *text;
    int32_t index;

    if (name == NULL) {
        return MDLDM_ERROR_INVALID_ARGUMENT;
    }
    index = find_option(name);
    if (index < 0) {
        snake_case(name, key, sizeof key);
        return mdldm_options_parse(mex_context(), o, key, ""); /* fails, and says what was meant */
    }
    snprintf(key, sizeof key, "%s", mdldm_option_key(index));
    if ((mdldm_option_scopes(index) & scopes) == 0) {
        char belongs[128], here[128];

        list_scopes(mdldm_option_scopes(index), belongs, sizeof belongs);
        list_scopes(scopes, here, sizeof here);
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "option %s is not read here (%s): it belongs to %s", key,
                        here, belongs);
    }
    if (mxIsCell(value)) {
        return set_list(c, o, key, value);
    }
    if (!mxIsChar(value)) {
        return set_number(c, o, key, value);
    }
    text = mex_text(c, value, key);
    return text != NULL ? mdldm_options_parse(mex_context(), o, key, text) : MDLDM_ERROR_INVALID_ARGUMENT;
}

static void free_options(void *object)
{
    mdldm_options_free(object);
}

mdldm_status mex_options(mex_call *c, const mxArray *cell, int32_t scopes, mdldm_options **out)
{
    mdldm_options *o = NULL;
    size_t count = mxGetNumberOfElements(cell) / 2;
    mdldm_status s;

    *out = NULL;
    if (!mxIsCell(cell)) {
        return mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "options come as a cell array of names and values");
    }
    s = mdldm_options_create(mex_context(), &o);
    if (s == MDLDM_OK) {
        s = mex_keep(c, o, free_options);
    }
    for (size_t i = 0; s == MDLDM_OK && i < count; i++) {
        const mxArray *name = mxGetCell(cell, (mwIndex)(2 * i)), *value = mxGetCell(cell, (mwIndex)(2 * i + 1));

        s = name != NULL && value != NULL
                ? set_option(c, o, name, value, scopes)
                : mex_fail(c, MDLDM_ERROR_INVALID_ARGUMENT, "option %lld has no value", (long long)i + 1);
    }
    *out = s == MDLDM_OK ? o : NULL;
    return s;
}

/* options -> struct array of the table, one element an option. */
mdldm_status mex_cmd_options(mex_call *c)
{
    static const char *fields[] = { "key",     "type", "scopes", "default", "choices",
                                    "minimum", "maximum", "unit", "help", "since" };
    static const char *const types[] = { "int", "double", "string", "flag" };
    int32_t count = mdldm_option_count();
    mxArray *table = mxCreateStructMatrix(1, (mwSize)count, 10, fields);

    for (int32_t i = 0; i < count; i++) {
        char scopes[128];

        list_scopes(mdldm_option_scopes(i), scopes, sizeof scopes);
        mxSetField(table, (mwIndex)i, "key", mex_string(mdldm_option_key(i)));
        mxSetField(table, (mwIndex)i, "type", mex_string(types[mdldm_option_type_of(i) & 3]));
        mxSetField(table, (mwIndex)i, "scopes", mex_string(scopes));
        mxSetField(table, (mwIndex)i, "default", mex_string(mdldm_option_default(i)));
        mxSetField(table, (mwIndex)i, "choices", mex_string(mdldm_option_choices(i)));
        mxSetField(table, (mwIndex)i, "minimum", mxCreateDoubleScalar(mdldm_option_min(i)));
        mxSetField(table, (mwIndex)i, "maximum", mxCreateDoubleScalar(mdldm_option_max(i)));
        mxSetField(table, (mwIndex)i, "unit", mex_string(mdldm_option_unit(i)));
        mxSetField(table, (mwIndex)i, "help", mex_string(mdldm_option_help(i)));
        mxSetField(table, (mwIndex)i, "since", mex_string(mdldm_option_since(i)));
    }
    c->plhs[0] = table;
    return MDLDM_OK;
}
