/* SPDX-License-Identifier: MIT
 * Group normalisation (Wu and He 2018) over the joined channels of two sources, with SiLU and with scale
 * and shift per image. Blocks of 64 channels by 4 rows, so that neighbouring threads read neighbouring
 * channels; each block has a chunk of an image's pixels, a second launch joins the chunks in their order. */
#include "device.cuh"

#include "../cuda_args_ops.h"

#define COLUMNS 64
#define ROWS 4

DEVICE uint32_t column(void) { return thread_x() % COLUMNS; }
DEVICE uint32_t row(void) { return thread_x() / COLUMNS; }

/* Channel c of the joined input at a pixel counted over all images. */
template <class T> DEVICE float joined(const mdldm__cuda_norm_args &p, int64_t pixel, int32_t c)
{
    return c < p.c0 ? get((const T *)p.x0 + pixel * p.c0 + c) : get((const T *)p.x1 + pixel * p.c1 + (c - p.c0));
}

/* Where this block works: channel c of image n, pixels first to end. */
struct place {
    int32_t channels, c, n, first, end;
};

DEVICE place place_of(const mdldm__cuda_norm_args &p)
{
    place at;
    at.channels = p.c0 + p.c1;
    at.c = (int32_t)(block_x() * COLUMNS + column());
    at.n = (int32_t)block_z();
    at.first = (int32_t)block_y() * p.chunk;
    at.end = at.first + p.chunk < p.pixels ? at.first + p.chunk : p.pixels;
    return at;
}

/* Adds the two sums of the block's four rows and writes them to partial[n, chunk, c]. */
DEVICE void write_sums(const mdldm__cuda_norm_args &p, const place &at, float a, float b)
{
    __shared__ float room[2][ROWS][COLUMNS];
    room[0][row()][column()] = a;
    room[1][row()][column()] = b;
    block_sync();
    if (row() == 0 && at.c < at.channels) {
        float *to = p.partial + (((int64_t)at.n * p.chunks + block_y()) * at.channels + at.c) * 2;
        for (int i = 0; i < 2; i++)
            to[i] = (room[i][0][column()] + room[i][1][column()]) + (room[i][2][column()] + room[i][3][column()]);
    }
}

/* Sums of x - k and (x - k)^2, k the chunk's first value of the channel: close to its mean, so that the
 * difference of squares that follows loses little (Chan, Golub and LeVeque 1983, shifted data). */
template <class T> DEVICE void moments(const mdldm__cuda_norm_args &p)
{
    const place at = place_of(p);
    float sum = 0, squares = 0;
    if (at.c < at.channels) {
        const int64_t base = (int64_t)at.n * p.pixels;
        const float k = joined<T>(p, base + at.first, at.c);
        for (int32_t i = at.first + (int32_t)row(); i < at.end; i += ROWS) {
            const float d = joined<T>(p, base + i, at.c) - k;
            sum += d;
            squares = fma32(d, d, squares);
        }
    }
    write_sums(p, at, sum, squares);
}

/* Mean and M2 of a set of numbers, joined with another's (Chan et al.). */
DEVICE void join(float &count, float &mean, float &m2, float other_count, float other_mean, float other_m2)
{
    const float all = count + other_count;
    if (other_count == 0.0f)
        return;
    const float d = other_mean - mean, share = div32(other_count, all);
    mean = fma32(d, share, mean);
    m2 += fma32(d * d, count * share, other_m2);
    count = all;
}

/* A warp per (image, group): joins the chunks of its channels. */
template <class T> DEVICE void stats(const mdldm__cuda_norm_args &p)
{
    const int32_t channels = p.c0 + p.c1, size = channels / p.groups;
    const int32_t n = (int32_t)block_y(), group = (int32_t)(block_x() * (block_threads() / 32) + warp());
    if (group >= p.groups)
        return;
    float count = 0, mean = 0, m2 = 0;
    for (int32_t i = (int32_t)lane(); i < size * p.chunks; i += 32) {
        const int32_t chunk = i / size, c = group * size + i % size, first = chunk * p.chunk;
        const int32_t rows = first + p.chunk < p.pixels ? p.chunk : p.pixels - first;
        const float *from = p.partial + (((int64_t)n * p.chunks + chunk) * channels + c) * 2;
        const float of = (float)rows, shift = div32(from[0], of);
        const float k = joined<T>(p, (int64_t)n * p.pixels + first, c);
        join(count, mean, m2, of, k + shift, max32(fma32(-shift, from[0], from[1]), 0.0f));
    }
    for (int mask = 16; mask > 0; mask >>= 1) {
        const float c = shuffle_xor(count, mask), m = shuffle_xor(mean, mask), s = shuffle_xor(m2, mask);
        /* Both of a pair must come to the same bits: the lower lane's set is always the first. */
        if (lane() & (uint32_t)mask) {
            float c0 = c, m0 = m, s0 = s;
            join(c0, m0, s0, count, mean, m2);
            count = c0, mean = m0, m2 = s0;
        } else {
            join(count, mean, m2, c, m, s);
        }
    }
    if (lane() == 0) {
        float *to = p.stats + ((int64_t)n * p.groups + group) * 2;
        to[0] = mean;
        to[1] = div32(1.0f, sqrt32(div32(m2, count) + p.eps));
    }
}

