/* SPDX-License-Identifier: MIT
 * Whole-number arithmetic. Sums and products wrap, so they are taken unsigned. */
#include "tests/cuda/sim/lane_ops.h"

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

SIM_BINARY(add16, uint16_t, uint16_t, uint16_t, x + y)
SIM_BINARY(add32, uint32_t, uint32_t, uint32_t, x + y)
SIM_BINARY(add64, uint64_t, uint64_t, uint64_t, x + y)
SIM_BINARY(sub16, uint16_t, uint16_t, uint16_t, x - y)
SIM_BINARY(sub32, uint32_t, uint32_t, uint32_t, x - y)
SIM_BINARY(sub64, uint64_t, uint64_t, uint64_t, x - y)
SIM_BINARY(mul16, uint16_t, uint16_t, uint16_t, (uint32_t)x * y)
SIM_BINARY(mul32, uint32_t, uint32_t, uint32_t, x * y)
SIM_BINARY(mul64, uint64_t, uint64_t, uint64_t, x * y)
SIM_BINARY(hi_u16, uint16_t, uint16_t, uint16_t, (uint32_t)x * y >> 16)
SIM_BINARY(hi_s16, int16_t, int16_t, int16_t, (int32_t)x * y >> 16)
SIM_BINARY(hi_u32, uint32_t, uint32_t, uint32_t, (uint64_t)x * y >> 32)
SIM_BINARY(hi_s32, int32_t, int32_t, int32_t, (int64_t)x * y >> 32)
SIM_BINARY(hi_u64, uint64_t, uint64_t, uint64_t, (uint128)x * y >> 64)
SIM_BINARY(hi_s64, int64_t, int64_t, int64_t, (int128)x * y >> 64)
SIM_BINARY(wide_u16, uint32_t, uint16_t, uint16_t, (uint32_t)x * y)
SIM_BINARY(wide_s16, int32_t, int16_t, int16_t, (int32_t)x * y)
SIM_BINARY(wide_u32, uint64_t, uint32_t, uint32_t, (uint64_t)x * y)
SIM_BINARY(wide_s32, int64_t, int32_t, int32_t, (int64_t)x * y)
SIM_TERNARY(mad16, uint16_t, uint16_t, uint16_t, uint16_t, (uint32_t)x * y + z)
SIM_TERNARY(mad32, uint32_t, uint32_t, uint32_t, uint32_t, x * y + z)
SIM_TERNARY(mad64, uint64_t, uint64_t, uint64_t, uint64_t, x * y + z)
SIM_TERNARY(mad_hi_u32, uint32_t, uint32_t, uint32_t, uint32_t, (uint32_t)((uint64_t)x * y >> 32) + z)
SIM_TERNARY(mad_hi_s32, uint32_t, int32_t, int32_t, uint32_t, (uint32_t)((int64_t)x * y >> 32) + z)
SIM_TERNARY(mad_wide_u16, uint32_t, uint16_t, uint16_t, uint32_t, (uint32_t)x * y + z)
SIM_TERNARY(mad_wide_s16, uint32_t, int16_t, int16_t, uint32_t, (uint32_t)((int32_t)x * y) + z)
SIM_TERNARY(mad_wide_u32, uint64_t, uint32_t, uint32_t, uint64_t, (uint64_t)x * y + z)
SIM_TERNARY(mad_wide_s32, uint64_t, int32_t, int32_t, uint64_t, (uint64_t)((int64_t)x * y) + z)

/* Division by zero gives no trap there: all ones, and the dividend as remainder (what sm_80 does; PTX leaves it
 * open). INT_MIN / -1 wraps. */
SIM_BINARY(div_u16, uint16_t, uint16_t, uint16_t, y ? x / y : UINT16_MAX)
SIM_BINARY(div_s16, int16_t, int16_t, int16_t, y ? x / y : -1)
SIM_BINARY(div_u32, uint32_t, uint32_t, uint32_t, y ? x / y : UINT32_MAX)
SIM_BINARY(div_s32, int32_t, int32_t, int32_t, y ? (int64_t)x / y : -1)
SIM_BINARY(div_u64, uint64_t, uint64_t, uint64_t, y ? x / y : UINT64_MAX)
SIM_BINARY(div_s64, int64_t, int64_t, int64_t, y == 0 ? -1 : y == -1 ? (int64_t)(UINT64_C(0) - (uint64_t)x) : x / y)
SIM_BINARY(rem_u16, uint16_t, uint16_t, uint16_t, y ? x % y : x)
SIM_BINARY(rem_s16, int16_t, int16_t, int16_t, y ? x % y : x)
SIM_BINARY(rem_u32, uint32_t, uint32_t, uint32_t, y ? x % y : x)
SIM_BINARY(rem_s32, int32_t, int32_t, int32_t, y ? (int64_t)x % y : x)
SIM_BINARY(rem_u64, uint64_t, uint64_t, uint64_t, y ? x % y : x)
SIM_BINARY(rem_s64, int64_t, int64_t, int64_t, y == 0 ? x : y == -1 ? 0 : x % y)

