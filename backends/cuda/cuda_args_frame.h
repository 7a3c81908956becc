/* SPDX-License-Identifier: MIT
 * Argument structs of the frame's own kernels (kernels/frame.cu); read by C and by CUDA C++. Pointers first,
 * then 64-bit, then 32-bit members, so that no compiler pads differently. */
#ifndef MDLDM_CUDA_ARGS_FRAME_H
#define MDLDM_CUDA_ARGS_FRAME_H

#include <stdint.h>

/* mdldm_move_FROM_TO: between a host array as it came and a tensor. [n, rows, columns] of from goes to
 * [n, columns, rows] of to; rows 1: a copy with conversion. grid: (tiles of 32 columns, tiles of 32 rows, n
 * looped) */
struct mdldm__cuda_args_move {
    const void *from;
    void *to;
    int64_t images, rows, columns;
};

/* mdldm_finite_TYPE: *flag = 1 when one of count values is not finite. */
struct mdldm__cuda_args_finite {
    const void *x;
    int32_t *flag;
    int64_t count;
};

#endif
