/* SPDX-License-Identifier: MIT
 * Launches of the operations on single elements, of resampling, tables, losses and dropout. */
#include <math.h>
#include <stddef.h>

#include "cuda_args_ops.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

#define THREADS 256u

static int64_t count_of(const mdldm__cuda_builder *b, int32_t tensor)
{
    const int64_t *d = mdldm__cuda_dims(b, tensor);
    return d[0] * d[1] * d[2] * d[3];
}

static void reads_map(mdldm__cuda_builder *b, int32_t a, int32_t other, int32_t y)
{
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_map_args, a), mdldm__cuda_tensor(b, a));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_map_args, b), mdldm__cuda_tensor(b, other));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_map_args, y), mdldm__cuda_tensor(b, y));
}

/* Four elements a thread, regardless of images. */
static void launch_map(mdldm__cuda_builder *b, const char *kernel, const mdldm_graph_op *op, int32_t other,
                       float alpha, float beta, uint32_t each)
{
    const mdldm__cuda_map_args args = {.count = count_of(b, op->out[0]),
                                       .alpha = alpha,
                                       .beta = beta,
                                       .from = mdldm__cuda_dtype(b, op->in[0]),
                                       .to = mdldm__cuda_dtype(b, op->out[0])};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, args.count, THREADS, each), 1, 1};
    mdldm__cuda_launch(b, kernel, grid, THREADS, 0, &args, sizeof args);
    reads_map(b, op->in[0], other, op->out[0]);
}

void mdldm__cuda_lower_silu(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_map(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_silu"), op, -1, 0, 0, 4);
}

void mdldm__cuda_lower_silu_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_map(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_silu_bwd"), op, op->in[1], 0, 0, 4);
}

void mdldm__cuda_lower_add(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_map(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_add"), op, op->in[1], op->attr.scale.alpha,
               op->attr.scale.beta, 4);
}

void mdldm__cuda_lower_cast(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_map(b, "mdldm_cast", op, -1, 0, 0, 1);
}

/* Image by image: other is [n,1,1,c] of BIAS, s is [n,1,1,1] of SCALE. */
static void launch_images(mdldm__cuda_builder *b, const char *kernel, const mdldm_graph_op *op, int32_t other,
                          int32_t s)
{
    const int64_t *d = mdldm__cuda_dims(b, op->in[0]);
    const int64_t each = d[1] * d[2] * d[3];
    if (!mdldm__cuda_fits(b, "images", d[0], INT32_MAX) || !mdldm__cuda_fits(b, "elements of an image", each, INT32_MAX))
        return;
    const mdldm__cuda_map_args args = {.count = d[0] * each,
                                       .each = (uint32_t)each,
                                       .images = (int32_t)d[0],
                                       .channels = (int32_t)d[3],
                                       .alpha = op->attr.scale.alpha,
                                       .beta = op->attr.scale.beta};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, each, THREADS, 4), mdldm__cuda_grid_yz(d[0]), 1};
    mdldm__cuda_launch(b, kernel, grid, THREADS, 0, &args, sizeof args);
    reads_map(b, op->in[0], other, op->out[0]);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_map_args, s), mdldm__cuda_tensor(b, s));
}

void mdldm__cuda_lower_bias(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_images(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_bias"), op, op->in[1], -1);
}

void mdldm__cuda_lower_scale(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_images(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_scale"), op, -1, op->in[1]);
}

void mdldm__cuda_lower_sum_hw(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const int64_t *d = mdldm__cuda_dims(b, op->in[0]);
    const int64_t pixels = d[1] * d[2];
    if (!mdldm__cuda_fits(b, "images", d[0], MDLDM__CUDA_GRID_YZ) || !mdldm__cuda_fits(b, "pixels", pixels, INT32_MAX))
        return;
    mdldm__cuda_sum_args args = {.n = (int32_t)d[0],
                                 .pixels = (int32_t)pixels,
                                 .channels = (int32_t)d[3],
                                 .chunk = mdldm__cuda_chunk(pixels)};
    args.chunks = (args.pixels + args.chunk - 1) / args.chunk;
    const mdldm__cuda_ref partial =
        mdldm__cuda_scratch(b, (size_t)d[0] * (size_t)args.chunks * (size_t)d[3] * sizeof(float));
    const uint32_t first[3] = {(uint32_t)((d[3] + 63) / 64), (uint32_t)args.chunks, (uint32_t)d[0]};
    mdldm__cuda_launch(b, MDLDM__CUDA_BY_TYPE(b, op->in[0], "mdldm_sum_chunks"), first, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_sum_args, x), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_sum_args, partial), partial);
    const uint32_t second[3] = {(uint32_t)((d[3] + THREADS - 1) / THREADS), (uint32_t)d[0], 1};
    mdldm__cuda_launch(b, MDLDM__CUDA_BY_TYPE(b, op->in[0], "mdldm_sum_join"), second, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_sum_args, partial), partial);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_sum_args, y), mdldm__cuda_tensor(b, op->out[0]));
}

