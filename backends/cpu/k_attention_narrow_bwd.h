/* SPDX-License-Identifier: MIT
 * The gradients of narrow heads (k_attention_narrow.h): Dao et al. 2022, appendix B.4, in two sweeps that
 * compute the scores anew. With p = exp(score - lse), dp = do.v and ds = p (dp - do.o): dv = p^T do,
 * dq = scale ds k, dk = scale ds^T q. Template: included once per instruction set. */
#include "cpu_vec.h"

#include "k_attention_narrow.h"

/* Rows of all heads and what belongs to each token, [padded] per head: low is -lse in powers of two,
 * NARROW_NEVER for padding, delta -do.o. */
typedef struct narrow_bwd_rows {
    float *q, *k, *g, *v;             /* by channels; g is the output's gradient */
    float *q_sums, *k_sums, *g_sums; /* the same in the form that sums over rows want */
    float *low, *delta;
} narrow_bwd_rows;

/* p and ds of `count` rows from their scores and products. */
INLINE void narrow_slopes(V *s, V *dp, int count, int pairs)
{
    UNROLL for (int r = 0; r < count; r++)
    {
        s[r] = narrow_exp2(s[r], pairs);
        dp[r] *= s[r];
    }
}

/* Lanes are queries: dq[8][TILE] / scale, from lanes of q and g [8][TILE] and low, delta [VL]. */
INLINE void narrow_dq(const float *q, const float *g, V low, V delta, const float *k, const float *k_sums,
                      const float *v, int64_t tokens, float factor, float *dq, int pairs)
{
    int words = pairs ? NARROW / 2 : NARROW;
    V out[NARROW];
    UNROLL for (int j = 0; j < NARROW; j++)
        out[j] = v_set(0.0f);
    for (int64_t first = 0; first < tokens; first += NARROW_ROWS_DQ) {
        V s[NARROW_ROWS_DQ], dp[NARROW_ROWS_DQ];
        UNROLL for (int r = 0; r < NARROW_ROWS_DQ; r++)
        {
            s[r] = pairs ? v_set(0.0f) : low;
            dp[r] = delta;
        }
        narrow_scores(s, NARROW_ROWS_DQ, q, k + first * words, pairs);
        narrow_scores(dp, NARROW_ROWS_DQ, g, v + first * words, pairs);
        if (pairs)
            UNROLL for (int r = 0; r < NARROW_ROWS_DQ; r++)
                s[r] = s[r] * factor + low;
        if (tokens - first < NARROW_ROWS_DQ)
            UNROLL for (int r = 0; r < NARROW_ROWS_DQ; r++)
                s[r] = r < tokens - first ? s[r] : v_set(NARROW_NEVER);
        narrow_slopes(s, dp, NARROW_ROWS_DQ, pairs);
        narrow_sums(out, dp, NARROW_ROWS_DQ, k_sums + first * words, pairs);
    }
    UNROLL for (int j = 0; j < NARROW; j++)
        v_store(dq + j * TILE, out[j]);
}

/* Lanes are keys: dk[8][TILE] / scale and dv[8][TILE], from lanes of k and v. */
INLINE void narrow_dkv(const float *k, const float *v, const narrow_bwd_rows *rows, int64_t row,
                       int64_t tokens, float factor, float *dk, float *dv, int pairs)
{
    int words = pairs ? NARROW / 2 : NARROW;
    V sum_k[NARROW], sum_v[NARROW];
    UNROLL for (int j = 0; j < NARROW; j++)
        sum_k[j] = sum_v[j] = v_set(0.0f);
    for (int64_t first = row; first < row + tokens; first += NARROW_ROWS_DKV) {
        V s[NARROW_ROWS_DKV], dp[NARROW_ROWS_DKV];
        UNROLL for (int r = 0; r < NARROW_ROWS_DKV; r++)
        {
            s[r] = pairs ? v_set(0.0f) : v_set(rows->low[first + r]);
            dp[r] = v_set(rows->delta[first + r]);
        }
        narrow_scores(s, NARROW_ROWS_DKV, k, rows->q + first * words, pairs);
        narrow_scores(dp, NARROW_ROWS_DKV, v, rows->g + first * words, pairs);
        if (pairs)
            UNROLL for (int r = 0; r < NARROW_ROWS_DKV; r++)
                s[r] = s[r] * factor + v_set(rows->low[first + r]);
        narrow_slopes(s, dp, NARROW_ROWS_DKV, pairs);
        narrow_sums(sum_v, s, NARROW_ROWS_DKV, rows->g_sums + first * words, pairs);
        narrow_sums(sum_k, dp, NARROW_ROWS_DKV, rows->q_sums + first * words, pairs);
    }
    UNROLL for (int j = 0; j < NARROW; j++)
    {
        v_store(dk + j * TILE, sum_k[j]);
        v_store(dv + j * TILE, sum_v[j]);
    }
}

typedef struct narrow_bwd_unit { /* one tile of lanes of one head */
    const narrow_bwd_rows *rows;
    int64_t row, tokens, count;
    const float *left, *right, *low, *delta; /* lanes [8][TILE], [TILE] */
    float factor, *out0, *out1;
} narrow_bwd_unit;

