/* SPDX-License-Identifier: MIT
 * Narrow heads whose scores cannot be large: |q.k| <= |q| |k| (Cauchy and Schwarz), and where that keeps
 * 2^score and sums of it far from the ends of a float, a softmax needs no maximum. Nearly all attention is
 * so. Powers of two come from tables, found by the last bits of the score added to a large number, so that
 * the units of multiplication have little to do besides the products. AVX-512 only; bf16 products want the
 * byte permutations of VBMI too. Template: included once per instruction set. */
#ifndef MDLDM_CPU_K_ATTENTION_BOUNDED_H
#define MDLDM_CPU_K_ATTENTION_BOUNDED_H

#include "k_attention_narrow.h"

#define BOUNDED_MOST 60.0f /* |score| in powers of two */

typedef void (*bounded_fn)(const float *lanes, const float *keys, const float *values, int64_t tokens,
                           float factor, float *acc, float *lse);

#if defined(__AVX512F__)
#define BOUNDED_ROWS 8
#define BOUNDED_ROWS_BF16 8

/* acc[8][TILE] <- out / sum, lse[VL] */
INLINE void bounded_finish(const V *out, V sum, float *acc, float *lse)
{
    V inverse = 1.0f / sum;
    UNROLL for (int j = 0; j < NARROW; j++)
        v_store(acc + j * TILE, out[j] * inverse);
    for (int i = 0; i < VL; i++)
        lse[i] = logf(sum[i]);
}

/* The bits of 2^(i/16), less i where adding a number of sixteenths carries it into the exponent. */
static const uint32_t bounded_powers[VL] = {
    0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
    0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d};

/* 2^x to 6e-7 of it for |x| < 120: 2^(k/16) from the table, a parabola for the rest of at most 1/32. */
INLINE V bounded_exp2(V x, V powers)
{
    const V big = v_set(786432.0f); /* 1.5 * 2^19: its last bit is a sixteenth */
    V t = x + big, f = x - (t - big);
    V power = (V)((VU)_mm512_permutexvar_ps((__m512i)t, (__m512)powers) + ((VU)t << 19));
    return power + power * f * (f * 0.24022651f + 0.69318783f);
}

/* BOUNDED_ROWS keys and values, of which `rows` count. */
INLINE void bounded_rows(const V *q, const float *keys, const float *values, int64_t rows, V powers, V *out,
                         V *sum)
{
    V s[BOUNDED_ROWS];
    UNROLL for (int r = 0; r < BOUNDED_ROWS; r++)
        s[r] = q[0] * v_set(keys[r * NARROW]);
    UNROLL for (int j = 1; j < NARROW; j++)
        UNROLL for (int r = 0; r < BOUNDED_ROWS; r++)
            s[r] += q[j] * v_set(keys[r * NARROW + j]);
    UNROLL for (int r = 0; r < BOUNDED_ROWS; r++)
    {
        s[r] = r < rows ? bounded_exp2(s[r], powers) : v_set(0.0f);
        *sum += s[r];
    }
    narrow_sums(out, s, BOUNDED_ROWS, values, 0);
}

/* VL queries [8][TILE], scaled, against all keys. */
static void bounded_f32(const float *lanes, const float *keys, const float *values, int64_t tokens,
                        float factor, float *acc, float *lse)
{
    (void)factor;
    V q[NARROW], out[NARROW], sum = v_set(0.0f), powers;
    memcpy(&powers, bounded_powers, sizeof powers);
    UNROLL for (int j = 0; j < NARROW; j++)
    {
        q[j] = v_load(lanes + j * TILE);
        out[j] = v_set(0.0f);
    }
    int64_t first = 0;
    for (; first + BOUNDED_ROWS <= tokens; first += BOUNDED_ROWS)
        bounded_rows(q, keys + first * NARROW, values + first * NARROW, BOUNDED_ROWS, powers, out, &sum);
    if (first < tokens)
        bounded_rows(q, keys + first * NARROW, values + first * NARROW, tokens - first, powers, out, &sum);
    bounded_finish(out, sum, acc, lse);
}
#endif

#if defined(__AVX512BF16__)
#define BOUNDED_VBMI __attribute__((target("avx512vbmi")))

/* 128 * (2^(i/128) - 1): the mantissa of a bf16. */
static const uint8_t bounded_mantissas[128] = {
    0,  1,  1,  2,  3,  4,  4,  5,  6,  6,  7,  8,  9,  9,   10,  11,  12,  12,  13,  14,  15,  15,  16,  17,  18,  19,
    19, 20, 21, 22, 23, 23, 24, 25, 26, 27, 28, 28, 29,  30,  31,  32,  33,  34,  34,  35,  36,  37,  38,  39,  40,  41,
    42, 43, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53,  54,  55,  56,  57,  58,  59,  60,  61,  62,  63,  64,  65,  66,
    67, 68, 69, 70, 72, 73, 74, 75, 76, 77, 78, 79, 80,  82,  83,  84,  85,  86,  87,  88,  90,  91,  92,  93,  94,  96,
    97, 98, 99, 100, 102, 103, 104, 105, 107, 108, 109, 111, 112, 113, 115, 116, 117, 118, 120, 121, 123, 124, 125, 127};

/* 2^(scale x) in bf16, words of two rows: a number of 128ths on the bias of the exponent is all of it but the
 * mantissa. Off by half a 128th's power at most, as much as the rounding to bf16. */
