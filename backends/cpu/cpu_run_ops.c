/* SPDX-License-Identifier: MIT
 * Steps that are one call of a kernel. */
#include "../common/op_info.h"
#include "cpu_plan.h"
#include "cpu_scratch.h"

#define ARGS mdldm_plan *plan, mdldm__cpu_step *step
#define K (plan->device->kernels)
#define THREADS (step->threads)
#define IN(slot) mdldm__cpu_memory(plan, step->in[slot])
#define OUT(slot) mdldm__cpu_memory(plan, step->out[slot])
#define IN_TENSOR(slot) (&plan->tensors[step->in[slot]])
#define OUT_TENSOR(slot) (&plan->tensors[step->out[slot]])
#define SCRATCH mdldm__cpu_memory(plan, step->scratch)

static int64_t elements(const mdldm_graph_tensor *t)
{
    return mdldm__elements(t->dims);
}

static int64_t pixels(const mdldm_graph_tensor *t)
{
    return t->dims[1] * t->dims[2];
}

static mdldm_status run_silu(ARGS)
{
    K->silu(OUT(0), IN(0), IN_TENSOR(0)->dtype, elements(IN_TENSOR(0)), THREADS);
    return MDLDM_OK;
}

static mdldm_status run_silu_bwd(ARGS)
{
    K->silu_bwd(OUT(0), IN(0), IN(1), IN_TENSOR(0)->dtype, elements(IN_TENSOR(0)), THREADS);
    return MDLDM_OK;
}

static mdldm_status run_add(ARGS)
{
    const mdldm_scale_attr *a = &step->op->attr.scale;
    K->add(OUT(0), IN(0), IN(1), IN_TENSOR(0)->dtype, a->alpha, a->beta, elements(IN_TENSOR(0)), THREADS);
    return MDLDM_OK;
}

static mdldm_status run_bias(ARGS)
{
    const mdldm_graph_tensor *x = IN_TENSOR(0);
    K->bias(OUT(0), IN(0), IN(1), x->dtype, x->dims[0], pixels(x), x->dims[3], THREADS);
    return MDLDM_OK;
}

static mdldm_status run_sum_hw(ARGS)
{
    const mdldm_graph_tensor *x = IN_TENSOR(0);
    K->column_sum(OUT(0), IN(0), x->dtype, 0, x->dims[0], pixels(x), x->dims[3], SCRATCH, THREADS);
    return MDLDM_OK;
}

static mdldm_status run_scale(ARGS)
{
    const mdldm_graph_tensor *x = IN_TENSOR(0);
    const mdldm_scale_attr *a = &step->op->attr.scale;
    K->scale(OUT(0), IN(0), IN(1), x->dtype, a->alpha, a->beta, x->dims[0], elements(x) / x->dims[0],
             THREADS);
    return MDLDM_OK;
}

static mdldm_status run_dropout(ARGS)
{
    const mdldm_dropout_attr *a = &step->op->attr.dropout;
    K->dropout(OUT(0), IN(0), IN(1), IN_TENSOR(0)->dtype, a->p, a->salt, elements(IN_TENSOR(0)), THREADS);
    return MDLDM_OK;
}

static mdldm_status run_cast(ARGS)
{
    K->cast(OUT(0), OUT_TENSOR(0)->dtype, IN(0), IN_TENSOR(0)->dtype, elements(IN_TENSOR(0)), THREADS);
    return MDLDM_OK;
}

/* ---- GroupNorm ---- */

/* Slots of x0 on: x0, x1, gamma, beta, scale_shift. */
static mdldm__cpu_norm norm_args(mdldm_plan *plan, const mdldm__cpu_step *step, int slot)
{
    const mdldm_graph_tensor *x0 = IN_TENSOR(slot);
    const mdldm_norm_attr *attr = &step->op->attr.norm;
    return (mdldm__cpu_norm){.n = x0->dims[0],
                             .hw = pixels(x0),
                             .c0 = x0->dims[3],
                             .c1 = step->in[slot + 1] >= 0 ? IN_TENSOR(slot + 1)->dims[3] : 0,
                             .dtype = x0->dtype,
                             .groups = attr->groups,
                             .silu = attr->silu,
                             .threads = THREADS,
                             .eps = attr->eps,
                             .x0 = IN(slot),
                             .x1 = IN(slot + 1),
                             .gamma = IN(slot + 2),
                             .beta = IN(slot + 3),
                             .scale_shift = IN(slot + 4),
                             .scratch = SCRATCH};
}

