/* SPDX-License-Identifier: MIT
 * One lane's access to memory: where it goes and whether it may. */
#include "tests/cuda/sim/sim_memory.h"
#include "tests/cuda/sim/sim_records.h"

#include <inttypes.h>

static const char *doing(sim_access access)
{
    return access == SIM_READ ? "reads" : access == SIM_WRITE ? "writes" : "atomically changes";
}

/* Says what is wrong with the first bad byte. `where`: its address as the kernel sees it. */
static void explain(sim_warp *w, const sim_op *op, int lane, const char *what, uint64_t where, const uint32_t *wrote,
                    const uint32_t *read, unsigned n, const sim_who *q, sim_access access)
{
    for (unsigned i = 0; i < n; ++i) {
        const uint32_t x = wrote[i] & ~SIM_ATOMIC, atomic = wrote[i] & SIM_ATOMIC;
        const uint64_t at = where + i;
        if (wrote[i] == SIM_PENDING) {
            sim_found(w, op, lane, "%s %s memory at 0x%" PRIx64 " while a cp.async to it is not waited for",
                      doing(access), what, at);
            return;
        }
        if (access != SIM_WRITE && x < q->unset) {
            sim_found(w, op, lane, "%s %s memory at 0x%" PRIx64 " which nobody has written", doing(access), what, at);
            return;
        }
        if ((access == SIM_ADD && atomic) == 0 && !sim_write_ordered(wrote[i], q)) {
            if (x >= q->interval)
                sim_found(w, op, lane,
                          "race in %s memory at 0x%" PRIx64 ": %s what warp %u %s since the last barrier", what, at,
                          doing(access), x - q->interval - 1, atomic ? "atomically changed" : "wrote");
            else
                sim_found(w, op, lane,
                          "race between blocks in %s memory at 0x%" PRIx64 ": %s what another block of this launch %s",
                          what, at, doing(access), atomic ? "atomically changed" : "wrote");
            return;
        }
        if (access != SIM_READ && sim_read_unordered(read[i], q)) {
            if (read[i] == q->interval)
                sim_found(w, op, lane,
                          "race in %s memory at 0x%" PRIx64 ": %s what several warps read since the last barrier", what,
                          at, doing(access));
            else if (read[i] > q->interval)
                sim_found(w, op, lane,
                          "race in %s memory at 0x%" PRIx64 ": %s what warp %u read since the last barrier", what, at,
                          doing(access), read[i] - q->interval - 1);
            else
                sim_found(w, op, lane,
                          "race between blocks in %s memory at 0x%" PRIx64 ": %s what another block of this launch read",
                          what, at, doing(access));
            return;
        }
    }
    sim_found(w, op, lane, "%s %s memory at 0x%" PRIx64 " in a way that the checker cannot name", doing(access), what,
              where);
}

static bool checked(sim_warp *w, const sim_op *op, int lane, const char *what, uint64_t where, uint32_t *wrote,
                    uint32_t *read, unsigned n, const sim_who *q, sim_access access)
{
    const uint32_t bad = access == SIM_READ    ? sim_records_read(wrote, read, n, q)
                         : access == SIM_WRITE ? sim_records_write(wrote, read, n, q)
                                               : sim_records_add(wrote, read, n, q);
    if (bad)
        explain(w, op, lane, what, where, wrote, read, n, q, access);
    return !bad;
}

bool sim_touch_shared(sim_warp *w, const sim_op *op, int lane, uint32_t offset, unsigned size, sim_access access)
{
    sim_block *b = w->block;
    if (offset < SIM_SHARED_FIRST || offset - SIM_SHARED_FIRST > b->shared_size ||
        size > b->shared_size - (offset - SIM_SHARED_FIRST)) {
        sim_found(w, op, lane,
                  "%s %u bytes at offset %" PRId64 " of shared memory; the block has %u bytes", doing(access), size,
                  (int64_t)offset - SIM_SHARED_FIRST, b->shared_size);
        return false;
    }
    const uint32_t at = offset - SIM_SHARED_FIRST;
    const sim_who q = sim_who_in_shared(w);
    return checked(w, op, lane, "shared", at, b->shared_wrote + at, b->shared_read + at, size, &q, access);
}

static unsigned char *touch_global(sim_warp *w, const sim_op *op, int lane, uint64_t addr, unsigned size,
                                   sim_access access)
{
    sim_allocation *a = sim_find(addr, size);
    if (!a) {
        const sim_allocation *near = sim_near(addr);
        if (near)
            sim_found(w, op, lane, "%s %u bytes at byte %" PRId64 " of an allocation of %zu bytes", doing(access), size,
                      (int64_t)(addr - near->base), near->size);
        else
            sim_found(w, op, lane, "%s %u bytes at 0x%" PRIx64 " of global memory, where no allocation is",
                      doing(access), size, addr);
        return NULL;
    }
    if (!a->wrote) {
        sim_found(w, op, lane, "%s pinned host memory; kernels here use device memory alone", doing(access));
        return NULL;
    }
    const uint64_t at = addr - a->base;
    const sim_who q = sim_who_in_global(w);
    if (!checked(w, op, lane, "global", addr, a->wrote + at, a->read + at, size, &q, access))
        return NULL;
    return (unsigned char *)(uintptr_t)addr;
}

static unsigned char *touch_local(sim_warp *w, const sim_op *op, int lane, uint64_t at, unsigned size,
                                  sim_access access)
{
    const uint32_t bytes = w->block->kernel->local_bytes;
    if (at > bytes || size > bytes - at) {
        sim_found(w, op, lane, "%s %u bytes at byte %" PRIu64 " of %u bytes of local memory", doing(access), size, at,
                  bytes);
        return NULL;
    }
    const size_t from = (size_t)lane * bytes + at;
    if (access != SIM_READ)
        for (unsigned i = 0; i < size; ++i)
            w->local_set[from + i] = 1;
    return w->local + from;
}

unsigned char *sim_touch(sim_warp *w, const sim_op *op, int lane, sim_space space, uint64_t addr, unsigned size,
                         sim_access access)
{
    if (addr % size != 0) {
        sim_found(w, op, lane, "%s %u bytes at 0x%" PRIx64 ", which is not a multiple of %u", doing(access), size, addr,
                  size);
        return NULL;
    }
    if (space == SIM_GENERIC) {
        const uint64_t window = addr >> 60;
        space = window == 1 ? SIM_SHARED : window == 2 ? SIM_LOCAL : window == 3 ? SIM_PARAM : SIM_GLOBAL;
        if (space != SIM_GLOBAL)
            addr &= (UINT64_C(1) << 60) - 1;
    }
    const sim_block *b = w->block;
    switch (space) {
    case SIM_SHARED:
        if (addr > UINT32_MAX)
            addr = UINT32_MAX;
        if (!sim_touch_shared(w, op, lane, (uint32_t)addr, size, access))
            return NULL;
        return b->shared + (addr - SIM_SHARED_FIRST);
    case SIM_LOCAL:
        return touch_local(w, op, lane, addr, size, access);
    case SIM_PARAM:
        if (access != SIM_READ || addr > b->kernel->param_bytes || size > b->kernel->param_bytes - addr) {
            sim_found(w, op, lane, "%s %u bytes at byte %" PRIu64 " of %u bytes of parameters", doing(access), size,
                      addr, b->kernel->param_bytes);
            return NULL;
        }
        return (unsigned char *)(uintptr_t)b->launch->params + addr;
    default:
        return touch_global(w, op, lane, addr, size, access);
    }
}
