/* SPDX-License-Identifier: MIT
 * Launches of a codebook that follows its latents. */
#include <stddef.h>

#include "cuda_args_ops.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

#define WARPS 8 /* of a block that has a warp per code */

#define READS(field, ref) mdldm__cuda_reads(b, offsetof(mdldm__cuda_codebook_args, field), ref)
#define WRITES(field, ref) mdldm__cuda_writes(b, offsetof(mdldm__cuda_codebook_args, field), ref)

static void launch(mdldm__cuda_builder *b, const char *kernel, int64_t blocks, const mdldm__cuda_codebook_args *args)
{
    const uint32_t grid[3] = {(uint32_t)blocks, 1, 1};
    mdldm__cuda_launch(b, kernel, grid, 256, 0, args, sizeof *args);
}

/* tally <- z, codes, place, counts, sums */
void mdldm__cuda_lower_vq_collect(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const int64_t *z = mdldm__cuda_dims(b, op->in[0]), *sums = mdldm__cuda_dims(b, op->in[4]);
    const int64_t count = z[0] * z[1] * z[2];
    if (!mdldm__cuda_fits(b, "vectors", count, INT32_MAX / 2))
        return;
    const mdldm__cuda_codebook_args args = {.count = (int32_t)count,
                                            .rows = (int32_t)sums[0],
                                            .d = (int32_t)sums[1],
                                            .keep = op->attr.codebook.keep,
                                            .take = op->attr.codebook.take};
    launch(b, "mdldm_codebook_collect", (sums[0] + WARPS - 1) / WARPS, &args);
    READS(z, mdldm__cuda_tensor(b, op->in[0]));
    READS(codes, mdldm__cuda_tensor(b, op->in[1]));
    READS(place, mdldm__cuda_tensor(b, op->in[2]));
    READS(counts, mdldm__cuda_param(b, op->in[3]));
    READS(sums, mdldm__cuda_param(b, op->in[4]));
    WRITES(tally, mdldm__cuda_state(b, op->out[0]));
}

/* codebook, counts, sums, age, report <- tally */
void mdldm__cuda_lower_vq_update(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const int64_t *sums = mdldm__cuda_dims(b, op->out[2]);
    const mdldm_codebook_attr *a = &op->attr.codebook;
    const mdldm__cuda_codebook_args args = {.rows = (int32_t)sums[0],
                                            .d = (int32_t)sums[1],
                                            .follow = a->follow != 0,
                                            .restart_after = a->restart_after > 0 ? (float)a->restart_after : 0.0f};
    const mdldm__cuda_ref tally = mdldm__cuda_param(b, op->in[0]), age = mdldm__cuda_state(b, op->out[3]);
    launch(b, "mdldm_codebook_report", 1, &args); /* counts the dead by the ages before the step */
    READS(tally, tally);
    READS(age, age);
    WRITES(report, mdldm__cuda_tensor(b, op->out[4]));
    launch(b, "mdldm_codebook_update", (sums[0] + 255) / 256, &args);
    READS(tally, tally);
    WRITES(codebook, mdldm__cuda_state(b, op->out[0]));
    WRITES(counts, mdldm__cuda_state(b, op->out[1]));
    WRITES(sums, mdldm__cuda_state(b, op->out[2]));
    WRITES(age, age);
    WRITES(exp_avg, mdldm__cuda_learned(b, op->out[0], MDLDM_SLOT_EXP_AVG));
    WRITES(exp_avg_sq, mdldm__cuda_learned(b, op->out[0], MDLDM_SLOT_EXP_AVG_SQ));
    WRITES(ema, mdldm__cuda_learned(b, op->out[0], MDLDM_SLOT_EMA));
}
