/* SPDX-License-Identifier: MIT
 * Around the convolutions: weights into the form that conv.cuh reads, sums over splits, gradients of biases. */
#include "conv.cuh"

template <typename T> DEVICE void pack(const mdldm__cuda_args_conv_pack &a)
{
    const int per_chunk = 16 / (int)sizeof(T);
    const int32_t width = a.chunks * per_chunk;
    const int64_t count = (int64_t)a.rows * a.taps * width, stride = (int64_t)grid_x() * block_threads();
    for (int64_t i = (int64_t)block_x() * block_threads() + thread_x(); i < count; i += stride) {
        const int64_t line = i / width;
        const int32_t k = (int32_t)(i - line * width);
        int32_t row = (int32_t)(line / a.taps);
        const int32_t tap = (int32_t)(line - (int64_t)row * a.taps), inner = row & 31;
        row += 8 * (inner / 2 % 4) + 2 * (inner / 8) + inner % 2 - inner;
        const int32_t second = k - a.chunks0 * per_chunk;
        const int32_t channel = second < 0 ? (k < a.c0 ? k : -1) : (second < a.c1 ? a.c0 + second : -1);
        const float v = row < a.real_rows && channel >= 0
                            ? a.values[row * a.row_stride + channel * a.channel_stride + tap] : 0.0f;
        put((T *)a.w + i, v);
    }
}
MDLDM_KERNEL(256) mdldm_conv_pack_f32(MDLDM_PARAM mdldm__cuda_args_conv_pack args) { pack<float>(args); }
MDLDM_KERNEL(256) mdldm_conv_pack_bf16(MDLDM_PARAM mdldm__cuda_args_conv_pack args) { pack<bf16>(args); }
MDLDM_KERNEL(256) mdldm_conv_pack_f16(MDLDM_PARAM mdldm__cuda_args_conv_pack args) { pack<f16>(args); }

template <typename T> DEVICE void join(const mdldm__cuda_args_conv_join &a)
{
    const int64_t count = a.rows * a.width, stride = (int64_t)grid_x() * block_threads();
    for (int64_t i = (int64_t)block_x() * block_threads() + thread_x(); i < count; i += stride) {
        const int64_t row = i / a.width;
        const int32_t channel = (int32_t)(i - row * a.width) + a.w_first;
        const int32_t c0 = channel - a.y0_first, c1 = channel - a.y1_first;
        const bool first = a.y0 != NULL && c0 >= 0 && c0 < a.y0_c, other = a.y1 != NULL && c1 >= 0 && c1 < a.y1_c;
        if (!first && !other)
            continue;
        float sum = a.bias != NULL ? a.bias[channel] : 0.0f;
        for (int32_t s = 0; s < a.splits; s++)
            sum += a.partial[s * count + i];
        put((T *)(first ? a.y0 : a.y1) + (first ? row * a.y0_c + c0 : row * a.y1_c + c1), sum);
    }
}
MDLDM_KERNEL(256) mdldm_conv_join_f32(MDLDM_PARAM mdldm__cuda_args_conv_join args) { join<float>(args); }
MDLDM_KERNEL(256) mdldm_conv_join_bf16(MDLDM_PARAM mdldm__cuda_args_conv_join args) { join<bf16>(args); }
MDLDM_KERNEL(256) mdldm_conv_join_f16(MDLDM_PARAM mdldm__cuda_args_conv_join args) { join<f16>(args); }

MDLDM_KERNEL(256) mdldm_conv_weights_join(MDLDM_PARAM mdldm__cuda_args_conv_weights_join a)
{
    const int64_t row = (int64_t)a.taps * a.width, count = a.outputs * row, stride = (int64_t)grid_x() * block_threads();
    for (int64_t i = (int64_t)block_x() * block_threads() + thread_x(); i < count; i += stride) {
        const int64_t o = i / row;
        const int32_t n = (int32_t)(i - o * row), tap = n / a.width, k = n - tap * a.width;
        const int32_t channel = k < a.width0 ? (k < a.c0 ? k : -1) : (k - a.width0 < a.c1 ? a.c0 + k - a.width0 : -1);
        if (channel < 0)
            continue;
        float sum = 0.0f;
        for (int32_t s = 0; s < a.splits; s++)
            sum += a.partial[s * count + i];
        a.dw[(o * (a.c0 + a.c1) + channel) * a.taps + tap] += sum;
    }
}

/* block: 32 channels by 8 rows of pixels; grid (channels / 32, parts) */
template <typename T> DEVICE void bias_sums(const mdldm__cuda_args_conv_bias &a)
{
    __shared__ float sums[8][32];
    const int32_t row = (int32_t)warp(), o = (int32_t)(block_x() * 32 + lane());
    const int64_t each = (a.pixels + a.parts - 1) / a.parts, begin = block_y() * each;
    const int64_t end = begin + each < a.pixels ? begin + each : a.pixels;
    float sum = 0.0f;
    if (o < a.outputs)
        for (int64_t p = begin + row; p < end; p += 8)
            sum += get((const T *)a.dy + p * a.outputs + o);
    sums[row][lane()] = sum;
    block_sync();
    if (row != 0 || o >= a.outputs)
        return;
    for (int r = 1; r < 8; r++)
        sum += sums[r][lane()];
    a.partial[(int64_t)block_y() * a.outputs + o] = sum;
}
MDLDM_KERNEL(256) mdldm_conv_bias_f32(MDLDM_PARAM mdldm__cuda_args_conv_bias args) { bias_sums<float>(args); }
MDLDM_KERNEL(256) mdldm_conv_bias_bf16(MDLDM_PARAM mdldm__cuda_args_conv_bias args) { bias_sums<bf16>(args); }
MDLDM_KERNEL(256) mdldm_conv_bias_f16(MDLDM_PARAM mdldm__cuda_args_conv_bias args) { bias_sums<f16>(args); }

MDLDM_KERNEL(256) mdldm_conv_bias_join(MDLDM_PARAM mdldm__cuda_args_conv_bias a)
{
    const int32_t o = (int32_t)(block_x() * block_threads() + thread_x());
    if (o >= a.outputs)
        return;
    float sum = 0.0f;
    for (int32_t part = 0; part < a.parts; part++)
        sum += a.partial[(int64_t)part * a.outputs + o];
    a.db[o] += sum;
}
