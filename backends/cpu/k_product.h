/* SPDX-License-Identifier: MIT
 * Convolutions as one matrix product: rows are places of the output, a row the input's channels under each
 * tap of the kernel, one tap and some of the channels at a time (1x1 kernels read the input as it is), columns
 * are output channels. Template: included once per instruction set. */
#ifndef MDLDM_CPU_K_PRODUCT_H
#define MDLDM_CPU_K_PRODUCT_H

#include "cpu_scratch.h"
#include "cpu_vec.h"
#include "k_gemm.h"
#include "k_winograd_weights.h"

#define PRODUCT_ROWS MDLDM__PRODUCT_ROWS
#define PRODUCT_DEPTH MDLDM__PRODUCT_DEPTH

/* Words of 32 bits that ic channels take. */
INLINE int64_t product_words(int32_t dtype, int64_t ic)
{
    return dtype == MDLDM_BF16 ? (ic + 1) / 2 : ic;
}

/* ---- Weights, packed [strip][source][tap][word][GEMM_N] ---- */

/* VL rows (outputs o.., of `left` left) of VL input channels from i on, of m: r[k] gets channel k of each. */
INLINE void product_gather(V r[VL], const mdldm__cpu_product_weights *w, int64_t o, int64_t left, int64_t i,
                           int64_t m, int64_t tap)
{
    for (int64_t lane = 0; lane < VL; lane++) {
        const float *row = w->values + (o + lane) * w->row + i * w->taps + tap;
        r[lane] = v_set(0.0f);
        if (lane < left && w->taps == 1)
            r[lane] = v_get(row, MDLDM_F32, 0, m);
        else if (lane < left)
            for (int64_t k = 0; k < VL && k < m; k++)
                r[lane][k] = row[k * w->taps];
    }
    wino_transpose(r);
}

/* count channels, r[k] of channel k, become words at to, GEMM_N apart. */
INLINE void product_put(float *to, const V *r, int64_t count, int32_t dtype)
{
    if (dtype != MDLDM_BF16) {
        for (int64_t k = 0; k < count; k++)
            v_store(to + k * GEMM_N, r[k]);
        return;
    }
    for (int64_t k = 0; k < count; k += 2)
        v_store(to + k / 2 * GEMM_N, v_pair_bf16(r[k], r[k + 1]));
}

/* One strip, forward: columns are the outputs o and on. */
static void product_pack_strip(float *to, const mdldm__cpu_product_weights *w, int64_t o)
{
    int64_t first = 0;
    for (int source = 0; source < 2; first += w->ic[source], source++)
        for (int64_t tap = 0; tap < w->taps; tap++) {
            for (int64_t i = 0; i < w->ic[source]; i += VL)
                for (int64_t v = 0; v < GEMM_N; v += VL) {
                    V r[VL];
                    int64_t m = w->ic[source] - i, count = m < VL ? (m + 1) / 2 * 2 : VL;
                    product_gather(r, w, o + v, w->oc - o - v, first + i, m, tap);
                    product_put(to + product_words(w->dtype, i) * GEMM_N + v, r,
                                w->dtype == MDLDM_BF16 ? count : m < VL ? m : VL, w->dtype);
                }
            to += product_words(w->dtype, w->ic[source]) * GEMM_N;
        }
}

/* One strip of the data gradient of a 1x1 kernel: columns are the inputs i and on, depth the outputs. */
static void product_pack_turned(float *to, const mdldm__cpu_product_weights *w, int64_t i)
{
    int64_t step = w->dtype == MDLDM_BF16 ? 2 : 1;
    for (int64_t o = 0; o < w->oc; o += step, to += GEMM_N)
        for (int64_t v = 0; v < GEMM_N; v += VL) {
            V r[2] = {v_set(0.0f), v_set(0.0f)};
            for (int64_t k = 0; k < step && o + k < w->oc && i + v < w->ic[0]; k++)
                r[k] = v_get(w->values + (o + k) * w->row, MDLDM_F32, i + v, w->ic[0] - i - v);
            product_put(to + v, r, step, w->dtype);
        }
}

static void k_product_pack(float *out, const mdldm__cpu_product_weights *w, int32_t threads)
{
    int64_t columns = w->turned ? w->ic[0] : w->oc;
    int64_t strips = mdldm__cpu_ceil_div(columns, GEMM_N);
    int64_t depth = w->turned ? product_words(w->dtype, w->oc)
                              : w->taps * (product_words(w->dtype, w->ic[0]) + product_words(w->dtype, w->ic[1]));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t strip = 0; strip < strips; strip++) {
        float *to = out + strip * depth * GEMM_N;
        if (w->turned)
            product_pack_turned(to, w, strip * GEMM_N);
        else
            product_pack_strip(to, w, strip * GEMM_N);
    }
}

/* ---- Products ---- */

/* A block of outputs: rows (places of all images) and strips of channels. */
typedef struct product_block {
    int64_t row, rows, strip, strips;
    float *sums; /* [rows][strips * GEMM_N] */
    float *copy; /* [rows][PRODUCT_DEPTH] */
} product_block;