INLINE void narrow_bwd_lanes(const narrow_bwd_unit *u, int keys, int pairs)
{
    int64_t at = u->row * (pairs ? NARROW / 2 : NARROW);
    for (int64_t i = 0; i < u->count; i += VL)
        if (keys)
            narrow_dkv(u->left + i, u->right + i, u->rows, u->row, u->tokens, u->factor, u->out0 + i,
                       u->out1 + i, pairs);
        else
            narrow_dq(u->left + i, u->right + i, v_load(u->low + i), v_load(u->delta + i), u->rows->k + at,
                      u->rows->k_sums + at, u->rows->v + at, u->tokens, u->factor, u->out0 + i, pairs);
}

static void narrow_dq_f32(const narrow_bwd_unit *u)
{
    narrow_bwd_lanes(u, 0, 0);
}

static void narrow_dq_bf16(const narrow_bwd_unit *u)
{
    narrow_bwd_lanes(u, 0, NARROW_PAIRS);
}

static void narrow_dkv_f32(const narrow_bwd_unit *u)
{
    narrow_bwd_lanes(u, 1, 0);
}

static void narrow_dkv_bf16(const narrow_bwd_unit *u)
{
    narrow_bwd_lanes(u, 1, NARROW_PAIRS);
}

/* Fills rows->low and rows->delta. */
static void narrow_bwd_tokens(const narrow_bwd_rows *rows, const mdldm__cpu_attention *a)
{
    int64_t d = a->c / a->heads, padded = narrow_padded(a->tokens);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t unit = 0; unit < a->n * a->heads; unit++)
        for (int64_t t = 0; t < padded; t++) {
            int64_t from = (unit / a->heads * a->tokens + t) * a->c + unit % a->heads * d;
            float sum = 0.0f;
            for (int64_t j = 0; j < d && t < a->tokens; j++)
                sum += narrow_value(a->dout, a->dtype, from + j) * narrow_value(a->o, a->dtype, from + j);
            rows->delta[unit * padded + t] = -sum;
            rows->low[unit * padded + t] =
                t < a->tokens ? -a->lse[unit * a->tokens + t] * LOG2_E : NARROW_NEVER;
        }
}

static void narrow_attention_bwd(const mdldm__cpu_attention *a)
{
    int pairs = a->dtype == MDLDM_BF16 && NARROW_PAIRS, form = pairs ? NARROW_CHANNELS : NARROW_WIDE;
    int64_t d = a->c / a->heads, padded = narrow_padded(a->tokens), t = a->tokens;
    int64_t tiles = mdldm__cpu_ceil_div(t, TILE), size = a->n * a->heads * padded;
    int64_t step = size * (pairs ? NARROW / 2 : NARROW);
    float *p = a->scratch, factor = a->scale * LOG2_E;
    narrow_bwd_rows rows = {.q = p, .k = p + step, .g = p + 2 * step, .v = p + 3 * step};
    rows.q_sums = pairs ? p + 4 * step : rows.q;
    rows.k_sums = pairs ? p + 5 * step : rows.k;
    rows.g_sums = pairs ? p + 6 * step : rows.g;
    rows.low = p + 4 * size * NARROW;
    rows.delta = rows.low + size;
    narrow_split(rows.q, a->q, a, form, NULL);
    narrow_split(rows.k, a->k, a, form, NULL);
    narrow_split(rows.g, a->dout, a, form, NULL);
    narrow_split(rows.v, a->v, a, form, NULL);
    if (pairs) {
        narrow_split(rows.q_sums, a->q, a, NARROW_TOKENS, NULL);
        narrow_split(rows.k_sums, a->k, a, NARROW_TOKENS, NULL);
        narrow_split(rows.g_sums, a->dout, a, NARROW_TOKENS, NULL);
    }
    narrow_bwd_tokens(&rows, a);
#pragma omp parallel for schedule(static) num_threads(a->threads)
    for (int64_t part = 0; part < 2 * a->n * a->heads * tiles; part++) {
        float left[NARROW * TILE], right[NARROW * TILE], out0[NARROW * TILE], out1[NARROW * TILE];
        float low[TILE], delta[TILE];
        int64_t keys = part & 1, head = part / 2 / tiles, first = part / 2 % tiles * TILE;
        int64_t count = t - first < TILE ? t - first : TILE;
        int64_t base = (head / a->heads * t + first) * a->c + head % a->heads * d;
        narrow_bwd_unit u = {&rows, head * padded, t,      count, left, right,
                             low,   delta,         factor, out0,  out1};
        narrow_lanes(left, keys ? a->k : a->q, a, base, count, factor, pairs);
        narrow_lanes(right, keys ? a->v : a->dout, a, base, count, 1.0f, pairs);
        if (keys) {
            (pairs ? narrow_dkv_bf16 : narrow_dkv_f32)(&u);
            narrow_store(a->dk, a, base, count, out0, a->scale);
            narrow_store(a->dv, a, base, count, out1, 1.0f);
            continue;
        }
        for (int64_t i = 0; i < TILE; i++) {
            low[i] = i < count ? rows.low[head * padded + first + i] : 0.0f;
            delta[i] = i < count ? rows.delta[head * padded + first + i] : 0.0f;
        }
        (pairs ? narrow_dq_bf16 : narrow_dq_f32)(&u);
        narrow_store(a->dq, a, base, count, out0, a->scale);
    }
}
