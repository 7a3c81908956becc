/* SPDX-License-Identifier: MIT */
#include "op_case_graphs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/rng.h"

/* A float input with or without a gradient. */
static mdldm__tensor feed_of(op_case *c, const char *name, int32_t dtype, int want_grad, int64_t n, int64_t h,
                             int64_t w, int64_t channels)
{
    assert_true(c->feed_count < OP_CASE_FEEDS);
    op_feed *f = &c->feeds[c->feed_count++];
    f->tensor = mdldm__graph_input(&c->graph, name, dtype, n, h, w, channels);
    f->grad = want_grad ? 0 : MDLDM__NONE;
    return f->tensor;
}

static mdldm__tensor feed(op_case *c, const char *name, int64_t n, int64_t h, int64_t w, int64_t channels)
{
    return feed_of(c, name, c->act, 1, n, h, w, channels);
}

static mdldm__tensor feed_integers(op_case *c, mdldm__tensor tensor, int64_t count, int32_t below)
{
    assert_true(c->feed_count < OP_CASE_FEEDS);
    op_feed *f = &c->feeds[c->feed_count++];
    f->tensor = tensor;
    f->grad = MDLDM__NONE;
    f->integers = malloc((size_t)count * sizeof *f->integers);
    assert_non_null(f->integers);
    for (int64_t i = 0; i < count; i++)
        f->integers[i] = (int32_t)mdldm__rng_below(3, MDLDM__RNG_TIMESTEP, (uint64_t)i, 0, (uint32_t)below);
    return tensor;
}

/* Differentiates half the sum of (y - target)^2, so that dy = y - target. */
static void finish(op_case *c, mdldm__tensor y)
{
    if (c->graph.status != MDLDM_OK)
        fail_msg("%s: %s", c->name, c->env.error);
    const int64_t *d = mdldm__graph_dims(&c->graph, y);
    int64_t n = d[0], h = d[1], w = d[2], channels = d[3];
    mdldm__tensor target = feed_of(c, "target", c->graph.tensors[y].dtype, 0, n, h, w, channels);
    mdldm__tensor loss = mdldm__graph_loss(&c->graph, y, target, MDLDM__NONE, MDLDM_LOSS_L2,
                                           0.5f * (float)(n * h * w * channels));
    c->terms[c->term_count].feed = c->feed_count - 1;
    c->terms[c->term_count++].read = op_case_output(c, y, "y");
    op_case_output(c, loss, "loss");
}

static void scalar_term(op_case *c, int read, int element, double coefficient)
{
    c->terms[c->term_count].read = read;
    c->terms[c->term_count].feed = -1;
    c->terms[c->term_count].element = element;
    c->terms[c->term_count++].coefficient = coefficient;
}

/* Weights whose output has about the size of the input, and a bias. */
static mdldm__tensor conv_layer(op_case *c, const char *name, mdldm__tensor x0, mdldm__tensor x1, int64_t outputs,
                                int64_t kernel, int stride, const int pad[4], int bias)
{
    mdldm__graph *g = &c->graph;
    mdldm__graph_push(g, "%s", name);
    int64_t in = mdldm__graph_dims(g, x0)[3] + (x1 >= 0 ? mdldm__graph_dims(g, x1)[3] : 0);
    float size = 1.0f / sqrtf((float)(in * kernel * kernel));
    mdldm__tensor w = mdldm__graph_param(g, "weight", 4, outputs, in, kernel, kernel, MDLDM__INIT_NORMAL, size);
    mdldm__tensor b = bias ? mdldm__graph_param(g, "bias", 1, outputs, 1, 1, 1, MDLDM__INIT_NORMAL, 0.5f)
                           : MDLDM__NONE;
    mdldm__tensor y = mdldm__graph_conv(g, x0, x1, w, b, stride, pad[0], pad[1], pad[2], pad[3]);
    mdldm__graph_pop(g);
    return y;
}

static mdldm__tensor conv3(op_case *c, const char *name, mdldm__tensor x0, mdldm__tensor x1, int64_t outputs)
{
    return conv_layer(c, name, x0, x1, outputs, 3, 1, (const int[4]){1, 1, 1, 1}, 1);
}