/* ---- Resampling. small and large: the tensors of the lesser and greater map. ---- */
static void launch_resample(mdldm__cuda_builder *b, const char *kernel, const mdldm_graph_op *op, int up, float factor)
{
    const int64_t *small = mdldm__cuda_dims(b, up ? op->in[0] : op->out[0]);
    const int64_t *large = mdldm__cuda_dims(b, up ? op->out[0] : op->in[0]);
    const int64_t *to = up ? large : small;
    if (!mdldm__cuda_fits(b, "rows of all images", large[0] * large[1], INT32_MAX) ||
        !mdldm__cuda_fits(b, "elements of a row", large[2] * large[3], INT32_MAX))
        return;
    const mdldm__cuda_resample_args args = {.n = (int32_t)small[0],
                                            .h = (int32_t)small[1],
                                            .w = (int32_t)small[2],
                                            .c = (int32_t)small[3],
                                            .large_h = (int32_t)large[1],
                                            .large_w = (int32_t)large[2],
                                            .factor = factor};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, to[2] * to[3], THREADS, 4), mdldm__cuda_grid_yz(to[0] * to[1]), 1};
    mdldm__cuda_launch(b, kernel, grid, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_resample_args, from), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_resample_args, to), mdldm__cuda_tensor(b, op->out[0]));
}

void mdldm__cuda_lower_upsample2(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_resample(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_spread"), op, 1, 1.0f);
}

void mdldm__cuda_lower_upsample2_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_resample(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_gather"), op, 0, 1.0f);
}

void mdldm__cuda_lower_avgpool2(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_resample(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_gather"), op, 0, 0.25f);
}

void mdldm__cuda_lower_avgpool2_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    launch_resample(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_spread"), op, 1, 0.25f);
}

/* ---- Tables ---- */
void mdldm__cuda_lower_embedding(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const int64_t *table = mdldm__cuda_dims(b, op->in[0]), *y = mdldm__cuda_dims(b, op->out[0]);
    if (!mdldm__cuda_fits(b, "rows", table[0] > y[0] ? table[0] : y[0], INT32_MAX))
        return;
    const mdldm__cuda_embedding_args args = {.n = (int32_t)y[0],
                                             .rows = (int32_t)table[0],
                                             .c = (int32_t)table[1],
                                             .type = mdldm__cuda_dtype(b, op->out[0])};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, y[0], 1, 1), 1, 1};
    mdldm__cuda_launch(b, "mdldm_embedding", grid, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_embedding_args, table), mdldm__cuda_param(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_embedding_args, index), mdldm__cuda_tensor(b, op->in[1]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_embedding_args, y), mdldm__cuda_tensor(b, op->out[0]));
}

void mdldm__cuda_lower_embedding_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const int64_t *table = mdldm__cuda_dims(b, op->out[0]), *dy = mdldm__cuda_dims(b, op->in[0]);
    if (!mdldm__cuda_fits(b, "rows", table[0] > dy[0] ? table[0] : dy[0], INT32_MAX))
        return;
    const mdldm__cuda_embedding_args args = {.n = (int32_t)dy[0],
                                             .rows = (int32_t)table[0],
                                             .c = (int32_t)table[1],
                                             .type = mdldm__cuda_dtype(b, op->in[0])};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, table[0], 1, 1), 1, 1};
    mdldm__cuda_launch(b, "mdldm_embedding_bwd", grid, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_embedding_args, y), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_embedding_args, index), mdldm__cuda_tensor(b, op->in[1]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_embedding_args, table), mdldm__cuda_grad(b, op->out[0]));
}

/* ---- Losses ---- */
static int loss_args(mdldm__cuda_builder *b, const mdldm_graph_op *op, mdldm__cuda_loss_args *args)
{
    const int64_t *d = mdldm__cuda_dims(b, op->in[0]);
    *args = (mdldm__cuda_loss_args){.each = d[1] * d[2] * d[3],
                                    .n = (int32_t)d[0],
                                    .absolute = op->attr.loss.kind == MDLDM_LOSS_L1,
                                    .pred_type = mdldm__cuda_dtype(b, op->in[0]),
                                    .target_type = mdldm__cuda_dtype(b, op->in[1]),
                                    .dpred_type = mdldm__cuda_dtype(b, op->out[0]),
                                    .grad = op->attr.loss.grad};
    /* About four elements a thread, at most 1024 chunks; from the shape alone: the order of the sum hangs on it. */
    const int64_t chunks = (args->each + 4 * THREADS - 1) / (4 * THREADS);
    args->chunks = (int32_t)(chunks > 1024 ? 1024 : chunks);
    return mdldm__cuda_fits(b, "images", d[0], MDLDM__CUDA_GRID_YZ);
}

static void reads_loss(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_loss_args, pred), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_loss_args, target), mdldm__cuda_tensor(b, op->in[1]));
}