static mdldm_status run_group_norm(ARGS)
{
    mdldm__cpu_norm a = norm_args(plan, step, 0);
    a.y = OUT(0);
    if (OUT_TENSOR(0)->dtype == MDLDM_U8) { /* a QUANTIZE was fused into it */
        a.y8 = OUT(0);
        a.range = mdldm__cpu_range_of(plan, step->in[5], step->in[6]);
    }
    a.stats = OUT(1);
    K->group_norm(&a);
    return MDLDM_OK;
}

static mdldm_status run_group_norm_apply(ARGS)
{
    mdldm__cpu_norm a = norm_args(plan, step, 0);
    a.y = OUT(0);
    a.stats = IN(5);
    a.known = 1;
    K->group_norm(&a);
    return MDLDM_OK;
}

static mdldm_status run_group_norm_bwd(ARGS)
{
    mdldm__cpu_norm a = norm_args(plan, step, 1);
    a.dy = IN(0);
    a.stats = IN(6);
    a.dx0 = OUT(0);
    a.dx1 = OUT(1);
    a.dgamma = OUT(2);
    a.dbeta = OUT(3);
    a.dscale_shift = OUT(4);
    K->group_norm_bwd(&a);
    return MDLDM_OK;
}

/* ---- Attention ---- */

static mdldm__cpu_attention attention_args(mdldm_plan *plan, const mdldm__cpu_step *step, int slot)
{
    const mdldm_graph_tensor *q = IN_TENSOR(slot);
    return (mdldm__cpu_attention){.n = q->dims[0],
                                  .tokens = pixels(q),
                                  .c = q->dims[3],
                                  .dtype = q->dtype,
                                  .heads = step->op->attr.attention.heads,
                                  .threads = THREADS,
                                  .scale = step->op->attr.attention.scale,
                                  .q = IN(slot),
                                  .k = IN(slot + 1),
                                  .v = IN(slot + 2),
                                  .scratch = SCRATCH};
}

static mdldm_status run_attention(ARGS)
{
    mdldm__cpu_attention a = attention_args(plan, step, 0);
    a.o = OUT(0);
    a.lse = OUT(1);
    K->attention(&a);
    return MDLDM_OK;
}

static mdldm_status run_attention_bwd(ARGS)
{
    mdldm__cpu_attention a = attention_args(plan, step, 1);
    a.dout = IN(0);
    a.o = IN(4);
    a.lse = IN(5);
    a.dq = OUT(0);
    a.dk = OUT(1);
    a.dv = OUT(2);
    K->attention_bwd(&a);
    return MDLDM_OK;
}

/* ---- Resampling, embedding ---- */

static mdldm_status run_upsample2(ARGS)
{
    const mdldm_graph_tensor *x = IN_TENSOR(0);
    K->upsample2(OUT(0), IN(0), x->dtype, x->dims[0], x->dims[1], x->dims[2], x->dims[3], THREADS);
    return MDLDM_OK;
}

static mdldm_status run_upsample2_bwd(ARGS)
{
    const mdldm_graph_tensor *x = OUT_TENSOR(0);
    K->upsample2_bwd(OUT(0), IN(0), x->dtype, x->dims[0], x->dims[1], x->dims[2], x->dims[3], THREADS);
    return MDLDM_OK;
}

static mdldm_status run_avgpool2(ARGS)
{
    const mdldm_graph_tensor *x = IN_TENSOR(0);
    K->avgpool2(OUT(0), IN(0), x->dtype, x->dims[0], x->dims[1], x->dims[2], x->dims[3], THREADS);
    return MDLDM_OK;
}

static mdldm_status run_avgpool2_bwd(ARGS)
{
    const mdldm_graph_tensor *x = OUT_TENSOR(0);
    K->avgpool2_bwd(OUT(0), IN(0), x->dtype, x->dims[0], x->dims[1], x->dims[2], x->dims[3], THREADS);
    return MDLDM_OK;
}

static mdldm_status run_embedding(ARGS)
{
    const mdldm_graph_tensor *y = OUT_TENSOR(0);
    K->embedding(OUT(0), y->dtype, IN(0), IN(1), y->dims[0], IN_TENSOR(0)->dims[0], y->dims[3]);
    return MDLDM_OK;
}

static mdldm_status run_embedding_bwd(ARGS)
{
    const mdldm_graph_tensor *dy = IN_TENSOR(0);
    K->embedding_bwd(OUT(0), IN(0), dy->dtype, IN(1), dy->dims[0], OUT_TENSOR(0)->dims[0], dy->dims[3]);
    return MDLDM_OK;
}

