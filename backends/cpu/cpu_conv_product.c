/* SPDX-License-Identifier: MIT
 * Convolutions as one matrix product of ours (k_product.h): 1x1 ones, their data gradients, and strided
 * ones, which Winograd's method cannot do. */
#include "cpu_conv.h"
#include "cpu_scratch.h"

#include <string.h>

/* ---- Packed weights; key.ic: channels of the first source ---- */

static mdldm__cpu_product_weights weights_of(const mdldm_store *store, const mdldm__packed *p)
{
    const int64_t *d = store->base.desc[p->key.param].dims;
    int64_t taps = d[2] * d[3];
    return (mdldm__cpu_product_weights){.oc = d[0],
                                        .ic = {p->key.ic, p->key.rotate ? 0 : d[1] - p->key.ic},
                                        .taps = taps,
                                        .row = d[1] * taps,
                                        .dtype = p->key.dtype,
                                        .turned = p->key.rotate};
}

static mdldm_status pack_open(mdldm_store *store, mdldm__packed *p, const void *layout)
{
    (void)layout;
    mdldm__cpu_product_weights w = weights_of(store, p);
    p->bytes = (size_t)mdldm__cpu_product_packed(&w, store->device->kernels->lanes) * sizeof(float);
    return MDLDM_OK;
}

static mdldm_status pack(mdldm_store *store, mdldm__packed *p, const float *values, float *room)
{
    (void)room;
    mdldm__cpu_product_weights w = weights_of(store, p);
    w.values = values + p->key.i0 * w.taps;
    store->device->kernels->product_pack(p->data, &w, store->device->threads);
    return MDLDM_OK;
}

static const mdldm__pack_ops pack_product = {NULL, pack_open, pack, NULL};

/* ---- Running ---- */

static mdldm_status run(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_conv_attr *attr = &step->op->attr.conv;
    const mdldm_graph_tensor *src = &plan->tensors[step->in[0]], *dst = &plan->tensors[step->out[0]];
    mdldm__cpu_product a = {.n = src->dims[0],
                            .h = src->dims[1],
                            .w = src->dims[2],
                            .ho = dst->dims[1],
                            .wo = dst->dims[2],
                            .oc = dst->dims[3],
                            .ic = {src->dims[3], step->in[1] >= 0 ? mdldm__cpu_dims(plan, step->in[1])[3] : 0},
                            .kernel_h = attr->kernel_h,
                            .kernel_w = attr->kernel_w,
                            .stride_h = attr->stride_h,
                            .stride_w = attr->stride_w,
                            .pad_t = attr->pad_t,
                            .pad_l = attr->pad_l,
                            .dtype = dst->dtype,
                            .threads = step->threads,
                            .src = {mdldm__cpu_memory(plan, step->in[0]), mdldm__cpu_memory(plan, step->in[1])},
                            .packed = step->packed->data,
                            .residual = mdldm__cpu_memory(plan, step->in[4]),
                            .dst = mdldm__cpu_memory(plan, step->out[0]),
                            .scratch = mdldm__cpu_memory(plan, step->scratch)};
    if (step->in[3] >= 0 || step->extra >= 0)
        a.bias = mdldm__conv_bias(plan, step);
    plan->device->kernels->product(&a);
    return MDLDM_OK;
}

static mdldm_status lower(mdldm_plan *plan, const mdldm__conv_job *job)
{
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run);
    memset(step->in, -1, sizeof step->in);
    memset(step->out, -1, sizeof step->out);
    step->in[0] = job->src[0];
    step->in[1] = job->src[1];
    step->in[4] = job->residual;
    step->out[0] = job->dst;
    step->i0 = job->i0;
    step->ic = job->ic;
    mdldm__conv_take_bias(plan, job, step);
    step->scratch = mdldm__cpu_add_scratch(
        plan, (size_t)(step->threads * mdldm__cpu_product_private(plan->device->kernels->lanes) + 16) *
                  sizeof(float));
    mdldm__cpu_in_place(plan, job->node, job->residual, job->dst);
    mdldm__packed_key key = {.param = plan->tensors[job->weights].param,
                             .ema = plan->ema,
                             .rotate = job->gradient,
                             .dtype = plan->tensors[job->dst].dtype,
                             .i0 = job->i0,
                             .ic = job->gradient ? job->ic : mdldm__cpu_dims(plan, job->src[0])[3]};
    mdldm_status status =
        mdldm__packed_get(plan->store, &key, &pack_product, NULL, &step->packed, &plan->packed_bytes);
    if (status == MDLDM_OK && mdldm__packed_in_passing(plan->store))
        step->packing = mdldm__cpu_add_scratch(plan, mdldm__packed_passing_bytes(step->packed));
    return status;
}

static int fits(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    const mdldm_conv_attr *a = &job->op->attr.conv;
    int one = a->kernel_h == 1 && a->kernel_w == 1, moved = a->pad_t || a->pad_l || a->pad_b || a->pad_r;
    int strided = a->stride_h > 1 || a->stride_w > 1;
    if (job->extra >= 0 && mdldm__cpu_dims(plan, job->extra)[0] > 1) /* one bias serves all images */
        return 0;
    /* With AVX2 and less oneDNN's are as good or better. */
    if (plan->device->kernels->lanes < 16 || job->resample ||
        (plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 != 2))
        return 0;
    return (one && !moved && !strided) || (strided && !job->gradient);
}

/* Its products reach 80 to 98% of the peak, on columns filled up to whole strips. Weights that a training step
 * packs anew cost as much as so many products with them, kernels of several taps the more. */
static double cost(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    if (!fits(plan, job))
        return -1.0;
    const int64_t *d = mdldm__cpu_dims(plan, job->dst), *w = mdldm__cpu_dims(plan, job->weights);
    int64_t strip = 2 * plan->device->kernels->lanes;
    double pace = plan->tensors[job->dst].dtype == MDLDM_BF16 ? 2.0 : 1.0;
    double filled = (double)(mdldm__cpu_ceil_div(d[3], strip) * strip) / (double)d[3];
    double packed = mdldm__packed_in_passing(plan->store) ? (double)mdldm__elements(w) : 0.0;
    return (filled * mdldm__conv_macs(plan, job) / (pace * 0.93) + packed * (w[2] * w[3] > 1 ? 150.0 : 20.0)) /
           MDLDM__CONV_PEAK_MACS;
}

const mdldm__conv_algorithm mdldm__conv_product = {"product", cost, lower};
