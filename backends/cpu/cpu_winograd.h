/* SPDX-License-Identifier: MIT
 * Winograd's minimal filtering for 3x3 convolutions of stride 1 (Lavin and Gray 2016, "Fast algorithms
 * for convolutional neural networks"): what the kernel gets, and how it cuts its work.
 *
 * Output tiles of F x F pixels come from input tiles of (F+2) x (F+2) by
 *     Y = A' [ (G g G') . (B' d B) ] A          (their equation 8)
 * summed over the input channels, so that for each of the (F+2)^2 places of a tile there is one matrix
 * product, tiles x channels times channels x output channels, in which a multiplication serves
 * 9 F^2 / (F+2)^2 of the direct method: 2.25 for F = 2, 4 for F = 4.
 *
 * Transformed weights would take 16/9 or 4 times the memory and, at batch 1, the time to read them: they
 * are made from the weights as they lie, slab by slab in cache, each time.
 *
 * A convolution of a map enlarged twofold (nearest neighbour) needs the small map x alone. Per dimension,
 * with the taps w and s = w0 + w1 + w2,
 *     y[2i]     = x[i] s + (x[i-1] - x[i]) w0
 *     y[2i + 1] = x[i] s + (x[i+1] - x[i]) w2
 * are three products for two results: nine for the four pixels that come from one, as many as F(4x4),
 * with the simplest of transforms and no rounding of constants. Its data gradient is the transpose. */
#ifndef MDLDM_CPU_WINOGRAD_H
#define MDLDM_CPU_WINOGRAD_H

#include <stddef.h>
#include <stdint.h>

/* Tiles by their output, per dimension. F(2,3) and F(4,3) are named by its size; UP: the two pixels made of
 * one of the small map; DOWN, its data gradient: one pixel of the small map. */
#define MDLDM__WINOGRAD_UP 1
#define MDLDM__WINOGRAD_DOWN (-1)

#define MDLDM__WINOGRAD_DEPTH 128       /* most channels of a slab */
#define MDLDM__WINOGRAD_ROOM (4 << 20)  /* bytes of transformed input that should stay in cache */
#define MDLDM__WINOGRAD_FEWEST 64       /* tiles that a slab of weights serves at least, if there are */
#define MDLDM__WINOGRAD_ALIGN 64        /* bytes: a cache line */
/* Fewest channels on either side for transformed tiles in bf16: a network's first and last layers, whose
 * error nothing dilutes, are cheap without. */
#define MDLDM__WINOGRAD_BF16_FROM 32

typedef struct mdldm__cpu_winograd {
    int32_t tile;         /* 2, 4 or MDLDM__WINOGRAD_UP, _DOWN */
    int32_t dtype;        /* of residual and dst */
    int32_t src_dtype;    /* the same, or MDLDM_U8 (operands BF16 only): CONV_Q8 */
    int32_t operands;     /* of the products: MDLDM_F32 or MDLDM_BF16 */
    int32_t turned;       /* the data gradient: src is dy, sums run over the weights' output channels */
    int32_t extra_dtype;
    int32_t threads;
    int64_t n, h, w, ho, wo, pad_t, pad_l;
    int64_t ic[2], oc;    /* channels of the sources (turned: of dy, 0) and of dst */
    const void *src[2];   /* [n, h, w, ic] */
    void *dst;            /* [n, ho, wo, oc] */
    const float *bias;    /* [oc] or NULL */
    const void *extra;    /* [n, oc] added like the bias, or NULL */
    const void *residual; /* as dst, may be dst; or NULL */
    const float *weights; /* canonical [O][I][3][3] from the slice's first input channel on, or NULL: */
    int64_t row;          /* floats from one output channel to the next */
    const void *packed;   /* as mdldm__winograd_packed_at says: bf16, or with U8 int8 */
    const struct mdldm__cpu_range *range; /* U8: of the sources, */
    const float *w_scale;   /* [oc] and of the weights */
    void *scratch;          /* mdldm__winograd_blocks.bytes, aligned */
} mdldm__cpu_winograd;

typedef struct mdldm__winograd_blocks {
    int64_t places;        /* of a transformed tile: 9, 16 or 36 */
    int64_t rows, columns; /* tiles of an image */
    int64_t tiles, chunk;  /* in all, and at a time */
    int64_t slabs[2], depth[2]; /* for each source: slabs, and their channels, a multiple of the lanes */
    int64_t most_depth;
    int64_t panel, panels;      /* output channels of a slab, and slabs of all of them */
    int64_t input_stride[2];    /* elements from one place to the next: of transformed input, */
    int64_t weight_stride;      /* words: of a slab of weights, */
    int64_t sum_stride;         /* floats: of sums */
    size_t input_slab[2];       /* bytes of the input for one slab */
    size_t input_bytes, weight_bytes, sum_bytes; /* the latter two for each thread */
    size_t bytes;               /* all scratch */
} mdldm__winograd_blocks;

