/* SPDX-License-Identifier: MIT
 * Launches of eight-bit inference. */
#include <stddef.h>

#include "cuda_args_ops.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

#define FORM_Q8 8 /* [O, taps, quads] int8, padded to whole words */
#define FORM_Q8_SUMS 9

/* y U8 <- x, range, group */
void mdldm__cuda_lower_quantize(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const int64_t *d = mdldm__cuda_dims(b, op->in[0]);
    if (!mdldm__cuda_fits(b, "images", d[0], INT32_MAX))
        return;
    const mdldm__cuda_quantize_args args = {.each = d[1] * d[2] * d[3],
                                            .n = (int32_t)d[0],
                                            .groups = (int32_t)mdldm__cuda_dims(b, op->in[1])[0],
                                            .type = mdldm__cuda_dtype(b, op->in[0])};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, args.each, 256, 4), mdldm__cuda_grid_yz(d[0]), 1};
    mdldm__cuda_launch(b, "mdldm_quantize", grid, 256, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_quantize_args, x), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_quantize_args, range), mdldm__cuda_param(b, op->in[1]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_quantize_args, group), mdldm__cuda_tensor(b, op->in[2]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_quantize_args, y), mdldm__cuda_tensor(b, op->out[0]));
}

/* y <- x0, x1|-1, w, w_scale, b|-1, range, group */
void mdldm__cuda_lower_conv_q8(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const mdldm_conv_attr *a = &op->attr.conv;
    const int64_t *x = mdldm__cuda_dims(b, op->in[0]), *y = mdldm__cuda_dims(b, op->out[0]);
    const int64_t c1 = op->in[1] >= 0 ? mdldm__cuda_dims(b, op->in[1])[3] : 0;
    if (!mdldm__cuda_fits(b, "images", x[0], MDLDM__CUDA_GRID_YZ) ||
        !mdldm__cuda_fits(b, "pixels of an image", y[1] * y[2], INT32_MAX / 2) ||
        !mdldm__cuda_fits(b, "output channels", y[3], 64 * MDLDM__CUDA_GRID_YZ))
        return;
    const mdldm__cuda_q8_args args = {.n = (int32_t)x[0],
                                      .h = (int32_t)x[1],
                                      .w_in = (int32_t)x[2],
                                      .c0 = (int32_t)x[3],
                                      .c1 = (int32_t)c1,
                                      .outputs = (int32_t)y[3],
                                      .ho = (int32_t)y[1],
                                      .wo = (int32_t)y[2],
                                      .kernel_h = a->kernel_h,
                                      .kernel_w = a->kernel_w,
                                      .stride_h = a->stride_h,
                                      .stride_w = a->stride_w,
                                      .pad_t = a->pad_t,
                                      .pad_l = a->pad_l,
                                      .steps = (int32_t)(a->kernel_h * a->kernel_w * ((x[3] + c1 + 3) / 4)),
                                      .groups = (int32_t)mdldm__cuda_dims(b, op->in[5])[0],
                                      .type = mdldm__cuda_dtype(b, op->out[0])};
    int fresh, fresh_sums;
    const mdldm__cuda_ref packed =
        mdldm__cuda_weights(b, op->in[2], FORM_Q8, (size_t)args.outputs * (size_t)args.steps * 4, &fresh);
    const mdldm__cuda_ref sums =
        mdldm__cuda_weights(b, op->in[2], FORM_Q8_SUMS, (size_t)args.outputs * sizeof(int32_t), &fresh_sums);
    if (fresh) {
        const uint32_t rows[3] = {((uint32_t)args.outputs + 7) / 8, 1, 1};
        mdldm__cuda_launch(b, "mdldm_q8_pack", rows, 256, 0, &args, sizeof args);
        mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, w), mdldm__cuda_param(b, op->in[2]));
        mdldm__cuda_writes(b, offsetof(mdldm__cuda_q8_args, packed), packed);
        mdldm__cuda_writes(b, offsetof(mdldm__cuda_q8_args, sums), sums);
    }
    const uint32_t grid[3] = {(uint32_t)((y[1] * y[2] + 63) / 64), ((uint32_t)args.outputs + 63) / 64, (uint32_t)args.n};
    mdldm__cuda_launch(b, "mdldm_q8_conv", grid, 256, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, x0), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, x1), mdldm__cuda_tensor(b, op->in[1]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, packed), packed);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, sums), sums);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, w_scale), mdldm__cuda_param(b, op->in[3]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, bias), mdldm__cuda_param(b, op->in[4]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, range), mdldm__cuda_param(b, op->in[5]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_q8_args, group), mdldm__cuda_tensor(b, op->in[6]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_q8_args, y), mdldm__cuda_tensor(b, op->out[0]));
}
