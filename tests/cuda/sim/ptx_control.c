/* SPDX-License-Identifier: MIT
 * Branches, returns, barriers; and where the lanes of a divergent branch meet again. */
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_ops.h"

#include <stdlib.h>
#include <string.h>

/* bar.warp.sync: the lanes it names must be here; in lockstep there is nothing else to do. */
static void warp_barrier(sim_warp *w, const sim_op *op, uint32_t mask)
{
    if (!sim_need_written(w, op, op->r[0], mask, "the member mask"))
        return;
    const uint32_t *m = sim_lanes(w, op->r[0]);
    const uint32_t first = m[__builtin_ctz(mask)];
    if ((first & w->lanes & ~w->exited) != mask)
        sim_found(w, op, -1, "the member mask is 0x%x, but the lanes that are here are 0x%x", first, mask);
}

static void nothing(sim_warp *w, const sim_op *op, uint32_t mask)
{
    (void)w;
    (void)op;
    (void)mask;
}

bool ptx_decode_control(ptx_body *b, ptx_statement *s, sim_op *op)
{
    const char *name = s->name;
    uint64_t number;
    if (strcmp(name, "bra") == 0 || strcmp(name, "bra.uni") == 0) {
        ptx_label use = {.op = (int32_t)b->k->n_ops};
        ptx_want_operands(b, s, 1);
        if (strlen(s->operand[0]) >= sizeof use.name)
            ptx_refuse(b->r, "a label longer than %zu characters", sizeof use.name - 1);
        strcpy(use.name, s->operand[0]);
        PTX_PUSH(b, b->uses, b->n_uses, b->cap_uses) = use;
        op->flow = SIM_BRANCH;
        return true;
    }
    if (strcmp(name, "ret") == 0 || strcmp(name, "exit") == 0 || strcmp(name, "ret.uni") == 0) {
        ptx_want_operands(b, s, 0);
        op->flow = SIM_EXIT;
        return true;
    }
    if (strcmp(name, "trap") == 0) {
        op->flow = SIM_TRAP;
        return true;
    }
    if (strcmp(name, "bar.sync") == 0 || strcmp(name, "barrier.sync") == 0 ||
        strcmp(name, "barrier.sync.aligned") == 0 || strcmp(name, "bar.cta.sync") == 0) {
        if (s->n_operands != 1 || !ptx_number(s->operand[0], SIM_U32, &number) || number > 15)
            ptx_refuse(b->r, "'%s': only barriers of the whole block, by their number", name);
        op->arg = (uint32_t)number;
        op->flow = SIM_BARRIER;
        return true;
    }
    if (strcmp(name, "bar.warp.sync") == 0) {
        ptx_want_operands(b, s, 1);
        op->r[0] = ptx_source(b, s->operand[0], SIM_B32);
        op->n_src = 1;
        op->own_written = 1;
        op->run = warp_barrier;
        return true;
    }
    if (strncmp(name, "prefetch.", 9) == 0 || strcmp(name, "nop") == 0) {
        op->own_written = 1;
        op->run = nothing;
        return true;
    }
    return false;
}

/* ---- where lanes meet ---- */

/* Post-dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001), over single operations
 * from the end backwards: an operation has at most two successors. `exit` is one beyond the last. */
typedef struct flow {
    const sim_op *ops;
    int32_t n;
    int32_t *idom, *order, *number; /* order: reverse post-order of the reversed graph */
} flow;

static int successors(const flow *f, int32_t at, int32_t next[2])
{
    const sim_op *op = &f->ops[at];
    int n = 0;
    if (op->flow == SIM_EXIT || op->flow == SIM_TRAP)
        next[n++] = f->n;
    else if (op->flow == SIM_BRANCH)
        next[n++] = op->target;
    if ((op->flow != SIM_BRANCH && op->flow != SIM_EXIT && op->flow != SIM_TRAP) || op->guarded)
        next[n++] = at + 1;
    return n;
}

/* Numbers operations by a walk from the exit against the arrows. */
static void number_backwards(flow *f, int32_t *first, int32_t *from, int32_t *link, int32_t *stack)
{
    int32_t n_edges = 0, depth = 0, n = 0;
    for (int32_t i = 0; i <= f->n; ++i) {
        first[i] = -1;
        f->number[i] = -1;
    }
    for (int32_t i = 0; i < f->n; ++i) {
        int32_t next[2];
        for (int k = successors(f, i, next); k-- > 0; ++n_edges) {
            from[n_edges] = i;
            link[n_edges] = first[next[k]];
            first[next[k]] = n_edges;
        }
    }
    stack[depth++] = f->n;
    f->number[f->n] = -2;
    while (depth) { /* first[] is used up as the walk goes */
        const int32_t at = stack[depth - 1];
        if (first[at] < 0) {
            f->order[n] = at;
            f->number[at] = n++;
            --depth;
            continue;
        }
        const int32_t to = from[first[at]];
        first[at] = link[first[at]];
        if (f->number[to] == -1) {
            f->number[to] = -2;
            stack[depth++] = to;
        }
    }
    f->order[n] = -1; /* post-order; read from its end */
}

static int32_t meet_of(const flow *f, int32_t x, int32_t y)
{
    while (x != y) {
        while (f->number[x] < f->number[y])
            x = f->idom[x];
        while (f->number[y] < f->number[x])
            y = f->idom[y];
    }
    return x;
}

void ptx_find_meets(ptx_body *b)
{
    flow f = {.ops = b->k->ops, .n = (int32_t)b->k->n_ops};
    const size_t n = b->k->n_ops + 2;
    int32_t *room = malloc(n * 9 * sizeof *room);
    if (!room)
        ptx_refuse(b->r, "out of memory");
    f.idom = room;
    f.order = room + n;
    f.number = room + 2 * n;
    number_backwards(&f, room + 3 * n, room + 4 * n, room + 6 * n, room + 8 * n);
    for (int32_t i = 0; i <= f.n; ++i)
        f.idom[i] = -1;
    f.idom[f.n] = f.n;
    int32_t count = 0;
    while (f.order[count] >= 0)
        ++count;
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t i = count - 1; i-- > 0;) {
            const int32_t at = f.order[i];
            int32_t next[2], now = -1;
            for (int k = successors(&f, at, next); k-- > 0;)
                if (f.idom[next[k]] >= 0)
                    now = now < 0 ? next[k] : meet_of(&f, now, next[k]);
            if (now != f.idom[at]) {
                f.idom[at] = now;
                moved = true;
            }
        }
    }
    for (int32_t i = 0; i < f.n; ++i) /* the exit is nowhere to wait; nor is there one behind an endless loop */
        b->k->ops[i].meet = f.idom[i] == f.n ? -1 : f.idom[i];
    free(room);
}
