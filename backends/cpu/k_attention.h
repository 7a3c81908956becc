/* SPDX-License-Identifier: MIT
 * Attention without the matrix of scores: one pass over the keys with a running maximum (Milakov and
 * Gimelshein 2018; Dao et al., "FlashAttention", 2022). Vector lanes are queries (in the second half
 * of the backward pass: keys), so that nothing is ever summed across lanes. Template: included once
 * per instruction set. */
#include "cpu_vec.h"

#include <math.h>

#include "cpu_scratch.h"
#include "k_tile.h"

#define KEYS MDLDM__CPU_KEYS
#define LOG2_E 1.44269504088896341f /* scores are kept in powers of two: one multiplication fewer */
#define LN_2 0.693147180559945309f

/* out[n][heads][tokens][d] float <- x[n][tokens][heads*d] */
static void attention_split(float *out, const void *x, const mdldm__cpu_attention *a)
{
    int64_t d = a->c / a->heads;
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t unit = 0; unit < a->n * a->heads; unit++) {
        int64_t image = unit / a->heads, head = unit % a->heads;
        for (int64_t t = 0; t < a->tokens; t++) {
            int64_t from = (image * a->tokens + t) * a->c + head * d;
            for (int64_t j = 0; j < d; j += VL)
                v_put(out + (unit * a->tokens + t) * d, MDLDM_F32, j, d - j,
                      v_get(x, a->dtype, from + j, d - j));
        }
    }
}

/* to[d][TILE] = factor * x[token first + lane][j]; lanes past the end get 0. */
static void attention_columns(float *to, const void *x, int32_t dtype, int64_t row, int64_t base,
                              int64_t count, int64_t d, float factor)
{
    for (int64_t lane = 0; lane < TILE; lane++)
        for (int64_t j = 0; j < d; j += VL) {
            float t[VL];
            V value = v_set(0.0f);
            if (lane < count)
                value = v_get(x, dtype, base + lane * row + j, d - j) * factor;
            v_store(t, value);
            for (int64_t i = 0; i < VL && j + i < d; i++)
                to[(j + i) * TILE + lane] = t[i];
        }
}

/* y[token first + lane][j] = from[j][lane] * factor */
static void attention_rows(void *y, int32_t dtype, int64_t row, int64_t base, int64_t count,
                           const float *from, int64_t d, float factor)
{
    for (int64_t lane = 0; lane < count; lane++)
        for (int64_t j = 0; j < d; j += VL) {
            float t[VL];
            for (int64_t i = 0; i < VL; i++)
                t[i] = j + i < d ? from[(j + i) * TILE + lane] : 0.0f;
            v_put(y, dtype, base + lane * row + j, d - j, v_load(t) * factor);
        }
}

#include "k_attention_narrow.h"
#include "k_attention_narrow_bwd.h"

/* One tile of queries: qt[d][TILE] (times scale and log2(e)), keys and values [tokens][d].
 * acc[d][TILE], score[KEYS][TILE]; on return acc holds the output, lse[TILE] its log sum exp. */
static void attention_tile(const float *qt, const float *keys, const float *values, int64_t tokens,
                           int64_t d, float *acc, float *score, float *lse)
{
    V top[NV], sum[NV];
    for (int v = 0; v < NV; v++) {
        top[v] = v_set(-INFINITY);
        sum[v] = v_set(0.0f);
    }
    memset(acc, 0, (size_t)(d * TILE) * sizeof *acc);
    for (int64_t first = 0; first < tokens; first += KEYS) {
        int64_t count = tokens - first < KEYS ? tokens - first : KEYS;
        tile_multiply(count, keys + first * d, d, 1, qt, d, score, 0);
        for (int v = 0; v < NV; v++) {
            V high = top[v];
            for (int64_t k = 0; k < count; k++)
                high = v_max(v_load(score + k * TILE + v * VL), high);
            V factor = v_exp2(top[v] - high), total = sum[v] * factor;
            for (int64_t k = 0; k < count; k++) {
                V p = v_exp2(v_load(score + k * TILE + v * VL) - high);
                v_store(score + k * TILE + v * VL, p);
                total += p;
            }
            if (first > 0)
                for (int64_t j = 0; j < d; j++)
                    v_store(acc + j * TILE + v * VL, v_load(acc + j * TILE + v * VL) * factor);
            top[v] = high;
            sum[v] = total;
        }
        tile_multiply(d, values + first * d, 1, d, score, count, acc, 1);
    }
    for (int v = 0; v < NV; v++) {
        V inverse = 1.0f / sum[v];
        for (int64_t j = 0; j < d; j++)
            v_store(acc + j * TILE + v * VL, v_load(acc + j * TILE + v * VL) * inverse);
        for (int i = 0; i < VL; i++)
            lse[v * VL + i] = top[v][i] * LN_2 + logf(sum[v][i]);
    }
}

