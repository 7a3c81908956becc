/* SPDX-License-Identifier: MIT
 * Softmax cross-entropy against labels, smoothed (Szegedy et al., "Rethinking the Inception architecture", 2016). */
#include <math.h>

#include "ref_ops.h"

/* log sum exp of logits[classes] */
static double log_sum(const float *logits, int64_t classes)
{
    double top = logits[0], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        top = logits[k] > top ? logits[k] : top;
    for (int64_t k = 0; k < classes; k++)
        sum += exp(logits[k] - top);
    return top + log(sum);
}

void mdldm__ref_cross_entropy(const mdldm__ref_call *call)
{
    const float *logits = call->in[0].data, *weight = call->in[2].data;
    const int32_t *label = call->in[1].data;
    const int64_t classes = call->in[0].c, per_image = call->in[0].h * call->in[0].w;
    const int64_t rows = call->in[0].n * per_image;
    const double smoothing = call->op->attr.cross_entropy.smoothing;
    double total = 0;
    for (int64_t i = 0; i < rows; i++) {
        const float *x = logits + i * classes;
        if (label[i] < 0 || label[i] >= classes)
            continue;
        double mean = 0;
        for (int64_t k = 0; k < classes; k++)
            mean += x[k] / (double)classes;
        const double term = log_sum(x, classes) - smoothing * mean - (1 - smoothing) * x[label[i]];
        total += (weight != NULL ? weight[i / per_image] : 1.0) * term;
    }
    ((float *)call->out[0].data)[0] = (float)(total / (double)rows);
}

void mdldm__ref_cross_entropy_bwd(const mdldm__ref_call *call)
{
    const float *logits = call->in[0].data, *weight = call->in[2].data;
    const int32_t *label = call->in[1].data;
    float *dlogits = call->out[0].data;
    const int64_t classes = call->in[0].c, per_image = call->in[0].h * call->in[0].w;
    const int64_t rows = call->in[0].n * per_image;
    const double smoothing = call->op->attr.cross_entropy.smoothing, grad = call->op->attr.cross_entropy.grad;
    for (int64_t i = 0; i < rows; i++) {
        const float *x = logits + i * classes;
        const int known = label[i] >= 0 && label[i] < classes;
        const double factor = known ? grad * (weight != NULL ? weight[i / per_image] : 1.0) / (double)rows : 0.0;
        const double sum = log_sum(x, classes);
        for (int64_t k = 0; k < classes; k++) {
            const double q = smoothing / (double)classes + (k == label[i] ? 1 - smoothing : 0.0);
            dlogits[i * classes + k] = known ? (float)(factor * (exp(x[k] - sum) - q)) : 0.0f;
        }
    }
}