/* What a channel needs: x -> affine = (x - mean)*rstd*gamma + beta, g = affine*factor + shift. */
struct channel {
    float mean, rstd, gamma, beta, factor, shift;
};

template <class T> DEVICE channel channel_of(const mdldm__cuda_norm_args &p, const place &at)
{
    const float *s = p.stats + ((int64_t)at.n * p.groups + at.c / (at.channels / p.groups)) * 2;
    const T *e = (const T *)p.scale_shift;
    channel ch = {s[0], s[1], p.gamma[at.c], p.beta[at.c], 1.0f, 0.0f};
    if (e != nullptr) {
        ch.factor = 1.0f + get(e + (int64_t)at.n * 2 * at.channels + at.c);
        ch.shift = get(e + (int64_t)at.n * 2 * at.channels + at.channels + at.c);
    }
    return ch;
}

template <class T> DEVICE void apply(const mdldm__cuda_norm_args &p)
{
    const place at = place_of(p);
    if (at.c >= at.channels)
        return;
    const channel ch = channel_of<T>(p, at);
    T *y = (T *)p.y;
    for (int32_t i = at.first + (int32_t)row(); i < at.end; i += ROWS) {
        const int64_t pixel = (int64_t)at.n * p.pixels + i;
        const float affine = fma32((joined<T>(p, pixel, at.c) - ch.mean) * ch.rstd, ch.gamma, ch.beta);
        const float g = fma32(affine, ch.factor, ch.shift);
        put(y + pixel * at.channels + at.c, p.silu ? g * sigmoid32(g) : g);
    }
}

/* d loss / d g of one element, and its xhat. */
template <class T> DEVICE float back(const mdldm__cuda_norm_args &p, const place &at, const channel &ch, int64_t pixel, float &xhat)
{
    xhat = (joined<T>(p, pixel, at.c) - ch.mean) * ch.rstd;
    const float dy = get((const T *)p.dy + pixel * at.channels + at.c);
    if (!p.silu)
        return dy;
    const float g = fma32(fma32(xhat, ch.gamma, ch.beta), ch.factor, ch.shift), s = sigmoid32(g);
    return dy * s * fma32(g, 1.0f - s, 1.0f);
}

/* partial = (sum dg, sum dg*xhat) of each channel of a chunk. */
template <class T> DEVICE void bwd_sums(const mdldm__cuda_norm_args &p)
{
    const place at = place_of(p);
    float sum = 0, product = 0;
    if (at.c < at.channels) {
        const channel ch = channel_of<T>(p, at);
        for (int32_t i = at.first + (int32_t)row(); i < at.end; i += ROWS) {
            float xhat;
            const float d = back<T>(p, at, ch, (int64_t)at.n * p.pixels + i, xhat);
            sum += d;
            product = fma32(d, xhat, product);
        }
    }
    write_sums(p, at, sum, product);
}

/* A warp per (image, group): channel_sums over the chunks, group_sums = means of dxhat and dxhat*xhat, and
 * the gradients of scale and shift: sum dg*affine and sum dg. */
