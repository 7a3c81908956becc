/* SPDX-License-Identifier: MIT */
#include "io/json_util.h"

#include <string.h>

#include "io/file_util.h"

enum { JSON_FILE_LIMIT = 16 << 20 };

/* Python's json module writes float("inf") as Infinity, which is no JSON; diffusers does so for
 * lambda_min_clipped of DPMSolverMultistepScheduler. Read as the largest finite double, which acts
 * the same as a bound and can be written again. */
#define INFINITY_DIGITS "1.7976931348623157e308"

/* Copies data with each bare Infinity replaced; out NULL: only counts. Returns the new length. */
static size_t replace_infinity(const char *data, size_t size, char *out)
{
    static const char word[] = "Infinity";
    const size_t word_length = sizeof word - 1, digits_length = sizeof INFINITY_DIGITS - 1;
    size_t length = 0;
    int in_string = 0;
    for (size_t i = 0; i < size;) {
        if (!in_string && data[i] == 'I' && size - i >= word_length &&
            memcmp(data + i, word, word_length) == 0) {
            if (out != NULL)
                memcpy(out + length, INFINITY_DIGITS, digits_length);
            length += digits_length;
            i += word_length;
            continue;
        }
        size_t step = in_string && data[i] == '\\' && i + 1 < size ? 2 : 1;
        if (step == 1 && data[i] == '"')
            in_string = !in_string;
        if (out != NULL)
            memcpy(out + length, data + i, step);
        length += step;
        i += step;
    }
    return length;
}

int mdldm__json_no_memory(const json_error_t *error)
{
    return error->text[0] == '\0' || json_error_code(error) == json_error_out_of_memory;
}

mdldm_status mdldm__json_parse(mdldm__env *env, const char *where, const char *data, size_t size,
                               json_t **out)
{
    json_error_t error = {0};
    char *replaced = NULL;
    size_t length = replace_infinity(data, size, NULL);
    if (length != size) {
        replaced = mdldm__alloc(env, length);
        if (replaced == NULL)
            return mdldm__oom(env, "JSON text");
        replace_infinity(data, size, replaced);
        data = replaced;
        size = length;
    }
    json_t *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
    mdldm__free(env, replaced);
    if (value == NULL) {
        if (mdldm__json_no_memory(&error))
            return mdldm__oom(env, "JSON");
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s is no valid JSON: line %d, column %d: %s", where,
                            error.line, error.column, error.text);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s must hold a JSON object, {...}, at its top", where);
    }
    *out = value;
    return MDLDM_OK;
}

mdldm_status mdldm__json_read(mdldm__env *env, const char *path, json_t **out)
{
    char *data;
    size_t size;
    MDLDM__TRY(mdldm__file_read(env, path, JSON_FILE_LIMIT, &data, &size));
    mdldm_status status = mdldm__json_parse(env, path, data, size, out);
    mdldm__free(env, data);
    return status;
}

mdldm_status mdldm__json_write(mdldm__env *env, const char *path, const json_t *object)
{
    char *text = mdldm__json_text(env, object);
    if (text == NULL)
        return mdldm__oom(env, "JSON text");
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the NUL */
    mdldm_status status = mdldm__file_write(env, path, text, length + 1);
    mdldm__free(env, text);
    return status;
}