INLINE BOUNDED_VBMI V bounded_pair(V earlier, V later, V scale, const __m512i *mantissas)
{
    const V big = v_set(12582912.0f + 127.0f * 128.0f); /* 1.5 * 2^23: its last bit is one */
    __m512i low = (__m512i)(earlier * scale + big), high = (__m512i)(later * scale + big);
    __m512i word = _mm512_mask_alignr_epi8(low, 0xccccccccccccccccu, high, high, 14); /* high << 16 | low */
    __m512i mantissa = _mm512_permutex2var_epi8(mantissas[0], word, mantissas[1]);
    return (V)_mm512_ternarylogic_epi32(_mm512_set1_epi16((short)0xff80), word, mantissa, 0xca);
}

INLINE BOUNDED_VBMI void bounded_rows_bf16(const V *q, const gemm_word *keys, const gemm_word *values,
                                           int64_t rows, V scale, const __m512i *mantissas, V *out, V *sum)
{
    V s[BOUNDED_ROWS_BF16];
    UNROLL for (int r = 0; r < BOUNDED_ROWS_BF16; r++)
        s[r] = v_set(0.0f);
    UNROLL for (int j = 0; j < NARROW / 2; j++)
        UNROLL for (int r = 0; r < BOUNDED_ROWS_BF16; r++)
            s[r] = gemm_pair(s[r], keys[r * (NARROW / 2) + j], q[j]);
    UNROLL for (int r = 0; r < BOUNDED_ROWS_BF16; r += 2)
    {
        V p = bounded_pair(s[r], s[r + 1], scale, mantissas);
        if (r + 1 >= rows)
            p = r >= rows ? v_set(0.0f) : (V)((VU)p & 0xffffu);
        *sum = gemm_pair(*sum, 0x3f803f80u, p); /* of what is multiplied, rounded as it is */
        UNROLL for (int j = 0; j < NARROW; j++)
            out[j] = gemm_pair(out[j], values[r / 2 * NARROW + j], p);
    }
}

/* VL queries as words [4][TILE] against all keys. */
static BOUNDED_VBMI void bounded_bf16(const float *lanes, const float *keys, const float *values, int64_t tokens,
                                      float factor, float *acc, float *lse)
{
    const gemm_word *k = (const gemm_word *)keys, *v = (const gemm_word *)values;
    V q[NARROW / 2], out[NARROW], sum = v_set(0.0f), scale = v_set(128.0f * factor);
    __m512i mantissas[2];
    memcpy(mantissas, bounded_mantissas, sizeof mantissas);
    UNROLL for (int j = 0; j < NARROW; j++)
        out[j] = v_set(0.0f);
    UNROLL for (int j = 0; j < NARROW / 2; j++)
        q[j] = v_load(lanes + j * TILE);
    int64_t first = 0, step = BOUNDED_ROWS_BF16;
    for (; first + step <= tokens; first += step, k += step * NARROW / 2, v += step * NARROW / 2)
        bounded_rows_bf16(q, k, v, step, scale, mantissas, out, &sum);
    if (first < tokens)
        bounded_rows_bf16(q, k, v, tokens - first, scale, mantissas, out, &sum);
    bounded_finish(out, sum, acc, lse);
}
#endif

/* NULL: this processor has none. */
static bounded_fn bounded_choose(int pairs)
{
#if defined(__AVX512BF16__)
    if (pairs)
        return __builtin_cpu_supports("avx512vbmi") ? bounded_bf16 : NULL;
#endif
#if defined(__AVX512F__)
    return pairs ? NULL : bounded_f32;
#else
    (void)pairs;
    return NULL;
#endif
}

/* ---- Forward, either way ---- */

static void narrow_attention(const mdldm__cpu_attention *a)
{
    int pairs = a->dtype == MDLDM_BF16 && NARROW_PAIRS;
    int64_t d = a->c / a->heads, padded = narrow_padded(a->tokens), heads = a->n * a->heads;
    int64_t tiles = mdldm__cpu_ceil_div(a->tokens, TILE), words = padded * (pairs ? NARROW / 2 : NARROW);
    float *keys = a->scratch, *values = keys + heads * words, *longest = values + heads * words;
    float factor = a->scale * LOG2_E, scaled = pairs ? factor : 1.0f; /* lanes are scaled already */
    bounded_fn bounded = bounded_choose(pairs), unbounded = pairs ? narrow_forward_bf16 : narrow_forward_f32;
    narrow_split(keys, a->k, a, pairs ? NARROW_CHANNELS : NARROW_WIDE, longest);
    narrow_split(values, a->v, a, pairs ? NARROW_TOKENS : NARROW_WIDE, NULL);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t unit = 0; unit < heads * tiles; unit++) {
        float lanes[NARROW * TILE], acc[NARROW * TILE], lse[TILE];
        int64_t head = unit / tiles, first = unit % tiles * TILE; /* head: of all images */
        int64_t count = a->tokens - first < TILE ? a->tokens - first : TILE;
        int64_t base = (head / a->heads * a->tokens + first) * a->c + head % a->heads * d;
        narrow_lanes(lanes, a->q, a, base, count, factor, pairs);
        float most = longest[head] * narrow_longest_lane(lanes, pairs) * scaled * scaled; /* NaN is not less */
        bounded_fn forward = bounded != NULL && most < BOUNDED_MOST * BOUNDED_MOST ? bounded : unbounded;
        for (int64_t lane = 0; lane < count; lane += VL)
            forward(lanes + lane, keys + head * words, values + head * words, a->tokens, factor, acc + lane,
                    lse + lane);
        narrow_store(a->o, a, base, count, acc, 1.0f);
        if (a->lse != NULL)
            memcpy(a->lse + head * a->tokens + first, lse, (size_t)count * sizeof *lse);
    }
}

#endif
