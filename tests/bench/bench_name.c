/* SPDX-License-Identifier: MIT
 * Name, work and traffic of one operation of a graph. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

static const char *const names[] = {
    [MDLDM_OP_CONV] = "conv",
    [MDLDM_OP_CONV_BWD_DATA] = "conv data",
    [MDLDM_OP_CONV_BWD_WEIGHTS] = "conv weights",
    [MDLDM_OP_GROUP_NORM] = "group norm",
    [MDLDM_OP_GROUP_NORM_BWD] = "group norm backward",
    [MDLDM_OP_SILU] = "silu",
    [MDLDM_OP_SILU_BWD] = "silu backward",
    [MDLDM_OP_ADD] = "add",
    [MDLDM_OP_BIAS] = "bias",
    [MDLDM_OP_SUM_HW] = "sum over a map",
    [MDLDM_OP_SCALE] = "scale",
    [MDLDM_OP_ATTENTION] = "attention",
    [MDLDM_OP_ATTENTION_BWD] = "attention backward",
    [MDLDM_OP_UPSAMPLE2] = "upsample",
    [MDLDM_OP_UPSAMPLE2_BWD] = "upsample backward",
    [MDLDM_OP_AVGPOOL2] = "average pool",
    [MDLDM_OP_AVGPOOL2_BWD] = "average pool backward",
    [MDLDM_OP_EMBEDDING] = "embedding",
    [MDLDM_OP_EMBEDDING_BWD] = "embedding backward",
    [MDLDM_OP_VQ] = "vq",
    [MDLDM_OP_VQ_BWD] = "vq backward",
    [MDLDM_OP_VQ_ENTROPY] = "vq entropy",
    [MDLDM_OP_VQ_ENTROPY_BWD] = "vq entropy backward",
    [MDLDM_OP_LOSS] = "loss",
    [MDLDM_OP_LOSS_BWD] = "loss backward",
    [MDLDM_OP_CROSS_ENTROPY] = "cross entropy",
    [MDLDM_OP_CROSS_ENTROPY_BWD] = "cross entropy backward",
    [MDLDM_OP_DROPOUT] = "dropout",
    [MDLDM_OP_CAST] = "cast",
};

static const mdldm_graph_tensor *tensor(const mdldm_graph_desc *g, int32_t id)
{
    return id >= 0 ? &g->tensors[id] : NULL;
}

static double elements(const mdldm_graph_tensor *t)
{
    return t == NULL ? 0.0 : (double)t->dims[0] * (double)t->dims[1] * (double)t->dims[2] * (double)t->dims[3];
}

static int64_t channels(const mdldm_graph_tensor *t)
{
    return t == NULL ? 0 : t->dims[3];
}

/* The tensor whose shape tells an operation from its like. */
static const mdldm_graph_tensor *main_tensor(const mdldm_graph_desc *g, const mdldm_graph_op *op)
{
    switch (op->kind) {
    case MDLDM_OP_EMBEDDING_BWD:
    case MDLDM_OP_CONV_BWD_DATA:
    case MDLDM_OP_LOSS:
    case MDLDM_OP_LOSS_BWD:
    case MDLDM_OP_CROSS_ENTROPY:
    case MDLDM_OP_CROSS_ENTROPY_BWD:
    case MDLDM_OP_SUM_HW:
        return tensor(g, op->in[0]);
    case MDLDM_OP_GROUP_NORM_BWD:
    case MDLDM_OP_VQ_BWD:
    case MDLDM_OP_VQ_ENTROPY_BWD:
        return tensor(g, op->in[1]);
    case MDLDM_OP_VQ_ENTROPY:
    case MDLDM_OP_CONV_BWD_WEIGHTS:
        return tensor(g, op->in[0]);
    default:
        return tensor(g, op->out[0]);
    }
}

