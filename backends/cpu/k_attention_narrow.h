/* SPDX-License-Identifier: MIT
 * Attention with heads of up to 8 channels, where the exponentials cost as much as the products: scores
 * live and die in registers, a block of keys at a time. Lanes are queries (for dk and dv: keys), rows
 * the others, their channels broadcast. A running maximum need not be the largest score seen, only
 * close to it: sums are scaled anew only when a score leaves it by 2^8.
 *
 * With bf16 products (NARROW_PAIRS) lanes and rows are words of two neighbouring channels where channels
 * are summed over, of two neighbouring rows where rows are. Template: included once per instruction
 * set. */
#ifndef MDLDM_CPU_K_ATTENTION_NARROW_H
#define MDLDM_CPU_K_ATTENTION_NARROW_H

#include "cpu_vec.h"

#include <math.h>

#include "cpu_scratch.h"
#include "k_gemm.h"
#include "k_tile.h"

#define NARROW MDLDM__CPU_NARROW
#if defined(__AVX512F__) /* rows of a block: scores, sums and a few more fit the registers */
#define NARROW_ROWS 12
#define NARROW_ROWS_DQ 8
#define NARROW_ROWS_DKV 4
#else
#define NARROW_ROWS 4
#define NARROW_ROWS_DQ 2
#define NARROW_ROWS_DKV 2
#endif
#if defined(__AVX512BF16__)
#define NARROW_PAIRS 1
#else
#define NARROW_PAIRS 0
#endif
#define NARROW_NEVER -1000.0f /* a score whose power of two is 0 */
#define UNROLL _Pragma("GCC unroll 16")

/* sum[r] += over channels: lanes [8][TILE] times row r of rows [count][8]. */
INLINE void narrow_scores(V *sum, int count, const float *lanes, const float *rows, int pairs)
{
    int words = pairs ? NARROW / 2 : NARROW;
    for (int j = 0; j < words; j++) {
        V lane = v_load(lanes + j * TILE);
        UNROLL for (int r = 0; r < count; r++)
        {
            if (pairs)
                sum[r] = gemm_pair(sum[r], ((const gemm_word *)rows)[r * words + j], lane);
            else
                sum[r] += lane * v_set(rows[r * words + j]);
        }
    }
}

/* sum[8] += over rows: p[count] times rows [count][8]. */
INLINE void narrow_sums(V *sum, const V *p, int count, const float *rows, int pairs)
{
    UNROLL for (int r = 0; r < count; r += 1 + pairs)
    {
        if (pairs) {
            V both = v_pair_bf16(p[r], p[r + 1]);
            UNROLL for (int j = 0; j < NARROW; j++)
                sum[j] = gemm_pair(sum[j], ((const gemm_word *)rows)[r / 2 * NARROW + j], both);
        } else {
            UNROLL for (int j = 0; j < NARROW; j++)
                sum[j] += p[r] * v_set(rows[r * NARROW + j]);
        }
    }
}

INLINE V narrow_exp2(V x, int pairs)
{
    return pairs ? v_exp2_bf16(x) : v_exp2(x);
}

/* ---- Rows of all heads, units[n*heads] of [padded][8] ---- */

enum {
    NARROW_WIDE,    /* float */
    NARROW_CHANNELS, /* bf16, words of two channels */
    NARROW_TOKENS    /* bf16, words of two tokens */
};

INLINE float narrow_value(const void *x, int32_t dtype, int64_t i)
{
    if (dtype == MDLDM_F32)
        return ((const float *)x)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)x)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t narrow_padded(int64_t tokens)
{
    return mdldm__cpu_ceil_div(tokens, MDLDM__CPU_NARROW_ROWS) * MDLDM__CPU_NARROW_ROWS;
}

/* Length of the longest row, squared, NaN when one is not finite; infinite where nobody asks
 * (k_attention_bounded.h). */
