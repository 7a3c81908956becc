/* SPDX-License-Identifier: MIT
 * Weight gradients of convolutions: matrix products over pixels, added to the canonical gradient.
 *
 * 3x3 of stride 1 goes by Winograd's minimal filtering (Lavin and Gray 2016) with the roles turned: the
 * forward Y = A^T[(G w G^T) (.) (B^T x B)]A has the gradient
 *     dw = G^T[sum over tiles (A dy A^T) (.) (B^T x B)]G,
 * a tile being 4x4 pixels of dy and the 6x6 of x under them: F(3x3,4x4), 36 products for 144. Each of
 * the 36 points is a matrix product over the tiles. All else is direct: a tile is a pixel of dy (of bf16:
 * two, which a word of k_gemm.h has), a point is a tap, and dy is the same for all of them.
 *
 * Tiles are taken in chunks: all threads transform those of a chunk into panels, then each block of
 * 64x64 weights adds the chunk's products. What a block sums, and in which order, depends on the shape
 * alone. Template: included once per instruction set. */
#include "cpu_vec.h"

#include "cpu_scratch.h"
#include "k_gemm.h"
#include "k_winograd_tile.h"

#define WGRAD_DEPTH 128 /* tiles whose panels of x and dy stay in the first cache together */
#define WGRAD_ROWS 16   /* channels in a panel of dy: a cache line a tile */
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

/* The second half of a transform: rows of 6 points, and out, `point` floats apart. */
INLINE void wgrad_put(float *to, int64_t point, const V out[6])
{
#pragma GCC unroll 6
    for (int column = 0; column < 6; column++)
        v_store(to + column * point, out[column]);
}

/* Channels j.. of one tile of x: B^T x B. */
INLINE void wgrad_transform_x(int inside, int32_t dtype, const wgrad_view *t, int64_t j, int64_t m, float *to,
                              int64_t point)
{
    V half[6][6]; /* [column][row] */
#pragma GCC unroll 6
    for (int column = 0; column < 6; column++) {
        V in[6];
#pragma GCC unroll 6
        for (int row = 0; row < 6; row++)
            in[row] = wgrad_pixel(inside, dtype, t, row, column, j, m);
        wino_data(4, in, half[column]);
    }
#pragma GCC unroll 6
    for (int row = 0; row < 6; row++) {
        V in[6], out[6];
#pragma GCC unroll 6
        for (int column = 0; column < 6; column++)
            in[column] = half[column][row];
        wino_data(4, in, out);
        wgrad_put(to + row * 6 * point, point, out);
    }
}

/* Channels j.. of one tile of dy: A dy A^T. */
INLINE void wgrad_transform_dy(int inside, int32_t dtype, const wgrad_view *t, int64_t j, int64_t m, float *to,
                               int64_t point)
{
    V half[4][6]; /* [column][row] */
#pragma GCC unroll 4
    for (int column = 0; column < 4; column++) {
        V in[4];
#pragma GCC unroll 4
        for (int row = 0; row < 4; row++)
            in[row] = wgrad_pixel(inside, dtype, t, row, column, j, m);
        wgrad_output(in, half[column]);
    }
#pragma GCC unroll 6
    for (int row = 0; row < 6; row++) {
        V in[4], out[6];
#pragma GCC unroll 4
        for (int column = 0; column < 4; column++)
            in[column] = half[column][row];
        wgrad_output(in, out);
        wgrad_put(to + row * 6 * point, point, out);
    }
}

INLINE void wgrad_transform(int is_x, int inside, int32_t dtype, const wgrad_view *t, int64_t j, int64_t m,
                            float *to, int64_t point)
{
    if (is_x)
        wgrad_transform_x(inside, dtype, t, j, m, to, point);
    else
        wgrad_transform_dy(inside, dtype, t, j, m, to, point);
}

/* Where tile `index` of all lies. */
INLINE wgrad_view wgrad_tile(int is_x, const mdldm__cpu_wgrad *a, const mdldm__wgrad_sizes *z,
                             int64_t index)
{
    int64_t at = index % (z->down * z->across), image = index / (z->down * z->across);
    int64_t y = at / z->across * WGRAD_SIZE(0), x = at % z->across * WGRAD_SIZE(0);
    if (is_x)
        return wgrad_look(a->x, image, a->h, a->w, a->ic, y - a->pad_t, x - a->pad_l, WGRAD_SIZE(1));
    return wgrad_look(a->dy, image, a->ho, a->wo, a->oc, y, x, WGRAD_SIZE(0));
}