static mdldm__tensor conv1(op_case *c, const char *name, mdldm__tensor x0, mdldm__tensor x1, int64_t outputs)
{
    return conv_layer(c, name, x0, x1, outputs, 1, 1, (const int[4]){0, 0, 0, 0}, 1);
}

static mdldm__tensor linear(op_case *c, const char *name, mdldm__tensor x, int64_t outputs)
{
    mdldm__graph *g = &c->graph;
    mdldm__graph_push(g, "%s", name);
    int64_t in = mdldm__graph_dims(g, x)[3];
    mdldm__tensor w =
        mdldm__graph_param(g, "weight", 2, outputs, in, 1, 1, MDLDM__INIT_NORMAL, 1.0f / sqrtf((float)in));
    mdldm__tensor b = mdldm__graph_param(g, "bias", 1, outputs, 1, 1, 1, MDLDM__INIT_NORMAL, 0.5f);
    mdldm__tensor y = mdldm__graph_linear(g, x, w, b);
    mdldm__graph_pop(g);
    return y;
}

static mdldm__tensor norm(op_case *c, const char *name, mdldm__tensor x0, mdldm__tensor x1, mdldm__tensor scale_shift,
                          int groups, int silu)
{
    mdldm__graph *g = &c->graph;
    mdldm__graph_push(g, "%s", name);
    int64_t in = mdldm__graph_dims(g, x0)[3] + (x1 >= 0 ? mdldm__graph_dims(g, x1)[3] : 0);
    mdldm__tensor gamma = mdldm__graph_param(g, "weight", 1, in, 1, 1, 1, MDLDM__INIT_NORMAL, 1.0f);
    mdldm__tensor beta = mdldm__graph_param(g, "bias", 1, in, 1, 1, 1, MDLDM__INIT_NORMAL, 0.5f);
    mdldm__tensor y = mdldm__graph_group_norm(g, x0, x1, gamma, beta, scale_shift, groups, 1e-5f, silu);
    mdldm__graph_pop(g);
    return y;
}

/* ---- One operation each ---- */

void op_graph_conv(op_case *c, const int *p)
{
    mdldm__tensor x0 = feed(c, "x0", p[0], p[1], p[2], p[3]);
    mdldm__tensor x1 = p[4] > 0 ? feed(c, "x1", p[0], p[1], p[2], p[4]) : MDLDM__NONE;
    finish(c, conv_layer(c, "conv", x0, x1, p[5], p[6], p[7], p + 8, p[12]));
}

void op_graph_group_norm(op_case *c, const int *p)
{
    mdldm__tensor x0 = feed(c, "x0", p[0], p[1], p[2], p[3]);
    mdldm__tensor x1 = p[4] > 0 ? feed(c, "x1", p[0], p[1], p[2], p[4]) : MDLDM__NONE;
    mdldm__tensor e = p[7] ? feed(c, "scale_shift", p[0], 1, 1, 2 * (p[3] + p[4])) : MDLDM__NONE;
    finish(c, norm(c, "norm", x0, x1, e, p[5], p[6]));
}

void op_graph_attention(op_case *c, const int *p)
{
    mdldm__tensor q = feed(c, "q", p[0], p[1], p[2], p[3]);
    mdldm__tensor k = feed(c, "k", p[0], p[1], p[2], p[3]);
    mdldm__tensor v = feed(c, "v", p[0], p[1], p[2], p[3]);
    float sharp = p[5] != 0 ? (float)p[5] : 1.0f;
    finish(c, mdldm__graph_attention(&c->graph, q, k, v, p[4], sharp / sqrtf((float)p[3] / (float)p[4])));
}

void op_graph_silu(op_case *c, const int *p)
{
    finish(c, mdldm__graph_silu(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3])));
}

void op_graph_add(op_case *c, const int *p)
{
    mdldm__tensor a = feed(c, "a", p[0], p[1], p[2], p[3]), b = feed(c, "b", p[0], p[1], p[2], p[3]);
    finish(c, mdldm__graph_add(&c->graph, a, b, 0.75f, -1.5f));
}

