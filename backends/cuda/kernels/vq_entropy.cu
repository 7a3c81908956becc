/* SPDX-License-Identifier: MIT
 * The entropy terms that keep a codebook in use (Yu et al. 2023, MAGVIT-v2): p(k|z) =
 * softmax(a_k), a_k = -|z-e_k|^2/temperature; the mean entropy of p and the entropy of the mean p. The matrix
 * of all p is never held: its rows (a warp per vector) and columns (a thread per code) are computed when they
 * are summed. */
#include "device.cuh"

#include "../cuda_args_ops.h"

#define WARPS 8 /* of a block */

DEVICE float logit(const mdldm__cuda_vq_args &p, int32_t i, int32_t k)
{
    const float *z = p.z + (int64_t)i * p.d, *e = p.codebook + (int64_t)k * p.d;
    float distance = 0;
    for (int32_t c = 0; c < p.d; c++) {
        const float d = z[c] - e[c];
        distance = fma32(d, d, distance);
    }
    return -div32(distance, p.temperature);
}

/* log_sum[i] = log sum exp a; entropy[i] = log_sum - sum p a. Two runs over the codes: greatest, then sums. */
MDLDM_KERNEL(256) mdldm_vq_entropy_rows(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int32_t i = (int32_t)(block_x() * WARPS + warp());
    if (i >= p.count)
        return;
    float top = -3.4e38f, sum = 0, product = 0;
    for (int32_t k = (int32_t)lane(); k < p.rows; k += 32)
        top = max32(top, logit(p, i, k));
    top = warp_max(top);
    for (int32_t k = (int32_t)lane(); k < p.rows; k += 32) {
        const float a = logit(p, i, k) - top, e = exp32(a);
        sum += e;
        product = fma32(e, a, product);
    }
    sum = warp_sum(sum);
    product = warp_sum(product);
    if (lane() == 0) {
        const float log_sum = log32(sum);
        p.log_sum[i] = top + log_sum;
        p.entropy[i] = log_sum - div32(product, sum);
    }
}

/* partial[part, k] = sum of p(k|z) over the part's vectors. A thread per code. */
MDLDM_KERNEL(256) mdldm_vq_entropy_columns(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int32_t k = (int32_t)(block_x() * 256 + thread_x());
    const int32_t first = (int32_t)block_y() * p.part, end = first + p.part < p.count ? first + p.part : p.count;
    if (k >= p.rows)
        return;
    float sum = 0;
    for (int32_t i = first; i < end; i++)
        sum += exp32(logit(p, i, k) - p.log_sum[i]);
    p.partial[(int64_t)block_y() * p.rows + k] = sum;
}

/* mean[k] = sum of the parts / count */
MDLDM_KERNEL(256) mdldm_vq_entropy_mean(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int32_t k = (int32_t)(block_x() * 256 + thread_x());
    if (k >= p.rows)
        return;
    float sum = 0;
    for (int32_t part = 0; part < p.parts; part++)
        sum += p.partial[(int64_t)part * p.rows + k];
    p.mean[k] = div32(sum, (float)p.count);
}

/* A mean that underflowed to 0, or below what log32 takes, belongs to probabilities that take no part. */
DEVICE float log_mean(const mdldm__cuda_vq_args &p, int32_t k)
{
    return p.mean[k] >= 1.17549435e-38f ? log32(p.mean[k]) : 0.0f;
}

/* One block. loss = {mean of the entropies, entropy of the means} */
MDLDM_KERNEL(256) mdldm_vq_entropy_loss(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    __shared__ float room[33];
    float of_each = 0, of_mean = 0;
    for (int32_t i = (int32_t)thread_x(); i < p.count; i += 256)
        of_each += p.entropy[i];
    for (int32_t k = (int32_t)thread_x(); k < p.rows; k += 256)
        of_mean -= p.mean[k] * log_mean(p, k);
    of_each = block_sum(of_each, room);
    of_mean = block_sum(of_mean, room);
    if (thread_x() == 0) {
        p.loss[0] = div32(of_each, (float)p.count);
        p.loss[1] = of_mean;
    }
}

/* d loss / d p(k|z_i), but for constants that cancel; log_p = log p(k|z_i). */
DEVICE float slope(const mdldm__cuda_vq_args &p, int32_t k, float log_p)
{
    return -div32(fma32(p.weight_sample, log_p, p.weight_mean * log_mean(p, k)), (float)p.count);
}

/* inner[i] = sum_k p*slope; dz[i] = -sum_k da*(z - e_k), da = p*(slope - inner)*2/temperature. */
MDLDM_KERNEL(256) mdldm_vq_entropy_bwd_z(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int32_t i = (int32_t)(block_x() * WARPS + warp());
    if (i >= p.count)
        return;
    const float log_sum = p.log_sum[i], twice = div32(2.0f, p.temperature);
    float inner = 0;
    for (int32_t k = (int32_t)lane(); k < p.rows; k += 32) {
        const float log_p = logit(p, i, k) - log_sum;
        inner = fma32(exp32(log_p), slope(p, k, log_p), inner);
    }
    inner = warp_sum(inner);
    if (lane() == 0)
        p.inner[i] = inner;
    for (int32_t c = 0; c < p.d; c++) {
        const float z = p.z[(int64_t)i * p.d + c];
        float sum = 0;
        for (int32_t k = (int32_t)lane(); k < p.rows; k += 32) {
            const float log_p = logit(p, i, k) - log_sum;
            const float da = exp32(log_p) * (slope(p, k, log_p) - inner) * twice;
            sum = fma32(da, z - p.codebook[(int64_t)k * p.d + c], sum);
        }
        sum = warp_sum(sum);
        if (lane() == 0)
            p.dz[(int64_t)i * p.d + c] = -sum;
    }
}

/* dcodebook[k] += sum_i da*(z_i - e_k). A warp per code, lanes over the vectors. */
MDLDM_KERNEL(256) mdldm_vq_entropy_bwd_codebook(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int32_t k = (int32_t)(block_x() * WARPS + warp());
    if (k >= p.rows)
        return;
    const float twice = div32(2.0f, p.temperature);
    for (int32_t c = 0; c < p.d; c++) {
        const float e = p.codebook[(int64_t)k * p.d + c];
        float sum = 0;
        for (int32_t i = (int32_t)lane(); i < p.count; i += 32) {
            const float log_p = logit(p, i, k) - p.log_sum[i];
            const float da = exp32(log_p) * (slope(p, k, log_p) - p.inner[i]) * twice;
            sum = fma32(da, p.z[(int64_t)i * p.d + c] - e, sum);
        }
        sum = warp_sum(sum);
        if (lane() == 0)
            p.dcodebook[(int64_t)k * p.d + c] += sum;
    }
}
