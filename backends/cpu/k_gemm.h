/* SPDX-License-Identifier: MIT
 * Matrix products in cache: c[m][n] = or += sum over k of a[m][k] b[k][n]. The caller blocks for the
 * caches (a strip of b, k times GEMM_N words, wants to stay in the first level), packs and threads.
 *
 * a and b are words of 32 bits: a float, or a pair of bf16 (two neighbours in k, the earlier one
 * low), and k counts words. a takes any strides, so that products with the left operand transposed
 * are served as well; rows of b are contiguous. What an element of c gets is one chain of sums over k,
 * whatever the tile it falls in: results do not depend on how m and n are cut. A long k is best cut by
 * the caller: the partial sums added at last lose less than one long chain.
 * Template: included once per instruction set. */
#ifndef MDLDM_CPU_K_GEMM_H
#define MDLDM_CPU_K_GEMM_H

#include "cpu_vec.h"

/* A register tile: GEMM_ROWS x GEMM_NV accumulators, GEMM_NV of b and one of a. Without the bf16 product
 * b and a take two registers a word. */
#define GEMM_NV 2
#define GEMM_N (GEMM_NV * VL)
#if defined(__AVX512F__)
#define GEMM_ROWS 14
#if defined(__AVX512BF16__)
#define GEMM_ROWS_BF16 14
#else
#define GEMM_ROWS_BF16 12
#endif
#else
#define GEMM_ROWS 6
#define GEMM_ROWS_BF16 4
#endif
#define GEMM_EDGE_ROWS 4 /* most rows of a tile that ends inside a vector */

typedef float gemm_float __attribute__((may_alias));
typedef uint32_t gemm_word __attribute__((may_alias, aligned(2)));

/* One register tile. lanes: columns in its last vector. */
typedef struct gemm_tile {
    const void *a, *b;
    float *c;
    int64_t a_m, a_k, b_k, c_m, k, lanes;
    int add;
    const char *ahead; /* where the words of a that come next lie: fetched, a line per step of k */
    const char *later; /* what the caller wants fetched, and bytes of it per step of k */
    int64_t later_step;
} gemm_tile;

INLINE V gemm_get(const float *p, int partial, int64_t lanes)
{
#if defined(__AVX512F__)
    if (partial)
        return (V)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1u), p);
#endif
    return partial ? v_get(p, MDLDM_F32, 0, lanes) : v_load(p);
}

INLINE void gemm_put(float *p, int partial, int64_t lanes, V x)
{
#if defined(__AVX512F__)
    if (partial) {
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << lanes) - 1u), (__m512)x);
        return;
    }
#endif
    if (partial)
        v_put(p, MDLDM_F32, 0, lanes, x);
    else
        v_store(p, x);
}

INLINE V gemm_pair(V sum, uint32_t a, V b)
{
#if defined(__AVX512BF16__)
    return (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
#else
    VU pair = (VU)b, word = (VU){0} + a;
    sum += (V)(word << 16) * (V)(pair << 16);
    return sum + (V)(word & 0xffff0000u) * (V)(pair & 0xffff0000u);
#endif
}

/* Row r of a: bases three rows apart keep the addresses in the registers there are. */
#define GEMM_AT(base, r, step) ((base)[(r) / 3] + ((r) % 3) * (step))

/* Unrolled by pragma, that is before gcc gives the accumulators their places: else they are on the stack before
 * and after the sum over k, which at k = 8 takes as long as the sum. */
INLINE void gemm_multiply(int bf16, int rows, int nv, int partial, const gemm_tile *t)
{
    V acc[GEMM_ROWS][GEMM_NV];
    const char *base[(GEMM_ROWS + 2) / 3];
    const int64_t a_m = t->a_m * 4, a_k = t->a_k * 4, b_k = t->b_k;
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++)
            acc[r][v] = v_set(0.0f);
#pragma GCC unroll 5
    for (int g = 0; g < (rows + 2) / 3; g++)
        base[g] = (const char *)t->a + 3 * g * a_m;
    const float *b = t->b;
    const char *ahead = t->ahead, *later = t->later;
    const int64_t later_step = t->later_step;
    for (int64_t k = t->k; k > 0; k--) {
        V col[GEMM_NV];
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++)
            col[v] = gemm_get(b + v * VL, partial && v == nv - 1, t->lanes);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const char *at = GEMM_AT(base, r, a_m);
            if (bf16) {
                uint32_t word = *(const gemm_word *)at;
#pragma GCC unroll 2
                for (int v = 0; v < nv; v++)
                    acc[r][v] = gemm_pair(acc[r][v], word, col[v]);
            } else {
                V scalar = v_set(*(const gemm_float *)at);
#pragma GCC unroll 2
                for (int v = 0; v < nv; v++)
                    acc[r][v] += scalar * col[v];
            }
        }
#pragma GCC unroll 5
        for (int g = 0; g < (rows + 2) / 3; g++)
            base[g] += a_k;
        b += b_k;
        __builtin_prefetch(ahead);
        ahead += 64;
        __builtin_prefetch(later, 0, 2); /* into the second level */
        later += later_step;
    }
    float *c = t->c;
    const int64_t c_m = t->c_m;
    if (t->add) {
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++, c += c_m)
#pragma GCC unroll 2
            for (int v = 0; v < nv; v++)
                gemm_put(c + v * VL, partial && v == nv - 1, t->lanes,
                         acc[r][v] + gemm_get(c + v * VL, partial && v == nv - 1, t->lanes));
    } else {
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++, c += c_m)
#pragma GCC unroll 2
            for (int v = 0; v < nv; v++)
                gemm_put(c + v * VL, partial && v == nv - 1, t->lanes, acc[r][v]);
    }
}

