/* SPDX-License-Identifier: MIT
 * Convolutions by Winograd's method (cpu_winograd.h): forward with all that was fused, and the data
 * gradient as the forward convolution with turned weights. Both read the canonical weights, so nothing
 * is packed; but inference in bf16 keeps compact bf16 weights, half the memory of the canonical ones, and
 * eight-bit layers compact int8 ones, a quarter. */
#include "cpu_conv.h"

#include <string.h>

/* ---- Compact weights ---- */

static mdldm_status pack_open(mdldm_store *store, mdldm__packed *p, const void *layout)
{
    (void)layout;
    p->bytes = mdldm__winograd_packed_count(p->key.ic, store->base.desc[p->key.param].dims[0],
                                            store->device->kernels->lanes) *
               (p->key.dtype == MDLDM_I8 ? sizeof(int8_t) : sizeof(uint16_t));
    return MDLDM_OK;
}

static mdldm_status pack(mdldm_store *store, mdldm__packed *p, const float *values, float *room)
{
    const int64_t *dims = store->base.desc[p->key.param].dims;
    (void)room;
    if (p->key.dtype == MDLDM_I8)
        store->device->kernels->winograd_pack_q8(
            p->data, mdldm__store_host_memory(&store->base, p->key.param, MDLDM_I8, 0), dims[0], p->key.ic,
            store->device->threads);
    else
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
    mdldm__cpu_range range = {0};
    mdldm__cpu_winograd a = {.tile = step->tile,
                             .dtype = dst->dtype,
                             .src_dtype = src->dtype,
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
                             .range = &range,
                             .w_scale = mdldm__cpu_memory(plan, step->in[5]),
                             .scratch = mdldm__cpu_memory(plan, step->scratch)};
    if (step->packed != NULL)
        a.packed = step->packed->data;
    else
        a.weights = (const float *)mdldm__cpu_memory(plan, step->in[2]) + step->i0 * 9;
    if (step->in[6] >= 0)
        range = mdldm__cpu_range_of(plan, step->in[6], step->in[7]);
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

static int is_q8(const mdldm__conv_job *job)
{
    return job->op->kind == MDLDM_OP_CONV_Q8;
}

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
    if (is_q8(job)) {
        step->in[5] = job->op->in[3];
        step->in[6] = job->op->in[5];
        step->in[7] = job->op->in[6];
    }
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
    mdldm__packed_key key = {.param = plan->tensors[job->weights].param,
                             .ema = plan->ema,
                             .dtype = is_q8(job) ? MDLDM_I8 : MDLDM_BF16,
                             .i0 = job->i0,
                             .ic = job->ic};
    return mdldm__packed_get(plan->store, &key, &pack_winograd, NULL, &step->packed, &plan->packed_bytes);
}

/* ---- The choice ---- */

static int fits(const mdldm_plan *plan, const mdldm__conv_job *job, const wino_price *p)
{
    const mdldm_conv_attr *a = &job->op->attr.conv;
    int resampled = p->tile == MDLDM__WINOGRAD_UP || p->tile == MDLDM__WINOGRAD_DOWN;
    int bf16 = plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 == 2;
    return !(plan->flags & MDLDM_PLAN_DIRECT) && a->kernel_h == 3 && a->kernel_w == 3 && a->stride_h == 1 &&
           a->stride_w == 1 && (!job->gradient || mdldm__cpu_turned(a)) && resampled == job->resample &&
           (bf16 || (p->operands == MDLDM_F32 && !is_q8(job))) &&
           (!resampled || (a->pad_t == 1 && a->pad_l == 1 && a->pad_b == 1 && a->pad_r == 1));
}

/* Fitted to the times of the UNet's and the autoencoder's shapes on one Zen 4 core with AVX-512, 16 F32
 * multiply-accumulates a cycle; with them direct products are 1.03 each in F32, 0.5 in bf16, 0.28 in eight bits.
 * The transforms' share is what is left of a convolution's time: with waiting for memory. */
static const wino_price price_f4 = {4, MDLDM_F32, 1.1, 285.0, 1800.0, 1050.0};
static const wino_price price_f2 = {2, MDLDM_F32, 1.1, 115.0, 350.0, 210.0};
static const wino_price price_f2_bf16 = {2, MDLDM_BF16, 0.55, 64.0, 230.0, 140.0};
static const wino_price price_f4_bf16 = {4, MDLDM_BF16, 0.55, 145.0, 1000.0, 600.0};

static double cost(const mdldm_plan *plan, const mdldm__conv_job *job, const wino_price *p)
{
    int32_t forced = plan->flags & (MDLDM_PLAN_WINOGRAD2 | MDLDM_PLAN_WINOGRAD4);
    int bf16 = plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 == 2;
    if (!fits(plan, job, p))
        return -1.0;
    if (forced && !job->resample && p->tile != (forced & MDLDM_PLAN_WINOGRAD4 ? 4 : 2))
        return -1.0;
    if (forced)
        return (p->operands == MDLDM_BF16) == bf16 ? 0.0 : -1.0;
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

/* Of floats no other algorithm can: fusion has seen to it that this one may, and it never loses, with the
 * products of F(4x4) and cheaper transforms. */
static wino_price resampled(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    int bf16 = plan->tensors[job->dst].dtype == MDLDM_BF16 && plan->device->bf16 == 2;
    return (wino_price){.tile = job->gradient ? MDLDM__WINOGRAD_DOWN : MDLDM__WINOGRAD_UP,
                        .operands = bf16 ? MDLDM_BF16 : MDLDM_F32,
                        .product = bf16 ? 0.6 : 1.15,
                        .weight = 90.0,
                        .input = 50.0,
                        .sum = 40.0};
}

static double cost_resampled(const mdldm_plan *plan, const mdldm__conv_job *job)
{
    wino_price p = resampled(plan, job);
    return cost(plan, job, &p);
}

static mdldm_status lower_resampled(mdldm_plan *plan, const mdldm__conv_job *job)
{
    wino_price p = resampled(plan, job);
    return lower(plan, job, &p);
}

const mdldm__conv_algorithm mdldm__conv_winograd4 = {"winograd F(4x4)", cost_f4, lower_f4};
const mdldm__conv_algorithm mdldm__conv_winograd2 = {"winograd F(2x2)", cost_f2, lower_f2};
const mdldm__conv_algorithm mdldm__conv_winograd2_bf16 = {"winograd F(2x2) bf16", cost_f2_bf16,
                                                          lower_f2_bf16};
const mdldm__conv_algorithm mdldm__conv_winograd4_bf16 = {"winograd F(4x4) bf16", cost_f4_bf16,
                                                          lower_f4_bf16};
const mdldm__conv_algorithm mdldm__conv_resampled = {"resampled", cost_resampled, lower_resampled};
