/* SPDX-License-Identifier: MIT
 * Softmax cross-entropy against labels: a warp per row, rows of a block summed, then the blocks. */
#include "device.cuh"
#include "vectors.cuh"

#include "../cuda_args_ops.h"

#define WARPS 8

/* log sum exp of a row, and in lane order its sum; all lanes get both. */
DEVICE float log_sum(const mdldm__cuda_cross_entropy_args &p, int64_t at, float *sum)
{
    float top = -3.402823466e38f, exps = 0, all = 0;
    for (int32_t k = (int32_t)lane(); k < p.classes; k += 32)
        top = max32(top, get_any(p.logits, p.type, at + k));
    top = warp_max(top);
    for (int32_t k = (int32_t)lane(); k < p.classes; k += 32) {
        const float x = get_any(p.logits, p.type, at + k);
        exps += exp32_nan(x - top);
        all += x;
    }
    *sum = warp_sum(all);
    return top + log32(warp_sum(exps));
}

DEVICE float weight_of(const mdldm__cuda_cross_entropy_args &p, int32_t row)
{
    return p.weight != nullptr ? p.weight[row / p.per_image] : 1.0f;
}

MDLDM_KERNEL(256) mdldm_cross_entropy_rows(MDLDM_PARAM mdldm__cuda_cross_entropy_args p)
{
    __shared__ float room[33];
    float total = 0;
    for (int32_t row = (int32_t)(block_x() * WARPS + warp()); row < p.rows; row += (int32_t)grid_x() * WARPS) {
        const int64_t at = (int64_t)row * p.classes;
        const int32_t label = p.label[row];
        float sum;
        const float all = log_sum(p, at, &sum);
        if (lane() == 0 && label >= 0 && label < p.classes)
            total += weight_of(p, row) * (all - p.smoothing * div32(sum, (float)p.classes) -
                                          (1.0f - p.smoothing) * get_any(p.logits, p.type, at + label));
    }
    total = block_sum(total, room);
    if (thread_x() == 0)
        p.partial[block_x()] = total;
}

/* One block. */
MDLDM_KERNEL(256) mdldm_cross_entropy_join(MDLDM_PARAM mdldm__cuda_cross_entropy_args p)
{
    __shared__ float room[33];
    float sum = 0;
    for (int32_t i = (int32_t)thread_x(); i < p.blocks; i += 256)
        sum += p.partial[i];
    sum = block_sum(sum, room);
    if (thread_x() == 0)
        *p.loss = div32(sum, (float)p.rows);
}

MDLDM_KERNEL(256) mdldm_cross_entropy_bwd(MDLDM_PARAM mdldm__cuda_cross_entropy_args p)
{
    const float even = div32(p.smoothing, (float)p.classes);
    for (int32_t row = (int32_t)(block_x() * WARPS + warp()); row < p.rows; row += (int32_t)grid_x() * WARPS) {
        const int64_t at = (int64_t)row * p.classes;
        const int32_t label = p.label[row];
        const int known = label >= 0 && label < p.classes;
        const float factor = div32(p.grad * weight_of(p, row), (float)p.rows);
        float sum;
        const float all = log_sum(p, at, &sum);
        for (int32_t k = (int32_t)lane(); k < p.classes; k += 32) {
            const float q = k == label ? even + (1.0f - p.smoothing) : even;
            const float d = factor * (exp32_nan(get_any(p.logits, p.type, at + k) - all) - q);
            put_any(p.dlogits, p.dtype, at + k, known ? d : 0.0f);
        }
    }
}
