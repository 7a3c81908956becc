/* SPDX-License-Identifier: MIT
 * Launches of vector quantisation and of the entropy terms of a codebook. */
#include <stddef.h>

#include "cuda_args_ops.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

#define VECTORS 128 /* of a block that has a thread per vector */
#define WARPS 8     /* of a block that has a warp per vector or code */

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* z, codebook: tensors. parts and part are left to the caller. */
static int vq_args(mdldm__cuda_builder *b, const mdldm_graph_op *op, int32_t z, int32_t codebook, mdldm__cuda_vq_args *args)
{
    const int64_t *d = mdldm__cuda_dims(b, z), *table = mdldm__cuda_dims(b, codebook);
    const int64_t count = d[0] * d[1] * d[2];
    if (!mdldm__cuda_fits(b, "vectors", count, INT32_MAX / 2) || !mdldm__cuda_fits(b, "codes", table[0], INT32_MAX / 2) ||
        !mdldm__cuda_fits(b, "elements of a vector", d[3], 1 << 20))
        return 0;
    const double total = (double)count * (double)d[3];
    *args = (mdldm__cuda_vq_args){.count = (int32_t)count,
                                  .rows = (int32_t)table[0],
                                  .d = (int32_t)d[3],
                                  .commitment = (float)(2.0 * op->attr.vq.commitment / total),
                                  .codebook_weight = (float)(2.0 * op->attr.vq.codebook_weight / total),
                                  .temperature = op->attr.vq.temperature,
                                  .weight_sample = op->attr.vq.weight_sample,
                                  .weight_mean = op->attr.vq.weight_mean};
    return 1;
}

static void launch(mdldm__cuda_builder *b, const char *kernel, int64_t x, int64_t y, uint32_t block,
                   const mdldm__cuda_vq_args *args)
{
    const uint32_t grid[3] = {(uint32_t)x, (uint32_t)y, 1};
    mdldm__cuda_launch(b, kernel, grid, block, 0, args, sizeof *args);
}

#define READS(field, ref) mdldm__cuda_reads(b, offsetof(mdldm__cuda_vq_args, field), ref)
#define WRITES(field, ref) mdldm__cuda_writes(b, offsetof(mdldm__cuda_vq_args, field), ref)

/* y: zq, codes, loss <- z, codebook */
void mdldm__cuda_lower_vq(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_vq_args args;
    if (!vq_args(b, op, op->in[0], op->in[1], &args))
        return;
    const int64_t blocks = divide_up(args.count, VECTORS);
    /* Parts of at least 256 codes until some 512 blocks are there; any division gives the same codes. */
    int64_t parts = divide_up(512, blocks), most = divide_up(args.rows, 256);
    parts = parts < most ? parts : most;
    args.part = (int32_t)divide_up(args.rows, parts);
    args.parts = (int32_t)divide_up(args.rows, args.part);
    const size_t cells = (size_t)args.parts * (size_t)args.count;
    const mdldm__cuda_ref z = mdldm__cuda_tensor(b, op->in[0]), codebook = mdldm__cuda_param(b, op->in[1]);
    const mdldm__cuda_ref best = mdldm__cuda_scratch(b, cells * sizeof(float));
    const mdldm__cuda_ref best_code = mdldm__cuda_scratch(b, cells * sizeof(int32_t));
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)blocks * sizeof(float));

    launch(b, args.d <= 4 ? "mdldm_vq_nearest_4" : args.d <= 16 ? "mdldm_vq_nearest_16" : "mdldm_vq_nearest_any", blocks,
           args.parts, VECTORS, &args);
    READS(z, z);
    READS(codebook, codebook);
    WRITES(best, best);
    WRITES(best_code, best_code);
    launch(b, "mdldm_vq_join", blocks, 1, VECTORS, &args);
    READS(codebook, codebook);
    READS(best, best);
    READS(best_code, best_code);
    WRITES(zq, mdldm__cuda_tensor(b, op->out[0]));
    WRITES(codes, mdldm__cuda_tensor(b, op->out[1]));
    WRITES(partial, partial);
    launch(b, "mdldm_vq_loss", 1, 1, VECTORS, &args);
    READS(partial, partial);
    WRITES(loss, mdldm__cuda_tensor(b, op->out[2]));
}

