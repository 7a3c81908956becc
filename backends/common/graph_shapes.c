/* SPDX-License-Identifier: MIT
 * Shapes and attributes of each operation, as mdldm_backend.h gives them. */
#include <math.h>

#include "graph_check.h"

#define TRY(expression)                    \
    do {                                   \
        mdldm_status status_ = expression; \
        if (status_ != MDLDM_OK)           \
            return status_;                \
    } while (0)

/* The tensor (when present) must be [n,h,w,c]. */
static mdldm_status expect(const mdldm__op_view *v, const char *what, const mdldm_graph_tensor *t, int64_t n,
                           int64_t h, int64_t w, int64_t c)
{
    if (t == NULL || (t->dims[0] == n && t->dims[1] == h && t->dims[2] == w && t->dims[3] == c))
        return MDLDM_OK;
    return mdldm__graph_bad_op(v->host, v->op,
                               "%s has shape [%lld,%lld,%lld,%lld], it must be [%lld,%lld,%lld,%lld]", what,
                               (long long)t->dims[0], (long long)t->dims[1], (long long)t->dims[2],
                               (long long)t->dims[3], (long long)n, (long long)h, (long long)w, (long long)c);
}

static mdldm_status expect_like(const mdldm__op_view *v, const char *what, const mdldm_graph_tensor *t,
                                const mdldm_graph_tensor *like)
{
    return expect(v, what, t, like->dims[0], like->dims[1], like->dims[2], like->dims[3]);
}

static mdldm_status expect_attr(const mdldm__op_view *v, int holds, const char *rule)
{
    return holds ? MDLDM_OK : mdldm__graph_bad_op(v->host, v->op, "its attributes break the rule: %s", rule);
}

/* x [n,h,w,I] (channels given apart), w [O,I,kh,kw], y [n,ho,wo,O] */
static mdldm_status conv_shapes(const mdldm__op_view *v, const mdldm_graph_tensor *x, int64_t channels,
                                const mdldm_graph_tensor *w, const mdldm_graph_tensor *y)
{
    const mdldm_conv_attr *a = &v->op->attr.conv;
    TRY(expect_attr(v, a->kernel_h >= 1 && a->kernel_w >= 1 && a->stride_h >= 1 && a->stride_w >= 1,
                    "kernel and stride at least 1"));
    TRY(expect_attr(v, a->pad_t >= 0 && a->pad_l >= 0 && a->pad_b >= 0 && a->pad_r >= 0,
                    "padding not negative"));
    TRY(expect(v, "the weight", w, y->dims[3], channels, a->kernel_h, a->kernel_w));
    int64_t height = x->dims[1] + a->pad_t + a->pad_b - a->kernel_h;
    int64_t width = x->dims[2] + a->pad_l + a->pad_r - a->kernel_w;
    TRY(expect_attr(v, height >= 0 && width >= 0, "the kernel fits into the padded input"));
    return expect(v, "the convolution's output", y, x->dims[0], height / a->stride_h + 1,
                  width / a->stride_w + 1, y->dims[3]);
}

/* Two sources differ in channels only. *channels gets their sum. */
static mdldm_status join(const mdldm__op_view *v, const mdldm_graph_tensor *x0, const mdldm_graph_tensor *x1,
                         int64_t *channels)
{
    *channels = x0->dims[3];
    if (x1 == NULL)
        return MDLDM_OK;
    *channels += x1->dims[3];
    return expect(v, "the second source", x1, x0->dims[0], x0->dims[1], x0->dims[2], x1->dims[3]);
}

static mdldm_status conv_bwd_data_shapes(const mdldm__op_view *v)
{
    const mdldm_graph_tensor *dx0 = v->out[0], *dx1 = v->out[1], *w = v->in[1];
    const mdldm_graph_tensor *dx = dx0 != NULL ? dx0 : dx1;
    if (dx == NULL)
        return mdldm__graph_bad_op(v->host, v->op, "both outputs are empty");
    int64_t channels = 0;
    TRY(join(v, dx, dx0 != NULL ? dx1 : NULL, &channels));
    /* One gradient alone may be that of one of two sources: the rest of the channels is the other's. */
    int both = dx0 != NULL && dx1 != NULL;
    if (both ? channels != w->dims[1] : channels > w->dims[1])
        return mdldm__graph_bad_op(v->host, v->op, "the gradients have %lld channels, the weight %lld",
                                   (long long)channels, (long long)w->dims[1]);
    return conv_shapes(v, dx, w->dims[1], w, v->in[0]);
}