void op_graph_bias(op_case *c, const int *p)
{
    mdldm__tensor x = feed(c, "x", p[0], p[1], p[2], p[3]), e = feed(c, "e", p[0], 1, 1, p[3]);
    finish(c, mdldm__graph_bias(&c->graph, x, e));
}

void op_graph_scale(op_case *c, const int *p)
{
    finish(c, mdldm__graph_scale(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3]), MDLDM__NONE, 2.5f, -1.0f));
}

void op_graph_scale_per_image(op_case *c, const int *p)
{
    mdldm__tensor x = feed(c, "x", p[0], p[1], p[2], p[3]);
    mdldm__tensor s = feed_of(c, "s", MDLDM_F32, 0, p[0], 1, 1, 1);
    finish(c, mdldm__graph_scale(&c->graph, x, s, 2.5f, 0.25f));
}

void op_graph_dropout(op_case *c, const int *p)
{
    mdldm__tensor y = mdldm__graph_dropout(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3]), 0.3f);
    feed_integers(c, c->graph.dropout_seed, 2, 1 << 30);
    finish(c, y);
}

void op_graph_cast(op_case *c, const int *p)
{
    mdldm__tensor x = feed(c, "x", p[0], p[1], p[2], p[3]);
    finish(c, mdldm__graph_cast(&c->graph, x, c->act == MDLDM_F32 ? MDLDM_BF16 : MDLDM_F32));
    c->differentiable = 0; /* rounding */
}

void op_graph_upsample2(op_case *c, const int *p)
{
    finish(c, mdldm__graph_upsample2(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3])));
}

void op_graph_avgpool2(op_case *c, const int *p)
{
    finish(c, mdldm__graph_avgpool2(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3])));
}

void op_graph_embedding(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor index = feed_integers(c, mdldm__graph_input(g, "index", MDLDM_I32, p[0], 1, 1, 1), p[0], p[1]);
    mdldm__tensor rows = mdldm__graph_param(g, "table", 2, p[1], p[2], 1, 1, MDLDM__INIT_NORMAL, 1.0f);
    finish(c, mdldm__graph_embedding(g, rows, index));
}

void op_graph_mean_hw(op_case *c, const int *p)
{
    finish(c, mdldm__graph_mean_hw(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3])));
}

void op_graph_vq(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor z = feed_of(c, "z", MDLDM_F32, 1, p[0], p[1], p[2], p[3]);
    mdldm__tensor book = mdldm__graph_param(g, "codebook", 2, p[4], p[3], 1, 1, MDLDM__INIT_NORMAL, 1.0f);
    float n = (float)(p[0] * p[1] * p[2] * p[3]);
    mdldm__vq_result r = mdldm__graph_vq(g, z, book, 0.25f * n, 0.75f * n);
    op_case_output(c, r.codes, "codes");
    op_case_output(c, r.loss, "vq loss");
    if (p[5]) { /* the upper half repeats the lower one */
        assert_int_equal(mdldm__params_randomize(&c->params, 5), MDLDM_OK);
        int64_t half = (int64_t)(p[4] / 2) * p[3];
        float *book_values = c->params.items[0].owned;
        for (int64_t i = 0; i < half; i++)
            book_values[half + i] = book_values[i];
    }
    finish(c, r.quantized);
    c->differentiable = 0; /* straight-through estimator */
}

/* An entry of the store that nothing trains. */
static mdldm__tensor kept(op_case *c, const char *name, int32_t role, int rank, int64_t d0, int64_t d1, float size)
{
    mdldm__tensor t = mdldm__graph_param(&c->graph, name, rank, d0, d1, 1, 1, MDLDM__INIT_NORMAL, size);
    if (c->graph.status != MDLDM_OK)
        fail_msg("%s: %s", c->name, c->env.error);
    c->params.items[c->graph.tensors[t].param].trainable = 0;
    c->graph.tensors[t].role = role;
    return t;
}

