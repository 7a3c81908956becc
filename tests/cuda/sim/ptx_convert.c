/* SPDX-License-Identifier: MIT
 * cvt, cvta, isspacep. A number goes through int64 or double, which hold every type's exactly (u64 as its bits). */
#include "tests/cuda/sim/half_bits.h"
#include "tests/cuda/sim/ptx_decode.h"

#include <string.h>

enum rounding { NO_ROUNDING, RN, RZ, RM, RP, RNA, RNI, RZI, RMI, RPI };
enum { CVT_SAT = 1 << 16, CVT_FTZ = 1 << 17, CVT_RELU = 1 << 18 };

static bool is_float(sim_type t)
{
    return t == SIM_F16 || t == SIM_BF16 || t == SIM_F32 || t == SIM_F64 || t == SIM_TF32;
}

static bool is_signed(sim_type t)
{
    return t == SIM_S8 || t == SIM_S16 || t == SIM_S32 || t == SIM_S64;
}

static int64_t whole_of(const void *lanes, int l, unsigned bytes, sim_type type)
{
    const uint64_t v = bytes == 2   ? ((const uint16_t *)lanes)[l]
                       : bytes == 4 ? ((const uint32_t *)lanes)[l]
                                    : ((const uint64_t *)lanes)[l];
    switch (type) {
    case SIM_U8: case SIM_B8: return (uint8_t)v;
    case SIM_S8: return (int8_t)v;
    case SIM_U16: case SIM_B16: return (uint16_t)v;
    case SIM_S16: return (int16_t)v;
    case SIM_U32: case SIM_B32: return (uint32_t)v;
    case SIM_S32: return (int32_t)v;
    default: return (int64_t)v;
    }
}

static double real_of(const void *lanes, int l, sim_type type)
{
    switch (type) {
    case SIM_F16: return from_f16(((const uint16_t *)lanes)[l]);
    case SIM_BF16: return from_bf16(((const uint16_t *)lanes)[l]);
    case SIM_F64: return ((const double *)lanes)[l];
    default: return ((const float *)lanes)[l];
    }
}

static void put_whole(void *lanes, int l, unsigned bytes, int64_t v)
{
    if (bytes == 2)
        ((uint16_t *)lanes)[l] = (uint16_t)v;
    else if (bytes == 4)
        ((uint32_t *)lanes)[l] = (uint32_t)v;
    else
        ((uint64_t *)lanes)[l] = (uint64_t)v;
}

static void limits(sim_type t, double *low, double *high)
{
    const int bits = 8 * (int)sim_type_size(t);
    *low = is_signed(t) ? -ldexp(1, bits - 1) : 0;
    *high = ldexp(1, is_signed(t) ? bits - 1 : bits) - 1; /* for 64 bits one too much: see to_whole */
}

/* Out of range goes to the nearest end; no number becomes 0. */
static int64_t to_whole(double x, sim_type t, unsigned rounding)
{
    double low, high;
    x = rounding == RZI ? trunc(x) : rounding == RMI ? floor(x) : rounding == RPI ? ceil(x) : nearbyint(x);
    limits(t, &low, &high);
    if (x != x)
        return t == SIM_S64 || t == SIM_U64 ? INT64_MIN : 0;
    if (x <= low)
        return (int64_t)low;
    if (x >= high)
        return t == SIM_U64 ? -1 : t == SIM_S64 ? INT64_MAX : (int64_t)high;
    return t == SIM_U64 ? (int64_t)(uint64_t)x : (int64_t)x;
}

/* Toward zero to a float; `exact` is the value. */
static float toward_zero(double exact)
{
    const float f = (float)exact;
    return fabs((double)f) > fabs(exact) ? bits_float(float_bits(f) - 1) : f;
}

static uint16_t narrow(double x, sim_type type, unsigned rounding)
{
    if (type == SIM_BF16) {
        if (rounding == RZ && x == x)
            return (uint16_t)(float_bits(toward_zero(x)) >> 16);
        return to_bf16(to_odd(x));
    }
    const uint16_t h = to_f16(to_odd(x));
    return rounding == RZ && x == x && fabs((double)from_f16(h)) > fabs(x) ? (uint16_t)(h - 1) : h;
}

