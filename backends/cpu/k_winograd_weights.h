/* SPDX-License-Identifier: MIT
 * A slab of transformed weights, [places][depth][panel] (bf16: words of two channels), from the weights
 * as they lie. Template: included once per instruction set. */
#ifndef MDLDM_CPU_K_WINOGRAD_WEIGHTS_H
#define MDLDM_CPU_K_WINOGRAD_WEIGHTS_H

#include "cpu_winograd.h"
#include "k_winograd_tile.h"

/* Which weights, and where their transform goes. */
typedef struct wino_slab {
    const float *weights;   /* canonical: the panel's first output channel, the slab's first input channel; */
    const void *packed;     /* or compact, at the slab's first channel */
    int64_t row;            /* floats between output channels */
    int64_t depth, columns; /* channels that there are: summed over, and of the panel */
    int64_t stride;         /* words between places */
    float *out;
} wino_slab;

/* m floats from p on (none when m <= 0), the other lanes 0. */
INLINE V wino_get(const float *p, int64_t m)
{
    return m <= 0 ? v_set(0.0f) : v_get(p, MDLDM_F32, 0, m);
}

/* Lane l of the result is lane index[l] of a, or index[l] - VL of b. */
INLINE V wino_pick(V a, V b, VI index)
{
#if defined(__AVX512F__)
    return (V)_mm512_permutex2var_ps((__m512)a, (__m512i)index, (__m512)b);
#elif defined(__clang__)
    V r;
    for (int l = 0; l < VL; l++)
        r[l] = index[l] < VL ? a[index[l]] : b[index[l] - VL];
    return r;
#else
    return __builtin_shuffle(a, b, index);
#endif
}

INLINE VI wino_lanes(void)
{
    VI lane;
    for (int l = 0; l < VL; l++)
        lane[l] = l;
    return lane;
}

/* Exchanges the off-diagonal blocks of step x step. */
INLINE void wino_exchange(V r[VL], int step)
{
    VI lane = wino_lanes(), upper = (lane & step) != 0;
    VI low = (upper & (lane - step + VL)) | (~upper & lane);
    VI high = (upper & (lane + VL)) | (~upper & (lane + step));
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        if (!(i & step)) {
            V a = r[i], b = r[i + step];
            r[i] = wino_pick(a, b, low);
            r[i + step] = wino_pick(a, b, high);
        }
}

INLINE void wino_transpose(V r[VL])
{
#if VL == 16
    wino_exchange(r, 8);
#endif
#if VL >= 8
    wino_exchange(r, 4);
#endif
    wino_exchange(r, 2);
    wino_exchange(r, 1);
}

/* 9 VL floats, [VL][9], to 9 vectors, one per tap. VL and 9 have no common divisor, so in each lane the
 * nine vectors hold nine different taps: lane l of vector INVERSE (t - l) mod 9 is one of tap t. A rotation
 * of each lane over the vectors, by l mod 9 in steps of 1, 2, 4, 8, brings the taps together, and a
 * permutation puts the channels in order (Catanzaro et al. 2014, "A decomposition for in-place matrix
 * transposition"). */
#define WINO_INVERSE (VL == 16 ? 4 : VL == 8 ? 8 : 7) /* of VL modulo 9 */
INLINE void wino_part_taps(const float *p, int64_t m, V taps[9])
{
    V from[9], to[9];
    VI lane = wino_lanes();
#pragma GCC unroll 9
    for (int s = 0; s < 9; s++) {
        int j = WINO_INVERSE * s % 9;
        from[s] = m >= VL ? v_load(p + j * VL) : wino_get(p + j * VL, 9 * m - j * VL);
    }
#pragma GCC unroll 4
    for (int level = 0; level < 4; level++) {
        int step = 1 << level;
        VI turned = ((lane - ((lane >= 9) & 9)) & step) != 0;
#pragma GCC unroll 9
        for (int t = 0; t < 9; t++)
            to[t] = v_select(turned, from[(t + 9 - step) % 9], from[t]);
#pragma GCC unroll 9
        for (int t = 0; t < 9; t++)
            from[t] = to[t];
    }
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) {
        VI order = (9 * lane + t) & (VL - 1);
        taps[t] = wino_pick(from[t], from[t], order);
    }
}

/* The transform of 9 taps of one channel (bf16: of this and the next one) to row k of the slab; row by row,
 * so that all of it stays in registers. */
INLINE void wino_put_weights(int f, int bf16, const wino_slab *s, const V *taps, const V *next, int64_t k,
                             int vector)
{
    V t[6][3], t1[6][3], u[6], u1[6];
    float *out = s->out + (bf16 ? k / 2 : k) * 2 * VL + vector * VL;
    wino_weight_columns(f, taps, t);
    if (bf16)
        wino_weight_columns(f, next, t1);
#pragma GCC unroll 6
    for (int i = 0; i < WINO_PLACES(f); i++) {
        wino_weight(f, t[i], u);
        if (bf16)
            wino_weight(f, t1[i], u1);
#pragma GCC unroll 6
        for (int j = 0; j < WINO_PLACES(f); j++)
            v_store(out + (i * WINO_PLACES(f) + j) * s->stride, bf16 ? v_pair_bf16(u[j], u1[j]) : u[j]);
    }
}

/* VL channels from k on, one vector of output channels: [channel][tap]. */
INLINE void wino_forward_taps(int whole, const wino_slab *s, int64_t k, int vector, V flat[9 * VL])
{
    const float *w = s->weights + vector * VL * s->row + k * 9;
    int64_t rows = s->columns - vector * VL, m = 9 * (s->depth - k);
    for (int j = 0; j < 9; j++) {
        V r[VL];
        if (whole)
            for (int l = 0; l < VL; l++)
                __builtin_prefetch(w + l * s->row + (9 + j) * VL);
#pragma GCC unroll 16
        for (int l = 0; l < VL; l++)
            r[l] = whole ? v_load(w + l * s->row + j * VL)
                         : wino_get(w + l * s->row + j * VL, l < rows ? m - j * VL : 0);
        wino_transpose(r);
#pragma GCC unroll 16
        for (int l = 0; l < VL; l++)
            flat[j * VL + l] = r[l];
    }
}