void op_graph_vq_collect(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    const int64_t vectors = (int64_t)p[0] * p[1] * p[2];
    mdldm__tensor z = feed_of(c, "z", MDLDM_F32, 0, p[0], p[1], p[2], p[3]);
    mdldm__tensor codes = /* the last is outside the codebook */
        feed_integers(c, mdldm__graph_input(g, "codes", MDLDM_I32, p[0], p[1], p[2], 1), vectors, p[4] + 1);
    mdldm__tensor place = feed_integers(c, mdldm__graph_input(g, "place", MDLDM_I32, 1, 1, 1, 6), 6, INT32_MAX);
    int32_t *words = c->feeds[c->feed_count - 1].integers;
    words[1] = -words[1];
    words[4] = p[5];
    words[5] = p[6];
    mdldm__tensor counts = kept(c, "counts", MDLDM_ROLE_PARAM, 1, p[4], 1, 1.0f);
    mdldm__tensor sums = kept(c, "sums", MDLDM_ROLE_PARAM, 2, p[4], p[3], 1.0f);
    mdldm__tensor tally = kept(c, "tally", MDLDM_ROLE_STATE, 2, p[4], 2 * p[3] + 2, 1.0f);
    mdldm__graph_vq_collect(g, z, codes, place, counts, sums, tally, 0.99f, 0.01f);
    c->differentiable = 0;
}

void op_graph_vq_update(op_case *c, const int *p)
{
    const int64_t codes = p[0], d = p[1];
    mdldm__tensor tally = kept(c, "tally", MDLDM_ROLE_PARAM, 2, codes, 2 * d + 2, 1.0f);
    const mdldm__codebook_state state = {.codebook = kept(c, "codebook", MDLDM_ROLE_STATE, 2, codes, d, 1.0f),
                                         .counts = kept(c, "counts", MDLDM_ROLE_STATE, 1, codes, 1, 1.0f),
                                         .sums = kept(c, "sums", MDLDM_ROLE_STATE, 2, codes, d, 1.0f),
                                         .age = kept(c, "age", MDLDM_ROLE_STATE, 1, codes, 1, 4.0f)};
    op_case_output(c, mdldm__graph_vq_update(&c->graph, tally, &state, p[2], p[3]), "report");
    c->differentiable = 0;
}

void op_graph_vq_entropy(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor z = feed_of(c, "z", MDLDM_F32, 1, p[0], p[1], p[2], p[3]);
    mdldm__tensor book = mdldm__graph_param(g, "codebook", 2, p[4], p[3], 1, 1, MDLDM__INIT_NORMAL, 1.0f);
    int read = op_case_output(c, mdldm__graph_vq_entropy(g, z, book, 0.7f, 1.5f, -2.0f), "entropies");
    scalar_term(c, read, 0, 1.5);
    scalar_term(c, read, 1, -2.0);
}

void op_graph_loss(op_case *c, const int *p)
{
    mdldm__tensor pred = feed(c, "pred", p[0], p[1], p[2], p[3]);
    mdldm__tensor target = feed_of(c, "target", c->act, 0, p[0], p[1], p[2], p[3]);
    mdldm__tensor weight = p[5] ? feed_of(c, "weight", MDLDM_F32, 0, p[0], 1, 1, 1) : MDLDM__NONE;
    float grad = (float)(p[0] * p[1] * p[2] * p[3]);
    int read = op_case_output(c, mdldm__graph_loss(&c->graph, pred, target, weight, p[4], grad), "loss");
    scalar_term(c, read, 0, grad);
}

/* The middle label of three or more is one that takes no part. */
void op_graph_cross_entropy(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    const int rows = p[0] * p[1] * p[2];
    mdldm__tensor logits = feed(c, "logits", p[0], p[1], p[2], p[3]);
    mdldm__tensor label = feed_integers(c, mdldm__graph_input(g, "label", MDLDM_I32, p[0], p[1], p[2], 1), rows, p[3]);
    if (rows > 2)
        c->feeds[c->feed_count - 1].integers[rows / 2] = p[5] ? -1 : p[3];
    mdldm__tensor weight = p[5] ? feed_of(c, "weight", MDLDM_F32, 0, p[0], 1, 1, 1) : MDLDM__NONE;
    mdldm__tensor loss = mdldm__graph_cross_entropy(g, logits, label, weight, (float)p[4] / 100.0f, (float)rows);
    scalar_term(c, op_case_output(c, loss, "loss"), 0, rows);
}

