/* SPDX-License-Identifier: MIT
 * Scaled dot-product attention (Vaswani et al. 2017), one query at a time. The backward pass takes
 * the probabilities from lse, as FlashAttention does (Dao et al. 2022), but not the row sums from o,
 * which may have been rounded to bf16. */
#include <math.h>
#include <string.h>

#include "ref_ops.h"

typedef struct shape {
    int64_t n, tokens, channels, heads, size; /* size: channels of a head */
    double scale;
} shape;

static shape shape_of(const mdldm__ref_call *call, const mdldm__ref_operand *q)
{
    int64_t heads = call->op->attr.attention.heads;
    return (shape){q->n, q->h * q->w, q->c, heads, q->c / heads, call->op->attr.attention.scale};
}

MDLDM__REF_CLONES
static double dot(const float *restrict a, const float *restrict b, int64_t count)
{
    double lanes[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int lane = 0; lane < 8; lane++)
            lanes[lane] += (double)a[i + lane] * (double)b[i + lane];
    for (; i < count; i++)
        lanes[0] += (double)a[i] * (double)b[i];
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/* acc += factor * x */
MDLDM__REF_CLONES
static void add_scaled(double *restrict acc, double factor, const float *restrict x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        acc[i] += factor * x[i];
}

size_t mdldm__ref_attention_scratch(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *q = &call->in[0];
    return (size_t)(q->h * q->w + q->c) * sizeof(double);
}

void mdldm__ref_attention(const mdldm__ref_call *call)
{
    shape s = shape_of(call, &call->in[0]);
    float *o = call->out[0].data, *lse = call->out[1].data; /* [n,T,c], [n,heads,T] */
    double *scores = call->scratch, *acc = scores + s.tokens; /* [T], [size] */
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t head = 0; head < s.heads; head++) {
            int64_t base = n * s.tokens * s.channels + head * s.size;
            const float *q = (const float *)call->in[0].data + base;
            const float *k = (const float *)call->in[1].data + base;
            const float *v = (const float *)call->in[2].data + base;
            for (int64_t i = 0; i < s.tokens; i++) {
                double top = -INFINITY, sum = 0;
                for (int64_t j = 0; j < s.tokens; j++) {
                    scores[j] = s.scale * dot(q + i * s.channels, k + j * s.channels, s.size);
                    top = fmax(top, scores[j]);
                }
                memset(acc, 0, (size_t)s.size * sizeof *acc);
                for (int64_t j = 0; j < s.tokens; j++) {
                    double p = exp(scores[j] - top);
                    sum += p;
                    add_scaled(acc, p, v + j * s.channels, s.size);
                }
                for (int64_t c = 0; c < s.size; c++)
                    o[base + i * s.channels + c] = (float)(acc[c] / sum);
                lse[(n * s.heads + head) * s.tokens + i] = (float)(top + log(sum));
            }
        }
}

size_t mdldm__ref_attention_bwd_scratch(const mdldm__ref_call *call)
{
    /* p and dp [T]; dk and dv of one head [T,size] each; dq [size]; size <= c */
    const mdldm__ref_operand *q = &call->in[1];
    int64_t tokens = q->h * q->w, size = q->c / call->op->attr.attention.heads;
    return (size_t)(2 * tokens + 2 * tokens * size + size) * sizeof(double);
}

static void store_head(float *target, const double *from, const shape *s)
{
    for (int64_t j = 0; j < s->tokens; j++)
        for (int64_t c = 0; c < s->size; c++)
            target[j * s->channels + c] = (float)from[j * s->size + c];
}

void mdldm__ref_attention_bwd(const mdldm__ref_call *call)
{
    shape s = shape_of(call, &call->in[1]);
    const float *lse = call->in[5].data;
    double *p = call->scratch, *dp = p + s.tokens, *dk = dp + s.tokens;
    double *dv = dk + s.tokens * s.size, *dq = dv + s.tokens * s.size;
    for (int64_t n = 0; n < s.n; n++)
        for (int64_t head = 0; head < s.heads; head++) {
            int64_t base = n * s.tokens * s.channels + head * s.size;
            const float *dout = (const float *)call->in[0].data + base;
            const float *q = (const float *)call->in[1].data + base;
            const float *k = (const float *)call->in[2].data + base;
            const float *v = (const float *)call->in[3].data + base;
            memset(dk, 0, (size_t)(2 * s.tokens * s.size) * sizeof *dk); /* dv follows */
            for (int64_t i = 0; i < s.tokens; i++) {
                double log_sum = lse[(n * s.heads + head) * s.tokens + i], row = 0;
                const float *qi = q + i * s.channels, *doi = dout + i * s.channels;
                for (int64_t j = 0; j < s.tokens; j++) {
                    p[j] = exp(s.scale * dot(qi, k + j * s.channels, s.size) - log_sum);
                    dp[j] = dot(doi, v + j * s.channels, s.size);
                    row += p[j] * dp[j];
                    add_scaled(dv + j * s.size, p[j], doi, s.size);
                }
                memset(dq, 0, (size_t)s.size * sizeof *dq);
                for (int64_t j = 0; j < s.tokens; j++) {
                    double ds = s.scale * p[j] * (dp[j] - row);
                    add_scaled(dq, ds, k + j * s.channels, s.size);
                    add_scaled(dk + j * s.size, ds, qi, s.size);
                }
                float *target = (float *)call->out[0].data + base + i * s.channels;
                for (int64_t c = 0; c < s.size; c++)
                    target[c] = (float)dq[c];
            }
            store_head((float *)call->out[1].data + base, dk, &s);
            store_head((float *)call->out[2].data + base, dv, &s);
        }
}
