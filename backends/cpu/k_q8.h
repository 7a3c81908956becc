/* SPDX-License-Identifier: MIT
 * Eight-bit inference: the convolution of unsigned activations with signed weights in 32-bit sums, straight from the NHWC map (no im2col): a tile of pixels by a block of output
 * channels stays in registers over all taps and channels. The sums are exact, so instruction sets and
 * thread counts agree; only the last multiplication is in float. Template: included once per set. */
#include "cpu_vec.h"

#include <omp.h>

#include "cpu_scratch.h"
#include "k_quantize.h"

/* A block of output channels is Q8_NV vectors wide, the last one half of that where it suffices; a tile
 * has so many pixels that its sums, weights and a broadcast fill the registers. Wide tiles are faster: they
 * read fewer pixels at once for the same work. */
#if defined(__AVX512F__)
#define Q8_NV 4
#define Q8_ROWS 12 /* most of a tile */
#define Q8_WIDE_ROWS 6
#else
#define Q8_NV 2
#define Q8_ROWS 4
#define Q8_WIDE_ROWS 4
#endif
#define Q8_BLOCK (Q8_NV * VL)
#define Q8_PART 192 /* pixels that a thread takes at a time, unless there are too few for all threads */

typedef int8_t VB __attribute__((vector_size(VL * 4)));

/* acc[lane] += the 4 products of x's bytes with bytes 4*lane..4*lane+3 of w. */
INLINE VI q8_dot(VI acc, uint32_t x, const int8_t *w)
{
#if defined(__AVX512VNNI__)
    return (VI)_mm512_dpbusd_epi32((__m512i)acc, _mm512_set1_epi32((int)x), _mm512_loadu_si512(w));
#elif defined(__AVX512BW__)
    /* Pairs are added in 16 bits, where 2*255*127 does not fit: x = 2*(x>>1) + (x&1), each part does. */
    __m512i v = _mm512_set1_epi32((int)x), ww = _mm512_loadu_si512(w), ones = _mm512_set1_epi8(1);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(v, 1), _mm512_set1_epi8(127));
    __m512i p = _mm512_madd_epi16(_mm512_maddubs_epi16(high, ww), _mm512_set1_epi16(2));
    __m512i q = _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_and_si512(v, ones), ww), _mm512_set1_epi16(1));
    return (VI)_mm512_add_epi32((__m512i)acc, _mm512_add_epi32(p, q));
#elif defined(__AVX2__)
    __m256i v = _mm256_set1_epi32((int)x), ww = _mm256_loadu_si256((const __m256i *)(const void *)w);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 1), _mm256_set1_epi8(127));
    __m256i low = _mm256_and_si256(v, _mm256_set1_epi8(1));
    __m256i p = _mm256_madd_epi16(_mm256_maddubs_epi16(high, ww), _mm256_set1_epi16(2));
    __m256i q = _mm256_madd_epi16(_mm256_maddubs_epi16(low, ww), _mm256_set1_epi16(1));
    return (VI)_mm256_add_epi32((__m256i)acc, _mm256_add_epi32(p, q));
#else
    for (int lane = 0; lane < VL; lane++) {
        int32_t sum = 0;
        for (int k = 0; k < 4; k++)
            sum += (int32_t)(x >> (8 * k) & 255u) * w[4 * lane + k];
        acc[lane] += sum;
    }
    return acc;
#endif
}

INLINE uint32_t q8_load(const uint8_t *p, int64_t bytes)
{
    uint32_t x = 0; /* little-endian, as everything here */
    memcpy(&x, p, (size_t)bytes);
    return x;
}

/* `count` (1..4) channels of all taps of some output channels: of one, all of them lie together, and of one tap
 * those of all are written together. */
static void q8_pack_quad(int8_t *to, int64_t tap_bytes, const int8_t *w, int64_t row, int64_t lanes, int64_t count,
                         int64_t taps)
{
    for (int64_t lane = 0; lane < lanes; lane++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t k = 0; k < count; k++)
                to[tap * tap_bytes + lane * 4 + k] = w[lane * row + k * taps + tap];
}

