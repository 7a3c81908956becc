/* SPDX-License-Identifier: MIT
 * Convolutions with a few output channels (k_conv_few.h): the last one of a model, and the data gradient
 * of its first. */
#include "cpu_conv.h"

#include <string.h>

#include "cpu_scratch.h"

static mdldm__cpu_few args(const mdldm_plan *plan, const mdldm_conv_attr *attr, int32_t gradient, int32_t src,
                           int32_t dst)
{
    const int64_t *x = mdldm__cpu_dims(plan, src), *y = mdldm__cpu_dims(plan, dst);
    return (mdldm__cpu_few){.n = x[0],
                            .h = x[1],
                            .w = x[2],
                            .ic = x[3],
                            .ho = y[1],
                            .wo = y[2],
                            .oc = y[3],
                            .kernel_h = attr->kernel_h,
                            .kernel_w = attr->kernel_w,
                            .pad_t = gradient ? attr->kernel_h - 1 - attr->pad_t : attr->pad_t,
                            .pad_l = gradient ? attr->kernel_w - 1 - attr->pad_l : attr->pad_l,
                            .dtype = plan->tensors[src].dtype,
                            .turned = gradient};
}

static mdldm_status run(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_conv_attr *attr = &step->op->attr.conv;
    int64_t taps = attr->kernel_h * attr->kernel_w;
    mdldm__cpu_few a = args(plan, attr, step->kind == MDLDM__CONV_BACKWARD_DATA, step->in[0], step->out[0]);
    a.threads = step->threads;
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.weights = (const float *)mdldm__cpu_memory(plan, step->in[2]) + step->i0 * taps;
    a.row = mdldm__cpu_dims(plan, step->in[2])[1] * taps;
    a.bias = mdldm__cpu_memory(plan, step->in[3]);
    a.y = mdldm__cpu_memory(plan, step->out[0]);
    a.scratch = mdldm__cpu_memory(plan, step->scratch);
    plan->device->kernels->conv_few(&a);
    return MDLDM_OK;
}

static mdldm_status lower(mdldm_plan *plan, const mdldm__conv_job *job)
{
    mdldm__cpu_few a = args(plan, &job->op->attr.conv, job->gradient, job->src[0], job->dst);
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run);
    memset(step->in, -1, sizeof step->in);
    memset(step->out, -1, sizeof step->out);
    step->in[0] = job->src[0];
    step->in[2] = job->weights;
    step->in[3] = job->bias;
    step->out[0] = job->dst;
    step->i0 = job->i0;
    step->kind = job->gradient ? MDLDM__CONV_BACKWARD_DATA : MDLDM__CONV_FORWARD;
    mdldm__few_sizes z = mdldm__cpu_few_sizes(&a, plan->device->kernels->lanes);
    step->scratch = mdldm__cpu_add_scratch(
        plan, (size_t)(z.packed + step->threads * (z.ring + z.out)) * sizeof(float));
    return MDLDM_OK;
}

/* Its product, with the empty columns, at about 85% of the peak, and a hundred operations a pixel. */
static double cost(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    const mdldm_conv_attr *attr = &job->op->attr.conv;
    if (job->src[1] >= 0 || job->extra >= 0 || job->residual >= 0 || job->resample || attr->stride_h != 1 ||
        attr->stride_w != 1 || (job->gradient && !mdldm__cpu_turned(attr)))
        return -1.0;
    mdldm__cpu_few a = args(plan, attr, job->gradient, job->src[0], job->dst);
    mdldm__few_sizes z = mdldm__cpu_few_sizes(&a, plan->device->kernels->lanes);
    if (a.oc > MDLDM__CPU_FEW || z.columns > MDLDM__CPU_FEW_COLUMNS || (a.dtype == MDLDM_BF16 && a.ic % 2 != 0))
        return -1.0;
    double pace = a.dtype == MDLDM_BF16 && plan->device->bf16 == 2 ? 2.0 : 1.0;
    double pixels = (double)(a.n * a.h * a.w);
    return pixels * ((double)(a.ic * z.columns) / (pace * 0.85) + 1600.0) / MDLDM__CONV_PEAK_MACS;
}

const mdldm__conv_algorithm mdldm__conv_few_outputs = {"few outputs", cost, lower};
