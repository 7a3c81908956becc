/* SPDX-License-Identifier: MIT
 * Convolution, forward and both backward passes. The weight is first rearranged so that the innermost
 * loop runs over neighbouring outputs; sums are double. */
#include <string.h>

#include "ref_ops.h"

/* A source x or dx: channels first..first+c-1 of the joined input. */
typedef struct source {
    float *data; /* [n,h,w,c] */
    int64_t c, first;
} source;

typedef struct geometry {
    int64_t n, h, w, channels;  /* of x, all sources */
    int64_t ho, wo, outputs;    /* of y */
    int64_t kh, kw, sh, sw, pt, pl;
} geometry;

static geometry geometry_of(const mdldm__ref_call *call, const mdldm__ref_operand *x,
                            const mdldm__ref_operand *weight, const mdldm__ref_operand *y)
{
    const mdldm_conv_attr *a = &call->op->attr.conv;
    /* weight [O,I,kh,kw] */
    return (geometry){x->n,        x->h,        x->w,        weight->h,   y->h,     y->w,    weight->n,
                      a->kernel_h, a->kernel_w, a->stride_h, a->stride_w, a->pad_t, a->pad_l};
}

/* acc[0..count) += x[0..terms) times rows of w, row j at w + j*count. */
MDLDM__REF_CLONES
static void accumulate_rows(double *restrict acc, int64_t count, const float *restrict x, int64_t terms,
                            const float *restrict w)
{
    int64_t j = 0;
    for (; j + 4 <= terms; j += 4) {
        double x0 = x[j], x1 = x[j + 1], x2 = x[j + 2], x3 = x[j + 3];
        const float *restrict w0 = w + j * count;
        const float *restrict w1 = w0 + count, *restrict w2 = w1 + count, *restrict w3 = w2 + count;
        for (int64_t i = 0; i < count; i++)
            acc[i] += (x0 * w0[i] + x1 * w1[i]) + (x2 * w2[i] + x3 * w3[i]);
    }
    for (; j < terms; j++) {
        double xj = x[j];
        const float *restrict wj = w + j * count;
        for (int64_t i = 0; i < count; i++)
            acc[i] += xj * wj[i];
    }
}

/* ---- forward: y <- x0, x1, w, b ---- */

size_t mdldm__ref_conv_scratch(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *w = &call->in[2];
    return (size_t)w->n * sizeof(double) + (size_t)mdldm__ref_count(w) * sizeof(float);
}

static void conv_pixel(const geometry *g, const source *sources, int source_count, const float *packed,
                       int64_t n, int64_t oy, int64_t ox, double *acc)
{
    for (int64_t ky = 0; ky < g->kh; ky++) {
        int64_t y = oy * g->sh - g->pt + ky;
        if (y < 0 || y >= g->h)
            continue;
        for (int64_t kx = 0; kx < g->kw; kx++) {
            int64_t x = ox * g->sw - g->pl + kx;
            if (x < 0 || x >= g->w)
                continue;
            const float *tap = packed + (ky * g->kw + kx) * g->channels * g->outputs;
            for (int s = 0; s < source_count; s++)
                accumulate_rows(acc, g->outputs,
                                sources[s].data + ((n * g->h + y) * g->w + x) * sources[s].c,
                                sources[s].c, tap + sources[s].first * g->outputs);
        }
    }
}

void mdldm__ref_conv(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *x0 = &call->in[0], *x1 = &call->in[1], *weight = &call->in[2];
    geometry g = geometry_of(call, x0, weight, &call->out[0]);
    const float *w = weight->data, *bias = call->in[3].data;
    float *out = call->out[0].data;
    double *acc = call->scratch;                /* [O] */
    float *packed = (float *)(acc + g.outputs); /* [kh,kw,I,O] */
    int64_t taps = g.kh * g.kw;
    for (int64_t o = 0; o < g.outputs; o++)
        for (int64_t i = 0; i < g.channels; i++)
            for (int64_t t = 0; t < taps; t++)
                packed[(t * g.channels + i) * g.outputs + o] = w[(o * g.channels + i) * taps + t];
    const source sources[2] = {{x0->data, x0->c, 0}, {x1->data, x1->c, x0->c}};
    for (int64_t n = 0; n < g.n; n++)
        for (int64_t oy = 0; oy < g.ho; oy++)
            for (int64_t ox = 0; ox < g.wo; ox++) {
                for (int64_t o = 0; o < g.outputs; o++)
                    acc[o] = bias != NULL ? bias[o] : 0.0;
                conv_pixel(&g, sources, x1->data != NULL ? 2 : 1, packed, n, oy, ox, acc);
                for (int64_t o = 0; o < g.outputs; o++)
                    out[((n * g.ho + oy) * g.wo + ox) * g.outputs + o] = (float)acc[o];
            }
}

/* ---- dx0, dx1 <- dy, w ---- */

size_t mdldm__ref_conv_bwd_data_scratch(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *w = &call->in[1];
    return (size_t)w->h * sizeof(double) + (size_t)mdldm__ref_count(w) * sizeof(float);
}

