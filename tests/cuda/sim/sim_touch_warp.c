/* SPDX-License-Identifier: MIT
 * A warp's access to memory as a whole: what is right costs little. What is wrong, or not simple, is left to
 * sim_touch, lane by lane, which says what. */
#include "tests/cuda/sim/sim_records.h"

SIM_FAST uint32_t sim_records_read(const uint32_t *wrote, uint32_t *read, unsigned n, const sim_who *q)
{
    uint32_t bad = 0;
    for (unsigned i = 0; i < n; ++i) {
        bad |= sim_read_ordered(wrote[i], q) ^ 1;
        read[i] = sim_note_reader(read[i], q);
    }
    return bad;
}

SIM_FAST uint32_t sim_records_write(uint32_t *wrote, const uint32_t *read, unsigned n, const sim_who *q)
{
    uint32_t bad = 0;
    for (unsigned i = 0; i < n; ++i)
        bad |= (sim_write_ordered(wrote[i], q) ^ 1) | sim_read_unordered(read[i], q);
    if (!bad)
        for (unsigned i = 0; i < n; ++i)
            wrote[i] = q->me;
    return bad;
}

uint32_t sim_records_add(uint32_t *wrote, uint32_t *read, unsigned n, const sim_who *q)
{
    uint32_t bad = 0;
    for (unsigned i = 0; i < n; ++i) {
        const bool atomic = wrote[i] & SIM_ATOMIC && wrote[i] != SIM_PENDING;
        bad |= (uint32_t)((wrote[i] & ~SIM_ATOMIC) < q->unset) | (atomic ? 0 : sim_write_ordered(wrote[i], q) ^ 1) |
               sim_read_unordered(read[i], q);
        wrote[i] = q->me | SIM_ATOMIC;
    }
    return bad;
}

typedef enum pass { READ, WRITE, MARK } pass; /* MARK: what was written, when all of it may be */

enum { WIDE = 16 };

/* `n` (at most WIDE, known where this is called) bytes as one vector. What is found wrong is gathered element by
 * element, and looked at once for a whole access. */
static inline __attribute__((always_inline)) void together(uint32_t *restrict wrote, uint32_t *restrict read, unsigned n,
                                                           const sim_who *restrict q, pass what,
                                                           uint32_t bad[restrict WIDE])
{
    for (unsigned i = 0; i < n; ++i)
        if (what == READ) {
            bad[i] |= sim_read_ordered(wrote[i], q) ^ 1;
            read[i] = sim_note_reader(read[i], q);
        } else if (what == WRITE) {
            bad[i] |= (sim_write_ordered(wrote[i], q) ^ 1) | sim_read_unordered(read[i], q);
        } else {
            wrote[i] = q->me;
        }
}

static inline __attribute__((always_inline)) void stretch(uint32_t *wrote, uint32_t *read, size_t n, const sim_who *q,
                                                          pass what, uint32_t bad[WIDE])
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        together(wrote + i, read + i, 16, q, what, bad);
    for (; i + 4 <= n; i += 4)
        together(wrote + i, read + i, 4, q, what, bad);
    for (; i < n; ++i)
        together(wrote + i, read + i, 1, q, what, bad);
}

typedef struct lanes {
    uint32_t next; /* lanes whose element lies right behind that of the lane before */
    uint32_t same; /* ... at the same place */
} lanes;

/* Stretches of lanes whose elements lie one behind the other, each at once. */
static inline __attribute__((always_inline)) bool stretches(uint32_t *wrote, uint32_t *read, const uint64_t *addr,
                                                            uint64_t least, uint32_t mask, lanes x, unsigned size,
                                                            const sim_who *q, pass what)
{
    uint32_t bad[WIDE] = {0}, any = 0;
    for (uint32_t left = mask & ~x.same; left;) {
        const int l = __builtin_ctz(left);
        const unsigned n = 1 + (unsigned)__builtin_ctzll(~((uint64_t)x.next >> (l + 1)));
        const uint64_t at = addr[l] - least;
        if (n == 1)
            stretch(wrote + at, read + at, size, q, what, bad);
        else
            stretch(wrote + at, read + at, (size_t)n * size, q, what, bad);
        left &= ~(uint32_t)(((UINT64_C(1) << n) - 1) << l);
    }
    for (int i = 0; i < WIDE; ++i)
        any |= bad[i];
    return !any;
}