static void describe_conv(const mdldm_graph_desc *g, const mdldm_graph_op *op, bench_row *row)
{
    const mdldm_conv_attr *a = &op->attr.conv;
    const int data = op->kind == MDLDM_OP_CONV_BWD_DATA, weights = op->kind == MDLDM_OP_CONV_BWD_WEIGHTS;
    const mdldm_graph_tensor *y = data ? tensor(g, op->in[0]) : weights ? tensor(g, op->in[2]) : tensor(g, op->out[0]);
    const int32_t *sources = data ? op->out : op->in;
    const int64_t c0 = channels(tensor(g, sources[0])), c1 = channels(tensor(g, sources[1]));
    const mdldm_graph_tensor *x = tensor(g, sources[0] >= 0 ? sources[0] : sources[1]);
    const mdldm_graph_tensor *w = weights ? tensor(g, op->out[0]) : tensor(g, op->in[data ? 1 : 2]);
    char from[48];
    if (c1 > 0)
        snprintf(from, sizeof from, "%lld+%lld", (long long)c0, (long long)c1);
    else
        snprintf(from, sizeof from, "%lld", (long long)c0);
    if (x->dims[1] == 1 && x->dims[2] == 1)
        snprintf(row->name, sizeof row->name, "linear%s %s->%lld", names[op->kind] + 4, from, (long long)channels(y));
    else
        snprintf(row->name, sizeof row->name, "%s %dx%d/%d %lldx%lld %s->%lld", names[op->kind], (int)a->kernel_h,
                 (int)a->kernel_w, (int)a->stride_h, (long long)x->dims[1], (long long)x->dims[2], from,
                 (long long)channels(y));
    row->flops = 2.0 * elements(y) * (elements(w) / (double)channels(y));
}

void bench_op_describe(const mdldm_graph_desc *g, const mdldm_graph_op *op, bench_row *row)
{
    const mdldm_graph_tensor *t = main_tensor(g, op);
    row->flops = 0.0;
    row->bytes = 0.0;
    for (int i = 0; i < MDLDM_OP_INPUTS + MDLDM_OP_OUTPUTS; i++) {
        const mdldm_graph_tensor *u = tensor(g, i < MDLDM_OP_INPUTS ? op->in[i] : op->out[i - MDLDM_OP_INPUTS]);
        row->bytes += elements(u) * (u != NULL && u->dtype == MDLDM_BF16 ? 2.0 : 4.0);
    }
    if (op->kind == MDLDM_OP_CONV || op->kind == MDLDM_OP_CONV_BWD_DATA || op->kind == MDLDM_OP_CONV_BWD_WEIGHTS) {
        describe_conv(g, op, row);
    } else if (op->kind == MDLDM_OP_ATTENTION || op->kind == MDLDM_OP_ATTENTION_BWD) {
        const double tokens = (double)t->dims[1] * (double)t->dims[2];
        const int backward = op->kind == MDLDM_OP_ATTENTION_BWD;
        snprintf(row->name, sizeof row->name, "%s %.0f tokens, %d heads of %lld", names[op->kind], tokens,
                 (int)op->attr.attention.heads, (long long)(channels(t) / op->attr.attention.heads));
        row->flops = 2.0 * (double)t->dims[0] * tokens * tokens * (double)channels(t) * (backward ? 5 : 2);
    } else if (op->kind == MDLDM_OP_VQ) {
        const mdldm_graph_tensor *book = tensor(g, op->in[1]);
        snprintf(row->name, sizeof row->name, "vq %lldx%lld, %lld codes of %lld", (long long)t->dims[1],
                 (long long)t->dims[2], (long long)book->dims[0], (long long)book->dims[1]);
        row->flops = 2.0 * (double)t->dims[0] * (double)t->dims[1] * (double)t->dims[2] * elements(book);
    } else {
        const char *extra = op->kind == MDLDM_OP_GROUP_NORM || op->kind == MDLDM_OP_GROUP_NORM_BWD
                                ? op->attr.norm.silu ? " + silu" : " alone"
                            : op->kind == MDLDM_OP_CAST ? t->dtype == MDLDM_BF16 ? " to bf16" : " to f32"
                                                            : "";
        char joined[32] = "";
        if (op->kind == MDLDM_OP_GROUP_NORM && op->in[1] >= 0)
            snprintf(joined, sizeof joined, " (%lld+%lld)", (long long)channels(tensor(g, op->in[0])),
                     (long long)channels(tensor(g, op->in[1])));
        snprintf(row->name, sizeof row->name, "%s%s %lldx%lldx%lld%s", names[op->kind], extra, (long long)t->dims[1],
                 (long long)t->dims[2], (long long)channels(t), joined);
    }
}