/* Tiles first.. (count of them) of channels [j, j + width) into their panel, from its tile `at` on. */
INLINE void wgrad_fill(int is_x, int32_t dtype, const mdldm__cpu_wgrad *a, const mdldm__wgrad_sizes *z,
                       int64_t first, int64_t count, int64_t j, int64_t width, float *to, int64_t point)
{
    int64_t size = WGRAD_SIZE(is_x), c = is_x ? a->ic : a->oc, end = j + width < c ? j + width : c;
    for (int64_t index = first; index < first + count; index++, to += width) {
        wgrad_view t = wgrad_tile(is_x, a, z, index);
        int inside = t.top == 0 && t.left == 0 && t.bottom == size && t.right == size;
        for (int64_t i = j; i < end; i += VL)
            if (c - i < VL)
                wgrad_transform(is_x, 0, dtype, &t, i, c - i, to + i - j, point);
            else if (inside)
                wgrad_transform(is_x, 1, dtype, &t, i, VL, to + i - j, point);
            else
                wgrad_transform(is_x, 0, dtype, &t, i, VL, to + i - j, point);
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

/* Adds a chunk's `depth` tiles to one block of sums; dy, x: the block's first panels. dtype: of the
 * panels' words. */
INLINE void wgrad_multiply(int32_t dtype, const mdldm__wgrad_sizes *z, const float *dy, const float *x,
                           int64_t depth, int64_t rows, int64_t n, float *sums, int add)
{
    const int64_t x_point = z->chunk * GEMM_N + 16, dy_point = z->chunk * WGRAD_ROWS + 16;
    mdldm__cpu_gemm g = {.a_m = 1, .a_k = WGRAD_ROWS, .b_k = GEMM_N, .c_m = MDLDM__WGRAD_BLOCK, .dtype = dtype};
    for (int64_t p = 0; p < z->points; p++)
        for (int64_t k = 0; k < depth; k += WGRAD_DEPTH)
            for (int64_t j = 0; j < n; j += GEMM_N) {
                const float *b = x + (j / GEMM_N * z->points + p) * x_point + k * GEMM_N;
                /* Panels are zero up to whole vectors, and so are the sums. */
                int64_t columns = n - j < GEMM_N ? mdldm__cpu_ceil_div(n - j, VL) * VL : GEMM_N;
                g.k = depth - k < WGRAD_DEPTH ? depth - k : WGRAD_DEPTH;
                g.add = add || k > 0;
                for (int64_t o = 0; o < rows; o += WGRAD_ROWS) {
                    g.m = rows - o < WGRAD_ROWS ? rows - o : WGRAD_ROWS;
                    g.a = dy + (o / WGRAD_ROWS * z->dy_points + p % z->dy_points) * dy_point + k * WGRAD_ROWS;
                    gemm_strip(&g, b, sums + p * MDLDM__WGRAD_SUMS + o * MDLDM__WGRAD_BLOCK + j, columns);
                }
            }
}

/* `count` tiles from first + begin on into panel number `panel`: those of x, then those of dy. */
INLINE void wgrad_panel(int32_t dtype, const mdldm__cpu_wgrad *a, const mdldm__wgrad_sizes *z, int64_t first,
                        int64_t begin, int64_t count, int64_t panel, float *x, float *dy)
{
    const int64_t x_point = z->chunk * GEMM_N + 16, dy_point = z->chunk * WGRAD_ROWS + 16;
    const int64_t x_panels = mdldm__cpu_ceil_div(a->ic, GEMM_N), y = panel - x_panels;
    float *to_x = x + panel * z->points * x_point + begin * GEMM_N;
    float *to_dy = dy + y * z->dy_points * dy_point + begin * WGRAD_ROWS;
    if (a->winograd && y < 0)
        wgrad_fill(1, dtype, a, z, first + begin, count, panel * GEMM_N, GEMM_N, to_x, x_point);
    else if (a->winograd)
        wgrad_fill(0, dtype, a, z, first + begin, count, y * WGRAD_ROWS, WGRAD_ROWS, to_dy, dy_point);
    else if (y < 0)
        wgrad_copy(1, dtype, a, first + begin, count, panel * GEMM_N, GEMM_N, to_x, x_point);
    else
        wgrad_copy(0, dtype, a, first + begin, count, y * WGRAD_ROWS, WGRAD_ROWS, to_dy, dy_point);
}

INLINE void wgrad_run(int32_t dtype, const mdldm__cpu_wgrad *a)
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
            wgrad_panel(dtype, a, &z, first, begin, depth - begin < WGRAD_PART ? depth - begin : WGRAD_PART,
                        i / parts, x, dy);
        }
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < z.blocks; block++) {
            int64_t o = block / z.block_columns * MDLDM__WGRAD_BLOCK;
            int64_t i = block % z.block_columns * MDLDM__WGRAD_BLOCK;
            int64_t rows = a->oc - o < MDLDM__WGRAD_BLOCK ? a->oc - o : MDLDM__WGRAD_BLOCK;
            int64_t n = a->ic - i < MDLDM__WGRAD_BLOCK ? a->ic - i : MDLDM__WGRAD_BLOCK;
            float *own = sums + (z.chunk < z.tiles ? block : omp_get_thread_num()) * z.points * MDLDM__WGRAD_SUMS;
            wgrad_multiply(a->winograd ? MDLDM_F32 : dtype, &z, dy + o / WGRAD_ROWS * dy_panel,
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
    if (a->dtype == MDLDM_BF16)
        wgrad_run(MDLDM_BF16, a);
    else
        wgrad_run(MDLDM_F32, a);
}