static mdldm_status group_norm_shapes(const mdldm__op_view *v, const mdldm_graph_tensor *x0,
                                      const mdldm_graph_tensor *x1, const mdldm_graph_tensor *gamma,
                                      const mdldm_graph_tensor *beta, const mdldm_graph_tensor *scale_shift,
                                      const mdldm_graph_tensor *y, const mdldm_graph_tensor *stats)
{
    const mdldm_norm_attr *a = &v->op->attr.norm;
    int64_t channels = 0, n = x0->dims[0];
    TRY(join(v, x0, x1, &channels));
    TRY(expect_attr(v, a->groups >= 1 && channels % a->groups == 0, "groups divide the channels"));
    TRY(expect_attr(v, a->eps >= 0 && isfinite(a->eps), "eps not negative"));
    TRY(expect(v, "gamma", gamma, channels, 1, 1, 1));
    TRY(expect(v, "beta", beta, channels, 1, 1, 1));
    TRY(expect(v, "scale_shift", scale_shift, n, 1, 1, 2 * channels));
    TRY(expect(v, "y", y, n, x0->dims[1], x0->dims[2], channels));
    return expect(v, "stats", stats, n, 1, a->groups, 2);
}

static mdldm_status group_norm_bwd_shapes(const mdldm__op_view *v)
{
    TRY(group_norm_shapes(v, v->in[1], v->in[2], v->in[3], v->in[4], v->in[5], v->in[0], v->in[6]));
    TRY(expect_like(v, "dx0", v->out[0], v->in[1]));
    if (v->out[1] != NULL && v->in[2] == NULL)
        return mdldm__graph_bad_op(v->host, v->op, "there is a dx1 but no x1");
    if (v->out[1] != NULL)
        TRY(expect_like(v, "dx1", v->out[1], v->in[2]));
    TRY(expect_like(v, "dgamma", v->out[2], v->in[3]));
    TRY(expect_like(v, "dbeta", v->out[3], v->in[4]));
    if (v->out[4] != NULL && v->in[5] == NULL)
        return mdldm__graph_bad_op(v->host, v->op, "there is a dscale_shift but no scale_shift");
    return v->out[4] != NULL ? expect_like(v, "dscale_shift", v->out[4], v->in[5]) : MDLDM_OK;
}

static mdldm_status attention_shapes(const mdldm__op_view *v, const mdldm_graph_tensor *lse)
{
    const mdldm_attention_attr *a = &v->op->attr.attention;
    const int64_t *q = v->in[0]->dims;
    TRY(expect_attr(v, a->heads >= 1 && q[3] % a->heads == 0, "heads divide the channels"));
    TRY(expect_attr(v, isfinite(a->scale), "a finite scale"));
    return expect(v, "lse", lse, q[0], a->heads, q[1] * q[2], 1);
}

static mdldm_status same_shapes(const mdldm__op_view *v)
{
    for (int i = 1; i < MDLDM_OP_INPUTS; i++)
        if (v->in[i] != NULL)
            TRY(expect_like(v, "an input", v->in[i], v->in[0]));
    for (int i = 0; i < MDLDM_OP_OUTPUTS; i++)
        if (v->out[i] != NULL)
            TRY(expect_like(v, "an output", v->out[i], v->in[0]));
    return MDLDM_OK;
}

/* big is twice small, or for pooling one more at most on each side. */
static mdldm_status resample_shapes(const mdldm__op_view *v, const mdldm_graph_tensor *big,
                                    const mdldm_graph_tensor *small, int pooling)
{
    if (pooling)
        return expect(v, "the pooled tensor", small, big->dims[0], big->dims[1] / 2, big->dims[2] / 2,
                      big->dims[3]);
    return expect(v, "the enlarged tensor", big, small->dims[0], 2 * small->dims[1], 2 * small->dims[2],
                  small->dims[3]);
}

