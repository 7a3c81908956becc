/* SPDX-License-Identifier: MIT
 * Reverse mode over the operation list. Each forward operation contributes the operations that turn
 * the gradient of its outputs into those of its inputs; a tensor with several consumers gets its
 * parts added up. Gradients have the type of the tensor they belong to; parameters' are added to the
 * store by the operations themselves. */
#include <string.h>

#include "graph/graph_internal.h"

typedef struct tape {
    mdldm__graph *g;
    int32_t forward_tensors;
    mdldm__tensor *grad;     /* of each forward tensor */
    unsigned char *needed;   /* does a gradient have to reach this tensor */
} tape;

static int trainable(const mdldm__graph *g, mdldm__tensor t)
{
    return t >= 0 && g->tensors[t].role == MDLDM_ROLE_PARAM &&
           g->params->items[g->tensors[t].param].trainable;
}

static int needed(const tape *a, mdldm__tensor t)
{
    return t >= 0 && a->needed[t];
}

/* A gradient tensor for activation x, or for parameter x the store's slot; NONE when not needed. */
static mdldm__tensor gradient_of(tape *a, mdldm__tensor x)
{
    mdldm__graph *g = a->g;
    if (!needed(a, x))
        return MDLDM__NONE;
    const mdldm_graph_tensor t = g->tensors[x];
    mdldm__tensor y = mdldm__graph_new_tensor(
        g, t.dtype, t.role == MDLDM_ROLE_PARAM ? MDLDM_ROLE_PARAM_GRAD : MDLDM_ROLE_ACTIVATION, t.dims[0],
        t.dims[1], t.dims[2], t.dims[3]);
    if (y >= 0) {
        g->tensors[y].param = t.param;
        g->tensors[y].name = t.name;
    }
    return y;
}

/* Adds part to the gradient of x. */
static void flow(tape *a, mdldm__tensor x, mdldm__tensor part, const char *name)
{
    mdldm__graph *g = a->g;
    if (!needed(a, x) || part < 0 || g->status != MDLDM_OK)
        return;
    if (a->grad[x] == MDLDM__NONE) {
        a->grad[x] = part;
        return;
    }
    mdldm__tensor sum = gradient_of(a, x);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_ADD, name);
    if (op == NULL)
        return;
    op->in[0] = a->grad[x];
    op->in[1] = part;
    op->out[0] = sum;
    op->attr.scale = (mdldm_scale_attr){1.0f, 1.0f};
    a->grad[x] = sum;
}

/* One operation with inputs in[count] whose single output is the gradient of x. */
static mdldm_graph_op *simple(tape *a, const mdldm_graph_op *f, int32_t kind, mdldm__tensor x,
                              const mdldm__tensor *in, int count)
{
    if (!needed(a, x))
        return NULL;
    mdldm__tensor dx = gradient_of(a, x);
    mdldm_graph_op *op = mdldm__graph_new_op(a->g, kind, f->name);
    if (op == NULL)
        return NULL;
    for (int i = 0; i < count; i++)
        op->in[i] = in[i];
    op->out[0] = dx;
    op->attr = f->attr;
    return op;
}

static void one(tape *a, const mdldm_graph_op *f, int32_t kind, mdldm__tensor x, const mdldm__tensor *in,
                int count)
{
    const mdldm_graph_op *op = simple(a, f, kind, x, in, count);
    if (op != NULL)
        flow(a, x, op->out[0], f->name);
}

static void scaled(tape *a, const mdldm_graph_op *f, mdldm__tensor x, mdldm__tensor dy, mdldm__tensor s,
                   float factor)
{
    if (!needed(a, x))
        return;
    if (factor == 1.0f && s < 0) {
        flow(a, x, dy, f->name);
        return;
    }
    const mdldm__tensor in[2] = {dy, s};
    mdldm_graph_op *op = simple(a, f, MDLDM_OP_SCALE, x, in, 2);
    if (op == NULL)
        return;
    op->attr.scale = (mdldm_scale_attr){factor, 0.0f};
    flow(a, x, op->out[0], f->name);
}

