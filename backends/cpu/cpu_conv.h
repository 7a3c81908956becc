/* SPDX-License-Identifier: MIT
 * Convolutions come down to jobs, and a job is given to the algorithm that costs least.
 *
 * A job is one product of weights with activations: a CONV or CONV_Q8 with its fused neighbours, or the
 * gradient of one source of it. Lowering describes the job, asks each algorithm of the table what it would cost
 * here, and lets the cheapest add its steps to the plan. */
#ifndef MDLDM_CPU_CONV_H
#define MDLDM_CPU_CONV_H

#include "cpu_plan.h"

typedef struct mdldm__conv_job {
    const mdldm__cpu_node *node;
    const mdldm_graph_op *op;
    int32_t gradient; /* 0: dst = conv(src, weights); 1: dst is the gradient of what was convolved */
    int32_t resample; /* an UPSAMPLE2 (gradient: its gradient) joined in: src (dst) is the small map */
    int32_t src[2];   /* forward: x0, x1 or -1; gradient: dy, -1 */
    int32_t dst;
    int32_t weights;  /* the PARAM tensor, canonical [O,I,kh,kw] */
    int32_t bias;     /* PARAM or -1 */
    int32_t extra;    /* a [n,1,1,c] tensor added to the bias, or -1; few rows: n = 1 */
    int32_t residual; /* a tensor of dst's shape that is added, or -1 */
    int64_t i0, ic;   /* slice of the weights' input channels: all of src, or those of dst */
} mdldm__conv_job;

typedef struct mdldm__conv_algorithm {
    const char *name;
    /* Estimated seconds on one thread; negative: not for this job. */
    double (*cost)(const mdldm_plan *plan, const mdldm__conv_job *job);
    mdldm_status (*lower)(mdldm_plan *plan, const mdldm__conv_job *job);
} mdldm__conv_algorithm;

/* By that of the algorithms (the last is NULL) which costs least, at equal cost the first. */
mdldm_status mdldm__conv_lower(mdldm_plan *plan, const mdldm__conv_job *job,
                               const mdldm__conv_algorithm *const *algorithms);
extern const mdldm__conv_algorithm mdldm__conv_few_rows; /* cpu_conv_rows.c */
extern const mdldm__conv_algorithm mdldm__conv_few_outputs; /* cpu_conv_few.c */
extern const mdldm__conv_algorithm mdldm__conv_winograd4, mdldm__conv_winograd2, mdldm__conv_winograd2_bf16,
    mdldm__conv_winograd4_bf16, mdldm__conv_resampled;   /* cpu_conv_winograd.c */
extern const mdldm__conv_algorithm mdldm__conv_product;  /* cpu_conv_product.c */
extern const mdldm__conv_algorithm mdldm__conv_onednn;   /* cpu_conv_onednn.c: every job but resampled ones */

/* Multiply-accumulates a second that costs are reckoned with: one core with two 16-lane F32 FMA a cycle
 * at 3 GHz. Only ratios between algorithms matter. */
#define MDLDM__CONV_PEAK_MACS 96e9
/* Multiply-accumulates of the job when done directly. */
double mdldm__conv_macs(const mdldm_plan *plan, const mdldm__conv_job *job);
/* Geometry of the convolution that op describes, between x and y: not turned, kind FORWARD. */
mdldm__conv_spec mdldm__conv_spec_of(const mdldm_plan *plan, const mdldm_graph_op *op, int32_t x, int32_t y);
/* Makes dst hold the job's residual, in its memory when that dies here, else by a step that copies. For
 * algorithms that add to dst. */
void mdldm__conv_start_from_residual(mdldm_plan *plan, const mdldm__conv_job *job);
/* The bias with the fused operand added: of the step's in[3], extra and bias_scratch. */
const float *mdldm__conv_bias(mdldm_plan *plan, const mdldm__cpu_step *step);
/* Notes the job's bias and extra on the step that is to apply them. */
void mdldm__conv_take_bias(mdldm_plan *plan, const mdldm__conv_job *job, mdldm__cpu_step *step);

/* ---- cpu_conv_rows.c: the few-rows kernels for the weight gradient as well ---- */
size_t mdldm__rows_scratch(const mdldm_plan *plan, int64_t ic, int32_t y);
mdldm__cpu_linear mdldm__rows_args(mdldm_plan *plan, const mdldm__cpu_step *step, int32_t w, int32_t y);

#endif