/* z [n,h,w,d], codebook [K,d] */
static mdldm_status codebook_shapes(const mdldm__op_view *v, const mdldm_graph_tensor *z,
                                    const mdldm_graph_tensor *codebook, const mdldm_graph_tensor *codes)
{
    TRY(expect(v, "the codebook", codebook, codebook->dims[0], z->dims[3], 1, 1));
    TRY(expect_attr(v, codebook->dims[0] <= INT32_MAX, "codes fit in 31 bits"));
    return expect(v, "codes", codes, z->dims[0], z->dims[1], z->dims[2], 1);
}

static mdldm_status vq_shapes(const mdldm__op_view *v)
{
    const mdldm_vq_attr *a = &v->op->attr.vq;
    switch (v->op->kind) {
    case MDLDM_OP_VQ:
        TRY(codebook_shapes(v, v->in[0], v->in[1], v->out[1]));
        TRY(expect_like(v, "zq", v->out[0], v->in[0]));
        return expect(v, "loss", v->out[2], 1, 1, 1, 1);
    case MDLDM_OP_VQ_BWD:
        TRY(codebook_shapes(v, v->in[1], v->in[2], v->in[3]));
        TRY(expect_like(v, "dzq", v->in[0], v->in[1]));
        TRY(expect_like(v, "dz", v->out[0], v->in[1]));
        return expect_like(v, "dcodebook", v->out[1], v->in[2]);
    case MDLDM_OP_VQ_ENTROPY:
        TRY(codebook_shapes(v, v->in[0], v->in[1], NULL));
        TRY(expect_attr(v, a->temperature > 0 && isfinite(a->temperature), "a temperature above 0"));
        return expect(v, "loss", v->out[0], 1, 1, 1, 2);
    default: /* MDLDM_OP_VQ_ENTROPY_BWD */
        TRY(codebook_shapes(v, v->in[0], v->in[1], NULL));
        TRY(expect_attr(v, a->temperature > 0 && isfinite(a->temperature), "a temperature above 0"));
        TRY(expect_like(v, "dz", v->out[0], v->in[0]));
        return expect_like(v, "dcodebook", v->out[1], v->in[1]);
    }
}

/* tally [K,2d+2] beside counts or age [K] and sums or codebook [K,d] */
static mdldm_status tally_shapes(const mdldm__op_view *v, const mdldm_graph_tensor *tally, const mdldm_graph_tensor *sums)
{
    const int64_t codes = sums->dims[0], d = sums->dims[1];
    TRY(expect_attr(v, codes <= INT32_MAX / 2 && d <= INT32_MAX / 4, "codes and their width fit in 31 bits"));
    TRY(expect(v, "sums", sums, codes, d, 1, 1));
    return expect(v, "tally", tally, codes, 2 * d + 2, 1, 1);
}

static mdldm_status vq_collect_shapes(const mdldm__op_view *v)
{
    const mdldm_graph_tensor *z = v->in[0], *sums = v->in[4];
    TRY(codebook_shapes(v, z, sums, v->in[1]));
    TRY(tally_shapes(v, v->out[0], sums));
    TRY(expect(v, "place", v->in[2], 1, 1, 1, 6));
    TRY(expect(v, "counts", v->in[3], sums->dims[0], 1, 1, 1));
    const mdldm_codebook_attr *a = &v->op->attr.codebook;
    TRY(expect_attr(v, a->keep >= 0 && a->keep <= 1 && a->take >= 0 && a->take <= 1, "keep and take between 0 and 1"));
    return expect_attr(v, z->dims[0] * z->dims[1] * z->dims[2] <= INT32_MAX, "vectors fit in 31 bits");
}

static mdldm_status vq_update_shapes(const mdldm__op_view *v)
{
    const mdldm_graph_tensor *const *out = v->out;
    const int64_t codes = out[2]->dims[0];
    TRY(tally_shapes(v, v->in[0], out[2]));
    TRY(expect_like(v, "the codebook", out[0], out[2]));
    TRY(expect(v, "counts", out[1], codes, 1, 1, 1));
    TRY(expect(v, "age", out[3], codes, 1, 1, 1));
    return expect(v, "the report", out[4], 1, 1, 1, 3);
}

