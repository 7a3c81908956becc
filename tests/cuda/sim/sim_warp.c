/* SPDX-License-Identifier: MIT
 * One warp until it waits or ends. Lanes that part at a branch wait for each other at the branch's immediate
 * post-dominator: one path of the stack runs, those below wait. */
#include "tests/cuda/sim/sim_warp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sim_found(sim_warp *w, const sim_op *op, int lane, const char *fmt, ...)
{
    const sim_block *b = w->block;
    sim_launch *launch = b->launch;
    if (launch->finding[0])
        return;
    if (!op && w->pc < (int32_t)b->kernel->n_ops)
        op = &b->kernel->ops[w->pc];
    size_t n = (size_t)snprintf(launch->finding, launch->room, "kernel %s, PTX line %d", b->kernel->name,
                                op ? op->line : 0);
    if (op && op->source && n < launch->room)
        n += (size_t)snprintf(launch->finding + n, launch->room - n, " (source line %d)", op->source);
    if (n < launch->room)
        n += (size_t)snprintf(launch->finding + n, launch->room - n, ", block (%u, %u, %u), warp %u", b->at[0],
                              b->at[1], b->at[2], w->index);
    if (lane >= 0 && n < launch->room)
        n += (size_t)snprintf(launch->finding + n, launch->room - n, ", lane %d", lane);
    if (n + 2 < launch->room) {
        memcpy(launch->finding + n, ": ", 3);
        va_list args;
        va_start(args, fmt);
        vsnprintf(launch->finding + n + 2, launch->room - n - 2, fmt, args);
        va_end(args);
    }
}

static void push(sim_warp *w, uint32_t mask, int32_t pc, int32_t meet)
{
    if (w->depth == SIM_MAX_PATHS) {
        sim_found(w, NULL, -1, "branches diverge more than %d deep", SIM_MAX_PATHS);
        return;
    }
    w->path[w->depth++] = (sim_path){mask, pc, meet};
}

/* Goes on with the next path that has lanes; those that have come to their meeting place are in the path below. */
static void settle(sim_warp *w)
{
    while (w->depth) {
        const sim_path *top = &w->path[w->depth - 1];
        if (top->mask && (top->meet < 0 || w->pc != top->meet))
            return;
        if (--w->depth)
            w->pc = w->path[w->depth - 1].pc;
    }
    w->ended = true;
}

static void branch(sim_warp *w, const sim_op *op, uint32_t taken)
{
    sim_path *top = &w->path[w->depth - 1];
    const uint32_t mask = top->mask, stays = mask & ~taken;
    const int32_t next = w->pc + 1;
    if (!stays || !taken) {
        w->pc = taken ? op->target : next;
        return;
    }
    if (op->meet >= 0 && top->meet == op->meet) {
        --w->depth; /* the path below waits there for these already */
    } else {
        top->pc = op->meet;
        if (op->meet < 0) /* they never meet: each goes its own way to the end */
            --w->depth;
    }
    if (next != op->meet)
        push(w, stays, next, op->meet);
    if (op->target != op->meet)
        push(w, taken, op->target, op->meet);
    w->pc = w->path[w->depth - 1].pc;
}

static void leave(sim_warp *w, uint32_t mask)
{
    w->exited |= mask;
    for (int i = 0; i < w->depth; ++i)
        w->path[i].mask &= ~mask;
    ++w->pc;
}

static void arrive(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const uint32_t alive = w->lanes & ~w->exited;
    if (mask != alive) {
        sim_found(w, op, -1, "barrier %u in divergent code: lanes 0x%x of 0x%x are here", op->arg, mask, alive);
        return;
    }
    w->waits = true;
    w->barrier = op->arg;
    ++w->pc;
}

static void propagate(sim_warp *w, const sim_op *op, uint32_t mask)
{
    uint32_t have = UINT32_MAX;
    for (int i = 0; i < op->n_src; ++i)
        have &= w->written[op->r[op->n_dst + i].id];
    for (int i = 0; i < op->n_dst; ++i)
        sim_set_written(w, op->r[i], mask, have);
}

void sim_run_warp(sim_warp *w)
{
    const sim_op *ops = w->block->kernel->ops;
    sim_launch *launch = w->block->launch;
    sim_count *counts = launch->counting ? w->block->kernel->counts : NULL;
    uint64_t steps = 0;
    while (!w->ended && !w->waits && !launch->finding[0]) {
        const sim_op *op = &ops[w->pc];
        const sim_path *top = &w->path[w->depth - 1];
        uint32_t mask = top->mask;
        if (++steps + launch->steps > launch->max_steps)
            sim_found(w, op, -1, "the launch has run %llu instructions and does not end", (unsigned long long)steps);
        if (op->guarded) {
            const uint32_t missing = mask & ~w->written[op->guard.id], p = *sim_pred(w, op->guard);
            if (missing)
                sim_found(w, op, __builtin_ctz(missing), "a condition comes from a register or memory that was never "
                                                         "written");
            mask &= op->guard_not ? ~p : p;
        }
        if (counts)
            ++counts[w->pc].runs;
        if (op->flow == SIM_PLAIN) {
            if (mask) {
                if (!op->own_written)
                    propagate(w, op, mask);
                op->run(w, op, mask);
            }
            if (++w->pc == top->meet)
                settle(w);
            continue;
        }
        switch ((sim_flow)op->flow) {
        case SIM_PLAIN: break;
        case SIM_BRANCH: branch(w, op, mask); break;
        case SIM_EXIT: leave(w, mask); break;
        case SIM_BARRIER:
            if (mask)
                arrive(w, op, mask);
            else
                ++w->pc;
            break;
        case SIM_TRAP:
            if (mask)
                sim_found(w, op, __builtin_ctz(mask), "trap");
            ++w->pc;
            break;
        }
        const sim_path *now = &w->path[w->depth - 1];
        if (!now->mask || now->meet == w->pc)
            settle(w);
    }
    launch->steps += steps;
    if (w->ended && w->n_copies && !launch->finding[0])
        sim_found(w, &ops[w->copies[0].pc], w->copies[0].lane, "the kernel ends before this cp.async is waited for");
}
