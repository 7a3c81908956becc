/* SPDX-License-Identifier: MIT
 * How the kernels split their sums, and the scratch memory that takes. */
#ifndef MDLDM_CPU_SCRATCH_H
#define MDLDM_CPU_SCRATCH_H

#include "cpu_kernels.h"

#define MDLDM__CPU_BLOCK 8192    /* elements of an elementwise part */
#define MDLDM__CPU_MAX_PARTS 128 /* row parts of a column sum */
#define MDLDM__CPU_NARROW 8      /* channels of a narrow attention head, ... */
#define MDLDM__CPU_NARROW_ROWS 24 /* ... whose rows are padded to a multiple of this */
#define MDLDM__CPU_WIDE_QUERIES 168 /* queries and keys of a block of scores: multiples of 14 rows and */
#define MDLDM__CPU_WIDE_KEYS 128    /* of 32 columns of a matrix product; two blocks fit the second level */
#define MDLDM__CPU_WIDE_STRIPE 448  /* queries of a stripe of the backward pass */
#define MDLDM__CPU_VQ_ROWS 64    /* rows of a codebook search part */

static inline int64_t mdldm__cpu_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Rows in one part of a sum over rows. */
static inline int64_t mdldm__cpu_part_rows(int64_t rows)
{
    int64_t by_count = mdldm__cpu_ceil_div(rows, MDLDM__CPU_MAX_PARTS);
    return by_count > 32 ? by_count : 32;
}

static inline int64_t mdldm__cpu_parts(int64_t rows)
{
    return mdldm__cpu_ceil_div(rows, mdldm__cpu_part_rows(rows));
}

/* Floats. */
static inline int64_t mdldm__cpu_column_scratch(int64_t n, int64_t rows, int64_t c)
{
    return n * mdldm__cpu_parts(rows) * c;
}

/* Two sums per part and channel, then up to 7 coefficients per channel. */
static inline int64_t mdldm__cpu_norm_scratch(int64_t n, int64_t hw, int64_t c)
{
    return n * c * (2 * mdldm__cpu_parts(hw) + 7);
}

/* Doubles. */
static inline int64_t mdldm__cpu_loss_scratch(int64_t n, int64_t count)
{
    return n * mdldm__cpu_ceil_div(count, MDLDM__CPU_BLOCK);
}

/* Floats. Of one thread, for wide heads: blocks of queries, outputs, scores and p. */
static inline int64_t mdldm__cpu_wide_private(int64_t d)
{
    int64_t columns = mdldm__cpu_ceil_div(d, 32) * 32;
    return MDLDM__CPU_WIDE_QUERIES * (2 * columns + 2 * MDLDM__CPU_WIDE_KEYS + 2) + 16;
}

/* Floats: keys and values (backward: queries and gradients too) as the kernels of narrow and of wide
 * heads want them. */
static inline int64_t mdldm__cpu_attention_scratch(int64_t n, int64_t tokens, int64_t c, int64_t heads,
                                                   int64_t threads, int backward)
{
    int64_t rows = n * heads * tokens, d = c / heads;
    if (d <= MDLDM__CPU_NARROW) {
        rows = n * heads * mdldm__cpu_ceil_div(tokens, MDLDM__CPU_NARROW_ROWS) * MDLDM__CPU_NARROW_ROWS;
        d = MDLDM__CPU_NARROW;
    }
    int64_t padded = mdldm__cpu_ceil_div(tokens, MDLDM__CPU_WIDE_KEYS) * MDLDM__CPU_WIDE_KEYS;
    int64_t columns = mdldm__cpu_ceil_div(d, 32) * 32, stripe = MDLDM__CPU_WIDE_STRIPE;
    if (d > MDLDM__CPU_NARROW && !backward)
        return n * heads * padded * (d + columns) + 32 + threads * mdldm__cpu_wide_private(d);
    if (d > MDLDM__CPU_NARROW) /* one head at a time */
        return padded * (2 * d + 3 * columns + 2 * stripe) + stripe * (3 * columns + 2 * d + 2) +
               threads * (2 * stripe * MDLDM__CPU_WIDE_KEYS + d) + 32;
    return rows * d * (backward ? 4 : 2) + (backward ? 2 * rows : n * heads) + 64;
}

