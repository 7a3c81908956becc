/* SPDX-License-Identifier: MIT
 * Compilers name a new register for every value: thousands. Those whose lives do not overlap share a place here,
 * which keeps a warp's registers in the processor's cache. A register that some path reads before anything wrote it
 * keeps a place of its own, so that the masks of written lanes still tell. */
#include "tests/cuda/sim/ptx_decode.h"

#include <stdlib.h>
#include <string.h>

typedef struct lives {
    const sim_op *ops;
    int32_t n_ops;
    size_t n_regs, words;     /* of 64 registers */
    int32_t *leader, n_blocks; /* first operation of each stretch without jumps */
    uint64_t *in, *out;
    int32_t *from, *to;        /* of each register; to < from: never used */
} lives;

static bool has(const uint64_t *set, size_t reg)
{
    return set[reg / 64] >> reg % 64 & 1;
}
static void add(uint64_t *set, size_t reg)
{
    set[reg / 64] |= UINT64_C(1) << reg % 64;
}
static void drop(uint64_t *set, size_t reg)
{
    set[reg / 64] &= ~(UINT64_C(1) << reg % 64);
}

static bool ends_block(const sim_op *op)
{
    return op->flow == SIM_BRANCH || op->flow == SIM_EXIT || op->flow == SIM_TRAP;
}

static int32_t block_of(const lives *v, int32_t op)
{
    int32_t low = 0, high = v->n_blocks - 1;
    while (low < high) {
        const int32_t mid = (low + high + 1) / 2;
        if (v->leader[mid] <= op)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

/* Backwards over one operation: what it writes (surely) dies, what it reads lives. */
static void step(const sim_op *op, uint64_t *live)
{
    for (int i = 0; i < op->n_dst && !op->guarded; ++i)
        drop(live, op->r[i].id);
    for (int i = 0; i < op->n_src; ++i)
        add(live, op->r[op->n_dst + i].id);
    if (op->guarded)
        add(live, op->guard.id);
}

static void flow_back(lives *v)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t k = v->n_blocks; k-- > 0;) {
            const int32_t last = (k + 1 < v->n_blocks ? v->leader[k + 1] : v->n_ops) - 1;
            const sim_op *op = &v->ops[last];
            uint64_t *out = v->out + (size_t)k * v->words, *in = v->in + (size_t)k * v->words;
            if ((!ends_block(op) || op->guarded) && k + 1 < v->n_blocks)
                for (size_t i = 0; i < v->words; ++i)
                    out[i] |= in[v->words + i];
            if (op->flow == SIM_BRANCH) {
                const uint64_t *there = v->in + (size_t)block_of(v, op->target) * v->words;
                for (size_t i = 0; i < v->words; ++i)
                    out[i] |= there[i];
            }
            uint64_t *live = v->out + (size_t)v->n_blocks * v->words; /* one more for work */
            memcpy(live, out, v->words * sizeof *live);
            for (int32_t i = last; i >= v->leader[k]; --i)
                step(&v->ops[i], live);
            if (memcmp(live, in, v->words * sizeof *live) != 0) {
                memcpy(in, live, v->words * sizeof *live);
                moved = true;
            }
        }
    }
}

static void stretch(lives *v, size_t reg, int32_t at)
{
    if (at < v->from[reg])
        v->from[reg] = at;
    if (at > v->to[reg])
        v->to[reg] = at;
}

static void measure(lives *v)
{
    for (size_t r = 0; r < v->n_regs; ++r) {
        v->from[r] = v->n_ops;
        v->to[r] = -1;
    }
    for (int32_t k = 0; k < v->n_blocks; ++k) {
        const int32_t first = v->leader[k], last = (k + 1 < v->n_blocks ? v->leader[k + 1] : v->n_ops) - 1;
        for (size_t r = 0; r < v->n_regs; ++r) {
            if (has(v->in + (size_t)k * v->words, r))
                stretch(v, r, first);
            if (has(v->out + (size_t)k * v->words, r))
                stretch(v, r, last);
        }
        for (int32_t i = first; i <= last; ++i) {
            for (int j = 0; j < v->ops[i].n_dst + v->ops[i].n_src; ++j)
                stretch(v, v->ops[i].r[j].id, i);
            if (v->ops[i].guarded)
                stretch(v, v->ops[i].guard.id, i);
        }
    }
}

static const int32_t *sort_from;
static int earlier(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return sort_from[x] != sort_from[y] ? (sort_from[x] < sort_from[y] ? -1 : 1) : x < y ? -1 : x > y;
}