/* copy[rows][width] <- words at..at+width-1 of a tap of a source. */
static void product_copy(const mdldm__cpu_product *a, const product_block *b, int source, int64_t ky, int64_t kx,
                         int64_t at, int64_t width)
{
    int64_t size = a->dtype == MDLDM_BF16 ? 2 : 4, ic = a->ic[source], bytes = (ic * size - at * 4);
    bytes = bytes < width * 4 ? bytes : width * 4;
    int64_t x = b->row % a->wo, y = b->row / a->wo % a->ho, image = b->row / (a->wo * a->ho);
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t iy = y * a->stride_h - a->pad_t + ky, ix = x * a->stride_w - a->pad_l + kx;
        char *to = (char *)(b->copy + r * width);
        if (iy < 0 || iy >= a->h || ix < 0 || ix >= a->w) {
            memset(to, 0, (size_t)width * 4);
        } else {
            memcpy(to, (const char *)a->src[source] + ((image * a->h + iy) * a->w + ix) * ic * size + at * 4,
                   (size_t)bytes);
            memset(to + bytes, 0, (size_t)(width * 4 - bytes));
        }
        if (++x == a->wo) {
            x = 0;
            if (++y == a->ho) {
                y = 0;
                image++;
            }
        }
    }
}

/* The input's rows are those of the product. */
static int product_is_plain(const mdldm__cpu_product *a, int source)
{
    int64_t bytes = a->ic[source] * (a->dtype == MDLDM_BF16 ? 2 : 4);
    return a->kernel_h == 1 && a->kernel_w == 1 && a->stride_h == 1 && a->stride_w == 1 && a->h == a->ho &&
           a->w == a->wo && a->pad_t == 0 && a->pad_l == 0 && bytes % 4 == 0;
}

static void product_sums(const mdldm__cpu_product *a, const product_block *b, int64_t depth)
{
    const float *weights = (const float *)a->packed + b->strip * depth * GEMM_N;
    int64_t taps = a->kernel_h * a->kernel_w, columns = b->strips * GEMM_N;
    mdldm__cpu_gemm g = {.m = b->rows, .n = GEMM_N, .a_k = 1, .b_k = GEMM_N, .c_m = columns, .dtype = a->dtype};
    for (int source = 0; source < 2; source++) {
        int64_t words = product_words(a->dtype, a->ic[source]), plain = product_is_plain(a, source);
        int64_t parts = mdldm__cpu_ceil_div(words, PRODUCT_DEPTH);
        for (int64_t part = 0; part < taps * parts; part++) {
            int64_t tap = part / parts, at = part % parts * words / parts;
            g.k = (part % parts + 1) * words / parts - at;
            if (plain) {
                g.a = (const float *)a->src[source] + b->row * words + at;
                g.a_m = words;
            } else {
                product_copy(a, b, source, tap / a->kernel_w, tap % a->kernel_w, at, g.k);
                g.a = b->copy;
                g.a_m = g.k;
            }
            for (int64_t strip = 0; strip < b->strips; strip++)
                gemm_strip(&g, weights + strip * depth * GEMM_N, b->sums + strip * GEMM_N, GEMM_N);
            weights += g.k * GEMM_N;
            g.add = 1;
        }
    }
}

INLINE void product_store(const mdldm__cpu_product *a, const product_block *b, int32_t dtype)
{
    int64_t first = b->strip * GEMM_N, columns = b->strips * GEMM_N;
    int64_t count = a->oc - first < columns ? a->oc - first : columns;
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t at = (b->row + r) * a->oc + first;
        for (int64_t j = 0; j < count; j += VL) {
            int64_t m = count - j;
            V y = v_load(b->sums + r * columns + j);
            if (a->bias != NULL)
                y += v_get(a->bias, MDLDM_F32, first + j, m);
            if (a->residual != NULL)
                y += v_get(a->residual, dtype, at + j, m);
            v_put(a->dst, dtype, at + j, m, y);
        }
    }
}

static void product_run(const mdldm__cpu_product *a, const product_block *b, int64_t depth)
{
    product_sums(a, b, depth);
    if (a->dtype == MDLDM_BF16)
        product_store(a, b, MDLDM_BF16);
    else
        product_store(a, b, MDLDM_F32);
}

static void k_product(const mdldm__cpu_product *a)
{
    int64_t rows = a->n * a->ho * a->wo, strips = mdldm__cpu_ceil_div(a->oc, GEMM_N);
    int64_t down = mdldm__cpu_ceil_div(rows, PRODUCT_ROWS), across = mdldm__cpu_ceil_div(strips, MDLDM__PRODUCT_STRIPS);
    int64_t depth = a->kernel_h * a->kernel_w *
                    (product_words(a->dtype, a->ic[0]) + product_words(a->dtype, a->ic[1]));
    /* Neighbours share weights. Who takes which block does not matter to the result. */
#pragma omp parallel for schedule(dynamic) num_threads(a->threads)
    for (int64_t unit = 0; unit < down * across; unit++) {
        float *own = (float *)(((uintptr_t)a->scratch + 63) & ~(uintptr_t)63) +
                     omp_get_thread_num() * mdldm__cpu_product_private(VL);
        int64_t i = unit % down, j = unit / down;
        product_block b = {.row = rows * i / down, .strip = strips * j / across, .copy = own,
                           .sums = own + PRODUCT_ROWS * PRODUCT_DEPTH};
        b.rows = rows * (i + 1) / down - b.row;
        b.strips = strips * (j + 1) / across - b.strip;
        product_run(a, &b, depth);
    }
}

#endif
