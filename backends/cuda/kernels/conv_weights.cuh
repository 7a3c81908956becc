/* SPDX-License-Identifier: MIT
 * The gradient of a convolution's weights as an implicit matrix product: rows are output channels, columns
 * taps and input channels, K the pixels of dy. Both tiles stand across K, as NHWC has them. K is divided among
 * blocks; their sums are joined in a fixed order afterwards (conv_pack.cu). */
#ifndef MDLDM_CONV_WEIGHTS_CUH
#define MDLDM_CONV_WEIGHTS_CUH

#include "conv.cuh"

template <class E, class Tile, bool GATHER> struct weights_copy {
    typedef typename E::element T;
    static const int per_chunk = 16 / (int)sizeof(T), depth = 4 * per_chunk; /* pixels of a step */
    static const int a_chunks = Tile::rows / per_chunk, b_chunks = Tile::columns / per_chunk;
    typedef tile<E, a_chunks, true> a_layout;
    typedef tile<E, b_chunks, true> b_layout;
    static const int a_apart = Tile::threads / a_chunks, b_apart = Tile::threads / b_chunks;
    static const int a_rows = depth / a_apart, b_rows = depth / b_apart;

    int32_t output, c, left, tap_y, tap_x; /* of this thread's columns; c 0: none; left: channels from its first on */
    const T *x;                            /* its first channel */

    __device__ __forceinline__ void start(const mdldm__cuda_args_conv_weights &a, int32_t first_row, int32_t first_chunk)
    {
        output = first_row + (int32_t)(thread_x() % a_chunks) * per_chunk;
        const int32_t q = first_chunk + (int32_t)(thread_x() % b_chunks), tap = q / a.chunks, chunk = q - tap * a.chunks;
        const bool second = chunk >= a.chunks0;
        tap_y = tap / a.kernel_w;
        tap_x = tap - tap_y * a.kernel_w;
        const int32_t channel = (second ? chunk - a.chunks0 : chunk) * per_chunk;
        x = (const T *)(second ? a.x1 : a.x0) + channel;
        c = tap_y >= a.kernel_h ? 0 : second ? a.c1 : a.c0;
        left = c - channel;
    }

    __device__ __forceinline__ void copy(const mdldm__cuda_args_conv_weights &a, int32_t pixel, unsigned char *to_a, unsigned char *to_b) const
    {
        const T *dy = (const T *)a.dy;
        UNROLL for (int i = 0; i < a_rows; i++)
        {
            const uint32_t row = thread_x() / a_chunks + i * a_apart;
            const int32_t p = pixel + (int32_t)row;
            copy_chunk<T, GATHER>(to_a + a_layout::place(row, thread_x() % a_chunks), dy + (int64_t)p * a.outputs + output, dy,
                                  p < a.pixels && output < a.outputs, a.outputs - output);
        }
        UNROLL for (int i = 0; i < b_rows; i++)
        {
            const uint32_t row = thread_x() / b_chunks + i * b_apart;
            const int32_t p = pixel + (int32_t)row;
            const int32_t line = (int32_t)((uint64_t)(uint32_t)p * a.w_factor >> a.w_shift); /* p / out_w */
            const int32_t n = (int32_t)((uint64_t)(uint32_t)line * a.h_factor >> a.h_shift);
            const int32_t y = (line - n * a.out_h) * a.step_h - a.pad_t + tap_y, z = (p - line * a.out_w) * a.step_w - a.pad_l + tap_x;
            const bool inside = p < a.pixels && c > 0 && (uint32_t)y < (uint32_t)a.in_h && (uint32_t)z < (uint32_t)a.in_w;
            copy_chunk<T, GATHER>(to_b + b_layout::place(row, thread_x() % b_chunks),
                                  x + (((int64_t)n * a.in_h + y) * a.in_w + z) * c, (const T *)a.x0, inside, left);
        }
    }
};

/* grid: (row tiles * column tiles, 1, splits) */
template <class E, class Tile, bool GATHER> DEVICE void conv_weights(const mdldm__cuda_args_conv_weights &a, unsigned char *room)
{
    typedef weights_copy<E, Tile, GATHER> copies;
    const int32_t first_row = (int32_t)(block_x() / (uint32_t)a.column_tiles) * Tile::rows;
    const int32_t first_chunk = (int32_t)(block_x() % (uint32_t)a.column_tiles) * copies::b_chunks;
    const int32_t all = (a.pixels + copies::depth - 1) / copies::depth, begin = (int32_t)block_z() * a.steps;
    const int32_t end = begin + a.steps < all ? begin + a.steps : all;

    copies copy;
    copy.start(a, first_row, first_chunk);
    UNROLL for (int s = 0; s < CONV_STAGES - 1; s++)
    {
        if (begin + s < end)
            copy.copy(a, (begin + s) * copies::depth, room + s * Tile::a_bytes, room + CONV_STAGES * Tile::a_bytes + s * Tile::b_bytes);
        copy_commit();
    }
    const uint32_t warp_row = warp() % Tile::warps_down * Tile::warp_rows, warp_column = warp() / Tile::warps_down * 32;
    float acc[2 * Tile::row_groups][8];
    UNROLL for (int i = 0; i < 2 * Tile::row_groups; i++)
        UNROLL for (int c = 0; c < 8; c++)
            acc[i][c] = 0.0f;
    int32_t now = 0;
    for (int32_t step = begin; step < end; step++) {
        const int32_t ahead = now == 0 ? CONV_STAGES - 1 : now - 1;
        copy_wait<CONV_STAGES - 2>();
        block_sync(); /* as in conv.cuh */
        if (step + CONV_STAGES - 1 < end)
            copy.copy(a, (step + CONV_STAGES - 1) * copies::depth, room + ahead * Tile::a_bytes,
                      room + CONV_STAGES * Tile::a_bytes + ahead * Tile::b_bytes);
        copy_commit();
        _Pragma("unroll E::unrolled") for (uint32_t half = 0; half < 2; half++)
            product<E>::template step<typename copies::a_layout, typename copies::b_layout, Tile::row_groups, 4>(
                acc, room + now * Tile::a_bytes, warp_row, half, room + CONV_STAGES * Tile::a_bytes + now * Tile::b_bytes, warp_column, half);
        now = now + 1 == CONV_STAGES ? 0 : now + 1;
    }
    copy_wait<0>();
    const int64_t width = (int64_t)a.kernel_h * a.kernel_w * a.chunks * copies::per_chunk;
    UNROLL for (int i = 0; i < 2 * Tile::row_groups; i++)
    {
        const int32_t o = first_row + (int32_t)(warp_row + (lane() >> 2) + 8 * i);
        UNROLL for (int j = 0; j < 4; j++)
        {
            const int64_t n = (int64_t)first_chunk * copies::per_chunk + warp_column + 8 * j + 2 * (lane() & 3);
            if (o < a.outputs && n < width)
                put2(a.partial + ((int64_t)block_z() * a.outputs + o) * width + n, acc[i][2 * j], acc[i][2 * j + 1]);
        }
    }
}

#endif
