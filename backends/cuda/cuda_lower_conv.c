/* SPDX-License-Identifier: MIT
 * Launches of convolutions and linear layers (kernels/conv.cuh). What decides the order of a sum - into how
 * many parts K is divided - hangs on shapes alone, in the forward pass on those of one image: an image must
 * not depend on its batch, nor anything on the device. Tiles may hang on more, they do not change a sum. */
#include <stddef.h>

#include "cuda_args_conv.h"
#include "cuda_lower.h"
#include "cuda_sizes.h"

/* Forms of packed weights (mdldm__cuda_weights), plus the type; the first source's channels stand above. */
#define FORM_CONV 16     /* rows are outputs */
#define FORM_CONV_BWD 24 /* rows are inputs */
#define FORM_SHIFT 8

/* K is divided until there are so many blocks, as long as each has so many steps of 64 bytes. */
#define ENOUGH_BLOCKS 96
#define ENOUGH_BLOCKS_WEIGHTS 264
#define LEAST_STEPS 12
#define MOST_SPLITS 16
#define MOST_SPLITS_WEIGHTS 64

typedef struct conv_type {
    int32_t index;     /* f32, bf16, f16: of kernels that move data */
    int32_t kind;      /* f32, bf16, f16, tf32: of products */
    int32_t per_chunk; /* elements in 16 bytes */
} conv_type;

enum { LARGE, SMALL, NARROW, SMALL_ODD, NARROW_ODD, TILES };

#define BY_TYPE(stem) {stem "_f32", stem "_bf16", stem "_f16"}
static const char *const pack_kernels[3] = BY_TYPE("mdldm_conv_pack");
static const char *const join_kernels[3] = BY_TYPE("mdldm_conv_join");
static const char *const bias_kernels[3] = BY_TYPE("mdldm_conv_bias");
#define BY_TILE(stem, thin) {stem "_large", stem "_small", stem thin, stem "_small_odd", stem thin "_odd"}
static const char *const conv_kernels[4][TILES] = {BY_TILE("mdldm_conv_f32", "_narrow"), BY_TILE("mdldm_conv_bf16", "_narrow"),
                                                   BY_TILE("mdldm_conv_f16", "_narrow"), BY_TILE("mdldm_conv_tf32", "_narrow")};
static const char *const weights_kernels[4][TILES] = {
    BY_TILE("mdldm_conv_weights_f32", "_flat"), BY_TILE("mdldm_conv_weights_bf16", "_flat"),
    BY_TILE("mdldm_conv_weights_f16", "_flat"), BY_TILE("mdldm_conv_weights_tf32", "_flat")};

