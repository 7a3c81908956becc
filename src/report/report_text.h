/* SPDX-License-Identifier: MIT
 * Text that grows. After a failed allocation all calls do nothing; text_finish says so. */
#ifndef MDLDM_REPORT_REPORT_TEXT_H
#define MDLDM_REPORT_REPORT_TEXT_H

#include "util/env.h"

typedef struct mdldm__text {
    mdldm__env *env;
    char *data;
    size_t length, capacity;
    int failed;
} mdldm__text;

void mdldm__text_bytes(mdldm__text *t, const char *bytes, size_t size);
/* As it stands: markup. A real number goes through text_number: printf's point is the locale's. */
void mdldm__text_markup(mdldm__text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* For people: markup's characters escaped, what is not UTF-8 or no character of XML as U+FFFD. */
void mdldm__text_escaped(mdldm__text *t, const char *text);
/* digits significant ones, a point in every locale; an en dash where there is no number. */
void mdldm__text_number(mdldm__text *t, double value, int digits);
void mdldm__text_base64(mdldm__text *t, const uint8_t *bytes, size_t size);
/* *out is freed with mdldm__free; at a failure everything is. */
mdldm_status mdldm__text_finish(mdldm__text *t, char **out, size_t *size);

/* Bytes of the UTF-8 character at text; 0: none that XML allows. */
int mdldm__utf8_length(const char *text);

#endif
