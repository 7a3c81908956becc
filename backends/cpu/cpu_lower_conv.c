/* SPDX-License-Identifier: MIT
 * Convolutions and linear layers, forward and backward: oneDNN on packed weights, or the kernels for
 * few rows on the canonical ones. A second source is a second convolution that adds to the first. */
#include "cpu_plan.h"

#include <string.h>

#include "cpu_scratch.h"

/* ---- Running ---- */

static mdldm_status run_copy(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *t = &plan->tensors[step->out[0]];
    plan->device->kernels->cast(mdldm__cpu_memory(plan, step->out[0]), t->dtype,
                                mdldm__cpu_memory(plan, step->in[0]), t->dtype, mdldm__elements(t->dims),
                                plan->device->threads);
    return MDLDM_OK;
}

/* The convolution's bias, with the fused operand added. */
static const float *bias_of(mdldm_plan *plan, const mdldm__cpu_step *step)
{
    const float *bias = mdldm__cpu_memory(plan, step->in[3]);
    if (step->extra < 0)
        return bias;
    float *sum = mdldm__cpu_memory(plan, step->bias_scratch);
    const mdldm_graph_tensor *e = &plan->tensors[step->extra];
    plan->device->kernels->bias_sum(sum, bias, mdldm__cpu_memory(plan, step->extra), e->dtype,
                                    mdldm__elements(e->dims));
    return sum;
}

/* Copies between a bf16 tensor and its F32 stage, where there is one. */
static void stage(mdldm_plan *plan, int32_t tensor, int32_t copy, int load)
{
    if (copy < 0)
        return;
    int64_t count = mdldm__elements(mdldm__cpu_dims(plan, tensor));
    void *narrow = mdldm__cpu_memory(plan, tensor), *wide = mdldm__cpu_memory(plan, copy);
    if (load)
        plan->device->kernels->cast(wide, MDLDM_F32, narrow, MDLDM_BF16, count, plan->device->threads);
    else
        plan->device->kernels->cast(narrow, MDLDM_BF16, wide, MDLDM_F32, count, plan->device->threads);
}

/* Sets the arguments that may move between runs, and runs. */
static mdldm_status run_call(mdldm_plan *plan, mdldm__cpu_step *step, int32_t src, int32_t dst,
                             const float *bias)
{
    int forward = step->kind == MDLDM__CONV_FORWARD, backward = step->kind == MDLDM__CONV_BACKWARD_DATA;
    if (!backward)
        stage(plan, src, step->src_stage, 1);
    if (!forward || step->add)
        stage(plan, dst, step->dst_stage, 1);
    int32_t from = step->src_stage >= 0 ? step->src_stage : src;
    int32_t to = step->dst_stage >= 0 ? step->dst_stage : dst;
    int status = mdldm__dnnl_set(&step->call, MDLDM__ARG_SRC, mdldm__cpu_memory(plan, from));
    if (status == dnnl_success)
        status = mdldm__dnnl_set(&step->call, MDLDM__ARG_DST, mdldm__cpu_memory(plan, to));
    if (status == dnnl_success && bias != NULL)
        status = mdldm__dnnl_set(&step->call, MDLDM__ARG_BIAS, bias);
    if (status == dnnl_success)
        status = mdldm__dnnl_run(&plan->device->dnnl, &step->call);
    if (status != dnnl_success)
        return mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
    if (backward)
        stage(plan, src, step->src_stage, 0);
    if (forward)
        stage(plan, dst, step->dst_stage, 0);
    return MDLDM_OK;
}

static mdldm_status run_conv(mdldm_plan *plan, mdldm__cpu_step *step)
{
    return run_call(plan, step, step->in[0], step->out[0], bias_of(plan, step));
}

/* dy is the source of the turned convolution. */
static mdldm_status run_turned(mdldm_plan *plan, mdldm__cpu_step *step)
{
    return run_call(plan, step, step->in[0], step->out[0], NULL);
}

static mdldm_status run_bwd_data(mdldm_plan *plan, mdldm__cpu_step *step)
{
    return run_call(plan, step, step->out[0], step->in[0], NULL);
}