template <class T> DEVICE void bwd_join(const mdldm__cuda_norm_args &p)
{
    const int32_t channels = p.c0 + p.c1, size = channels / p.groups;
    const int32_t group = (int32_t)(block_x() * (block_threads() / 32) + warp());
    if (group >= p.groups)
        return;
    place at = {channels, 0, (int32_t)block_y(), 0, 0};
    float sum = 0, product = 0;
    for (int32_t i = (int32_t)lane(); i < size; i += 32) {
        at.c = group * size + i;
        float a = 0, b = 0;
        for (int32_t chunk = 0; chunk < p.chunks; chunk++) {
            const float *from = p.partial + (((int64_t)at.n * p.chunks + chunk) * channels + at.c) * 2;
            a += from[0];
            b += from[1];
        }
        float *to = p.channel_sums + ((int64_t)at.n * channels + at.c) * 2;
        to[0] = a;
        to[1] = b;
        const channel ch = channel_of<T>(p, at);
        if (p.dscale_shift != nullptr) {
            T *e = (T *)p.dscale_shift + (int64_t)at.n * 2 * channels;
            put(e + at.c, fma32(ch.gamma, b, ch.beta * a));
            put(e + channels + at.c, a);
        }
        sum = fma32(ch.factor * ch.gamma, a, sum);
        product = fma32(ch.factor * ch.gamma, b, product);
    }
    sum = warp_sum(sum);
    product = warp_sum(product);
    if (lane() == 0) {
        const float count = (float)p.pixels * (float)size;
        float *to = p.group_sums + ((int64_t)at.n * p.groups + group) * 2;
        to[0] = div32(sum, count);
        to[1] = div32(product, count);
    }
}

/* dgamma += sum over images of factor * sum dg*xhat; dbeta += factor * sum dg. A thread per channel. */
template <class T> DEVICE void bwd_affine(const mdldm__cuda_norm_args &p)
{
    const int32_t channels = p.c0 + p.c1, c = (int32_t)(block_x() * block_threads() + thread_x());
    if (c >= channels)
        return;
    const T *e = (const T *)p.scale_shift;
    float dgamma = 0, dbeta = 0;
    for (int32_t n = 0; n < p.n; n++) {
        const float factor = e != nullptr ? 1.0f + get(e + (int64_t)n * 2 * channels + c) : 1.0f;
        const float *from = p.channel_sums + ((int64_t)n * channels + c) * 2;
        dbeta = fma32(factor, from[0], dbeta);
        dgamma = fma32(factor, from[1], dgamma);
    }
    if (p.dgamma != nullptr)
        p.dgamma[c] += dgamma;
    if (p.dbeta != nullptr)
        p.dbeta[c] += dbeta;
}

/* dx = rstd * (dxhat - mean(dxhat) - xhat*mean(dxhat*xhat)) */
template <class T> DEVICE void bwd_apply(const mdldm__cuda_norm_args &p)
{
    const place at = place_of(p);
    if (at.c >= at.channels)
        return;
    T *target = at.c < p.c0 ? (T *)p.dx0 : (T *)p.dx1;
    if (target == nullptr)
        return;
    const int32_t width = at.c < p.c0 ? p.c0 : p.c1, c = at.c < p.c0 ? at.c : at.c - p.c0;
    const channel ch = channel_of<T>(p, at);
    const float *means = p.group_sums + ((int64_t)at.n * p.groups + at.c / (at.channels / p.groups)) * 2;
    for (int32_t i = at.first + (int32_t)row(); i < at.end; i += ROWS) {
        const int64_t pixel = (int64_t)at.n * p.pixels + i;
        float xhat;
        const float dxhat = back<T>(p, at, ch, pixel, xhat) * (ch.factor * ch.gamma);
        put(target + pixel * width + c, ch.rstd * (dxhat - means[0] - xhat * means[1]));
    }
}

#define NORM_KERNELS(type, suffix)                                                                               \
    MDLDM_KERNEL(256) mdldm_norm_moments_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { moments<type>(p); }     \
    MDLDM_KERNEL(128) mdldm_norm_stats_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { stats<type>(p); }         \
    MDLDM_KERNEL(256) mdldm_norm_apply_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { apply<type>(p); }         \
    MDLDM_KERNEL_OF(256, 5) mdldm_norm_bwd_sums_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { bwd_sums<type>(p); }   \
    MDLDM_KERNEL(128) mdldm_norm_bwd_join_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { bwd_join<type>(p); }   \
    MDLDM_KERNEL(128) mdldm_norm_bwd_affine_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { bwd_affine<type>(p); } \
    MDLDM_KERNEL(256) mdldm_norm_bwd_apply_##suffix(MDLDM_PARAM mdldm__cuda_norm_args p) { bwd_apply<type>(p); }

NORM_KERNELS(float, f32)
NORM_KERNELS(bf16, bf16)
NORM_KERNELS(f16, f16)
