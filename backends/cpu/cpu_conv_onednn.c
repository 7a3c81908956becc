/* SPDX-License-Identifier: MIT
 * Convolutions by oneDNN on packed weights. A second source is a second convolution that adds to the
 * first; the data gradient of a stride-1 convolution is the forward convolution with rotated,
 * transposed weights where oneDNN's own backward one is slower or cannot add. */
#include "cpu_conv.h"

#include <string.h>

/* Copies between a bf16 tensor and its F32 stage, where there is one. */
static void stage(mdldm_plan *plan, const mdldm__cpu_step *step, int32_t tensor, int32_t copy, int load)
{
    if (copy < 0)
        return;
    int64_t count = mdldm__elements(mdldm__cpu_dims(plan, tensor));
    void *narrow = mdldm__cpu_memory(plan, tensor), *wide = mdldm__cpu_memory(plan, copy);
    if (load)
        plan->device->kernels->cast(wide, MDLDM_F32, narrow, MDLDM_BF16, count, step->threads);
    else
        plan->device->kernels->cast(narrow, MDLDM_BF16, wide, MDLDM_F32, count, step->threads);
}

/* Sets the arguments that may move between runs, and runs. bias may be NULL. */
static mdldm_status run_call(mdldm_plan *plan, mdldm__cpu_step *step, int32_t src, int32_t dst, const float *bias)
{
    int forward = step->kind == MDLDM__CONV_FORWARD, backward = step->kind == MDLDM__CONV_BACKWARD_DATA;
    if (!backward)
        stage(plan, step, src, step->src_stage, 1);
    if (backward || step->add)
        stage(plan, step, dst, step->dst_stage, 1);
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
        stage(plan, step, src, step->src_stage, 0);
    if (forward)
        stage(plan, step, dst, step->dst_stage, 0);
    return MDLDM_OK;
}

static mdldm_status run_forward(mdldm_plan *plan, mdldm__cpu_step *step)
{
    return run_call(plan, step, step->in[0], step->out[0], mdldm__conv_bias(plan, step));
}

/* A primitive takes one bias for all images: what differs between them is added behind it. */
static mdldm_status run_image_bias(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_graph_tensor *y = &plan->tensors[step->out[0]];
    void *memory = mdldm__cpu_memory(plan, step->out[0]);
    plan->device->kernels->bias(memory, memory, mdldm__cpu_memory(plan, step->extra), y->dtype, y->dims[0],
                                y->dims[1] * y->dims[2], y->dims[3], step->threads);
    return MDLDM_OK;
}

static void add_image_bias(mdldm_plan *plan, const mdldm__conv_job *job)
{
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run_image_bias);
    memset(step->in, -1, sizeof step->in);
    memset(step->out, -1, sizeof step->out);
    step->out[0] = job->dst;
    step->extra = job->extra;
}

/* dy is the source of the turned convolution. */
static mdldm_status run_turned(mdldm_plan *plan, mdldm__cpu_step *step)
{
    return run_call(plan, step, step->in[0], step->out[0], NULL);
}

static mdldm_status run_gradient(mdldm_plan *plan, mdldm__cpu_step *step)
{
    return run_call(plan, step, step->out[0], step->in[0], NULL);
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

/* Makes the step's primitive and its scratch, with F32 stages where oneDNN has no bf16. */
static mdldm_status open_call(mdldm_plan *plan, mdldm__cpu_step *step, const mdldm__conv_spec *spec)
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
    mdldm__cpu_use_threads(step->threads);
    int status = mdldm__dnnl_conv(&plan->device->dnnl, &own, &step->call);
    if (status != dnnl_success)
        return mdldm__cpu_dnnl_error(plan->device, status, step->op->name);
    step->scratch = mdldm__cpu_add_scratch(plan, step->call.scratch_size);
    return MDLDM_OK;
}

