/* SPDX-License-Identifier: MIT
 * Eight-bit layers: QUANTIZE and CONV_Q8 with what was fused into it. */
#include "cpu_conv.h"
#include "cpu_scratch.h"

#include <string.h>

mdldm__cpu_range mdldm__cpu_range_of(const mdldm_plan *plan, int32_t range, int32_t group)
{
    return (mdldm__cpu_range){.range = mdldm__cpu_memory(plan, range),
                              .group = mdldm__cpu_memory(plan, group),
                              .groups = mdldm__cpu_dims(plan, range)[0]};
}

/* ---- QUANTIZE: y <- x, range, group ---- */

static mdldm_status run_quantize(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *x = &plan->tensors[step->in[0]];
    mdldm__cpu_range range = mdldm__cpu_range_of(plan, step->in[1], step->in[2]);
    plan->device->kernels->quantize(mdldm__cpu_memory(plan, step->out[0]), mdldm__cpu_memory(plan, step->in[0]),
                                    x->dtype, &range, x->dims[0], mdldm__elements(x->dims) / x->dims[0],
                                    step->threads);
    return MDLDM_OK;
}

mdldm_status mdldm__cpu_lower_quantize(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    mdldm__cpu_add_step(plan, node->op, run_quantize);
    return MDLDM_OK;
}

/* ---- CONV_Q8: y <- x0, x1|-1, w, w_scale, b|-1, range, group ---- */

/* An UPSAMPLE2 before it was folded into the convolution (cpu_fuse.c; stride 1 only). */
static int enlarges(const mdldm_conv_attr *a, const int64_t *x, const int64_t *y)
{
    return x[1] + a->pad_t + a->pad_b - a->kernel_h + 1 != y[1] && a->stride_h == 1;
}

static mdldm_status run_conv_q8(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_conv_attr *attr = &step->op->attr.conv;
    const int64_t *x = mdldm__cpu_dims(plan, step->in[0]), *y = mdldm__cpu_dims(plan, step->out[0]);
    int64_t oc = y[3], scale = enlarges(attr, x, y) ? 2 : 1;
    mdldm__cpu_q8 a = {.n = x[0],
                       .h = x[1] * scale,
                       .w = x[2] * scale,
                       .half = scale == 2,
                       .c0 = x[3],
                       .c1 = step->in[1] >= 0 ? mdldm__cpu_dims(plan, step->in[1])[3] : 0,
                       .ho = y[1],
                       .wo = y[2],
                       .oc = oc,
                       .kh = attr->kernel_h,
                       .kw = attr->kernel_w,
                       .stride_h = attr->stride_h,
                       .stride_w = attr->stride_w,
                       .pad_t = attr->pad_t,
                       .pad_l = attr->pad_l,
                       .dtype = plan->tensors[step->out[0]].dtype,
                       .threads = step->threads,
                       .range = mdldm__cpu_range_of(plan, step->in[5], step->in[6]),
                       .x0 = mdldm__cpu_memory(plan, step->in[0]),
                       .x1 = mdldm__cpu_memory(plan, step->in[1]),
                       .packed = (const int8_t *)step->packed->data + mdldm__q8_sums_bytes(oc),
                       .sums = step->packed->data,
                       .w_scale = mdldm__cpu_memory(plan, step->in[3]),
                       .b = mdldm__cpu_memory(plan, step->in[4]),
                       .e = mdldm__cpu_memory(plan, step->extra),
                       .residual = mdldm__cpu_memory(plan, step->in[7]),
                       .y = mdldm__cpu_memory(plan, step->out[0]),
                       .scratch = mdldm__cpu_memory(plan, step->scratch)};
    plan->device->kernels->conv_q8(&a);
    return MDLDM_OK;
}

static mdldm_status lower_direct(mdldm_plan *plan, const mdldm__conv_job *job)
{
    const int64_t *x = mdldm__cpu_dims(plan, job->src[0]);
    int64_t c1 = job->src[1] >= 0 ? mdldm__cpu_dims(plan, job->src[1])[3] : 0;
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run_conv_q8);
    step->out[0] = job->dst;
    step->extra = job->extra;
    step->in[7] = job->residual;
    mdldm__cpu_in_place(plan, job->node, job->residual, job->dst);
    step->scratch = mdldm__cpu_add_scratch(plan, (size_t)mdldm__cpu_q8_scratch(x[0], x[3], c1));
    mdldm__packed_key key = {.param = plan->tensors[job->weights].param, .ic = x[3]};
    return mdldm__packed_get(plan->store, &key, &mdldm__pack_q8, NULL, &step->packed, &plan->packed_bytes);
}

/* 84 to 94% of four times the F32 peak, where others compete: with AVX-512 and its bf16 instructions. */
static double cost_direct(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    return mdldm__conv_macs(plan, job) / (4.0 * 0.9 * MDLDM__CONV_PEAK_MACS);
}

static const mdldm__conv_algorithm direct = {"eight bits", cost_direct, lower_direct};
static const mdldm__conv_algorithm *const algorithms[] = {
    &mdldm__conv_winograd4_bf16, &mdldm__conv_winograd2_bf16, &mdldm__conv_resampled, &direct, NULL};

mdldm_status mdldm__cpu_lower_conv_q8(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    mdldm__conv_job job = {.node = node,
                           .op = op,
                           .resample = enlarges(&op->attr.conv, mdldm__cpu_dims(plan, op->in[0]),
                                                mdldm__cpu_dims(plan, op->out[0])),
                           .src = {op->in[0], op->in[1]},
                           .dst = node->out,
                           .weights = op->in[2],
                           .bias = op->in[4],
                           .extra = node->extra,
                           .residual = node->residual,
                           .ic = mdldm__cpu_dims(plan, op->in[2])[1]};
    return mdldm__conv_lower(plan, &job, algorithms);
}