/* dz, dcodebook|-1 <- dzq|-1, z, codebook, codes */
void mdldm__cuda_lower_vq_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_vq_args args;
    if (!vq_args(b, op, op->in[1], op->in[2], &args))
        return;
    const mdldm__cuda_ref z = mdldm__cuda_tensor(b, op->in[1]), codebook = mdldm__cuda_param(b, op->in[2]);
    const mdldm__cuda_ref codes = mdldm__cuda_tensor(b, op->in[3]);
    launch(b, "mdldm_vq_bwd_z", mdldm__cuda_blocks(b, (int64_t)args.count * args.d, 256, 4), 1, 256, &args);
    READS(dzq, mdldm__cuda_tensor(b, op->in[0]));
    READS(z, z);
    READS(codebook, codebook);
    READS(codes, codes);
    WRITES(dz, mdldm__cuda_tensor(b, op->out[0]));
    if (op->out[1] < 0)
        return;
    launch(b, "mdldm_vq_bwd_codebook", divide_up(args.rows, WARPS), 1, 32 * WARPS, &args);
    READS(z, z);
    READS(codebook, codebook);
    READS(codes, codes);
    WRITES(dcodebook, mdldm__cuda_grad(b, op->out[1]));
}

/* What both entropy operations begin with: rows, columns and the means. */
typedef struct entropy_parts {
    mdldm__cuda_ref z, codebook, log_sum, entropy, mean;
} entropy_parts;

static entropy_parts lower_probabilities(mdldm__cuda_builder *b, const mdldm_graph_op *op, mdldm__cuda_vq_args *args)
{
    args->part = 128; /* vectors; from nothing else, for the order of the sum hangs on it */
    while (divide_up(args->count, args->part) > 256)
        args->part *= 2;
    args->parts = (int32_t)divide_up(args->count, args->part);
    const entropy_parts e = {.z = mdldm__cuda_tensor(b, op->in[0]),
                             .codebook = mdldm__cuda_param(b, op->in[1]),
                             .log_sum = mdldm__cuda_scratch(b, (size_t)args->count * sizeof(float)),
                             .entropy = mdldm__cuda_scratch(b, (size_t)args->count * sizeof(float)),
                             .mean = mdldm__cuda_scratch(b, (size_t)args->rows * sizeof(float))};
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)args->parts * (size_t)args->rows * sizeof(float));
    launch(b, "mdldm_vq_entropy_rows", divide_up(args->count, WARPS), 1, 32 * WARPS, args);
    READS(z, e.z);
    READS(codebook, e.codebook);
    WRITES(log_sum, e.log_sum);
    WRITES(entropy, e.entropy);
    launch(b, "mdldm_vq_entropy_columns", divide_up(args->rows, 256), args->parts, 256, args);
    READS(z, e.z);
    READS(codebook, e.codebook);
    READS(log_sum, e.log_sum);
    WRITES(partial, partial);
    launch(b, "mdldm_vq_entropy_mean", divide_up(args->rows, 256), 1, 256, args);
    READS(partial, partial);
    WRITES(mean, e.mean);
    return e;
}

void mdldm__cuda_lower_vq_entropy(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_vq_args args;
    if (!vq_args(b, op, op->in[0], op->in[1], &args))
        return;
    const entropy_parts e = lower_probabilities(b, op, &args);
    launch(b, "mdldm_vq_entropy_loss", 1, 1, 256, &args);
    READS(entropy, e.entropy);
    READS(mean, e.mean);
    WRITES(loss, mdldm__cuda_tensor(b, op->out[0]));
}

void mdldm__cuda_lower_vq_entropy_bwd(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    mdldm__cuda_vq_args args;
    if (!vq_args(b, op, op->in[0], op->in[1], &args))
        return;
    const entropy_parts e = lower_probabilities(b, op, &args);
    const mdldm__cuda_ref inner = mdldm__cuda_scratch(b, (size_t)args.count * sizeof(float));
    launch(b, "mdldm_vq_entropy_bwd_z", divide_up(args.count, WARPS), 1, 32 * WARPS, &args);
    READS(z, e.z);
    READS(codebook, e.codebook);
    READS(log_sum, e.log_sum);
    READS(mean, e.mean);
    WRITES(inner, inner);
    WRITES(dz, mdldm__cuda_tensor(b, op->out[0]));
    if (op->out[1] < 0)
        return;
    launch(b, "mdldm_vq_entropy_bwd_codebook", divide_up(args.rows, WARPS), 1, 32 * WARPS, &args);
    READS(z, e.z);
    READS(codebook, e.codebook);
    READS(log_sum, e.log_sum);
    READS(mean, e.mean);
    READS(inner, inner);
    WRITES(dcodebook, mdldm__cuda_grad(b, op->out[1]));
}
