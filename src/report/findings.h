/* SPDX-License-Identifier: MIT
 * What a public measuring call found: a tree of numbers, texts and arrays, asked by path or taken as JSON. */
#ifndef MDLDM_REPORT_FINDINGS_H
#define MDLDM_REPORT_FINDINGS_H

#include <jansson.h>

#include "util/env.h"

struct mdldm_report {
    mdldm__env env; /* of its own: it outlives the context */
    json_t *root;
    char *text; /* root as JSON */
    char *html; /* NULL: none was made */
};

/* Takes root and html (or NULL; of env's memory) over, also when it fails. root NULL, which jansson gives without memory, is OUT_OF_MEMORY. */
mdldm_status mdldm__findings_create(mdldm__env *env, json_t *root, char *html, mdldm_report **out);

/* A real, null where value is not finite: JSON has no such numbers. */
json_t *mdldm__findings_real(double value);
json_t *mdldm__findings_reals(const double *values, int64_t count);

#endif
