/* SPDX-License-Identifier: MIT
 * Eight-bit inference: quantising activations by their group's range, and the convolution of what came out
 * of that with eight-bit weights, summed in integers four at a time (dp4a). */
#include "device.cuh"
#include "vectors.cuh"

#include "../cuda_args_ops.h"

/* m and z of one image (mdldm_backend.h, QUANTIZE); range rows clamped to those there are. */
struct quantizer {
    float m;
    int32_t z;
};

DEVICE int32_t clamp_byte(float x) { return x > 0.0f ? x < 255.0f ? (int32_t)x : 255 : 0; } /* NaN gives 0 */

DEVICE quantizer quantizer_of(const float *range, const int32_t *group, int32_t groups, uint32_t image)
{
    int32_t g = group[image];
    g = g < 0 ? 0 : g >= groups ? groups - 1 : g;
    const float low = range[2 * g], m = div32(255.0f, range[2 * g + 1] - low);
    quantizer q = {m, clamp_byte(round_even(-low * m))};
    return q;
}

MDLDM_KERNEL(256) mdldm_quantize(MDLDM_PARAM mdldm__cuda_quantize_args p)
{
    for (uint32_t n = block_y(); n < (uint32_t)p.n; n += grid_y()) {
        const quantizer q = quantizer_of(p.range, p.group, p.groups, n);
        for (int64_t i = (int64_t)block_x() * 256 + thread_x(); i < p.each; i += (int64_t)grid_x() * 256) {
            const float x = get_any(p.x, p.type, (int64_t)n * p.each + i);
            p.y[(int64_t)n * p.each + i] = (uint8_t)clamp_byte(round_even(x * q.m) + (float)q.z);
        }
    }
}

/* packed[o, tap, quad] of four channels each, zeros behind the last; sums[o]. A warp per output channel. */
MDLDM_KERNEL(256) mdldm_q8_pack(MDLDM_PARAM mdldm__cuda_q8_args p)
{
    const int32_t o = (int32_t)(block_x() * 8 + warp());
    if (o >= p.outputs)
        return;
    const int32_t channels = p.c0 + p.c1, taps = p.kernel_h * p.kernel_w, row = p.steps * 4, padded = row / taps;
    int32_t sum = 0;
    for (int32_t i = (int32_t)lane(); i < row; i += 32) {
        const int32_t tap = i / padded, c = i % padded;
        const int8_t w = c < channels ? p.w[((int64_t)o * channels + c) * taps + tap] : (int8_t)0;
        p.packed[(int64_t)o * row + i] = w;
        sum += w;
    }
    for (int mask = 16; mask > 0; mask >>= 1)
        sum += (int32_t)shuffle_xor((uint32_t)sum, mask);
    if (lane() == 0)
        p.sums[o] = sum;
}

#define SIDE 64  /* pixels and output channels of a block */
#define DEPTH 16 /* words of four of a step */

DEVICE int32_t dot4(uint32_t a, uint32_t b, int32_t c)
{
    int32_t d;
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

DEVICE uint32_t channel_at(const mdldm__cuda_q8_args &p, int64_t pixel, int32_t c, uint32_t z)
{
    return c < p.c0 ? p.x0[pixel * p.c0 + c] : c < p.c0 + p.c1 ? p.x1[pixel * p.c1 + (c - p.c0)] : z;
}

/* Word `step` of an output pixel's input: four channels of one tap. Padding reads as z, channels behind
 * the last meet zeros. */
DEVICE uint32_t input_word(const mdldm__cuda_q8_args &p, int32_t n, int32_t oy, int32_t ox, int32_t step, uint32_t z)
{
    const int32_t quads = p.steps / (p.kernel_h * p.kernel_w), tap = step / quads, c = step % quads * 4;
    const int32_t y = oy * p.stride_h - p.pad_t + tap / p.kernel_w, x = ox * p.stride_w - p.pad_l + tap % p.kernel_w;
    if (y < 0 || y >= p.h || x < 0 || x >= p.w_in)
        return z * 0x01010101u;
    const int64_t pixel = ((int64_t)n * p.h + y) * p.w_in + x;
    if (((p.c0 | p.c1) & 3) == 0)
        return c < p.c0 ? *(const uint32_t *)(p.x0 + pixel * p.c0 + c) : *(const uint32_t *)(p.x1 + pixel * p.c1 + (c - p.c0));
    return channel_at(p, pixel, c, z) | channel_at(p, pixel, c + 1, z) << 8 | channel_at(p, pixel, c + 2, z) << 16 |
           channel_at(p, pixel, c + 3, z) << 24;
}

/* A block: 64 pixels of one image by 64 outputs; a thread: 4 by 4 of them. With a = sum x*w over all taps,
 * padding included as z: sum (x-z)*w = a - z*sums. */
MDLDM_KERNEL_OF(256, 4) mdldm_q8_conv(MDLDM_PARAM mdldm__cuda_q8_args p)
{
    __shared__ uint32_t inputs[DEPTH][SIDE + 4], weights[DEPTH][SIDE + 4];
    const int32_t n = (int32_t)block_z(), pixels = p.ho * p.wo, m0 = (int32_t)block_x() * SIDE, o0 = (int32_t)block_y() * SIDE;
    const quantizer q = quantizer_of(p.range, p.group, p.groups, (uint32_t)n);
    const int32_t column = (int32_t)(thread_x() % 16), row = (int32_t)(thread_x() / 16);
    const uint32_t *packed = (const uint32_t *)p.packed;
    int32_t acc[4][4] = {};
    for (int32_t base = 0; base < p.steps; base += DEPTH) {
        for (int32_t i = (int32_t)thread_x(); i < DEPTH * SIDE; i += 256) {
            const int32_t step = i % DEPTH, side = i / DEPTH, m = m0 + side, o = o0 + side;
            const int inside = base + step < p.steps;
            inputs[step][side] = inside && m < pixels ? input_word(p, n, m / p.wo, m % p.wo, base + step, (uint32_t)q.z) : 0u;
            weights[step][side] = inside && o < p.outputs ? packed[(int64_t)o * p.steps + base + step] : 0u;
        }
        block_sync();
        for (int32_t step = 0; step < DEPTH; step++) {
            uint32_t a[4], b[4];
            UNROLL for (int i = 0; i < 4; i++) {
                a[i] = inputs[step][row * 4 + i];
                b[i] = weights[step][column * 4 + i];
            }
            UNROLL for (int i = 0; i < 4; i++)
                UNROLL for (int j = 0; j < 4; j++)
                    acc[i][j] = dot4(a[i], b[j], acc[i][j]);
        }
        block_sync();
    }
    const float unit = div32(1.0f, q.m);
    UNROLL for (int i = 0; i < 4; i++)
        UNROLL for (int j = 0; j < 4; j++) {
            const int32_t m = m0 + row * 4 + i, o = o0 + column * 4 + j;
            if (m >= pixels || o >= p.outputs)
                continue;
            const float y = (float)(acc[i][j] - q.z * p.sums[o]) * (unit * p.w_scale[o]);
            put_any(p.y, p.type, ((int64_t)n * pixels + m) * p.outputs + o, y + (p.bias != nullptr ? p.bias[o] : 0.0f));
        }
}
