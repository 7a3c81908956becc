/* SPDX-License-Identifier: MIT
 * The gradients of wide heads (k_attention_wide.h), one head after another, a stripe of queries at a
 * time against all keys: with p = exp(score - lse), dp = do.v and ds = p (dp - do.o) (Dao et al. 2022,
 * appendix B.4) each of the five products is made once. Threads share the blocks of a stripe; each sum
 * belongs to one block and runs over the stripes in order. Template: included once per instruction
 * set. */
#include "cpu_vec.h"

#include "k_attention_wide.h"

#define WIDE_STRIPE MDLDM__CPU_WIDE_STRIPE

/* Panels of a head and of a stripe. b: panels whose columns are tokens (k_tokens) or channels. */
typedef struct wide_bwd {
    const mdldm__cpu_attention *a;
    wide_form f;
    int64_t unit, first, count;       /* head; queries of the stripe */
    float *k_tokens, *v_tokens;       /* [tokens/GEMM_N][depth][GEMM_N] */
    float *k_channels;                /* [blocks][columns/GEMM_N][block][GEMM_N] */
    float *q_channels, *g_channels;   /* [columns/GEMM_N][stripe][GEMM_N]; g: the output's gradient */
    float *q_rows, *g_rows;           /* [stripe][depth] */
    float *p, *ds;                    /* [blocks][stripe][WIDE_KEYS]; pairs: of queries, [stripe/2] */
    float *ds_keys;                   /* pairs of keys: [blocks][stripe][WIDE_KEYS/2]; else ds */
    float *dk, *dv, *dq;              /* [tokens][columns] and [stripe][columns] */
    float *low, *delta;               /* [stripe] -lse in powers of two, do.o */
} wide_bwd;

static wide_bwd wide_bwd_open(const mdldm__cpu_attention *a)
{
    wide_bwd w = {.a = a, .f = wide_form_of(a)};
    const wide_form *f = &w.f;
    int64_t padded = mdldm__cpu_ceil_div(a->tokens, WIDE_KEYS) * WIDE_KEYS;
    int64_t stripe = f->pairs ? WIDE_STRIPE / 2 : WIDE_STRIPE;
    w.k_tokens = (float *)(((uintptr_t)a->scratch + 63) & ~(uintptr_t)63);
    w.v_tokens = w.k_tokens + padded * f->depth;
    w.k_channels = w.v_tokens + padded * f->depth;
    w.p = w.k_channels + padded / WIDE_KEYS * f->block * f->columns;
    w.ds = w.p + stripe * padded;
    w.ds_keys = f->pairs ? w.ds + stripe * padded : w.ds;
    w.dk = w.ds_keys + stripe * padded;
    w.dv = w.dk + padded * f->columns;
    w.dq = w.dv + padded * f->columns;
    w.q_channels = w.dq + WIDE_STRIPE * f->columns;
    w.g_channels = w.q_channels + stripe * f->columns;
    w.q_rows = w.g_channels + stripe * f->columns;
    w.g_rows = w.q_rows + WIDE_STRIPE * f->depth;
    w.low = w.g_rows + WIDE_STRIPE * f->depth;
    w.delta = w.low + WIDE_STRIPE;
    return w;
}

/* One of the four things to prepare for a stripe. */
static void wide_bwd_prepare(const wide_bwd *w, int64_t part)
{
    const mdldm__cpu_attention *a = w->a;
    int64_t d = w->f.d;
    if (part == 0)
        wide_channel_block(w->q_channels, a->q, a, &w->f, w->unit, w->first, WIDE_STRIPE);
    else if (part == 1)
        wide_channel_block(w->g_channels, a->dout, a, &w->f, w->unit, w->first, WIDE_STRIPE);
    else if (part == 2)
        wide_rows(w->q_rows, a->q, a, &w->f, w->unit, w->first, w->count);
    else {
        wide_rows(w->g_rows, a->dout, a, &w->f, w->unit, w->first, w->count);
        for (int64_t r = 0; r < w->count; r++) {
            int64_t from = wide_at(a, w->unit, w->first + r);
            V sum = v_set(0.0f);
            for (int64_t j = 0; j < d; j += VL)
                sum += v_get(a->dout, a->dtype, from + j, d - j) * v_get(a->o, a->dtype, from + j, d - j);
            w->delta[r] = v_sum(sum);
            w->low[r] = -a->lse[w->unit * a->tokens + w->first + r] * LOG2_E;
        }
    }
}