static conv_type type_of(const mdldm__cuda_builder *b, int32_t tensor)
{
    switch (mdldm__cuda_dtype(b, tensor)) {
    case MDLDM_BF16: return (conv_type){1, 1, 8};
    case MDLDM_F16: return (conv_type){2, 2, 8};
    default: return (conv_type){0, b->allow_tf32 ? 3 : 0, 4};
    }
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int32_t limit(int64_t x, int64_t low, int64_t high)
{
    return (int32_t)(x < low ? low : x > high ? high : x);
}

static int64_t channels_of(const mdldm__cuda_builder *b, int32_t tensor)
{
    return tensor >= 0 ? mdldm__cuda_dims(b, tensor)[3] : 0;
}

/* All that the kernels count in 31 bits. */
static int fits(mdldm__cuda_builder *b, const int64_t *x, int64_t channels, const int64_t *y, int64_t taps)
{
    return mdldm__cuda_fits(b, "pixels in", x[0] * x[1] * x[2], INT32_MAX / 4) &&
           mdldm__cuda_fits(b, "pixels out", y[0] * y[1] * y[2], INT32_MAX / 4) &&
           mdldm__cuda_fits(b, "input channels", channels, 1 << 20) && mdldm__cuda_fits(b, "output channels", y[3], 1 << 20) &&
           mdldm__cuda_fits(b, "taps", taps, 1 << 10);
}

/* ---- Forward, and the gradient of the data ---- */

/* w in the kernels' form; sets what of conv describes it. backward: its rows are the inputs. */
static mdldm__cuda_ref packed(mdldm__cuda_builder *b, int32_t w, const conv_type *t, int backward, int64_t c0, int64_t c1,
                              struct mdldm__cuda_args_conv *conv)
{
    const int64_t *d = mdldm__cuda_dims(b, w); /* [O, I, kh, kw] */
    const int64_t taps = d[2] * d[3], rows = backward ? d[1] : d[0];
    conv->c0 = (int32_t)c0;
    conv->c1 = (int32_t)c1;
    conv->chunks0 = (int32_t)ceil_div(c0, t->per_chunk);
    conv->chunks = conv->chunks0 + (int32_t)ceil_div(c1, t->per_chunk);
    conv->w_rows = (int32_t)ceil_div(rows, 32) * 32;
    const size_t chunks = (size_t)conv->w_rows * (size_t)taps * (size_t)conv->chunks;
    const int64_t form = (backward ? FORM_CONV_BWD : FORM_CONV) + t->index + ((c1 > 0 ? c0 : 0) << FORM_SHIFT);
    int fresh = 0;
    const mdldm__cuda_ref to = mdldm__cuda_weights(b, w, form, chunks * 16, &fresh);
    if (!fresh)
        return to;
    const struct mdldm__cuda_args_conv_pack args = {.row_stride = backward ? taps : d[1] * taps,
                                                    .channel_stride = backward ? d[1] * taps : taps,
                                                    .rows = conv->w_rows,
                                                    .real_rows = (int32_t)rows,
                                                    .taps = (int32_t)taps,
                                                    .c0 = conv->c0,
                                                    .c1 = conv->c1,
                                                    .chunks0 = conv->chunks0,
                                                    .chunks = conv->chunks};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, (int64_t)chunks * t->per_chunk, 256, 4), 1, 1};
    mdldm__cuda_launch(b, pack_kernels[t->index], grid, 256, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_pack, values), mdldm__cuda_param(b, w));
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_pack, w), to);
    return to;
}

/* Into how many parts K is divided, for `rows` pixels of one image. */
static int32_t splits_of(const struct mdldm__cuda_args_conv *a, int64_t rows)
{
    const int64_t tiles = ceil_div(rows, 64) * ceil_div(a->w_rows - a->w_first, 64);
    const int64_t steps = ceil_div((int64_t)a->kernel_h * a->kernel_w * a->chunks, 4);
    const int64_t most = limit(steps / LEAST_STEPS, 1, MOST_SPLITS);
    return a->out_step_h * a->out_step_w > 1 ? 1 : limit(ENOUGH_BLOCKS / tiles, 1, most);
}

/* The references that a convolution's launches name. */
typedef struct conv_refs {
    mdldm__cuda_ref x0, x1, w, bias, y0, y1;
} conv_refs;

static void launch_join(mdldm__cuda_builder *b, const struct mdldm__cuda_args_conv *a, const conv_type *t, const conv_refs *refs,
                        mdldm__cuda_ref partial, int64_t rows)
{
    const struct mdldm__cuda_args_conv_join join = {.rows = rows,
                                                    .width = a->w_rows - a->w_first,
                                                    .w_first = a->w_first,
                                                    .splits = a->splits,
                                                    .y0_first = a->y0_first,
                                                    .y0_c = a->y0_c,
                                                    .y1_first = a->y1_first,
                                                    .y1_c = a->y1_c};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, rows * join.width, 256, 1), 1, 1};
    mdldm__cuda_launch(b, join_kernels[t->index], grid, 256, 0, &join, sizeof join);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_join, partial), partial);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_join, bias), refs->bias);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_join, y0), refs->y0);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_join, y1), refs->y1);
}

