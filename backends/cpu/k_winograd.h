/* SPDX-License-Identifier: MIT
 * Winograd convolutions (cpu_winograd.h). Tiles are worked on in chunks whose transformed input stays
 * in cache. For each panel of output channels and each slab of channels the weights are transformed
 * into the second-level cache and multiplied, place by place, with all tiles of the chunk; then the
 * panel's sums are transformed back, with bias and residual, into the result. Threads share panels and
 * tiles; every number is computed in the same order whoever does. Template: included once per
 * instruction set. */
#include "k_gemm.h"
#include "k_quantize.h"
#include "k_winograd_weights.h"

/* ---- Input ---- */

typedef struct wino_source {
    const mdldm__cpu_winograd *a;
    const mdldm__winograd_blocks *b;
    char *input;   /* transformed: [source][slab][place][tile][channel] */
    int64_t first; /* tile of the chunk */
} wino_source;

/* Bytes less the zero point, which padding is; lanes beyond m meet weights of 0. */
INLINE V wino_pixel(int32_t dtype, const void *image, int64_t at, int64_t m, V zero)
{
    if (dtype == MDLDM_U8)
        return v_from_bytes((const uint8_t *)image + at, m, 0) - zero;
    return v_get(image, dtype, at, m);
}

/* Channels [c, c+m) of the input tile at (y, x), transformed to out and on. */
INLINE void wino_input_vector(int f, int bf16, int32_t dtype, int inside, int64_t m,
                              const mdldm__cpu_winograd *a, const void *image, float zero, int64_t channels,
                              int64_t y, int64_t x, int64_t c, void *out, int64_t stride)
{
    V t[6][6], z = v_set(zero);
#pragma GCC unroll 6
    for (int i = 0; i < WINO_IN(f); i++)
#pragma GCC unroll 6
        for (int j = 0; j < WINO_IN(f); j++) {
            int there = inside || (y + i >= 0 && y + i < a->h && x + j >= 0 && x + j < a->w);
            t[i][j] = there ? wino_pixel(dtype, image, ((y + i) * a->w + x + j) * channels + c, m, z) : v_set(0.0f);
        }
    wino_data_tile(f, t);
#pragma GCC unroll 6
    for (int i = 0; i < WINO_PLACES(f); i++)
#pragma GCC unroll 6
        for (int j = 0; j < WINO_PLACES(f); j++)
            v_put(out, bf16 ? MDLDM_BF16 : MDLDM_F32, (i * WINO_PLACES(f) + j) * stride, VL, t[i][j]);
}

INLINE void wino_input_tile(int f, int bf16, int32_t dtype, int inside, const wino_source *s, int source,
                            const void *image, float zero, int64_t y, int64_t x, int64_t tile, char *to)
{
    int64_t channels = s->a->ic[source], depth = s->b->depth[source], stride = s->b->input_stride[source];
    int64_t size = bf16 ? 2 : 4;
    for (int64_t slab = 0; slab < s->b->slabs[source]; slab++) {
        int64_t begin = slab * depth, end = begin + depth < channels ? begin + depth : channels;
        char *out = to + slab * (int64_t)s->b->input_slab[source] + tile * depth * size;
        int64_t c = begin;
        for (; c + VL <= end; c += VL)
            wino_input_vector(f, bf16, dtype, inside, VL, s->a, image, zero, channels, y, x, c,
                              out + (c - begin) * size, stride);
        if (c < end)
            wino_input_vector(f, bf16, dtype, inside, end - c, s->a, image, zero, channels, y, x, c,
                              out + (c - begin) * size, stride);
    }
}

