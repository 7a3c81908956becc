/* SPDX-License-Identifier: MIT
 * A fresh folder per test, and small files in it. These fail the test themselves. */
#ifndef MDLDM_TESTS_TEMP_DIR_H
#define MDLDM_TESTS_TEMP_DIR_H

#include <stddef.h>

/* Makes a folder under $TMPDIR, /dev/shm or /tmp; freed and removed by temp_dir_remove. */
char *temp_dir_make(void);
void temp_dir_remove(char *folder);
/* FOLDER/NAME in one of a few static buffers, good for the next seven calls. */
const char *temp_path(const char *folder, const char *name);
void temp_write(const char *path, const void *data, size_t size);
/* The whole file, NUL-terminated; free() it. NULL when there is none. */
char *temp_read(const char *path, size_t *size);
/* Entries of a folder, without . and .. */
int temp_count(const char *folder);

#endif