static mdldm_status loss_shapes(const mdldm__op_view *v)
{
    const mdldm_loss_attr *a = &v->op->attr.loss;
    TRY(expect_attr(v, a->kind == MDLDM_LOSS_L2 || a->kind == MDLDM_LOSS_L1, "kind L1 or L2"));
    TRY(expect_like(v, "target", v->in[1], v->in[0]));
    TRY(expect(v, "weight", v->in[2], v->in[0]->dims[0], 1, 1, 1));
    if (v->op->kind == MDLDM_OP_LOSS)
        return expect(v, "loss", v->out[0], 1, 1, 1, 1);
    return expect_like(v, "dpred", v->out[0], v->in[0]);
}

static mdldm_status cross_entropy_shapes(const mdldm__op_view *v)
{
    const mdldm_cross_entropy_attr *a = &v->op->attr.cross_entropy;
    const int64_t *d = v->in[0]->dims;
    TRY(expect_attr(v, a->smoothing >= 0 && a->smoothing < 1, "0 <= smoothing < 1"));
    TRY(expect(v, "label", v->in[1], d[0], d[1], d[2], 1));
    TRY(expect(v, "weight", v->in[2], d[0], 1, 1, 1));
    if (v->op->kind == MDLDM_OP_CROSS_ENTROPY)
        return expect(v, "loss", v->out[0], 1, 1, 1, 1);
    return expect_like(v, "dlogits", v->out[0], v->in[0]);
}

/* group [n,1,1,1] and range [G,2] of images that are quantised, or were */
static mdldm_status range_shapes(const mdldm__op_view *v, int64_t n, const mdldm_graph_tensor *range,
                                 const mdldm_graph_tensor *group)
{
    TRY(expect(v, "the range", range, range->dims[0], 2, 1, 1));
    TRY(expect_attr(v, range->dims[0] <= INT32_MAX, "groups fit in 31 bits"));
    return expect(v, "group", group, n, 1, 1, 1);
}

static mdldm_status conv_q8_shapes(const mdldm__op_view *v)
{
    const mdldm_graph_tensor *const *in = v->in, *y = v->out[0];
    int64_t channels = 0;
    TRY(join(v, in[0], in[1], &channels));
    TRY(expect(v, "the weight's scale", in[3], y->dims[3], 1, 1, 1));
    TRY(expect(v, "the bias", in[4], y->dims[3], 1, 1, 1));
    TRY(range_shapes(v, in[0]->dims[0], in[5], in[6]));
    const int64_t *w = in[2]->dims;
    TRY(expect_attr(v, w[1] <= MDLDM_Q8_TERMS && w[2] <= MDLDM_Q8_TERMS && w[3] <= MDLDM_Q8_TERMS &&
                           w[1] * w[2] <= MDLDM_Q8_TERMS && w[1] * w[2] * w[3] <= MDLDM_Q8_TERMS,
                    "at most 65535 products in a sum"));
    return conv_shapes(v, in[0], channels, in[2], y);
}

