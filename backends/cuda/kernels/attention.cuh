/* SPDX-License-Identifier: MIT
 * Attention without the matrix of scores (Dao et al. 2022), forward and backward, for heads of any size.
 *
 * All four results have one form: for a tile of rows, and over all columns in tiles of 64,
 *     s = a1 b1^T,   g = a2 b2^T,   w = f(s, g),   out += w x
 *           rows     a1  b1   a2    b2    w                                  x
 *   o       queries  q   k    -     -     e^(s - max so far), online         v
 *   dq      queries  q   k    dout  v     scale e^(s-lse) (g - delta)        k
 *   dk      keys     k   q    v     dout  the same, lse and delta by column  q
 *   dv      keys     k   q    -     -     e^(s - lse)                        dout
 * with delta = dout.o. So no sum needs another block's, and all are repeatable. s and g are summed over slices
 * of 128 bytes of a head's channels; x comes by as many rows at a time as fit. Slices are copied one ahead. */
#ifndef MDLDM_ATTENTION_CUH
#define MDLDM_ATTENTION_CUH

#include "../cuda_args_attention.h"
#include "product.cuh"

enum { ATTENTION_O, ATTENTION_DQ, ATTENTION_DK, ATTENTION_DV };

#define ATTENTION_COLUMNS 64
#define ATTENTION_SLOT 16384 /* bytes of a slice; two of them */
#define ATTENTION_SLICE 128  /* bytes of a head's channels */

/* A block's rows, its warps down the rows and along the head's channels in out, channels of a warp there. */
template <int ROWS, int DOWN, int ALONG, int CHANNELS> struct attention_shape {
    static const int rows = ROWS, down = DOWN, warps = DOWN * ALONG, threads = 32 * warps;
    static const int channels = ALONG * CHANNELS; /* of out, a multiple of 16 */
    static const int out_groups = ROWS / DOWN / 16, out_columns = CHANNELS / 8, out_channels = CHANNELS;
    static const int s_down = ROWS / 16, s_along = warps / s_down, s_width = ATTENTION_COLUMNS / s_along;
};
typedef attention_shape<64, 4, 1, 16> attention_16;
typedef attention_shape<64, 4, 1, 32> attention_32;
typedef attention_shape<64, 4, 1, 64> attention_64;
typedef attention_shape<32, 1, 8, 64> attention_wide; /* 512 channels at a time, blocks in z for more */

