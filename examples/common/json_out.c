/* SPDX-License-Identifier: MIT */
#include "json_out.h"

#include <math.h>

static void quoted(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s != '\0'; s++) {
        unsigned char ch = (unsigned char)*s;

        if (ch == '"' || ch == '\\') {
            fprintf(f, "\\%c", ch);
        } else if (ch < 0x20) {
            fprintf(f, "\\u%04x", ch);
        } else {
            fputc(ch, f);
        }
    }
    fputc('"', f);
}

static void next(json_out *j, const char *key)
{
    if (j->filled[j->depth]) {
        fputc(',', j->file);
    }
    if (j->depth > 0 && j->indent) {
        fprintf(j->file, "\n%*s", 2 * j->depth, "");
    } else if (j->filled[j->depth]) {
        fputc(' ', j->file);
    }
    j->filled[j->depth] = 1;
    if (key != NULL) {
        quoted(j->file, key);
        fputs(": ", j->file);
    }
}

void json_open(json_out *j, const char *key, char bracket)
{
    next(j, key);
    fputc(bracket, j->file);
    j->filled[++j->depth] = 0;
}

void json_close(json_out *j, char bracket)
{
    int filled = j->filled[j->depth--];

    if (filled && j->indent) {
        fprintf(j->file, "\n%*s", 2 * j->depth, "");
    }
    fputc(bracket, j->file);
    if (j->depth == 0) {
        fputc('\n', j->file);
        j->filled[0] = 0;
    }
}

void json_text(json_out *j, const char *key, const char *value)
{
    next(j, key);
    if (value == NULL) {
        fputs("null", j->file);
    } else {
        quoted(j->file, value);
    }
}

void json_integer(json_out *j, const char *key, int64_t value)
{
    next(j, key);
    fprintf(j->file, "%lld", (long long)value);
}

void json_number(json_out *j, const char *key, double value)
{
    next(j, key);
    if (isfinite(value)) {
        fprintf(j->file, "%.9g", value);
    } else {
        fputs("null", j->file);
    }
}

void json_truth(json_out *j, const char *key, int value)
{
    next(j, key);
    fputs(value ? "true" : "false", j->file);
}

void json_verbatim(json_out *j, const char *key, const char *json)
{
    next(j, key);
    fputs(json != NULL ? json : "null", j->file);
}
