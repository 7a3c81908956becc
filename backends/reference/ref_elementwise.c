/* SPDX-License-Identifier: MIT
 * Operations that look at one element at a time, and the sum over a map. */
#include <math.h>
#include <string.h>

#include "ref_ops.h"
#include "util/philox.h"

static inline double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

void mdldm__ref_silu(const mdldm__ref_call *call)
{
    const float *x = call->in[0].data;
    float *y = call->out[0].data;
    for (int64_t i = 0; i < mdldm__ref_count(&call->in[0]); i++)
        y[i] = (float)(x[i] * sigmoid(x[i]));
}

void mdldm__ref_silu_bwd(const mdldm__ref_call *call)
{
    const float *dy = call->in[0].data, *x = call->in[1].data;
    float *dx = call->out[0].data;
    for (int64_t i = 0; i < mdldm__ref_count(&call->in[0]); i++) {
        double s = sigmoid(x[i]);
        dx[i] = (float)(dy[i] * s * (1.0 + x[i] * (1.0 - s)));
    }
}

void mdldm__ref_add(const mdldm__ref_call *call)
{
    const float *a = call->in[0].data, *b = call->in[1].data;
    float *y = call->out[0].data;
    double alpha = call->op->attr.scale.alpha, beta = call->op->attr.scale.beta;
    for (int64_t i = 0; i < mdldm__ref_count(&call->in[0]); i++)
        y[i] = (float)(alpha * a[i] + beta * b[i]);
}

void mdldm__ref_bias(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *x = &call->in[0];
    const float *from = x->data, *e = call->in[1].data; /* e [n,1,1,c] */
    float *y = call->out[0].data;
    for (int64_t n = 0; n < x->n; n++)
        for (int64_t p = 0; p < x->h * x->w; p++)
            for (int64_t c = 0; c < x->c; c++) {
                int64_t i = (n * x->h * x->w + p) * x->c + c;
                y[i] = from[i] + e[n * x->c + c];
            }
}

void mdldm__ref_sum_hw(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *x = &call->in[0];
    const float *from = x->data;
    float *y = call->out[0].data;
    int64_t pixels = x->h * x->w;
    for (int64_t n = 0; n < x->n; n++)
        for (int64_t c = 0; c < x->c; c++) {
            double sum = 0;
            for (int64_t p = 0; p < pixels; p++)
                sum += from[(n * pixels + p) * x->c + c];
            y[n * x->c + c] = (float)sum;
        }
}

void mdldm__ref_scale(const mdldm__ref_call *call)
{
    const float *x = call->in[0].data, *s = call->in[1].data; /* s [n,1,1,1] or NULL */
    float *y = call->out[0].data;
    double alpha = call->op->attr.scale.alpha, beta = call->op->attr.scale.beta;
    int64_t per_image = mdldm__ref_count(&call->in[0]) / call->in[0].n;
    for (int64_t n = 0; n < call->in[0].n; n++) {
        double factor = s != NULL ? alpha * s[n] : alpha;
        for (int64_t i = n * per_image; i < (n + 1) * per_image; i++)
            y[i] = (float)(factor * x[i] + beta);
    }
}

void mdldm__ref_dropout(const mdldm__ref_call *call)
{
    const float *x = call->in[0].data;
    const int32_t *seed = call->in[1].data;
    float *y = call->out[0].data;
    int64_t count = mdldm__ref_count(&call->in[0]);
    double p = call->op->attr.dropout.p;
    if (p == 0) {
        memcpy(y, x, (size_t)count * sizeof *y);
        return;
    }
    const uint32_t key[2] = {(uint32_t)seed[0], (uint32_t)seed[1]};
    uint32_t words[4] = {0};
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0) {
            const uint32_t counter[4] = {(uint32_t)(i / 4), call->op->attr.dropout.salt, 0, 0};
            mdldm__philox(counter, key, words);
        }
        y[i] = mdldm__philox_uniform(words[i % 4]) >= p ? (float)(x[i] / (1.0 - p)) : 0.0f;
    }
}

/* The plan widens and rounds; what is left is a copy. */
void mdldm__ref_cast(const mdldm__ref_call *call)
{
    memcpy(call->out[0].data, call->in[0].data, (size_t)mdldm__ref_count(&call->in[0]) * sizeof(float));
}
