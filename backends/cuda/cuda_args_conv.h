/* SPDX-License-Identifier: MIT
 * Argument structs of the convolution kernels (kernels/conv_*.cu); read by C and by CUDA C++. Pointers first,
 * then 32-bit members in even number, so that no compiler pads differently.
 *
 * Channels are counted in chunks of 16 bytes (4 floats, 8 bf16 or f16); a source whose channels do not fill
 * its last chunk has zeros there. K, what is summed over, runs over taps, then over the chunks of the first
 * source, then over those of the second. */
#ifndef MDLDM_CUDA_ARGS_CONV_H
#define MDLDM_CUDA_ARGS_CONV_H

#include <stdint.h>

/* mdldm_conv_TYPE_TILE: forward, and the gradient of the data. y[n, s*j+p, s*i+q, :] = sum over taps and
 * channels of x[n, step*j + first_p + direction*tap, ...] w, for each phase (p, q) of the s x s that the
 * output's step has: s is 1 in the forward pass, the convolution's stride in the backward one, where only
 * every s-th tap meets a given phase. */
struct mdldm__cuda_args_conv {
    const void *x0, *x1; /* [images, in_h, in_w, c0 and c1]; x1 may be NULL, then c1 is 0 */
    const void *w;       /* mdldm__cuda_args_conv_pack's form */
    const float *bias;   /* of y0's channels, or NULL */
    void *y0, *y1;       /* [images, out_h, out_w, y0_c and y1_c], one may be NULL */
    float *partial;      /* [splits, rows, w_rows - w_first] when splits > 1; then y0, y1, bias are left alone */
    int32_t images, in_h, in_w, out_h, out_w;
    int32_t c0, c1, chunks0, chunks; /* chunks: of both sources */
    int32_t kernel_h, kernel_w;
    int32_t out_step_h, out_step_w;  /* s */
    int32_t in_step_h, in_step_w;    /* the convolution's stride forward, 1 backward */
    int32_t pad_t, pad_l;
    int32_t direction;               /* 1 forward, -1 backward */
    int32_t w_rows, w_first;         /* rows of w, and the first one wanted; both divisible by 32 */
    int32_t y0_first, y0_c, y1_first, y1_c; /* which rows of w are which channels */
    int32_t column_tiles, splits;
    int32_t reserved[2];
};

/* mdldm_conv_join_TYPE: the sum over splits, in order, plus bias, to y0 and y1 [rows, y0_c and y1_c]. */
struct mdldm__cuda_args_conv_join {
    const float *partial, *bias;
    void *y0, *y1;
    int64_t rows;
    int32_t width, w_first, splits; /* width = w_rows - w_first */
    int32_t y0_first, y0_c, y1_first, y1_c;
    int32_t reserved;
};

/* mdldm_conv_pack_TYPE: canonical f32 weights to [rows, taps, chunks of 16 bytes]. Row r of each 32 holds
 * channel 8*((r/2)%4) + 2*(r/8) + r%2 of these 32: so a thread's share of a tile is 8 neighbours (conv.cuh).
 * Rows from real_rows on and channels past c0 and c1 are zero. */
struct mdldm__cuda_args_conv_pack {
    const float *values; /* element (row, channel, tap) at row*row_stride + channel*channel_stride + tap */
    void *w;
    int64_t row_stride, channel_stride;
    int32_t rows, real_rows, taps, c0, c1, chunks0, chunks;
    int32_t reserved;
};

/* mdldm_conv_weights_TYPE_TILE: partial[split, outputs, taps * chunks] = dy^T x over the split's pixels. */
struct mdldm__cuda_args_conv_weights {
    const void *dy, *x0, *x1;
    float *partial;
    int32_t pixels, in_h, in_w, out_h, out_w; /* pixels of dy: images * out_h * out_w */
    int32_t c0, c1, chunks0, chunks, outputs;
    int32_t kernel_h, kernel_w, step_h, step_w, pad_t, pad_l;
    int32_t column_tiles, steps; /* steps of 64 bytes' worth of pixels per split */
    uint32_t w_factor, w_shift, h_factor, h_shift; /* division by out_w and out_h: n * factor >> shift */
};

/* mdldm_conv_weights_join: dw[outputs, channels, taps] += the sum over splits, in order. */
struct mdldm__cuda_args_conv_weights_join {
    const float *partial;
    float *dw;
    int32_t splits, outputs, taps, c0, c1, width0, width; /* of one tap: columns of the first source, of both */
    int32_t reserved;
};

/* mdldm_conv_bias_TYPE: partial[block_y, outputs] = sums of dy[pixels, outputs] over a range of pixels each.
 * mdldm_conv_bias_join: db += the sum over parts, in order. */
struct mdldm__cuda_args_conv_bias {
    const void *dy;
    float *partial, *db;
    int64_t pixels;
    int32_t outputs, parts;
};

#endif
