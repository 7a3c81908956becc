/* SPDX-License-Identifier: MIT
 * The distinct operations of a preset's graphs, as the models describe themselves: the shapes here can
 * never be other than the models'. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "models/model.h"

typedef struct source {
    mdldm__env env;
    mdldm__component *autoencoder, *unet;
    int64_t resolution;
} source;

static void describe_unet(const source *s, mdldm__graph *g, int64_t n)
{
    const int64_t side = s->resolution / mdldm__autoencoder_factor(&s->autoencoder->ae);
    mdldm__tensor out = mdldm__graph_cast(g, mdldm__unet_describe(g, s->unet, n, side, side), MDLDM_F32);
    if (!g->training) {
        mdldm__graph_output(g, out);
        return;
    }
    mdldm__tensor target = mdldm__graph_input(g, "target", MDLDM_F32, n, side, side, s->unet->unet.out_channels);
    mdldm__graph_loss(g, out, target, MDLDM__NONE, MDLDM_LOSS_L2, 1.0f);
    mdldm__graph_backward(g, NULL, 0, NULL);
}

static void describe_autoencoder(const source *s, mdldm__graph *g, int64_t n)
{
    const mdldm__component *c = s->autoencoder;
    mdldm__tensor pixels =
        mdldm__graph_input(g, "pixels", MDLDM_F32, n, s->resolution, s->resolution, c->ae.in_channels);
    mdldm__tensor z = mdldm__graph_cast(g, mdldm__autoencoder_encode(g, c, pixels), MDLDM_F32);
    mdldm__vq_result q = mdldm__graph_vq(g, z, mdldm__autoencoder_codebook(g, c), 0.25f, 1.0f);
    mdldm__tensor rebuilt = mdldm__graph_cast(g, mdldm__autoencoder_decode(g, c, q.quantized), MDLDM_F32);
    if (!g->training) {
        mdldm__graph_output(g, rebuilt);
        return;
    }
    mdldm__graph_loss(g, rebuilt, pixels, MDLDM__NONE, MDLDM_LOSS_L1, 1.0f);
    mdldm__graph_loss(g, rebuilt, pixels, MDLDM__NONE, MDLDM_LOSS_L2, 1.0f);
    mdldm__graph_backward(g, NULL, 0, NULL);
}

static int same_tensor(const mdldm_graph_desc *g, int32_t a, int32_t b)
{
    if (a < 0 || b < 0)
        return a < 0 && b < 0;
    const mdldm_graph_tensor *x = &g->tensors[a], *y = &g->tensors[b];
    return x->dtype == y->dtype && memcmp(x->dims, y->dims, sizeof x->dims) == 0 &&
           (x->role == MDLDM_ROLE_PARAM) == (y->role == MDLDM_ROLE_PARAM);
}

static int same_op(const mdldm_graph_desc *g, const mdldm_graph_op *a, const mdldm_graph_op *b)
{
    int same = a->kind == b->kind;
    for (int i = 0; same && i < MDLDM_OP_INPUTS; i++)
        same = same_tensor(g, a->in[i], b->in[i]);
    for (int i = 0; same && i < MDLDM_OP_OUTPUTS; i++)
        same = same_tensor(g, a->out[i], b->out[i]);
    if (same && a->kind >= MDLDM_OP_CONV && a->kind <= MDLDM_OP_CONV_BWD_WEIGHTS)
        same = memcmp(&a->attr.conv, &b->attr.conv, sizeof a->attr.conv) == 0;
    if (same && (a->kind == MDLDM_OP_GROUP_NORM || a->kind == MDLDM_OP_GROUP_NORM_BWD))
        same = a->attr.norm.silu == b->attr.norm.silu && a->attr.norm.groups == b->attr.norm.groups;
    if (same && (a->kind == MDLDM_OP_ATTENTION || a->kind == MDLDM_OP_ATTENTION_BWD))
        same = a->attr.attention.heads == b->attr.attention.heads;
    return same;
}

static int run_graph(const bench_options *o, bench_report *r, const bench_peaks *p, bench_device *d,
                     const mdldm__graph *graph, const char *model, int32_t precision, int64_t batch)
{
    const mdldm_graph_desc g = mdldm__graph_desc(graph);
    char heading[128];
    double total = 0.0;
    int all = 1;
    snprintf(heading, sizeof heading, "operations of the %s, %s, batch %lld", model, bench_precision_name(precision),
             (long long)batch);
    bench_report_heading(r, heading);
    for (int32_t i = 0; i < g.op_count; i++) {
        bench_row row = {.precision = precision, .batch = batch, .threads = o->threads};
        int seen = 0;
        snprintf(row.part, sizeof row.part, "op %.12s", model);
        for (int32_t k = 0; k < i && !seen; k++)
            seen = same_op(&g, &g.ops[k], &g.ops[i]);
        if (seen)
            continue;
        for (int32_t k = i; k < g.op_count; k++)
            row.uses += same_op(&g, &g.ops[k], &g.ops[i]);
        bench_op_describe(&g, &g.ops[i], &row);
        if (!bench_wanted(o, row.name)) {
            all = 0;
            continue;
        }
        if (!bench_op(o, d, &g, &g.ops[i], &row)) {
            fprintf(stderr, "bench: %s: %s\n", row.name, d->error);
            return 0;
        }
        bench_report_row(r, &row, p);
        total += (double)row.uses * row.median;
    }
    if (all) {
        snprintf(heading, sizeof heading, "all of them one by one, without fusions: %.1f ms", 1e3 * total);
        bench_report_note(r, heading);
    }
    return 1;
}

static int run_precision(const bench_options *o, bench_report *r, const bench_peaks *p, bench_device *d, source *s,
                         int32_t precision)
{
    int ok = 1;
    for (int model = 0; ok && model < 2; model++) {
        mdldm__component *c = model == 0 ? s->unet : s->autoencoder;
        const int64_t batch = o->backward ? o->train_batch : o->batches[0];
        mdldm__graph g;
        mdldm__graph_init(&g, &s->env, &c->params, 0, precision == BENCH_BF16 ? MDLDM_BF16 : MDLDM_F32);
        g.training = o->backward;
        if (model == 0)
            describe_unet(s, &g, batch);
        else
            describe_autoencoder(s, &g, batch);
        if (g.status != MDLDM_OK)
            fprintf(stderr, "bench: %s\n", s->env.error);
        ok = g.status == MDLDM_OK &&
             run_graph(o, r, p, d, &g, model == 0 ? "UNet" : "autoencoder", precision, batch);
        mdldm__graph_free(&g);
    }
    return ok;
}

int bench_ops(const bench_options *o, bench_report *r, const bench_peaks *p)
{
    source s = {.resolution = strcmp(o->preset, "tiny") == 0 ? 64 : 256};
    json_t *autoencoder = NULL, *unet = NULL;
    bench_device d;
    mdldm__env_init(&s.env, NULL);
    int ok = mdldm__preset_configs(&s.env, o->preset, (int32_t)s.resolution, 9, &autoencoder, &unet) == MDLDM_OK &&
             mdldm__component_create(&s.env, o->preset, autoencoder, &s.autoencoder) == MDLDM_OK &&
             mdldm__component_create(&s.env, o->preset, unet, &s.unet) == MDLDM_OK;
    if (!ok)
        fprintf(stderr, "bench: %s\n", s.env.error);
    if (ok && !bench_device_open(o, &d)) {
        fprintf(stderr, "bench: backend %s: %s\n", o->backend, d.error);
        ok = 0;
    } else if (ok) {
        for (int32_t precision = BENCH_F32; ok && precision <= BENCH_BF16; precision++)
            if (o->precisions >> precision & 1)
                ok = run_precision(o, r, p, &d, &s, precision);
        bench_device_close(&d);
    }
    mdldm__component_free(&s.env, s.autoencoder);
    mdldm__component_free(&s.env, s.unet);
    return ok;
}