#define SIZES(WHAT)                                                                                                    \
    switch (size) {                                                                                                    \
    case 2: return stretches(wrote, read, addr, least, mask, x, 2, q, WHAT);                                           \
    case 4: return stretches(wrote, read, addr, least, mask, x, 4, q, WHAT);                                           \
    case 8: return stretches(wrote, read, addr, least, mask, x, 8, q, WHAT);                                           \
    case 16: return stretches(wrote, read, addr, least, mask, x, 16, q, WHAT);                                         \
    default: return stretches(wrote, read, addr, least, mask, x, 1, q, WHAT);                                          \
    }

SIM_FAST static bool check(uint32_t *wrote, uint32_t *read, const uint64_t *addr, uint64_t least, uint32_t mask,
                           lanes x, unsigned size, const sim_who *q, pass what)
{
    if (what == READ)
        SIZES(READ)
    if (what == WRITE)
        SIZES(WRITE)
    SIZES(MARK)
}

static bool good(uint32_t *wrote, uint32_t *read, const uint64_t *addr, uint64_t least, uint32_t mask, lanes x,
                 unsigned size, const sim_who *q, sim_access access)
{
    if (access == SIM_READ)
        return check(wrote, read, addr, least, mask, x, size, q, READ);
    return check(wrote, read, addr, least, mask, x, size, q, WRITE) &&
           check(wrote, read, addr, least, mask, x, size, q, MARK);
}

/* The span of the active lanes' addresses; false when one is not a multiple of `size`. */
SIM_FAST static bool span(uint64_t *addr, uint32_t mask, unsigned size, uint64_t *least, uint64_t *most, lanes *x)
{
    uint64_t low = addr[__builtin_ctz(mask)], high = low, odd = 0;
    if (mask != UINT32_MAX)
        for (int l = 0; l < SIM_LANES; ++l)
            addr[l] = mask >> l & 1 ? addr[l] : low;
    for (int l = 0; l < SIM_LANES; ++l) {
        low = addr[l] < low ? addr[l] : low;
        high = addr[l] > high ? addr[l] : high;
        odd |= addr[l];
    }
    uint32_t next = 0, same = 0;
    for (int l = 1; l < SIM_LANES; ++l) {
        next |= (uint32_t)(addr[l] == addr[l - 1] + size) << l;
        same |= (uint32_t)(addr[l] == addr[l - 1]) << l;
    }
    x->next = next & mask & mask << 1;
    x->same = same & mask & mask << 1;
    *least = low;
    *most = high;
    return (odd & (size - 1)) == 0;
}

/* Where the lane with the least address finds its bytes. */
static unsigned char *touch(sim_warp *w, sim_space space, const uint64_t *addr, uint64_t least, uint64_t most,
                            uint32_t mask, lanes x, unsigned size, sim_access access)
{
    const sim_block *b = w->block;
    if (space == SIM_SHARED) {
        if (least < SIM_SHARED_FIRST || most > UINT32_MAX || most + size > SIM_SHARED_FIRST + (uint64_t)b->shared_size)
            return NULL;
        const uint64_t at = least - SIM_SHARED_FIRST;
        const sim_who q = sim_who_in_shared(w);
        return good(b->shared_wrote + at, b->shared_read + at, addr, least, mask, x, size, &q, access) ? b->shared + at
                                                                                                        : NULL;
    }
    if (space == SIM_PARAM) {
        if (access != SIM_READ || most > b->kernel->param_bytes || size > b->kernel->param_bytes - most)
            return NULL;
        return (unsigned char *)(uintptr_t)b->launch->params + least;
    }
    const sim_allocation *a = most - least <= UINT32_MAX ? sim_find(least, (size_t)(most - least) + size) : NULL;
    if (!a || !a->wrote)
        return NULL;
    const sim_who q = sim_who_in_global(w);
    const uint64_t at = least - a->base;
    return good(a->wrote + at, a->read + at, addr, least, mask, x, size, &q, access) ? (unsigned char *)(uintptr_t)least
                                                                                     : NULL;
}

unsigned char *sim_touch_warp(sim_warp *w, sim_space space, uint64_t addr[SIM_LANES], uint32_t mask, unsigned size,
                              sim_access access)
{
    uint64_t least, most;
    lanes x;
    if (space == SIM_LOCAL || size > 16 || (size & (size - 1)) || !span(addr, mask, size, &least, &most, &x))
        return NULL;
    if (space == SIM_GENERIC) {
        if (most >> 60 != 0)
            return NULL;
        space = SIM_GLOBAL;
    }
    unsigned char *from = touch(w, space, addr, least, most, mask, x, size, access);
    if (from)
        SIM_PER_LANE addr[l] -= least;
    return from;
}
