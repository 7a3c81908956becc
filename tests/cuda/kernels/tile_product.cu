/* SPDX-License-Identifier: MIT
 * A product of matrices by tiles: cp.async in three stages, ldmatrix, mma. c is cut into 64 x 64, blocks of 4 warps of
 * 32 x 32. Rows in shared memory are padded by 16 bytes so that ldmatrix meets each bank once. */
#include "../../../backends/cuda/kernels/device.cuh"
#include "planted_args.h"

enum { TILE = 64, STEP = 32, STAGES = 3, A_ROW = STEP + 8, B_ROW = TILE + 8, A_SIZE = TILE * A_ROW, B_SIZE = STEP * B_ROW };

DEVICE void fetch(const tile_args &args, uint16_t *a, uint16_t *b, int k, uint32_t row, uint32_t column)
{
    for (uint32_t i = thread_x(); i < 256; i += 128) {
        copy_async16(shared_address(a + i / 4 * A_ROW + i % 4 * 8),
                     args.a + (size_t)(row + i / 4) * (size_t)args.k + (size_t)k * STEP + i % 4 * 8);
        copy_async16(shared_address(b + i / 8 * B_ROW + i % 8 * 8),
                     args.b + ((size_t)k * STEP + i / 8) * (size_t)args.n + column + i % 8 * 8);
    }
}

MDLDM_KERNEL(128) tile_product(MDLDM_PARAM struct tile_args args)
{
    uint16_t *a_tiles = reinterpret_cast<uint16_t *>(mdldm_shared), *b_tiles = a_tiles + STAGES * A_SIZE;
    const uint32_t row = block_x() * TILE, column = block_y() * TILE;
    const uint32_t down = warp() / 2 * 32, right = warp() % 2 * 32, quarter = lane() / 16 * 8;
    float sum[2][4][4];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            for (int e = 0; e < 4; e++)
                sum[i][j][e] = 0.0f;
    const int steps = args.k / STEP;
    for (int k = 0; k < STAGES - 1; k++) {
        if (k < steps)
            fetch(args, a_tiles + k * A_SIZE, b_tiles + k * B_SIZE, k, row, column);
        copy_commit();
    }
    for (int k = 0; k < steps; k++) {
        copy_wait<STAGES - 2>();
        block_sync();
        const int next = k + STAGES - 1;
        if (next < steps)
            fetch(args, a_tiles + next % STAGES * A_SIZE, b_tiles + next % STAGES * B_SIZE, next, row, column);
        copy_commit();
        const uint16_t *a = a_tiles + k % STAGES * A_SIZE, *b = b_tiles + k % STAGES * B_SIZE;
        for (uint32_t half = 0; half < STEP; half += 16) {
            uint32_t left[2][4], top[2][4];
            for (uint32_t i = 0; i < 2; i++) {
                load_matrix4(left[i], shared_address(a + (down + 16 * i + lane() % 16) * A_ROW + half + quarter));
                load_matrix4_transposed(top[i], shared_address(b + (half + lane() % 16) * B_ROW + right + 16 * i + quarter));
            }
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 4; j++)
                    mma_bf16(sum[i][j], left[i], top[j / 2] + j % 2 * 2);
        }
    }
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t j = 0; j < 4; j++)
            for (uint32_t e = 0; e < 4; e++) {
                const uint32_t y = row + down + 16 * i + lane() / 4 + e / 2 * 8;
                args.c[(size_t)y * (size_t)args.n + column + right + 8 * j + lane() % 4 * 2 + e % 2] = sum[i][j][e];
            }
}