/* tf32 has 10 bits of fraction: to nearest, ties away from zero (.rna) or to even (.rn). */
static uint32_t to_tf32(float x, unsigned rounding)
{
    const uint32_t u = float_bits(x);
    if ((u & 0x7f800000u) == 0x7f800000u)
        return u;
    const uint32_t add = rounding == RNA ? 0x1000 : rounding == RN ? 0xfff + (u >> 13 & 1) : 0;
    return (u + add) & ~0x1fffu;
}

static void put_real(void *lanes, int l, double x, sim_type type, uint32_t arg)
{
    const unsigned rounding = arg >> 8 & 255;
    if (rounding == RNI)
        x = nearbyint(x);
    else if (rounding == RZI)
        x = trunc(x);
    else if (rounding == RMI)
        x = floor(x);
    else if (rounding == RPI)
        x = ceil(x);
    if (arg & CVT_RELU)
        x = x != x ? x : x > 0 ? x : 0;
    if (arg & CVT_SAT)
        x = x > 0 ? (x < 1 ? x : 1) : 0;
    switch (type) {
    case SIM_F64: ((double *)lanes)[l] = x; break;
    case SIM_F32: ((float *)lanes)[l] = rounding == RZ ? toward_zero(x) : (float)x; break;
    case SIM_TF32: ((uint32_t *)lanes)[l] = to_tf32((float)x, rounding); break;
    default: ((uint16_t *)lanes)[l] = narrow(x, type, rounding); break;
    }
}

static void convert(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const sim_type to = (sim_type)op->type, from = (sim_type)(op->arg & 255);
    const unsigned rounding = op->arg >> 8 & 255, in = op->sizes & 15, out = op->sizes >> 4;
    void *d = sim_lanes(w, op->r[0]);
    const void *a = sim_lanes(w, op->r[1]);
    for (int l = 0; l < SIM_LANES; ++l) {
        if (!(mask >> l & 1))
            continue;
        if (is_float(from)) {
            double x = real_of(a, l, from);
            if (op->arg & CVT_FTZ && from == SIM_F32 && fabs(x) < 0x1p-126)
                x = copysign(0, x);
            if (is_float(to))
                put_real(d, l, x, to, op->arg);
            else
                put_whole(d, l, out, to_whole(x, to, rounding));
            continue;
        }
        int64_t v = whole_of(a, l, in, from);
        if (to == SIM_F32 && rounding != RZ) { /* one rounding, from all 64 bits */
            ((float *)d)[l] = from == SIM_U64 ? (float)(uint64_t)v : (float)v;
        } else if (is_float(to)) {
            put_real(d, l, from == SIM_U64 ? (double)(uint64_t)v : (double)v, to, op->arg);
        } else {
            if (op->arg & CVT_SAT) {
                double low, high;
                limits(to, &low, &high);
                if (from == SIM_U64 ? (double)(uint64_t)v > high : (double)v > high)
                    v = to == SIM_S64 ? INT64_MAX : (int64_t)high;
                else if (from != SIM_U64 && (double)v < low)
                    v = (int64_t)low;
            }
            /* the register's upper bits get the sign of the type converted to, or zeros */
            const uint64_t bits = (uint64_t)v;
            put_whole(d, l, out, whole_of(&bits, 0, 8, to));
        }
    }
}

/* cvt.rn.bf16x2.f32 d, a, b: a goes to the upper half. */
static void convert_pair(sim_warp *w, const sim_op *op, uint32_t mask)
{
    uint32_t *d = sim_lanes(w, op->r[0]);
    const float *a = sim_lanes(w, op->r[1]), *c = sim_lanes(w, op->r[2]);
    const sim_type half = op->type == SIM_BF16X2 ? SIM_BF16 : SIM_F16;
    for (int l = 0; l < SIM_LANES; ++l)
        if (mask >> l & 1) {
            uint16_t high, low;
            put_real(&high, 0, (double)a[l], half, op->arg);
            put_real(&low, 0, (double)c[l], half, op->arg);
            d[l] = (uint32_t)high << 16 | low;
        }
}

static uint64_t window(sim_space space)
{
    return space == SIM_SHARED ? SIM_SHARED_BASE : space == SIM_LOCAL ? SIM_LOCAL_BASE
                                               : space == SIM_PARAM   ? SIM_PARAM_BASE
                                                                      : 0;
}

