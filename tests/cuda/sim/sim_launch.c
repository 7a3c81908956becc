/* SPDX-License-Identifier: MIT
 * A launch: its blocks one after the other, each block's warps in turns between barriers. */
#include "tests/cuda/sim/sim_memory.h"
#include "tests/cuda/sim/sim_warp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(sim_warp *w, sim_reg reg, unsigned size, uint64_t bits)
{
    unsigned char *lanes = sim_lanes(w, reg);
    if (size == 0)
        *sim_pred(w, reg) = bits ? UINT32_MAX : 0;
    for (size_t l = 0; size && l < SIM_LANES; ++l)
        memcpy(lanes + l * size, &bits, size);
}

static uint32_t special_value(const sim_warp *w, int which, uint32_t l)
{
    const sim_block *b = w->block;
    const sim_launch *x = b->launch;
    const uint32_t thread = 32 * w->index + l;
    switch (which) {
    case SIM_TID_X: return thread % x->threads[0];
    case SIM_TID_Y: return thread / x->threads[0] % x->threads[1];
    case SIM_TID_Z: return thread / x->threads[0] / x->threads[1];
    case SIM_NTID_X: case SIM_NTID_Y: case SIM_NTID_Z: return x->threads[which - SIM_NTID_X];
    case SIM_CTAID_X: case SIM_CTAID_Y: case SIM_CTAID_Z: return b->at[which - SIM_CTAID_X];
    case SIM_NCTAID_X: case SIM_NCTAID_Y: case SIM_NCTAID_Z: return x->grid[which - SIM_NCTAID_X];
    case SIM_LANEID: return l;
    case SIM_WARPID: return w->index;
    case SIM_LANEMASK_LT: return (UINT32_C(1) << l) - 1;
    case SIM_LANEMASK_LE: return (UINT32_C(2) << l) - 1;
    case SIM_LANEMASK_GT: return ~((UINT32_C(2) << l) - 1);
    case SIM_LANEMASK_GE: return ~((UINT32_C(1) << l) - 1);
    case SIM_LANEMASK_EQ: return UINT32_C(1) << l;
    default: return x->dynamic;
    }
}

/* What is the same in all blocks; registers that hold it hold nothing else (see ptx_place.c). */
static void set_constants(sim_warp *w)
{
    const sim_kernel *k = w->block->kernel;
    for (size_t i = 0; i < k->n_constants; ++i) {
        const sim_constant *c = &k->constants[i];
        fill(w, c->reg, c->size, c->dynamic ? c->bits + SIM_SHARED_FIRST + k->dynamic_at : c->bits);
    }
    for (int i = 0; i < SIM_SPECIALS; ++i)
        if (k->has_special[i]) {
            uint32_t *lanes = sim_lanes(w, k->special[i]);
            for (uint32_t l = 0; l < SIM_LANES; ++l)
                lanes[l] = special_value(w, i, l);
        }
}

static void begin_warp(sim_warp *w)
{
    const sim_kernel *k = w->block->kernel;
    memset(w->written, 0, k->n_regs * sizeof *w->written);
    for (size_t i = 0; i < k->n_constants; ++i)
        w->written[k->constants[i].reg.id] = UINT32_MAX;
    for (int i = 0; i < SIM_SPECIALS; ++i)
        if (k->has_special[i])
            w->written[k->special[i].id] = UINT32_MAX;
    for (int i = SIM_CTAID_X; i <= SIM_CTAID_Z; ++i)
        if (k->has_special[i]) {
            uint32_t *lanes = sim_lanes(w, k->special[i]);
            for (uint32_t l = 0; l < SIM_LANES; ++l)
                lanes[l] = w->block->at[i - SIM_CTAID_X];
        }
    if (k->local_bytes)
        memset(w->local_set, 0, (size_t)SIM_LANES * k->local_bytes);
    w->exited = ~w->lanes;
    w->path[0] = (sim_path){w->lanes, 0, -1};
    w->depth = 1;
    w->pc = 0;
    w->waits = w->ended = false;
    w->n_copies = 0;
    memset(w->groups, 0, sizeof w->groups);
}

