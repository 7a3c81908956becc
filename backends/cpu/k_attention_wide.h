/* SPDX-License-Identifier: MIT
 * Attention with wide heads, forward: the products are what costs, so it is matrix products on blocks of
 * queries and keys (Dao et al., "FlashAttention", 2022), a block of scores at a time. Template: included
 * once per instruction set. */
#ifndef MDLDM_CPU_K_ATTENTION_WIDE_H
#define MDLDM_CPU_K_ATTENTION_WIDE_H

#include "cpu_vec.h"

#include <math.h>

#include "cpu_scratch.h"
#include "k_gemm.h"

#define WIDE_QUERIES MDLDM__CPU_WIDE_QUERIES
#define WIDE_KEYS MDLDM__CPU_WIDE_KEYS

/* Sizes in words of 32 bits: floats, or with bf16 products pairs (k_gemm.h). */
typedef struct wide_form {
    int pairs;
    int64_t tokens, d;
    int64_t depth;   /* words of a row of d channels */
    int64_t columns; /* d padded to whole strips of GEMM_N */
    int64_t block;   /* words of a column of WIDE_KEYS keys */
} wide_form;

static wide_form wide_form_of(const mdldm__cpu_attention *a)
{
    int64_t d = a->c / a->heads;
#if defined(__AVX512BF16__)
    int pairs = a->dtype == MDLDM_BF16;
#else
    int pairs = 0;
#endif
    return (wide_form){pairs,
                       a->tokens,
                       d,
                       pairs ? (d + 1) / 2 : d,
                       mdldm__cpu_ceil_div(d, GEMM_N) * GEMM_N,
                       pairs ? WIDE_KEYS / 2 : WIDE_KEYS};
}

/* First element of a token of a head; unit counts the heads of all images. */
INLINE int64_t wide_at(const mdldm__cpu_attention *a, int64_t unit, int64_t token)
{
    return (unit / a->heads * a->tokens + token) * a->c + unit % a->heads * (a->c / a->heads);
}

/* to[count][depth] <- rows of x */
static void wide_rows(float *to, const void *x, const mdldm__cpu_attention *a, const wide_form *f,
                      int64_t unit, int64_t first, int64_t count)
{
    for (int64_t t = 0; t < count; t++, to += f->depth) {
        int64_t from = wide_at(a, unit, first + t);
        if (f->pairs) {
            to[f->depth - 1] = 0.0f; /* an odd channel's partner */
            memcpy(to, (const uint16_t *)x + from, (size_t)f->d * sizeof(uint16_t));
        } else {
            for (int64_t j = 0; j < f->d; j += VL)
                v_put(to, MDLDM_F32, j, f->d - j, v_get(x, a->dtype, from + j, f->d - j));
        }
    }
}

/* Columns are tokens: to[depth][GEMM_N] of tokens first..; past the last one they are 0. */
static void wide_token_strip(float *to, const void *x, const mdldm__cpu_attention *a, const wide_form *f,
                             int64_t unit, int64_t first, float *row)
{
    for (int64_t lane = 0; lane < GEMM_N; lane++) {
        if (first + lane < f->tokens)
            wide_rows(row, x, a, f, unit, first + lane, 1);
        else
            memset(row, 0, (size_t)f->depth * sizeof *row);
        for (int64_t j = 0; j < f->depth; j++)
            memcpy(to + j * GEMM_N + lane, row + j, sizeof *to); /* not a float when it is a pair */
    }
}

/* Columns are channels: to[columns/GEMM_N][tokens or pairs][GEMM_N] of a block of tokens first..; past
 * the last one the rows are 0. */
