/* SPDX-License-Identifier: MIT
 * AdamW (Loshchilov and Hutter 2019) in the order of operations of torch.optim.AdamW, as
 * backends/common/store_adamw.c has it: same roundings, other than the order of the norm's sum. */
#include "device.cuh"

#include "../cuda_args_adamw.h"

#define THREADS 256

DEVICE int is_finite(double x)
{
    uint64_t bits;
    asm("mov.b64 %0, %1;" : "=l"(bits) : "d"(x));
    return (bits & 0x7ff0000000000000ull) != 0x7ff0000000000000ull;
}

/* room[0] = sum of all, in a fixed order. */
DEVICE void sum_block(double mine, double *room)
{
    const uint32_t t = thread_x();
    room[t] = mine;
    for (uint32_t half = THREADS / 2; half > 0; half /= 2) {
        block_sync();
        if (t < half)
            room[t] += room[t + half];
    }
    block_sync();
}

MDLDM_KERNEL(THREADS) mdldm_adamw_sums(MDLDM_PARAM mdldm__cuda_args_adamw_sums args)
{
    __shared__ double room[THREADS];
    const int64_t start = args.chunks[block_x()].start;
    const uint32_t count = (uint32_t)args.chunks[block_x()].count;
    const float *g = args.grad + start;
    double sum = 0;
    for (uint32_t i = thread_x(); i < count; i += THREADS)
        sum += (double)g[i] * (double)g[i];
    sum_block(sum, room);
    if (thread_x() == 0)
        args.sums[block_x()] = room[0];
}

MDLDM_KERNEL(THREADS) mdldm_adamw_clip(MDLDM_PARAM mdldm__cuda_args_adamw_clip args)
{
    __shared__ double room[THREADS];
    __shared__ int32_t first[THREADS];
    const uint32_t t = thread_x();
    double sum = 0;
    int32_t bad = 0x7fffffff; /* parameters come in the order of their chunks */
    for (int64_t i = t; i < args.chunk_count; i += THREADS) {
        const double x = args.sums[i];
        sum += x;
        if (!is_finite(x)) { /* squares of floats cannot overflow a double */
            const int32_t param = args.chunks[i].param;
            bad = param < bad ? param : bad;
        }
    }
    first[t] = bad;
    sum_block(sum, room);
    if (t != 0)
        return;
    for (uint32_t i = 1; i < THREADS; i++)
        bad = first[i] < bad ? first[i] : bad;
    double root, clip = 1.0;
    asm("sqrt.rn.f64 %0, %1;" : "=d"(root) : "d"(room[0]));
    const double norm = root * (double)args.grad_scale;
    if (args.max_norm > 0.0f) {
        const double wanted = (double)args.max_norm / (norm + 1e-6);
        clip = wanted < 1.0 ? wanted : 1.0;
    }
    args.result->norm = norm;
    args.result->clip = (float)clip;
    args.result->bad = bad == 0x7fffffff ? -1 : bad;
}

MDLDM_KERNEL(THREADS) mdldm_adamw_step(MDLDM_PARAM mdldm__cuda_args_adamw_step args)
{
    if (args.result->bad >= 0)
        return;
    const int64_t start = args.chunks[block_x()].start;
    const uint32_t count = (uint32_t)args.chunks[block_x()].count;
    const float clip = args.result->clip;
    float *value = args.value + start, *g = args.grad + start, *mean = args.mean + start, *square = args.square + start;
    for (uint32_t i = thread_x(); i < count; i += THREADS) {
        const float grad = g[i] * args.grad_scale * clip;
        const float first = mean[i] + args.w1 * (grad - mean[i]);
        const float second = square[i] * args.beta2 + args.w2 * grad * grad;
        const float denominator = div32(sqrt32(second), args.correction) + args.eps;
        const float next = value[i] * args.keep - div32(args.step_size * first, denominator);
        value[i] = next;
        mean[i] = first;
        square[i] = second;
        g[i] = 0.0f;
        if (args.ema != NULL)
            args.ema[start + i] = args.ema_decay * args.ema[start + i] + args.ema_rest * next;
    }
}
