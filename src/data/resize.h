/* SPDX-License-Identifier: MIT
 * From an image of any size to the square that a model sees: torchvision's Resize(resolution),
 * crop, flip and ToTensor + Normalize(0.5, 0.5), bit for bit as they act on PIL images. */
#ifndef MDLDM_DATA_RESIZE_H
#define MDLDM_DATA_RESIZE_H

#include "util/env.h"

/* Pillow's antialiased bilinear resize of rgb [height][width][3] to out_height x out_width, of which
 * only the window at (top, left) is computed: out [rows][columns][3]. */
mdldm_status mdldm__resize_bilinear(mdldm__env *env, const uint8_t *rgb, int64_t height, int64_t width,
                                    int64_t out_height, int64_t out_width, int64_t top, int64_t left,
                                    int64_t rows, int64_t columns, uint8_t *out);

/* The antialiased triangle filter from in_size to out_size values: inputs that output i reads begin at *start;
 * their weights [mdldm__triangle_width at most] are above 0 and sum to 1. Returns their number. */
int64_t mdldm__triangle_width(int64_t in_size, int64_t out_size);
int64_t mdldm__triangle_weights(int64_t in_size, int64_t out_size, int64_t i, double *weights, int64_t *start);

/* The same resize of one channel of float, without rounding between the passes (Pillow's mode F):
 * in [height][width], out [rows][columns]. */
mdldm_status mdldm__resize_matrix(mdldm__env *env, const float *in, int64_t height, int64_t width,
                                  int64_t out_height, int64_t out_width, int64_t top, int64_t left, int64_t rows,
                                  int64_t columns, float *out);

/* Size after Resize(resolution): the shorter side becomes resolution, the other is truncated. */
void mdldm__fit_size(int64_t height, int64_t width, int64_t resolution, int64_t *out_height,
                     int64_t *out_width);
/* First row (column) of a centre crop: Python's round((size - crop) / 2), halves to even. */
int64_t mdldm__centre_offset(int64_t size, int64_t crop);

/* table[v] = (v / 255 - 0.5) / 0.5 in float, as ToTensor and Normalize compute it. */
void mdldm__pixel_table(float table[256]);

#endif