static void conv(tape *a, const mdldm_graph_op *f, mdldm__tensor dy)
{
    mdldm__graph *g = a->g;
    mdldm__tensor x0 = f->in[0], x1 = f->in[1], w = f->in[2], b = f->in[3];
    if (needed(a, w) || needed(a, b)) {
        mdldm__tensor dw = gradient_of(a, w), db = gradient_of(a, b);
        mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_CONV_BWD_WEIGHTS, f->name);
        if (op == NULL)
            return;
        op->in[0] = x0;
        op->in[1] = x1;
        op->in[2] = dy;
        op->out[0] = dw;
        op->out[1] = db;
        op->attr = f->attr;
    }
    if (needed(a, x0) || needed(a, x1)) {
        mdldm__tensor d0 = gradient_of(a, x0), d1 = gradient_of(a, x1);
        mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_CONV_BWD_DATA, f->name);
        if (op == NULL)
            return;
        op->in[0] = dy;
        op->in[1] = w;
        op->out[0] = d0;
        op->out[1] = d1;
        op->attr = f->attr;
        flow(a, x0, d0, f->name);
        flow(a, x1, d1, f->name);
    }
}

static void group_norm(tape *a, const mdldm_graph_op *f, mdldm__tensor dy)
{
    const mdldm__tensor targets[5] = {f->in[0], f->in[1], f->in[2], f->in[3], f->in[4]};
    mdldm__tensor d[5];
    int any = 0;
    for (int i = 0; i < 5; i++) {
        d[i] = gradient_of(a, targets[i]);
        any |= d[i] >= 0;
    }
    mdldm_graph_op *op = any ? mdldm__graph_new_op(a->g, MDLDM_OP_GROUP_NORM_BWD, f->name) : NULL;
    if (op == NULL)
        return;
    op->in[0] = dy;
    for (int i = 0; i < 5; i++)
        op->in[1 + i] = targets[i];
    op->in[6] = f->out[1];
    for (int i = 0; i < 5; i++)
        op->out[i] = d[i];
    op->attr = f->attr;
    flow(a, targets[0], d[0], f->name);
    flow(a, targets[1], d[1], f->name);
    flow(a, targets[4], d[4], f->name);
}

static void attention(tape *a, const mdldm_graph_op *f, mdldm__tensor dy)
{
    mdldm__tensor d[3];
    int any = 0;
    for (int i = 0; i < 3; i++)
        any |= needed(a, f->in[i]);
    if (!any)
        return;
    for (int i = 0; i < 3; i++) {
        /* The kernel computes the three together, so all three exist even if one is not wanted. */
        const mdldm_graph_tensor t = a->g->tensors[f->in[i]];
        d[i] = mdldm__graph_new_tensor(a->g, t.dtype, MDLDM_ROLE_ACTIVATION, t.dims[0], t.dims[1], t.dims[2],
                                       t.dims[3]);
    }
    mdldm_graph_op *op = mdldm__graph_new_op(a->g, MDLDM_OP_ATTENTION_BWD, f->name);
    if (op == NULL)
        return;
    op->in[0] = dy;
    for (int i = 0; i < 3; i++) {
        op->in[1 + i] = f->in[i];
        op->out[i] = d[i];
    }
    op->in[4] = f->out[0];
    op->in[5] = f->out[1];
    op->attr = f->attr;
    for (int i = 0; i < 3; i++)
        flow(a, f->in[i], d[i], f->name);
}

static void vq(tape *a, const mdldm_graph_op *f, mdldm__tensor dzq)
{
    mdldm__tensor z = f->in[0], codebook = f->in[1];
    int terms = f->attr.vq.commitment != 0.0f || f->attr.vq.codebook_weight != 0.0f;
    int to_codebook = needed(a, codebook) && f->attr.vq.codebook_weight != 0.0f;
    if ((dzq < 0 && !terms) || (!needed(a, z) && !to_codebook))
        return;
    const mdldm_graph_tensor t = a->g->tensors[z];
    mdldm__tensor dz = mdldm__graph_new_tensor(a->g, t.dtype, MDLDM_ROLE_ACTIVATION, t.dims[0], t.dims[1],
                                               t.dims[2], t.dims[3]);
    mdldm__tensor dcodebook = to_codebook ? gradient_of(a, codebook) : MDLDM__NONE;
    mdldm_graph_op *op = mdldm__graph_new_op(a->g, MDLDM_OP_VQ_BWD, f->name);
    if (op == NULL)
        return;
    op->in[0] = dzq;
    op->in[1] = z;
    op->in[2] = codebook;
    op->in[3] = f->out[1];
    op->out[0] = dz;
    op->out[1] = dcodebook;
    op->attr = f->attr;
    flow(a, z, dz, f->name);
}

