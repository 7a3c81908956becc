/* SPDX-License-Identifier: MIT
 * What accesses cost: wavefronts of shared memory, sectors of global memory. */
#include "tests/cuda/sim/sim_ops.h"

#include <string.h>

static sim_count *count_of(sim_warp *w, const sim_op *op)
{
    return &w->block->kernel->counts[op - w->block->kernel->ops];
}

/* 32 banks of four bytes: different words of one bank need a pass each. `n` lanes with `size` bytes each. */
static uint64_t passes(const uint64_t *addr, const bool *here, int from, int to, unsigned size)
{
    uint64_t word[32][SIM_LANES], most = 0;
    int n[32] = {0};
    for (int l = from; l < to; ++l)
        for (uint64_t at = addr[l] / 4; here[l] && at <= (addr[l] + size - 1) / 4; ++at) {
            const unsigned bank = at % 32;
            int k = 0;
            while (k < n[bank] && word[bank][k] != at)
                ++k;
            if (k == n[bank] && k < SIM_LANES)
                word[bank][n[bank]++] = at;
        }
    for (int i = 0; i < 32; ++i)
        if ((uint64_t)n[i] > most)
            most = (uint64_t)n[i];
    return most;
}

void sim_count_access(sim_warp *w, const sim_op *op, sim_space space, const uint64_t *addr, uint32_t mask, unsigned size)
{
    uint64_t sector[5 * SIM_LANES];
    bool here[SIM_LANES];
    bool shared = space == SIM_SHARED, global = space == SIM_GLOBAL;
    size_t n = 0;
    for (int l = 0; l < SIM_LANES; ++l) {
        here[l] = mask >> l & 1;
        if (here[l] && space == SIM_GENERIC) {
            shared |= addr[l] >> 60 == 1;
            global |= addr[l] >> 60 == 0;
        }
    }
    sim_count *c = count_of(w, op);
    /* Accesses of 8 bytes go by halves of the warp, of 16 bytes by quarters. */
    const int step = size <= 4 ? 32 : size == 8 ? 16 : 8;
    for (int l = 0; shared && l < SIM_LANES; l += step)
        c->wavefronts += passes(addr, here, l, l + step, size);
    for (int l = 0; global && l < SIM_LANES; ++l)
        for (uint64_t at = addr[l] / 32; here[l] && at <= (addr[l] + size - 1) / 32; ++at) {
            size_t k = 0;
            while (k < n && sector[k] != at)
                ++k;
            if (k == n && n < sizeof sector / sizeof *sector)
                sector[n++] = at;
        }
    c->sectors += n;
}

/* ldmatrix: eight rows of 16 bytes at a time. */
void sim_count_rows(sim_warp *w, const sim_op *op, const uint32_t *rows, int n)
{
    uint64_t addr[SIM_LANES];
    bool here[SIM_LANES];
    for (int l = 0; l < SIM_LANES; ++l) {
        here[l] = l < n;
        addr[l] = here[l] ? rows[l] : 0;
    }
    for (int l = 0; l < n; l += 8)
        count_of(w, op)->wavefronts += passes(addr, here, l, l + 8, 16);
}