static mdldm_status open_packed(mdldm_plan *plan, const mdldm__conv_job *job, mdldm__cpu_step *step,
                                const mdldm__conv_spec *spec, int32_t rotate)
{
    mdldm_status status = open_call(plan, step, spec);
    if (status != MDLDM_OK)
        return status;
    mdldm__packed_key key = {.param = plan->tensors[job->weights].param,
                             .ema = plan->ema,
                             .rotate = rotate,
                             .i0 = step->i0,
                             .ic = step->ic};
    status = mdldm__packed_get(plan->store, &key, &mdldm__pack_onednn, &step->call.weights, &step->packed,
                               &plan->packed_bytes);
    if (status == MDLDM_OK && mdldm__packed_in_passing(plan->store))
        step->packing = mdldm__cpu_add_scratch(plan, mdldm__packed_passing_bytes(step->packed));
    return status;
}

static mdldm_status lower_forward(mdldm_plan *plan, const mdldm__conv_job *job)
{
    mdldm_status status = MDLDM_OK;
    mdldm__conv_job shared = *job;
    int64_t i0 = job->i0;
    if (job->extra >= 0 && mdldm__cpu_dims(plan, job->dst)[0] > 1)
        shared.extra = -1;
    for (int source = 0; source < 2 && status == MDLDM_OK; source++) {
        if (job->src[source] < 0)
            continue;
        mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run_forward);
        step->in[0] = job->src[source];
        step->in[1] = step->in[3] = -1;
        step->out[0] = job->dst;
        step->i0 = i0;
        step->ic = mdldm__cpu_dims(plan, step->in[0])[3];
        step->add = job->residual >= 0 || source > 0;
        i0 += step->ic;
        if (source == 0)
            mdldm__conv_take_bias(plan, &shared, step);
        mdldm__conv_spec spec = mdldm__conv_spec_of(plan, job->op, step->in[0], job->dst);
        spec.bias = step->in[3] >= 0 || step->extra >= 0;
        spec.sum = step->add;
        status = open_packed(plan, job, step, &spec, 0);
    }
    if (shared.extra != job->extra)
        add_image_bias(plan, job);
    return status;
}

static mdldm_status lower_gradient(mdldm_plan *plan, const mdldm__conv_job *job)
{
    int turned = mdldm__cpu_turned(&job->op->attr.conv) &&
                 (mdldm__dnnl_turns_gradient() || job->residual >= 0);
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, turned ? run_turned : run_gradient);
    step->out[0] = job->dst;
    step->out[1] = -1;
    step->i0 = job->i0;
    step->ic = job->ic;
    step->add = job->residual >= 0;
    mdldm__conv_spec spec = mdldm__conv_spec_of(plan, job->op, job->dst, job->src[0]);
    spec.kind = turned ? MDLDM__CONV_FORWARD : MDLDM__CONV_BACKWARD_DATA;
    spec.sum = step->add;
    if (turned)
        spec = turn(&spec);
    return open_packed(plan, job, step, &spec, turned);
}

static mdldm_status lower(mdldm_plan *plan, const mdldm__conv_job *job)
{
    mdldm__conv_start_from_residual(plan, job);
    return job->gradient ? lower_gradient(plan, job) : lower_forward(plan, job);
}

/* Its kernels reach about 85% of the FMA peak at the shapes of the presets, bf16 ones of its own peak; but
 * they work on whole vectors of output channels, of which 3 fill a sixth. */
static double cost(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    if (job->resample)
        return -1.0;
    double pace = plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 == 2 ? 2.0 : 1.0;
    double lanes = plan->device->kernels->lanes, channels = (double)mdldm__cpu_dims(plan, job->dst)[3];
    double filled = channels < lanes ? channels / lanes : 1.0;
    return mdldm__conv_macs(plan, job) / (pace * 0.85 * filled * MDLDM__CONV_PEAK_MACS);
}

const mdldm__conv_algorithm mdldm__conv_onednn = {"onednn", cost, lower};