/* Convolutions as matrix products (k_product.h): rows, words of depth and strips of columns of a block, so
 * that a strip's weights stay in the first level and the rest in the second. */
#define MDLDM__PRODUCT_ROWS 112
#define MDLDM__PRODUCT_DEPTH 192
#define MDLDM__PRODUCT_STRIPS 8

/* Floats. Of one thread: sums, and a copy of the rows. */
static inline int64_t mdldm__cpu_product_private(int64_t lanes)
{
    return MDLDM__PRODUCT_ROWS * (MDLDM__PRODUCT_DEPTH + MDLDM__PRODUCT_STRIPS * 2 * lanes);
}

/* Words of 32 bits; pairs of bf16 are filled up in each source. */
static inline int64_t mdldm__cpu_product_packed(const mdldm__cpu_product_weights *w, int64_t lanes)
{
    int64_t each = w->dtype == MDLDM_BF16 ? 2 : 1, strip = 2 * lanes;
    int64_t columns = w->turned ? w->ic[0] : w->oc;
    int64_t depth = w->turned ? mdldm__cpu_ceil_div(w->oc, each)
                              : w->taps * (mdldm__cpu_ceil_div(w->ic[0], each) +
                                           mdldm__cpu_ceil_div(w->ic[1], each));
    return mdldm__cpu_ceil_div(columns, strip) * strip * depth;
}

/* Weight gradients (k_wgrad.h): tiles of a chunk are transformed into panels of x and dy, which should
 * stay in the last cache, and added to blocks of sums [points][64][64]. A multiple of 4K
 * apart, points would share cache sets: 16 floats between them. */
#define MDLDM__WGRAD_TILE 4 /* pixels of dy along a side, by Winograd */
#define MDLDM__WGRAD_BLOCK 64
#define MDLDM__WGRAD_SUMS (MDLDM__WGRAD_BLOCK * MDLDM__WGRAD_BLOCK + 16)
#define MDLDM__WGRAD_PANELS (3 << 20) /* floats of panels that a chunk aims at */

typedef struct mdldm__wgrad_sizes {
    int64_t points, dy_points;   /* of a tile of x, of dy */
    int64_t down, across;        /* tiles of dy along an image's sides */
    int64_t tiles;               /* in all images; bf16 products: pairs of them */
    int64_t chunk;               /* of these taken together */
    int64_t blocks, block_columns;
    int64_t x_floats, dy_floats, floats; /* of scratch */
} mdldm__wgrad_sizes;

static inline mdldm__wgrad_sizes mdldm__cpu_wgrad_sizes(const mdldm__cpu_wgrad *a)
{
    mdldm__wgrad_sizes z = {.points = a->winograd ? 36 : a->kernel_h * a->kernel_w,
                            .dy_points = a->winograd ? 36 : 1,
                            .down = mdldm__cpu_ceil_div(a->ho, MDLDM__WGRAD_TILE),
                            .across = mdldm__cpu_ceil_div(a->wo, MDLDM__WGRAD_TILE)};
    int64_t block = MDLDM__WGRAD_BLOCK, pixels = a->n * a->ho * a->wo;
    int64_t rows = mdldm__cpu_ceil_div(a->oc, block);
    int64_t x_width = mdldm__cpu_ceil_div(a->ic, 32) * 32, dy_width = mdldm__cpu_ceil_div(a->oc, 16) * 16;
    int pairs = a->dtype == MDLDM_BF16 && (!a->winograd || a->operands == MDLDM_BF16);
    z.tiles = a->winograd ? a->n * z.down * z.across : pixels;
    z.tiles = pairs ? (z.tiles + 1) / 2 : z.tiles;
    int64_t fit = MDLDM__WGRAD_PANELS / (z.points * x_width + z.dy_points * dy_width) / 128 * 128;
    z.chunk = mdldm__cpu_ceil_div(z.tiles, mdldm__cpu_ceil_div(z.tiles, fit > 128 ? fit : 128));
    z.block_columns = mdldm__cpu_ceil_div(a->ic, block);
    z.blocks = rows * z.block_columns;
    /* A panel of dy has 16 channels, one of x what a strip of k_gemm.h has, 8 at least. */
    z.x_floats = z.points * (x_width * z.chunk + x_width / 8 * 16);
    z.dy_floats = z.dy_points * (dy_width * z.chunk + dy_width / 16 * 16);
    int64_t sums = z.chunk < z.tiles ? z.blocks : a->threads;
    z.floats = z.x_floats + z.dy_floats + sums * z.points * MDLDM__WGRAD_SUMS;
    return z;
}