static void next_interval(sim_block *b)
{
    b->interval_first = sim_new_numbers(b->n_warps + 1);
    for (uint32_t i = 0; i < b->n_warps; ++i) {
        b->warps[i].me = b->interval_first + 1 + i;
        b->warps[i].waits = false;
    }
}

static bool meet(sim_block *b)
{
    const sim_warp *first = NULL;
    for (uint32_t i = 0; i < b->n_warps; ++i) {
        sim_warp *w = &b->warps[i];
        if (!w->waits)
            continue;
        if (!first)
            first = w;
        if (w->barrier != first->barrier) {
            sim_found(w, NULL, -1, "waits at barrier %u while warp %u waits at barrier %u", w->barrier, first->index,
                      first->barrier);
            return false;
        }
    }
    return first != NULL;
}

static bool run_block(sim_block *b)
{
    b->block_first = sim_new_numbers(1);
    for (uint32_t i = 0; i < b->n_warps; ++i)
        begin_warp(&b->warps[i]);
    do {
        next_interval(b);
        for (uint32_t i = 0; i < b->n_warps && !b->launch->finding[0]; ++i)
            if (!b->warps[i].ended)
                sim_run_warp(&b->warps[i]);
    } while (!b->launch->finding[0] && meet(b));
    return !b->launch->finding[0];
}

static void free_block(sim_block *b)
{
    for (uint32_t i = 0; b->warps && i < b->n_warps; ++i) {
        free(b->warps[i].file);
        free(b->warps[i].written);
        free(b->warps[i].local);
        free(b->warps[i].local_set);
        free(b->warps[i].copies);
    }
    free(b->warps);
    free(b->shared);
    free(b->shared_wrote);
    free(b->shared_read);
}

static bool make_block(sim_block *b, uint32_t threads)
{
    const sim_kernel *k = b->kernel;
    b->n_warps = (threads + SIM_LANES - 1) / SIM_LANES;
    b->warps = calloc(b->n_warps, sizeof *b->warps);
    b->shared = malloc(b->shared_size + 1);
    b->shared_wrote = calloc(b->shared_size + 1, sizeof *b->shared_wrote);
    b->shared_read = calloc(b->shared_size + 1, sizeof *b->shared_read);
    if (!b->warps || !b->shared || !b->shared_wrote || !b->shared_read)
        return false;
    for (uint32_t i = 0; i < b->n_warps; ++i) {
        sim_warp *w = &b->warps[i];
        const uint32_t rest = threads - 32 * i;
        w->block = b;
        w->index = i;
        w->lanes = rest >= SIM_LANES ? UINT32_MAX : (UINT32_C(1) << rest) - 1;
        w->file = aligned_alloc(64, ((size_t)k->file_units + 1) * 64);
        w->written = calloc(k->n_regs + 1, sizeof *w->written);
        if (!w->file || !w->written)
            return false;
        memset(w->file, 0xa5, (size_t)k->file_units * 64);
        set_constants(w);
        if (k->local_bytes) {
            w->local = malloc((size_t)SIM_LANES * k->local_bytes);
            w->local_set = calloc(SIM_LANES, k->local_bytes);
            if (!w->local || !w->local_set)
                return false;
        }
    }
    return true;
}

bool sim_run(sim_launch *launch)
{
    sim_block b = {.launch = launch, .kernel = launch->kernel};
    const uint32_t threads = launch->threads[0] * launch->threads[1] * launch->threads[2];
    b.shared_size = launch->dynamic ? launch->kernel->dynamic_at + launch->dynamic : launch->kernel->shared_bytes;
    launch->finding[0] = 0;
    launch->steps = 0;
    if (!make_block(&b, threads)) {
        snprintf(launch->finding, launch->room, "the test runtime is out of memory");
        free_block(&b);
        return false;
    }
    launch->launch_first = sim_launch_number();
    bool ok = true;
    for (b.at[2] = 0; ok && b.at[2] < launch->grid[2]; ++b.at[2])
        for (b.at[1] = 0; ok && b.at[1] < launch->grid[1]; ++b.at[1])
            for (b.at[0] = 0; ok && b.at[0] < launch->grid[0]; ++b.at[0], ++b.index)
                ok = run_block(&b);
    free_block(&b);
    return ok;
}