/* p and ds of the stripe's queries and one block of keys. score, slope: [stripe][WIDE_KEYS] of the
 * thread. */
static void wide_bwd_scores(const wide_bwd *w, int64_t block, float *score, float *slope)
{
    const wide_form *f = &w->f;
    int64_t strip = f->depth * GEMM_N, from = block * WIDE_KEYS, tokens = f->tokens - from;
    int64_t at = block * WIDE_STRIPE * WIDE_KEYS / (f->pairs ? 2 : 1);
    uint16_t *p_half = (uint16_t *)(w->p + at), *ds_half = (uint16_t *)(w->ds + at);
    uint16_t *keys_half = (uint16_t *)(w->ds_keys + at);
    for (int64_t j = 0; j < WIDE_KEYS && j < tokens; j += GEMM_N) {
        int64_t panel = (from + j) / GEMM_N * strip;
        wide_product(f->pairs, w->count, GEMM_N, f->depth, w->q_rows, f->depth, 1, w->k_tokens + panel,
                     score + j, WIDE_KEYS, 0);
        wide_product(f->pairs, w->count, GEMM_N, f->depth, w->g_rows, f->depth, 1, w->v_tokens + panel,
                     slope + j, WIDE_KEYS, 0);
    }
    if (f->pairs && w->count % 2 != 0) { /* the last query's partner */
        memset(w->p + at + w->count / 2 * WIDE_KEYS, 0, WIDE_KEYS * sizeof(float));
        memset(w->ds + at + w->count / 2 * WIDE_KEYS, 0, WIDE_KEYS * sizeof(float));
    }
    for (int64_t r = 0; r < w->count; r++) {
        float *s = score + r * WIDE_KEYS, *g = slope + r * WIDE_KEYS;
        for (int64_t j = tokens > 0 ? tokens : 0; j < WIDE_KEYS; j++)
            s[j] = g[j] = 0.0f;
        for (int64_t j = 0; j < WIDE_KEYS; j += VL) {
            V p = v_exp2(v_load(s + j) * (w->a->scale * LOG2_E) + w->low[r]);
            v_store(s + j, p);
            v_store(g + j, p * (v_load(g + j) - w->delta[r]));
        }
        for (int64_t j = tokens > 0 ? tokens : 0; j < WIDE_KEYS; j++)
            s[j] = g[j] = 0.0f;
        for (int64_t j = 0; j < WIDE_KEYS; j += VL) {
            V p = v_load(s + j), d = v_load(g + j);
            if (!f->pairs) {
                v_store(w->p + at + r * WIDE_KEYS + j, p);
                v_store(w->ds + at + r * WIDE_KEYS + j, d);
                continue;
            }
            VH p16 = v_to_bf16(p), d16 = v_to_bf16(d);
            memcpy(keys_half + r * WIDE_KEYS + j, &d16, sizeof d16);
            for (int i = 0; i < VL; i++) {
                int64_t to = (r / 2 * WIDE_KEYS + j + i) * 2 + r % 2;
                p_half[to] = p16[i];
                ds_half[to] = d16[i];
            }
        }
    }
}

/* What the stripe adds to dk and dv of one block of keys. */
static void wide_bwd_keys(const wide_bwd *w, int64_t block)
{
    const wide_form *f = &w->f;
    int64_t stripe = f->pairs ? WIDE_STRIPE / 2 : WIDE_STRIPE, at = block * stripe * WIDE_KEYS;
    int64_t k = f->pairs ? (w->count + 1) / 2 : w->count, from = block * WIDE_KEYS;
    int64_t width = f->tokens - from < WIDE_KEYS ? f->tokens - from : WIDE_KEYS;
    for (int64_t j = 0; j < f->columns; j += GEMM_N) {
        int64_t c = from * f->columns + j;
        wide_product(f->pairs, width, GEMM_N, k, w->p + at, 1, WIDE_KEYS, w->g_channels + j * stripe,
                     w->dv + c, f->columns, w->first > 0);
        wide_product(f->pairs, width, GEMM_N, k, w->ds + at, 1, WIDE_KEYS, w->q_channels + j * stripe,
                     w->dk + c, f->columns, w->first > 0);
    }
}

