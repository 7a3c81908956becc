/* SPDX-License-Identifier: MIT
 * Bits: logic, shifts, fields, permutations; moves and selections. */
#include "tests/cuda/sim/lane_ops.h"

SIM_BINARY(and16, uint16_t, uint16_t, uint16_t, x & y)
SIM_BINARY(and32, uint32_t, uint32_t, uint32_t, x & y)
SIM_BINARY(and64, uint64_t, uint64_t, uint64_t, x & y)
SIM_BINARY(or16, uint16_t, uint16_t, uint16_t, x | y)
SIM_BINARY(or32, uint32_t, uint32_t, uint32_t, x | y)
SIM_BINARY(or64, uint64_t, uint64_t, uint64_t, x | y)
SIM_BINARY(xor16, uint16_t, uint16_t, uint16_t, x ^ y)
SIM_BINARY(xor32, uint32_t, uint32_t, uint32_t, x ^ y)
SIM_BINARY(xor64, uint64_t, uint64_t, uint64_t, x ^ y)
SIM_UNARY(not16, uint16_t, uint16_t, ~x)
SIM_UNARY(not32, uint32_t, uint32_t, ~x)
SIM_UNARY(not64, uint64_t, uint64_t, ~x)
SIM_UNARY(mov16, uint16_t, uint16_t, x)
SIM_UNARY(mov32, uint32_t, uint32_t, x)
SIM_UNARY(mov64, uint64_t, uint64_t, x)

/* Shifts by the width or more give what a shift by ever one more bit ends in. */
SIM_BINARY(shl16, uint16_t, uint16_t, uint32_t, y > 15 ? 0 : (uint32_t)x << y)
SIM_BINARY(shl32, uint32_t, uint32_t, uint32_t, y > 31 ? 0 : x << y)
SIM_BINARY(shl64, uint64_t, uint64_t, uint32_t, y > 63 ? 0 : x << y)
SIM_BINARY(shr_u16, uint16_t, uint16_t, uint32_t, y > 15 ? 0 : x >> y)
SIM_BINARY(shr_u32, uint32_t, uint32_t, uint32_t, y > 31 ? 0 : x >> y)
SIM_BINARY(shr_u64, uint64_t, uint64_t, uint32_t, y > 63 ? 0 : x >> y)
SIM_BINARY(shr_s16, int16_t, int16_t, uint32_t, x >> (y > 15 ? 15 : y))
SIM_BINARY(shr_s32, int32_t, int32_t, uint32_t, x >> (y > 31 ? 31 : y))
SIM_BINARY(shr_s64, int64_t, int64_t, uint32_t, x >> (y > 63 ? 63 : y))

/* Two words, low (x) and high (y), shifted as one. */
static inline uint32_t funnel(uint32_t x, uint32_t y, uint32_t by, bool left)
{
    const uint64_t both = (uint64_t)y << 32 | x;
    return left ? (uint32_t)(both << by >> 32) : (uint32_t)(both >> by);
}
SIM_TERNARY(shf_l_wrap, uint32_t, uint32_t, uint32_t, uint32_t, funnel(x, y, z & 31, true))
SIM_TERNARY(shf_r_wrap, uint32_t, uint32_t, uint32_t, uint32_t, funnel(x, y, z & 31, false))
SIM_TERNARY(shf_l_clamp, uint32_t, uint32_t, uint32_t, uint32_t, funnel(x, y, z > 32 ? 32 : z, true))
SIM_TERNARY(shf_r_clamp, uint32_t, uint32_t, uint32_t, uint32_t, funnel(x, y, z > 32 ? 32 : z, false))

SIM_UNARY(popc32, uint32_t, uint32_t, __builtin_popcount(x))
SIM_UNARY(popc64, uint32_t, uint64_t, __builtin_popcountll(x))
SIM_UNARY(clz32, uint32_t, uint32_t, x ? __builtin_clz(x) : 32)
SIM_UNARY(clz64, uint32_t, uint64_t, x ? __builtin_clzll(x) : 64)
SIM_UNARY(bfind_u32, uint32_t, uint32_t, x ? 31 - (uint32_t)__builtin_clz(x) : UINT32_MAX)