template <class E, class Shape, int MODE, bool GATHER> struct attention {
    typedef typename E::element T;
    static const int size = sizeof(T), per_chunk = 16 / size;
    static const int per_slice = ATTENTION_SLICE / size;
    static const int x_fit = ATTENTION_SLOT / (Shape::channels * size);
    static const int x_rows = x_fit < ATTENTION_COLUMNS ? x_fit : ATTENTION_COLUMNS; /* rows of x in a slot */
    static const int x_slices = ATTENTION_COLUMNS / x_rows, x_steps = x_rows * size / 32;
    static const int products = MODE == ATTENTION_DQ || MODE == ATTENTION_DK ? 2 : 1;
    static const bool rows_are_queries = MODE == ATTENTION_O || MODE == ATTENTION_DQ;
    typedef tile<E, 8, false> s_layout;
    typedef tile<E, Shape::channels * size / 16, true> x_layout;
    typedef tile<E, ATTENTION_COLUMNS * size / 16, false> w_layout;

    struct room {
        unsigned char slots[2][ATTENTION_SLOT];
        unsigned char w[Shape::rows * ATTENTION_COLUMNS * size];
        float exchange[Shape::s_along][Shape::rows]; /* of the warps side by side */
        float top[Shape::rows], factor[Shape::rows];
    };

    /* rows x 128 bytes of m's channels from `channel` on, tokens from `token` on, into to. */
    static __device__ __forceinline__ void copy_slice(const mdldm__cuda_args_attention &a, const T *m, int32_t token, int32_t channel, int rows, unsigned char *to)
    {
        ONE_BY_ONE for (int32_t i = (int32_t)thread_x(); i < rows * 8; i += Shape::threads) {
            const int32_t row = i >> 3, chunk = i & 7, c = channel + chunk * per_chunk;
            copy_chunk<T, GATHER>(to + s_layout::place(row, chunk), m + (int64_t)(token + row) * a.channels + c, m,
                                  token + row < a.tokens && c < a.size, a.size - c);
        }
    }

    static __device__ __forceinline__ void copy_x(const mdldm__cuda_args_attention &a, const T *x, int32_t token, int32_t channel, unsigned char *to)
    {
        const int chunks = Shape::channels / per_chunk;
        ONE_BY_ONE for (int32_t i = (int32_t)thread_x(); i < x_rows * chunks; i += Shape::threads) {
            const int32_t row = i / chunks, chunk = i % chunks, c = channel + chunk * per_chunk;
            copy_chunk<T, GATHER>(to + x_layout::place(row, chunk), x + (int64_t)(token + row) * a.channels + c, x,
                                  token + row < a.tokens && c < a.size, a.size - c);
        }
    }

    /* grid: (row tiles, n * heads, groups of channels) */
    static __device__ __forceinline__ void run(const mdldm__cuda_args_attention &a)
    {
        room *r = (room *)mdldm_shared;
        const int32_t image = (int32_t)block_y() / a.heads, head = (int32_t)block_y() % a.heads;
        const int64_t base = (int64_t)image * a.tokens * a.channels + head * a.size;
        const T *q = (const T *)a.q + base, *k = (const T *)a.k + base, *v = (const T *)a.v + base;
        const T *dout = MODE == ATTENTION_O ? q : (const T *)a.dout + base;
        const T *a1 = rows_are_queries ? q : k, *b1 = rows_are_queries ? k : q;
        const T *a2 = MODE == ATTENTION_DQ ? dout : v, *b2 = MODE == ATTENTION_DQ ? v : dout;
        const T *x = MODE == ATTENTION_O ? v : MODE == ATTENTION_DQ ? k : MODE == ATTENTION_DK ? q : dout;
        const int32_t first_row = (int32_t)block_x() * Shape::rows, first_channel = (int32_t)block_z() * Shape::channels;
        const int32_t s_slices = (a.size + per_slice - 1) / per_slice, s_steps = (a.size * size + 31) / 32;
        const int32_t per_tile = s_slices * products + x_slices;
        const int32_t count = (a.tokens + ATTENTION_COLUMNS - 1) / ATTENTION_COLUMNS * per_tile;
        const float to_log2 = a.scale * MDLDM_LOG2E;

        const uint32_t g = lane() >> 2, t = lane() & 3;
        const uint32_t s_row = warp() % Shape::s_down * 16, s_beside = warp() / Shape::s_down, s_column = s_beside * Shape::s_width;
        const uint32_t out_row = warp() % Shape::down * (16 * Shape::out_groups), out_column = warp() / Shape::down * Shape::out_channels;
        float s[2][Shape::s_width / 4], p[2][Shape::s_width / 4], out[2 * Shape::out_groups][2 * Shape::out_columns];
        UNROLL for (int i = 0; i < 2 * Shape::out_groups; i++)
            UNROLL for (int c = 0; c < 2 * Shape::out_columns; c++)
                out[i][c] = 0.0f;
        float top = -bits_float(0x7f800000u), sum = 0.0f; /* of row thread_x(), forward */

        /* What is copied next: slice `next` of the tile that begins at `next_token`. */
        int32_t next = 0, next_token = 0;
        for (int32_t index = -1, now = 0, token = 0; index < count; index++) {
            if (index >= 0) {
                copy_wait<0>();
                block_sync(); /* this slice has arrived for all; the other slot is free */
            }
            if (index + 1 < count) {
                unsigned char *to = r->slots[(index + 1) & 1];
                if (next < s_slices * products) {
                    const bool second = next >= s_slices;
                    const int32_t channel = (second ? next - s_slices : next) * per_slice;
                    copy_slice(a, products == 2 && second ? a2 : a1, first_row, channel, Shape::rows, to);
                    copy_slice(a, products == 2 && second ? b2 : b1, next_token, channel, ATTENTION_COLUMNS, to + Shape::rows * ATTENTION_SLICE);
                } else {
                    copy_x(a, x, next_token + (next - s_slices * products) * x_rows, first_channel, to);
                }
                if (++next == per_tile) {
                    next = 0;
                    next_token += ATTENTION_COLUMNS;
                }
            }
            copy_commit();
            if (index < 0)
                continue;

            const unsigned char *slot = r->slots[index & 1];
            if (now < s_slices * products) {
                const int32_t slice = products == 2 && now >= s_slices ? now - s_slices : now;
                const int32_t left = s_steps - 4 * slice, steps = left < 4 ? left : 4;
                if (now == 0)
                    UNROLL for (int i = 0; i < 2; i++)
                        UNROLL for (int c = 0; c < Shape::s_width / 4; c++)
                            s[i][c] = p[i][c] = 0.0f;
                const unsigned char *b = slot + Shape::rows * ATTENTION_SLICE;
                if (products == 2 && now >= s_slices)
                    ONE_BY_ONE for (int32_t step = 0; step < steps; step++)
                        product<E>::template step<s_layout, s_layout, 1, Shape::s_width / 8>(p, slot, s_row, step, b, s_column, step);
                else
                    ONE_BY_ONE for (int32_t step = 0; step < steps; step++)
                        product<E>::template step<s_layout, s_layout, 1, Shape::s_width / 8>(s, slot, s_row, step, b, s_column, step);
                if (now == s_slices * products - 1) {
                    if (MODE == ATTENTION_O)
                        weigh_online(a, r, s, token, to_log2, s_row + g, s_beside, s_column + 2 * t, top);
                    else
                        weigh(a, s, p, first_row + s_row + g, token + s_column + 2 * t, to_log2);
                    UNROLL for (int i = 0; i < 2; i++)
                        UNROLL for (int j = 0; j < Shape::s_width / 8; j++)
                        {
                            const uint32_t column = s_column + 8 * j + 2 * t;
                            put2((T *)(r->w + w_layout::place(s_row + g + 8 * i, column / per_chunk)) + column % per_chunk, s[i][2 * j], s[i][2 * j + 1]);
                        }
                }
            } else {
                const int32_t slice = now - s_slices * products;
                if (MODE == ATTENTION_O && slice == 0) {
                    if (thread_x() < Shape::rows) {
                        sum *= r->factor[thread_x()];
                        UNROLL for (int w = 0; w < Shape::s_along; w++)
                            sum += r->exchange[w][thread_x()];
                    }
                    UNROLL for (int i = 0; i < 2 * Shape::out_groups; i++)
                    {
                        const float factor = r->factor[out_row + g + 8 * i];
                        UNROLL for (int c = 0; c < 2 * Shape::out_columns; c++)
                            out[i][c] *= factor;
                    }
                }
                if ((int32_t)out_column + first_channel < a.size)
                    ONE_BY_ONE for (int32_t step = 0; step < x_steps; step++)
                        product<E>::template step<w_layout, x_layout, Shape::out_groups, Shape::out_columns>(
                            out, r->w, out_row, slice * x_steps + step, slot, out_column, step);
            }
            if (++now == per_tile) {
                now = 0;
                token += ATTENTION_COLUMNS;
            }
        }
        if (MODE == ATTENTION_O) {
            block_sync();
            if (thread_x() < Shape::rows) {
                const int32_t row = first_row + (int32_t)thread_x();
                r->factor[thread_x()] = div32(1.0f, sum);
                if (row < a.tokens && block_z() == 0)
                    a.lse_out[(int64_t)block_y() * a.tokens + row] = fma32(top, MDLDM_LN2, log32(sum));
            }
            block_sync();
        }
        store(a, r, (T *)a.out + base, out, first_row, out_row + g, first_channel + (int32_t)(out_column + 2 * t));
    }

    /* s becomes e^(scale s - lse), or with p = dout.v the gradient of the score. */
    static __device__ __forceinline__ void weigh(const mdldm__cuda_args_attention &a, float (&s)[2][Shape::s_width / 4], const float (&p)[2][Shape::s_width / 4],
                                 int32_t row, int32_t column, float to_log2)
    {
        const float *lse = a.lse + (int64_t)block_y() * a.tokens, *delta = a.delta + (int64_t)block_y() * a.tokens;
        UNROLL for (int i = 0; i < 2; i++)
            UNROLL for (int c = 0; c < Shape::s_width / 4; c++)
            {
                const int32_t m = row + 8 * i, n = column + c / 2 * 8 + c % 2;
                const bool inside = m < a.tokens && n < a.tokens;
                const int32_t query = inside ? (rows_are_queries ? m : n) : 0;
                const float e = fast_exp2(fma32(s[i][c], to_log2, -lse[query] * MDLDM_LOG2E));
                s[i][c] = !inside ? 0.0f : products == 2 ? a.scale * e * (p[i][c] - delta[query]) : e;
            }
    }

    /* s becomes e^(scale s - top), top the row's largest so far in powers of two; exchange gets the sums of
     * rows, factor what older sums shrink by. row, column: of s[0][0] within the tile. */
    static __device__ __forceinline__ void weigh_online(const mdldm__cuda_args_attention &a, room *r, float (&s)[2][Shape::s_width / 4], int32_t token,
                                        float to_log2, uint32_t row, uint32_t beside, uint32_t column, float &top)
    {
        const float never = -bits_float(0x7f800000u);
        UNROLL for (int i = 0; i < 2; i++)
        {
            float most = never;
            UNROLL for (int c = 0; c < Shape::s_width / 4; c++)
            {
                const bool inside = token + (int32_t)column + c / 2 * 8 + c % 2 < a.tokens;
                s[i][c] = inside ? s[i][c] * to_log2 : never;
                most = max32(most, s[i][c]);
            }
            most = max32(most, shuffle_xor(most, 1));
            most = max32(most, shuffle_xor(most, 2));
            if ((lane() & 3) == 0)
                r->exchange[beside][row + 8 * i] = most;
        }
        block_sync();
        if (thread_x() < Shape::rows) {
            float most = top;
            UNROLL for (int w = 0; w < Shape::s_along; w++)
                most = max32(most, r->exchange[w][thread_x()]);
            r->factor[thread_x()] = fast_exp2(top - most);
            r->top[thread_x()] = top = most;
        }
        block_sync();
        UNROLL for (int i = 0; i < 2; i++)
        {
            const float most = r->top[row + 8 * i];
            float sum = 0.0f;
            UNROLL for (int c = 0; c < Shape::s_width / 4; c++)
            {
                s[i][c] = fast_exp2(s[i][c] - most);
                sum += s[i][c];
            }
            sum += shuffle_xor(sum, 1);
            sum += shuffle_xor(sum, 2);
            if ((lane() & 3) == 0)
                r->exchange[beside][row + 8 * i] = sum;
        }
    }

    static __device__ __forceinline__ void store(const mdldm__cuda_args_attention &a, const room *r, T *to, float (&out)[2 * Shape::out_groups][2 * Shape::out_columns],
                                 int32_t first_row, uint32_t row, int32_t channel)
    {
        const bool pairs = ((a.channels | a.size) & 1) == 0;
        UNROLL for (int i = 0; i < 2 * Shape::out_groups; i++)
        {
            const int32_t token = first_row + (int32_t)row + 8 * i;
            if (token >= a.tokens)
                continue;
            const float factor = MODE == ATTENTION_O ? r->factor[row + 8 * i] : 1.0f;
            UNROLL for (int j = 0; j < Shape::out_columns; j++)
            {
                const int32_t c = channel + 8 * j;
                T *p = to + (int64_t)token * a.channels + c;
                if (pairs && c < a.size) {
                    put2(p, out[i][2 * j] * factor, out[i][2 * j + 1] * factor);
                } else {
                    if (c < a.size)
                        put(p, out[i][2 * j] * factor);
                    if (c + 1 < a.size)
                        put(p + 1, out[i][2 * j + 1] * factor);
                }
            }
        }
    }
};

