/* SPDX-License-Identifier: MIT
 * The operations of the builder: shape checks, then one entry in the list. A shape that does not fit
 * here is a mistake of ours or of a config that slipped through, so the sentence names the layer. */
#include <string.h>

#include "graph/graph_internal.h"

static mdldm__tensor bad(mdldm__graph *g, const char *what)
{
    if (g->status != MDLDM_OK)
        return MDLDM__NONE;
    return mdldm__graph_fail(g, mdldm__error(g->env, MDLDM_ERROR_INTERNAL, "%s at %s", what,
                                             g->path[0] != '\0' ? g->path : "the top level"));
}

static int same(const mdldm__graph *g, mdldm__tensor a, mdldm__tensor b)
{
    return a >= 0 && b >= 0 && g->tensors[a].dtype == g->tensors[b].dtype &&
           memcmp(g->tensors[a].dims, g->tensors[b].dims, sizeof g->tensors[a].dims) == 0;
}

static mdldm__tensor like(mdldm__graph *g, mdldm__tensor x)
{
    const mdldm_graph_tensor *t = &g->tensors[x];
    return mdldm__graph_new_tensor(g, t->dtype, MDLDM_ROLE_ACTIVATION, t->dims[0], t->dims[1], t->dims[2],
                                   t->dims[3]);
}

/* One input of the activations' shape in, one of the same shape out. */
static mdldm_graph_op *unary(mdldm__graph *g, int32_t kind, mdldm__tensor x, mdldm__tensor *y)
{
    *y = MDLDM__NONE;
    if (g->status != MDLDM_OK || x < 0) {
        bad(g, "an operation without input");
        return NULL;
    }
    *y = like(g, x);
    mdldm_graph_op *op = mdldm__graph_new_op(g, kind, NULL);
    if (op == NULL)
        return NULL;
    op->in[0] = x;
    op->out[0] = *y;
    return op;
}

mdldm__tensor mdldm__graph_conv(mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1, mdldm__tensor w,
                                mdldm__tensor b, int32_t stride, int32_t pad_t, int32_t pad_l,
                                int32_t pad_b, int32_t pad_r)
{
    if (g->status != MDLDM_OK || x0 < 0 || w < 0)
        return bad(g, "a convolution without input or weights");
    const int64_t *x = g->tensors[x0].dims, *k = g->tensors[w].dims;
    int64_t channels = x[3];
    if (x1 >= 0) {
        const int64_t *second = g->tensors[x1].dims;
        if (memcmp(x, second, 3 * sizeof *x) != 0 || g->tensors[x0].dtype != g->tensors[x1].dtype)
            return bad(g, "a convolution of two sources of different size");
        channels += second[3];
    }
    if (k[1] != channels)
        return bad(g, "a convolution whose weights have another number of input channels");
    int64_t h = (x[1] + pad_t + pad_b - k[2]), wd = (x[2] + pad_l + pad_r - k[3]);
    h = h < 0 ? 0 : h / stride + 1;
    wd = wd < 0 ? 0 : wd / stride + 1;
    mdldm__tensor y =
        mdldm__graph_new_tensor(g, g->tensors[x0].dtype, MDLDM_ROLE_ACTIVATION, x[0], h, wd, k[0]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_CONV, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    k = g->tensors[w].dims;
    op->in[0] = x0;
    op->in[1] = x1;
    op->in[2] = w;
    op->in[3] = b;
    op->out[0] = y;
    op->attr.conv = (mdldm_conv_attr){(int32_t)k[2], (int32_t)k[3], stride, stride, pad_t, pad_l, pad_b, pad_r};
    return y;
}

mdldm__tensor mdldm__graph_linear(mdldm__graph *g, mdldm__tensor x, mdldm__tensor w, mdldm__tensor b)
{
    return mdldm__graph_conv(g, x, MDLDM__NONE, w, b, 1, 0, 0, 0, 0);
}

mdldm__tensor mdldm__graph_group_norm(mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1,
                                      mdldm__tensor gamma, mdldm__tensor beta,
                                      mdldm__tensor scale_shift, int32_t groups, float eps, int32_t silu)
{
    if (g->status != MDLDM_OK || x0 < 0 || gamma < 0 || beta < 0)
        return bad(g, "a group norm without input or parameters");
    int64_t x[4];
    memcpy(x, g->tensors[x0].dims, sizeof x);
    int64_t channels = x[3];
    if (x1 >= 0) {
        if (memcmp(x, g->tensors[x1].dims, 3 * sizeof *x) != 0 ||
            g->tensors[x0].dtype != g->tensors[x1].dtype)
            return bad(g, "a group norm of two sources of different size");
        channels += g->tensors[x1].dims[3];
    }
    if (g->tensors[gamma].dims[0] != channels || g->tensors[beta].dims[0] != channels || groups < 1 ||
        channels % groups != 0)
        return bad(g, "a group norm whose channels do not fit its groups or parameters");
    if (scale_shift >= 0 && (g->tensors[scale_shift].dims[3] != 2 * channels ||
                             g->tensors[scale_shift].dims[0] != x[0]))
        return bad(g, "a group norm whose scale and shift do not fit");
    mdldm__tensor y = mdldm__graph_new_tensor(g, g->tensors[x0].dtype, MDLDM_ROLE_ACTIVATION, x[0], x[1],
                                              x[2], channels);
    mdldm__tensor stats = mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, x[0], 1, groups, 2);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_GROUP_NORM, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = x0;
    op->in[1] = x1;
    op->in[2] = gamma;
    op->in[3] = beta;
    op->in[4] = scale_shift;
    op->out[0] = y;
    op->out[1] = stats;
    op->attr.norm = (mdldm_norm_attr){groups, silu, eps};
    return y;
}