/* dq of the stripe, GEMM_N channels from j on. */
static void wide_bwd_queries(const wide_bwd *w, int64_t j)
{
    const mdldm__cpu_attention *a = w->a;
    const wide_form *f = &w->f;
    for (int64_t from = 0; from < f->tokens; from += WIDE_KEYS) {
        int64_t block = from / WIDE_KEYS;
        wide_product(f->pairs, w->count, GEMM_N, f->block, w->ds_keys + block * WIDE_STRIPE * f->block,
                     f->block, 1, w->k_channels + (block * f->columns + j) * f->block, w->dq + j,
                     f->columns, from > 0);
    }
    for (int64_t r = 0; r < w->count; r++)
        for (int64_t i = j; i < j + GEMM_N && i < f->d; i += VL)
            v_put(a->dq, a->dtype, wide_at(a, w->unit, w->first + r) + i, f->d - i,
                  v_load(w->dq + r * f->columns + i) * a->scale);
}

static void wide_bwd_store(const wide_bwd *w, int64_t token)
{
    const mdldm__cpu_attention *a = w->a;
    int64_t to = wide_at(a, w->unit, token), from = token * w->f.columns;
    for (int64_t j = 0; j < w->f.d; j += VL) {
        v_put(a->dk, a->dtype, to + j, w->f.d - j, v_load(w->dk + from + j) * a->scale);
        v_put(a->dv, a->dtype, to + j, w->f.d - j, v_load(w->dv + from + j));
    }
}

static void wide_attention_bwd(const mdldm__cpu_attention *a)
{
    wide_bwd shared = wide_bwd_open(a);
    int64_t blocks = mdldm__cpu_ceil_div(a->tokens, WIDE_KEYS);
    int64_t strips = mdldm__cpu_ceil_div(a->tokens, GEMM_N), columns = shared.f.columns / GEMM_N;
#pragma omp parallel num_threads(a->threads)
    {
        wide_bwd w = shared;
        int thread = omp_get_thread_num();
        float *score = w.delta + WIDE_STRIPE + thread * (2 * WIDE_STRIPE * WIDE_KEYS + w.f.depth);
        float *slope = score + WIDE_STRIPE * WIDE_KEYS, *row = slope + WIDE_STRIPE * WIDE_KEYS;
        for (w.unit = 0; w.unit < a->n * a->heads; w.unit++) {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < strips; i++) {
                wide_token_strip(w.k_tokens + i * GEMM_N * w.f.depth, a->k, a, &w.f, w.unit, i * GEMM_N, row);
                wide_token_strip(w.v_tokens + i * GEMM_N * w.f.depth, a->v, a, &w.f, w.unit, i * GEMM_N, row);
            }
#pragma omp for schedule(static)
            for (int64_t i = 0; i < blocks; i++)
                wide_channel_block(w.k_channels + i * w.f.block * w.f.columns, a->k, a, &w.f, w.unit,
                                   i * WIDE_KEYS, WIDE_KEYS);
            for (w.first = 0; w.first < a->tokens; w.first += WIDE_STRIPE) {
                w.count = a->tokens - w.first < WIDE_STRIPE ? a->tokens - w.first : WIDE_STRIPE;
#pragma omp for schedule(static)
                for (int64_t part = 0; part < 4; part++)
                    wide_bwd_prepare(&w, part);
#pragma omp for schedule(static)
                for (int64_t i = 0; i < blocks; i++)
                    wide_bwd_scores(&w, i, score, slope);
#pragma omp for schedule(static)
                for (int64_t i = 0; i < blocks + columns; i++)
                    if (i < blocks)
                        wide_bwd_keys(&w, i);
                    else
                        wide_bwd_queries(&w, (i - blocks) * GEMM_N);
            }
#pragma omp for schedule(static)
            for (int64_t token = 0; token < a->tokens; token++)
                wide_bwd_store(&w, token);
        }
    }
}