SIM_BINARY(min_u16, uint16_t, uint16_t, uint16_t, x < y ? x : y)
SIM_BINARY(min_s16, int16_t, int16_t, int16_t, x < y ? x : y)
SIM_BINARY(min_u32, uint32_t, uint32_t, uint32_t, x < y ? x : y)
SIM_BINARY(min_s32, int32_t, int32_t, int32_t, x < y ? x : y)
SIM_BINARY(min_u64, uint64_t, uint64_t, uint64_t, x < y ? x : y)
SIM_BINARY(min_s64, int64_t, int64_t, int64_t, x < y ? x : y)
SIM_BINARY(max_u16, uint16_t, uint16_t, uint16_t, x > y ? x : y)
SIM_BINARY(max_s16, int16_t, int16_t, int16_t, x > y ? x : y)
SIM_BINARY(max_u32, uint32_t, uint32_t, uint32_t, x > y ? x : y)
SIM_BINARY(max_s32, int32_t, int32_t, int32_t, x > y ? x : y)
SIM_BINARY(max_u64, uint64_t, uint64_t, uint64_t, x > y ? x : y)
SIM_BINARY(max_s64, int64_t, int64_t, int64_t, x > y ? x : y)
SIM_UNARY(abs16, uint16_t, int16_t, x < 0 ? 0u - (uint32_t)x : (uint32_t)x)
SIM_UNARY(abs32, uint32_t, int32_t, x < 0 ? 0u - (uint32_t)x : (uint32_t)x)
SIM_UNARY(abs64, uint64_t, int64_t, x < 0 ? UINT64_C(0) - (uint64_t)x : (uint64_t)x)
SIM_UNARY(neg16, uint16_t, uint16_t, 0u - x)
SIM_UNARY(neg32, uint32_t, uint32_t, 0u - x)
SIM_UNARY(neg64, uint64_t, uint64_t, UINT64_C(0) - x)

/* Four products of bytes. */
static inline uint32_t dot4(uint32_t x, uint32_t y, uint32_t z, bool x_signed, bool y_signed)
{
    for (int i = 0; i < 32; i += 8) {
        const int32_t p = x_signed ? (int8_t)(x >> i) : (uint8_t)(x >> i);
        const int32_t q = y_signed ? (int8_t)(y >> i) : (uint8_t)(y >> i);
        z += (uint32_t)(p * q);
    }
    return z;
}
SIM_TERNARY(dp4a_ss, uint32_t, uint32_t, uint32_t, uint32_t, dot4(x, y, z, true, true))
SIM_TERNARY(dp4a_uu, uint32_t, uint32_t, uint32_t, uint32_t, dot4(x, y, z, false, false))
SIM_TERNARY(dp4a_us, uint32_t, uint32_t, uint32_t, uint32_t, dot4(x, y, z, false, true))
SIM_TERNARY(dp4a_su, uint32_t, uint32_t, uint32_t, uint32_t, dot4(x, y, z, true, false))

#define SIX(OP, SIG16, SIG32, SIG64, U16, S16, U32, S32, U64, S64)                                                     \
    {OP ".u16", SIG16, U16, 0}, {OP ".s16", SIG16, S16, 0}, {OP ".u32", SIG32, U32, 0}, {OP ".s32", SIG32, S32, 0},    \
        {OP ".u64", SIG64, U64, 0}, {OP ".s64", SIG64, S64, 0}

const sim_entry sim_int_entries[] = {
    SIX("add", "h hh", "i ii", "l ll", add16, add16, add32, add32, add64, add64),
    SIX("sub", "h hh", "i ii", "l ll", sub16, sub16, sub32, sub32, sub64, sub64),
    SIX("mul.lo", "h hh", "i ii", "l ll", mul16, mul16, mul32, mul32, mul64, mul64),
    SIX("mul.hi", "h hh", "i ii", "l ll", hi_u16, hi_s16, hi_u32, hi_s32, hi_u64, hi_s64),
    SIX("mad.lo", "h hhh", "i iii", "l lll", mad16, mad16, mad32, mad32, mad64, mad64),
    SIX("div", "h hh", "i ii", "l ll", div_u16, div_s16, div_u32, div_s32, div_u64, div_s64),
    SIX("rem", "h hh", "i ii", "l ll", rem_u16, rem_s16, rem_u32, rem_s32, rem_u64, rem_s64),
    SIX("min", "h hh", "i ii", "l ll", min_u16, min_s16, min_u32, min_s32, min_u64, min_s64),
    SIX("max", "h hh", "i ii", "l ll", max_u16, max_s16, max_u32, max_s32, max_u64, max_s64),
    {"mul.wide.u16", "i hh", wide_u16, 0},
    {"mul.wide.s16", "i hh", wide_s16, 0},
    {"mul.wide.u32", "l ii", wide_u32, 0},
    {"mul.wide.s32", "l ii", wide_s32, 0},
    {"mad.wide.u16", "i hhi", mad_wide_u16, 0},
    {"mad.wide.s16", "i hhi", mad_wide_s16, 0},
    {"mad.wide.u32", "l iil", mad_wide_u32, 0},
    {"mad.wide.s32", "l iil", mad_wide_s32, 0},
    {"mad.hi.u32", "i iii", mad_hi_u32, 0},
    {"mad.hi.s32", "i iii", mad_hi_s32, 0},
    {"abs.s16", "h h", abs16, 0},
    {"abs.s32", "i i", abs32, 0},
    {"abs.s64", "l l", abs64, 0},
    {"neg.s16", "h h", neg16, 0},
    {"neg.s32", "i i", neg32, 0},
    {"neg.s64", "l l", neg64, 0},
    {"dp4a.s32.s32", "i iii", dp4a_ss, 0},
    {"dp4a.u32.u32", "i iii", dp4a_uu, 0},
    {"dp4a.u32.s32", "i iii", dp4a_us, 0},
    {"dp4a.s32.u32", "i iii", dp4a_su, 0},
    {NULL, NULL, NULL, 0},
};