typedef void (*gemm_fn)(const gemm_tile *t);

#define GEMM_DEFINE(rows, nv)                                                                          \
    static void gemm_f32_##rows##x##nv(const gemm_tile *t)                                             \
    {                                                                                                  \
        gemm_multiply(0, rows, nv, 0, t);                                                              \
    }                                                                                                  \
    static void gemm_bf16_##rows##x##nv(const gemm_tile *t)                                            \
    {                                                                                                  \
        gemm_multiply(1, rows, nv, 0, t);                                                              \
    }
#define GEMM_DEFINE_EDGE(rows, nv)                                                                     \
    static void gemm_f32_edge_##rows##x##nv(const gemm_tile *t)                                        \
    {                                                                                                  \
        gemm_multiply(0, rows, nv, 1, t);                                                              \
    }                                                                                                  \
    static void gemm_bf16_edge_##rows##x##nv(const gemm_tile *t)                                       \
    {                                                                                                  \
        gemm_multiply(1, rows, nv, 1, t);                                                              \
    }
#if GEMM_ROWS == 14
#define GEMM_EACH(X, nv)                                                                               \
    X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv) X(7, nv) X(8, nv) X(9, nv) X(10, nv) X(11, nv) \
    X(12, nv) X(13, nv) X(14, nv)
#else
#define GEMM_EACH(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv)
#endif
#define GEMM_EACH_EDGE(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv)

GEMM_EACH(GEMM_DEFINE, 1)
GEMM_EACH(GEMM_DEFINE, 2)
GEMM_EACH_EDGE(GEMM_DEFINE_EDGE, 1)
GEMM_EACH_EDGE(GEMM_DEFINE_EDGE, 2)

#define GEMM_F32(rows, nv) gemm_f32_##rows##x##nv,
#define GEMM_BF16(rows, nv) gemm_bf16_##rows##x##nv,
#define GEMM_F32_EDGE(rows, nv) gemm_f32_edge_##rows##x##nv,
#define GEMM_BF16_EDGE(rows, nv) gemm_bf16_edge_##rows##x##nv,
/* [bf16][vectors - 1][rows - 1] */
static const gemm_fn gemm_full[2][GEMM_NV][GEMM_ROWS] = {
    {{GEMM_EACH(GEMM_F32, 1)}, {GEMM_EACH(GEMM_F32, 2)}},
    {{GEMM_EACH(GEMM_BF16, 1)}, {GEMM_EACH(GEMM_BF16, 2)}},
};
static const gemm_fn gemm_edge[2][GEMM_NV][GEMM_EDGE_ROWS] = {
    {{GEMM_EACH_EDGE(GEMM_F32_EDGE, 1)}, {GEMM_EACH_EDGE(GEMM_F32_EDGE, 2)}},
    {{GEMM_EACH_EDGE(GEMM_BF16_EDGE, 1)}, {GEMM_EACH_EDGE(GEMM_BF16_EDGE, 2)}},
};

/* The next row of what is to be fetched is for tile t; when there is none, t fetches a again. */
static void gemm_fetch(mdldm__cpu_fetch *f, gemm_tile *t)
{
    t->later = t->a;
    t->later_step = 0;
    if (f == NULL || f->row >= f->rows)
        return;
    t->later = f->from + f->row++ * f->stride;
    t->later_step = (f->lines * 64 + t->k - 1) / t->k;
}

/* m rows of one strip of n <= GEMM_N columns, in tiles of nearly equal height. */
static void gemm_strip(const mdldm__cpu_gemm *g, const void *b, float *c, int64_t n)
{
    int bf16 = g->dtype == MDLDM_BF16;
    int nv = (int)((n + VL - 1) / VL), partial = n % VL != 0;
    int64_t most = partial ? GEMM_EDGE_ROWS : bf16 ? GEMM_ROWS_BF16 : GEMM_ROWS;
    int64_t tiles = (g->m + most - 1) / most;
    gemm_tile t = {.a = g->a,
                   .b = b,
                   .c = c,
                   .a_m = g->a_m,
                   .a_k = g->a_k,
                   .b_k = g->b_k,
                   .c_m = g->c_m,
                   .k = g->k,
                   .lanes = partial ? n % VL : VL,
                   .add = g->add};
    for (int64_t i = 0; i < tiles; i++) {
        int64_t first = g->m * i / tiles, rows = g->m * (i + 1) / tiles - first;
        t.a = (const char *)g->a + first * g->a_m * 4;
        t.c = c + first * g->c_m;
        t.ahead = (const char *)t.a + rows * g->a_m * 4;
        gemm_fetch(g->fetch, &t);
        if (partial)
            gemm_edge[bf16][nv - 1][rows - 1](&t);
        else
            gemm_full[bf16][nv - 1][rows - 1](&t);
    }
}

__attribute__((unused)) static void k_gemm(const mdldm__cpu_gemm *g)
{
    for (int64_t n = 0; n < g->n; n += GEMM_N)
        gemm_strip(g, (const char *)g->b + n * 4, g->c + n, g->n - n < GEMM_N ? g->n - n : GEMM_N);
}

#endif
