/* SPDX-License-Identifier: MIT
 * Kernels that are right, and the same with one mistake each. Blocks of 128 threads. Shared memory is dynamic: what
 * a compiler knows to be never written it would not read at all. */
#include "../../../backends/cuda/kernels/device.cuh"
#include "planted_args.h"

enum { THREADS = 128, BEFORE = 1, AFTER = 2 };

#define PLANTED(name) MDLDM_KERNEL(THREADS) name(MDLDM_PARAM struct planted_args args)

DEVICE float *room(void)
{
    return reinterpret_cast<float *>(mdldm_shared);
}

/* Each round turns the values around through shared memory: a barrier before reading what others wrote, another
 * before writing again what others read. */
template <int barriers> DEVICE void turn(const planted_args &args)
{
    float x = args.in[thread_x()];
    room()[thread_x()] = 0.0f;
    block_sync();
    for (int i = 0; i < 3; i++) {
        room()[thread_x()] = x;
        if (barriers & BEFORE)
            block_sync();
        x = room()[THREADS - 1 - thread_x()] + 1.0f;
        if (barriers & AFTER)
            block_sync();
    }
    args.out[thread_x()] = x;
}
PLANTED(good_turn) { turn<BEFORE | AFTER>(args); }
PLANTED(bug_no_barrier_before_read) { turn<AFTER>(args); }
PLANTED(bug_no_barrier_before_write) { turn<BEFORE>(args); }

/* Two stages of 16 bytes a thread: out[i] = in[i] over n / 512 steps. */
template <int pending, int barrier> DEVICE void pipeline(const planted_args &args)
{
    const int steps = args.n / (4 * THREADS);
    const uint32_t mine = shared_address(room() + 4 * thread_x());
    copy_async16(mine, args.in + 4 * thread_x());
    copy_commit();
    for (int i = 0; i < steps; i++) {
        if (i + 1 < steps)
            copy_async16(mine + (uint32_t)((i + 1) % 2) * 16 * THREADS, args.in + (i + 1) * 4 * THREADS + 4 * thread_x());
        copy_commit();
        copy_wait<pending>();
        if (barrier)
            block_sync();
        const float *now = room() + i % 2 * 4 * THREADS;
        for (int k = 0; k < 4; k++)
            args.out[i * 4 * THREADS + k * THREADS + thread_x()] = now[k * THREADS + thread_x()];
        block_sync();
    }
}
PLANTED(good_pipeline) { pipeline<1, 1>(args); }
PLANTED(bug_wait_for_too_few) { pipeline<2, 1>(args); }
PLANTED(bug_no_barrier_after_wait) { pipeline<1, 0>(args); }

PLANTED(bug_copy_never_awaited)
{
    copy_async16(shared_address(room() + 4 * thread_x()), args.in + 4 * thread_x());
    copy_commit();
    args.out[thread_x()] = args.in[thread_x()];
}

PLANTED(bug_warps_write_one_place)
{
    room()[lane()] = args.in[thread_x()];
    block_sync();
    args.out[thread_x()] = room()[lane()];
}

PLANTED(bug_beyond_the_end)
{
    args.out[(int)thread_x() + args.n - THREADS + 1] = args.in[thread_x()];
}
PLANTED(bug_before_the_start)
{
    args.out[thread_x()] = args.in[(int)thread_x() - 1];
}
PLANTED(bug_beyond_shared)
{
    room()[thread_x() + (uint32_t)args.n] = args.in[thread_x()];
    block_sync();
    args.out[thread_x()] = room()[thread_x() + (uint32_t)args.n];
}

PLANTED(bug_misaligned)
{
    const words2 pair = *reinterpret_cast<const words2 *>(args.in + thread_x() + 1);
    args.out[thread_x()] = bits_float(pair.x) + bits_float(pair.y);
}

PLANTED(bug_reads_unwritten_shared)
{
    if (thread_x() < 100)
        room()[thread_x()] = args.in[thread_x()];
    block_sync();
    args.out[thread_x()] = room()[THREADS - 1 - thread_x()];
}
PLANTED(bug_reads_unwritten_global)
{
    args.out[thread_x()] += args.in[thread_x()];
}

/* Sums over blocks: by an atomic count of what is positive, and without. */
PLANTED(good_count)
{
    if (args.in[block_x() * THREADS + thread_x()] > 0.0f)
        asm volatile("red.global.add.u32 [%0], 1;" ::"l"(args.counter) : "memory");
}
PLANTED(bug_threads_add)
{
    args.counter[0] += args.in[block_x() * THREADS + thread_x()] > 0.0f ? thread_x() + 1 : 0;
}
PLANTED(bug_blocks_add)
{
    if (thread_x() == 0)
        args.counter[0] += args.in[block_x() * THREADS] > 0.0f ? 2 : 1;
}
PLANTED(bug_blocks_read_each_other)
{
    const uint32_t i = block_x() * THREADS + thread_x();
    args.out[i] = args.in[i];
    if (block_x() > 0)
        args.out[i] += args.out[i - THREADS];
}

PLANTED(bug_divergent_barrier)
{
    room()[thread_x()] = args.in[thread_x()];
    if (args.in[thread_x()] > 0.0f)
        asm volatile("bar.sync 0;" ::: "memory");
    args.out[thread_x()] = room()[thread_x()];
}

PLANTED(bug_divergent_shuffle)
{
    float x = args.in[thread_x()];
    if (x > 0.0f)
        asm volatile("shfl.sync.bfly.b32 %0, %0, 1, 31, 0xffffffff;" : "+f"(x));
    args.out[thread_x()] = x;
}

/* Lanes part at nested branches and in loops of different lengths, and meet again. */
PLANTED(good_divergence)
{
    float x = args.in[thread_x()];
    const uint32_t turns = thread_x() % 7;
    for (uint32_t i = 0; i < turns; i++) {
        if (i % 2 == thread_x() % 2)
            x = x * 2.0f;
        else if (i == 3)
            break;
        else
            x = x + 1.0f;
    }
    args.out[thread_x()] = warp_sum(x);
}

PLANTED(bug_endless)
{
    volatile float *out = args.out;
    while (args.in[0] > -1.0e30f)
        out[thread_x()] = 0.0f;
}
