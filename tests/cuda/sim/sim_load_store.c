/* SPDX-License-Identifier: MIT
 * ld and st: decoding and running. */
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_memory.h"
#include "tests/cuda/sim/sim_ops.h"

#include <inttypes.h>
#include <string.h>

uint64_t sim_lane_address(sim_warp *w, const sim_op *op, sim_reg reg, int lane)
{
    const void *base = sim_lanes(w, reg);
    const uint64_t from = op->wide ? ((const uint64_t *)base)[lane] : ((const uint32_t *)base)[lane];
    const uint64_t addr = from + (uint64_t)op->offset;
    return op->wide ? addr : (uint32_t)addr;
}

bool sim_need_written(sim_warp *w, const sim_op *op, sim_reg reg, uint32_t mask, const char *what)
{
    const uint32_t missing = mask & ~w->written[reg.id];
    if (!missing)
        return true;
    sim_found(w, op, __builtin_ctz(missing), "%s comes from a register or memory that was never written", what);
    return false;
}

/* Puts an element of `width` bytes into a lane of `bytes`, with its sign where the type has one. */
static inline void put(void *lanes, int lane, unsigned bytes, const unsigned char *from, unsigned width, bool sign)
{
    uint64_t v = 0;
    memcpy(&v, from, width);
    if (sign && width < 8 && v >> (8 * width - 1))
        v |= UINT64_MAX << 8 * width;
    switch (bytes) {
    case 2: ((uint16_t *)lanes)[lane] = (uint16_t)v; break;
    case 4: ((uint32_t *)lanes)[lane] = (uint32_t)v; break;
    default: ((uint64_t *)lanes)[lane] = v; break;
    }
}

/* The lanes' addresses; of lanes that are not active, anything. */
SIM_FAST static void addresses(sim_warp *w, const sim_op *op, sim_reg base, uint64_t addr[SIM_LANES])
{
    if (op->wide) {
        const uint64_t *from = sim_lanes(w, base);
        SIM_PER_LANE addr[l] = from[l] + (uint64_t)op->offset;
    } else {
        const uint32_t *from = sim_lanes(w, base);
        SIM_PER_LANE addr[l] = from[l] + (uint32_t)op->offset;
    }
}

static void put_lane(sim_warp *w, const sim_op *op, int l, const unsigned char *from)
{
    const bool sign = op->type == SIM_S8 || op->type == SIM_S16 || op->type == SIM_S32;
    for (unsigned i = 0; i < op->count; ++i)
        put(sim_lanes(w, op->r[i]), l, op->sizes, from + (size_t)i * op->width, op->width, sign);
}

/* Lane l's bytes are at from + addr[l]. */
SIM_FAST static void put_warp(sim_warp *w, const sim_op *op, const unsigned char *from, const uint64_t *addr,
                              uint32_t mask)
{
    if (op->width != 4 || op->sizes != 4) {
        for (uint32_t left = mask; left; left &= left - 1)
            put_lane(w, op, __builtin_ctz(left), from + addr[__builtin_ctz(left)]);
        return;
    }
    for (unsigned i = 0; i < op->count; ++i, from += 4) {
        uint32_t *d = sim_lanes(w, op->r[i]);
        if (mask == UINT32_MAX)
            for (int l = 0; l < SIM_LANES; ++l)
                memcpy(d + l, from + addr[l], 4);
        else
            for (uint32_t left = mask; left; left &= left - 1)
                memcpy(d + __builtin_ctz(left), from + addr[__builtin_ctz(left)], 4);
    }
}

static void load(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const unsigned size = (unsigned)op->width * op->count;
    const sim_reg base = op->r[op->count];
    uint64_t addr[SIM_LANES];
    uint32_t set = mask;
    if (!sim_need_written(w, op, base, mask, "the address"))
        return;
    addresses(w, op, base, addr);
    if (w->block->launch->counting)
        sim_count_access(w, op, (sim_space)op->space, addr, mask, size);
    const unsigned char *all = sim_touch_warp(w, (sim_space)op->space, addr, mask, size, SIM_READ);
    if (all)
        put_warp(w, op, all, addr, mask);
    for (uint32_t left = all ? 0 : mask; left; left &= left - 1) {
        const int l = __builtin_ctz(left);
        const unsigned char *from = sim_touch(w, op, l, (sim_space)op->space, addr[l], size, SIM_READ);
        if (!from)
            return;
        put_lane(w, op, l, from);
        if (w->local && from >= w->local && from < w->local + (size_t)SIM_LANES * w->block->kernel->local_bytes &&
            memchr(w->local_set + (from - w->local), 0, size))
            set &= ~(UINT32_C(1) << l); /* compilers spill what they do not need: judged where it is used */
    }
    for (unsigned i = 0; i < op->count; ++i)
        sim_set_written(w, op->r[i], mask, set);
}

/* Two lanes of one store that meet in a byte with different values: which one stays is left open. */
static void lanes_meet(sim_warp *w, const sim_op *op, const uint64_t *addr, uint32_t mask, unsigned size)
{
    uint64_t last = 0;
    bool rising = true;
    for (int l = 0; l < SIM_LANES; ++l)
        if (mask >> l & 1) {
            rising &= addr[l] >= last;
            last = addr[l] + size;
        }
    if (rising)
        return;
    for (int l = 0; l < SIM_LANES; ++l)
        for (int k = 0; k < l; ++k) {
            if (!(mask >> l & mask >> k & 1) || addr[l] - addr[k] + size - 1 >= 2 * size - 1)
                continue;
            bool same = addr[l] == addr[k];
            for (unsigned i = 0; same && i < op->count; ++i) {
                const unsigned char *v = sim_lanes(w, op->r[1 + i]);
                same = memcmp(v + (size_t)l * op->sizes, v + (size_t)k * op->sizes, op->width) == 0;
            }
            if (!same) {
                sim_found(w, op, l, "writes another value to 0x%" PRIx64 " than lane %d in the same instruction",
                          addr[l], k);
                return;
            }
        }
}

