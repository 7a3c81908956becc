/* SPDX-License-Identifier: MIT
 * Gradients of convolution weights and biases. */
#include "cpu_conv.h"

#include <string.h>

#include "cpu_scratch.h"

/* The gradient in the primitive's layout stands at the start of the scratch. */
static mdldm_status run_bwd_weights(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *dw = &plan->tensors[step->out[0]];
    float *packed = mdldm__cpu_memory(plan, step->bias_scratch);
    float *to = (float *)mdldm__cpu_memory(plan, step->out[0]) + step->i0 * dw->dims[2] * dw->dims[3];
    int status = mdldm__dnnl_set(&step->call, MDLDM__ARG_WEIGHTS, packed);
    if (status != dnnl_success)
        return mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
    mdldm_status result = mdldm__conv_onednn_run(plan, step, step->in[0], step->in[2], NULL);
    if (result != MDLDM_OK)
        return result;
    status = mdldm__dnnl_set(&step->unpack, MDLDM__ARG_SRC, packed);
    if (status == dnnl_success)
        status = mdldm__dnnl_set(&step->unpack, MDLDM__ARG_DST, to);
    if (status == dnnl_success)
        status = mdldm__dnnl_run(&plan->device->dnnl, &step->unpack);
    return status == dnnl_success ? MDLDM_OK
                                  : mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
}

static mdldm_status run_linear_bwd_weights(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = mdldm__rows_args(plan, step, step->out[0], step->in[2]);
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.dy = mdldm__cpu_memory(plan, step->in[2]);
    a.dw = (float *)mdldm__cpu_memory(plan, step->out[0]) + step->i0;
    plan->device->kernels->linear_bwd_weights(&a);
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

static mdldm_status attach_unpack(mdldm_plan *plan, mdldm__cpu_step *step, int32_t w)
{
    const int64_t *d = mdldm__cpu_dims(plan, w);
    const int64_t dims[4] = {d[0], step->ic, d[2], d[3]};
    const int64_t strides[4] = {d[1] * d[2] * d[3], d[2] * d[3], d[3], 1};
    step->bias_scratch = mdldm__cpu_add_scratch(plan, step->call.weights_size);
    int status = mdldm__dnnl_unpack_add(&plan->device->dnnl, dims, strides, &step->call.weights,
                                        &step->unpack);
    return status == dnnl_success ? MDLDM_OK
                                  : mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
}

mdldm_status mdldm__cpu_lower_bwd_weights(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    int small = mdldm__cpu_small_linear(plan, op);
    mdldm_status status = MDLDM_OK;
    int64_t i0 = 0;
    for (int source = 0; source < 2 && status == MDLDM_OK; source++) {
        if (op->in[source] < 0)
            continue;
        mdldm__cpu_step *step =
            mdldm__cpu_add_step(plan, op, small ? run_linear_bwd_weights : run_bwd_weights);
        step->in[0] = op->in[source];
        step->in[1] = -1;
        step->out[1] = -1;
        step->ic = mdldm__cpu_dims(plan, step->in[0])[3];
        step->i0 = i0;
        i0 += step->ic;
        if (small) {
            step->scratch = mdldm__cpu_add_scratch(plan, mdldm__rows_scratch(plan, step->ic, op->in[2]));
            continue;
        }
        mdldm__conv_spec spec = mdldm__conv_spec_of(plan, op, step->in[0], op->in[2]);
        spec.kind = MDLDM__CONV_BACKWARD_WEIGHTS;
        status = mdldm__conv_onednn_open(plan, step, &spec);
        if (status == MDLDM_OK)
            status = attach_unpack(plan, step, op->out[0]);
    }
    if (status != MDLDM_OK || op->out[1] < 0)
        return status;
    mdldm__cpu_step *bias = mdldm__cpu_add_step(plan, op, run_bias_grad);
    const int64_t *d = mdldm__cpu_dims(plan, op->in[2]);
    memset(bias->in, -1, sizeof bias->in);
    bias->in[2] = op->in[2];
    bias->out[0] = -1;
    bias->scratch = mdldm__cpu_add_scratch(
        plan, (size_t)mdldm__cpu_column_scratch(1, d[0] * d[1] * d[2], d[3]) * sizeof(float));
    return MDLDM_OK;
}
