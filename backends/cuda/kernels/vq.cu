/* SPDX-License-Identifier: MIT
 * Vector quantisation (van den Oord et al. 2017): nearest codebook vector, ties to the lowest, and the
 * gradients of its two loss terms. */
#include "device.cuh"

#include "../cuda_args_ops.h"

#define VECTORS 128 /* threads of a block, a vector each */
#define TILE 2048   /* floats of the codebook in shared memory at a time */

/* The code with the least distance within part block_y() of the codebook. The vector stays in registers up
 * to D elements; D 0: any length, read again for each code. Differences are squared as they are: expanding
 * |z-e|^2 would lose what near codes differ by. */
template <int D> DEVICE void nearest(const mdldm__cuda_vq_args &p)
{
    __shared__ float tile[TILE];
    const int32_t i = (int32_t)(block_x() * VECTORS + thread_x());
    const int32_t first = (int32_t)block_y() * p.part, end = first + p.part < p.rows ? first + p.part : p.rows;
    const int32_t step = p.d <= TILE ? TILE / p.d : 1; /* codes of a tile */
    const float *z = p.z + (int64_t)(i < p.count ? i : 0) * p.d;
    float own[D > 0 ? D : 1], best = 0;
    int32_t code = -1;
    for (int c = 0; c < D; c++)
        own[c] = c < p.d ? z[c] : 0.0f;
    for (int32_t base = first; base < end; base += step) {
        const int32_t codes = base + step < end ? step : end - base;
        if (p.d <= TILE) {
            block_sync();
            for (int32_t k = (int32_t)thread_x(); k < codes * p.d; k += VECTORS)
                tile[k] = p.codebook[(int64_t)base * p.d + k];
            block_sync();
        }
        const float *e = p.d <= TILE ? tile : p.codebook + (int64_t)base * p.d;
        for (int32_t k = 0; k < codes; k++, e += p.d) {
            float distance = 0;
            if (D > 0) {
                for (int c = 0; c < D; c++)
                    if (c < p.d) {
                        const float d = own[c] - e[c];
                        distance = fma32(d, d, distance);
                    }
            } else {
                for (int32_t c = 0; c < p.d; c++) {
                    const float d = z[c] - e[c];
                    distance = fma32(d, d, distance);
                }
            }
            if (code < 0 || distance < best) {
                best = distance;
                code = base + k;
            }
        }
    }
    if (i < p.count) {
        p.best[(int64_t)block_y() * p.count + i] = best;
        p.best_code[(int64_t)block_y() * p.count + i] = code;
    }
}

MDLDM_KERNEL(VECTORS) mdldm_vq_nearest_4(MDLDM_PARAM mdldm__cuda_vq_args p) { nearest<4>(p); }
MDLDM_KERNEL(VECTORS) mdldm_vq_nearest_16(MDLDM_PARAM mdldm__cuda_vq_args p) { nearest<16>(p); }
MDLDM_KERNEL(VECTORS) mdldm_vq_nearest_any(MDLDM_PARAM mdldm__cuda_vq_args p) { nearest<0>(p); }

/* Best of the parts: lower parts hold lower codes. Writes codes, zq, and the block's share of the loss. */
MDLDM_KERNEL(VECTORS) mdldm_vq_join(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    __shared__ float room[33];
    const int32_t i = (int32_t)(block_x() * VECTORS + thread_x());
    float best = 0;
    if (i < p.count) {
        int32_t code = p.best_code[i];
        best = p.best[i];
        for (int32_t part = 1; part < p.parts; part++) {
            const float other = p.best[(int64_t)part * p.count + i];
            if (other < best) {
                best = other;
                code = p.best_code[(int64_t)part * p.count + i];
            }
        }
        p.codes[i] = code;
        for (int32_t c = 0; c < p.d; c++)
            p.zq[(int64_t)i * p.d + c] = p.codebook[(int64_t)code * p.d + c];
    }
    best = block_sum(best, room);
    if (thread_x() == 0)
        p.partial[block_x()] = best;
}

/* One block: loss = sum of the partial ones / (count*d). */
MDLDM_KERNEL(VECTORS) mdldm_vq_loss(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    __shared__ float room[33];
    float sum = 0;
    for (int32_t i = (int32_t)thread_x(); i < (p.count + VECTORS - 1) / VECTORS; i += VECTORS)
        sum += p.partial[i];
    sum = block_sum(sum, room);
    if (thread_x() == 0)
        *p.loss = div32(sum, (float)p.count * (float)p.d);
}

/* dz = dzq + commitment*(z - e) */
MDLDM_KERNEL(256) mdldm_vq_bwd_z(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int64_t total = (int64_t)p.count * p.d, stride = (int64_t)grid_x() * 256;
    for (int64_t i = (int64_t)block_x() * 256 + thread_x(); i < total; i += stride) {
        const int64_t at = (int64_t)p.codes[i / p.d] * p.d + i % p.d;
        p.dz[i] = fma32(p.commitment, p.z[i] - p.codebook[at], p.dzq != nullptr ? p.dzq[i] : 0.0f);
    }
}

/* dcodebook[k] -= codebook_weight * sum of z - e over the vectors whose code is k, in their order: a warp
 * per code looks through all codes, 32 at a time, and adds up the few that are its own. */
MDLDM_KERNEL(256) mdldm_vq_bwd_codebook(MDLDM_PARAM mdldm__cuda_vq_args p)
{
    const int32_t k = (int32_t)(block_x() * 8 + warp());
    if (k >= p.rows)
        return;
    for (int32_t c0 = 0; c0 < p.d; c0 += 32) {
        const int32_t c = c0 + (int32_t)lane();
        const float e = c < p.d ? p.codebook[(int64_t)k * p.d + c] : 0.0f;
        float sum = 0;
        uint32_t any = 0;
        for (int32_t base = 0; base < p.count; base += 32) {
            const int32_t i = base + (int32_t)lane();
            uint32_t mine = lanes_where(i < p.count && p.codes[i] == k);
            any |= mine;
            for (; mine != 0; mine &= mine - 1) {
                const int32_t v = base + lowest_bit(mine);
                if (c < p.d)
                    sum += p.z[(int64_t)v * p.d + c] - e;
            }
        }
        if (any != 0 && c < p.d)
            p.dcodebook[(int64_t)k * p.d + c] -= p.codebook_weight * sum;
    }
}
