/* SPDX-License-Identifier: MIT
 * f16, bf16 and pairs of them. Products of two such numbers are exact in double, and sums of three nearly so: they
 * are rounded once, through to_odd. */
#include "tests/cuda/sim/half_bits.h"
#include "tests/cuda/sim/lane_ops.h"

static inline uint16_t round_f16(double x)
{
    return to_f16(to_odd(x));
}
static inline uint16_t round_bf16(double x)
{
    return to_bf16(to_odd(x));
}
static inline double low_of(double x, double y)
{
    return x != x ? y : y != y ? x : x < y ? x : y;
}
static inline double high_of(double x, double y)
{
    return x != x ? y : y != y ? x : x > y ? x : y;
}

#define BOTH(X2, EXPR_LOW, EXPR_HIGH) ((uint32_t)(EXPR_LOW) | (uint32_t)(EXPR_HIGH) << 16)
#define LOW(V) ((uint16_t)((V)&0xffff))
#define HIGH(V) ((uint16_t)((V) >> 16))

#define HALF1(FN, KIND, EXPR)                                                                                          \
    static inline uint16_t FN##_one(uint16_t xb) {                                                                     \
        const double a = from_##KIND(xb);                                                                              \
        return round_##KIND(EXPR);                                                                                     \
    }                                                                                                                  \
    SIM_UNARY(FN, uint16_t, uint16_t, FN##_one(x))                                                                     \
    SIM_UNARY(FN##_x2, uint32_t, uint32_t, BOTH(, FN##_one(LOW(x)), FN##_one(HIGH(x))))
#define HALF2(FN, KIND, EXPR)                                                                                          \
    static inline uint16_t FN##_one(uint16_t xb, uint16_t yb) {                                                        \
        const double a = from_##KIND(xb), b = from_##KIND(yb);                                                         \
        return round_##KIND(EXPR);                                                                                     \
    }                                                                                                                  \
    SIM_BINARY(FN, uint16_t, uint16_t, uint16_t, FN##_one(x, y))                                                       \
    SIM_BINARY(FN##_x2, uint32_t, uint32_t, uint32_t, BOTH(, FN##_one(LOW(x), LOW(y)), FN##_one(HIGH(x), HIGH(y))))
#define HALF3(FN, KIND, EXPR)                                                                                          \
    static inline uint16_t FN##_one(uint16_t xb, uint16_t yb, uint16_t zb) {                                           \
        const double a = from_##KIND(xb), b = from_##KIND(yb), c = from_##KIND(zb);                                    \
        return round_##KIND(EXPR);                                                                                     \
    }                                                                                                                  \
    SIM_TERNARY(FN, uint16_t, uint16_t, uint16_t, uint16_t, FN##_one(x, y, z))                                         \
    SIM_TERNARY(FN##_x2, uint32_t, uint32_t, uint32_t, uint32_t,                                                       \
                BOTH(, FN##_one(LOW(x), LOW(y), LOW(z)), FN##_one(HIGH(x), HIGH(y), HIGH(z))))

#define ARITHMETIC(KIND)                                                                                               \
    HALF2(add_##KIND, KIND, a + b)                                                                                     \
    HALF2(sub_##KIND, KIND, a - b)                                                                                     \
    HALF2(mul_##KIND, KIND, a *b)                                                                                      \
    HALF3(fma_##KIND, KIND, a *b + c)                                                                                  \
    HALF3(fma_relu_##KIND, KIND, high_of(a *b + c, 0))                                                                 \
    HALF2(min_##KIND, KIND, low_of(a, b))                                                                              \
    HALF2(max_##KIND, KIND, high_of(a, b))                                                                             \
    SIM_UNARY(neg_##KIND, uint16_t, uint16_t, x ^ 0x8000)                                                              \
    SIM_UNARY(neg_##KIND##_x2, uint32_t, uint32_t, x ^ 0x80008000u)                                                    \
    SIM_UNARY(abs_##KIND, uint16_t, uint16_t, x & 0x7fff)                                                              \
    SIM_UNARY(abs_##KIND##_x2, uint32_t, uint32_t, x & 0x7fff7fffu)                                                    \
    HALF1(ex2_##KIND, KIND, exp2(a))                                                                                   \
    HALF1(tanh_##KIND, KIND, tanh(a))

ARITHMETIC(f16)
ARITHMETIC(bf16)

#define PAIR(OP, MODE, KIND, SIG, SIG2, FN)                                                                            \
    {OP MODE "." #KIND, SIG, FN##_##KIND, 0}, { OP MODE "." #KIND "x2", SIG2, FN##_##KIND##_x2, 0 }
#define ALL(KIND)                                                                                                      \
    PAIR("add", "", KIND, "h hh", "i ii", add), PAIR("add", ".rn", KIND, "h hh", "i ii", add),                         \
        PAIR("sub", "", KIND, "h hh", "i ii", sub), PAIR("sub", ".rn", KIND, "h hh", "i ii", sub),                     \
        PAIR("mul", "", KIND, "h hh", "i ii", mul), PAIR("mul", ".rn", KIND, "h hh", "i ii", mul),                     \
        PAIR("fma", ".rn", KIND, "h hhh", "i iii", fma), PAIR("fma", ".rn.relu", KIND, "h hhh", "i iii", fma_relu),    \
        PAIR("min", "", KIND, "h hh", "i ii", min), PAIR("max", "", KIND, "h hh", "i ii", max),                        \
        PAIR("neg", "", KIND, "h h", "i i", neg), PAIR("abs", "", KIND, "h h", "i i", abs),                            \
        PAIR("tanh", ".approx", KIND, "h h", "i i", tanh)

const sim_entry sim_half_entries[] = {
    ALL(f16),
    ALL(bf16),
    PAIR("ex2", ".approx", f16, "h h", "i i", ex2),
    PAIR("ex2", ".approx.ftz", bf16, "h h", "i i", ex2),
    {NULL, NULL, NULL, 0},
};
