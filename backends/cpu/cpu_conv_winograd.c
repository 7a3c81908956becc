/* SPDX-License-Identifier: MIT
 * Convolutions by Winograd's method (cpu_winograd.h): forward with all that was fused, and the data
 * gradient as the forward convolution with turned weights. Both read the canonical weights, so nothing
 * is packed; but inference in bf16 keeps compact bf16 weights, half the memory of the canonical ones. */
#include "cpu_conv.h"

#include <string.h>

/* ---- Compact weights ---- */

static mdldm_status pack_open(mdldm_store *store, mdldm__packed *p, const void *layout)
{
    (void)layout;
    p->bytes = mdldm__winograd_packed_bytes(p->key.ic, store->base.desc[p->key.param].dims[0],
                                            store->device->kernels->lanes);
    return MDLDM_OK;
}

static mdldm_status pack(mdldm_store *store, mdldm__packed *p, const float *values, float *room)
{
    const int64_t *dims = store->base.desc[p->key.param].dims;
    (void)room;
    store->device->kernels->winograd_pack(p->data, values + p->key.i0 * 9, dims[0], p->key.ic, dims[1] * 9,
                                          store->device->threads);
    return MDLDM_OK;
}

static const mdldm__pack_ops pack_winograd = {NULL, pack_open, pack, NULL};

/* ---- Running ---- */

static mdldm_status run(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const mdldm_conv_attr *attr = &step->op->attr.conv;
    const mdldm_graph_tensor *src = &plan->tensors[step->in[0]], *dst = &plan->tensors[step->out[0]];
    const int64_t *weights = mdldm__cpu_dims(plan, step->in[2]);
    mdldm__cpu_winograd a = {.tile = step->tile,
                             .dtype = src->dtype,
                             .operands = step->operands,
                             .turned = step->kind == MDLDM__CONV_BACKWARD_DATA,
                             .threads = step->threads,
                             .n = src->dims[0],
                             .h = src->dims[1],
                             .w = src->dims[2],
                             .ho = dst->dims[1],
                             .wo = dst->dims[2],
                             .pad_t = attr->pad_t,
                             .pad_l = attr->pad_l,
                             .ic = {src->dims[3], 0},
                             .oc = dst->dims[3],
                             .src = {mdldm__cpu_memory(plan, step->in[0]), mdldm__cpu_memory(plan, step->in[1])},
                             .dst = mdldm__cpu_memory(plan, step->out[0]),
                             .bias = mdldm__cpu_memory(plan, step->in[3]),
                             .residual = mdldm__cpu_memory(plan, step->in[4]),
                             .row = weights[1] * 9,
                             .scratch = mdldm__cpu_memory(plan, step->scratch)};
    if (step->packed != NULL)
        a.packed = step->packed->data;
    else
        a.weights = (const float *)mdldm__cpu_memory(plan, step->in[2]) + step->i0 * 9;
    if (step->in[1] >= 0)
        a.ic[1] = mdldm__cpu_dims(plan, step->in[1])[3];
    if (step->extra >= 0) {
        a.extra = mdldm__cpu_memory(plan, step->extra);
        a.extra_dtype = plan->tensors[step->extra].dtype;
    }
    if (a.turned) {
        a.pad_t = 2 - attr->pad_t;
        a.pad_l = 2 - attr->pad_l;
    }
    plan->device->kernels->winograd(&a);
    return MDLDM_OK;
}

/* A variant, and what its parts cost in the time of one F32 multiply-accumulate at the peak: a product
 * of the places' matrices, and the transform of one weight, one element of an input tile and one of an
 * output tile. */
typedef struct wino_price {
    int32_t tile, operands;
    double product, weight, input, sum;
} wino_price;

static mdldm__winograd_blocks cut(const mdldm_plan *plan, const mdldm__conv_job *job, const wino_price *p,
                                  int32_t threads)
{
    const int64_t *d = mdldm__cpu_dims(plan, job->dst);
    int64_t ic[2] = {mdldm__cpu_dims(plan, job->src[0])[3], 0};
    if (job->src[1] >= 0)
        ic[1] = mdldm__cpu_dims(plan, job->src[1])[3];
    return mdldm__winograd_cut(p->tile, p->operands == MDLDM_BF16, d[0], d[1], d[2], ic, d[3],
                               plan->device->kernels->lanes, threads);
}

static mdldm_status lower(mdldm_plan *plan, const mdldm__conv_job *job, const wino_price *p)
{
    mdldm__cpu_step *step = mdldm__cpu_add_step(plan, job->op, run);
    memset(step->in, -1, sizeof step->in);
    memset(step->out, -1, sizeof step->out);
    step->in[0] = job->src[0];
    step->in[1] = job->src[1];
    step->in[2] = job->weights;
    step->in[3] = job->bias;
    step->in[4] = job->residual;
    step->out[0] = job->dst;
    step->extra = job->extra;
    step->i0 = job->i0;
    step->kind = job->gradient ? MDLDM__CONV_BACKWARD_DATA : MDLDM__CONV_FORWARD;
    step->tile = p->tile;
    step->operands = p->operands;
    step->scratch = mdldm__cpu_add_scratch(plan, cut(plan, job, p, step->threads).bytes);
    mdldm__cpu_in_place(plan, job->node, job->residual, job->dst);
    if (plan->tensors[job->dst].dtype != MDLDM_BF16 || job->gradient || mdldm__packed_in_passing(plan->store))
        return MDLDM_OK;
    mdldm__packed_key key = {
        .param = plan->tensors[job->weights].param, .ema = plan->ema, .i0 = job->i0, .ic = job->ic};
    return mdldm__packed_get(plan->store, &key, &pack_winograd, NULL, &step->packed, &plan->packed_bytes);
}