static float narrow_longest_row(const float *rows, int64_t count, int pairs)
{
#if defined(__AVX512F__)
    V top = v_set(0.0f), bad = top;
    int64_t words = count * (pairs ? NARROW / 2 : NARROW);
    for (int64_t i = 0; i < words; i += VL) {
        VU word = (VU)v_load(rows + i);
        V x = (V)word, square = x * x, low = (V)(word << 16), high = (V)(word & 0xffff0000u);
        if (pairs)
            square = low * low + high * high;
        else
            square += (V)_mm512_shuffle_f32x4((__m512)square, (__m512)square, 0xb1);
        square += (V)_mm512_permute_ps((__m512)square, 0x4e);
        square += (V)_mm512_permute_ps((__m512)square, 0xb1);
        top = v_max(top, square);
        bad += square - square;
    }
    return _mm512_reduce_max_ps((__m512)top) + _mm512_reduce_add_ps((__m512)bad);
#else
    (void)rows;
    (void)count;
    (void)pairs;
    return INFINITY;
#endif
}

/* The same of lanes [8][TILE], or words [4][TILE]. */
static float narrow_longest_lane(const float *lanes, int pairs)
{
    V top = v_set(0.0f), bad = top;
    for (int64_t i = 0; i < TILE; i += VL) {
        V square = v_set(0.0f);
        for (int j = 0; j < (pairs ? NARROW / 2 : NARROW); j++) {
            VU word = (VU)v_load(lanes + j * TILE + i);
            V x = (V)word, low = (V)(word << 16), high = (V)(word & 0xffff0000u);
            square += pairs ? low * low + high * high : x * x;
        }
        top = v_max(top, square);
        bad += square - square;
    }
    float longest = 0.0f;
    for (int k = 0; k < VL; k++)
        longest = top[k] > longest ? top[k] : longest;
    return longest + v_sum(bad);
}

/* longest: [n*heads], or NULL. */
static void narrow_split(float *out, const void *x, const mdldm__cpu_attention *a, int form, float *longest)
{
    int64_t d = a->c / a->heads, padded = narrow_padded(a->tokens);
    int64_t words = padded * (form == NARROW_WIDE ? NARROW : NARROW / 2);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t unit = 0; unit < a->n * a->heads; unit++) {
        float *to = out + unit * words;
        uint16_t *half = (uint16_t *)to;
        memset(to, 0, (size_t)words * sizeof *to);
        for (int64_t t = 0; t < a->tokens; t++) {
            int64_t from = (unit / a->heads * a->tokens + t) * a->c + unit % a->heads * d;
            const uint16_t *half_from = (const uint16_t *)x + from;
            if (form == NARROW_TOKENS)
                for (int64_t j = 0; j < d; j++)
                    half[(t / 2 * NARROW + j) * 2 + t % 2] = half_from[j];
            else if (form == NARROW_CHANNELS && d == NARROW) /* a size that the compiler knows */
                memcpy(half + t * NARROW, half_from, NARROW * sizeof *half);
            else if (form == NARROW_CHANNELS)
                memcpy(half + t * NARROW, half_from, (size_t)d * sizeof *half);
            else
                for (int64_t j = 0; j < d; j++)
                    to[t * NARROW + j] = narrow_value(x, a->dtype, from + j);
        }
        if (longest != NULL)
            longest[unit] = narrow_longest_row(to, padded, form != NARROW_WIDE);
    }
}

/* lanes [8][TILE], or words of two channels, of tokens first.. of one head. */
static void narrow_lanes(float *lanes, const void *x, const mdldm__cpu_attention *a, int64_t base,
                         int64_t count, float factor, int pairs)
{
    int64_t d = a->c / a->heads;
    uint16_t *half = (uint16_t *)lanes;
    memset(lanes, 0, NARROW * TILE * sizeof *lanes);
    for (int64_t lane = 0; lane < count; lane++, base += a->c)
        for (int64_t j = 0; j < d; j++)
            if (pairs)
                half[(j / 2 * TILE + lane) * 2 + j % 2] = ((const uint16_t *)x)[base + j];
            else
                lanes[j * TILE + lane] = factor * narrow_value(x, a->dtype, base + j);
}

