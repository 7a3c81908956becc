/* SPDX-License-Identifier: MIT
 * Weight gradients of convolutions: matrix products over pixels, added to the canonical gradient.
 *
 * 3x3 of stride 1 goes by Winograd's minimal filtering (Lavin and Gray 2016) with the roles turned: the
 * forward Y = A^T[(G w G^T) (.) (B^T x B)]A has the gradient
 *     dw = G^T[sum over tiles (A dy A^T) (.) (B^T x B)]G,
 * a tile being 4x4 pixels of dy and the 6x6 of x under them: F(3x3,4x4), 36 products for 144. Each of
 * the 36 points is a matrix product over the tiles. All else is direct: a tile is a pixel of dy, a point is
 * a tap, and dy is the same for all of them. Where the products are of bf16, a word of k_gemm.h holds two
 * tiles, and "tile" below is that.
 *
 * Tiles are taken in chunks: all threads transform those of a chunk into panels, then each block of
 * 64x64 weights adds the chunk's products. What a block sums, and in which order, depends on the shape
 * alone. Template: included once per instruction set. */
#include "cpu_vec.h"

#include "cpu_scratch.h"
#include "k_gemm.h"
#include "k_winograd_tile.h"

#define WGRAD_DEPTH 64  /* tiles whose panels of x and dy, and the next ones, stay in the first cache together */
#define WGRAD_ROWS 16   /* channels in a panel of dy: a cache line a tile */
#define WGRAD_TILE_ROWS (VL == 16 ? 8 : 4) /* of a register tile: a divisor of WGRAD_ROWS */
#define WGRAD_SIZE(is_x) ((is_x) ? MDLDM__WGRAD_TILE + 2 : MDLDM__WGRAD_TILE)
#define WGRAD_PART 32   /* tiles that a thread transforms at a time */

/* out = A in: 6 points from 4 values. The points are those of k_winograd_tile.h. */
INLINE void wgrad_output(const V in[4], V out[6])
{
    V a0 = in[0] + WINO_AA * in[2], a1 = WINO_A * (in[1] + WINO_AA * in[3]);
    V b0 = in[0] + WINO_BB * in[2], b1 = WINO_B * (in[1] + WINO_BB * in[3]);
    out[0] = in[0];
    out[1] = a0 + a1;
    out[2] = a0 - a1;
    out[3] = b0 + b1;
    out[4] = b0 - b1;
    out[5] = in[3];
}

/* out = G^T in: 3 taps from 6 points. */
INLINE void wgrad_taps(const V in[6], V out[3])
{
    V a0 = (1.0f / WINO_NA) * (in[1] + in[2]), a1 = (WINO_A / WINO_NA) * (in[1] - in[2]);
    V b0 = (1.0f / WINO_NB) * (in[3] + in[4]), b1 = (WINO_B / WINO_NB) * (in[3] - in[4]);
    out[0] = (1.0f / WINO_N0) * in[0] + (a0 + b0);
    out[1] = a1 + b1;
    out[2] = WINO_AA * a0 + WINO_BB * b0 + in[5];
}

/* The part of a tensor under one tile: rows [top, bottom) and columns [left, right) of it are inside. */
typedef struct wgrad_view {
    const void *data;
    int64_t origin, row, c; /* elements: of the tile's corner, which may lie outside; from row to row */
    int64_t top, bottom, left, right;
} wgrad_view;

INLINE wgrad_view wgrad_look(const void *data, int64_t image, int64_t h, int64_t w, int64_t c, int64_t y,
                             int64_t x, int64_t size)
{
    return (wgrad_view){.data = data,
                        .origin = ((image * h + y) * w + x) * c,
                        .row = w * c,
                        .c = c,
                        .top = y < 0 ? -y : 0,
                        .bottom = h - y < size ? h - y : size,
                        .left = x < 0 ? -x : 0,
                        .right = w - x < size ? w - x : size};
}

/* Pixel (row, column) of the tile, channels j.. (m of them); 0 outside. */
INLINE V wgrad_pixel(int inside, int32_t dtype, const wgrad_view *t, int row, int column, int64_t j, int64_t m)
{
    if (!inside && (row < t->top || row >= t->bottom || column < t->left || column >= t->right))
        return v_set(0.0f);
    return v_get(t->data, dtype, t->origin + row * t->row + column * t->c + j, m);
}

/* What becomes of a transformed tile: its values themselves, or the lower (kept aside until the other one is
 * there) and the upper half of words. */