static void launch_conv(mdldm__cuda_builder *b, struct mdldm__cuda_args_conv *a, const conv_type *t, const conv_refs *refs)
{
    const int64_t columns = a->w_rows - a->w_first, phases = (int64_t)a->out_step_h * a->out_step_w;
    const int64_t phase_rows = ceil_div(a->out_h, a->out_step_h) * ceil_div(a->out_w, a->out_step_w), rows = a->images * phase_rows;
    const int odd = a->c0 % t->per_chunk != 0 || a->c1 % t->per_chunk != 0;
    a->splits = splits_of(a, phase_rows);
    const int64_t large = ceil_div(rows, 128) * ceil_div(columns, 128) * phases * a->splits;
    const int tile = columns <= 32 ? (odd ? NARROW_ODD : NARROW) : odd ? SMALL_ODD : large * 4 >= b->sm_count * 3LL ? LARGE : SMALL;
    static const int32_t tile_rows[TILES] = {128, 64, 128, 64, 128}, tile_columns[TILES] = {128, 64, 32, 64, 32};
    a->column_tiles = (int32_t)ceil_div(columns, tile_columns[tile]);
    const int64_t blocks = ceil_div(rows, tile_rows[tile]) * a->column_tiles;
    if (!mdldm__cuda_fits(b, "tiles", blocks, INT32_MAX) ||
        !mdldm__cuda_fits(b, "parts", phases * a->splits, MDLDM__CUDA_GRID_YZ))
        return;
    const uint32_t grid[3] = {(uint32_t)blocks, 1, (uint32_t)(phases * a->splits)};
    const int split = a->splits > 1;
    const mdldm__cuda_ref none = {0}, partial = split ? mdldm__cuda_scratch(b, (size_t)a->splits * (size_t)(rows * columns) * 4) : none;
    mdldm__cuda_launch(b, conv_kernels[t->kind][tile], grid, tile == LARGE ? 256 : 128, 0, a, sizeof *a);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv, x0), refs->x0);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv, x1), refs->x1);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv, w), refs->w);
    if (split) {
        mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv, partial), partial);
        launch_join(b, a, t, refs, partial, rows);
        return;
    }
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv, bias), refs->bias);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv, y0), refs->y0);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv, y1), refs->y1);
}

/* y <- x0, x1|-1, w, b|-1 */
void mdldm__cuda_lower_conv(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const mdldm_conv_attr *c = &op->attr.conv;
    const int64_t *x = mdldm__cuda_dims(b, op->in[0]), *y = mdldm__cuda_dims(b, op->out[0]);
    const int64_t c1 = channels_of(b, op->in[1]);
    const conv_type t = type_of(b, op->in[0]);
    if (!fits(b, x, x[3] + c1, y, (int64_t)c->kernel_h * c->kernel_w))
        return;
    struct mdldm__cuda_args_conv args = {.images = (int32_t)x[0],
                                         .in_h = (int32_t)x[1],
                                         .in_w = (int32_t)x[2],
                                         .out_h = (int32_t)y[1],
                                         .out_w = (int32_t)y[2],
                                         .kernel_h = c->kernel_h,
                                         .kernel_w = c->kernel_w,
                                         .out_step_h = 1,
                                         .out_step_w = 1,
                                         .in_step_h = c->stride_h,
                                         .in_step_w = c->stride_w,
                                         .pad_t = c->pad_t,
                                         .pad_l = c->pad_l,
                                         .direction = 1,
                                         .y0_c = (int32_t)y[3]};
    const mdldm__cuda_ref none = {0};
    const conv_refs refs = {.w = packed(b, op->in[2], &t, 0, x[3], c1, &args),
                            .x0 = mdldm__cuda_tensor(b, op->in[0]),
                            .x1 = mdldm__cuda_tensor(b, op->in[1]),
                            .bias = op->in[3] >= 0 ? mdldm__cuda_param(b, op->in[3]) : none,
                            .y0 = mdldm__cuda_tensor(b, op->out[0])};
    launch_conv(b, &args, &t, &refs);
}