static inline uint32_t reverse(uint32_t x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
SIM_UNARY(brev32, uint32_t, uint32_t, reverse(x))

/* bfe: `len` bits from `pos` on, the sign bit (or zero) beyond; past the top the top bit is taken. */
static inline uint64_t field(uint64_t x, uint32_t pos, uint32_t len, unsigned bits, bool is_signed)
{
    pos &= 255;
    len &= 255;
    const uint64_t all = bits == 64 ? UINT64_MAX : UINT32_MAX;
    const unsigned top = bits - 1;
    const unsigned last = pos + len - 1 > top || pos + len == 0 ? top : pos + len - 1;
    const uint64_t sign = is_signed && len && (x >> (pos + len == 0 ? 0 : last) & 1) ? all : 0;
    uint64_t got = pos > top ? 0 : x >> pos;
    const unsigned have = pos > top ? 0 : len > bits - pos ? bits - pos : len;
    const uint64_t keep = have >= 64 ? UINT64_MAX : (UINT64_C(1) << have) - 1;
    got = (got & keep) | (sign & ~keep);
    return got & all;
}
SIM_TERNARY(bfe_u32, uint32_t, uint32_t, uint32_t, uint32_t, field(x, y, z, 32, false))
SIM_TERNARY(bfe_s32, uint32_t, uint32_t, uint32_t, uint32_t, field(x, y, z, 32, true))
SIM_TERNARY(bfe_u64, uint64_t, uint64_t, uint32_t, uint32_t, field(x, y, z, 64, false))
SIM_TERNARY(bfe_s64, uint64_t, uint64_t, uint32_t, uint32_t, field(x, y, z, 64, true))

static inline uint64_t insert(uint64_t from, uint64_t into, uint32_t pos, uint32_t len, unsigned bits)
{
    pos &= 255;
    len &= 255;
    if (pos >= bits || len == 0)
        return into;
    const uint64_t ones = len >= 64 ? UINT64_MAX : (UINT64_C(1) << len) - 1;
    return (into & ~(ones << pos)) | (from & ones) << pos;
}
#define INSERT(FN, T, BITS)                                                                                            \
    static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                                     \
        T *d = sim_lanes(w, op->r[0]);                                                                                 \
        const T *a = sim_lanes(w, op->r[1]), *b = sim_lanes(w, op->r[2]);                                              \
        const uint32_t *pos = sim_lanes(w, op->r[3]), *len = sim_lanes(w, op->r[4]);                                   \
        SIM_LOOP(T, d[l] = (T)insert(a[l], b[l], pos[l], len[l], BITS))                                                \
    }
INSERT(bfi32, uint32_t, 32)
INSERT(bfi64, uint64_t, 64)

/* prmt, default mode: each nibble of z picks one of the eight bytes of y:x, or its sign spread over the byte. */
static inline uint32_t permute(uint32_t x, uint32_t y, uint32_t z)
{
    const uint64_t bytes = (uint64_t)y << 32 | x;
    uint32_t got = 0;
    for (int i = 0; i < 4; ++i) {
        const uint32_t pick = z >> 4 * i & 15;
        uint32_t byte = (uint32_t)(bytes >> 8 * (pick & 7)) & 255;
        if (pick & 8)
            byte = byte & 128 ? 255 : 0;
        got |= byte << 8 * i;
    }
    return got;
}
SIM_TERNARY(prmt, uint32_t, uint32_t, uint32_t, uint32_t, permute(x, y, z))

static void lop3(sim_warp *w, const sim_op *op, uint32_t mask)
{
    uint32_t *d = sim_lanes(w, op->r[0]);
    const uint32_t *a = sim_lanes(w, op->r[1]), *b = sim_lanes(w, op->r[2]), *c = sim_lanes(w, op->r[3]);
    const uint32_t *table = sim_lanes(w, op->r[4]);
    for (int l = 0; l < SIM_LANES; ++l) {
        if (!(mask >> l & 1))
            continue;
        uint32_t got = 0;
        for (int i = 0; i < 8; ++i)
            if (table[l] >> i & 1)
                got |= (i & 4 ? a[l] : ~a[l]) & (i & 2 ? b[l] : ~b[l]) & (i & 1 ? c[l] : ~c[l]);
        d[l] = got;
    }
}

#define PREDICATE(FN, EXPR)                                                                                            \
    static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                                     \
        uint32_t *d = sim_pred(w, op->r[0]);                                                                           \
        const uint32_t x = *sim_pred(w, op->r[1]), y = *sim_pred(w, op->r[op->n_src > 1 ? 2 : 1]);                     \
        (void)y;                                                                                                       \
        *d = (*d & ~mask) | ((EXPR) & mask);                                                                           \
    }
PREDICATE(and_pred, x &y)
PREDICATE(or_pred, x | y)
PREDICATE(xor_pred, x ^ y)
PREDICATE(not_pred, ~x)
PREDICATE(mov_pred, x)