static void wino_forward_block(const wino_slab *s, int64_t k, int vector, V flat[9 * VL])
{
    if (k + VL <= s->depth && (vector + 1) * VL <= s->columns)
        wino_forward_taps(1, s, k, vector, flat);
    else
        wino_forward_taps(0, s, k, vector, flat);
}

INLINE void wino_forward_slab(int f, int bf16, const wino_slab *s)
{
    V flat[9 * VL];
    for (int64_t k = 0; k < s->depth; k += VL)
        for (int vector = 0; vector < 2; vector++) {
            wino_forward_block(s, k, vector, flat);
            for (int q = 0; q < VL; q += bf16 ? 2 : 1)
                wino_put_weights(f, bf16, s, flat + 9 * q, flat + 9 * (q + bf16), k + q, vector);
        }
}

#define WINO_AHEAD 6 /* rows, which lie far apart, fetched in advance: a third faster on large weights */

/* For the data gradient: sums run over output channels, vectors over input channels, and the kernel
 * is turned by 180 degrees. */
INLINE void wino_turned_taps(const wino_slab *s, int64_t k, int vector, V taps[9])
{
    V t[9];
    const float *w = s->weights + k * s->row + vector * VL * 9;
    int64_t m = k < s->depth ? s->columns - vector * VL : 0;
    for (int j = 0; j < 9; j++)
        __builtin_prefetch(w + WINO_AHEAD * s->row + j * VL);
    if (m >= VL)
        wino_part_taps(w, VL, t);
    else
        wino_part_taps(w, m, t);
    for (int i = 0; i < 9; i++)
        taps[i] = t[8 - i];
}

INLINE void wino_turned_slab(int f, int bf16, const wino_slab *s)
{
    for (int64_t k = 0; k < s->depth; k += bf16 ? 2 : 1)
        for (int vector = 0; vector < 2; vector++) {
            V taps[9], next[9];
            wino_turned_taps(s, k, vector, taps);
            if (bf16)
                wino_turned_taps(s, k + 1, vector, next);
            wino_put_weights(f, bf16, s, taps, next, k, vector);
        }
}

/* q8: of int8, else bf16. */
INLINE void wino_packed_taps(int q8, const wino_slab *s, int64_t k, int vector, V taps[9])
{
    int64_t at = k * 9 * 2 * VL + vector * VL;
    for (int i = 0; i < 9; i++, at += 2 * VL)
        if (k >= s->depth)
            taps[i] = v_set(0.0f);
        else if (q8)
            taps[i] = v_from_bytes((const int8_t *)s->packed + at, VL, 1);
        else
            taps[i] = v_get(s->packed, MDLDM_BF16, at, VL);
}

INLINE void wino_packed_slab(int f, int bf16, int q8, const wino_slab *s)
{
    for (int64_t k = 0; k < s->depth; k += bf16 ? 2 : 1)
        for (int vector = 0; vector < 2; vector++) {
            V taps[9], next[9];
            wino_packed_taps(q8, s, k, vector, taps);
            if (bf16)
                wino_packed_taps(q8, s, k + 1, vector, next);
            wino_put_weights(f, bf16, s, taps, next, k, vector);
        }
}

/* Compact weights (mdldm__winograd_packed_at) of canonical [oc][row] ones, ic input channels. */
static void k_winograd_pack(uint16_t *out, const float *weights, int64_t oc, int64_t ic, int64_t row,
                            int32_t threads)
{
    int64_t panels = (oc + 2 * VL - 1) / (2 * VL);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t p = 0; p < panels; p++) {
        wino_slab s = {.weights = weights + p * 2 * VL * row, .row = row, .depth = ic, .columns = oc - p * 2 * VL};
        uint16_t *to = out + mdldm__winograd_packed_at(p, 0, ic, 2 * VL);
        V flat[9 * VL];
        for (int64_t k = 0; k < ic; k += VL)
            for (int vector = 0; vector < 2; vector++) {
                wino_forward_block(&s, k, vector, flat);
                for (int i = 0; i < 9 * VL && k * 9 + i < ic * 9; i++)
                    *(VHUN *)(to + (k * 9 + i) * 2 * VL + vector * VL) = v_to_bf16(flat[i]);
            }
    }
}

#define WINO_BYTES 32 /* taken of an output channel's weights at a time: written lines stay in cache */

/* The same of int8 ones, [oc][ic][9]. */
static void k_winograd_pack_q8(int8_t *out, const int8_t *weights, int64_t oc, int64_t ic, int32_t threads)
{
    int64_t panels = (oc + 2 * VL - 1) / (2 * VL), row = ic * 9;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t p = 0; p < panels; p++) {
        const int8_t *from = weights + p * 2 * VL * row;
        int8_t *to = out + mdldm__winograd_packed_at(p, 0, ic, 2 * VL);
        int64_t columns = oc - p * 2 * VL < 2 * VL ? oc - p * 2 * VL : 2 * VL;
        if (columns < 2 * VL)
            memset(to, 0, (size_t)(row * 2 * VL));
        for (int64_t k = 0; k < row; k += WINO_BYTES)
            for (int64_t lane = 0; lane < columns; lane++)
                for (int64_t i = k; i < row && i < k + WINO_BYTES; i++)
                    to[i * 2 * VL + lane] = from[lane * row + i];
    }
}

#endif