enum { WGRAD_WHOLE, WGRAD_LOWER, WGRAD_UPPER };

/* Where 36 points go, `point` floats apart. */
typedef struct wgrad_target {
    float *to;
    int64_t point;
    V *lower; /* [36] */
} wgrad_target;

/* The second half of a transform: row `row` of 6 points. */
INLINE void wgrad_put(int half, const wgrad_target *t, int row, const V out[6])
{
#pragma GCC unroll 6
    for (int column = 0; column < 6; column++) {
        int at = row * 6 + column;
        if (half == WGRAD_LOWER)
            t->lower[at] = out[column];
        else
            v_store(t->to + at * t->point, half == WGRAD_UPPER ? v_pair_bf16(t->lower[at], out[column]) : out[column]);
    }
}

/* Channels j.. of one tile of x: B^T x B. */
INLINE void wgrad_transform_x(int half, int inside, int32_t dtype, const wgrad_view *t, int64_t j, int64_t m,
                              const wgrad_target *to)
{
    V rows[6][6]; /* [column][row] */
#pragma GCC unroll 6
    for (int column = 0; column < 6; column++) {
        V in[6];
#pragma GCC unroll 6
        for (int row = 0; row < 6; row++)
            in[row] = wgrad_pixel(inside, dtype, t, row, column, j, m);
        wino_data(4, in, rows[column]);
    }
#pragma GCC unroll 6
    for (int row = 0; row < 6; row++) {
        V in[6], out[6];
#pragma GCC unroll 6
        for (int column = 0; column < 6; column++)
            in[column] = rows[column][row];
        wino_data(4, in, out);
        wgrad_put(half, to, row, out);
    }
}

/* Channels j.. of one tile of dy: A dy A^T. */
INLINE void wgrad_transform_dy(int half, int inside, int32_t dtype, const wgrad_view *t, int64_t j, int64_t m,
                               const wgrad_target *to)
{
    V rows[4][6]; /* [column][row] */
#pragma GCC unroll 4
    for (int column = 0; column < 4; column++) {
        V in[4];
#pragma GCC unroll 4
        for (int row = 0; row < 4; row++)
            in[row] = wgrad_pixel(inside, dtype, t, row, column, j, m);
        wgrad_output(in, rows[column]);
    }
#pragma GCC unroll 6
    for (int row = 0; row < 6; row++) {
        V in[4], out[6];
#pragma GCC unroll 4
        for (int column = 0; column < 4; column++)
            in[column] = rows[column][row];
        wgrad_output(in, out);
        wgrad_put(half, to, row, out);
    }
}

INLINE void wgrad_transform(int is_x, int half, int inside, int32_t dtype, const wgrad_view *t, int64_t j, int64_t m,
                            const wgrad_target *to)
{
    if (is_x)
        wgrad_transform_x(half, inside, dtype, t, j, m, to);
    else
        wgrad_transform_dy(half, inside, dtype, t, j, m, to);
}

/* Channels j.. of a tile or of two, t[0] and t[1]. */
INLINE void wgrad_transform_word(int is_x, int pairs, int inside, int32_t dtype, const wgrad_view t[2], int64_t j,
                                 int64_t m, float *out, int64_t point)
{
    V lower[36];
    const wgrad_target to = {out, point, lower};
    if (!pairs) {
        wgrad_transform(is_x, WGRAD_WHOLE, inside, dtype, t, j, m, &to);
        return;
    }
    wgrad_transform(is_x, WGRAD_LOWER, inside, dtype, t, j, m, &to);
    wgrad_transform(is_x, WGRAD_UPPER, inside, dtype, t + 1, j, m, &to);
}

/* Where tile `index` of an image's and all images' lies: nowhere, if there is none. */
INLINE wgrad_view wgrad_tile(int is_x, const mdldm__cpu_wgrad *a, const mdldm__wgrad_sizes *z,
                             int64_t index)
{
    int64_t at = index % (z->down * z->across), image = index / (z->down * z->across);
    int64_t y = at / z->across * WGRAD_SIZE(0), x = at % z->across * WGRAD_SIZE(0);
    if (image >= a->n)
        return (wgrad_view){0};
    if (is_x)
        return wgrad_look(a->x, image, a->h, a->w, a->ic, y - a->pad_t, x - a->pad_l, WGRAD_SIZE(1));
    return wgrad_look(a->dy, image, a->ho, a->wo, a->oc, y, x, WGRAD_SIZE(0));
}

