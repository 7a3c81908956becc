/* SPDX-License-Identifier: MIT
 * Comparing records of memory with who accesses it now (see sim_memory.h). Ranges are told by one comparison of
 * differences, which also keeps the loops in vectors. */
#ifndef MDLDM_TESTS_CUDA_SIM_RECORDS_H
#define MDLDM_TESTS_CUDA_SIM_RECORDS_H

#include "tests/cuda/sim/sim_memory.h"

typedef struct sim_who {
    uint32_t launch, block, interval, me;
    uint32_t unset; /* records below it were never written */
} sim_who;

static inline sim_who sim_who_in_global(const sim_warp *w)
{
    const sim_block *b = w->block;
    return (sim_who){b->launch->launch_first, b->block_first, b->interval_first, w->me, SIM_HOST};
}

/* What other blocks left there is not this block's memory. */
static inline sim_who sim_who_in_shared(const sim_warp *w)
{
    const sim_block *b = w->block;
    return (sim_who){b->block_first, b->block_first, b->interval_first, w->me, b->block_first};
}

/* A write recorded as `x`, if there was one, came before a plain access of mine. My own atomic write does not: others
 * may have joined it. */
static inline uint32_t sim_write_ordered(uint32_t x, const sim_who *q)
{
    const uint32_t y = x & ~SIM_ATOMIC;
    return (uint32_t)(y - q->block < q->interval - q->block) | (uint32_t)(y < q->launch) | (uint32_t)(x == q->me);
}

/* ... and there was one: I may read. */
static inline uint32_t sim_read_ordered(uint32_t x, const sim_who *q)
{
    const uint32_t y = x & ~SIM_ATOMIC;
    return (uint32_t)(y - q->block < q->interval - q->block) | (uint32_t)(y - q->unset < q->launch - q->unset) |
           (uint32_t)(x == q->me);
}

/* Nothing orders reads recorded as `x` before what I do. */
static inline uint32_t sim_read_unordered(uint32_t x, const sim_who *q)
{
    return ((uint32_t)(x >= q->interval) & (uint32_t)(x != q->me)) | (uint32_t)(x - q->launch < q->block - q->launch);
}

static inline uint32_t sim_note_reader(uint32_t old, const sim_who *q)
{
    const uint32_t now = old >= q->interval && old != q->me ? q->interval : q->me;
    /* another block has read, and now I: whoever writes has somebody in his way */
    return old - q->launch < q->block - q->launch ? q->launch : now;
}

/* Of `n` bytes: 0 when all is well; what may not be written stays as it is. */
uint32_t sim_records_read(const uint32_t *wrote, uint32_t *read, unsigned n, const sim_who *q);
uint32_t sim_records_write(uint32_t *wrote, const uint32_t *read, unsigned n, const sim_who *q);
uint32_t sim_records_add(uint32_t *wrote, uint32_t *read, unsigned n, const sim_who *q);

#endif
