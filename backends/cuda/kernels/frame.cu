/* SPDX-License-Identifier: MIT
 * The frame's own kernels: host arrays to tensors and back, the look for non-finite values. */
#include "device.cuh"

#include "../cuda_args_frame.h"

#define MOVE_TILE 32

DEVICE float convert_to(float x, const float *) { return x; }
DEVICE bf16 convert_to(float x, const bf16 *) { bf16 y; y.bits = bf16_bits(x); return y; }
DEVICE f16 convert_to(float x, const f16 *) { f16 y; y.bits = f16_bits(x); return y; }
/* To nearest; NaN and what is too small gives the least, what is too large the greatest. */
DEVICE int32_t convert_to(float x, const int32_t *)
{
    if (!(x > -2147483648.0f))
        return INT32_MIN;
    return x >= 2147483648.0f ? INT32_MAX : (int32_t)round_even(x);
}
template <typename T> DEVICE T convert_to(bf16 x, const T *t) { return convert_to(to_float(x), t); }
template <typename T> DEVICE T convert_to(f16 x, const T *t) { return convert_to(to_float(x), t); }
template <typename T> DEVICE T convert_to(int32_t x, const T *t) { return convert_to((float)x, t); }
DEVICE int32_t convert_to(int32_t x, const int32_t *) { return x; }

template <typename From, typename To> DEVICE void move(const mdldm__cuda_args_move &a)
{
    __shared__ From tile[MOVE_TILE][MOVE_TILE + 1];
    const From *from = (const From *)a.from;
    To *to = (To *)a.to;
    if (a.rows == 1) {
        const int64_t count = a.images * a.columns, step = (int64_t)grid_x() * block_threads();
        for (int64_t i = (int64_t)block_x() * block_threads() + thread_x(); i < count; i += step)
            to[i] = convert_to(from[i], to);
        return;
    }
    const uint32_t column = thread_x() % MOVE_TILE, row = thread_x() / MOVE_TILE; /* 32 x 8 threads */
    const int64_t tiles_c = (a.columns + MOVE_TILE - 1) / MOVE_TILE, tiles_r = (a.rows + MOVE_TILE - 1) / MOVE_TILE;
    for (int64_t t = block_x(); t < a.images * tiles_r * tiles_c; t += grid_x()) {
        const int64_t image = t / (tiles_r * tiles_c), r0 = t / tiles_c % tiles_r * MOVE_TILE, c0 = t % tiles_c * MOVE_TILE;
        const From *source = from + image * a.rows * a.columns;
        To *target = to + image * a.rows * a.columns;
        for (uint32_t r = row; r < MOVE_TILE; r += 8)
            if (r0 + r < a.rows && c0 + column < a.columns)
                tile[r][column] = source[(r0 + r) * a.columns + c0 + column];
        block_sync();
        for (uint32_t c = row; c < MOVE_TILE; c += 8)
            if (c0 + c < a.columns && r0 + column < a.rows)
                target[(c0 + c) * a.rows + r0 + column] = convert_to(tile[column][c], to);
        block_sync();
    }
}

#define MOVE(name, from, to) \
    MDLDM_KERNEL(256) mdldm_move_##name(MDLDM_PARAM mdldm__cuda_args_move args) { move<from, to>(args); }
MOVE(f32_f32, float, float)
MOVE(f32_bf16, float, bf16)
MOVE(f32_f16, float, f16)
MOVE(f32_i32, float, int32_t)
MOVE(i32_f32, int32_t, float)
MOVE(i32_bf16, int32_t, bf16)
MOVE(i32_f16, int32_t, f16)
MOVE(i32_i32, int32_t, int32_t)
MOVE(bf16_f32, bf16, float)
MOVE(bf16_i32, bf16, int32_t)
MOVE(f16_f32, f16, float)
MOVE(f16_i32, f16, int32_t)

template <typename T> DEVICE void finite(const mdldm__cuda_args_finite &a)
{
    const T *x = (const T *)a.x;
    const int64_t step = (int64_t)grid_x() * block_threads();
    int bad = 0;
    for (int64_t i = (int64_t)block_x() * block_threads() + thread_x(); i < a.count; i += step)
        bad |= !is_finite(get(x + i));
    if (bad)
        asm volatile("red.global.or.b32 [%0], %1;" ::"l"(a.flag), "r"(1) : "memory");
}

#define FINITE(name, type) \
    MDLDM_KERNEL(256) mdldm_finite_##name(MDLDM_PARAM mdldm__cuda_args_finite args) { finite<type>(args); }
FINITE(f32, float)
FINITE(bf16, bf16)
FINITE(f16, f16)