/* Tiles first.. (count of them) of channels [j, j + width) into their panel, from its tile `at` on. */
INLINE void wgrad_fill(int is_x, int pairs, int32_t dtype, const mdldm__cpu_wgrad *a, const mdldm__wgrad_sizes *z,
                       int64_t first, int64_t count, int64_t j, int64_t width, float *to, int64_t point)
{
    int64_t size = WGRAD_SIZE(is_x), c = is_x ? a->ic : a->oc, end = j + width < c ? j + width : c;
    for (int64_t index = first; index < first + count; index++, to += width) {
        wgrad_view t[2];
        int inside = 1;
        for (int k = 0; k <= pairs; k++) {
            t[k] = wgrad_tile(is_x, a, z, (index << pairs) + k);
            inside &= t[k].top == 0 && t[k].left == 0 && t[k].bottom == size && t[k].right == size;
        }
        for (int64_t i = j; i < end; i += VL)
            if (c - i < VL)
                wgrad_transform_word(is_x, pairs, 0, dtype, t, i, c - i, to + i - j, point);
            else if (inside)
                wgrad_transform_word(is_x, pairs, 1, dtype, t, i, VL, to + i - j, point);
            else
                wgrad_transform_word(is_x, pairs, 0, dtype, t, i, VL, to + i - j, point);
    }
}

/* Channels j.. (m of them) of the pixel of x that tap (r, q) of dy's pixel `index` reads; 0 outside. */
INLINE const void *wgrad_source(int is_x, const mdldm__cpu_wgrad *a, int64_t index, int64_t r, int64_t q)
{
    int64_t size = a->dtype == MDLDM_BF16 ? 2 : 4, pixels = a->ho * a->wo;
    if (index >= a->n * pixels)
        return NULL;
    if (!is_x)
        return (const char *)a->dy + index * a->oc * size;
    int64_t at = index % pixels;
    int64_t y = at / a->wo * a->stride_h - a->pad_t + r, x = at % a->wo * a->stride_w - a->pad_l + q;
    if (y < 0 || y >= a->h || x < 0 || x >= a->w)
        return NULL;
    return (const char *)a->x + ((index / pixels * a->h + y) * a->w + x) * a->ic * size;
}

/* m bf16 values of two rows as words: the first row's low. A NULL row is zeros. */
INLINE V wgrad_pair(const void *low, const void *high, int64_t j, int64_t m)
{
    VU zero = {0};
    VU a = low != NULL ? (VU)v_get(low, MDLDM_BF16, j, m) : zero, b = high != NULL ? (VU)v_get(high, MDLDM_BF16, j, m) : zero;
    return (V)((a >> 16) | b);
}

/* As wgrad_fill, direct. */
INLINE void wgrad_copy(int is_x, int32_t dtype, const mdldm__cpu_wgrad *a, int64_t first, int64_t count, int64_t j,
                       int64_t width, float *to, int64_t point)
{
    int64_t c = is_x ? a->ic : a->oc, end = j + width < c ? j + width : c;
    int64_t kh = is_x ? a->kernel_h : 1, kw = is_x ? a->kernel_w : 1;
    for (int64_t index = first; index < first + count; index++, to += width)
        for (int64_t tap = 0; tap < kh * kw; tap++) {
            const void *low, *high = NULL;
            if (dtype == MDLDM_BF16) {
                low = wgrad_source(is_x, a, 2 * index, tap / kw, tap % kw);
                high = wgrad_source(is_x, a, 2 * index + 1, tap / kw, tap % kw);
            } else {
                low = wgrad_source(is_x, a, index, tap / kw, tap % kw);
            }
            for (int64_t i = j; i < end; i += VL) {
                int64_t m = c - i < VL ? c - i : VL;
                V value = v_set(0.0f);
                if (dtype == MDLDM_BF16)
                    value = wgrad_pair(low, high, i, m);
                else if (low != NULL)
                    value = v_get(low, MDLDM_F32, i, m);
                v_store(to + tap * point + i - j, value);
            }
        }
}

/* dw[m][9] += taps[9][m] */
INLINE void wgrad_add(float *dw, const V taps[9], int64_t m)
{
    float t[9][VL];
    for (int k = 0; k < 9; k++)
        v_store(t[k], taps[k]);
    for (int64_t i = 0; i < m; i++)
        for (int k = 0; k < 9; k++)
            dw[i * 9 + k] += t[k][i];
}