static inline int64_t mdldm__winograd_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

/* Of a kind of tile, per dimension: places of the transforms, */
static inline int mdldm__winograd_places(int32_t tile)
{
    return tile < 2 ? 3 : tile + 2;
}

/* pixels of an input tile, */
static inline int mdldm__winograd_in(int32_t tile)
{
    return tile == MDLDM__WINOGRAD_UP ? 3 : tile == MDLDM__WINOGRAD_DOWN ? 4 : tile + 2;
}

/* pixels from one input tile to the next, */
static inline int mdldm__winograd_step(int32_t tile)
{
    return tile == MDLDM__WINOGRAD_DOWN ? 2 : tile;
}

/* and of an output tile. */
static inline int mdldm__winograd_out(int32_t tile)
{
    return tile == MDLDM__WINOGRAD_UP ? 2 : tile == MDLDM__WINOGRAD_DOWN ? 1 : tile;
}

/* lanes: floats in a vector; a panel is two vectors. Strides between places are odd numbers of cache
 * lines: as many streams a power of two apart would fall in the same sets. */
static inline mdldm__winograd_blocks mdldm__winograd_cut(int32_t tile, int32_t bf16, int64_t n, int64_t ho,
                                                         int64_t wo, const int64_t ic[2], int64_t oc,
                                                         int64_t lanes, int64_t threads)
{
    int64_t out = mdldm__winograd_out(tile), places = mdldm__winograd_places(tile);
    mdldm__winograd_blocks b = {.places = places * places, .rows = (ho + out - 1) / out,
                                .columns = (wo + out - 1) / out, .panel = 2 * lanes};
    int64_t size = bf16 ? 2 : 4, line = MDLDM__WINOGRAD_ALIGN / size, channels = 0;
    b.tiles = n * b.rows * b.columns;
    b.panels = (oc + b.panel - 1) / b.panel;
    for (int s = 0; s < 2 && ic[s] > 0; s++) {
        b.slabs[s] = (ic[s] + MDLDM__WINOGRAD_DEPTH - 1) / MDLDM__WINOGRAD_DEPTH;
        b.depth[s] = mdldm__winograd_up((ic[s] + b.slabs[s] - 1) / b.slabs[s], lanes);
        b.slabs[s] = (ic[s] + b.depth[s] - 1) / b.depth[s];
        b.most_depth = b.depth[s] > b.most_depth ? b.depth[s] : b.most_depth;
        channels += b.slabs[s] * b.depth[s];
    }
    int64_t room = MDLDM__WINOGRAD_ROOM / (b.places * channels * size);
    room = room < MDLDM__WINOGRAD_FEWEST ? MDLDM__WINOGRAD_FEWEST : room;
    int64_t chunks = (b.tiles + room - 1) / room;
    b.chunk = (b.tiles + chunks - 1) / chunks;
    for (int s = 0; s < 2; s++) {
        b.input_stride[s] = mdldm__winograd_up(b.chunk * b.depth[s], 2 * line) + line;
        b.input_slab[s] = (size_t)(b.places * b.input_stride[s] * size);
        b.input_bytes += (size_t)b.slabs[s] * b.input_slab[s];
    }
    b.weight_stride = mdldm__winograd_up(b.most_depth * (bf16 ? 1 : 2) / 2 * b.panel, 32) + 16;
    b.sum_stride = mdldm__winograd_up(b.chunk * b.panel, 32) + 16;
    b.weight_bytes = (size_t)(b.places * b.weight_stride) * 4;
    b.sum_bytes = (size_t)(b.places * b.sum_stride) * 4;
    b.bytes = b.input_bytes + (size_t)threads * (b.weight_bytes + b.sum_bytes);
    return b;
}

/* Compact weights for inference in bf16, or int8: [panels][ic][9][panel], the last panel padded with zeros.
 * Elements before input channel i of panel p. */
static inline int64_t mdldm__winograd_packed_at(int64_t p, int64_t i, int64_t ic, int64_t panel)
{
    return (p * ic + i) * 9 * panel;
}

/* How many they are. */
static inline size_t mdldm__winograd_packed_count(int64_t ic, int64_t oc, int64_t lanes)
{
    return (size_t)(mdldm__winograd_up(oc, 2 * lanes) * ic) * 9;
}

#endif