/* ---- Codebook ---- */

static mdldm__cpu_vq vq_args(mdldm_plan *plan, const mdldm__cpu_step *step, int slot)
{
    const mdldm_graph_tensor *z = IN_TENSOR(slot);
    const mdldm_vq_attr *attr = &step->op->attr.vq;
    return (mdldm__cpu_vq){.rows = z->dims[0] * pixels(z),
                           .dim = z->dims[3],
                           .codes = IN_TENSOR(slot + 1)->dims[0],
                           .threads = THREADS,
                           .z = IN(slot),
                           .codebook = IN(slot + 1),
                           .commitment = attr->commitment,
                           .codebook_weight = attr->codebook_weight,
                           .temperature = attr->temperature,
                           .weight_sample = attr->weight_sample,
                           .weight_mean = attr->weight_mean,
                           .scratch = SCRATCH};
}

static mdldm_status run_vq(ARGS)
{
    mdldm__cpu_vq a = vq_args(plan, step, 0);
    a.zq = OUT(0);
    a.index = OUT(1);
    a.loss = OUT(2);
    K->vq(&a);
    return MDLDM_OK;
}

static mdldm_status run_vq_bwd(ARGS)
{
    mdldm__cpu_vq a = vq_args(plan, step, 1);
    a.dzq = IN(0);
    a.index = IN(3);
    a.dz = OUT(0);
    a.dcodebook = OUT(1);
    K->vq_bwd(&a);
    return MDLDM_OK;
}

static mdldm_status run_vq_entropy(ARGS)
{
    mdldm__cpu_vq a = vq_args(plan, step, 0);
    a.loss = OUT(0);
    K->vq_entropy(&a);
    return MDLDM_OK;
}

static mdldm_status run_vq_entropy_bwd(ARGS)
{
    mdldm__cpu_vq a = vq_args(plan, step, 0);
    a.dz = OUT(0);
    a.dcodebook = OUT(1);
    K->vq_entropy_bwd(&a);
    return MDLDM_OK;
}

/* ---- Losses ---- */

static mdldm_status run_loss(ARGS)
{
    const mdldm_graph_tensor *p = IN_TENSOR(0);
    K->loss(OUT(0), IN(0), p->dtype, IN(1), IN_TENSOR(1)->dtype, IN(2), step->op->attr.loss.kind, p->dims[0],
            elements(p) / p->dims[0], SCRATCH, THREADS);
    return MDLDM_OK;
}

static mdldm_status run_loss_bwd(ARGS)
{
    const mdldm_graph_tensor *p = IN_TENSOR(0);
    K->loss_bwd(OUT(0), OUT_TENSOR(0)->dtype, IN(0), p->dtype, IN(1), IN_TENSOR(1)->dtype, IN(2),
                step->op->attr.loss.kind, step->op->attr.loss.grad, p->dims[0], elements(p) / p->dims[0],
                THREADS);
    return MDLDM_OK;
}

static mdldm__cpu_cross_entropy cross_entropy_args(ARGS)
{
    const mdldm_graph_tensor *x = IN_TENSOR(0);
    return (mdldm__cpu_cross_entropy){.logits = IN(0),
                                      .dtype = x->dtype,
                                      .label = IN(1),
                                      .weight = IN(2),
                                      .rows = x->dims[0] * pixels(x),
                                      .per_image = pixels(x),
                                      .classes = x->dims[3],
                                      .smoothing = step->op->attr.cross_entropy.smoothing,
                                      .grad = step->op->attr.cross_entropy.grad,
                                      .scratch = SCRATCH,
                                      .threads = THREADS};
}

static mdldm_status run_cross_entropy(ARGS)
{
    mdldm__cpu_cross_entropy a = cross_entropy_args(plan, step);
    a.loss = OUT(0);
    K->cross_entropy(&a);
    return MDLDM_OK;
}

static mdldm_status run_cross_entropy_bwd(ARGS)
{
    mdldm__cpu_cross_entropy a = cross_entropy_args(plan, step);
    a.dlogits = OUT(0);
    a.out_dtype = OUT_TENSOR(0)->dtype;
    K->cross_entropy_bwd(&a);
    return MDLDM_OK;
}

