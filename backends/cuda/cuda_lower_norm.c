/* SPDX-License-Identifier: MIT
 * Launches of group normalisation. Forward: moments of chunks, statistics, application. Backward: sums of
 * chunks, their join, gradients of gamma and beta, gradient of the input. */
#include <stddef.h>

#include "cuda_args_ops.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

#define WARPS 4u /* of a block that has a warp per group */

/* x0 stands in slot `first`, the other operands of the norm behind it. */
static int norm_args(mdldm__cuda_builder *b, const mdldm_graph_op *op, int first, mdldm__cuda_norm_args *args)
{
    const int64_t *x0 = mdldm__cuda_dims(b, op->in[first]), pixels = x0[1] * x0[2];
    const int64_t c1 = op->in[first + 1] >= 0 ? mdldm__cuda_dims(b, op->in[first + 1])[3] : 0;
    if (!mdldm__cuda_fits(b, "images", x0[0], MDLDM__CUDA_GRID_YZ) || !mdldm__cuda_fits(b, "pixels", pixels, INT32_MAX) ||
        !mdldm__cuda_fits(b, "channels", x0[3] + c1, 1 << 20))
        return 0;
    *args = (mdldm__cuda_norm_args){.n = (int32_t)x0[0],
                                    .pixels = (int32_t)pixels,
                                    .c0 = (int32_t)x0[3],
                                    .c1 = (int32_t)c1,
                                    .groups = op->attr.norm.groups,
                                    .silu = op->attr.norm.silu != 0,
                                    .chunk = mdldm__cuda_chunk(pixels),
                                    .eps = op->attr.norm.eps};
    args->chunks = (args->pixels + args->chunk - 1) / args->chunk;
    return 1;
}

/* Blocks of 64 channels by 4 rows, one for each chunk of each image. */
static void launch_chunks(mdldm__cuda_builder *b, const char *kernel, const mdldm__cuda_norm_args *args)
{
    const uint32_t grid[3] = {(uint32_t)(args->c0 + args->c1 + 63) / 64, (uint32_t)args->chunks, (uint32_t)args->n};
    mdldm__cuda_launch(b, kernel, grid, 256, 0, args, sizeof *args);
}

/* A warp for each group of each image. */
static void launch_groups(mdldm__cuda_builder *b, const char *kernel, const mdldm__cuda_norm_args *args)
{
    const uint32_t grid[3] = {((uint32_t)args->groups + WARPS - 1) / WARPS, (uint32_t)args->n, 1};
    mdldm__cuda_launch(b, kernel, grid, 32 * WARPS, 0, args, sizeof *args);
}

static void reads_input(mdldm__cuda_builder *b, const mdldm_graph_op *op, int first)
{
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, x0), mdldm__cuda_tensor(b, op->in[first]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, x1), mdldm__cuda_tensor(b, op->in[first + 1]));
}

/* What turns an input into the output: parameters and statistics. */
static void reads_affine(mdldm__cuda_builder *b, const mdldm_graph_op *op, int first, int32_t stats)
{
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, gamma), mdldm__cuda_param(b, op->in[first + 2]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, beta), mdldm__cuda_param(b, op->in[first + 3]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, scale_shift), mdldm__cuda_tensor(b, op->in[first + 4]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, stats), mdldm__cuda_tensor(b, stats));
}

static void write_stats(mdldm__cuda_builder *b, const mdldm_graph_op *op, const mdldm__cuda_norm_args *args)
{
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(
        b, (size_t)args->n * (size_t)args->chunks * (size_t)(args->c0 + args->c1) * 2 * sizeof(float));
    launch_chunks(b, MDLDM__CUDA_BY_TYPE(b, op->in[0], "mdldm_norm_moments"), args);
    reads_input(b, op, 0);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, partial), partial);
    launch_groups(b, MDLDM__CUDA_BY_TYPE(b, op->in[0], "mdldm_norm_stats"), args);
    reads_input(b, op, 0);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, partial), partial);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, stats), mdldm__cuda_tensor(b, op->out[1]));
}

/* GROUP_NORM, and GROUP_NORM_APPLY, whose statistics are known. */
void mdldm__cuda_lower_group_norm(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_norm_args args;
    const int known = op->kind == MDLDM_OP_GROUP_NORM_APPLY;
    if (!norm_args(b, op, 0, &args))
        return;
    if (!known)
        write_stats(b, op, &args);
    launch_chunks(b, MDLDM__CUDA_BY_TYPE(b, op->in[0], "mdldm_norm_apply"), &args);
    reads_input(b, op, 0);
    reads_affine(b, op, 0, known ? op->in[5] : op->out[1]);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, y), mdldm__cuda_tensor(b, op->out[0]));
}

void mdldm__cuda_lower_group_norm_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_norm_args args;
    if (!norm_args(b, op, 1, &args))
        return;
    const size_t channels = (size_t)(args.c0 + args.c1), pair = 2 * sizeof(float);
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)args.n * (size_t)args.chunks * channels * pair);
    const mdldm__cuda_ref channel_sums = mdldm__cuda_scratch(b, (size_t)args.n * channels * pair);
    const mdldm__cuda_ref group_sums = mdldm__cuda_scratch(b, (size_t)args.n * (size_t)args.groups * pair);

    launch_chunks(b, MDLDM__CUDA_BY_TYPE(b, op->in[1], "mdldm_norm_bwd_sums"), &args);
    reads_input(b, op, 1);
    reads_affine(b, op, 1, op->in[6]);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, dy), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, partial), partial);

    launch_groups(b, MDLDM__CUDA_BY_TYPE(b, op->in[1], "mdldm_norm_bwd_join"), &args);
    reads_affine(b, op, 1, op->in[6]);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, partial), partial);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, channel_sums), channel_sums);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, group_sums), group_sums);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, dscale_shift), mdldm__cuda_tensor(b, op->out[4]));

    if (op->out[2] >= 0 || op->out[3] >= 0) {
        const uint32_t grid[3] = {(uint32_t)(channels + 127) / 128, 1, 1};
        mdldm__cuda_launch(b, MDLDM__CUDA_BY_TYPE(b, op->in[1], "mdldm_norm_bwd_affine"), grid, 128, 0, &args, sizeof args);
        mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, scale_shift), mdldm__cuda_tensor(b, op->in[5]));
        mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, channel_sums), channel_sums);
        mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, dgamma), mdldm__cuda_grad(b, op->out[2]));
        mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, dbeta), mdldm__cuda_grad(b, op->out[3]));
    }
    if (op->out[0] >= 0 || op->out[1] >= 0) {
        launch_chunks(b, MDLDM__CUDA_BY_TYPE(b, op->in[1], "mdldm_norm_bwd_apply"), &args);
        reads_input(b, op, 1);
        reads_affine(b, op, 1, op->in[6]);
        mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, dy), mdldm__cuda_tensor(b, op->in[0]));
        mdldm__cuda_reads(b, offsetof(mdldm__cuda_norm_args, group_sums), group_sums);
        mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, dx0), mdldm__cuda_tensor(b, op->out[0]));
        mdldm__cuda_writes(b, offsetof(mdldm__cuda_norm_args, dx1), mdldm__cuda_tensor(b, op->out[1]));
    }
}
