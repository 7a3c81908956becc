/* SPDX-License-Identifier: MIT
 * Pictures from models: generated ones and reconstructions, as 8-bit RGB. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "cli.h"

int64_t samples_fact(const cli *c, const mdldm_model *m, const char *key); /* an integer fact, 0: none */

/* pixels [n,channels,height,width] to rgb [n][height][width][3]; one channel through the colour map. */
mdldm_status samples_to_rgb8(const cli *c, const char *colormap, const float *pixels, int64_t channels, int64_t n,
                             int64_t height, int64_t width, uint8_t *rgb);

/* n images of one class (label -1: none) into rgb [n][height][width][3], those of one channel through the colour
 * map; image k's noise depends on the sampler's seed and first_index + k alone. */
mdldm_status samples_generate(const cli *c, mdldm_sampler *sampler, const char *colormap, int64_t channels,
                              int64_t label, int64_t first_index, int64_t n, int64_t height, int64_t width,
                              uint8_t *rgb);

/* A sheet of images per class, samples drawn with ddpm_num_inference_steps, written to path. */
mdldm_status samples_write_grid(const cli *c, mdldm_model *m, const char *path, const char *title);

/* A sheet of images of the data set above their reconstructions. */
mdldm_status samples_write_reconstructions(const cli *c, const mdldm_model *m, const mdldm_dataset *d, const char *path,
                                           const char *title);

#endif