/* The gradient in the primitive's layout stands at the start of the scratch. */
static mdldm_status run_bwd_weights(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *dw = &plan->tensors[step->out[0]];
    float *packed = mdldm__cpu_memory(plan, step->bias_scratch);
    float *to = (float *)mdldm__cpu_memory(plan, step->out[0]) + step->i0 * dw->dims[2] * dw->dims[3];
    int status = mdldm__dnnl_set(&step->call, MDLDM__ARG_WEIGHTS, packed);
    if (status != dnnl_success)
        return mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
    mdldm_status result = run_call(plan, step, step->in[0], step->in[2], NULL);
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

static mdldm_status run_bias_grad(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *dy = &plan->tensors[step->in[2]];
    plan->device->kernels->column_sum(mdldm__cpu_memory(plan, step->out[1]),
                                      mdldm__cpu_memory(plan, step->in[2]), dy->dtype, 1, 1,
                                      dy->dims[0] * dy->dims[1] * dy->dims[2], dy->dims[3],
                                      mdldm__cpu_memory(plan, step->scratch), plan->device->threads);
    return MDLDM_OK;
}

/* The few-rows kernels' arguments: w the tensor with the weights, y the one with `out` channels. */
static mdldm__cpu_linear linear_args(mdldm_plan *plan, const mdldm__cpu_step *step, int32_t w, int32_t y)
{
    const mdldm_graph_tensor *t = &plan->tensors[y];
    return (mdldm__cpu_linear){.m = t->dims[0] * t->dims[1] * t->dims[2],
                               .in = step->ic,
                               .out = t->dims[3],
                               .w_stride = mdldm__cpu_dims(plan, w)[1],
                               .dtype = t->dtype,
                               .threads = plan->device->threads,
                               .add = step->add,
                               .scratch = mdldm__cpu_memory(plan, step->scratch)};
}

static mdldm_status run_linear(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = linear_args(plan, step, step->in[2], step->out[0]);
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.w = (const float *)mdldm__cpu_memory(plan, step->in[2]) + step->i0;
    a.b = bias_of(plan, step);
    a.y = mdldm__cpu_memory(plan, step->out[0]);
    plan->device->kernels->linear(&a);
    return MDLDM_OK;
}

static mdldm_status run_linear_bwd_data(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = linear_args(plan, step, step->in[1], step->in[0]);
    a.dy = mdldm__cpu_memory(plan, step->in[0]);
    a.w = (const float *)mdldm__cpu_memory(plan, step->in[1]) + step->i0;
    a.dx = mdldm__cpu_memory(plan, step->out[0]);
    plan->device->kernels->linear_bwd_data(&a);
    return MDLDM_OK;
}

static mdldm_status run_linear_bwd_weights(mdldm_plan *plan, mdldm__cpu_step *step)
{
    mdldm__cpu_linear a = linear_args(plan, step, step->out[0], step->in[2]);
    a.x = mdldm__cpu_memory(plan, step->in[0]);
    a.dy = mdldm__cpu_memory(plan, step->in[2]);
    a.dw = (float *)mdldm__cpu_memory(plan, step->out[0]) + step->i0;
    plan->device->kernels->linear_bwd_weights(&a);
    return MDLDM_OK;
}

/* ---- Lowering ---- */

/* The convolution between x (or its gradient) and y, of this operation. */
static mdldm__conv_spec spec_of(const mdldm_plan *plan, const mdldm_graph_op *op, int32_t x, int32_t y)
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

/* Makes the step's primitive, its scratch and its packed weights (from parameter tensor w). */
static mdldm_status attach(mdldm_plan *plan, mdldm__cpu_step *step, const mdldm__conv_spec *spec, int32_t w,
                           int32_t rotate)
{
    mdldm__conv_spec own = *spec;
    if (spec->dtype == MDLDM_BF16 && plan->device->bf16 == 0) {
        own.dtype = MDLDM_F32;
        step->src_stage =
            mdldm__cpu_add_scratch(plan, (size_t)(own.n * own.h * own.w * own.ic) * sizeof(float));
        step->dst_stage =
            mdldm__cpu_add_scratch(plan, (size_t)(own.n * own.ho * own.wo * own.oc) * sizeof(float));
    }
    step->kind = own.kind;
    int status = mdldm__dnnl_conv(&plan->device->dnnl, &own, &step->call);
    if (status != dnnl_success)
        return mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
    step->scratch = mdldm__cpu_add_scratch(plan, step->call.scratch_size);
    if (spec->kind == MDLDM__CONV_BACKWARD_WEIGHTS)
        return MDLDM_OK;
    mdldm__packed_key key = {.param = plan->tensors[w].param,
                             .ema = plan->ema,
                             .rotate = rotate,
                             .i0 = step->i0,
                             .ic = step->ic};
    mdldm_status result =
        mdldm__packed_get(plan->store, &key, &step->call.weights, &step->packed, &plan->packed_bytes);
    if (result == MDLDM_OK && step->packed->turned_bytes > plan->turned_bytes)
        plan->turned_bytes = step->packed->turned_bytes;
    return result;
}

static size_t linear_scratch(const mdldm_plan *plan, int64_t ic, int32_t y)
{
    const int64_t *d = mdldm__cpu_dims(plan, y);
    return (size_t)(d[0] * d[1] * d[2] * (ic + d[3])) * sizeof(float);
}

/* Makes out hold residual: in its memory when that dies here, else by a copy. */
static void start_from(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    if (mdldm__cpu_in_place(plan, node, node->residual, node->out))
        return;
    mdldm__cpu_step *copy = mdldm__cpu_add_step(plan, node->op, run_copy);
    memset(copy->in, -1, sizeof copy->in);
    memset(copy->out, -1, sizeof copy->out);
    copy->in[0] = node->residual;
    copy->out[0] = node->out;
}

mdldm_status mdldm__cpu_lower_conv(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    int small = mdldm__cpu_small_linear(plan, op);
    mdldm_status status = MDLDM_OK;
    int64_t i0 = 0;
    if (node->residual >= 0)
        start_from(plan, node);
    for (int source = 0; source < 2 && status == MDLDM_OK; source++) {
        if (op->in[source] < 0)
            continue;
        mdldm__cpu_step *step = mdldm__cpu_add_step(plan, op, small ? run_linear : run_conv);
        step->in[0] = op->in[source];
        step->in[1] = -1;
        step->in[3] = source == 0 ? op->in[3] : -1;
        step->out[0] = node->out;
        step->i0 = i0;
        step->ic = mdldm__cpu_dims(plan, step->in[0])[3];
        step->add = node->residual >= 0 || source > 0;
        i0 += step->ic;
        if (source == 0 && node->extra >= 0) {
            step->extra = node->extra;
            step->bias_scratch = mdldm__cpu_add_scratch(
                plan, (size_t)mdldm__cpu_dims(plan, node->out)[3] * sizeof(float));
        }
        if (small) {
            step->scratch = mdldm__cpu_add_scratch(plan, linear_scratch(plan, step->ic, node->out));
            continue;
        }
        mdldm__conv_spec spec = spec_of(plan, op, step->in[0], node->out);
        spec.bias = step->in[3] >= 0 || step->extra >= 0;
        spec.sum = step->add;
        status = attach(plan, step, &spec, op->in[2], 0);
    }
    return status;
}

/* Turns dx = bwd_data(dy) of stride 1 into the forward convolution from dy to dx. */
static mdldm__conv_spec turn(const mdldm__conv_spec *s)
{
    mdldm__conv_spec t = *s;
    t.h = s->ho;
    t.w = s->wo;
    t.ic = s->oc;
    t.ho = s->h;
    t.wo = s->w;
    t.oc = s->ic;
    t.pad_t = s->kernel_h - 1 - s->pad_t;
    t.pad_b = s->kernel_h - 1 - s->pad_b;
    t.pad_l = s->kernel_w - 1 - s->pad_l;
    t.pad_r = s->kernel_w - 1 - s->pad_r;
    /* What the forward pass dropped at the far edge has no gradient: padding makes up for it. */
    t.pad_b += t.ho - (t.h + t.pad_t + t.pad_b - t.kernel_h + 1);
    t.pad_r += t.wo - (t.w + t.pad_l + t.pad_r - t.kernel_w + 1);
    return t;
}

mdldm_status mdldm__cpu_lower_bwd_data(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    int small = mdldm__cpu_small_linear(plan, op), turned = !small && mdldm__cpu_turned(&op->attr.conv);
    int64_t in = mdldm__cpu_dims(plan, op->in[1])[1];
    mdldm_status status = MDLDM_OK;
    if (node->residual >= 0)
        start_from(plan, node);
    for (int source = 0; source < 2 && status == MDLDM_OK; source++) {
        if (op->out[source] < 0)
            continue;
        mdldm__cpu_step *step = mdldm__cpu_add_step(
            plan, op, small ? run_linear_bwd_data : turned ? run_turned : run_bwd_data);
        step->out[0] = node->out >= 0 && node->residual >= 0 ? node->out : op->out[source];
        step->out[1] = -1;
        step->ic = mdldm__cpu_dims(plan, op->out[source])[3];
        step->i0 = source == 0 ? 0 : in - step->ic;
        step->add = node->residual >= 0;
        if (small) {
            step->scratch = mdldm__cpu_add_scratch(plan, linear_scratch(plan, step->ic, op->in[0]));
            continue;
        }
        mdldm__conv_spec spec = spec_of(plan, op, op->out[source], op->in[0]);
        spec.kind = turned ? MDLDM__CONV_FORWARD : MDLDM__CONV_BACKWARD_DATA;
        spec.sum = step->add;
        if (turned)
            spec = turn(&spec);
        status = attach(plan, step, &spec, op->in[1], turned);
    }
    return status;
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
            step->scratch = mdldm__cpu_add_scratch(plan, linear_scratch(plan, step->ic, op->in[2]));
            continue;
        }
        mdldm__conv_spec spec = spec_of(plan, op, step->in[0], op->in[2]);
        spec.kind = MDLDM__CONV_BACKWARD_WEIGHTS;
        status = attach(plan, step, &spec, -1, 0);
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