void mdldm__ref_conv_bwd_data(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *dx0 = &call->out[0], *dx1 = &call->out[1], *weight = &call->in[1];
    const mdldm__ref_operand *dx = dx0->data != NULL ? dx0 : dx1;
    geometry g = geometry_of(call, dx, weight, &call->in[0]);
    const float *dy = call->in[0].data, *w = weight->data;
    double *acc = call->scratch;                 /* [I] */
    float *packed = (float *)(acc + g.channels); /* [kh,kw,O,I] */
    int64_t taps = g.kh * g.kw;
    for (int64_t o = 0; o < g.outputs; o++)
        for (int64_t i = 0; i < g.channels; i++)
            for (int64_t t = 0; t < taps; t++)
                packed[(t * g.outputs + o) * g.channels + i] = w[(o * g.channels + i) * taps + t];
    const source targets[2] = {{dx0->data, dx0->c, 0}, {dx1->data, dx1->c, g.channels - dx1->c}};
    for (int64_t n = 0; n < g.n; n++)
        for (int64_t y = 0; y < g.h; y++)
            for (int64_t x = 0; x < g.w; x++) {
                memset(acc, 0, (size_t)g.channels * sizeof *acc);
                for (int64_t ky = 0; ky < g.kh; ky++) {
                    int64_t oy = y + g.pt - ky;
                    if (oy < 0 || oy % g.sh != 0 || oy / g.sh >= g.ho)
                        continue;
                    for (int64_t kx = 0; kx < g.kw; kx++) {
                        int64_t ox = x + g.pl - kx;
                        if (ox < 0 || ox % g.sw != 0 || ox / g.sw >= g.wo)
                            continue;
                        accumulate_rows(acc, g.channels,
                                        dy + ((n * g.ho + oy / g.sh) * g.wo + ox / g.sw) * g.outputs,
                                        g.outputs, packed + (ky * g.kw + kx) * g.outputs * g.channels);
                    }
                }
                for (int s = 0; s < 2; s++)
                    for (int64_t c = 0; targets[s].data != NULL && c < targets[s].c; c++)
                        targets[s].data[((n * g.h + y) * g.w + x) * targets[s].c + c] =
                            (float)acc[targets[s].first + c];
            }
}

/* ---- dw, db <- x0, x1, dy ---- */

size_t mdldm__ref_conv_bwd_weights_scratch(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *dw = &call->out[0];
    return (size_t)(dw->n * dw->h) * sizeof(double);
}

/* acc[i][o] += x[i] * dy[o] */
MDLDM__REF_CLONES
static void outer_product(double *restrict acc, const float *restrict x, int64_t channels,
                          const float *restrict dy, int64_t outputs)
{
    for (int64_t i = 0; i < channels; i++) {
        double xi = x[i];
        double *restrict row = acc + i * outputs;
        for (int64_t o = 0; o < outputs; o++)
            row[o] += xi * dy[o];
    }
}

static void weights_tap(const geometry *g, const source *sources, int source_count, const float *dy,
                        int64_t ky, int64_t kx, double *acc)
{
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t oy = 0; oy < g->ho; oy++) {
            int64_t y = oy * g->sh - g->pt + ky;
            if (y < 0 || y >= g->h)
                continue;
            for (int64_t ox = 0; ox < g->wo; ox++) {
                int64_t x = ox * g->sw - g->pl + kx;
                if (x < 0 || x >= g->w)
                    continue;
                for (int s = 0; s < source_count; s++)
                    outer_product(acc + sources[s].first * g->outputs,
                                  sources[s].data + ((n * g->h + y) * g->w + x) * sources[s].c,
                                  sources[s].c, dy + ((n * g->ho + oy) * g->wo + ox) * g->outputs,
                                  g->outputs);
            }
        }
}

void mdldm__ref_conv_bwd_weights(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *x0 = &call->in[0], *x1 = &call->in[1];
    geometry g = geometry_of(call, x0, &call->out[0], &call->in[2]);
    const float *dy = call->in[2].data;
    float *dw = call->out[0].data, *db = call->out[1].data;
    double *acc = call->scratch; /* [I,O] */
    const source sources[2] = {{x0->data, x0->c, 0}, {x1->data, x1->c, x0->c}};
    for (int64_t ky = 0; ky < g.kh; ky++)
        for (int64_t kx = 0; kx < g.kw; kx++) {
            memset(acc, 0, (size_t)(g.channels * g.outputs) * sizeof *acc);
            weights_tap(&g, sources, x1->data != NULL ? 2 : 1, dy, ky, kx, acc);
            for (int64_t o = 0; o < g.outputs; o++)
                for (int64_t i = 0; i < g.channels; i++) {
                    float *target = &dw[((o * g.channels + i) * g.kh + ky) * g.kw + kx];
                    *target = (float)(*target + acc[i * g.outputs + o]);
                }
        }
    if (db == NULL)
        return;
    memset(acc, 0, (size_t)g.outputs * sizeof *acc);
    for (int64_t pixel = 0; pixel < g.n * g.ho * g.wo; pixel++)
        for (int64_t o = 0; o < g.outputs; o++)
            acc[o] += dy[pixel * g.outputs + o];
    for (int64_t o = 0; o < g.outputs; o++)
        db[o] = (float)(db[o] + acc[o]);
}