/* ---- Chains as the models have them ---- */

/* norm, conv, time bias, norm, dropout, conv, shortcut; x1 MDLDM__NONE or a second source */
static void resnet(op_case *c, mdldm__tensor x0, mdldm__tensor x1, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor e = feed(c, "time", p[0], 1, 1, p[4]);
    int64_t in = p[3] + (x1 >= 0 ? mdldm__graph_dims(g, x1)[3] : 0);
    mdldm__tensor h = conv3(c, "conv1", norm(c, "norm1", x0, x1, MDLDM__NONE, 8, 1), MDLDM__NONE, p[4]);
    h = mdldm__graph_bias(g, h, e);
    h = norm(c, "norm2", h, MDLDM__NONE, MDLDM__NONE, 8, 1);
    h = mdldm__graph_dropout(g, h, 0.1f);
    feed_integers(c, g->dropout_seed, 2, 1 << 30);
    h = conv3(c, "conv2", h, MDLDM__NONE, p[4]);
    mdldm__tensor x = in != p[4] ? conv1(c, "conv_shortcut", x0, x1, p[4]) : x0;
    finish(c, mdldm__graph_add(g, x, h, 1.0f, 1.0f));
}

void op_graph_resnet(op_case *c, const int *p)
{
    resnet(c, feed(c, "x", p[0], p[1], p[2], p[3]), MDLDM__NONE, p);
}

void op_graph_resnet_skip(op_case *c, const int *p)
{
    mdldm__tensor x0 = feed(c, "x0", p[0], p[1], p[2], p[3]);
    resnet(c, x0, feed(c, "x1", p[0], p[1], p[2], p[3] / 2), p);
}

void op_graph_resnet_again(op_case *c, const int *p)
{
    c->keep = MDLDM__KEEP_COSTLY;
    op_graph_resnet(c, p);
}

void op_graph_attention_block(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor x = feed(c, "x", p[0], p[1], p[2], p[3]);
    mdldm__tensor h = norm(c, "group_norm", x, MDLDM__NONE, MDLDM__NONE, 8, 0);
    mdldm__tensor q = linear(c, "to_q", h, p[3]), k = linear(c, "to_k", h, p[3]), v = linear(c, "to_v", h, p[3]);
    mdldm__tensor o = mdldm__graph_attention(g, q, k, v, p[4], 1.0f / sqrtf((float)p[3] / (float)p[4]));
    finish(c, mdldm__graph_add(g, linear(c, "to_out.0", o, p[3]), x, 1.0f, 1.0f));
}

/* Kept, the enlarged map has a second reader, the weights' gradient; computed again, the convolution may
 * do without it. */
void op_graph_upsample_conv(op_case *c, const int *p)
{
    c->keep = p[5] ? MDLDM__KEEP_COSTLY : MDLDM__KEEP_ALL;
    mdldm__tensor x = mdldm__graph_upsample2(&c->graph, feed(c, "x", p[0], p[1], p[2], p[3]));
    finish(c, conv3(c, "conv", x, MDLDM__NONE, p[4]));
}

void op_graph_time_embedding(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor h = linear(c, "linear_1", feed(c, "time", p[0], 1, 1, p[3]), p[4]);
    h = linear(c, "linear_2", mdldm__graph_silu(g, h), p[4]);
    mdldm__tensor first = linear(c, "time_emb_proj", mdldm__graph_silu(g, h), p[3]);
    mdldm__tensor x = feed(c, "x", p[0], 4, 5, p[3]);
    finish(c, mdldm__graph_bias(g, x, first));
}

void op_graph_fan_out(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    mdldm__tensor x = conv3(c, "conv", feed(c, "x", p[0], p[1], p[2], p[3]), MDLDM__NONE, p[4]);
    mdldm__tensor a = conv1(c, "a", x, MDLDM__NONE, p[4]), b = mdldm__graph_silu(g, x);
    finish(c, mdldm__graph_add(g, mdldm__graph_add(g, a, b, 1.0f, 1.0f), x, 1.0f, 0.5f));
}
