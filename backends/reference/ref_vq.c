/* SPDX-License-Identifier: MIT
 * Vector quantisation (van den Oord et al. 2017): nearest codebook vector, and its two loss terms. */
#include "ref_ops.h"

void mdldm__ref_vq(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *z = &call->in[0], *codebook = &call->in[1]; /* [n,h,w,d], [K,d] */
    int64_t count = z->n * z->h * z->w, d = z->c, rows = codebook->n;
    const float *from = z->data, *table = codebook->data;
    float *zq = call->out[0].data, *loss = call->out[2].data;
    int32_t *codes = call->out[1].data;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double best = 0;
        int64_t code = -1;
        for (int64_t k = 0; k < rows; k++) {
            double distance = 0;
            for (int64_t c = 0; c < d; c++) {
                double difference = (double)from[i * d + c] - table[k * d + c];
                distance += difference * difference;
            }
            if (code < 0 || distance < best) {
                best = distance;
                code = k;
            }
        }
        codes[i] = (int32_t)code;
        for (int64_t c = 0; c < d; c++)
            zq[i * d + c] = table[code * d + c];
        sum += best;
    }
    loss[0] = (float)(sum / (double)(count * d));
}

void mdldm__ref_vq_bwd(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *z = &call->in[1];
    int64_t count = z->n * z->h * z->w, d = z->c;
    const float *dzq = call->in[0].data, *from = z->data, *table = call->in[2].data;
    const int32_t *codes = call->in[3].data;
    float *dz = call->out[0].data, *dcodebook = call->out[1].data;
    double commitment = 2.0 * call->op->attr.vq.commitment / (double)(count * d);
    double codebook_weight = 2.0 * call->op->attr.vq.codebook_weight / (double)(count * d);
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < d; c++) {
            int64_t row = codes[i] * d + c;
            double difference = (double)from[i * d + c] - table[row];
            dz[i * d + c] = (float)((dzq != NULL ? dzq[i * d + c] : 0.0f) + commitment * difference);
            if (dcodebook != NULL)
                dcodebook[row] = (float)(dcodebook[row] - codebook_weight * difference);
        }
}
