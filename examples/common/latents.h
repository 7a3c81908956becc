/* SPDX-License-Identifier: MIT
 * The latent report of a model on a data set, as lines or as JSON. */
#ifndef LATENTS_H
#define LATENTS_H

#include "cli.h"
#include "json_out.h"

/* Measures the images in path with side pixels. json NULL: lines on standard output, else its entry
 * "latent_report". Returns the exit status. */
int latents_print(const cli *c, const mdldm_model *m, const char *path, int64_t side, json_out *json);

/* The same of a data set that is open: lines on standard output, and the JSON as the file at path. */
int latents_record(const cli *c, const mdldm_model *m, const mdldm_dataset *d, const char *path);

#endif
