/* SPDX-License-Identifier: MIT
 * Convolution as an implicit matrix product: forward, gradient of the data, and (1x1 on one pixel) linear
 * layers. Rows are output pixels, columns output channels. A block's threads copy 64 bytes of K per row and
 * step into a ring of three stages with cp.async, two steps ahead of the products. */
#ifndef MDLDM_CONV_CUH
#define MDLDM_CONV_CUH

#include "../cuda_args_conv.h"
#include "product.cuh"

#define CONV_STAGES 3

/* A block's tile of ROWS x COLUMNS, a warp's of WARP_ROWS x 32 (of the data) or x WARP_COLUMNS. */
template <int ROWS, int COLUMNS, int WARP_ROWS> struct conv_tile {
    static const int rows = ROWS, columns = COLUMNS, warp_rows = WARP_ROWS;
    static const int warps_down = ROWS / WARP_ROWS, threads = warps_down * (COLUMNS / 32) * 32;
    static const int row_groups = WARP_ROWS / 16;
    static const int a_bytes = ROWS * 64, b_bytes = COLUMNS * 64, bytes = CONV_STAGES * (a_bytes + b_bytes);
};
typedef conv_tile<128, 128, 64> conv_large;
typedef conv_tile<64, 64, 32> conv_small;
typedef conv_tile<128, 32, 32> conv_narrow; /* few columns */
typedef conv_tile<32, 128, 32> conv_flat;   /* few rows */

/* ---- Copies of one step ---- */

/* What a thread knows of the rows that it copies: where tap (0, 0) would read. */
struct conv_row {
    int32_t image, y, x; /* image: its first pixel */
};

/* One phase (p, q) of the output's step. */
struct conv_phase {
    int32_t p, q, rows_h, rows_w;   /* its pixels */
    int32_t tap_y, tap_x, taps_h, taps_w; /* first tap, taps at out_step from each other */
    int32_t first_y, first_x;       /* where tap 0 of row 0 reads */
};

DEVICE conv_phase conv_phase_of(const mdldm__cuda_args_conv &a, int32_t index)
{
    conv_phase f;
    f.p = index / a.out_step_w;
    f.q = index % a.out_step_w;
    f.rows_h = (a.out_h - f.p + a.out_step_h - 1) / a.out_step_h;
    f.rows_w = (a.out_w - f.q + a.out_step_w - 1) / a.out_step_w;
    if (a.direction > 0) {
        f.tap_y = f.tap_x = 0;
        f.taps_h = a.kernel_h;
        f.taps_w = a.kernel_w;
        f.first_y = -a.pad_t;
        f.first_x = -a.pad_l;
        return f;
    }
    /* dy's row is (p + s*j + pad - tap) / s where that is whole: tap = (p + pad) % s + s*i. */
    f.tap_y = (f.p + a.pad_t) % a.out_step_h;
    f.tap_x = (f.q + a.pad_l) % a.out_step_w;
    f.taps_h = (a.kernel_h - f.tap_y + a.out_step_h - 1) / a.out_step_h;
    f.taps_w = (a.kernel_w - f.tap_x + a.out_step_w - 1) / a.out_step_w;
    f.taps_h = f.taps_h > 0 && f.taps_w > 0 ? f.taps_h : 0;
    f.taps_w = f.taps_w > 0 ? f.taps_w : 1;
    f.first_y = (f.p + a.pad_t) / a.out_step_h;
    f.first_x = (f.q + a.pad_l) / a.out_step_w;
    return f;
}

/* Where a thread stands in K: one chunk of 16 bytes. */
struct conv_place {
    int32_t tap_y, tap_x, chunk;
};

