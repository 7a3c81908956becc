/* SPDX-License-Identifier: MIT
 * atom and red on whole numbers. Sums of floats are not there: their order would be left open. */
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_memory.h"
#include "tests/cuda/sim/sim_ops.h"

#include <string.h>

enum { ADD, MIN, MAX, AND, OR, XOR, EXCH, CAS, INC, DEC, KINDS };

static uint64_t changed(const sim_op *op, uint64_t old, uint64_t b, uint64_t c)
{
    const bool sign = op->type == SIM_S32 || op->type == SIM_S64;
    const int64_t so = op->width == 4 ? (int32_t)old : (int64_t)old, sb = op->width == 4 ? (int32_t)b : (int64_t)b;
    const bool less = sign ? sb < so : b < old;
    switch (op->arg) {
    case ADD: return old + b;
    case MIN: return less ? b : old;
    case MAX: return less ? old : b;
    case AND: return old & b;
    case OR: return old | b;
    case XOR: return old ^ b;
    case EXCH: return b;
    case CAS: return old == b ? c : old;
    case INC: return old >= b ? 0 : old + 1;
    default: return old == 0 || old > b ? b : old - 1;
    }
}

static uint64_t lane_of(sim_warp *w, sim_reg reg, int l, unsigned width)
{
    const void *lanes = sim_lanes(w, reg);
    return width == 4 ? ((const uint32_t *)lanes)[l] : ((const uint64_t *)lanes)[l];
}

static void atomic(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const sim_reg *src = op->r + op->n_dst;
    for (int i = 0; i < op->n_src; ++i)
        if (!sim_need_written(w, op, src[i], mask, "an operand of an atomic operation"))
            return;
    for (int l = 0; l < SIM_LANES; ++l) {
        if (!(mask >> l & 1))
            continue;
        unsigned char *at = sim_touch(w, op, l, (sim_space)op->space, sim_lane_address(w, op, src[0], l), op->width,
                                      SIM_ADD);
        if (!at)
            return;
        uint64_t old = 0;
        memcpy(&old, at, op->width);
        const uint64_t b = lane_of(w, src[1], l, op->width);
        const uint64_t now = changed(op, old, b, op->n_src > 2 ? lane_of(w, src[2], l, op->width) : 0);
        memcpy(at, &now, op->width);
        if (op->n_dst) {
            unsigned char *d = sim_lanes(w, op->r[0]);
            memcpy(d + (size_t)l * op->sizes, &old, op->sizes);
        }
    }
    if (op->n_dst)
        sim_set_written(w, op->r[0], mask, mask);
}

bool ptx_decode_atomic(ptx_body *b, ptx_statement *s, sim_op *op)
{
    static const char *const names[KINDS] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};
    const bool returns = strcmp(s->word[0], "atom") == 0;
    if (!returns && strcmp(s->word[0], "red") != 0)
        return false;
    const sim_type type = ptx_type(s->word[s->n_words - 1]);
    op->arg = KINDS;
    op->space = SIM_GENERIC;
    for (int i = 1; i < s->n_words - 1; ++i) {
        const char *word = s->word[i];
        uint32_t k = 0;
        while (k < KINDS && strcmp(names[k], word) != 0)
            ++k;
        if (k < KINDS)
            op->arg = k;
        else if (!ptx_space(word, &op->space) && strcmp(word, "relaxed") != 0 && strcmp(word, "gpu") != 0 &&
                 strcmp(word, "cta") != 0)
            return false;
    }
    const unsigned width = sim_type_size(type);
    if (op->arg == KINDS || (width != 4 && width != 8) || type == SIM_F32 || type == SIM_F64 || type > SIM_F64)
        return false;
    op->type = (uint8_t)type;
    op->width = op->sizes = (uint8_t)width;
    ptx_want_operands(b, s, 2 + returns + (op->arg == CAS));
    unsigned bytes;
    if (returns) {
        op->r[0] = ptx_destination(b, s->operand[0], &bytes);
        op->n_dst = 1;
        if (bytes < width)
            ptx_refuse(b->r, "'%s' into '%s', which has %u bits", s->name, s->operand[0], 8 * bytes);
        op->sizes = (uint8_t)bytes;
    }
    ptx_address(b, s->operand[returns], op, op->n_dst);
    for (int i = returns + 1; i < s->n_operands; ++i)
        op->r[i] = ptx_source(b, s->operand[i], type);
    op->n_src = (uint8_t)(s->n_operands - returns);
    op->own_written = 1;
    op->run = atomic;
    return true;
}