mdldm__tensor mdldm__graph_silu(mdldm__graph *g, mdldm__tensor x)
{
    mdldm__tensor y;
    unary(g, MDLDM_OP_SILU, x, &y);
    return y;
}

mdldm__tensor mdldm__graph_add(mdldm__graph *g, mdldm__tensor a, mdldm__tensor b, float alpha, float beta)
{
    if (g->status != MDLDM_OK || !same(g, a, b))
        return bad(g, "a sum of two tensors of different shape");
    mdldm__tensor y;
    mdldm_graph_op *op = unary(g, MDLDM_OP_ADD, a, &y);
    if (op != NULL) {
        op->in[1] = b;
        op->attr.scale = (mdldm_scale_attr){alpha, beta};
    }
    return y;
}

mdldm__tensor mdldm__graph_bias(mdldm__graph *g, mdldm__tensor x, mdldm__tensor e)
{
    const int64_t *dx = mdldm__graph_dims(g, x), *de = mdldm__graph_dims(g, e);
    if (g->status != MDLDM_OK || x < 0 || e < 0 || dx[0] != de[0] || dx[3] != de[3] || de[1] != 1 ||
        de[2] != 1 || g->tensors[x].dtype != g->tensors[e].dtype)
        return bad(g, "a per-image bias of another shape");
    mdldm__tensor y;
    mdldm_graph_op *op = unary(g, MDLDM_OP_BIAS, x, &y);
    if (op != NULL)
        op->in[1] = e;
    return y;
}

mdldm__tensor mdldm__graph_scale(mdldm__graph *g, mdldm__tensor x, mdldm__tensor s, float alpha, float beta)
{
    if (g->status == MDLDM_OK && s >= 0 &&
        (g->tensors[s].dims[0] != mdldm__graph_dims(g, x)[0] || g->tensors[s].dtype != MDLDM_F32))
        return bad(g, "a per-image scale of another shape");
    mdldm__tensor y;
    mdldm_graph_op *op = unary(g, MDLDM_OP_SCALE, x, &y);
    if (op != NULL) {
        op->in[1] = s;
        op->attr.scale = (mdldm_scale_attr){alpha, beta};
    }
    return y;
}