/* 64-byte aligned start of thread's own memory behind `shared` floats. */
static float *attention_private(const mdldm__cpu_attention *a, int64_t shared, int thread)
{
    float *p = a->scratch + shared + thread * mdldm__cpu_attention_private(a->c / a->heads, TILE);
    return (float *)(((uintptr_t)p + 63) & ~(uintptr_t)63);
}

static void k_attention(const mdldm__cpu_attention *a)
{
    if (a->c / a->heads <= NARROW) {
        narrow_attention(a);
        return;
    }
    int64_t d = a->c / a->heads, size = a->n * a->tokens * a->c;
    int64_t tiles = mdldm__cpu_ceil_div(a->tokens, TILE);
    float *keys = a->scratch, *values = keys + size;
    attention_split(keys, a->k, a);
    attention_split(values, a->v, a);
#pragma omp parallel num_threads(a->threads)
    {
        float *qt = attention_private(a, 2 * size, omp_get_thread_num());
        float *acc = qt + d * TILE, *score = acc + d * TILE, *lse = score + KEYS * TILE;
#pragma omp for schedule(static)
        for (int64_t unit = 0; unit < a->n * a->heads * tiles; unit++) {
            int64_t head = unit / tiles, first = unit % tiles * TILE; /* head: of all images */
            int64_t count = a->tokens - first < TILE ? a->tokens - first : TILE;
            int64_t base = (head / a->heads * a->tokens + first) * a->c + head % a->heads * d;
            attention_columns(qt, a->q, a->dtype, a->c, base, count, d, a->scale * LOG2_E);
            attention_tile(qt, keys + head * a->tokens * d, values + head * a->tokens * d, a->tokens, d,
                           acc, score, lse);
            attention_rows(a->o, a->dtype, a->c, base, count, acc, d, 1.0f);
            if (a->lse != NULL)
                memcpy(a->lse + head * a->tokens + first, lse, (size_t)count * sizeof *lse);
        }
    }
}

/* delta[n][heads][tokens] = sum_j do*o, the row sums that the softmax's derivative needs. */
static void attention_delta(float *delta, const mdldm__cpu_attention *a)
{
    int64_t d = a->c / a->heads;
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t unit = 0; unit < a->n * a->heads; unit++)
        for (int64_t t = 0; t < a->tokens; t++) {
            int64_t from = (unit / a->heads * a->tokens + t) * a->c + unit % a->heads * d;
            V sum = v_set(0.0f);
            for (int64_t j = 0; j < d; j += VL)
                sum += v_get(a->dout, a->dtype, from + j, d - j) * v_get(a->o, a->dtype, from + j, d - j);
            delta[unit * a->tokens + t] = v_sum(sum);
        }
}

/* score <- p = 2^score / exp(lse), slope <- p*(slope - delta). Per lane, or (by_row) per row k. */
INLINE void attention_slopes(float *score, float *slope, const float *lse, const float *delta,
                             int64_t count, int by_row)
{
    for (int64_t k = 0; k < count; k++)
        for (int v = 0; v < NV; v++) {
            float *s = score + k * TILE + v * VL, *g = slope + k * TILE + v * VL;
            V l = (by_row ? v_set(lse[k]) : v_load(lse + v * VL)) * LOG2_E;
            V z = by_row ? v_set(delta[k]) : v_load(delta + v * VL);
            V p = v_exp2(v_load(s) - l);
            v_store(s, p);
            v_store(g, p * (v_load(g) - z));
        }
}

/* Gradients of Dao et al. 2022, appendix B.4, in two sweeps that recompute the scores: lanes are
 * queries for dq, keys for dk and dv. */
