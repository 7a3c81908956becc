/* SPDX-License-Identifier: MIT
 * f32 and f64 arithmetic. Approximations (ex2, lg2, rsqrt, sin ...) are computed right to the last bit but one here:
 * hardware is allowed more error than that (PTX ISA, the table beside each instruction). */
#include "tests/cuda/sim/lane_ops.h"

#include <math.h>

/* .ftz: subnormal numbers in and out become zeros of their sign. */
static inline float ftz(float x)
{
    return __builtin_fabsf(x) < 0x1p-126f ? __builtin_copysignf(0.0f, x) : x;
}
/* min and max give the number when one side is not one; .NaN gives NaN. -0 < +0. */
static inline float min_f32(float x, float y)
{
    return x != x ? y : y != y ? x : x == y ? (__builtin_signbit(x) ? x : y) : x < y ? x : y;
}
static inline float max_f32(float x, float y)
{
    return x != x ? y : y != y ? x : x == y ? (__builtin_signbit(x) ? y : x) : x > y ? x : y;
}
static inline double min_d(double x, double y)
{
    return x != x ? y : y != y ? x : x < y ? x : y;
}
static inline double max_d(double x, double y)
{
    return x != x ? y : y != y ? x : x > y ? x : y;
}

#define ONE(FN, EXPR)                                                                                                  \
    SIM_UNARY(FN, float, float, EXPR)                                                                                  \
    static inline float FN##_of(float x) { return EXPR; }                                                              \
    SIM_UNARY(FN##_ftz, float, float, ftz(FN##_of(ftz(x))))
#define TWO(FN, EXPR)                                                                                                  \
    SIM_BINARY(FN, float, float, float, EXPR)                                                                          \
    static inline float FN##_of(float x, float y) { return EXPR; }                                                     \
    SIM_BINARY(FN##_ftz, float, float, float, ftz(FN##_of(ftz(x), ftz(y))))

TWO(add, x + y)
TWO(sub, x - y)
TWO(mul, x * y)
TWO(divide, x / y)
TWO(min, min_f32(x, y))
TWO(max, max_f32(x, y))
TWO(min_nan, x != x || y != y ? NAN : min_f32(x, y))
TWO(max_nan, x != x || y != y ? NAN : max_f32(x, y))
SIM_TERNARY(fma_rn, float, float, float, float, __builtin_fmaf(x, y, z))
SIM_TERNARY(fma_rn_ftz, float, float, float, float, ftz(__builtin_fmaf(ftz(x), ftz(y), ftz(z))))
ONE(neg, -x)
ONE(absolute, __builtin_fabsf(x))
ONE(root, __builtin_sqrtf(x))
ONE(rcp, 1.0f / x)
ONE(rsqrt, (float)(1.0 / sqrt((double)x)))
ONE(ex2, exp2f(x))
ONE(lg2, log2f(x))
ONE(sine, (float)sin((double)x))
ONE(cosine, (float)cos((double)x))
SIM_UNARY(tanh32, float, float, tanhf(x))
static inline float saturate(float x)
{
    return x > 0 ? (x < 1 ? x : 1) : 0; /* NaN becomes 0 */
}
SIM_BINARY(add_sat, float, float, float, saturate(x + y))
SIM_BINARY(mul_sat, float, float, float, saturate(x * y))
SIM_TERNARY(fma_sat, float, float, float, float, saturate(__builtin_fmaf(x, y, z)))
SIM_BINARY(copysign32, float, float, float, __builtin_copysignf(y, x))

#define FTZ(NAME, MODE, SIG, FN)                                                                                       \
    {NAME MODE ".f32", SIG, FN, 0}, { NAME MODE ".ftz.f32", SIG, FN##_ftz, 0 }

const sim_entry sim_float_entries[] = {
    FTZ("add", "", "f ff", add), FTZ("add", ".rn", "f ff", add),
    FTZ("sub", "", "f ff", sub), FTZ("sub", ".rn", "f ff", sub),
    FTZ("mul", "", "f ff", mul), FTZ("mul", ".rn", "f ff", mul),
    FTZ("div", ".rn", "f ff", divide), FTZ("div", ".approx", "f ff", divide), FTZ("div", ".full", "f ff", divide),
    FTZ("fma", ".rn", "f fff", fma_rn), FTZ("mad", ".rn", "f fff", fma_rn),
    FTZ("min", "", "f ff", min), FTZ("max", "", "f ff", max),
    {"min.NaN.f32", "f ff", min_nan, 0}, {"max.NaN.f32", "f ff", max_nan, 0},
    {"min.ftz.NaN.f32", "f ff", min_nan_ftz, 0}, {"max.ftz.NaN.f32", "f ff", max_nan_ftz, 0},
    FTZ("neg", "", "f f", neg), FTZ("abs", "", "f f", absolute),
    FTZ("sqrt", ".rn", "f f", root), FTZ("sqrt", ".approx", "f f", root),
    FTZ("rcp", ".rn", "f f", rcp), FTZ("rcp", ".approx", "f f", rcp),
    FTZ("rsqrt", ".approx", "f f", rsqrt), FTZ("ex2", ".approx", "f f", ex2), FTZ("lg2", ".approx", "f f", lg2),
    FTZ("sin", ".approx", "f f", sine), FTZ("cos", ".approx", "f f", cosine),
    {"tanh.approx.f32", "f f", tanh32, 0},
    {"add.sat.f32", "f ff", add_sat, 0}, {"mul.sat.f32", "f ff", mul_sat, 0},
    {"fma.rn.sat.f32", "f fff", fma_sat, 0},
    {"copysign.f32", "f ff", copysign32, 0},
    {NULL, NULL, NULL, 0},
};

SIM_BINARY(add_d, double, double, double, x + y)
SIM_BINARY(sub_d, double, double, double, x - y)
SIM_BINARY(mul_d, double, double, double, x * y)
SIM_BINARY(div_d, double, double, double, x / y)
SIM_BINARY(min_f64, double, double, double, min_d(x, y))
SIM_BINARY(max_f64, double, double, double, max_d(x, y))
SIM_TERNARY(fma_d, double, double, double, double, __builtin_fma(x, y, z))
SIM_UNARY(neg_d, double, double, -x)
SIM_UNARY(abs_d, double, double, __builtin_fabs(x))
SIM_UNARY(sqrt_d, double, double, __builtin_sqrt(x))
SIM_UNARY(rcp_d, double, double, 1.0 / x)

const sim_entry sim_double_entries[] = {
    {"add.f64", "d dd", add_d, 0}, {"add.rn.f64", "d dd", add_d, 0},
    {"sub.f64", "d dd", sub_d, 0}, {"sub.rn.f64", "d dd", sub_d, 0},
    {"mul.f64", "d dd", mul_d, 0}, {"mul.rn.f64", "d dd", mul_d, 0},
    {"div.rn.f64", "d dd", div_d, 0}, {"fma.rn.f64", "d ddd", fma_d, 0},
    {"min.f64", "d dd", min_f64, 0}, {"max.f64", "d dd", max_f64, 0},
    {"neg.f64", "d d", neg_d, 0}, {"abs.f64", "d d", abs_d, 0},
    {"sqrt.rn.f64", "d d", sqrt_d, 0}, {"rcp.rn.f64", "d d", rcp_d, 0},
    {NULL, NULL, NULL, 0},
};