/* y of tokens first.. of one head <- factor * lanes[8][TILE] */
static void narrow_store(void *y, const mdldm__cpu_attention *a, int64_t base, int64_t count,
                         const float *lanes, float factor)
{
    int64_t d = a->c / a->heads;
    int32_t dtype = a->dtype;
    uint16_t half[NARROW * TILE];
    float wide[NARROW * TILE];
    for (int64_t i = 0; i < NARROW * TILE; i += VL)
        v_put(dtype == MDLDM_BF16 ? (void *)half : (void *)wide, dtype, i, VL, v_load(lanes + i) * factor);
    for (int64_t lane = 0; lane < count; lane++, base += a->c)
        for (int64_t j = 0; j < d; j++)
            if (dtype == MDLDM_BF16)
                ((uint16_t *)y)[base + j] = half[j * TILE + lane];
            else
                ((float *)y)[base + j] = wide[j * TILE + lane];
}

/* ---- Forward ---- */

INLINE int narrow_any_above(V x, float limit)
{
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(limit), _CMP_GT_OQ) != 0;
#else
    VI above = x > limit;
    int64_t words[VL / 2], any = 0;
    memcpy(words, &above, sizeof words);
    for (int i = 0; i < VL / 2; i++)
        any |= words[i];
    return any != 0;
#endif
}

/* VL queries against all keys: acc[8][TILE] <- outputs, lse[VL]. */
INLINE void narrow_forward(const float *lanes, const float *keys, const float *values, int64_t tokens,
                           float factor, float *acc, float *lse, int pairs)
{
    int words = pairs ? NARROW / 2 : NARROW;
    V out[NARROW], sum = v_set(0.0f), low = v_set(0.0f); /* low: minus the running maximum */
    UNROLL for (int j = 0; j < NARROW; j++)
        out[j] = v_set(0.0f);
    for (int64_t first = 0; first < tokens; first += NARROW_ROWS) {
        V s[NARROW_ROWS];
        UNROLL for (int r = 0; r < NARROW_ROWS; r++)
            s[r] = pairs ? v_set(0.0f) : low;
        narrow_scores(s, NARROW_ROWS, lanes, keys + first * words, pairs);
        if (pairs)
            UNROLL for (int r = 0; r < NARROW_ROWS; r++)
                s[r] = s[r] * factor + low;
        if (tokens - first < NARROW_ROWS)
            UNROLL for (int r = 0; r < NARROW_ROWS; r++)
                s[r] = r < tokens - first ? s[r] : v_set(NARROW_NEVER);
        V top = s[0];
        UNROLL for (int r = 1; r < NARROW_ROWS; r++)
            top = v_max(top, s[r]);
        if (first == 0 || narrow_any_above(top, 8.0f)) {
            if (first > 0) {
                top = v_max(top, v_set(0.0f));
                V less = v_exp2(-top);
                sum *= less;
                UNROLL for (int j = 0; j < NARROW; j++)
                    out[j] *= less;
            }
            low -= top;
            UNROLL for (int r = 0; r < NARROW_ROWS; r++)
                s[r] -= top;
        }
        UNROLL for (int r = 0; r < NARROW_ROWS; r++)
        {
            s[r] = narrow_exp2(s[r], pairs);
            sum += s[r];
        }
        narrow_sums(out, s, NARROW_ROWS, values + first * words, pairs);
    }
    V inverse = 1.0f / sum;
    UNROLL for (int j = 0; j < NARROW; j++)
        v_store(acc + j * TILE, out[j] * inverse);
    for (int i = 0; i < VL; i++)
        lse[i] = logf(sum[i]) - low[i] * LN_2;
}

/* OpenMP takes its regions out of a function before constants reach them: what is to be compiled for one
 * form lies outside. */
static void narrow_forward_f32(const float *lanes, const float *keys, const float *values, int64_t tokens,
                               float factor, float *acc, float *lse)
{
    narrow_forward(lanes, keys, values, tokens, factor, acc, lse, 0);
}

static void narrow_forward_bf16(const float *lanes, const float *keys, const float *values, int64_t tokens,
                                float factor, float *acc, float *lse)
{
    narrow_forward(lanes, keys, values, tokens, factor, acc, lse, NARROW_PAIRS);
}

#endif
