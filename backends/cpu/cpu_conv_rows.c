/* SPDX-License-Identifier: MIT
 * Linear layers on few rows: reading the weights is what they cost, so the kernels read the canonical
 * ones, once, and nothing is packed. */
#include "cpu_conv.h"

size_t mdldm__rows_scratch(const mdldm_plan *plan, int64_t ic, int32_t y)
{
    const int64_t *d = mdldm__cpu_dims(plan, y);
    return (size_t)(d[0] * d[1] * d[2] * (ic + d[3])) * sizeof(float);
}

/* The few-rows kernels' arguments: w the tensor with the weights, y the one with `out` channels. */
mdldm__cpu_linear mdldm__rows_args(mdldm_plan *plan, const mdldm__cpu_step *step, int32_t w, int32_t y)
{
    const mdldm_graph_tensor *t = &plan->tensors[y];
    return (mdldm__cpu_linear){.m = t->dims[0] * t->dims[1] * t->dims[2],
                               .in = step->ic,
                               .out = t->dims[3],
                               .w_stride = mdldm__cpu_dims(plan, w)[1],
                               .dtype = t->dtype,
                               .threads = step->threads,
                               .add = step->add,
                               .scratch = mdldm__cpu_memory(plan, step->scratch)};
}

static mdldm_status run_linear(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = mdldm__rows_args(plan, step, step->in[2], step->out[0]);
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.w = (const float *)mdldm__cpu_memory(plan, step->in[2]) + step->i0;
    a.b = mdldm__conv_bias(plan, step);
    a.y = mdldm__cpu_memory(plan, step->out[0]);
    plan->device->kernels->linear(&a);
    return MDLDM_OK;
}

static mdldm_status run_linear_bwd_data(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = mdldm__rows_args(plan, step, step->in[1], step->in[0]);
    a.dy = mdldm__cpu_memory(plan, step->in[0]);
    a.w = (const float *)mdldm__cpu_memory(plan, step->in[1]) + step->i0;
    a.dx = mdldm__cpu_memory(plan, step->out[0]);
    plan->device->kernels->linear_bwd_data(&a);
    return MDLDM_OK;
}

static mdldm__cpu_step *add_step(mdldm_plan *plan, const mdldm__conv_job *job, mdldm__cpu_run_fn run,
                                 int64_t i0, int64_t ic)
{
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run);
    step->out[0] = job->dst;
    step->out[1] = -1;
    step->i0 = i0;
    step->ic = ic;
    step->scratch =
        mdldm__cpu_add_scratch(plan, mdldm__rows_scratch(plan, ic, job->gradient ? job->src[0] : job->dst));
    return step;
}

static mdldm_status lower(mdldm_plan *plan, const mdldm__conv_job *job)
{
    mdldm__conv_start_from_residual(plan, job);
    if (job->gradient) {
        add_step(plan, job, run_linear_bwd_data, job->i0, job->ic);
        return MDLDM_OK;
    }
    int64_t i0 = job->i0;
    for (int source = 0; source < 2; source++) {
        if (job->src[source] < 0)
            continue;
        int64_t ic = mdldm__cpu_dims(plan, job->src[source])[3];
        mdldm__cpu_step *step = add_step(plan, job, run_linear, i0, ic);
        step->in[0] = job->src[source];
        step->in[1] = step->in[3] = -1;
        step->add = job->residual >= 0 || source > 0;
        i0 += ic;
        if (source == 0)
            mdldm__conv_take_bias(plan, job, step);
    }
    return MDLDM_OK;
}

/* Always better than a convolution where it can be used: its weights are read once, unpacked. */
static double cost(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    return mdldm__cpu_small_linear(plan, job->op) ? 0.0 : -1.0;
}

const mdldm__conv_algorithm mdldm__conv_few_rows = {"few rows", cost, lower};