/* dx0|-1, dx1|-1 <- dy, w */
void mdldm__cuda_lower_conv_bwd_data(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const mdldm_conv_attr *c = &op->attr.conv;
    const int64_t *dy = mdldm__cuda_dims(b, op->in[0]), *w = mdldm__cuda_dims(b, op->in[1]);
    const int64_t *dx = mdldm__cuda_dims(b, op->out[0] >= 0 ? op->out[0] : op->out[1]);
    const int64_t c0 = channels_of(b, op->out[0]), c1 = channels_of(b, op->out[1]);
    const conv_type t = type_of(b, op->in[0]);
    if (!fits(b, dx, w[1], dy, (int64_t)c->kernel_h * c->kernel_w))
        return;
    struct mdldm__cuda_args_conv args = {.images = (int32_t)dy[0],
                                         .in_h = (int32_t)dy[1],
                                         .in_w = (int32_t)dy[2],
                                         .out_h = (int32_t)dx[1],
                                         .out_w = (int32_t)dx[2],
                                         .kernel_h = c->kernel_h,
                                         .kernel_w = c->kernel_w,
                                         .out_step_h = c->stride_h,
                                         .out_step_w = c->stride_w,
                                         .in_step_h = 1,
                                         .in_step_w = 1,
                                         .pad_t = c->pad_t,
                                         .pad_l = c->pad_l,
                                         .direction = -1,
                                         .y0_c = (int32_t)c0,
                                         .y1_first = (int32_t)(w[1] - c1),
                                         .y1_c = (int32_t)c1};
    const conv_refs refs = {.w = packed(b, op->in[1], &t, 1, dy[3], 0, &args),
                            .x0 = mdldm__cuda_tensor(b, op->in[0]),
                            .y0 = mdldm__cuda_tensor(b, op->out[0]),
                            .y1 = mdldm__cuda_tensor(b, op->out[1])};
    /* One gradient alone: only its rows of w. */
    if (op->out[0] < 0)
        args.w_first = args.y1_first / 32 * 32;
    if (op->out[1] < 0)
        args.w_rows = (int32_t)ceil_div(c0, 32) * 32;
    launch_conv(b, &args, &t, &refs);
}

/* ---- The gradients of the weights and of the bias ---- */

/* n / divisor = n * factor >> shift for all n < 2^31 (Granlund and Montgomery 1994). */
static void divide_by(int64_t divisor, uint32_t *factor, uint32_t *shift)
{
    *shift = 31;
    while ((int64_t)1 << (*shift - 31) < divisor)
        ++*shift;
    *factor = (uint32_t)((((uint64_t)1 << *shift) + (uint64_t)divisor - 1) / (uint64_t)divisor);
}

static void launch_bias(mdldm__cuda_builder *b, const mdldm_graph_op *op, const conv_type *t)
{
    const int64_t *dy = mdldm__cuda_dims(b, op->in[2]), pixels = dy[0] * dy[1] * dy[2];
    const struct mdldm__cuda_args_conv_bias args = {
        .pixels = pixels, .outputs = (int32_t)dy[3], .parts = limit(ceil_div(pixels, 256), 1, 256)};
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)args.parts * (size_t)dy[3] * 4);
    const uint32_t grid[3] = {(uint32_t)ceil_div(dy[3], 32), (uint32_t)args.parts, 1};
    const uint32_t join_grid[3] = {(uint32_t)ceil_div(dy[3], 256), 1, 1};
    mdldm__cuda_launch(b, bias_kernels[t->index], grid, 256, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_bias, dy), mdldm__cuda_tensor(b, op->in[2]));
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_bias, partial), partial);
    mdldm__cuda_launch(b, "mdldm_conv_bias_join", join_grid, 256, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_bias, partial), partial);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_bias, db), mdldm__cuda_grad(b, op->out[1]));
}

static void launch_weights_join(mdldm__cuda_builder *b, const struct mdldm__cuda_args_conv_weights *a, const conv_type *t,
                                mdldm__cuda_ref partial, int32_t splits, int32_t dw)
{
    const struct mdldm__cuda_args_conv_weights_join join = {.splits = splits,
                                                            .outputs = a->outputs,
                                                            .taps = a->kernel_h * a->kernel_w,
                                                            .c0 = a->c0,
                                                            .c1 = a->c1,
                                                            .width0 = a->chunks0 * t->per_chunk,
                                                            .width = a->chunks * t->per_chunk};
    const uint32_t grid[3] = {mdldm__cuda_blocks(b, (int64_t)a->outputs * join.taps * join.width, 256, 1), 1, 1};
    mdldm__cuda_launch(b, "mdldm_conv_weights_join", grid, 256, 0, &join, sizeof join);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_weights_join, partial), partial);
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_weights_join, dw), mdldm__cuda_grad(b, dw));
}

