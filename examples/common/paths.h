/* SPDX-License-Identifier: MIT
 * Folders and file names for the programs. */
#ifndef PATHS_H
#define PATHS_H

#include <stddef.h>

/* Makes the folder and those above it; 1 when it is there afterwards, else 0 with errno set. */
int paths_make_folder(const char *path);
/* Makes the folders above a file. */
int paths_make_parents(const char *path);
int paths_is_folder(const char *path);
int paths_exists(const char *path);
/* A name made fit for a file name: anything but letters, digits, '.', '-' and '_' becomes '_'. */
void paths_plain_name(const char *name, char *out, size_t size);

#endif
