/* SPDX-License-Identifier: MIT
 * Nearest-neighbour doubling, 2x2 mean pooling, rows of tables, and sums over maps. */
#include "device.cuh"
#include "vectors.cuh"

#include "../cuda_args_ops.h"

/* large[y][x] = factor * small[y/2][x/2]; an odd edge of the large map, which no small pixel has, is 0. */
template <class T> DEVICE void spread(const mdldm__cuda_resample_args &p)
{
    const T *from = (const T *)p.from;
    T *to = (T *)p.to;
    const uint32_t width = (uint32_t)p.large_w * (uint32_t)p.c; /* elements of a row of the large map */
    for (uint32_t r = block_y(); r < (uint32_t)(p.n * p.large_h); r += grid_y()) {
        const uint32_t n = r / (uint32_t)p.large_h, y = r % (uint32_t)p.large_h / 2;
        for (uint32_t i = block_x() * block_threads() + thread_x(); i < width; i += grid_x() * block_threads()) {
            const uint32_t x = i / (uint32_t)p.c / 2, c = i % (uint32_t)p.c;
            const int inside = y < (uint32_t)p.h && x < (uint32_t)p.w;
            put(to + (int64_t)r * width + i,
                inside ? p.factor * get(from + (((int64_t)n * p.h + y) * p.w + x) * p.c + c) : 0.0f);
        }
    }
}

/* small[y][x] = factor * sum of large[2y+i][2x+j] */
template <class T> DEVICE void gather(const mdldm__cuda_resample_args &p)
{
    const T *from = (const T *)p.from;
    T *to = (T *)p.to;
    const uint32_t width = (uint32_t)p.w * (uint32_t)p.c;
    const int64_t below = (int64_t)p.large_w * p.c;
    for (uint32_t r = block_y(); r < (uint32_t)(p.n * p.h); r += grid_y()) {
        const uint32_t n = r / (uint32_t)p.h, y = r % (uint32_t)p.h;
        for (uint32_t i = block_x() * block_threads() + thread_x(); i < width; i += grid_x() * block_threads()) {
            const uint32_t x = i / (uint32_t)p.c, c = i % (uint32_t)p.c;
            const T *at = from + (((int64_t)n * p.large_h + 2 * y) * p.large_w + 2 * x) * p.c + c;
            const float sum = (get(at) + get(at + p.c)) + (get(at + below) + get(at + below + p.c));
            put(to + (int64_t)r * width + i, p.factor * sum);
        }
    }
}

/* partial[n, chunk, c] <- sum over the chunk's pixels; 64 channels by 4 rows a block. */
template <class T> DEVICE void sum_chunks(const mdldm__cuda_sum_args &p)
{
    __shared__ float room[4][64];
    const T *x = (const T *)p.x;
    const int32_t column = (int32_t)(thread_x() % 64), row = (int32_t)(thread_x() / 64);
    const int32_t c = (int32_t)block_x() * 64 + column, n = (int32_t)block_z(), first = (int32_t)block_y() * p.chunk;
    const int32_t end = first + p.chunk < p.pixels ? first + p.chunk : p.pixels;
    float sum = 0;
    for (int32_t i = first + row; c < p.channels && i < end; i += 4)
        sum += get(x + ((int64_t)n * p.pixels + i) * p.channels + c);
    room[row][column] = sum;
    block_sync();
    if (row == 0 && c < p.channels)
        p.partial[((int64_t)n * p.chunks + block_y()) * p.channels + c] =
            (room[0][column] + room[1][column]) + (room[2][column] + room[3][column]);
}

/* y[n, c] <- sum of the chunks, in their order. */
template <class T> DEVICE void sum_join(const mdldm__cuda_sum_args &p)
{
    const int32_t c = (int32_t)(block_x() * block_threads() + thread_x()), n = (int32_t)block_y();
    if (c >= p.channels)
        return;
    float sum = 0;
    for (int32_t chunk = 0; chunk < p.chunks; chunk++)
        sum += p.partial[((int64_t)n * p.chunks + chunk) * p.channels + c];
    put((T *)p.y + (int64_t)n * p.channels + c, sum);
}

#define RESAMPLE_KERNELS(type, suffix)                                                                      \
    MDLDM_KERNEL(256) mdldm_spread_##suffix(MDLDM_PARAM mdldm__cuda_resample_args p) { spread<type>(p); }   \
    MDLDM_KERNEL(256) mdldm_gather_##suffix(MDLDM_PARAM mdldm__cuda_resample_args p) { gather<type>(p); }   \
    MDLDM_KERNEL(256) mdldm_sum_chunks_##suffix(MDLDM_PARAM mdldm__cuda_sum_args p) { sum_chunks<type>(p); } \
    MDLDM_KERNEL(256) mdldm_sum_join_##suffix(MDLDM_PARAM mdldm__cuda_sum_args p) { sum_join<type>(p); }

RESAMPLE_KERNELS(float, f32)
RESAMPLE_KERNELS(bf16, bf16)
RESAMPLE_KERNELS(f16, f16)

/* y[n, c] <- table[index[n], c]; zeros where the index lies outside the table. A block per image. */
MDLDM_KERNEL(256) mdldm_embedding(MDLDM_PARAM mdldm__cuda_embedding_args p)
{
    for (uint32_t n = block_x(); n < (uint32_t)p.n; n += grid_x()) {
        const int32_t at = p.index[n];
        const int inside = at >= 0 && at < p.rows;
        for (uint32_t c = thread_x(); c < (uint32_t)p.c; c += block_threads())
            put_any(p.y, p.type, (int64_t)n * p.c + c, inside ? p.table[(int64_t)at * p.c + c] : 0.0f);
    }
}

/* table[k, c] += y[n, c] of each n whose index is k, in their order. A block per row. */
MDLDM_KERNEL(256) mdldm_embedding_bwd(MDLDM_PARAM mdldm__cuda_embedding_args p)
{
    for (uint32_t k = block_x(); k < (uint32_t)p.rows; k += grid_x())
        for (uint32_t c = thread_x(); c < (uint32_t)p.c; c += block_threads()) {
            float sum = 0;
            int any = 0;
            for (int32_t n = 0; n < p.n; n++)
                if (p.index[n] == (int32_t)k) {
                    sum += get_any(p.y, p.type, (int64_t)n * p.c + c);
                    any = 1;
                }
            if (any)
                p.table[(int64_t)k * p.c + c] += sum;
        }
}
