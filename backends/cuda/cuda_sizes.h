/* SPDX-License-Identifier: MIT
 * Sizes of grids, and what of them a kernel can count. */
#ifndef MDLDM_CUDA_SIZES_H
#define MDLDM_CUDA_SIZES_H

#include <inttypes.h>

#include "cuda_builder.h"

#define MDLDM__CUDA_GRID_YZ 65535 /* blocks in the second and third direction, on all devices */

/* 1, or 0 with the operation refused because there are more than most of what. */
static inline int mdldm__cuda_fits(mdldm__cuda_builder *b, const char *what, int64_t count, int64_t most)
{
    if (count <= most)
        return 1;
    mdldm__cuda_refuse(b, MDLDM_ERROR_INVALID_ARGUMENT, "%" PRId64 " %s, this backend takes up to %" PRId64, count, what, most);
    return 0;
}

/* For kernels that walk on where the grid ends. */
static inline uint32_t mdldm__cuda_grid_yz(int64_t count)
{
    return (uint32_t)(count < MDLDM__CUDA_GRID_YZ ? count : MDLDM__CUDA_GRID_YZ);
}

/* Pixels that a block sums, of a map's. From the map alone: the order of a sum hangs on it, and images must
 * not depend on their batch. */
static inline int32_t mdldm__cuda_chunk(int64_t pixels)
{
    int64_t chunk = 64;
    while ((pixels + chunk - 1) / chunk > 256)
        chunk *= 2;
    return (int32_t)chunk;
}

#endif