template <class E, class Tile, bool GATHER> struct conv_copy {
    typedef typename E::element T;
    typedef tile<E, 4, false> layout;
    static const int per_chunk = layout::per_chunk;
    static const int rows_apart = Tile::threads / 4;
    static const int a_rows = Tile::rows / rows_apart, b_rows = Tile::columns / rows_apart;

    conv_row rows[a_rows];
    conv_place at;

    __device__ __forceinline__ void start(const mdldm__cuda_args_conv &a, const conv_phase &f, int64_t first_row, int32_t step)
    {
        const int64_t per_image = (int64_t)f.rows_h * f.rows_w, count = a.images * per_image;
        UNROLL for (int i = 0; i < a_rows; i++)
        {
            int64_t m = first_row + thread_x() / 4 + i * rows_apart;
            bool there = m < count;
            m = there ? m : 0;
            int64_t n = m / per_image;
            int32_t pixel = (int32_t)(m - n * per_image);
            rows[i].image = (int32_t)(n * a.in_h * a.in_w);
            rows[i].y = there ? pixel / f.rows_w * a.in_step_h + f.first_y : -(1 << 29);
            rows[i].x = pixel % f.rows_w * a.in_step_w + f.first_x;
        }
        int32_t q = step * 4 + (int32_t)(thread_x() & 3);
        int32_t tap = q / a.chunks;
        at.chunk = q - tap * a.chunks;
        at.tap_y = tap / f.taps_w;
        at.tap_x = tap - at.tap_y * f.taps_w;
    }

    /* The step at `at`, then on to the next. */
    __device__ __forceinline__ void next(const mdldm__cuda_args_conv &a, const conv_phase &f, int32_t first_column, unsigned char *to_a, unsigned char *to_b)
    {
        const uint32_t row = thread_x() / 4, column = thread_x() & 3;
        const bool second = at.chunk >= a.chunks0, more = at.tap_y < f.taps_h;
        const int32_t c = second ? a.c1 : a.c0;
        const int32_t channel = (second ? at.chunk - a.chunks0 : at.chunk) * per_chunk;
        const T *x = (const T *)(second ? a.x1 : a.x0);
        UNROLL for (int i = 0; i < a_rows; i++)
        {
            int32_t y = rows[i].y + a.direction * at.tap_y, z = rows[i].x + a.direction * at.tap_x;
            bool inside = more && (uint32_t)y < (uint32_t)a.in_h && (uint32_t)z < (uint32_t)a.in_w;
            const T *from = x + (int64_t)(rows[i].image + y * a.in_w + z) * c + channel;
            copy_chunk<T, GATHER>(to_a + layout::place(row + i * rows_apart, column), from, x, inside, c - channel);
        }
        const int32_t tap = (f.tap_y + at.tap_y * (a.direction > 0 ? 1 : a.out_step_h)) * a.kernel_w +
                            f.tap_x + at.tap_x * (a.direction > 0 ? 1 : a.out_step_w);
        UNROLL for (int i = 0; i < b_rows; i++)
        {
            int32_t n = first_column + (int32_t)row + i * rows_apart;
            bool inside = more && n < a.w_rows;
            int64_t chunk = ((int64_t)n * a.kernel_h * a.kernel_w + tap) * a.chunks + at.chunk;
            copy_async16(shared_address(to_b + layout::place(row + i * rows_apart, column)), (const words4 *)a.w + (inside ? chunk : 0), inside ? 16 : 0);
        }
        at.chunk += 4;
        while (at.chunk >= a.chunks) {
            at.chunk -= a.chunks;
            if (++at.tap_x == f.taps_w) {
                at.tap_x = 0;
                at.tap_y++;
            }
        }
    }
};

/* ---- What becomes of the sums ---- */

/* 8 channels of a pixel, from row `channel` of the weights on, as far as y has them. */
template <typename T>
DEVICE void conv_store(T *y, int64_t pixel, int32_t channel, int32_t first, int32_t c, const float v[8])
{
    if (y == NULL)
        return;
    const int32_t from = channel - first;
    T *to = y + pixel * c + from;
    if (from >= 0 && from + 8 <= c && ((c | from) & (16 / (int)sizeof(T) - 1)) == 0) {
        put8(to, v);
        return;
    }
    UNROLL for (int i = 0; i < 8; i++)
        if (from + i >= 0 && from + i < c)
            put(to + i, v[i]);
}