#define ATTENTION_KERNEL(name, kind, mode, shape, gather) \
    extern "C" __global__ void __launch_bounds__(attention_##shape::threads, 256 / attention_##shape::threads) \
        mdldm_attention_##name(MDLDM_PARAM mdldm__cuda_args_attention args) \
    { \
        attention<by_##kind, attention_##shape, mode, gather>::run(args); \
    }
#define ATTENTION_SHAPE(kind, shape, suffix, gather) \
    ATTENTION_KERNEL(o_##kind##_##shape##suffix, kind, ATTENTION_O, shape, gather) \
    ATTENTION_KERNEL(dq_##kind##_##shape##suffix, kind, ATTENTION_DQ, shape, gather) \
    ATTENTION_KERNEL(dk_##kind##_##shape##suffix, kind, ATTENTION_DK, shape, gather) \
    ATTENTION_KERNEL(dv_##kind##_##shape##suffix, kind, ATTENTION_DV, shape, gather)
/* "odd": heads that do not stand at multiples of 16 bytes. */
#define ATTENTION_KERNELS(kind) \
    ATTENTION_SHAPE(kind, 16, , false) \
    ATTENTION_SHAPE(kind, 32, , false) \
    ATTENTION_SHAPE(kind, 64, , false) \
    ATTENTION_SHAPE(kind, wide, , false) \
    ATTENTION_SHAPE(kind, 64, _odd, true) \
    ATTENTION_SHAPE(kind, wide, _odd, true) \
    MDLDM_KERNEL(256) mdldm_attention_delta_##kind(MDLDM_PARAM mdldm__cuda_args_attention_delta args) \
    { \
        attention_delta<by_##kind::element>(args); \
    }

/* A warp per row. */
template <typename T> DEVICE void attention_delta(const mdldm__cuda_args_attention_delta &a)
{
    const int64_t stride = (int64_t)grid_x() * (block_threads() / 32);
    for (int64_t row = (int64_t)block_x() * (block_threads() / 32) + warp(); row < a.rows; row += stride) {
        const int64_t unit = row / a.tokens, token = row - unit * a.tokens, image = unit / a.heads, head = unit - image * a.heads;
        const int64_t base = (image * a.tokens + token) * a.channels + head * a.size;
        float sum = 0.0f;
        for (int32_t c = (int32_t)lane(); c < a.size; c += 32)
            sum = fma32(get((const T *)a.dout + base + c), get((const T *)a.o + base + c), sum);
        sum = warp_sum(sum);
        if (lane() == 0)
            a.delta[row] = sum;
    }
}

#endif