/* ---- The choice ---- */

static int fits(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    const mdldm_conv_attr *a = &job->op->attr.conv;
    return !(plan->flags & MDLDM_PLAN_DIRECT) && a->kernel_h == 3 && a->kernel_w == 3 && a->stride_h == 1 &&
           a->stride_w == 1 && (!job->gradient || mdldm__cpu_turned(a)) && !job->resample;
}

/* Measured part by part on one Zen 4 core with AVX-512, 16 multiply-accumulates a cycle: weights take 13
 * cycles each in F(4x4), up to 20 where they come from memory, inputs 21, outputs 13. */
static const wino_price price_f4 = {4, MDLDM_F32, 1.15, 280.0, 340.0, 210.0};
static const wino_price price_f2 = {2, MDLDM_F32, 1.15, 120.0, 90.0, 50.0};
static const wino_price price_f2_bf16 = {2, MDLDM_BF16, 0.6, 150.0, 85.0, 45.0};
static const wino_price price_f4_bf16 = {4, MDLDM_BF16, 0.6, 340.0, 280.0, 150.0};

static double cost(const mdldm_plan *plan, const mdldm__conv_job *job, const wino_price *p)
{
    int32_t forced = plan->flags & (MDLDM_PLAN_WINOGRAD2 | MDLDM_PLAN_WINOGRAD4);
    int32_t bf16 = plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 == 2;
    if (!fits(plan, job) || (p->operands == MDLDM_BF16 && !bf16))
        return -1.0;
    if (forced)
        return p->tile == (forced & MDLDM_PLAN_WINOGRAD4 ? 4 : 2) && (p->operands == MDLDM_BF16) == bf16 ? 0.0
                                                                                                         : -1.0;
    mdldm__winograd_blocks b = cut(plan, job, p, 1);
    double channels = (double)(b.slabs[0] * b.depth[0] + b.slabs[1] * b.depth[1]);
    double tiles = (double)b.tiles, out = (double)(b.panels * b.panel);
    double chunks = (double)((b.tiles + b.chunk - 1) / b.chunk);
    return (p->product * (double)b.places * tiles * channels * out + p->weight * chunks * channels * out +
            p->input * tiles * channels + p->sum * tiles * out) /
           MDLDM__CONV_PEAK_MACS;
}

static double cost_f4(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    return cost(plan, job, &price_f4);
}

static mdldm_status lower_f4(mdldm_plan *plan, const mdldm__conv_job *job)
{
    return lower(plan, job, &price_f4);
}

static double cost_f2(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    return cost(plan, job, &price_f2);
}

static mdldm_status lower_f2(mdldm_plan *plan, const mdldm__conv_job *job)
{
    return lower(plan, job, &price_f2);
}

static double cost_f2_bf16(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    return cost(plan, job, &price_f2_bf16);
}

static mdldm_status lower_f2_bf16(mdldm_plan *plan, const mdldm__conv_job *job)
{
    return lower(plan, job, &price_f2_bf16);
}

/* Its rounding is four times that of direct bf16 products: 1.05e-2 against 2.4e-3 of a layer's result. */
static double cost_f4_bf16(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    int forced = (plan->flags & MDLDM_PLAN_WINOGRAD4) != 0;
    int64_t oc = mdldm__cpu_dims(plan, job->dst)[3], fewest = job->ic < oc ? job->ic : oc;
    if (!forced && fewest < MDLDM__WINOGRAD_BF16_FROM)
        return -1.0;
    return cost(plan, job, &price_f4_bf16);
}

static mdldm_status lower_f4_bf16(mdldm_plan *plan, const mdldm__conv_job *job)
{
    return lower(plan, job, &price_f4_bf16);
}

/* ---- With UPSAMPLE2 ---- */

/* No other algorithm can: fusion has seen to it that this one may, and it never loses, with the products of
 * F(4x4) and cheaper transforms. */
static double cost_resampled(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    (void)plan;
    return job->resample ? 0.0 : -1.0;
}

static mdldm_status lower_resampled(mdldm_plan *plan, const mdldm__conv_job *job)
{
    int bf16 = plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 == 2;
    wino_price p = {.tile = job->gradient ? MDLDM__WINOGRAD_DOWN : MDLDM__WINOGRAD_UP,
                    .operands = bf16 ? MDLDM_BF16 : MDLDM_F32};
    return lower(plan, job, &p);
}

const mdldm__conv_algorithm mdldm__conv_winograd4 = {"winograd F(4x4)", cost_f4, lower_f4};
const mdldm__conv_algorithm mdldm__conv_winograd2 = {"winograd F(2x2)", cost_f2, lower_f2};
const mdldm__conv_algorithm mdldm__conv_winograd2_bf16 = {"winograd F(2x2) bf16", cost_f2_bf16,
                                                          lower_f2_bf16};
const mdldm__conv_algorithm mdldm__conv_winograd4_bf16 = {"winograd F(4x4) bf16", cost_f4_bf16,
                                                          lower_f4_bf16};
const mdldm__conv_algorithm mdldm__conv_resampled = {"resampled", cost_resampled, lower_resampled};
