/* SPDX-License-Identifier: MIT
 * Fusion of neighbours. A convolution takes in the BIAS and the ADD that alone read its result, and the
 * UPSAMPLE2 that makes its input; the fused node runs in the place of the last operation whose operands
 * it needs. */
#include "cpu_plan.h"

#define SMALL_ROWS 32

/* A linear layer on so few rows that reading the weights is what it costs. */
int32_t mdldm__cpu_small_linear(const mdldm_plan *plan, const mdldm_graph_op *op)
{
    const mdldm_conv_attr *a = &op->attr.conv;
    int32_t y = op->kind == MDLDM_OP_CONV              ? op->out[0]
                : op->kind == MDLDM_OP_CONV_BWD_DATA ? op->in[0]
                                                     : op->in[2];
    const int64_t *d = mdldm__cpu_dims(plan, y);
    return a->kernel_h == 1 && a->kernel_w == 1 && a->stride_h == 1 && a->stride_w == 1 && a->pad_t == 0 &&
           a->pad_l == 0 && a->pad_b == 0 && a->pad_r == 0 && d[0] * d[1] * d[2] <= SMALL_ROWS;
}

/* The data gradient of this convolution is a forward convolution with turned weights. */
int32_t mdldm__cpu_turned(const mdldm_conv_attr *a)
{
    return a->stride_h == 1 && a->stride_w == 1 && a->pad_t < a->kernel_h && a->pad_b < a->kernel_h &&
           a->pad_l < a->kernel_w && a->pad_r < a->kernel_w;
}

/* For each tensor the operation that makes it, one that reads it, and how many do. */
typedef struct fuse_tables {
    int32_t *maker, *reader, *readers; /* [tensor_count] */
    uint8_t *gone;                     /* [op_count] fused into another, or moved */
    uint8_t *resample;                 /* [op_count] a convolution that took in an UPSAMPLE2 */
} fuse_tables;

static int can_take_add(const mdldm_plan *plan, const mdldm_graph_op *op)
{
    if (op->kind == MDLDM_OP_CONV || op->kind == MDLDM_OP_CONV_Q8)
        return 1;
    return op->kind == MDLDM_OP_CONV_BWD_DATA && (op->out[0] < 0 || op->out[1] < 0) &&
           !mdldm__cpu_small_linear(plan, op) && mdldm__cpu_turned(&op->attr.conv);
}

static int only_reader(const mdldm_plan *plan, const fuse_tables *t, int32_t tensor)
{
    if (t->readers[tensor] != 1 || (plan->tensors[tensor].flags & MDLDM_TENSOR_OUTPUT))
        return -1;
    return t->reader[tensor];
}

/* Takes the operand into the node: it runs at the reader's place when the operand is made later. */
static void take(const fuse_tables *t, mdldm__cpu_node *node, int32_t reader, int32_t operand,
                 const mdldm_graph_op *op)
{
    if (t->maker[operand] > node->position)
        node->position = reader;
    node->out = op->out[0];
    t->gone[reader] = 1;
}

/* A group norm writes bytes when nothing else reads its result. */
static void grow_norm(const mdldm_plan *plan, const fuse_tables *t, mdldm__cpu_node *node)
{
    int32_t reader = only_reader(plan, t, node->op->out[0]);
    if (reader < 0 || plan->ops[reader].kind != MDLDM_OP_QUANTIZE || t->gone[reader])
        return;
    node->quantize = &plan->ops[reader];
    node->out = node->quantize->out[0];
    t->gone[reader] = 1;
}

/* A convolution that can do without the enlarged map (cpu_winograd.h). */
static int fits_resampled(const mdldm_plan *plan, const mdldm_graph_op *op)
{
    const mdldm_conv_attr *a = &op->attr.conv;
    return !(plan->flags & MDLDM_PLAN_DIRECT) && a->kernel_h == 3 && a->kernel_w == 3 && a->stride_h == 1 &&
           a->stride_w == 1 && a->pad_t == 1 && a->pad_l == 1 && a->pad_b == 1 && a->pad_r == 1;
}

/* Convolutions of enlarged maps read the small ones, also when the enlarged one stays for another reader:
 * the same bits in training, where that is the weights' gradient, whatever is computed again. */
static void fold_upsamples(mdldm_plan *plan, const fuse_tables *t)
{
    for (int32_t i = 0; i < plan->op_count; i++) {
        mdldm_graph_op *conv = &plan->ops[i];
        int32_t up = conv->kind == MDLDM_OP_CONV && conv->in[1] < 0 ? t->maker[conv->in[0]] : -1;
        if (up < 0 || plan->ops[up].kind != MDLDM_OP_UPSAMPLE2 || !fits_resampled(plan, conv))
            continue;
        if (only_reader(plan, t, conv->in[0]) == i)
            t->gone[up] = 1;
        t->readers[conv->in[0]]--;
        conv->in[0] = plan->ops[up].in[0];
        t->resample[i] = 1;
    }
}