/* Linear scan, a pool for each size of a lane. */
static void share(const lives *v, ptx_body *b, const bool *alone, sim_reg *place)
{
    uint32_t *order = malloc(v->n_regs * sizeof *order), units = 0, ids = 0;
    int32_t *busy = malloc(v->n_regs * sizeof *busy); /* until which operation each id is taken */
    uint8_t *id_size = malloc(v->n_regs);
    uint32_t *id_at = malloc(v->n_regs * sizeof *id_at);
    if (order && busy && id_size && id_at) {
        for (size_t r = 0; r < v->n_regs; ++r)
            order[r] = (uint32_t)r;
        sort_from = v->from;
        qsort(order, v->n_regs, sizeof *order, earlier);
        for (size_t i = 0; i < v->n_regs; ++i) {
            const uint32_t r = order[i];
            if (v->to[r] < v->from[r] && !alone[r])
                continue;
            uint32_t id = 0;
            while (id < ids && (alone[r] || id_size[id] != b->sizes[r] || busy[id] >= v->from[r]))
                ++id;
            if (id == ids) {
                id_at[id] = units;
                id_size[id] = b->sizes[r];
                units += b->sizes[r] ? b->sizes[r] / 2u : 1;
                ++ids;
            }
            busy[id] = alone[r] ? INT32_MAX : v->to[r];
            place[r] = (sim_reg){.at = (uint16_t)id_at[id], .id = (uint16_t)id};
        }
    } else {
        ids = 0;
    }
    free(order);
    free(busy);
    free(id_size);
    free(id_at);
    if (!ids || units > UINT16_MAX)
        ptx_refuse(b->r, ids ? "too many registers are alive at once" : "out of memory");
    b->k->file_units = units;
    b->k->n_regs = ids;
}

void ptx_place_registers(ptx_body *b)
{
    sim_kernel *k = b->k;
    (void)ptx_new_register(b, SIM_PRED); /* there is at least one */
    lives v = {.ops = k->ops, .n_ops = (int32_t)k->n_ops, .n_regs = b->n_sizes, .words = (b->n_sizes + 63) / 64};
    bool *leads = calloc(k->n_ops + 1, sizeof *leads), *alone = calloc(v.n_regs, sizeof *alone);
    v.leader = malloc(k->n_ops * sizeof *v.leader);
    v.from = malloc(v.n_regs * sizeof *v.from);
    v.to = malloc(v.n_regs * sizeof *v.to);
    sim_reg *place = calloc(v.n_regs, sizeof *place);
    if (leads && alone && v.leader && v.from && v.to && place) {
        leads[0] = true;
        for (size_t i = 0; i < k->n_ops; ++i) {
            if (k->ops[i].flow == SIM_BRANCH)
                leads[k->ops[i].target] = true;
            if (ends_block(&k->ops[i]))
                leads[i + 1] = true;
        }
        for (size_t i = 0; i < k->n_ops; ++i)
            if (leads[i])
                v.leader[v.n_blocks++] = (int32_t)i;
        v.in = calloc(((size_t)v.n_blocks + 1) * v.words, sizeof *v.in);
        v.out = calloc(((size_t)v.n_blocks + 1) * v.words, sizeof *v.out);
    }
    if (v.in && v.out) {
        flow_back(&v);
        measure(&v);
        for (size_t r = 0; r < v.n_regs; ++r)
            alone[r] = has(v.in, r);
        for (size_t i = 0; i < k->n_constants; ++i)
            alone[k->constants[i].reg.id] = true;
        for (int i = 0; i < SIM_SPECIALS; ++i)
            if (k->has_special[i])
                alone[k->special[i].id] = true;
        share(&v, b, alone, place);
        for (size_t i = 0; i < k->n_ops; ++i) {
            for (int j = 0; j < k->ops[i].n_dst + k->ops[i].n_src; ++j)
                k->ops[i].r[j] = place[k->ops[i].r[j].id];
            if (k->ops[i].guarded)
                k->ops[i].guard = place[k->ops[i].guard.id];
        }
        for (size_t i = 0; i < k->n_constants; ++i)
            k->constants[i].reg = place[k->constants[i].reg.id];
        for (int i = 0; i < SIM_SPECIALS; ++i)
            k->special[i] = place[k->special[i].id];
    }
    const bool done = v.in && v.out;
    free(leads);
    free(alone);
    free(v.leader);
    free(v.from);
    free(v.to);
    free(v.in);
    free(v.out);
    free(place);
    if (!done)
        ptx_refuse(b->r, "out of memory");
}