static void wide_channel_block(float *to, const void *x, const mdldm__cpu_attention *a, const wide_form *f,
                               int64_t unit, int64_t first, int64_t tokens)
{
    int64_t block = f->pairs ? tokens / 2 : tokens;
    memset(to, 0, (size_t)(block * f->columns) * sizeof *to);
    uint16_t *half = (uint16_t *)to;
    for (int64_t t = 0; t < tokens && first + t < f->tokens; t++) {
        int64_t from = wide_at(a, unit, first + t);
        for (int64_t j = 0; j < f->d; j += VL) {
            int64_t strip = j / GEMM_N * block, lane = j % GEMM_N, m = f->d - j;
            if (!f->pairs) {
                v_put(to + (strip + t) * GEMM_N + lane, MDLDM_F32, 0, m, v_get(x, a->dtype, from + j, m));
                continue;
            }
            const uint16_t *value = (const uint16_t *)x + from + j;
            uint16_t *word = half + ((strip + t / 2) * GEMM_N + lane) * 2 + t % 2;
            for (int64_t i = 0; i < VL && i < m; i++)
                word[2 * i] = value[i];
        }
    }
}

/* One strip of columns: c[m][n] (+)= a b, b's rows GEMM_N words apart. */
INLINE void wide_product(int pairs, int64_t m, int64_t n, int64_t k, const void *a, int64_t a_m, int64_t a_k,
                         const float *b, float *c, int64_t c_m, int add)
{
    const mdldm__cpu_gemm g = {.m = m,
                               .n = n,
                               .k = k,
                               .a_m = a_m,
                               .a_k = a_k,
                               .b_k = GEMM_N,
                               .c_m = c_m,
                               .a = a,
                               .b = b,
                               .c = c,
                               .dtype = pairs ? MDLDM_BF16 : MDLDM_F32,
                               .add = add};
    gemm_strip(&g, b, c, n);
}

/* A row of scores becomes one of p = 2^(factor*score - top), in floats or bf16, 0 from count on; returns
 * the factor that what was summed under the old top takes. */
static float wide_softmax(float *score, void *p, int pairs, int64_t count, float factor, float *top,
                          float *sum)
{
    for (int64_t j = 0; j < WIDE_KEYS; j += VL)
        v_store(score + j, v_load(score + j) * factor);
    for (int64_t j = count; j < WIDE_KEYS; j++)
        score[j] = -INFINITY;
    V high = v_load(score), total = v_set(0.0f);
    for (int64_t j = VL; j < WIDE_KEYS; j += VL)
        high = v_max(v_load(score + j), high);
    float now = *top;
    for (int i = 0; i < VL; i++)
        now = high[i] > now ? high[i] : now;
    for (int64_t j = 0; j < WIDE_KEYS; j += VL) {
        V e = v_exp2(v_load(score + j) - now);
        total += e;
        v_put(p, pairs ? MDLDM_BF16 : MDLDM_F32, j, VL, e);
    }
    float less = *top > -INFINITY ? exp2f(*top - now) : 0.0f;
    *sum = *sum * less + v_sum(total);
    *top = now;
    return less;
}

/* A thread's own memory: a block of queries, of their outputs, of scores, and of p. */
typedef struct wide_tile {
    float *q, *out, *score, *p, *top, *sum;
} wide_tile;

static wide_tile wide_private(const mdldm__cpu_attention *a, const wide_form *f, int64_t shared, int thread)
{
    float *p = a->scratch + shared + thread * mdldm__cpu_wide_private(f->d);
    p = (float *)(((uintptr_t)p + 63) & ~(uintptr_t)63);
    wide_tile t = {.out = p};
    t.score = t.out + WIDE_QUERIES * f->columns;
    t.p = t.score + WIDE_QUERIES * WIDE_KEYS;
    t.top = t.p + WIDE_QUERIES * WIDE_KEYS;
    t.sum = t.top + WIDE_QUERIES;
    t.q = t.sum + WIDE_QUERIES;
    return t;
}