/* UPSAMPLE2 of what only an eight-bit convolution reads: its kernel finds the pixels in the small map. */
static int fold_upsample(mdldm_plan *plan, const fuse_tables *t, const mdldm_graph_op *up)
{
    int32_t quantize = only_reader(plan, t, up->out[0]);
    if (quantize < 0 || plan->ops[quantize].kind != MDLDM_OP_QUANTIZE || t->gone[quantize])
        return 0;
    int32_t small = plan->ops[quantize].out[0], conv = only_reader(plan, t, small);
    const mdldm_graph_op *op = conv >= 0 ? &plan->ops[conv] : NULL;
    if (op == NULL || op->in[1] >= 0 || op->attr.conv.stride_h != 1 || op->attr.conv.stride_w != 1)
        return 0;
    plan->ops[quantize].in[0] = up->in[0];
    plan->tensors[small].dims[1] /= 2;
    plan->tensors[small].dims[2] /= 2;
    return 1;
}

static void grow(mdldm_plan *plan, const fuse_tables *t, mdldm__cpu_node *node)
{
    const mdldm_graph_op *conv = node->op;
    if (conv->kind == MDLDM_OP_GROUP_NORM)
        grow_norm(plan, t, node);
    if (!can_take_add(plan, conv))
        return;
    node->out = conv->out[0] >= 0 ? conv->out[0] : conv->out[1];
    int32_t reader = only_reader(plan, t, node->out);
    if (conv->kind == MDLDM_OP_CONV_BWD_DATA && reader >= 0 &&
        plan->ops[reader].kind == MDLDM_OP_UPSAMPLE2_BWD && fits_resampled(plan, conv)) {
        node->resample = 1;
        node->out = plan->ops[reader].out[0];
        t->gone[reader] = 1;
        reader = only_reader(plan, t, node->out);
    }
    if (reader >= 0 && plan->ops[reader].kind == MDLDM_OP_BIAS &&
        (conv->kind == MDLDM_OP_CONV || conv->kind == MDLDM_OP_CONV_Q8)) {
        const mdldm_graph_op *op = &plan->ops[reader];
        int fits = conv->kind == MDLDM_OP_CONV_Q8 || mdldm__cpu_dims(plan, node->out)[0] == 1 ||
                   !mdldm__cpu_small_linear(plan, conv);
        if (op->in[0] == node->out && op->in[1] != node->out && fits) {
            node->extra = op->in[1];
            take(t, node, reader, node->extra, op);
            reader = only_reader(plan, t, node->out);
        }
    }
    if (reader < 0 || plan->ops[reader].kind != MDLDM_OP_ADD || t->gone[reader])
        return;
    const mdldm_graph_op *op = &plan->ops[reader];
    int32_t other = op->in[0] == node->out ? op->in[1] : op->in[0];
    if (op->attr.scale.alpha != 1.0f || op->attr.scale.beta != 1.0f || other == node->out)
        return;
    node->residual = other;
    take(t, node, reader, other, op);
}

static void count_uses(mdldm_plan *plan, const fuse_tables *t)
{
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        t->maker[i] = t->reader[i] = -1;
        t->readers[i] = 0;
    }
    for (int32_t i = 0; i < plan->op_count; i++) {
        if (t->gone[i])
            continue;
        for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
            if (plan->ops[i].in[slot] >= 0) {
                t->reader[plan->ops[i].in[slot]] = i;
                t->readers[plan->ops[i].in[slot]]++;
            }
        for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
            if (plan->ops[i].out[slot] >= 0)
                t->maker[plan->ops[i].out[slot]] = i;
    }
}

/* Nodes in the order of their positions: a stable insertion, nodes move by little. */
static void sort_nodes(mdldm_plan *plan)
{
    for (int32_t i = 1; i < plan->node_count; i++) {
        mdldm__cpu_node node = plan->nodes[i];
        int32_t j = i;
        for (; j > 0 && plan->nodes[j - 1].position > node.position; j--)
            plan->nodes[j] = plan->nodes[j - 1];
        plan->nodes[j] = node;
    }
}

static void use(mdldm_plan *plan, int32_t tensor, int32_t position)
{
    if (tensor >= 0 && plan->last_use[tensor] < position)
        plan->last_use[tensor] = position;
}

mdldm_status mdldm__cpu_fuse(mdldm_plan *plan)
{
    const mdldm_host *host = plan->device->host;
    size_t tensors = (size_t)plan->tensor_count, ops = (size_t)plan->op_count;
    int32_t *tables = mdldm__host_zalloc(host, 3 * tensors + 2 * ops, sizeof *tables);
    if (tables == NULL)
        return mdldm__host_oom(host, "plan");
    uint8_t *flags = (uint8_t *)(tables + 3 * tensors);
    fuse_tables t = {tables, tables + tensors, tables + 2 * tensors, flags, flags + ops};
    count_uses(plan, &t);
    fold_upsamples(plan, &t);
    count_uses(plan, &t);
    for (int32_t i = 0; i < plan->op_count; i++) {
        if (t.gone[i])
            continue;
        if (plan->ops[i].kind == MDLDM_OP_UPSAMPLE2 && fold_upsample(plan, &t, &plan->ops[i]))
            continue;
        mdldm__cpu_node node = {&plan->ops[i], i, -1, -1, -1, t.resample[i], NULL};
        grow(plan, &t, &node);
        plan->nodes[plan->node_count++] = node;
    }
    mdldm__host_free(host, tables);
    sort_nodes(plan);
    for (int32_t i = 0; i < plan->tensor_count; i++)
        plan->last_use[i] = -1;
    for (int32_t i = 0; i < plan->node_count; i++) {
        const mdldm__cpu_node *node = &plan->nodes[i];
        for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
            use(plan, node->op->in[slot], node->position);
        use(plan, node->extra, node->position);
        use(plan, node->residual, node->position);
    }
    return MDLDM_OK;
}