mdldm__cpu_run_fn mdldm__cpu_runner(int32_t kind)
{
    static const mdldm__cpu_run_fn table[MDLDM__OP_LAST + 1] = {
        [MDLDM_OP_GROUP_NORM] = run_group_norm,
        [MDLDM_OP_GROUP_NORM_BWD] = run_group_norm_bwd,
        [MDLDM_OP_SILU] = run_silu,
        [MDLDM_OP_SILU_BWD] = run_silu_bwd,
        [MDLDM_OP_ADD] = run_add,
        [MDLDM_OP_BIAS] = run_bias,
        [MDLDM_OP_SUM_HW] = run_sum_hw,
        [MDLDM_OP_SCALE] = run_scale,
        [MDLDM_OP_ATTENTION] = run_attention,
        [MDLDM_OP_ATTENTION_BWD] = run_attention_bwd,
        [MDLDM_OP_UPSAMPLE2] = run_upsample2,
        [MDLDM_OP_UPSAMPLE2_BWD] = run_upsample2_bwd,
        [MDLDM_OP_AVGPOOL2] = run_avgpool2,
        [MDLDM_OP_AVGPOOL2_BWD] = run_avgpool2_bwd,
        [MDLDM_OP_EMBEDDING] = run_embedding,
        [MDLDM_OP_EMBEDDING_BWD] = run_embedding_bwd,
        [MDLDM_OP_VQ] = run_vq,
        [MDLDM_OP_VQ_BWD] = run_vq_bwd,
        [MDLDM_OP_VQ_ENTROPY] = run_vq_entropy,
        [MDLDM_OP_VQ_ENTROPY_BWD] = run_vq_entropy_bwd,
        [MDLDM_OP_LOSS] = run_loss,
        [MDLDM_OP_LOSS_BWD] = run_loss_bwd,
        [MDLDM_OP_CROSS_ENTROPY] = run_cross_entropy,
        [MDLDM_OP_CROSS_ENTROPY_BWD] = run_cross_entropy_bwd,
        [MDLDM_OP_DROPOUT] = run_dropout,
        [MDLDM_OP_CAST] = run_cast,
        [MDLDM_OP_GROUP_NORM_APPLY] = run_group_norm_apply,
        [MDLDM_OP_VQ_COLLECT] = mdldm__cpu_run_vq_collect,
        [MDLDM_OP_VQ_UPDATE] = mdldm__cpu_run_vq_update,
    };
    return table[kind];
}

size_t mdldm__cpu_op_scratch(const mdldm_plan *plan, const mdldm_graph_op *op)
{
    const mdldm_graph_tensor *x = &plan->tensors[op->in[0]];
    int64_t floats = 0, c = x->dims[3];
    int32_t tile = K->tile;
    const int64_t *d;
    switch (op->kind) {
    case MDLDM_OP_GROUP_NORM:
    case MDLDM_OP_GROUP_NORM_APPLY:
        c += op->in[1] >= 0 ? mdldm__cpu_dims(plan, op->in[1])[3] : 0;
        floats = mdldm__cpu_norm_scratch(x->dims[0], pixels(x), c);
        break;
    case MDLDM_OP_GROUP_NORM_BWD: /* dy has the joined channels */
        floats = mdldm__cpu_norm_scratch(x->dims[0], pixels(x), c);
        break;
    case MDLDM_OP_SUM_HW:
        floats = mdldm__cpu_column_scratch(x->dims[0], pixels(x), c);
        break;
    case MDLDM_OP_ATTENTION:
    case MDLDM_OP_ATTENTION_BWD:
        floats = mdldm__cpu_attention_scratch(x->dims[0], pixels(x), c, op->attr.attention.heads,
                                              plan->device->threads, op->kind == MDLDM_OP_ATTENTION_BWD);
        break;
    case MDLDM_OP_VQ:
        d = mdldm__cpu_dims(plan, op->in[1]);
        floats = mdldm__cpu_vq_scratch(x->dims[0] * pixels(x), d[1], d[0], tile);
        break;
    case MDLDM_OP_VQ_ENTROPY:
    case MDLDM_OP_VQ_ENTROPY_BWD:
        d = mdldm__cpu_dims(plan, op->in[1]);
        floats = mdldm__cpu_entropy_scratch(d[1], d[0], plan->device->threads, op->kind == MDLDM_OP_VQ_ENTROPY_BWD);
        break;
    case MDLDM_OP_LOSS:
        floats = 2 * mdldm__cpu_loss_scratch(x->dims[0], elements(x) / x->dims[0]);
        break;
    case MDLDM_OP_CROSS_ENTROPY: /* a double per row */
        floats = 2 * x->dims[0] * pixels(x);
        break;
    default:
        break;
    }
    return (size_t)floats * sizeof(float);
}
