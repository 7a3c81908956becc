/* SPDX-License-Identifier: MIT
 * Mean squared and mean absolute error with a weight per image. */
#include <math.h>

#include "ref_ops.h"

void mdldm__ref_loss(const mdldm__ref_call *call)
{
    const float *pred = call->in[0].data, *target = call->in[1].data, *weight = call->in[2].data;
    int64_t images = call->in[0].n, per_image = mdldm__ref_count(&call->in[0]) / images;
    double total = 0;
    for (int64_t n = 0; n < images; n++) {
        double sum = 0;
        for (int64_t i = n * per_image; i < (n + 1) * per_image; i++) {
            double difference = (double)pred[i] - target[i];
            sum += call->op->attr.loss.kind == MDLDM_LOSS_L2 ? difference * difference : fabs(difference);
        }
        total += (weight != NULL ? weight[n] : 1.0) * sum / (double)per_image;
    }
    ((float *)call->out[0].data)[0] = (float)(total / (double)images);
}

void mdldm__ref_loss_bwd(const mdldm__ref_call *call)
{
    const float *pred = call->in[0].data, *target = call->in[1].data, *weight = call->in[2].data;
    float *dpred = call->out[0].data;
    int64_t images = call->in[0].n, count = mdldm__ref_count(&call->in[0]), per_image = count / images;
    for (int64_t i = 0; i < count; i++) {
        double factor = call->op->attr.loss.grad * (weight != NULL ? weight[i / per_image] : 1.0) /
                        (double)count;
        double difference = (double)pred[i] - target[i];
        /* |x| has derivative 0 at 0, as in torch. */
        double slope = call->op->attr.loss.kind == MDLDM_LOSS_L2 ? 2.0 * difference
                                                                 : (difference > 0) - (difference < 0);
        dpred[i] = (float)(factor * slope);
    }
}
