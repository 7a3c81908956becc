/* SPDX-License-Identifier: MIT
 * JSON written to a stream: objects and arrays nest, commas come by themselves. */
#ifndef JSON_OUT_H
#define JSON_OUT_H

#include <stdint.h>
#include <stdio.h>

typedef struct json_out {
    FILE *file;
    int depth, filled[16]; /* has this level an element already? */
    int indent;            /* 1: one element a line */
} json_out;

/* key NULL inside arrays and at the top. */
void json_open(json_out *j, const char *key, char bracket); /* '{' or '[' */
void json_close(json_out *j, char bracket);
void json_text(json_out *j, const char *key, const char *value); /* NULL: null */
void json_integer(json_out *j, const char *key, int64_t value);
void json_number(json_out *j, const char *key, double value); /* not finite: null */
void json_truth(json_out *j, const char *key, int value);
void json_verbatim(json_out *j, const char *key, const char *json); /* JSON text; NULL: null */

#endif