/* What is not picked need not have been written. */
#define SELECT(FN, T)                                                                                                  \
    SIM_FAST static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                            \
        T *d = sim_lanes(w, op->r[0]);                                                                                 \
        const T *a = sim_lanes(w, op->r[1]), *b = sim_lanes(w, op->r[2]);                                              \
        const uint32_t p = *sim_pred(w, op->r[3]);                                                                     \
        const uint32_t have = (p & w->written[op->r[1].id]) | (~p & w->written[op->r[2].id]);                          \
        sim_set_written(w, op->r[0], mask, have & w->written[op->r[3].id]);                                            \
        SIM_LOOP(T, const T x = a[l]; const T y = b[l]; d[l] = p >> l & 1 ? x : y)                                     \
    }
SELECT(selp16, uint16_t)
SELECT(selp32, uint32_t)
SELECT(selp64, uint64_t)

#define THREE(OP, SIG16, SIG32, SIG64, F16, F32, F64)                                                                  \
    {OP ".b16", SIG16, F16, 0}, {OP ".b32", SIG32, F32, 0}, { OP ".b64", SIG64, F64, 0 }
#define KINDS(OP, SIG16, SIG32, SIG64, SIGF, SIGD, F16, F32, F64, OWN)                                                 \
    {OP ".b16", SIG16, F16, OWN}, {OP ".u16", SIG16, F16, OWN}, {OP ".s16", SIG16, F16, OWN},                          \
        {OP ".b32", SIG32, F32, OWN}, {OP ".u32", SIG32, F32, OWN}, {OP ".s32", SIG32, F32, OWN},                      \
        {OP ".b64", SIG64, F64, OWN}, {OP ".u64", SIG64, F64, OWN}, {OP ".s64", SIG64, F64, OWN},                      \
        {OP ".f32", SIGF, F32, OWN}, {OP ".f64", SIGD, F64, OWN}

const sim_entry sim_bit_entries[] = {
    THREE("and", "h hh", "i ii", "l ll", and16, and32, and64),
    THREE("or", "h hh", "i ii", "l ll", or16, or32, or64),
    THREE("xor", "h hh", "i ii", "l ll", xor16, xor32, xor64),
    THREE("not", "h h", "i i", "l l", not16, not32, not64),
    THREE("shl", "h hi", "i ii", "l li", shl16, shl32, shl64),
    THREE("shr", "h hi", "i ii", "l li", shr_u16, shr_u32, shr_u64),
    {"shr.u16", "h hi", shr_u16, 0},
    {"shr.u32", "i ii", shr_u32, 0},
    {"shr.u64", "l li", shr_u64, 0},
    {"shr.s16", "h hi", shr_s16, 0},
    {"shr.s32", "i ii", shr_s32, 0},
    {"shr.s64", "l li", shr_s64, 0},
    {"shf.l.wrap.b32", "i iii", shf_l_wrap, 0},
    {"shf.r.wrap.b32", "i iii", shf_r_wrap, 0},
    {"shf.l.clamp.b32", "i iii", shf_l_clamp, 0},
    {"shf.r.clamp.b32", "i iii", shf_r_clamp, 0},
    {"popc.b32", "i i", popc32, 0},
    {"popc.b64", "i l", popc64, 0},
    {"clz.b32", "i i", clz32, 0},
    {"clz.b64", "i l", clz64, 0},
    {"bfind.u32", "i i", bfind_u32, 0},
    {"brev.b32", "i i", brev32, 0},
    {"bfe.u32", "i iii", bfe_u32, 0},
    {"bfe.s32", "i iii", bfe_s32, 0},
    {"bfe.u64", "l lii", bfe_u64, 0},
    {"bfe.s64", "l lii", bfe_s64, 0},
    {"bfi.b32", "i iiii", bfi32, 0},
    {"bfi.b64", "l llii", bfi64, 0},
    {"prmt.b32", "i iii", prmt, 0},
    {"lop3.b32", "i iiii", lop3, 0},
    {"and.pred", "p pp", and_pred, 0},
    {"or.pred", "p pp", or_pred, 0},
    {"xor.pred", "p pp", xor_pred, 0},
    {"not.pred", "p p", not_pred, 0},
    {"mov.pred", "p p", mov_pred, 0},
    KINDS("mov", "h h", "i i", "l l", "f f", "d d", mov16, mov32, mov64, 0),
    KINDS("selp", "h hhp", "i iip", "l llp", "f ffp", "d ddp", selp16, selp32, selp64, 1),
    {NULL, NULL, NULL, 0},
};