mdldm__tensor mdldm__graph_attention(mdldm__graph *g, mdldm__tensor q, mdldm__tensor k, mdldm__tensor v,
                                     int32_t heads, float scale)
{
    if (g->status != MDLDM_OK || !same(g, q, k) || !same(g, q, v) || heads < 1 ||
        g->tensors[q].dims[3] % heads != 0)
        return bad(g, "an attention whose tensors or heads do not fit");
    const int64_t *d = g->tensors[q].dims;
    mdldm__tensor lse =
        mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, d[0], heads, d[1] * d[2], 1);
    mdldm__tensor y;
    mdldm_graph_op *op = unary(g, MDLDM_OP_ATTENTION, q, &y);
    if (op != NULL) {
        op->in[1] = k;
        op->in[2] = v;
        op->out[1] = lse;
        op->attr.attention = (mdldm_attention_attr){heads, scale};
    }
    return y;
}

mdldm__tensor mdldm__graph_upsample2(mdldm__graph *g, mdldm__tensor x)
{
    if (g->status != MDLDM_OK || x < 0)
        return bad(g, "an upsampling without input");
    const int64_t *d = g->tensors[x].dims;
    mdldm__tensor y = mdldm__graph_new_tensor(g, g->tensors[x].dtype, MDLDM_ROLE_ACTIVATION, d[0], 2 * d[1],
                                              2 * d[2], d[3]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_UPSAMPLE2, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = x;
    op->out[0] = y;
    return y;
}

mdldm__tensor mdldm__graph_avgpool2(mdldm__graph *g, mdldm__tensor x)
{
    if (g->status != MDLDM_OK || x < 0)
        return bad(g, "a pooling without input");
    const int64_t *d = g->tensors[x].dims;
    mdldm__tensor y = mdldm__graph_new_tensor(g, g->tensors[x].dtype, MDLDM_ROLE_ACTIVATION, d[0], d[1] / 2,
                                              d[2] / 2, d[3]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_AVGPOOL2, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = x;
    op->out[0] = y;
    return y;
}

mdldm__tensor mdldm__graph_mean_hw(mdldm__graph *g, mdldm__tensor x)
{
    if (g->status != MDLDM_OK || x < 0)
        return bad(g, "a mean without input");
    const int64_t *d = g->tensors[x].dims;
    const float pixels = (float)(d[1] * d[2]);
    mdldm__tensor y = mdldm__graph_new_tensor(g, g->tensors[x].dtype, MDLDM_ROLE_ACTIVATION, d[0], 1, 1, d[3]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_SUM_HW, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = x;
    op->out[0] = y;
    return mdldm__graph_scale(g, y, MDLDM__NONE, 1.0f / pixels, 0.0f);
}

mdldm__tensor mdldm__graph_embedding(mdldm__graph *g, mdldm__tensor table, mdldm__tensor index)
{
    if (g->status != MDLDM_OK || table < 0 || index < 0 || g->tensors[index].dtype != MDLDM_I32)
        return bad(g, "an embedding without table or indices");
    mdldm__tensor y = mdldm__graph_new_tensor(g, g->act, MDLDM_ROLE_ACTIVATION, g->tensors[index].dims[0], 1,
                                              1, g->tensors[table].dims[1]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_EMBEDDING, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = table;
    op->in[1] = index;
    op->out[0] = y;
    return y;
}

mdldm__vq_result mdldm__graph_vq(mdldm__graph *g, mdldm__tensor z, mdldm__tensor codebook,
                                 float commitment, float codebook_weight)
{
    mdldm__vq_result r = {MDLDM__NONE, MDLDM__NONE, MDLDM__NONE};
    if (g->status != MDLDM_OK || z < 0 || codebook < 0 || g->tensors[z].dtype != MDLDM_F32 ||
        g->tensors[z].dims[3] != g->tensors[codebook].dims[1]) {
        bad(g, "a quantiser whose latents do not fit its codebook (float32, same width)");
        return r;
    }
    r.quantized = like(g, z);
    const int64_t *d = mdldm__graph_dims(g, z);
    r.codes = mdldm__graph_new_tensor(g, MDLDM_I32, MDLDM_ROLE_ACTIVATION, d[0], d[1], d[2], 1);
    r.loss = mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, 1, 1, 1, 1);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_VQ, NULL);
    if (op == NULL)
        return (mdldm__vq_result){MDLDM__NONE, MDLDM__NONE, MDLDM__NONE};
    op->in[0] = z;
    op->in[1] = codebook;
    op->out[0] = r.quantized;
    op->out[1] = r.codes;
    op->out[2] = r.loss;
    op->attr.vq.commitment = commitment;
    op->attr.vq.codebook_weight = codebook_weight;
    return r;
}

mdldm__tensor mdldm__graph_vq_entropy(mdldm__graph *g, mdldm__tensor z, mdldm__tensor codebook,
                                      float temperature, float weight_sample, float weight_mean)
{
    if (g->status != MDLDM_OK || z < 0 || codebook < 0 || g->tensors[z].dtype != MDLDM_F32 ||
        g->tensors[z].dims[3] != g->tensors[codebook].dims[1])
        return bad(g, "an entropy term whose latents do not fit the codebook");
    mdldm__tensor loss = mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, 1, 1, 1, 2);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_VQ_ENTROPY, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = z;
    op->in[1] = codebook;
    op->out[0] = loss;
    op->attr.vq.temperature = temperature;
    op->attr.vq.weight_sample = weight_sample;
    op->attr.vq.weight_mean = weight_mean;
    return loss;
}

mdldm__tensor mdldm__graph_loss(mdldm__graph *g, mdldm__tensor pred, mdldm__tensor target,
                                mdldm__tensor weight, int32_t kind, float grad)
{
    if (g->status != MDLDM_OK || pred < 0 || target < 0 ||
        memcmp(g->tensors[pred].dims, g->tensors[target].dims, sizeof g->tensors[pred].dims) != 0)
        return bad(g, "a loss between tensors of different shape");
    mdldm__tensor loss = mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, 1, 1, 1, 1);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_LOSS, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = pred;
    op->in[1] = target;
    op->in[2] = weight;
    op->out[0] = loss;
    op->attr.loss = (mdldm_loss_attr){kind, grad};
    return loss;
}