INLINE void wino_input(int f, int bf16, int32_t dtype, const wino_source *s, int64_t tile)
{
    const mdldm__cpu_winograd *a = s->a;
    int64_t at = s->first + tile, per_image = s->b->rows * s->b->columns, image = at / per_image;
    int64_t y = at % per_image / s->b->columns * WINO_STEP(f) - a->pad_t;
    int64_t x = at % s->b->columns * WINO_STEP(f) - a->pad_l;
    int inside = y >= 0 && x >= 0 && y + WINO_IN(f) <= a->h && x + WINO_IN(f) <= a->w;
    int64_t size = dtype == MDLDM_U8 ? 1 : dtype == MDLDM_BF16 ? 2 : 4;
    float zero = dtype == MDLDM_U8 ? (float)q8_quantizer_of(a->range, image).z : 0.0f;
    char *to = s->input;
    for (int source = 0; source < 2 && a->ic[source] > 0; source++) {
        int64_t start = image * a->h * a->w * a->ic[source];
        const char *from = (const char *)a->src[source] + start * size;
        if (inside)
            wino_input_tile(f, bf16, dtype, 1, s, source, from, zero, y, x, tile, to);
        else
            wino_input_tile(f, bf16, dtype, 0, s, source, from, zero, y, x, tile, to);
        to += s->b->slabs[source] * (int64_t)s->b->input_slab[source];
    }
}

/* ---- Result ---- */

/* One vector of channels of one tile of sums. */
INLINE void wino_output_vector(int f, int32_t dtype, const mdldm__cpu_winograd *a, const float *sums,
                               int64_t stride, int64_t image, int64_t y, int64_t x, int64_t c)
{
    V t[6][6], out[4][4];
    int64_t left = a->oc - c;
#pragma GCC unroll 6
    for (int i = 0; i < WINO_PLACES(f); i++)
#pragma GCC unroll 6
        for (int j = 0; j < WINO_PLACES(f); j++)
            t[i][j] = v_load(sums + (i * WINO_PLACES(f) + j) * stride);
    wino_sum_tile(f, t, out);
    V scale = v_set(1.0f), bias = a->bias != NULL ? v_get(a->bias, MDLDM_F32, c, left) : v_set(0.0f);
    if (a->w_scale != NULL)
        scale = v_get(a->w_scale, MDLDM_F32, c, left) * (1.0f / q8_quantizer_of(a->range, image).m);
    if (a->extra != NULL)
        bias += v_get(a->extra, a->extra_dtype, image * a->oc + c, left);
#pragma GCC unroll 4
    for (int i = 0; i < WINO_OUT(f); i++)
#pragma GCC unroll 4
        for (int j = 0; j < WINO_OUT(f); j++) {
            if (y + i >= a->ho || x + j >= a->wo)
                continue;
            int64_t at = ((image * a->ho + y + i) * a->wo + x + j) * a->oc + c;
            V value = out[i][j] * scale + bias;
            if (a->residual != NULL)
                value += v_get(a->residual, dtype, at, left);
            v_put(a->dst, dtype, at, left, value);
        }
}

INLINE void wino_output(int f, int32_t dtype, const wino_source *s, const float *sums, int64_t panel,
                        int64_t tile)
{
    int64_t at = s->first + tile, per_image = s->b->rows * s->b->columns, image = at / per_image;
    int64_t y = at % per_image / s->b->columns * WINO_OUT(f), x = at % s->b->columns * WINO_OUT(f);
    for (int vector = 0; vector < 2; vector++) {
        int64_t c = panel * s->b->panel + vector * VL;
        if (c < s->a->oc)
            wino_output_vector(f, dtype, s->a, sums + vector * VL, s->b->sum_stride, image, y, x, c);
    }
}

/* ---- Products ---- */

#define WINO_FETCH 64 /* lines of compact weights fetched during one register tile: one per step of k */

/* Compact weights of a panel from its input channel `first` on. */
INLINE const char *wino_packed_from(const wino_source *s, int64_t panel, int64_t first)
{
    const mdldm__cpu_winograd *a = s->a;
    int64_t at = mdldm__winograd_packed_at(panel, first, a->ic[0] + a->ic[1], s->b->panel);
    return (const char *)a->packed + at * (a->src_dtype == MDLDM_U8 ? 1 : 2);
}

