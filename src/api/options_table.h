/* SPDX-License-Identifier: MIT
 * Typed access to options inside the library. options may be NULL: defaults. */
#ifndef MDLDM_API_OPTIONS_TABLE_H
#define MDLDM_API_OPTIONS_TABLE_H

#include "util/env.h"

/* key must be in the table with that type (asserted). */
int64_t mdldm__option_int(const mdldm_options *options, const char *key);
double mdldm__option_double(const mdldm_options *options, const char *key);
const char *mdldm__option_string(const mdldm_options *options, const char *key); /* "" when empty */

#endif