template <class E, class Tile>
DEVICE void conv_finish(const mdldm__cuda_args_conv &a, const conv_phase &f, int64_t first_row, int32_t channel,
                        int32_t split, float (&acc)[2 * Tile::row_groups][8])
{
    typedef typename E::element T;
    const int64_t per_image = (int64_t)f.rows_h * f.rows_w, count = a.images * per_image;
    if (channel >= a.w_rows)
        return;
    float bias[8];
    UNROLL for (int c = 0; c < 8; c++)
        bias[c] = a.bias != NULL && channel + c < a.y0_c ? a.bias[channel + c] : 0.0f;
    UNROLL for (int i = 0; i < 2 * Tile::row_groups; i++)
    {
        int64_t m = first_row + (lane() >> 2) + 8 * i;
        if (m >= count)
            return;
        if (a.splits > 1) {
            put8(a.partial + (split * count + m) * (a.w_rows - a.w_first) + (channel - a.w_first), acc[i]);
            continue;
        }
        int64_t n = m / per_image;
        int32_t pixel = (int32_t)(m - n * per_image), j = pixel / f.rows_w, q = pixel - j * f.rows_w;
        int64_t to = (n * a.out_h + j * a.out_step_h + f.p) * a.out_w + q * a.out_step_w + f.q;
        float v[8];
        UNROLL for (int c = 0; c < 8; c++)
            v[c] = acc[i][c] + bias[c];
        conv_store((T *)a.y0, to, channel, a.y0_first, a.y0_c, v);
        conv_store((T *)a.y1, to, channel, a.y1_first, a.y1_c, v);
    }
}

/* grid: (row tiles * column tiles, 1, phases * splits). room: Tile::bytes of shared memory */
template <class E, class Tile, bool GATHER> DEVICE void conv(const mdldm__cuda_args_conv &a, unsigned char *room)
{
    typedef tile<E, 4, false> layout;
    const int32_t phases = a.out_step_h * a.out_step_w;
    const int32_t split = (int32_t)block_z() / phases;
    const conv_phase f = conv_phase_of(a, (int32_t)block_z() % phases);
    const int64_t first_row = (int64_t)(block_x() / (uint32_t)a.column_tiles) * Tile::rows;
    const int32_t first_column = a.w_first + (int32_t)(block_x() % (uint32_t)a.column_tiles) * Tile::columns;
    if (first_row >= (int64_t)a.images * f.rows_h * f.rows_w)
        return; /* the first phase has most rows */
    const int32_t all = (f.taps_h * f.taps_w * a.chunks + 3) / 4, each = (all + a.splits - 1) / a.splits;
    const int32_t begin = split * each, end = begin + each < all ? begin + each : all;

    conv_copy<E, Tile, GATHER> copy;
    copy.start(a, f, first_row, begin);
    UNROLL for (int s = 0; s < CONV_STAGES - 1; s++)
    {
        if (begin + s < end)
            copy.next(a, f, first_column, room + s * Tile::a_bytes, room + CONV_STAGES * Tile::a_bytes + s * Tile::b_bytes);
        copy_commit();
    }
    const uint32_t warp_row = warp() % Tile::warps_down * Tile::warp_rows, warp_column = warp() / Tile::warps_down * 32;
    float acc[2 * Tile::row_groups][8];
    UNROLL for (int i = 0; i < 2 * Tile::row_groups; i++)
        UNROLL for (int c = 0; c < 8; c++)
            acc[i][c] = 0.0f;
    int32_t now = 0; /* stage */
    for (int32_t step = begin; step < end; step++) {
        const int32_t ahead = now == 0 ? CONV_STAGES - 1 : now - 1;
        copy_wait<CONV_STAGES - 2>();
        block_sync(); /* this step has arrived for all; all have done with the stage that the next copy takes */
        if (step + CONV_STAGES - 1 < end)
            copy.next(a, f, first_column, room + ahead * Tile::a_bytes, room + CONV_STAGES * Tile::a_bytes + ahead * Tile::b_bytes);
        copy_commit();
        const unsigned char *stage_a = room + now * Tile::a_bytes;
        const unsigned char *stage_b = room + CONV_STAGES * Tile::a_bytes + now * Tile::b_bytes;
        _Pragma("unroll E::unrolled") for (uint32_t half = 0; half < 2; half++)
            product<E>::template step<layout, layout, Tile::row_groups, 4>(acc, stage_a, warp_row, half, stage_b, warp_column, half);
        now = now + 1 == CONV_STAGES ? 0 : now + 1;
    }
    copy_wait<0>();
    /* The phase once more, rather than its eight registers held through the loop. */
    conv_finish<E, Tile>(a, conv_phase_of(a, (int32_t)block_z_again() % phases), first_row + warp_row, first_column + (int32_t)(warp_column + (lane() & 3) * 8), split, acc);
}

#endif
