/* SPDX-License-Identifier: MIT
 * Rematerialisation: activations that the backward list reads are computed a second time, right before
 * they are read, instead of kept since the forward list (Chen et al., "Training deep nets with sublinear
 * memory cost", 2016). It is a rewriting of the operation list, so every backend profits, and as each
 * operation gives the same bits each time, so do the gradients. */
#include "graph/graph_internal.h"

typedef struct redo {
    mdldm__graph *g;
    const mdldm_graph_op *ops;  /* the list as it was */
    int32_t op_count, forward;  /* operations before `forward` are the forward list */
    int32_t *maker;             /* [tensors] forward operation that makes it, or -1 */
    unsigned char *read_back;   /* [tensors] is it read by the backward list */
    unsigned char *dropped;     /* [forward] are its results computed again */
    mdldm__tensor *again[2];    /* [tensors] the second copy, for recomputed and for backward operations */
} redo;

/* Costs little beside the convolution that reads the result. */
static int cheap(int32_t kind)
{
    return kind == MDLDM_OP_GROUP_NORM || kind == MDLDM_OP_SILU || kind == MDLDM_OP_UPSAMPLE2 ||
           kind == MDLDM_OP_AVGPOOL2 || kind == MDLDM_OP_DROPOUT || kind == MDLDM_OP_CAST;
}

/* An operation of a segment that gives the same again from activations and parameters alone. */
static int repeatable(int32_t kind)
{
    return cheap(kind) || kind == MDLDM_OP_CONV || kind == MDLDM_OP_ADD || kind == MDLDM_OP_BIAS ||
           kind == MDLDM_OP_SCALE || kind == MDLDM_OP_ATTENTION;
}

/* The result that counts is in slot 0 (with the log-sum-exp of attention in slot 1); the statistics of
 * a norm are small and kept. */
static int32_t results(const mdldm_graph_op *op)
{
    return op->kind == MDLDM_OP_ATTENTION ? 2 : 1;
}

static int64_t bytes(const mdldm__graph *g, mdldm__tensor t)
{
    const mdldm_graph_tensor *x = &g->tensors[t];
    return x->dims[0] * x->dims[1] * x->dims[2] * x->dims[3] * (x->dtype == MDLDM_BF16 ? 2 : 4);
}

static int is_output(const redo *r, const mdldm_graph_op *op)
{
    for (int32_t i = 0; i < results(op); i++)
        if (r->g->tensors[op->out[i]].flags & MDLDM_TENSOR_OUTPUT)
            return 1;
    return 0;
}

/* Worth it when the input is there for the backward list anyway, or is smaller than the result. */
static int pays(const redo *r, const mdldm_graph_op *op)
{
    int64_t extra = 0;
    for (int i = 0; i < MDLDM_OP_INPUTS; i++) {
        mdldm__tensor t = op->in[i];
        if (t >= 0 && r->g->tensors[t].role != MDLDM_ROLE_PARAM && !r->read_back[t] &&
            !(r->maker[t] >= 0 && r->dropped[r->maker[t]]))
            extra += bytes(r->g, t);
    }
    return extra < bytes(r->g, op->out[0]);
}

static void find_uses(redo *r)
{
    for (int32_t t = 0; t < r->g->tensor_count; t++)
        r->maker[t] = r->again[0][t] = r->again[1][t] = MDLDM__NONE;
    for (int32_t i = 0; i < r->op_count; i++) {
        for (int k = 0; i < r->forward && k < MDLDM_OP_OUTPUTS; k++)
            if (r->ops[i].out[k] >= 0)
                r->maker[r->ops[i].out[k]] = i;
        for (int k = 0; i >= r->forward && k < MDLDM_OP_INPUTS; k++)
            if (r->ops[i].in[k] >= 0)
                r->read_back[r->ops[i].in[k]] = 1;
    }
}

/* What a segment makes is computed again, but for what other forward operations read. */
static void drop_segment(redo *r, const mdldm__segment *s)
{
    for (int32_t i = s->first; i < s->end; i++)
        r->dropped[i] = repeatable(r->ops[i].kind) && !is_output(r, &r->ops[i]);
    for (int32_t i = s->end; i < r->forward; i++)
        for (int k = 0; k < MDLDM_OP_INPUTS; k++) {
            mdldm__tensor t = r->ops[i].in[k];
            if (t >= 0 && r->maker[t] >= s->first && r->maker[t] < s->end)
                r->dropped[r->maker[t]] = 0;
        }
}

