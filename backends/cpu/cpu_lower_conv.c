/* SPDX-License-Identifier: MIT
 * Convolutions and linear layers, forward and to the data: jobs for the cheapest algorithm. */
#include "cpu_conv.h"

#include <string.h>

/* In order of preference at equal cost. */
static const mdldm__conv_algorithm *const all_algorithms[] = {
    &mdldm__conv_few_rows,       &mdldm__conv_winograd4, &mdldm__conv_winograd2,
    &mdldm__conv_winograd2_bf16, &mdldm__conv_winograd4_bf16, &mdldm__conv_product, &mdldm__conv_resampled,
    &mdldm__conv_few_outputs,    &mdldm__conv_onednn,    NULL};

mdldm__conv_spec mdldm__conv_spec_of(const mdldm_plan *plan, const mdldm_graph_op *op, int32_t x, int32_t y)
{
    const mdldm_conv_attr *a = &op->attr.conv;
    const int64_t *in = mdldm__cpu_dims(plan, x), *out = mdldm__cpu_dims(plan, y);
    return (mdldm__conv_spec){.dtype = plan->tensors[x].dtype,
                              .n = in[0],
                              .h = in[1],
                              .w = in[2],
                              .ic = in[3],
                              .ho = out[1],
                              .wo = out[2],
                              .oc = out[3],
                              .kernel_h = a->kernel_h,
                              .kernel_w = a->kernel_w,
                              .stride_h = a->stride_h,
                              .stride_w = a->stride_w,
                              .pad_t = a->pad_t,
                              .pad_l = a->pad_l,
                              .pad_b = a->pad_b,
                              .pad_r = a->pad_r};
}

double mdldm__conv_macs(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    const int64_t *y = mdldm__cpu_dims(plan, job->gradient ? job->src[0] : job->dst);
    const mdldm_conv_attr *a = &job->op->attr.conv;
    return (double)mdldm__elements(y) * (double)(job->ic * a->kernel_h * a->kernel_w);
}

static mdldm_status run_copy(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *t = &plan->tensors[step->out[0]];
    plan->device->kernels->cast(mdldm__cpu_memory(plan, step->out[0]), t->dtype,
                                mdldm__cpu_memory(plan, step->in[0]), t->dtype, mdldm__elements(t->dims),
                                step->threads);
    return MDLDM_OK;
}

void mdldm__conv_start_from_residual(mdldm_plan *plan, const mdldm__conv_job *job)
{
    if (job->residual < 0 || mdldm__cpu_in_place(plan, job->node, job->residual, job->dst))
        return;
    mdldm__cpu_step *copy = mdldm__cpu_add_step(plan, job->op, run_copy);
    memset(copy->in, -1, sizeof copy->in);
    memset(copy->out, -1, sizeof copy->out);
    copy->in[0] = job->residual;
    copy->out[0] = job->dst;
}

const float *mdldm__conv_bias(mdldm_plan *plan, const mdldm__cpu_step *step)
{
    const float *bias = mdldm__cpu_memory(plan, step->in[3]);
    if (step->extra < 0 && (step->bias_scratch < 0 || (uintptr_t)bias % 16 == 0))
        return bias;
    float *sum = mdldm__cpu_memory(plan, step->bias_scratch);
    if (step->extra < 0) {
        memcpy(sum, bias, (size_t)mdldm__elements(mdldm__cpu_dims(plan, step->in[3])) * sizeof *sum);
        return sum;
    }
    const mdldm_graph_tensor *e = &plan->tensors[step->extra];
    plan->device->kernels->bias_sum(sum, bias, mdldm__cpu_memory(plan, step->extra), e->dtype,
                                    mdldm__elements(e->dims));
    return sum;
}

void mdldm__conv_take_bias(mdldm_plan *plan, const mdldm__conv_job *job, mdldm__cpu_step *step)
{
    step->in[3] = job->bias;
    step->extra = job->extra;
    /* A bias in a mapped file may lie anywhere, and SSE instructions read aligned vectors only. */
    int align = mdldm__dnnl_vector_bits() < 256 && job->bias >= 0;
    if (job->extra >= 0 || align)
        step->bias_scratch = mdldm__cpu_add_scratch(
            plan, (size_t)mdldm__elements(mdldm__cpu_dims(plan, align ? job->bias : job->extra)) *
                      sizeof(float));
}

mdldm_status mdldm__conv_lower(mdldm_plan *plan, const mdldm__conv_job *job,
                               const mdldm__conv_algorithm *const *algorithms)
{
    const mdldm__conv_algorithm *best = NULL;
    double least = 0.0;
    for (; *algorithms != NULL; algorithms++) {
        double cost = (*algorithms)->cost(plan, job);
        if (cost >= 0.0 && (best == NULL || cost < least)) {
            best = *algorithms;
            least = cost;
        }
    }
    return best->lower(plan, job);
}

mdldm_status mdldm__cpu_lower_conv(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    mdldm__conv_job job = {.node = node,
                           .op = op,
                           .resample = node->resample,
                           .src = {op->in[0], op->in[1]},
                           .dst = node->out,
                           .weights = op->in[2],
                           .bias = op->in[3],
                           .extra = node->extra,
                           .residual = node->residual,
                           .ic = mdldm__cpu_dims(plan, op->in[2])[1]};
    return mdldm__conv_lower(plan, &job, all_algorithms);
}

/* One job for each source that wants its gradient. */
mdldm_status mdldm__cpu_lower_bwd_data(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    int64_t in = mdldm__cpu_dims(plan, op->in[1])[1];
    mdldm_status status = MDLDM_OK;
    for (int source = 0; source < 2 && status == MDLDM_OK; source++) {
        if (op->out[source] < 0)
            continue;
        int64_t ic = mdldm__cpu_dims(plan, op->out[source])[3];
        mdldm__conv_job job = {.node = node,
                               .op = op,
                               .gradient = 1,
                               .resample = node->resample,
                               .src = {op->in[0], -1},
                               .dst = node->residual >= 0 || node->resample ? node->out : op->out[source],
                               .weights = op->in[1],
                               .bias = -1,
                               .extra = -1,
                               .residual = node->residual,
                               .i0 = source == 0 ? 0 : in - ic,
                               .ic = ic};
        status = mdldm__conv_lower(plan, &job, all_algorithms);
    }
    return status;
}