/* Convolutions with few output channels (k_conv_few.h): at most so many, and so many columns of taps. */
#define MDLDM__CPU_FEW 8
#define MDLDM__CPU_FEW_COLUMNS 96

typedef struct mdldm__few_sizes {
    int64_t columns;           /* of the product: taps and output channels, and 3 that quads overrun */
    int64_t packed, ring, out; /* floats of scratch: of all; of each thread */
} mdldm__few_sizes;

static inline mdldm__few_sizes mdldm__cpu_few_sizes(const mdldm__cpu_few *a, int64_t lanes)
{
    mdldm__few_sizes z;
    z.columns = mdldm__cpu_ceil_div(a->kernel_h * a->kernel_w * a->oc + 3, 2 * lanes) * 2 * lanes;
    z.packed = a->ic * z.columns;
    z.ring = a->kernel_h * a->w * z.columns;
    z.out = mdldm__cpu_ceil_div(a->wo * a->oc + MDLDM__CPU_FEW, 16) * 16;
    return z;
}

/* Codebook transposed in tiles of `tile` codes, its norms, and one double per part. */
static inline int64_t mdldm__cpu_vq_scratch(int64_t rows, int64_t dim, int64_t codes, int64_t tile)
{
    int64_t padded = mdldm__cpu_ceil_div(codes, tile) * tile;
    return padded * (dim + 1) + 2 * mdldm__cpu_ceil_div(rows, MDLDM__CPU_VQ_ROWS) + 64;
}

/* Per thread: a row of probabilities and, backward, a codebook gradient; shared: the mean
 * distribution of each part of rows. */
#define MDLDM__CPU_ENTROPY_PARTS 16
static inline int64_t mdldm__cpu_entropy_scratch(int64_t dim, int64_t codes, int64_t threads,
                                                 int backward)
{
    return codes * (MDLDM__CPU_ENTROPY_PARTS + 2) + 4 * MDLDM__CPU_ENTROPY_PARTS + 64 +
           threads * codes * (2 + (backward ? dim : 0));
}

/* Packed eight-bit weights: [oc blocks][terms/4][lanes][4], the terms of a source and tap filled up to a
 * multiple of 4. A last block that half the lanes suffice for has no more. */
static inline int64_t mdldm__cpu_q8_lanes(int64_t oc, int64_t block)
{
    int64_t whole = oc / block * block, rest = oc - whole;
    return whole + (rest == 0 ? 0 : rest <= block / 2 ? block / 2 : block);
}

static inline int64_t mdldm__cpu_q8_terms(int64_t c0, int64_t c1, int64_t taps)
{
    return taps * 4 * (mdldm__cpu_ceil_div(c0, 4) + mdldm__cpu_ceil_div(c1, 4));
}

static inline int64_t mdldm__cpu_q8_packed_size(int64_t oc, int64_t c0, int64_t c1, int64_t taps, int64_t block)
{
    return mdldm__cpu_q8_lanes(oc, block) * mdldm__cpu_q8_terms(c0, c1, taps);
}

/* A pixel of padding for each image. */
static inline int64_t mdldm__cpu_q8_scratch(int64_t n, int64_t c0, int64_t c1)
{
    return n * (c0 > c1 ? c0 : c1);
}

#endif
