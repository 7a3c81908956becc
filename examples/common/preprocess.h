/* SPDX-License-Identifier: MIT
 * A folder of images made into RGB PNGs of one size, its directory structure kept. */
#ifndef PREPROCESS_H
#define PREPROCESS_H

#include "cli.h"

/* Reads c->options of scope DATASET. Returns an exit status, 0 when all went well. */
int preprocess_run(const cli *c, const char *raw, const char *processed);

#endif
