/* SPDX-License-Identifier: MIT
 * What atomic files and atomic folders share. */
#ifndef MDLDM_IO_IO_SYNC_H
#define MDLDM_IO_IO_SYNC_H

#include "util/env.h"

/* PATH.tmp-<pid>-<number>, not used before in this process. NULL: out of memory. */
char *mdldm__temporary_name(mdldm__env *env, const char *path);
/* fsync of a folder's entries: 0, or -1 with errno. */
int mdldm__sync_folder(const char *path);
/* The same for the folder that holds path, as a status. */
mdldm_status mdldm__sync_parent(mdldm__env *env, const char *path);

#endif
