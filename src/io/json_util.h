/* SPDX-License-Identifier: MIT
 * Reading and writing JSON (jansson) with our errors: every message names the file and the key. */
#ifndef MDLDM_IO_JSON_UTIL_H
#define MDLDM_IO_JSON_UTIL_H

#include <jansson.h>

#include "util/env.h"

/* Whole file, at most 16 MiB, duplicate keys refused, the top level an object. The caller owns *out
 * (json_decref). */
mdldm_status mdldm__json_read(mdldm__env *env, const char *path, json_t **out);
/* The same from memory; where names the source in messages. Python's bare Infinity, which diffusers
 * writes, reads as +-DBL_MAX. */
mdldm_status mdldm__json_parse(mdldm__env *env, const char *where, const char *data, size_t size,
                               json_t **out);
/* As text: two-space indent, order kept, reals in the fewest digits that bring the double back. Freed
 * with mdldm__free; NULL: out of memory. */
char *mdldm__json_text(mdldm__env *env, const json_t *value);
/* That text and a newline; atomic (mdldm__file_write). */
mdldm_status mdldm__json_write(mdldm__env *env, const char *path, const json_t *object);

/* Whether json_loadb failed for want of memory; error all zero before the call, since jansson says
 * nothing at all when its lexer could not start. */
int mdldm__json_no_memory(const json_error_t *error);

#endif
