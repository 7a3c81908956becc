/* SPDX-License-Identifier: MIT */
#include "report/report_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static char *reserve(mdldm__text *t, size_t size)
{
    if (!t->failed && t->capacity - t->length <= size) {
        const size_t capacity = 2 * t->capacity + size + 1024;
        char *data = mdldm__realloc(t->env, t->data, capacity);
        if (data == NULL) {
            t->failed = 1;
        } else {
            t->data = data;
            t->capacity = capacity;
        }
    }
    return t->failed ? NULL : t->data + t->length;
}

void mdldm__text_bytes(mdldm__text *t, const char *bytes, size_t size)
{
    char *to = reserve(t, size);
    if (to == NULL)
        return;
    memcpy(to, bytes, size);
    to[size] = '\0';
    t->length += size;
}

void mdldm__text_markup(mdldm__text *t, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    mdldm__text_bytes(t, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

int mdldm__utf8_length(const char *text)
{
    const unsigned char *u = (const unsigned char *)text;
    if (u[0] < 0x80)
        return u[0] >= 0x20 || u[0] == '\t' || u[0] == '\n' || u[0] == '\r' ? 1 : 0;
    const int length = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    if (u[0] < 0xc2 || u[0] > 0xf4)
        return 0;
    uint32_t code = u[0] & (0xffu >> (length + 1));
    for (int i = 1; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (u[i] & 0x3fu);
    }
    /* Overlong forms, surrogates, and what XML 1.0 (2.2) leaves out. */
    if ((length == 3 && code < 0x800) || (length == 4 && code < 0x10000) || code > 0x10ffff ||
        (code >= 0xd800 && code <= 0xdfff) || code == 0xfffe || code == 0xffff)
        return 0;
    return length;
}

void mdldm__text_escaped(mdldm__text *t, const char *text)
{
    while (*text != '\0') {
        const int length = mdldm__utf8_length(text);
        switch (*text) {
        case '&': mdldm__text_bytes(t, "&amp;", 5); break;
        case '<': mdldm__text_bytes(t, "&lt;", 4); break;
        case '>': mdldm__text_bytes(t, "&gt;", 4); break;
        case '"': mdldm__text_bytes(t, "&quot;", 6); break;
        case '\'': mdldm__text_bytes(t, "&#39;", 5); break;
        default:
            if (length == 0)
                mdldm__text_bytes(t, REPLACEMENT, 3);
            else
                mdldm__text_bytes(t, text, (size_t)length);
        }
        text += length == 0 ? 1 : length;
    }
}

void mdldm__text_number(mdldm__text *t, double value, int digits)
{
    char line[48];
    if (!isfinite(value)) {
        mdldm__text_bytes(t, "\xe2\x80\x93", 3);
        return;
    }
    snprintf(line, sizeof line, "%.*g", digits, value == 0.0 ? 0.0 : value);
    /* Anything that is no digit, sign or exponent is the locale's point, of one byte or more. */
    const char *at = line;
    const size_t whole = strspn(at, "0123456789-");
    mdldm__text_bytes(t, at, whole);
    at += whole;
    if (*at != '\0' && *at != 'e') {
        mdldm__text_bytes(t, ".", 1);
        at += strcspn(at, "0123456789");
    }
    mdldm__text_bytes(t, at, strlen(at));
}

void mdldm__text_base64(mdldm__text *t, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t rest = size - i;
        const uint32_t word = (uint32_t)bytes[i] << 16 | (rest > 1 ? (uint32_t)bytes[i + 1] << 8 : 0u) |
                              (rest > 2 ? bytes[i + 2] : 0u);
        const char four[4] = {digits[word >> 18], digits[word >> 12 & 63], rest > 1 ? digits[word >> 6 & 63] : '=',
                              rest > 2 ? digits[word & 63] : '='};
        mdldm__text_bytes(t, four, 4);
    }
}

mdldm_status mdldm__text_finish(mdldm__text *t, char **out, size_t *size)
{
    if (t->failed || reserve(t, 0) == NULL) {
        mdldm__free(t->env, t->data);
        t->data = NULL;
        return mdldm__oom(t->env, "report");
    }
    t->data[t->length] = '\0';
    *out = t->data;
    if (size != NULL)
        *size = t->length;
    return MDLDM_OK;
}