static void k_attention_bwd(const mdldm__cpu_attention *a)
{
    if (a->c / a->heads <= NARROW) {
        narrow_attention_bwd(a);
        return;
    }
    int64_t d = a->c / a->heads, size = a->n * a->tokens * a->c, t = a->tokens;
    int64_t tiles = mdldm__cpu_ceil_div(t, TILE);
    float *qs = a->scratch, *ks = qs + size, *vs = ks + size, *gs = vs + size, *delta = gs + size;
    attention_split(qs, a->q, a);
    attention_split(ks, a->k, a);
    attention_split(vs, a->v, a);
    attention_split(gs, a->dout, a);
    attention_delta(delta, a);
#pragma omp parallel num_threads(a->threads)
    {
        float *left = attention_private(a, 4 * size + a->n * a->heads * t, omp_get_thread_num());
        float *right = left + d * TILE, *acc0 = right + d * TILE, *acc1 = acc0 + d * TILE;
        float *score = acc1 + d * TILE, *slope = score + KEYS * TILE;
        float *lane_lse = slope + KEYS * TILE, *lane_delta = lane_lse + TILE;
#pragma omp for schedule(static)
        for (int64_t unit = 0; unit < a->n * a->heads * tiles; unit++) {
            int64_t head = unit / tiles, first = unit % tiles * TILE;
            int64_t count = t - first < TILE ? t - first : TILE;
            int64_t base = (head / a->heads * t + first) * a->c + head % a->heads * d;
            const float *k = ks + head * t * d, *v = vs + head * t * d;
            for (int64_t i = 0; i < TILE; i++) {
                lane_lse[i] = i < count ? a->lse[head * t + first + i] : 0.0f;
                lane_delta[i] = i < count ? delta[head * t + first + i] : 0.0f;
            }
            attention_columns(left, a->q, a->dtype, a->c, base, count, d, a->scale * LOG2_E);
            attention_columns(right, a->dout, a->dtype, a->c, base, count, d, 1.0f);
            memset(acc0, 0, (size_t)(d * TILE) * sizeof *acc0);
            for (int64_t from = 0; from < t; from += KEYS) {
                int64_t rows = t - from < KEYS ? t - from : KEYS;
                tile_multiply(rows, k + from * d, d, 1, left, d, score, 0);
                tile_multiply(rows, v + from * d, d, 1, right, d, slope, 0);
                attention_slopes(score, slope, lane_lse, lane_delta, rows, 0);
                tile_multiply(d, k + from * d, 1, d, slope, rows, acc0, 1);
            }
            attention_rows(a->dq, a->dtype, a->c, base, count, acc0, d, a->scale);
        }
#pragma omp for schedule(static)
        for (int64_t unit = 0; unit < a->n * a->heads * tiles; unit++) {
            int64_t head = unit / tiles, first = unit % tiles * TILE;
            int64_t count = t - first < TILE ? t - first : TILE;
            int64_t base = (head / a->heads * t + first) * a->c + head % a->heads * d;
            const float *q = qs + head * t * d, *g = gs + head * t * d;
            attention_columns(left, a->k, a->dtype, a->c, base, count, d, a->scale * LOG2_E);
            attention_columns(right, a->v, a->dtype, a->c, base, count, d, 1.0f);
            memset(acc0, 0, (size_t)(2 * d * TILE) * sizeof *acc0);
            for (int64_t from = 0; from < t; from += KEYS) {
                int64_t rows = t - from < KEYS ? t - from : KEYS;
                tile_multiply(rows, q + from * d, d, 1, left, d, score, 0);
                tile_multiply(rows, g + from * d, d, 1, right, d, slope, 0);
                attention_slopes(score, slope, a->lse + head * t + from, delta + head * t + from, rows,
                                 1);
                tile_multiply(d, g + from * d, 1, d, score, rows, acc0, 1);
                tile_multiply(d, q + from * d, 1, d, slope, rows, acc1, 1);
            }
            attention_rows(a->dv, a->dtype, a->c, base, count, acc0, d, 1.0f);
            attention_rows(a->dk, a->dtype, a->c, base, count, acc1, d, a->scale);
        }
    }
}
