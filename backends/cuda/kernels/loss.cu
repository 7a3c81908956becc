/* SPDX-License-Identifier: MIT
 * Mean squared and mean absolute error with a weight per image: sums of chunks, then of the chunks. */
#include "device.cuh"
#include "vectors.cuh"

#include "../cuda_args_ops.h"

/* partial[n, chunk]: chunk b has elements b*256, and each 256*chunks after it. */
MDLDM_KERNEL(256) mdldm_loss_chunks(MDLDM_PARAM mdldm__cuda_loss_args p)
{
    __shared__ float room[33];
    const int64_t base = (int64_t)block_y() * p.each;
    float sum = 0;
    for (int64_t i = (int64_t)block_x() * 256 + thread_x(); i < p.each; i += (int64_t)p.chunks * 256) {
        const float d = get_any(p.pred, p.pred_type, base + i) - get_any(p.target, p.target_type, base + i);
        sum += p.absolute ? abs32(d) : d * d;
    }
    sum = block_sum(sum, room);
    if (thread_x() == 0)
        p.partial[(int64_t)block_y() * p.chunks + block_x()] = sum;
}

/* One block. loss = 1/n sum_n weight[n] * sum/each */
MDLDM_KERNEL(256) mdldm_loss_join(MDLDM_PARAM mdldm__cuda_loss_args p)
{
    __shared__ float room[33];
    float sum = 0;
    for (int64_t i = thread_x(); i < (int64_t)p.n * p.chunks; i += 256)
        sum += p.partial[i] * (p.weight != nullptr ? p.weight[i / p.chunks] : 1.0f);
    sum = block_sum(sum, room);
    if (thread_x() == 0)
        *p.loss = div32(div32(sum, (float)p.each), (float)p.n);
}

/* dpred = grad*weight/count * (2(p-t) or sign(p-t)); |x| has derivative 0 at 0, as in torch. */
MDLDM_KERNEL(256) mdldm_loss_bwd(MDLDM_PARAM mdldm__cuda_loss_args p)
{
    for (uint32_t n = block_y(); n < (uint32_t)p.n; n += grid_y()) {
        const float factor = div32(p.weight != nullptr ? p.grad * p.weight[n] : p.grad, (float)p.each * (float)p.n);
        for (int64_t i = (int64_t)block_x() * 256 + thread_x(); i < p.each; i += (int64_t)grid_x() * 256) {
            const int64_t at = (int64_t)n * p.each + i;
            const float d = get_any(p.pred, p.pred_type, at) - get_any(p.target, p.target_type, at);
            const float sign = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f;
            put_any(p.dpred, p.dpred_type, at, factor * (p.absolute ? sign : 2.0f * d));
        }
    }
}