INLINE void wino_weights(int f, int bf16, const wino_source *s, int64_t panel, int64_t first, int64_t depth,
                         float *out)
{
    const mdldm__cpu_winograd *a = s->a;
    int64_t o = panel * s->b->panel;
    wino_slab slab = {.row = a->row, .depth = depth, .columns = a->oc - o, .stride = s->b->weight_stride,
                      .out = out};
    if (a->packed != NULL) {
        slab.packed = wino_packed_from(s, panel, first);
        if (bf16 && a->src_dtype == MDLDM_U8)
            wino_packed_slab(f, 1, 1, &slab);
        else
            wino_packed_slab(f, bf16, 0, &slab);
    } else if (a->turned) {
        slab.weights = a->weights + first * a->row + o * 9;
        wino_turned_slab(f, bf16, &slab);
    } else {
        slab.weights = a->weights + o * a->row + first * 9;
        wino_forward_slab(f, bf16, &slab);
    }
}

/* The source of the slab of `depth` channels from `first` on of a panel, as rows for wino_weights' loads. */
INLINE mdldm__cpu_fetch wino_fetch(const wino_source *s, int64_t panel, int64_t first, int64_t depth)
{
    const mdldm__cpu_winograd *a = s->a;
    int64_t o = panel * s->b->panel, outputs = a->oc - o < s->b->panel ? a->oc - o : s->b->panel;
    mdldm__cpu_fetch f = {.stride = a->row * 4};
    if (panel >= s->b->panels)
        return f;
    if (a->packed != NULL) {
        f.from = wino_packed_from(s, panel, first);
        f.stride = WINO_FETCH * 64;
        f.lines = WINO_FETCH;
        f.rows = (wino_packed_from(s, panel, first + depth) - f.from + f.stride - 1) / f.stride;
    } else if (a->turned) {
        f.from = (const char *)(a->weights + first * a->row + o * 9);
        f.lines = (outputs * 36 + 63) / 64;
        f.rows = depth;
    } else {
        f.from = (const char *)(a->weights + o * a->row + first * 9);
        f.lines = (depth * 36 + 63) / 64;
        f.rows = outputs;
    }
    return f;
}

/* Channels of slab number i of both sources, and which is the first. */
INLINE int64_t wino_slab_channels(const wino_source *s, int64_t i, int64_t *first)
{
    const mdldm__winograd_blocks *b = s->b;
    int source = i >= b->slabs[0];
    int64_t at = (i - source * b->slabs[0]) * b->depth[source], left = s->a->ic[source] - at;
    *first = source * s->a->ic[0] + at;
    return left < b->depth[source] ? left : b->depth[source];
}

/* Tiles [begin, end) of the chunk for one panel of output channels. During the products of a slab the
 * weights of the next one come from memory; after the panel those of the panel `next`. */
INLINE void wino_panel(int f, int bf16, const wino_source *s, int64_t panel, int64_t next, int64_t begin,
                       int64_t end, float *weights, float *sums)
{
    const mdldm__winograd_blocks *b = s->b;
    const char *input = s->input;
    int64_t size = bf16 ? 2 : 4, slabs = b->slabs[0] + b->slabs[1], first, first_next;
    for (int64_t slab = 0; slab < slabs; slab++) {
        int source = slab >= b->slabs[0], last = slab + 1 == slabs;
        int64_t depth = wino_slab_channels(s, slab, &first);
        int64_t depth_next = wino_slab_channels(s, last ? 0 : slab + 1, &first_next);
        mdldm__cpu_fetch fetch = wino_fetch(s, last ? next : panel, first_next, depth_next);
        wino_weights(f, bf16, s, panel, first, depth, weights);
        for (int64_t place = 0; place < b->places; place++) {
            mdldm__cpu_gemm g = {
                .m = end - begin,
                .n = b->panel,
                .k = bf16 ? (depth + 1) / 2 : depth,
                .a_m = b->depth[source] * size / 4,
                .a_k = 1,
                .b_k = b->panel,
                .c_m = b->panel,
                .a = input + (place * b->input_stride[source] + begin * b->depth[source]) * size,
                .b = weights + place * b->weight_stride,
                .c = sums + place * b->sum_stride + begin * b->panel,
                .dtype = bf16 ? MDLDM_BF16 : MDLDM_F32,
                .add = slab > 0,
                .fetch = &fetch};
            k_gemm(&g);
        }
        input += b->input_slab[source];
    }
    for (int64_t tile = begin; tile < end; tile++) {
        if (s->a->dtype == MDLDM_BF16)
            wino_output(f, MDLDM_BF16, s, sums + tile * b->panel, panel, tile);
        else
            wino_output(f, MDLDM_F32, s, sums + tile * b->panel, panel, tile);
    }
}

