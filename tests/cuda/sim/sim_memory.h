/* SPDX-License-Identifier: MIT
 * Memory that remembers: each byte of global and shared memory has two records, who wrote it last and who read it.
 *
 * A record is a number. Each barrier interval of each block of each launch takes a run of new numbers, one for each
 * of its warps, so comparing is enough to tell what an earlier access was:
 *   0                                never written
 *   1                                by the host or a copy
 *   below launch_first               by an earlier launch
 *   [launch_first, block_first)      by another block of this launch: nothing orders the two
 *   [block_first, interval_first)    by this block before its last barrier: ordered
 *   interval_first or more           in this interval: ordered only when it was this warp
 * launch_first itself means "read by several blocks", interval_first "read by several warps". */
#ifndef MDLDM_TESTS_CUDA_SIM_MEMORY_H
#define MDLDM_TESTS_CUDA_SIM_MEMORY_H

#include "tests/cuda/sim/sim.h"

#define SIM_ATOMIC 0x80000000u  /* beside a writer's number: by an atomic operation */
#define SIM_PENDING 0xffffffffu /* a cp.async is on its way here */
enum { SIM_UNWRITTEN = 0, SIM_HOST = 1, SIM_FIRST_NUMBER = 16 };

typedef enum sim_kind { SIM_DEVICE_MEMORY, SIM_PINNED_MEMORY, SIM_MODULE_MEMORY } sim_kind;

typedef struct sim_allocation {
    uint64_t base;
    size_t size;
    uint32_t *wrote, *read; /* NULL for pinned memory */
    void *block;            /* what malloc gave */
    sim_kind kind;
} sim_allocation;

/* NULL: out of memory. Device memory begins at a multiple of 256 bytes and not of 512, so that no more is relied on
 * than CUDA promises. */
void *sim_allocate(size_t size, sim_kind kind);
/* False: no such allocation begins there. */
bool sim_release(void *base, sim_kind kind);
void sim_release_all(void);
/* The allocation that has `addr` (and `size` bytes from there). */
sim_allocation *sim_find(uint64_t addr, size_t size);
/* The allocation that `addr` misses by no more than the gap around each. */
const sim_allocation *sim_near(uint64_t addr);
size_t sim_allocated(sim_kind kind, size_t *count);
/* The host, or a copy, has written there. */
void sim_mark_written(uint64_t addr, size_t size);
/* The first byte there that nobody has written; size: none. */
size_t sim_first_unwritten(uint64_t addr, size_t size);

/* `n` new numbers. A launch takes its first by sim_launch_number, which begins anew when few are left. */
uint32_t sim_new_numbers(uint32_t n);
uint32_t sim_launch_number(void);

typedef enum sim_access { SIM_READ, SIM_WRITE, SIM_ADD } sim_access;

/* Resolves one lane's access and checks it: bounds, alignment, written before read, races. NULL after a finding.
 * `space` SIM_GENERIC is resolved by the address. */
unsigned char *sim_touch(sim_warp *w, const sim_op *op, int lane, sim_space space, uint64_t addr, unsigned size,
                         sim_access access);
/* The access of all lanes in `mask` at once: their addresses become distances from what is returned; those of other
 * lanes become anything. NULL when something is wrong or not simple: then sim_touch, lane by lane, finds out what. */
unsigned char *sim_touch_warp(sim_warp *w, sim_space space, uint64_t addr[SIM_LANES], uint32_t mask, unsigned size,
                              sim_access access);
/* Shared memory alone, by its offset, without alignment: for cp.async when it lands and ldmatrix. */
bool sim_touch_shared(sim_warp *w, const sim_op *op, int lane, uint32_t offset, unsigned size, sim_access access);

#endif