static mdldm__tensor again(redo *r, mdldm__tensor t, int backward);

static void repeat(redo *r, const mdldm_graph_op *op, int backward)
{
    mdldm__graph *g = r->g;
    mdldm_graph_op copy = *op;
    for (int k = 0; k < MDLDM_OP_INPUTS; k++)
        copy.in[k] = again(r, op->in[k], 0);
    for (int32_t k = 0; k < results(op); k++) {
        const mdldm_graph_tensor x = g->tensors[op->out[k]];
        copy.out[k] = mdldm__graph_new_tensor(g, x.dtype, x.role, x.dims[0], x.dims[1], x.dims[2], x.dims[3]);
        /* A cheap result that a recomputed operation reads is not kept for backward ones further on. */
        r->again[backward][op->out[k]] = copy.out[k];
        if (!cheap(op->kind))
            r->again[!backward][op->out[k]] = copy.out[k];
    }
    if (op->kind == MDLDM_OP_GROUP_NORM) {
        copy.kind = MDLDM_OP_GROUP_NORM_APPLY;
        copy.in[5] = op->out[1];
        copy.out[1] = MDLDM__NONE;
    }
    mdldm_graph_op *made = mdldm__graph_new_op(g, copy.kind, op->name);
    if (made != NULL)
        *made = copy;
}

/* The tensor that holds t's values at this place of the new list. */
static mdldm__tensor again(redo *r, mdldm__tensor t, int backward)
{
    int32_t maker = t >= 0 ? r->maker[t] : -1;
    if (maker < 0 || !r->dropped[maker])
        return t;
    const mdldm_graph_op *op = &r->ops[maker];
    if (op->out[0] != t && results(op) == 1)
        return t; /* statistics */
    if (r->again[backward][t] == MDLDM__NONE)
        repeat(r, op, backward);
    return r->again[backward][t];
}

static void rewrite(redo *r)
{
    mdldm__graph *g = r->g;
    g->ops = NULL;
    g->op_count = g->op_capacity = 0;
    for (int32_t i = 0; i < r->op_count && g->status == MDLDM_OK; i++) {
        mdldm_graph_op op = r->ops[i];
        for (int k = 0; i >= r->forward && k < MDLDM_OP_INPUTS; k++)
            op.in[k] = again(r, op.in[k], 1);
        mdldm_graph_op *made = mdldm__graph_new_op(g, op.kind, op.name);
        if (made != NULL)
            *made = op;
    }
}

mdldm_status mdldm__graph_recompute(mdldm__graph *g, mdldm__keep keep)
{
    if (g->status != MDLDM_OK || keep == MDLDM__KEEP_ALL || g->forward_ops == 0)
        return g->status;
    size_t tensors = (size_t)g->tensor_count, forward = (size_t)g->forward_ops;
    mdldm_graph_op *ops = g->ops;
    redo r = {.g = g, .ops = ops, .op_count = g->op_count, .forward = g->forward_ops};
    mdldm__tensor *ids = mdldm__alloc(g->env, 3 * tensors * sizeof *ids);
    r.read_back = mdldm__calloc(g->env, tensors + forward, 1);
    if (ids == NULL || r.read_back == NULL) {
        mdldm__graph_fail(g, mdldm__oom(g->env, "recomputation"));
    } else {
        r.maker = ids;
        r.again[0] = ids + tensors;
        r.again[1] = ids + 2 * tensors;
        r.dropped = r.read_back + tensors;
        find_uses(&r);
        for (int32_t i = 0; keep == MDLDM__KEEP_SEGMENT_INPUTS && i < g->segment_count; i++)
            drop_segment(&r, &g->segments[i]);
        for (int32_t i = 0; i < r.forward; i++)
            r.dropped[i] |= cheap(ops[i].kind) && !is_output(&r, &ops[i]) && pays(&r, &ops[i]);
        rewrite(&r);
        mdldm__free(g->env, ops);
    }
    mdldm__free(g->env, ids);
    mdldm__free(g->env, r.read_back);
    return g->status;
}