/* The whole of one thread: its share of the chunk's input, then of panels times tiles. */
INLINE void wino_thread(int f, int bf16, const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_source s = {a, b, a->scratch, 0};
    int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
    char *own = (char *)a->scratch + b->input_bytes + (size_t)thread * (b->weight_bytes + b->sum_bytes);
    float *weights = (float *)own, *sums = (float *)(own + b->weight_bytes);
    for (; s.first < b->tiles; s.first += b->chunk) {
        int64_t tiles = b->tiles - s.first < b->chunk ? b->tiles - s.first : b->chunk;
#pragma omp for schedule(static)
        for (int64_t tile = 0; tile < tiles; tile++) {
            if (bf16 && a->src_dtype == MDLDM_U8)
                wino_input(f, 1, MDLDM_U8, &s, tile);
            else if (a->dtype == MDLDM_BF16)
                wino_input(f, bf16, MDLDM_BF16, &s, tile);
            else
                wino_input(f, bf16, MDLDM_F32, &s, tile);
        }
        int64_t all = b->panels * tiles, from = all * thread / team, to = all * (thread + 1) / team;
        while (from < to) {
            int64_t panel = from / tiles, begin = from % tiles;
            int64_t end = to - panel * tiles < tiles ? to - panel * tiles : tiles;
            from = panel * tiles + end;
            wino_panel(f, bf16, &s, panel, from < to ? panel + 1 : b->panels, begin, end, weights, sums);
        }
#pragma omp barrier
    }
}

static void wino_f4(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(4, 0, a, b);
}

static void wino_f4_bf16(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(4, 1, a, b);
}

static void wino_f2(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(2, 0, a, b);
}

static void wino_f2_bf16(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(2, 1, a, b);
}

static void wino_up(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(MDLDM__WINOGRAD_UP, 0, a, b);
}

static void wino_up_bf16(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(MDLDM__WINOGRAD_UP, 1, a, b);
}

static void wino_down(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(MDLDM__WINOGRAD_DOWN, 0, a, b);
}

static void wino_down_bf16(const mdldm__cpu_winograd *a, const mdldm__winograd_blocks *b)
{
    wino_thread(MDLDM__WINOGRAD_DOWN, 1, a, b);
}

static void k_winograd(const mdldm__cpu_winograd *a)
{
    int bf16 = a->operands == MDLDM_BF16;
    mdldm__winograd_blocks b =
        mdldm__winograd_cut(a->tile, bf16, a->n, a->ho, a->wo, a->ic, a->oc, VL, a->threads);
    void (*thread)(const mdldm__cpu_winograd *, const mdldm__winograd_blocks *) =
        a->tile == 4                      ? (bf16 ? wino_f4_bf16 : wino_f4)
        : a->tile == 2                    ? (bf16 ? wino_f2_bf16 : wino_f2)
        : a->tile == MDLDM__WINOGRAD_UP ? (bf16 ? wino_up_bf16 : wino_up)
                                          : (bf16 ? wino_down_bf16 : wino_down);
#pragma omp parallel num_threads(a->threads)
    thread(a, &b);
}
