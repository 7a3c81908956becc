/* SPDX-License-Identifier: MIT
 * Gradients of convolution weights and biases, added to the canonical ones of the store: by the kernels
 * for few rows, else by k_wgrad.h. */
#include "cpu_conv.h"

#include <string.h>

#include "cpu_scratch.h"

static mdldm_status run_linear_bwd_weights(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = mdldm__rows_args(plan, step, step->out[0], step->in[2]);
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.dy = mdldm__cpu_memory(plan, step->in[2]);
    a.dw = (float *)mdldm__cpu_memory(plan, step->out[0]) + step->i0;
    plan->device->kernels->linear_bwd_weights(&a);
    return MDLDM_OK;
}

/* Products of bf16 round the transformed tiles, to 1.1e-2 of a gradient: as much as bf16 costs the gradients
 * of whole networks (5e-3 to 2e-2).
 *
 * By Winograd's method where that can be: at no shape of the presets are direct products faster, not even on
 * 8x8 places at batch 2 (as fast there, half as fast on larger maps). */
static mdldm__cpu_wgrad product_args(mdldm_plan *plan, const mdldm__cpu_step *step)
{
    const int64_t *x = mdldm__cpu_dims(plan, step->in[0]), *dy = mdldm__cpu_dims(plan, step->in[2]);
    const mdldm_conv_attr *c = &step->op->attr.conv;
    int32_t dtype = plan->tensors[step->in[0]].dtype;
    int narrow = dtype == MDLDM_BF16 && plan->device->bf16 == 2 && x[3] >= MDLDM__WINOGRAD_BF16_FROM &&
                 dy[3] >= MDLDM__WINOGRAD_BF16_FROM;
    return (mdldm__cpu_wgrad){.n = x[0],
                              .h = x[1],
                              .w = x[2],
                              .ic = x[3],
                              .ho = dy[1],
                              .wo = dy[2],
                              .oc = dy[3],
                              .kernel_h = c->kernel_h,
                              .kernel_w = c->kernel_w,
                              .stride_h = c->stride_h,
                              .stride_w = c->stride_w,
                              .pad_t = c->pad_t,
                              .pad_l = c->pad_l,
                              .dw_row = mdldm__cpu_dims(plan, step->out[0])[1] * c->kernel_h * c->kernel_w,
                              .dtype = dtype,
                              .operands = narrow ? MDLDM_BF16 : MDLDM_F32,
                              .threads = step->threads,
                              .winograd = !(plan->flags & MDLDM_PLAN_DIRECT) && c->kernel_h == 3 &&
                                          c->kernel_w == 3 && c->stride_h == 1 && c->stride_w == 1};
}

static mdldm_status run_product(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_wgrad a = product_args(plan, step);
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.dy = mdldm__cpu_memory(plan, step->in[2]);
    a.dw = (float *)mdldm__cpu_memory(plan, step->out[0]) + step->i0 * a.kernel_h * a.kernel_w;
    a.scratch = mdldm__cpu_memory(plan, step->scratch);
    plan->device->kernels->wgrad(&a);
    return MDLDM_OK;
}

static mdldm_status run_bias_grad(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *dy = &plan->tensors[step->in[2]];
    plan->device->kernels->column_sum(mdldm__cpu_memory(plan, step->out[1]),
                                      mdldm__cpu_memory(plan, step->in[2]), dy->dtype, 1, 1,
                                      dy->dims[0] * dy->dims[1] * dy->dims[2], dy->dims[3],
                                      mdldm__cpu_memory(plan, step->scratch), step->threads);
    return MDLDM_OK;
}

static void lower_source(mdldm_plan *plan, const mdldm_graph_op *op, int source, int64_t i0)
{
    int small = mdldm__cpu_small_linear(plan, op);
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, op, small ? run_linear_bwd_weights : run_product);
    step->in[0] = op->in[source];
    step->in[1] = -1;
    step->out[1] = -1;
    step->ic = mdldm__cpu_dims(plan, step->in[0])[3];
    step->i0 = i0;
    if (small) {
        step->scratch = mdldm__cpu_add_scratch(plan, mdldm__rows_scratch(plan, step->ic, op->in[2]));
        return;
    }
    mdldm__cpu_wgrad a = product_args(plan, step);
    step->scratch = mdldm__cpu_add_scratch(plan, (size_t)mdldm__cpu_wgrad_sizes(&a).floats * sizeof(float));
}

mdldm_status mdldm__cpu_lower_bwd_weights(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    int64_t i0 = 0;
    for (int source = 0; source < 2; source++) {
        if (op->in[source] < 0)
            continue;
        lower_source(plan, op, source, i0);
        i0 += mdldm__cpu_dims(plan, op->in[source])[3];
    }
    if (op->out[1] < 0)
        return MDLDM_OK;
    mdldm__cpu_step *bias = mdldm__cpu_add_step(plan, op, run_bias_grad);
    const int64_t *d = mdldm__cpu_dims(plan, op->in[2]);
    memset(bias->in, -1, sizeof bias->in);
    bias->in[2] = op->in[2];
    bias->out[0] = -1;
    bias->scratch = mdldm__cpu_add_scratch(
        plan, (size_t)mdldm__cpu_column_scratch(1, d[0] * d[1] * d[2], d[3]) * sizeof(float));
    return MDLDM_OK;
}