static void k_pack_q8(int8_t *packed, int32_t *sums, const int8_t *w, int64_t oc, int64_t c0, int64_t c1,
                      int64_t taps, int32_t threads)
{
    int64_t blocks = mdldm__cpu_ceil_div(oc, Q8_BLOCK), terms = mdldm__cpu_q8_terms(c0, c1, taps);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t block = 0; block < blocks; block++) {
        int64_t wide = mdldm__cpu_q8_lanes(oc - block * Q8_BLOCK, Q8_BLOCK);
        wide = wide < Q8_BLOCK ? wide : Q8_BLOCK;
        int8_t *to = packed + block * Q8_BLOCK * terms;
        const int8_t *from = w + block * Q8_BLOCK * (c0 + c1) * taps;
        int64_t lanes = oc - block * Q8_BLOCK < wide ? oc - block * Q8_BLOCK : wide;
        memset(to, 0, (size_t)(wide * terms));
        for (int64_t lane = 0; lane < lanes; lane++) {
            const int8_t *row = from + lane * (c0 + c1) * taps;
            int32_t sum = 0;
            for (int64_t i = 0; i < (c0 + c1) * taps; i++)
                sum += row[i];
            sums[block * Q8_BLOCK + lane] = sum;
        }
        for (int source = 0; source < 2; source++) {
            int64_t c = source == 0 ? c0 : c1, quads = mdldm__cpu_ceil_div(c, 4);
            for (int64_t i = 0; i < c; i += 4)
                q8_pack_quad(to + i * wide, quads * 4 * wide, from + (source * c0 + i) * taps, (c0 + c1) * taps,
                             lanes, c - i < 4 ? c - i : 4, taps);
            to += taps * quads * 4 * wide;
        }
    }
}

/* What all tiles of a call share. */
typedef struct q8_source {
    const uint8_t *x;
    int64_t c;
} q8_source;

#define Q8_WIDTH 8 /* kernel columns whose places are kept for a tile */
#define Q8_OUTSIDE INT64_MIN

/* Where the tile's pixels lie for one row or column of the kernel, in pixels; from[r]: its place there. */
INLINE void q8_places(int64_t *to, const int64_t *from, int64_t tap, int64_t limit, int32_t half, int64_t step,
                      int rows)
{
    for (int r = 0; r < rows; r++) {
        int64_t at = from[r] + tap;
        to[r] = at < 0 || at >= limit ? Q8_OUTSIDE : (at >> half) * step;
    }
}

