/* SPDX-License-Identifier: MIT
 * Instructions that work lane by lane: those with an exact name, comparisons, packing and unpacking. */
#include "tests/cuda/sim/lane_ops.h"
#include "tests/cuda/sim/ptx_decode.h"

#include <math.h>
#include <string.h>

static sim_type letter_type(char c)
{
    switch (c) {
    case 'h': return SIM_B16;
    case 'i': return SIM_B32;
    case 'l': return SIM_B64;
    case 'f': return SIM_F32;
    case 'd': return SIM_F64;
    default: return SIM_PRED;
    }
}

/* Predicates may stand negated in logic: "!%p1" becomes a register of its own only where hardware has it, in guards
 * and setp; elsewhere it is refused by ptx_source. */
static void take_operands(ptx_body *b, const ptx_statement *s, const char *signature, sim_op *op)
{
    int n = 0;
    bool dst = true;
    for (const char *c = signature; *c; ++c) {
        if (*c == ' ') {
            dst = false;
            continue;
        }
        if (n == s->n_operands)
            ptx_refuse(b->r, "'%s' with %d operands", s->name, s->n_operands);
        const sim_type type = letter_type(*c);
        if (dst) {
            unsigned bytes;
            op->r[n] = ptx_destination(b, s->operand[n], &bytes);
            if (bytes != (type == SIM_PRED ? 0 : sim_type_size(type)) && strcmp(s->operand[n], "_") != 0)
                ptx_refuse(b->r, "'%s' into '%s', which has %u bits", s->name, s->operand[n], 8 * bytes);
            ++op->n_dst;
        } else {
            op->r[n] = ptx_source(b, s->operand[n], type);
            ++op->n_src;
        }
        ++n;
    }
    ptx_want_operands(b, s, n);
}

bool ptx_decode_lanes(ptx_body *b, ptx_statement *s, sim_op *op)
{
    static const sim_entry *const tables[] = {sim_int_entries, sim_bit_entries, sim_float_entries, sim_double_entries,
                                              sim_half_entries, sim_exchange_entries};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; ++t)
        for (const sim_entry *e = tables[t]; e->name; ++e)
            if (strcmp(e->name, s->name) == 0) {
                take_operands(b, s, e->signature, op);
                op->run = e->run;
                op->own_written = e->own_written;
                return true;
            }
    return false;
}

enum { EQ, NE, LT, LE, GT, GE, EQU, NEU, LTU, LEU, GTU, GEU, NUM, NAN_, COMPARISONS };
enum { PLAIN, AND, OR, XOR };

static void merge(sim_warp *w, const sim_op *op, uint32_t mask, uint32_t got)
{
    const uint32_t how = op->arg >> 8 & 15;
    const int n_dst = op->n_dst;
    uint32_t other = got, inverse = ~got;
    if (how != PLAIN) {
        uint32_t c = *sim_pred(w, op->r[n_dst + 2]);
        if (op->arg >> 12 & 1)
            c = ~c;
        other = how == AND ? got & c : how == OR ? got | c : got ^ c;
        inverse = how == AND ? ~got & c : how == OR ? ~got | c : ~got ^ c;
    }
    uint32_t *d = sim_pred(w, op->r[0]);
    *d = (*d & ~mask) | (other & mask);
    if (n_dst == 2) {
        d = sim_pred(w, op->r[1]);
        *d = (*d & ~mask) | (inverse & mask);
    }
}

#define CASE(WHICH, EXPR)                                                                                              \
    case WHICH:                                                                                                        \
        for (int l = 0; l < SIM_LANES; ++l)                                                                            \
            got |= (uint32_t)((EXPR) ? 1 : 0) << l;                                                                    \
        break;