static void take_lane(sim_warp *w, const sim_op *op, int l, unsigned char *to)
{
    for (unsigned i = 0; i < op->count; ++i, to += op->width)
        memcpy(to, (const unsigned char *)sim_lanes(w, op->r[1 + i]) + (size_t)l * op->sizes, op->width);
}

static void store(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const unsigned size = (unsigned)op->width * op->count;
    uint64_t addr[SIM_LANES];
    if (!sim_need_written(w, op, op->r[0], mask, "the address"))
        return;
    addresses(w, op, op->r[0], addr);
    bool local = op->space == SIM_LOCAL;
    for (uint32_t left = op->space == SIM_GENERIC ? mask : 0; left; left &= left - 1)
        local |= addr[__builtin_ctz(left)] >> 60 == 2;
    if (!local) {
        for (unsigned i = 0; i < op->count; ++i)
            if (!sim_need_written(w, op, op->r[1 + i], mask, "the value stored"))
                return;
        lanes_meet(w, op, addr, mask, size);
    }
    if (w->block->launch->counting)
        sim_count_access(w, op, (sim_space)op->space, addr, mask, size);
    unsigned char *all = sim_stopped(w) || local ? NULL
                         : sim_touch_warp(w, (sim_space)op->space, addr, mask, size, SIM_WRITE);
    for (uint32_t left = all ? mask : 0; left; left &= left - 1)
        take_lane(w, op, __builtin_ctz(left), all + addr[__builtin_ctz(left)]);
    for (uint32_t left = all ? 0 : mask; left && !sim_stopped(w); left &= left - 1) {
        const int l = __builtin_ctz(left);
        unsigned char *to = sim_touch(w, op, l, (sim_space)op->space, addr[l], size, SIM_WRITE);
        if (!to)
            return;
        take_lane(w, op, l, to);
        for (unsigned i = 0; local && i < op->count; ++i)
            if (!(w->written[op->r[1 + i].id] >> l & 1) && to >= w->local)
                memset(w->local_set + (to - w->local) + i * op->width, 0, op->width);
    }
}

/* Words that change nothing here: cache hints, and orders that a warp in lockstep keeps anyway. */
static bool is_hint(const char *word)
{
    static const char *const hints[] = {"nc", "ca", "cg", "cs", "cv", "lu", "wb", "wt", "weak", "volatile"};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; ++i)
        if (strcmp(word, hints[i]) == 0)
            return true;
    return strncmp(word, "L1::", 4) == 0 || strncmp(word, "L2::", 4) == 0;
}

bool ptx_space(const char *word, uint8_t *space)
{
    static const struct {
        const char *name;
        sim_space space;
    } spaces[] = {{"global", SIM_GLOBAL}, {"shared", SIM_SHARED}, {"shared::cta", SIM_SHARED}, {"local", SIM_LOCAL},
                  {"param", SIM_PARAM}, {"param::entry", SIM_PARAM}, {"const", SIM_CONST}};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; ++i)
        if (strcmp(word, spaces[i].name) == 0) {
            *space = (uint8_t)spaces[i].space;
            return true;
        }
    return false;
}

bool ptx_decode_memory(ptx_body *b, ptx_statement *s, sim_op *op)
{
    const bool is_load = strcmp(s->word[0], "ld") == 0 || strcmp(s->word[0], "ldu") == 0;
    if (!is_load && strcmp(s->word[0], "st") != 0)
        return false;
    op->space = SIM_GENERIC;
    op->count = 1;
    op->type = SIM_NO_TYPE;
    for (int i = 1; i < s->n_words; ++i) {
        const char *word = s->word[i];
        const sim_type type = ptx_type(word);
        if (strcmp(word, "v2") == 0 || strcmp(word, "v4") == 0)
            op->count = (uint8_t)(word[1] - '0');
        else if (type != SIM_NO_TYPE)
            op->type = (uint8_t)type;
        else if (!ptx_space(word, &op->space) && !is_hint(word))
            ptx_refuse(b->r, "'%s' in '%s' is not in the instruction set of the test runtime", word, s->name);
    }
    op->width = (uint8_t)sim_type_size((sim_type)op->type);
    if (op->type == SIM_NO_TYPE || op->type == SIM_PRED || op->width * op->count > 16)
        ptx_refuse(b->r, "'%s' is not understood", s->name);
    ptx_want_operands(b, s, 2);
    char *parts[4];
    unsigned bytes;
    if (ptx_vector(b, s->operand[is_load ? 0 : 1], parts, 4) != op->count)
        ptx_refuse(b->r, "'%s' with another number of registers", s->name);
    ptx_address(b, s->operand[is_load ? 1 : 0], op, is_load ? op->count : 0);
    for (int i = 0; i < op->count; ++i) {
        op->r[is_load ? i : i + 1] = is_load ? ptx_destination(b, parts[i], &bytes)
                                             : ptx_any_source(b, parts[i], (sim_type)op->type, &bytes);
        if (bytes < op->width || (op->sizes && bytes != op->sizes && strcmp(parts[i], "_") != 0))
            ptx_refuse(b->r, "'%s': '%s' has %u bits", s->name, parts[i], 8 * bytes);
        if (op->sizes == 0 || strcmp(parts[i], "_") != 0)
            op->sizes = (uint8_t)bytes;
    }
    op->n_dst = is_load ? op->count : 0;
    op->n_src = is_load ? 1 : op->count + 1;
    op->own_written = 1;
    op->run = is_load ? load : store;
    return true;
}