/* count queries from first on of one head, against panels of its keys and values. */
static void wide_queries(const mdldm__cpu_attention *a, const wide_form *f, const wide_tile *t, int64_t unit,
                         int64_t first, int64_t count, const float *keys, const float *values)
{
    int64_t strip = f->depth * GEMM_N;
    wide_rows(t->q, a->q, a, f, unit, first, count);
    for (int64_t r = 0; r < count; r++) {
        t->top[r] = -INFINITY;
        t->sum[r] = 0.0f;
    }
    for (int64_t from = 0; from < f->tokens; from += WIDE_KEYS) {
        int64_t width = f->tokens - from < WIDE_KEYS ? f->tokens - from : WIDE_KEYS;
        for (int64_t j = 0; j < width; j += GEMM_N)
            wide_product(f->pairs, count, GEMM_N, f->depth, t->q, f->depth, 1,
                         keys + (from + j) / GEMM_N * strip, t->score + j, WIDE_KEYS, 0);
        for (int64_t r = 0; r < count; r++) {
            float less = wide_softmax(t->score + r * WIDE_KEYS, t->p + r * f->block, f->pairs, width,
                                      a->scale * LOG2_E, &t->top[r], &t->sum[r]);
            for (int64_t j = 0; j < f->columns && from > 0 && less != 1.0f; j += VL)
                v_store(t->out + r * f->columns + j, v_load(t->out + r * f->columns + j) * less);
        }
        const float *block = values + from / WIDE_KEYS * f->block * f->columns;
        for (int64_t j = 0; j < f->columns; j += GEMM_N)
            wide_product(f->pairs, count, GEMM_N, f->block, t->p, f->block, 1, block + j * f->block,
                         t->out + j, f->columns, from > 0);
    }
    for (int64_t r = 0; r < count; r++) {
        int64_t to = wide_at(a, unit, first + r);
        for (int64_t j = 0; j < f->d; j += VL)
            v_put(a->o, a->dtype, to + j, f->d - j,
                  v_load(t->out + r * f->columns + j) * (1.0f / t->sum[r]));
        if (a->lse != NULL)
            a->lse[unit * f->tokens + first + r] = t->top[r] * LN_2 + logf(t->sum[r]);
    }
}

static void wide_attention(const mdldm__cpu_attention *a)
{
    wide_form f = wide_form_of(a);
    int64_t heads = a->n * a->heads, strips = mdldm__cpu_ceil_div(f.tokens, GEMM_N);
    int64_t blocks = mdldm__cpu_ceil_div(f.tokens, WIDE_KEYS);
    /* Of equal size, and as many for each thread: rows do not care which tile they are in. */
    int64_t tiles = mdldm__cpu_ceil_div(f.tokens, WIDE_QUERIES);
    tiles = tiles > a->threads ? mdldm__cpu_ceil_div(tiles, a->threads) * a->threads : tiles;
    int64_t keys_size = strips * GEMM_N * f.depth, values_size = blocks * f.block * f.columns;
    float *keys = (float *)(((uintptr_t)a->scratch + 63) & ~(uintptr_t)63);
    float *values = keys + heads * keys_size;
    int64_t shared = heads * (keys_size + values_size) + 16;
#pragma omp parallel num_threads(a->threads)
    {
        wide_tile tile = wide_private(a, &f, shared, omp_get_thread_num());
#pragma omp for schedule(static)
        for (int64_t i = 0; i < heads * strips; i++)
            wide_token_strip(keys + i * GEMM_N * f.depth, a->k, a, &f, i / strips, i % strips * GEMM_N,
                             tile.q);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < heads * blocks; i++)
            wide_channel_block(values + i * f.block * f.columns, a->v, a, &f, i / blocks,
                               i % blocks * WIDE_KEYS, WIDE_KEYS);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < heads * tiles; i++) {
            int64_t first = f.tokens * (i % tiles) / tiles;
            wide_queries(a, &f, &tile, i / tiles, first, f.tokens * (i % tiles + 1) / tiles - first,
                         keys + i / tiles * keys_size, values + i / tiles * values_size);
        }
    }
}

#endif