mdldm__tensor mdldm__graph_cross_entropy(mdldm__graph *g, mdldm__tensor logits, mdldm__tensor label,
                                         mdldm__tensor weight, float smoothing, float grad)
{
    if (g->status != MDLDM_OK || logits < 0 || label < 0 || g->tensors[label].dtype != MDLDM_I32 ||
        memcmp(g->tensors[logits].dims, g->tensors[label].dims, 3 * sizeof(int64_t)) != 0)
        return bad(g, "a cross-entropy whose labels do not fit its logits");
    mdldm__tensor loss = mdldm__graph_new_tensor(g, MDLDM_F32, MDLDM_ROLE_ACTIVATION, 1, 1, 1, 1);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_CROSS_ENTROPY, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = logits;
    op->in[1] = label;
    op->in[2] = weight;
    op->out[0] = loss;
    op->attr.cross_entropy = (mdldm_cross_entropy_attr){smoothing, grad};
    return loss;
}

mdldm__tensor mdldm__graph_dropout(mdldm__graph *g, mdldm__tensor x, float p)
{
    if (!g->training || p <= 0.0f || g->status != MDLDM_OK)
        return x;
    if (g->dropout_seed == MDLDM__NONE)
        g->dropout_seed = mdldm__graph_input(g, "dropout_seed", MDLDM_I32, 1, 1, 1, 2);
    mdldm__tensor y;
    mdldm_graph_op *op = unary(g, MDLDM_OP_DROPOUT, x, &y);
    if (op != NULL) {
        op->in[1] = g->dropout_seed;
        op->attr.dropout = (mdldm_dropout_attr){p, g->dropout_count++};
    }
    return y;
}

mdldm__tensor mdldm__graph_cast(mdldm__graph *g, mdldm__tensor x, int32_t dtype)
{
    if (g->status != MDLDM_OK || x < 0)
        return bad(g, "a cast without input");
    if (g->tensors[x].dtype == dtype)
        return x;
    const int64_t *d = g->tensors[x].dims;
    mdldm__tensor y = mdldm__graph_new_tensor(g, dtype, MDLDM_ROLE_ACTIVATION, d[0], d[1], d[2], d[3]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_CAST, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = x;
    op->out[0] = y;
    return y;
}