void mdldm__cuda_lower_loss(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_loss_args args;
    if (!loss_args(b, op, &args))
        return;
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)args.n * (size_t)args.chunks * sizeof(float));
    const uint32_t chunks[3] = {(uint32_t)args.chunks, (uint32_t)args.n, 1}, one[3] = {1, 1, 1};
    mdldm__cuda_launch(b, "mdldm_loss_chunks", chunks, THREADS, 0, &args, sizeof args);
    reads_loss(b, op);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_loss_args, partial), partial);
    mdldm__cuda_launch(b, "mdldm_loss_join", one, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_loss_args, partial), partial);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_loss_args, weight), mdldm__cuda_tensor(b, op->in[2]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_loss_args, loss), mdldm__cuda_tensor(b, op->out[0]));
}

void mdldm__cuda_lower_loss_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_loss_args args;
    if (!loss_args(b, op, &args))
        return;
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, args.each, THREADS, 4), (uint32_t)args.n, 1};
    mdldm__cuda_launch(b, "mdldm_loss_bwd", grid, THREADS, 0, &args, sizeof args);
    reads_loss(b, op);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_loss_args, weight), mdldm__cuda_tensor(b, op->in[2]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_loss_args, dpred), mdldm__cuda_tensor(b, op->out[0]));
}

#define CROSS_ENTROPY_WARPS 8 /* of a block: a row each */

static int cross_entropy_args(mdldm__cuda_builder *b, const mdldm_graph_op *op, mdldm__cuda_cross_entropy_args *args)
{
    const int64_t *d = mdldm__cuda_dims(b, op->in[0]), rows = d[0] * d[1] * d[2];
    if (!mdldm__cuda_fits(b, "rows", rows, INT32_MAX / 2) || !mdldm__cuda_fits(b, "classes", d[3], INT32_MAX / 2))
        return 0;
    /* From the shape alone, as the order of the sum hangs on it. */
    const int64_t blocks = (rows + CROSS_ENTROPY_WARPS - 1) / CROSS_ENTROPY_WARPS;
    *args = (mdldm__cuda_cross_entropy_args){.rows = (int32_t)rows,
                                             .per_image = (int32_t)(d[1] * d[2]),
                                             .classes = (int32_t)d[3],
                                             .blocks = (int32_t)(blocks > 1024 ? 1024 : blocks),
                                             .type = mdldm__cuda_dtype(b, op->in[0]),
                                             .dtype = mdldm__cuda_dtype(b, op->out[0]),
                                             .smoothing = op->attr.cross_entropy.smoothing,
                                             .grad = op->attr.cross_entropy.grad};
    return 1;
}

static void launch_cross_entropy(mdldm__cuda_builder *b, const char *kernel, const mdldm_graph_op *op,
                                 const mdldm__cuda_cross_entropy_args *args)
{
    const uint32_t grid[3] = {(uint32_t)args->blocks, 1, 1};
    mdldm__cuda_launch(b, kernel, grid, THREADS, 0, args, sizeof *args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_cross_entropy_args, logits), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_cross_entropy_args, label), mdldm__cuda_tensor(b, op->in[1]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_cross_entropy_args, weight), mdldm__cuda_tensor(b, op->in[2]));
}

void mdldm__cuda_lower_cross_entropy(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_cross_entropy_args args;
    if (!cross_entropy_args(b, op, &args))
        return;
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)args.blocks * sizeof(float));
    const uint32_t one[3] = {1, 1, 1};
    launch_cross_entropy(b, "mdldm_cross_entropy_rows", op, &args);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_cross_entropy_args, partial), partial);
    mdldm__cuda_launch(b, "mdldm_cross_entropy_join", one, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_cross_entropy_args, partial), partial);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_cross_entropy_args, loss), mdldm__cuda_tensor(b, op->out[0]));
}

void mdldm__cuda_lower_cross_entropy_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_cross_entropy_args args;
    if (!cross_entropy_args(b, op, &args))
        return;
    launch_cross_entropy(b, "mdldm_cross_entropy_bwd", op, &args);
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_cross_entropy_args, dlogits), mdldm__cuda_tensor(b, op->out[0]));
}

/* ---- Dropout ---- */
void mdldm__cuda_lower_dropout(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const double p = op->attr.dropout.p;
    if (p == 0) {
        launch_map(b, "mdldm_cast", op, -1, 0, 0, 1);
        return;
    }
    /* (word + 0.5) * 2^-32 >= p, exactly: p has 24 bits, so the product and the difference are exact, and as
     * p < 1 - 2^-25 the threshold fits. */
    const mdldm__cuda_dropout_args args = {.count = count_of(b, op->out[0]),
                                           .salt = op->attr.dropout.salt,
                                           .threshold = (uint32_t)ceil(fmax(p * 4294967296.0 - 0.5, 0.0)),
                                           .kept = (float)(1.0 - p)};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, args.count, THREADS, 4), 1, 1};
    mdldm__cuda_launch(b, MDLDM__CUDA_BY_TYPE(b, op->out[0], "mdldm_dropout"), grid, THREADS, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_dropout_args, x), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(mdldm__cuda_dropout_args, seed), mdldm__cuda_tensor(b, op->in[1]));
    mdldm__cuda_writes(b, offsetof(mdldm__cuda_dropout_args, y), mdldm__cuda_tensor(b, op->out[0]));
}