/* One block's sums [36][rows][64] to weights, for columns [0, n). */
INLINE void wgrad_inverse(const float *sums, int64_t rows, int64_t n, float *dw, int64_t dw_row)
{
    for (int64_t o = 0; o < rows; o++)
        for (int64_t i = 0; i < n; i += VL) {
            const float *from = sums + o * MDLDM__WGRAD_BLOCK + i;
            V half[6][3], taps[9]; /* half: [column][tap of its row] */
#pragma GCC unroll 6
            for (int column = 0; column < 6; column++) {
                V in[6];
#pragma GCC unroll 6
                for (int row = 0; row < 6; row++)
                    in[row] = v_load(from + (row * 6 + column) * MDLDM__WGRAD_SUMS);
                wgrad_taps(in, half[column]);
            }
#pragma GCC unroll 3
            for (int row = 0; row < 3; row++) {
                V in[6];
#pragma GCC unroll 6
                for (int column = 0; column < 6; column++)
                    in[column] = half[column][row];
                wgrad_taps(in, taps + row * 3);
            }
            wgrad_add(dw + o * dw_row + i * 9, taps, n - i < VL ? n - i : VL);
        }
}

/* The same of direct sums [taps][rows][64]. */
INLINE void wgrad_store(int64_t taps, const float *sums, int64_t rows, int64_t n, float *dw, int64_t dw_row)
{
    for (int64_t o = 0; o < rows; o++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t tap = 0; tap < taps; tap++)
                dw[o * dw_row + i * taps + tap] += sums[tap * MDLDM__WGRAD_SUMS + o * MDLDM__WGRAD_BLOCK + i];
}

/* One strip of a block of sums, `rows` channels of dy by `columns` of x, which t describes but for a and c.
 * Meanwhile the operands of the next one come from the last cache: those of x by the first two tiles of rows,
 * then dy's. */
INLINE void wgrad_strip(int bf16, gemm_tile t, const float *dy, int64_t dy_panel, float *sums, int64_t rows,
                        int64_t columns, const float *next_x, const float *next_dy)
{
    for (int64_t o = 0, i = 0; o < rows; o += WGRAD_TILE_ROWS, i++) {
        int64_t left = rows - o < WGRAD_TILE_ROWS ? rows - o : WGRAD_TILE_ROWS;
        t.a = dy + o / WGRAD_ROWS * dy_panel + o % WGRAD_ROWS;
        t.c = sums + o * MDLDM__WGRAD_BLOCK;
        t.ahead = (const char *)(i < 2 ? next_x + i * t.k * 16 : next_dy + (i - 2) * dy_panel);
        gemm_full[bf16][(columns + VL - 1) / VL - 1][left - 1](&t);
    }
}

/* Adds a chunk's `depth` tiles to one block of sums; dy, x: the block's first panels. bf16: of the
 * panels' words. */
INLINE void wgrad_multiply(int bf16, const mdldm__wgrad_sizes *z, const float *dy, const float *x, int64_t depth,
                           int64_t rows, int64_t n, float *sums, int add)
{
    const int64_t x_point = z->chunk * GEMM_N + 16, dy_point = z->chunk * WGRAD_ROWS + 16;
    const int64_t x_panel = z->points * x_point, dy_panel = z->dy_points * dy_point;
    for (int64_t p = 0; p < z->points; p++)
        for (int64_t k = 0; k < depth; k += WGRAD_DEPTH)
            for (int64_t j = 0; j < n; j += GEMM_N) {
                gemm_tile t = {.b = x + j / GEMM_N * x_panel + p * x_point + k * GEMM_N,
                               .a_m = 1,
                               .a_k = WGRAD_ROWS,
                               .b_k = GEMM_N,
                               .c_m = MDLDM__WGRAD_BLOCK,
                               .k = depth - k < WGRAD_DEPTH ? depth - k : WGRAD_DEPTH,
                               .lanes = VL,
                               .add = add || k > 0};
                int64_t q = k + WGRAD_DEPTH < depth ? p : p + 1, next = q > p ? 0 : k + WGRAD_DEPTH;
                const float *a = dy + p % z->dy_points * dy_point + k * WGRAD_ROWS;
                const float *next_x = j + GEMM_N < n ? (const float *)t.b + x_panel : x + q * x_point + next * GEMM_N;
                /* Panels are zero up to whole vectors, and so are the sums. */
                wgrad_strip(bf16, t, a, dy_panel, sums + p * MDLDM__WGRAD_SUMS + j, rows,
                            n - j < GEMM_N ? n - j : GEMM_N, next_x,
                            dy + q % z->dy_points * dy_point + next * WGRAD_ROWS);
            }
}