static void cvta(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const uint64_t base = op->arg ? UINT64_C(0) - window((sim_space)op->space) : window((sim_space)op->space);
    for (int l = 0; l < SIM_LANES; ++l)
        if (mask >> l & 1) {
            if (op->sizes == 4) /* within the window, 32 bits say all */
                ((uint32_t *)sim_lanes(w, op->r[0]))[l] = ((const uint32_t *)sim_lanes(w, op->r[1]))[l];
            else
                ((uint64_t *)sim_lanes(w, op->r[0]))[l] = ((const uint64_t *)sim_lanes(w, op->r[1]))[l] + base;
        }
}

static void isspacep(sim_warp *w, const sim_op *op, uint32_t mask)
{
    const uint64_t *a = sim_lanes(w, op->r[1]);
    const uint64_t want = window((sim_space)op->space) >> 60;
    uint32_t got = 0, *d = sim_pred(w, op->r[0]);
    for (int l = 0; l < SIM_LANES; ++l)
        got |= (uint32_t)(a[l] >> 60 == want) << l;
    *d = (*d & ~mask) | (got & mask);
}

bool ptx_space(const char *word, uint8_t *space);

static bool decode_address(ptx_body *b, ptx_statement *s, sim_op *op)
{
    unsigned bytes;
    const bool test = strcmp(s->word[0], "isspacep") == 0;
    op->arg = ptx_has_word(s, "to");
    for (int i = 1; i < s->n_words; ++i)
        (void)ptx_space(s->word[i], &op->space);
    const sim_type type = test ? SIM_B64 : ptx_type(s->word[s->n_words - 1]);
    if (op->space == SIM_GENERIC || (type != SIM_U64 && type != SIM_U32 && type != SIM_B64))
        return false;
    ptx_want_operands(b, s, 2);
    op->r[0] = ptx_destination(b, s->operand[0], &bytes);
    if (bytes != (test ? 0 : sim_type_size(type)))
        ptx_refuse(b->r, "'%s' into '%s', which has %u bits", s->name, s->operand[0], 8 * bytes);
    op->r[1] = ptx_source(b, s->operand[1], type);
    op->n_dst = op->n_src = 1;
    op->sizes = (uint8_t)sim_type_size(type);
    op->run = test ? isspacep : cvta;
    return true;
}

bool ptx_decode_convert(ptx_body *b, ptx_statement *s, sim_op *op)
{
    static const char *const roundings[] = {"", "rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi"};
    if (strcmp(s->word[0], "cvta") == 0 || strcmp(s->word[0], "isspacep") == 0)
        return decode_address(b, s, op);
    if (strcmp(s->word[0], "cvt") != 0 || s->n_words < 3)
        return false;
    const sim_type to = ptx_type(s->word[s->n_words - 2]), from = ptx_type(s->word[s->n_words - 1]);
    if (to == SIM_NO_TYPE || from == SIM_NO_TYPE || from == SIM_TF32)
        return false;
    op->type = (uint8_t)to;
    op->arg = (uint32_t)from;
    for (int i = 1; i < s->n_words - 2; ++i) {
        uint32_t rounding = 0;
        for (uint32_t k = RN; k <= RPI; ++k)
            if (strcmp(roundings[k], s->word[i]) == 0)
                rounding = k;
        if (rounding == RM || rounding == RP)
            return false;
        if (rounding)
            op->arg |= rounding << 8;
        else if (strcmp(s->word[i], "sat") == 0)
            op->arg |= CVT_SAT;
        else if (strcmp(s->word[i], "ftz") == 0)
            op->arg |= CVT_FTZ;
        else if (strcmp(s->word[i], "relu") == 0)
            op->arg |= CVT_RELU;
        else
            return false;
    }
    unsigned in, out;
    op->r[0] = ptx_destination(b, s->operand[0], &out);
    op->n_dst = 1;
    if (to == SIM_BF16X2 || to == SIM_F16X2) {
        if (from != SIM_F32 || out != 4)
            return false;
        ptx_want_operands(b, s, 3);
        op->r[1] = ptx_source(b, s->operand[1], SIM_F32);
        op->r[2] = ptx_source(b, s->operand[2], SIM_F32);
        op->n_src = 2;
        op->run = convert_pair;
        return true;
    }
    ptx_want_operands(b, s, 2);
    op->r[1] = ptx_any_source(b, s->operand[1], from, &in);
    op->n_src = 1;
    if (in < sim_type_size(from) || out < sim_type_size(to) || (is_float(to) && out != sim_type_size(to)))
        ptx_refuse(b->r, "'%s' between registers of %u and %u bits", s->name, 8 * in, 8 * out);
    op->sizes = (uint8_t)(in | out << 4);
    op->run = convert;
    return true;
}