/* dw, db|-1 <- x0, x1|-1, dy */
void mdldm__cuda_lower_conv_bwd_weights(mdldm__cuda_builder *b, const mdldm_graph_op *op)
{
    const mdldm_conv_attr *c = &op->attr.conv;
    const int64_t *x = mdldm__cuda_dims(b, op->in[0]), *dy = mdldm__cuda_dims(b, op->in[2]);
    const int64_t c1 = channels_of(b, op->in[1]), taps = (int64_t)c->kernel_h * c->kernel_w;
    const conv_type t = type_of(b, op->in[0]);
    if (!fits(b, x, x[3] + c1, dy, taps))
        return;
    struct mdldm__cuda_args_conv_weights args = {.pixels = (int32_t)(dy[0] * dy[1] * dy[2]),
                                                 .in_h = (int32_t)x[1],
                                                 .in_w = (int32_t)x[2],
                                                 .out_h = (int32_t)dy[1],
                                                 .out_w = (int32_t)dy[2],
                                                 .c0 = (int32_t)x[3],
                                                 .c1 = (int32_t)c1,
                                                 .chunks0 = (int32_t)ceil_div(x[3], t.per_chunk),
                                                 .outputs = (int32_t)dy[3],
                                                 .kernel_h = c->kernel_h,
                                                 .kernel_w = c->kernel_w,
                                                 .step_h = c->stride_h,
                                                 .step_w = c->stride_w,
                                                 .pad_t = c->pad_t,
                                                 .pad_l = c->pad_l};
    args.chunks = args.chunks0 + (int32_t)ceil_div(c1, t.per_chunk);
    divide_by(dy[2], &args.w_factor, &args.w_shift);
    divide_by(dy[1], &args.h_factor, &args.h_shift);
    const int64_t width = taps * args.chunks * t.per_chunk;
    const int odd = x[3] % t.per_chunk != 0 || c1 % t.per_chunk != 0 || dy[3] % t.per_chunk != 0;
    const int tile = dy[3] <= 32 ? (odd ? NARROW_ODD : NARROW) : odd ? SMALL_ODD : dy[3] <= 64 || width <= 64 ? SMALL : LARGE;
    static const int32_t tile_rows[TILES] = {128, 64, 32, 64, 32}, tile_columns[TILES] = {128, 64, 128, 64, 128};
    args.column_tiles = (int32_t)ceil_div(width, tile_columns[tile]);
    const int64_t tiles = ceil_div(dy[3], tile_rows[tile]) * args.column_tiles;
    const int64_t steps = ceil_div(args.pixels, 4 * t.per_chunk);
    const int64_t wanted = limit(ceil_div(ENOUGH_BLOCKS_WEIGHTS, tiles), 1, limit(steps / LEAST_STEPS, 1, MOST_SPLITS_WEIGHTS));
    args.steps = (int32_t)ceil_div(steps, wanted);
    const int32_t splits = (int32_t)ceil_div(steps, args.steps);
    if (!mdldm__cuda_fits(b, "tiles", tiles, INT32_MAX) || !mdldm__cuda_fits(b, "terms of a sum", width, INT32_MAX))
        return;
    const mdldm__cuda_ref partial = mdldm__cuda_scratch(b, (size_t)splits * (size_t)(dy[3] * width) * 4);
    const uint32_t grid[3] = {(uint32_t)tiles, 1, (uint32_t)splits};
    mdldm__cuda_launch(b, weights_kernels[t.kind][tile], grid, tile == LARGE ? 256 : 128, 0, &args, sizeof args);
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_weights, dy), mdldm__cuda_tensor(b, op->in[2]));
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_weights, x0), mdldm__cuda_tensor(b, op->in[0]));
    mdldm__cuda_reads(b, offsetof(struct mdldm__cuda_args_conv_weights, x1), mdldm__cuda_tensor(b, op->in[1]));
    mdldm__cuda_writes(b, offsetof(struct mdldm__cuda_args_conv_weights, partial), partial);
    launch_weights_join(b, &args, &t, partial, splits, op->out[0]);
    if (op->out[1] >= 0)
        launch_bias(b, op, &t);
}