#define COMPARE(FN, T, UNORDERED)                                                                                      \
    SIM_FAST static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                            \
        const T *x = sim_lanes(w, op->r[op->n_dst]), *y = sim_lanes(w, op->r[op->n_dst + 1]);                          \
        uint32_t got = 0;                                                                                              \
        switch (op->arg & 255) {                                                                                       \
            CASE(EQ, x[l] == y[l])                                                                                     \
            CASE(NE, x[l] != y[l] && !UNORDERED(x[l], y[l]))                                                           \
            CASE(LT, x[l] < y[l])                                                                                      \
            CASE(LE, x[l] <= y[l])                                                                                     \
            CASE(GT, x[l] > y[l])                                                                                      \
            CASE(GE, x[l] >= y[l])                                                                                     \
            CASE(EQU, x[l] == y[l] || UNORDERED(x[l], y[l]))                                                           \
            CASE(NEU, x[l] != y[l])                                                                                    \
            CASE(LTU, x[l] < y[l] || UNORDERED(x[l], y[l]))                                                            \
            CASE(LEU, x[l] <= y[l] || UNORDERED(x[l], y[l]))                                                           \
            CASE(GTU, x[l] > y[l] || UNORDERED(x[l], y[l]))                                                            \
            CASE(GEU, x[l] >= y[l] || UNORDERED(x[l], y[l]))                                                           \
            CASE(NUM, !UNORDERED(x[l], y[l]))                                                                          \
            CASE(NAN_, UNORDERED(x[l], y[l]))                                                                          \
        }                                                                                                              \
        merge(w, op, mask, got);                                                                                       \
    }
#define NEVER(X, Y) false
#define IS_NAN(X, Y) ((X) != (X) || (Y) != (Y))
COMPARE(compare_u16, uint16_t, NEVER)
COMPARE(compare_s16, int16_t, NEVER)
COMPARE(compare_u32, uint32_t, NEVER)
COMPARE(compare_s32, int32_t, NEVER)
COMPARE(compare_u64, uint64_t, NEVER)
COMPARE(compare_s64, int64_t, NEVER)
COMPARE(compare_f32, float, IS_NAN)
COMPARE(compare_f64, double, IS_NAN)