static void vq_entropy(tape *a, const mdldm_graph_op *f)
{
    mdldm__tensor z = f->in[0], codebook = f->in[1];
    if ((f->attr.vq.weight_sample == 0.0f && f->attr.vq.weight_mean == 0.0f) ||
        (!needed(a, z) && !needed(a, codebook)))
        return;
    const mdldm_graph_tensor t = a->g->tensors[z];
    mdldm__tensor dz = mdldm__graph_new_tensor(a->g, t.dtype, MDLDM_ROLE_ACTIVATION, t.dims[0], t.dims[1],
                                               t.dims[2], t.dims[3]);
    mdldm__tensor dcodebook = gradient_of(a, codebook);
    mdldm_graph_op *op = mdldm__graph_new_op(a->g, MDLDM_OP_VQ_ENTROPY_BWD, f->name);
    if (op == NULL)
        return;
    op->in[0] = z;
    op->in[1] = codebook;
    op->out[0] = dz;
    op->out[1] = dcodebook;
    op->attr = f->attr;
    flow(a, z, dz, f->name);
}

static void loss(tape *a, const mdldm_graph_op *f)
{
    if (f->attr.loss.grad != 0.0f)
        one(a, f, MDLDM_OP_LOSS_BWD, f->in[0], f->in, 3);
}

/* Every element of a map gets dy: a bias on zeros, which are made from x. */
static void sum_hw(tape *a, const mdldm_graph_op *f, mdldm__tensor dy)
{
    if (!needed(a, f->in[0]))
        return;
    mdldm__tensor zeros = gradient_of(a, f->in[0]);
    mdldm_graph_op *op = mdldm__graph_new_op(a->g, MDLDM_OP_SCALE, f->name);
    if (op == NULL)
        return;
    op->in[0] = f->in[0];
    op->out[0] = zeros;
    op->attr.scale = (mdldm_scale_attr){0.0f, 0.0f};
    one(a, f, MDLDM_OP_BIAS, f->in[0], (const mdldm__tensor[]){zeros, dy}, 2);
}

static void embedding(tape *a, const mdldm_graph_op *f, mdldm__tensor dy)
{
    mdldm__tensor dtable = gradient_of(a, f->in[0]);
    mdldm_graph_op *op = dtable >= 0 ? mdldm__graph_new_op(a->g, MDLDM_OP_EMBEDDING_BWD, f->name) : NULL;
    if (op == NULL)
        return;
    op->in[0] = dy;
    op->in[1] = f->in[1];
    op->out[0] = dtable;
}