mdldm_status mdldm__graph_check_shapes(const mdldm__op_view *v)
{
    const mdldm_graph_tensor *const *in = v->in, *const *out = v->out;
    int64_t channels = 0;
    switch (v->op->kind) {
    case MDLDM_OP_CONV:
        TRY(join(v, in[0], in[1], &channels));
        if (in[3] != NULL)
            TRY(expect(v, "the bias", in[3], out[0]->dims[3], 1, 1, 1));
        return conv_shapes(v, in[0], channels, in[2], out[0]);
    case MDLDM_OP_CONV_BWD_DATA:
        return conv_bwd_data_shapes(v);
    case MDLDM_OP_CONV_BWD_WEIGHTS:
        TRY(join(v, in[0], in[1], &channels));
        if (out[1] != NULL)
            TRY(expect(v, "db", out[1], in[2]->dims[3], 1, 1, 1));
        return conv_shapes(v, in[0], channels, out[0], in[2]);
    case MDLDM_OP_GROUP_NORM:
        return group_norm_shapes(v, in[0], in[1], in[2], in[3], in[4], out[0], out[1]);
    case MDLDM_OP_GROUP_NORM_BWD:
        return group_norm_bwd_shapes(v);
    case MDLDM_OP_GROUP_NORM_APPLY:
        return group_norm_shapes(v, in[0], in[1], in[2], in[3], in[4], out[0], in[5]);
    case MDLDM_OP_SILU:
    case MDLDM_OP_SILU_BWD:
    case MDLDM_OP_ADD:
    case MDLDM_OP_CAST:
        return same_shapes(v);
    case MDLDM_OP_BIAS:
        TRY(expect(v, "e", in[1], in[0]->dims[0], 1, 1, in[0]->dims[3]));
        return expect_like(v, "y", out[0], in[0]);
    case MDLDM_OP_SUM_HW:
        return expect(v, "y", out[0], in[0]->dims[0], 1, 1, in[0]->dims[3]);
    case MDLDM_OP_SCALE:
        TRY(expect(v, "s", in[1], in[0]->dims[0], 1, 1, 1));
        return expect_like(v, "y", out[0], in[0]);
    case MDLDM_OP_ATTENTION:
        for (int i = 1; i < 3; i++)
            TRY(expect_like(v, "k or v", in[i], in[0]));
        TRY(expect_like(v, "o", out[0], in[0]));
        return attention_shapes(v, out[1]);
    case MDLDM_OP_ATTENTION_BWD:
        for (int i = 1; i < 5; i++)
            TRY(expect_like(v, "q, k, v or o", in[i], in[0]));
        for (int i = 0; i < 3; i++)
            TRY(expect_like(v, "dq, dk or dv", out[i], in[0]));
        return attention_shapes(v, in[5]);
    case MDLDM_OP_UPSAMPLE2:
        return resample_shapes(v, out[0], in[0], 0);
    case MDLDM_OP_UPSAMPLE2_BWD:
        return resample_shapes(v, in[0], out[0], 0);
    case MDLDM_OP_AVGPOOL2:
        return resample_shapes(v, in[0], out[0], 1);
    case MDLDM_OP_AVGPOOL2_BWD:
        return resample_shapes(v, out[0], in[0], 1);
    case MDLDM_OP_EMBEDDING:
        TRY(expect(v, "the table", in[0], in[0]->dims[0], out[0]->dims[3], 1, 1));
        TRY(expect(v, "y", out[0], in[1]->dims[0], 1, 1, out[0]->dims[3]));
        return expect(v, "index", in[1], in[1]->dims[0], 1, 1, 1);
    case MDLDM_OP_EMBEDDING_BWD:
        TRY(expect(v, "the table's gradient", out[0], out[0]->dims[0], in[0]->dims[3], 1, 1));
        TRY(expect(v, "dy", in[0], in[1]->dims[0], 1, 1, in[0]->dims[3]));
        return expect(v, "index", in[1], in[1]->dims[0], 1, 1, 1);
    case MDLDM_OP_VQ:
    case MDLDM_OP_VQ_BWD:
    case MDLDM_OP_VQ_ENTROPY:
    case MDLDM_OP_VQ_ENTROPY_BWD:
        return vq_shapes(v);
    case MDLDM_OP_LOSS:
    case MDLDM_OP_LOSS_BWD:
        return loss_shapes(v);
    case MDLDM_OP_CROSS_ENTROPY:
    case MDLDM_OP_CROSS_ENTROPY_BWD:
        return cross_entropy_shapes(v);
    case MDLDM_OP_QUANTIZE:
        TRY(range_shapes(v, in[0]->dims[0], in[1], in[2]));
        return expect_like(v, "y", out[0], in[0]);
    case MDLDM_OP_CONV_Q8:
        return conv_q8_shapes(v);
    case MDLDM_OP_VQ_COLLECT:
        return vq_collect_shapes(v);
    case MDLDM_OP_VQ_UPDATE:
        return vq_update_shapes(v);
    default: /* MDLDM_OP_DROPOUT: the table of operations lets no other kind through */
        TRY(expect_attr(v, v->op->attr.dropout.p >= 0 && v->op->attr.dropout.p < 1, "0 <= p < 1"));
        TRY(expect(v, "seed", in[1], 1, 1, 1, 2));
        return expect_like(v, "y", out[0], in[0]);
    }
}