bool ptx_decode_compare(ptx_body *b, ptx_statement *s, sim_op *op)
{
    static const char *const names[COMPARISONS] = {"eq", "ne", "lt", "le", "gt", "ge", "equ",
                                                   "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
    static const sim_handler handlers[SIM_NO_TYPE] = {
        [SIM_B16] = compare_u16, [SIM_U16] = compare_u16, [SIM_S16] = compare_s16, [SIM_B32] = compare_u32,
        [SIM_U32] = compare_u32, [SIM_S32] = compare_s32, [SIM_B64] = compare_u64, [SIM_U64] = compare_u64,
        [SIM_S64] = compare_s64, [SIM_F32] = compare_f32, [SIM_F64] = compare_f64,
    };
    if (strcmp(s->word[0], "setp") != 0)
        return false;
    const sim_type type = ptx_type(s->word[s->n_words - 1]);
    if (s->n_words < 3 || s->n_words > 5 || type == SIM_NO_TYPE || !handlers[type])
        return false;
    static const char *const unsigned_names[] = {"lo", "ls", "hi", "hs"};
    static const uint8_t unsigned_as[] = {LT, LE, GT, GE};
    uint32_t which = COMPARISONS, how = PLAIN;
    for (uint32_t i = 0; i < COMPARISONS; ++i)
        if (strcmp(names[i], s->word[1]) == 0)
            which = i;
    for (uint32_t i = 0; i < 4; ++i)
        if (strcmp(unsigned_names[i], s->word[1]) == 0)
            which = unsigned_as[i];
    for (int i = 2; i < s->n_words - 1; ++i) {
        if (strcmp(s->word[i], "and") == 0)
            how = AND;
        else if (strcmp(s->word[i], "or") == 0)
            how = OR;
        else if (strcmp(s->word[i], "xor") == 0)
            how = XOR;
        else /* .ftz too: it would have to flush the operands */
            return false;
    }
    if (which == COMPARISONS)
        return false;
    ptx_want_operands(b, s, how == PLAIN ? 3 : 4);
    unsigned bytes;
    char *second = strchr(s->operand[0], '|');
    if (second)
        *second++ = 0;
    op->r[op->n_dst++] = ptx_destination(b, s->operand[0], &bytes);
    if (bytes != 0)
        ptx_refuse(b->r, "'%s' into '%s', which is not a predicate", s->name, s->operand[0]);
    if (second)
        op->r[op->n_dst++] = ptx_destination(b, second, &bytes);
    op->r[op->n_dst] = ptx_source(b, s->operand[1], type);
    op->r[op->n_dst + 1] = ptx_source(b, s->operand[2], type);
    op->n_src = 2;
    uint32_t invert = 0;
    if (how != PLAIN) {
        invert = s->operand[3][0] == '!';
        op->r[op->n_dst + 2] = ptx_source(b, s->operand[3] + invert, SIM_PRED);
        op->n_src = 3;
    }
    op->arg = which | how << 8 | invert << 12;
    op->run = handlers[type];
    return true;
}

/* mov.b32 {%rs1, %rs2}, %r1 and back: the first part is the lowest. */
static void unpack(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const unsigned char *from = sim_lanes(w, op->r[op->n_dst]);
    const unsigned part = op->width, whole = part * op->count;
    for (int i = 0; i < op->count; ++i) {
        unsigned char *to = sim_lanes(w, op->r[i]);
        for (int l = 0; l < SIM_LANES; ++l)
            if (mask >> l & 1)
                memcpy(to + (size_t)l * part, from + (size_t)l * whole + (size_t)i * part, part);
    }
}

static void pack(sim_warp *w, const sim_op *op, uint32_t mask)
{
    unsigned char *to = sim_lanes(w, op->r[0]);
    const unsigned part = op->width, whole = part * op->count;
    for (int i = 0; i < op->count; ++i) {
        const unsigned char *from = sim_lanes(w, op->r[1 + i]);
        for (int l = 0; l < SIM_LANES; ++l)
            if (mask >> l & 1)
                memcpy(to + (size_t)l * whole + (size_t)i * part, from + (size_t)l * part, part);
    }
}

bool ptx_decode_pack(ptx_body *b, ptx_statement *s, sim_op *op)
{
    if (strcmp(s->word[0], "mov") != 0 || s->n_words != 2 || s->n_operands != 2)
        return false;
    const bool splits = s->operand[0][0] == '{', joins = s->operand[1][0] == '{';
    if (splits == joins)
        return false;
    const sim_type type = ptx_type(s->word[1]);
    const unsigned whole = sim_type_size(type);
    char *parts[4];
    unsigned bytes;
    const int n = ptx_vector(b, s->operand[splits ? 0 : 1], parts, 4);
    if ((n != 2 && n != 4) || (whole != 4 && whole != 8) || whole / (unsigned)n < 2)
        ptx_refuse(b->r, "'%s' with %d parts", s->name, n);
    const sim_type part = whole / (unsigned)n == 2 ? SIM_B16 : SIM_B32;
    op->width = (uint8_t)sim_type_size(part);
    op->count = (uint8_t)n;
    if (splits) {
        for (int i = 0; i < n; ++i) {
            op->r[i] = ptx_destination(b, parts[i], &bytes);
            if (bytes != op->width && strcmp(parts[i], "_") != 0)
                ptx_refuse(b->r, "'%s' into '%s', which has %u bits", s->name, parts[i], 8 * bytes);
        }
        op->r[n] = ptx_source(b, s->operand[1], type);
    } else {
        op->r[0] = ptx_destination(b, s->operand[0], &bytes);
        if (bytes != whole)
            ptx_refuse(b->r, "'%s' into '%s', which has %u bits", s->name, s->operand[0], 8 * bytes);
        for (int i = 0; i < n; ++i)
            op->r[1 + i] = ptx_source(b, parts[i], part);
    }
    op->n_dst = (uint8_t)(splits ? n : 1);
    op->n_src = (uint8_t)(splits ? 1 : n);
    op->run = splits ? unpack : pack;
    return true;
}