/* Sums of `rows` pixels of an image; iy, ix: where the kernel's origin lies for each. */
INLINE void q8_tile(const mdldm__cpu_q8 *a, const q8_source source[2], int64_t image, const int64_t *iy,
                    const int64_t *ix, const int8_t *w, VI acc[Q8_ROWS][Q8_NV], int rows, int nv)
{
    const uint8_t *padding = a->scratch + image * mdldm__cpu_q8_scratch(1, a->c0, a->c1);
    int64_t width = a->w >> a->half, pixels = (a->h >> a->half) * width;
    int64_t columns[Q8_WIDTH][Q8_ROWS], row[Q8_ROWS], far_column[Q8_ROWS];
    VI sum[Q8_ROWS][Q8_NV];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < nv; v++)
            sum[r][v] = (VI){0};
    for (int64_t kx = 0; kx < a->kw && kx < Q8_WIDTH; kx++)
        q8_places(columns[kx], ix, kx, a->w, a->half, 1, rows);
    for (int s = 0; s < 2; s++) {
        int64_t c = source[s].c, whole = c / 4 * 4;
        const uint8_t *x = source[s].x + image * pixels * c;
        for (int64_t ky = 0; ky < a->kh && c > 0; ky++) {
            q8_places(row, iy, ky, a->h, a->half, width, rows);
            for (int64_t kx = 0; kx < a->kw; kx++) {
                const int64_t *column = kx < Q8_WIDTH ? columns[kx] : far_column;
                if (kx >= Q8_WIDTH)
                    q8_places(far_column, ix, kx, a->w, a->half, 1, rows);
                const uint8_t *p[Q8_ROWS]; /* behind the pixel's whole quads */
                for (int r = 0; r < rows; r++)
                    p[r] = ((row[r] | column[r]) < 0 ? padding : x + (row[r] + column[r]) * c) + whole;
                for (int64_t i = -whole; i != 0; i += 4, w += 4 * nv * VL)
                    for (int r = 0; r < rows; r++) {
                        uint32_t quad = q8_load(p[r] + i, 4);
                        for (int v = 0; v < nv; v++)
                            sum[r][v] = q8_dot(sum[r][v], quad, w + 4 * v * VL);
                    }
                if (whole == c)
                    continue;
                for (int r = 0; r < rows; r++) {
                    uint32_t quad = q8_load(p[r], c - whole);
                    for (int v = 0; v < nv; v++)
                        sum[r][v] = q8_dot(sum[r][v], quad, w + 4 * v * VL);
                }
                w += 4 * nv * VL;
            }
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < nv; v++)
            acc[r][v] = sum[r][v];
}

/* Rows and width of a tile are known when it is compiled, or its sums would not be registers. */
typedef void (*q8_tile_fn)(const mdldm__cpu_q8 *, const q8_source *, int64_t, const int64_t *, const int64_t *,
                           const int8_t *, VI (*)[Q8_NV]);
#define Q8_TILE(name, rows, nv)                                                                             \
    static void q8_##name##_##rows(const mdldm__cpu_q8 *a, const q8_source *source, int64_t image,           \
                                   const int64_t *iy, const int64_t *ix, const int8_t *w, VI(*acc)[Q8_NV])   \
    {                                                                                                        \
        q8_tile(a, source, image, iy, ix, w, acc, rows, nv);                                                 \
    }
#define Q8_TILES_4(name, nv) Q8_TILE(name, 1, nv) Q8_TILE(name, 2, nv) Q8_TILE(name, 3, nv) Q8_TILE(name, 4, nv)
Q8_TILES_4(wide, Q8_NV)
Q8_TILES_4(narrow, Q8_NV / 2)
#if Q8_ROWS == 12
Q8_TILE(wide, 5, Q8_NV)
Q8_TILE(wide, 6, Q8_NV)
Q8_TILE(narrow, 5, Q8_NV / 2)
Q8_TILE(narrow, 6, Q8_NV / 2)
Q8_TILE(narrow, 7, Q8_NV / 2)
Q8_TILE(narrow, 8, Q8_NV / 2)
Q8_TILE(narrow, 9, Q8_NV / 2)
Q8_TILE(narrow, 10, Q8_NV / 2)
Q8_TILE(narrow, 11, Q8_NV / 2)
Q8_TILE(narrow, 12, Q8_NV / 2)
#endif
static const q8_tile_fn q8_tiles[2][Q8_ROWS + 1] = {
    {NULL,        q8_narrow_1, q8_narrow_2, q8_narrow_3, q8_narrow_4,
#if Q8_ROWS == 12
     q8_narrow_5, q8_narrow_6, q8_narrow_7, q8_narrow_8, q8_narrow_9, q8_narrow_10, q8_narrow_11, q8_narrow_12,
#endif
    },
    {NULL, q8_wide_1, q8_wide_2, q8_wide_3, q8_wide_4,
#if Q8_ROWS == 12
     q8_wide_5, q8_wide_6,
#endif
    }};

