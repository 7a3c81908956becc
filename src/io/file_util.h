/* SPDX-License-Identifier: MIT
 * Files and folders with our errors; writing is atomic: aside, fsync, rename, fsync of the folder. */
#ifndef MDLDM_IO_FILE_UTIL_H
#define MDLDM_IO_FILE_UTIL_H

#include <stdio.h>

#include "util/env.h"

char *mdldm__path_join(mdldm__env *env, const char *folder, const char *name);
int mdldm__path_is_dir(const char *path);
int mdldm__path_is_file(const char *path);
mdldm_status mdldm__mkdir_p(mdldm__env *env, const char *path);
/* Removes a file or a folder with all it holds; a missing one is fine. */
mdldm_status mdldm__remove_tree(mdldm__env *env, const char *path);
/* Whole file; *data has one NUL byte past its end. Freed with mdldm__free. */
mdldm_status mdldm__file_read(mdldm__env *env, const char *path, size_t limit, char **data, size_t *size);
mdldm_status mdldm__file_write(mdldm__env *env, const char *path, const void *data, size_t size);

/* A file written piece by piece to PATH.tmp-<pid>-<n>; nothing shows at PATH until commit. Every failure
 * (short write, full disk, fsync, rename) is an error that names the path; abort removes the rest. */
typedef struct mdldm__file_out {
    mdldm__env *env;
    char *path, *temporary;
    FILE *stream;
} mdldm__file_out;
mdldm_status mdldm__file_out_open(mdldm__env *env, const char *path, mdldm__file_out *out);
mdldm_status mdldm__file_out_write(mdldm__file_out *out, const void *data, size_t size);
mdldm_status mdldm__file_out_commit(mdldm__file_out *out); /* closes and frees either way */
void mdldm__file_out_abort(mdldm__file_out *out);          /* fine after commit */

/* A folder made aside (PATH.tmp-<pid>-<n>), then put in PATH's place; an older PATH is removed only
 * after the new one stands. What it held under names that the new one lacks moves over into the new
 * one, so that saving into a folder with other content never loses that. */
typedef struct mdldm__dir_out {
    mdldm__env *env;
    char *path, *temporary;
} mdldm__dir_out;
mdldm_status mdldm__dir_out_open(mdldm__env *env, const char *path, mdldm__dir_out *out);
mdldm_status mdldm__dir_out_commit(mdldm__dir_out *out);
void mdldm__dir_out_abort(mdldm__dir_out *out);

/* Read-only mapping. */
typedef struct mdldm__map {
    const uint8_t *data;
    size_t size;
} mdldm__map;
mdldm_status mdldm__map_open(mdldm__env *env, const char *path, mdldm__map *out);
void mdldm__map_close(mdldm__map *map);
/* Takes the pages of data[bytes] out of this process's memory as far as they lie in the mapping; whoever
 * reads them again gets them from the file. From any thread. */
void mdldm__map_forget(const mdldm__map *map, const void *data, size_t bytes);

#endif
