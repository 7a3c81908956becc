/* SPDX-License-Identifier: MIT
 * Reading config.json key by key. Errors are sticky (the first is kept in status) and name the file,
 * the key, its value and what would be right. Keys listed in "_use_default_values" count as absent,
 * as in diffusers' from_pretrained. */
#ifndef MDLDM_MODELS_CONFIG_READER_H
#define MDLDM_MODELS_CONFIG_READER_H

#include <jansson.h>

#include "util/env.h"

typedef struct mdldm__config_reader {
    mdldm__env *env;
    const char *where; /* path of the file, for messages */
    const json_t *config;
    mdldm_status status;
} mdldm__config_reader;

/* The value of key, or NULL when it is absent or null; *is_null tells which (may be NULL). */
const json_t *mdldm__config_value(const mdldm__config_reader *r, const char *key, int *is_null);
/* "KEY is VALUE, which is not supported: RIGHT". */
void mdldm__config_refuse(mdldm__config_reader *r, const char *key, const char *right);

int32_t mdldm__config_int(mdldm__config_reader *r, const char *key, int32_t fallback, int32_t min,
                          int32_t max);
/* The same where null is allowed: absent gives fallback, null gives if_null. */
int32_t mdldm__config_optional_int(mdldm__config_reader *r, const char *key, int32_t fallback,
                                   int32_t if_null, int32_t min, int32_t max);
int32_t mdldm__config_bool(mdldm__config_reader *r, const char *key, int32_t fallback);
double mdldm__config_double(mdldm__config_reader *r, const char *key, double fallback, double min,
                            double max);
/* Index of the value among choices ("a|b|c"); absent gives fallback. Null counts as absent when
 * null_is_fallback is set, else it is refused. */
int32_t mdldm__config_choice(mdldm__config_reader *r, const char *key, const char *choices,
                             int32_t fallback, int null_is_fallback);
/* A list of positive integers, at most capacity; absent leaves out and *count. */
void mdldm__config_int_list(mdldm__config_reader *r, const char *key, int32_t *out, int32_t capacity,
                            int32_t *count);
/* A list of strings, each one of choices; out[i] is its index. absent leaves out and *count. */
void mdldm__config_choice_list(mdldm__config_reader *r, const char *key, const char *choices,
                               int32_t *out, int32_t capacity, int32_t *count);
/* An int, or a list [height, width]; absent and null give 0, 0. */
void mdldm__config_size(mdldm__config_reader *r, const char *key, int32_t *height, int32_t *width);
/* Refuses any value but null or absent. */
void mdldm__config_must_be_null(mdldm__config_reader *r, const char *key);
/* Logs a warning for each key that is not in known[] (ends with NULL) and does not start with '_'. */
void mdldm__config_warn_unknown(const mdldm__config_reader *r, const char *const *known);

#endif