static void backward_op(tape *a, const mdldm_graph_op *f)
{
    mdldm__tensor dy = f->out[0] >= 0 ? a->grad[f->out[0]] : MDLDM__NONE;
    /* Loss terms start the flow by themselves; all others pass on what reached them. */
    if (f->kind == MDLDM_OP_LOSS) {
        loss(a, f);
        return;
    }
    if (f->kind == MDLDM_OP_CROSS_ENTROPY) {
        if (f->attr.cross_entropy.grad != 0.0f)
            one(a, f, MDLDM_OP_CROSS_ENTROPY_BWD, f->in[0], f->in, 3);
        return;
    }
    if (f->kind == MDLDM_OP_VQ) {
        vq(a, f, dy);
        return;
    }
    if (f->kind == MDLDM_OP_VQ_ENTROPY) {
        vq_entropy(a, f);
        return;
    }
    if (dy < 0)
        return;
    switch (f->kind) {
    case MDLDM_OP_CONV:
        conv(a, f, dy);
        break;
    case MDLDM_OP_GROUP_NORM:
        group_norm(a, f, dy);
        break;
    case MDLDM_OP_SILU:
        one(a, f, MDLDM_OP_SILU_BWD, f->in[0], (const mdldm__tensor[]){dy, f->in[0]}, 2);
        break;
    case MDLDM_OP_ADD:
        scaled(a, f, f->in[0], dy, MDLDM__NONE, f->attr.scale.alpha);
        scaled(a, f, f->in[1], dy, MDLDM__NONE, f->attr.scale.beta);
        break;
    case MDLDM_OP_BIAS:
        flow(a, f->in[0], dy, f->name);
        one(a, f, MDLDM_OP_SUM_HW, f->in[1], &dy, 1);
        break;
    case MDLDM_OP_SUM_HW:
        sum_hw(a, f, dy);
        break;
    case MDLDM_OP_SCALE:
        scaled(a, f, f->in[0], dy, f->in[1], f->attr.scale.alpha);
        break;
    case MDLDM_OP_ATTENTION:
        attention(a, f, dy);
        break;
    case MDLDM_OP_UPSAMPLE2:
        one(a, f, MDLDM_OP_UPSAMPLE2_BWD, f->in[0], &dy, 1);
        break;
    case MDLDM_OP_AVGPOOL2:
        one(a, f, MDLDM_OP_AVGPOOL2_BWD, f->in[0], &dy, 1);
        break;
    case MDLDM_OP_EMBEDDING:
        embedding(a, f, dy);
        break;
    case MDLDM_OP_DROPOUT:
        one(a, f, MDLDM_OP_DROPOUT, f->in[0], (const mdldm__tensor[]){dy, f->in[1]}, 2);
        break;
    case MDLDM_OP_CAST:
        one(a, f, MDLDM_OP_CAST, f->in[0], &dy, 1);
        break;
    default:
        mdldm__graph_fail(a->g, mdldm__error(a->g->env, MDLDM_ERROR_INTERNAL,
                                             "operation %d at %s has no gradient", (int)f->kind, f->name));
    }
}

mdldm_status mdldm__graph_backward(mdldm__graph *g, const mdldm__tensor *wanted, int32_t count,
                                   mdldm__tensor *grads)
{
    if (g->status != MDLDM_OK)
        return g->status;
    tape a = {.g = g, .forward_tensors = g->tensor_count};
    size_t tensors = (size_t)g->tensor_count;
    a.grad = mdldm__alloc(g->env, tensors * sizeof *a.grad);
    a.needed = mdldm__calloc(g->env, tensors, 1);
    if (a.grad == NULL || a.needed == NULL) {
        mdldm__graph_fail(g, mdldm__oom(g->env, "autodiff"));
        goto done;
    }
    for (size_t t = 0; t < tensors; t++) {
        a.grad[t] = MDLDM__NONE;
        a.needed[t] = (unsigned char)trainable(g, (mdldm__tensor)t);
    }
    for (int32_t i = 0; i < count; i++)
        if (wanted[i] >= 0)
            a.needed[wanted[i]] = 1;
    const int32_t forward = g->op_count;
    g->forward_ops = forward;
    for (int32_t i = 0; i < forward; i++) {
        const mdldm_graph_op *op = &g->ops[i];
        int any = 0;
        for (int k = 0; k < MDLDM_OP_INPUTS; k++)
            any |= op->in[k] >= 0 && a.needed[op->in[k]];
        for (int k = 0; any && k < MDLDM_OP_OUTPUTS; k++)
            if (op->out[k] >= 0 && g->tensors[op->out[k]].dtype != MDLDM_I32)
                a.needed[op->out[k]] = 1;
    }
    for (int32_t i = forward - 1; i >= 0 && g->status == MDLDM_OK; i--) {
        const mdldm_graph_op op = g->ops[i]; /* a copy: the list moves as it grows */
        backward_op(&a, &op);
    }
    for (int32_t i = 0; i < count && g->status == MDLDM_OK; i++) {
        grads[i] = wanted[i] >= 0 ? a.grad[wanted[i]] : MDLDM__NONE;
        mdldm__graph_output(g, grads[i]);
    }
done:
    mdldm__free(g->env, a.grad);
    mdldm__free(g->env, a.needed);
    return g->status;
}
