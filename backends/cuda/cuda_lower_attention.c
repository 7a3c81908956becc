/* SPDX-License-Identifier: MIT
 * Launches of attention (kernels/attention.cuh). */
#include <stddef.h>

#include "cuda_args_attention.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

enum { SHAPE_16, SHAPE_32, SHAPE_64, SHAPE_WIDE, SHAPE_64_ODD, SHAPE_WIDE_ODD, SHAPES };
enum { MODE_O, MODE_DQ, MODE_DK, MODE_DV, MODES };

#define BY_SHAPE(stem) {stem "_16", stem "_32", stem "_64", stem "_wide", stem "_64_odd", stem "_wide_odd"}
#define BY_MODE(type)                                                                                  \
    {BY_SHAPE("mdldm_attention_o_" type), BY_SHAPE("mdldm_attention_dq_" type),                        \
     BY_SHAPE("mdldm_attention_dk_" type), BY_SHAPE("mdldm_attention_dv_" type)}
static const char *const kernels[3][MODES][SHAPES] = {BY_MODE("f32"), BY_MODE("bf16"), BY_MODE("f16")};
static const char *const delta_kernels[3] = {"mdldm_attention_delta_f32", "mdldm_attention_delta_bf16",
                                             "mdldm_attention_delta_f16"};

/* As in attention.cuh: two slices of 16384 bytes, the weights of rows x 64, and a few floats per row. */
static uint32_t shared_of(int shape, uint32_t size)
{
    const int wide = shape == SHAPE_WIDE || shape == SHAPE_WIDE_ODD;
    const uint32_t rows = wide ? 32 : 64, warps_beside = wide ? 4 : 1;
    return 2 * 16384 + rows * 64 * size + (warps_beside + 2) * rows * 4;
}

typedef struct attention_form {
    int type, shape;
    uint32_t grid[3], threads, shared;
    struct mdldm__cuda_args_attention args;
} attention_form;

/* 0 when the operation has been refused. q: any of the tensors [n,h,w,c]. */
static int form_of(mdldm__cuda_builder *b, const mdldm_graph_op *op, int32_t q, attention_form *f)
{
    const int64_t *d = mdldm__cuda_dims(b, q);
    const int64_t heads = op->attr.attention.heads, tokens = d[1] * d[2], size = d[3] / heads;
    if (!mdldm__cuda_fits(b, "images times heads", d[0] * heads, MDLDM__CUDA_GRID_YZ) ||
        !mdldm__cuda_fits(b, "tokens", tokens, 1 << 24) || !mdldm__cuda_fits(b, "channels", d[3], 1 << 20))
        return 0;
    const int32_t dtype = mdldm__cuda_dtype(b, q);
    const int64_t per_chunk = dtype == MDLDM_F32 ? 4 : 8;
    f->type = dtype == MDLDM_F32 ? 0 : dtype == MDLDM_BF16 ? 1 : 2;
    if (size % per_chunk != 0 || d[3] % per_chunk != 0)
        f->shape = size <= 64 ? SHAPE_64_ODD : SHAPE_WIDE_ODD;
    else
        f->shape = size <= 16 ? SHAPE_16 : size <= 32 ? SHAPE_32 : size <= 64 ? SHAPE_64 : SHAPE_WIDE;
    const int wide = f->shape == SHAPE_WIDE || f->shape == SHAPE_WIDE_ODD;
    f->threads = wide ? 256 : 128;
    f->shared = shared_of(f->shape, dtype == MDLDM_F32 ? 4 : 2);
    f->grid[0] = (uint32_t)((tokens + (wide ? 31 : 63)) / (wide ? 32 : 64));
    f->grid[1] = (uint32_t)(d[0] * heads);
    f->grid[2] = wide ? (uint32_t)((size + 511) / 512) : 1;
    f->args = (struct mdldm__cuda_args_attention){.tokens = (int32_t)tokens,
                                                  .channels = (int32_t)d[3],
                                                  .heads = (int32_t)heads,
                                                  .size = (int32_t)size,
                                                  .scale = op->attr.attention.scale};
    return 1;
}

static void launch(mdldm__cuda_builder *b, const attention_form *f, int mode, const int32_t qkv[3])
{
    mdldm__cuda_launch(b, kernels[f->type][mode][f->shape], f->grid, f->threads, f->shared, &f->args, sizeof f->args);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention, q), mdldm__cuda_tensor(b, qkv[0]));
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention, k), mdldm__cuda_tensor(b, qkv[1]));
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention, v), mdldm__cuda_tensor(b, qkv[2]));
}

/* o, lse <- q, k, v */
void mdldm__cuda_lower_attention(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    attention_form f;
    if (!form_of(b, op, op->in[0], &f))
        return;
    launch(b, &f, MODE_O, op->in);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_attention, out), mdldm__cuda_tensor(b, op->out[0]));
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_attention, lse_out), mdldm__cuda_tensor(b, op->out[1]));
}

/* dq, dk, dv <- do, q, k, v, o, lse */
void mdldm__cuda_lower_attention_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    attention_form f;
    if (!form_of(b, op, op->in[0], &f))
        return;
    const struct mdldm__cuda_args_attention_delta sums = {.rows = (int64_t)f.grid[1] * f.args.tokens,
                                                          .tokens = f.args.tokens,
                                                          .channels = f.args.channels,
                                                          .heads = f.args.heads,
                                                          .size = f.args.size};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, sums.rows * 32, 256, 1), 1, 1};
    const mdldm__cuda_ref delta = mdldm__cuda_scratch(b, (size_t)sums.rows * sizeof(float));
    mdldm__cuda_launch(b, delta_kernels[f.type], grid, 256, 0, &sums, sizeof sums);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention_delta, dout), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention_delta, o), mdldm__cuda_tensor(b, op->in[4]));
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_attention_delta, delta), delta);
    for (int slot = 0; slot < 3; slot++) {
        launch(b, &f, MODE_DQ + slot, op->in + 1);
        mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention, dout), mdldm__cuda_tensor(b, op->in[0]));
        mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention, lse), mdldm__cuda_tensor(b, op->in[5]));
        mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_attention, delta), delta);
        mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_attention, out), mdldm__cuda_tensor(b, op->out[slot]));
    }
}