/* `count` tiles from first + begin on into panel number `panel`: those of x, then those of dy. */
INLINE void wgrad_panel(int pairs, int32_t dtype, const mdldm__cpu_wgrad *a, const mdldm__wgrad_sizes *z, int64_t first,
                        int64_t begin, int64_t count, int64_t panel, float *x, float *dy)
{
    const int64_t x_point = z->chunk * GEMM_N + 16, dy_point = z->chunk * WGRAD_ROWS + 16;
    const int64_t x_panels = mdldm__cpu_ceil_div(a->ic, GEMM_N), y = panel - x_panels;
    float *to_x = x + panel * z->points * x_point + begin * GEMM_N;
    float *to_dy = dy + y * z->dy_points * dy_point + begin * WGRAD_ROWS;
    if (a->winograd && y < 0)
        wgrad_fill(1, pairs, dtype, a, z, first + begin, count, panel * GEMM_N, GEMM_N, to_x, x_point);
    else if (a->winograd)
        wgrad_fill(0, pairs, dtype, a, z, first + begin, count, y * WGRAD_ROWS, WGRAD_ROWS, to_dy, dy_point);
    else if (y < 0)
        wgrad_copy(1, dtype, a, first + begin, count, panel * GEMM_N, GEMM_N, to_x, x_point);
    else
        wgrad_copy(0, dtype, a, first + begin, count, y * WGRAD_ROWS, WGRAD_ROWS, to_dy, dy_point);
}

INLINE void wgrad_run(int pairs, int32_t dtype, const mdldm__cpu_wgrad *a)
{
    const mdldm__wgrad_sizes z = mdldm__cpu_wgrad_sizes(a);
    const int64_t x_panel = z.points * (z.chunk * GEMM_N + 16), dy_panel = z.dy_points * (z.chunk * WGRAD_ROWS + 16);
    const int64_t panels = mdldm__cpu_ceil_div(a->ic, GEMM_N) + mdldm__cpu_ceil_div(a->oc, WGRAD_ROWS);
    const int64_t taps = a->kernel_h * a->kernel_w;
    float *x = a->scratch, *dy = x + z.x_floats, *sums = dy + z.dy_floats;
#pragma omp parallel num_threads(a->threads)
    for (int64_t first = 0; first < z.tiles; first += z.chunk) {
        int64_t depth = z.tiles - first < z.chunk ? z.tiles - first : z.chunk;
        int64_t parts = mdldm__cpu_ceil_div(depth, WGRAD_PART);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < panels * parts; i++) {
            int64_t begin = i % parts * WGRAD_PART;
            wgrad_panel(pairs, dtype, a, &z, first, begin, depth - begin < WGRAD_PART ? depth - begin : WGRAD_PART,
                        i / parts, x, dy);
        }
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < z.blocks; block++) {
            int64_t o = block / z.block_columns * MDLDM__WGRAD_BLOCK;
            int64_t i = block % z.block_columns * MDLDM__WGRAD_BLOCK;
            int64_t rows = a->oc - o < MDLDM__WGRAD_BLOCK ? a->oc - o : MDLDM__WGRAD_BLOCK;
            int64_t n = a->ic - i < MDLDM__WGRAD_BLOCK ? a->ic - i : MDLDM__WGRAD_BLOCK;
            float *own = sums + (z.chunk < z.tiles ? block : omp_get_thread_num()) * z.points * MDLDM__WGRAD_SUMS;
            wgrad_multiply(pairs, &z, dy + o / WGRAD_ROWS * dy_panel,
                           x + i / GEMM_N * x_panel, depth, rows, n, own, first > 0);
            if (first + depth < z.tiles)
                continue;
            float *dw = a->dw + o * a->dw_row + i * taps;
            if (a->winograd)
                wgrad_inverse(own, rows, n, dw, a->dw_row);
            else if (taps == 1)
                wgrad_store(1, own, rows, n, dw, a->dw_row);
            else
                wgrad_store(taps, own, rows, n, dw, a->dw_row);
        }
    }
}

static void k_wgrad(const mdldm__cpu_wgrad *a)
{
    if (a->dtype == MDLDM_F32)
        wgrad_run(0, MDLDM_F32, a);
    else if (a->winograd && a->operands == MDLDM_F32)
        wgrad_run(0, MDLDM_BF16, a);
    else
        wgrad_run(1, MDLDM_BF16, a);
}
