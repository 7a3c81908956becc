/* SPDX-License-Identifier: MIT
 * cp.async: a copy happens as late as it may, when its lane waits for its group. Until then its bytes of shared
 * memory are marked, and whoever touches them is found. */
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_memory.h"
#include "tests/cuda/sim/sim_ops.h"

#include <stdlib.h>
#include <string.h>

static void issue(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const sim_op from = {.wide = op->arg >> 8 & 1, .offset = (int64_t)(int32_t)op->target};
    const bool sized = op->n_src == 3;
    if (!sim_need_written(w, op, op->r[0], mask, "the address copied to") ||
        !sim_need_written(w, op, op->r[1], mask, "the address copied from") ||
        (sized && !sim_need_written(w, op, op->r[2], mask, "the size")))
        return;
    if (w->n_copies + SIM_LANES > w->cap_copies) {
        const size_t cap = 2 * w->cap_copies + SIM_LANES;
        sim_copy *copies = realloc(w->copies, cap * sizeof *copies);
        if (!copies) {
            sim_found(w, op, -1, "the test runtime is out of memory");
            return;
        }
        w->copies = copies;
        w->cap_copies = cap;
    }
    uint64_t sources[SIM_LANES] = {0}, places[SIM_LANES] = {0};
    uint32_t reads = 0;
    for (int l = 0; l < SIM_LANES; ++l) {
        if (!(mask >> l & 1))
            continue;
        sim_copy c = {.size = op->width, .lane = (uint8_t)l, .group = w->groups[l], .pc = w->pc};
        c.to = (uint32_t)sim_lane_address(w, op, op->r[0], l);
        c.from = sim_lane_address(w, &from, op->r[1], l);
        c.from_size = sized ? ((const uint32_t *)sim_lanes(w, op->r[2]))[l] : op->width;
        if (c.to % c.size || (c.from_size && c.from % c.size) || c.from_size > c.size) {
            sim_found(w, op, l, "copies %u of %u bytes from 0x%llx to offset %d of shared memory: not aligned, or too many",
                      c.from_size, c.size, (unsigned long long)c.from, (int)c.to - (int)SIM_SHARED_FIRST);
            return;
        }
        if (!sim_touch_shared(w, op, l, c.to, c.size, SIM_WRITE))
            return;
        for (uint32_t i = 0; i < c.size; ++i)
            w->block->shared_wrote[c.to - SIM_SHARED_FIRST + i] = SIM_PENDING;
        w->copies[w->n_copies++] = c;
        sources[l] = c.from;
        places[l] = c.to;
        reads |= (uint32_t)(c.from_size > 0) << l;
    }
    if (w->block->launch->counting) {
        sim_count_access(w, op, SIM_GLOBAL, sources, reads, op->width);
        sim_count_access(w, op, SIM_SHARED, places, mask, op->width);
    }
}

static bool land(sim_warp *w, const sim_copy *c)
{
    sim_block *b = w->block;
    const sim_op *op = &b->kernel->ops[c->pc];
    const uint32_t at = c->to - SIM_SHARED_FIRST;
    unsigned char bytes[16] = {0};
    if (c->from_size == c->size) {
        const unsigned char *from = sim_touch(w, op, c->lane, SIM_GLOBAL, c->from, c->size, SIM_READ);
        if (!from)
            return false;
        memcpy(bytes, from, c->size);
    }
    for (uint32_t i = 0; i < c->from_size && c->from_size < c->size; ++i) {
        const unsigned char *from = sim_touch(w, op, c->lane, SIM_GLOBAL, c->from + i, 1, SIM_READ);
        if (!from)
            return false;
        bytes[i] = *from;
    }
    memcpy(b->shared + at, bytes, c->size);
    for (uint32_t i = 0; i < c->size; ++i)
        b->shared_wrote[at + i] = w->me;
    return true;
}

/* Of each of `lanes`: the copies in groups before groups[lane]. */
static void land_copies(sim_warp *w, const uint32_t *groups, uint32_t lanes)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n_copies; ++i) {
        const sim_copy c = w->copies[i];
        if (lanes >> c.lane & 1 && c.group < groups[c.lane]) {
            if (!land(w, &c))
                return;
        } else {
            w->copies[kept++] = c;
        }
    }
    w->n_copies = kept;
}

static void commit(sim_warp *w, const sim_op *op, uint32_t mask)
{
    (void)op;
    for (int l = 0; l < SIM_LANES; ++l)
        w->groups[l] += mask >> l & 1;
}

static void wait_group(sim_warp *w, const sim_op *op, uint32_t mask)
{
    uint32_t groups[SIM_LANES];
    for (int l = 0; l < SIM_LANES; ++l)
        groups[l] = w->groups[l] > op->offset ? w->groups[l] - (uint32_t)op->offset : 0;
    land_copies(w, groups, mask);
}

static void wait_all(sim_warp *w, const sim_op *op, uint32_t mask)
{
    (void)op;
    uint32_t groups[SIM_LANES];
    memset(groups, 0xff, sizeof groups);
    land_copies(w, groups, mask);
}

bool ptx_decode_async(ptx_body *b, ptx_statement *s, sim_op *op)
{
    if (strcmp(s->name, "cp.async.commit_group") == 0) {
        ptx_want_operands(b, s, 0);
        op->run = commit;
        return true;
    }
    if (strcmp(s->name, "cp.async.wait_all") == 0) {
        ptx_want_operands(b, s, 0);
        op->run = wait_all;
        return true;
    }
    if (strcmp(s->name, "cp.async.wait_group") == 0) {
        uint64_t n;
        ptx_want_operands(b, s, 1);
        if (!ptx_number(s->operand[0], SIM_U32, &n))
            return false;
        op->offset = (int64_t)n;
        op->run = wait_group;
        return true;
    }
    if (s->n_words < 5 || strcmp(s->word[0], "cp") != 0 || strcmp(s->word[1], "async") != 0)
        return false;
    const bool shared = strcmp(s->word[3], "shared") == 0 || strcmp(s->word[3], "shared::cta") == 0;
    const bool cg = strcmp(s->word[2], "cg") == 0, ca = strcmp(s->word[2], "ca") == 0;
    if (!shared || (!cg && !ca) || strcmp(s->word[4], "global") != 0)
        return false;
    for (int i = 5; i < s->n_words; ++i)
        if (strncmp(s->word[i], "L2::", 4) != 0)
            return false;
    uint64_t size;
    if (s->n_operands != 3 && s->n_operands != 4)
        ptx_refuse(b->r, "'%s' with %d operands", s->name, s->n_operands);
    if (!ptx_number(s->operand[2], SIM_U32, &size) || (size != 16 && (cg || (size != 4 && size != 8))))
        ptx_refuse(b->r, "'%s' of %s bytes", s->name, s->operand[2]);
    op->width = (uint8_t)size;
    sim_op from = {0};
    ptx_address(b, s->operand[1], &from, 1);
    ptx_address(b, s->operand[0], op, 0);
    op->r[1] = from.r[1];
    op->arg = (uint32_t)from.wide << 8;
    if (from.offset != (int32_t)from.offset)
        ptx_refuse(b->r, "'%s' with an offset beyond 32 bits", s->name);
    op->target = (int32_t)from.offset; /* a plain operation jumps nowhere */
    if (s->n_operands == 4)
        op->r[2] = ptx_source(b, s->operand[3], SIM_B32);
    op->n_src = (uint8_t)(s->n_operands == 4 ? 3 : 2);
    op->own_written = 1;
    op->run = issue;
    return true;
}