/* y <- sums, for `rows` pixels from `first` on of the image, channels from o on. */
INLINE void q8_store(const mdldm__cpu_q8 *a, int64_t image, int64_t first, int64_t o, VI (*acc)[Q8_NV], int rows)
{
    q8_quantizer q = q8_quantizer_of(&a->range, image);
    float step = 1.0f / q.m;
    for (int v = 0; v < Q8_NV && o + v * VL < a->oc; v++) {
        int64_t j = o + v * VL, m = a->oc - j;
        V scale = v_get(a->w_scale, MDLDM_F32, j, m) * step;
        V bias = a->b != NULL ? v_get(a->b, MDLDM_F32, j, m) : v_set(0.0f);
        if (a->e != NULL)
            bias += v_get(a->e, a->dtype, image * a->oc + j, m);
        VI zero = {0}; /* z times the sum of the weights */
        memcpy(&zero, a->sums + j, (size_t)(m < VL ? m : VL) * sizeof *a->sums);
        zero *= q.z;
        for (int r = 0; r < rows; r++) {
            int64_t at = ((image * a->ho * a->wo) + first + r) * a->oc + j;
            V y = __builtin_convertvector(acc[r][v] - zero, V) * scale + bias;
            if (a->residual != NULL)
                y += v_get(a->residual, a->dtype, at, m);
            v_put(a->y, a->dtype, at, m, y);
        }
    }
}

static void q8_pixels(const mdldm__cpu_q8 *a, const q8_source source[2], int64_t image, int64_t begin,
                      int64_t end, int64_t o, const int8_t *w)
{
    VI acc[Q8_ROWS][Q8_NV];
    int64_t iy[Q8_ROWS], ix[Q8_ROWS];
    int wide = a->oc - o > Q8_BLOCK / 2;
    int64_t tiles = mdldm__cpu_ceil_div(end - begin, wide ? Q8_WIDE_ROWS : Q8_ROWS);
    for (int64_t tile = 0; tile < tiles; tile++) { /* all of about the same height */
        int64_t first = begin + (end - begin) * tile / tiles;
        int rows = (int)(begin + (end - begin) * (tile + 1) / tiles - first);
        for (int r = 0; r < rows; r++) {
            iy[r] = (first + r) / a->wo * a->stride_h - a->pad_t;
            ix[r] = (first + r) % a->wo * a->stride_w - a->pad_l;
        }
        q8_tiles[wide][rows](a, source, image, iy, ix, w, acc);
        q8_store(a, image, first, o, acc, rows);
    }
}

static void k_conv_q8(const mdldm__cpu_q8 *a)
{
    const q8_source source[2] = {{a->x0, a->c0}, {a->x1, a->x1 != NULL ? a->c1 : 0}};
    int64_t pixels = a->ho * a->wo, part = Q8_PART;
    int64_t blocks = mdldm__cpu_ceil_div(a->oc, Q8_BLOCK), each = mdldm__cpu_q8_scratch(1, a->c0, a->c1);
    int64_t terms = mdldm__cpu_q8_terms(a->c0, source[1].c, a->kh * a->kw);
    while (part > 24 && blocks * a->n * mdldm__cpu_ceil_div(pixels, part) < 4 * a->threads)
        part /= 2;
    int64_t parts = mdldm__cpu_ceil_div(pixels, part);
    for (int64_t image = 0; image < a->n; image++)
        memset(a->scratch + image * each, q8_quantizer_of(&a->range, image).z, (size_t)each);
    /* Blocks differ in width and each output is made by one thread alone: who takes which part does not
     * matter to the result. Threads next to each other work on the same weights. */
#pragma omp parallel for schedule(dynamic) num_threads(a->threads)
    for (int64_t unit = 0; unit < blocks * a->n * parts; unit++) {
        int64_t block = unit / (a->n * parts), image = unit / parts % a->n, at = unit % parts;
        q8_pixels(a, source, image, at * pixels / parts, (at + 1) * pixels / parts, block * Q8_BLOCK,
                  a->packed + block * Q8_BLOCK * terms);
    }
}
