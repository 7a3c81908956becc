/* SPDX-License-Identifier: MIT
 * The list of cases, and how one is run and compared. The graphs themselves: op_case_graphs.c. */
#include "op_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_case_graphs.h"
#include "util/rng.h"

#define CONV(...) OP_FAMILY_CONV, op_graph_conv, {__VA_ARGS__}
#define NORM(...) OP_FAMILY_GROUP_NORM, op_graph_group_norm, {__VA_ARGS__}
#define ATTENTION(...) OP_FAMILY_ATTENTION, op_graph_attention, {__VA_ARGS__}
#define VQ(...) OP_FAMILY_VQ, op_graph_vq, {__VA_ARGS__}
#define COLLECT(...) OP_FAMILY_VQ, op_graph_vq_collect, {__VA_ARGS__}
#define UPDATE(...) OP_FAMILY_VQ, op_graph_vq_update, {__VA_ARGS__}
#define ENTROPY(...) OP_FAMILY_VQ, op_graph_vq_entropy, {__VA_ARGS__}
#define LOSS(...) OP_FAMILY_LOSS, op_graph_loss, {__VA_ARGS__}
#define CROSS_ENTROPY(...) OP_FAMILY_LOSS, op_graph_cross_entropy, {__VA_ARGS__}
#define ELEMENT(what, ...) OP_FAMILY_ELEMENTWISE, op_graph_##what, {__VA_ARGS__}
#define RESAMPLE(what, ...) OP_FAMILY_RESAMPLE, op_graph_##what, {__VA_ARGS__}
#define EMBEDDING(...) OP_FAMILY_EMBEDDING, op_graph_embedding, {__VA_ARGS__}
#define BLOCK(what, ...) OP_FAMILY_BLOCK, op_graph_##what, {__VA_ARGS__}
#define Q8(...) OP_FAMILY_Q8, op_graph_q8, {__VA_ARGS__}
#define Q8_BLOCK(what, ...) OP_FAMILY_Q8_BLOCK, op_graph_##what, {__VA_ARGS__}
#define ONLY_F32 1

static const struct {
    const char *name;
    op_family family;
    void (*build)(op_case *c, const int *p);
    int p[OP_CASE_PARAMETERS];
    int only_f32;
} table[] = {
    /* n, h, w, c0, c1, O, kernel, stride, pad top, left, bottom, right, bias */
    {"conv 3x3", CONV(2, 8, 8, 16, 0, 32, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, odd everything", CONV(1, 7, 5, 13, 0, 19, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 3 channels in", CONV(1, 9, 12, 3, 0, 32, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 3 channels out", CONV(2, 8, 11, 24, 0, 3, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 3 channels out of many", CONV(2, 19, 33, 130, 0, 3, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 3 channels out, padding of all sizes", CONV(3, 6, 9, 66, 0, 3, 3, 1, 2, 0, 1, 2, 0), 0},
    {"conv 3x3, 5 channels out", CONV(1, 12, 8, 64, 0, 5, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 5x5, 3 channels out", CONV(1, 7, 6, 72, 0, 3, 5, 1, 2, 2, 2, 2, 1), 0},
    {"conv 3x3, 3 channels out of an odd number", CONV(1, 6, 10, 47, 0, 3, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 4 channels in", CONV(2, 10, 9, 4, 0, 64, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, no bias", CONV(2, 6, 6, 16, 0, 16, 3, 1, 1, 1, 1, 1, 0), 0},
    {"conv 3x3, two sources", CONV(2, 8, 6, 24, 17, 20, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, stride 2", CONV(2, 8, 8, 16, 0, 16, 3, 2, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, stride 2, odd map", CONV(1, 9, 7, 20, 0, 12, 3, 2, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, stride 2, right and bottom padding", CONV(2, 8, 10, 18, 0, 18, 3, 2, 0, 0, 1, 1, 1), 0},
    {"conv 3x3, stride 2, no padding, two sources", CONV(1, 9, 9, 8, 5, 7, 3, 2, 0, 0, 0, 0, 1), 0},
    {"conv 3x3, padding of all sizes", CONV(1, 6, 5, 9, 0, 11, 3, 1, 2, 0, 1, 3, 1), 0},
    {"conv 1x1", CONV(2, 8, 8, 32, 0, 48, 1, 1, 0, 0, 0, 0, 1), 0},
    {"conv 1x1, odd", CONV(3, 5, 3, 7, 0, 5, 1, 1, 0, 0, 0, 0, 1), 0},
    {"conv 1x1, two sources", CONV(1, 6, 6, 33, 15, 22, 1, 1, 0, 0, 0, 0, 1), 0},
    {"conv 1x1, stride 2", CONV(1, 8, 6, 16, 0, 8, 1, 2, 0, 0, 0, 0, 1), 0},
    {"conv 1x1, 230 to 287 channels", CONV(2, 9, 7, 230, 0, 287, 1, 1, 0, 0, 0, 0, 1), 0},
    {"conv 1x1, 201 and 56 to 96 channels", CONV(1, 12, 11, 201, 56, 96, 1, 1, 0, 0, 0, 0, 1), 0},
    {"conv 3x3, stride 2, 205 to 192 channels", CONV(2, 17, 15, 205, 0, 192, 3, 2, 1, 1, 1, 1, 1), 0},
    {"conv 5x5", CONV(1, 8, 9, 10, 0, 6, 5, 1, 2, 2, 2, 2, 1), 0},
    {"conv 3x3 on one pixel", CONV(2, 1, 1, 16, 0, 24, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, one row", CONV(1, 1, 17, 16, 0, 16, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 32x32 map", CONV(1, 32, 32, 16, 0, 16, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 33x35 map, two sources", CONV(1, 33, 35, 12, 7, 21, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, many channels", CONV(1, 8, 8, 160, 96, 128, 3, 1, 1, 1, 1, 1, 1), 0},
    {"conv 3x3, 65 channels, 16x16", CONV(2, 16, 16, 65, 0, 65, 3, 1, 1, 1, 1, 1, 1), 0},
    {"linear", CONV(4, 1, 1, 96, 0, 160, 1, 1, 0, 0, 0, 0, 1), 0},
    {"linear, one row", CONV(1, 1, 1, 37, 0, 51, 1, 1, 0, 0, 0, 0, 1), 0},
    {"linear, no bias", CONV(5, 1, 1, 64, 0, 3, 1, 1, 0, 0, 0, 0, 0), 0},
    /* n, h, w, c0, c1, groups, silu, scale_shift */
    {"group norm", NORM(2, 8, 8, 32, 0, 8, 0, 0), 0},
    {"group norm + silu", NORM(2, 7, 5, 64, 0, 32, 1, 0), 0},
    {"group norm, odd group size", NORM(1, 5, 9, 35, 0, 5, 1, 0), 0},
    {"group norm, groups of one channel", NORM(2, 6, 6, 32, 0, 32, 1, 0), 0},
    {"group norm, one group", NORM(1, 4, 7, 24, 0, 1, 0, 0), 0},
    {"group norm, two sources", NORM(2, 6, 6, 32, 32, 16, 1, 0), 0},
    {"group norm, a group across the sources", NORM(2, 5, 6, 20, 28, 6, 1, 0), 0},
    {"group norm, scale and shift", NORM(3, 6, 5, 32, 0, 8, 1, 1), 0},
    {"group norm, scale and shift, no silu", NORM(2, 4, 4, 24, 0, 4, 0, 1), 0},
    {"group norm, two sources, scale and shift", NORM(2, 5, 5, 18, 30, 4, 1, 1), 0},
    {"group norm on one pixel", NORM(2, 1, 1, 64, 0, 8, 1, 0), 0},
    {"group norm, 32x32 map", NORM(1, 32, 32, 32, 16, 8, 1, 0), 0},
    /* n, h, w, c, heads; then a factor on the scores, when there is one */
    {"attention, heads of 8", ATTENTION(2, 8, 8, 32, 4), 0},
    {"attention, heads of 8, 1024 tokens", ATTENTION(1, 32, 32, 16, 2), 0},
    {"attention, one head of 64", ATTENTION(1, 8, 8, 64, 1), 0},
    {"attention, one head of 512", ATTENTION(1, 4, 8, 512, 1), 0},
    {"attention, heads of 16, odd map", ATTENTION(2, 7, 5, 48, 3), 0},
    {"attention, heads of 12", ATTENTION(1, 3, 11, 24, 2), 0},
    {"attention, one token", ATTENTION(2, 1, 1, 16, 2), 0},
    {"attention, 17 tokens, heads of 32", ATTENTION(3, 1, 17, 64, 2), 0},
    {"attention, 28 heads of 8", ATTENTION(1, 6, 6, 224, 28), 0},
    {"attention, heads of 8, far scores", ATTENTION(1, 13, 11, 16, 2, 5), 0},
    {"attention, heads of 8, scores without a bound", ATTENTION(1, 13, 11, 16, 2, 8), 0},
    {"attention, heads of 5, negative scores", ATTENTION(2, 5, 9, 15, 3, -2), 0},
    {"attention, heads of 3", ATTENTION(1, 5, 5, 6, 2), 0},
    {"attention, heads of 24, far scores", ATTENTION(1, 13, 11, 48, 2, 6), 0},
    {"attention, one head of 200, 289 tokens", ATTENTION(2, 17, 17, 200, 1), 0},
    {"attention, one head of 512, 576 tokens", ATTENTION(1, 24, 24, 512, 1), 0},
    {"attention, two heads of 130, 65 tokens", ATTENTION(1, 13, 5, 260, 2), 0},
    /* n, h, w, c */
    {"silu", ELEMENT(silu, 2, 5, 7, 13), 0},
    {"add", ELEMENT(add, 2, 3, 5, 17), 0},
    {"bias", ELEMENT(bias, 3, 4, 5, 19), 0},
    {"bias, 16 channels", ELEMENT(bias, 2, 8, 8, 16), 0},
    {"scale", ELEMENT(scale, 2, 5, 3, 11), 0},
    {"scale per image", ELEMENT(scale_per_image, 3, 4, 4, 8), 0},
    {"dropout", ELEMENT(dropout, 2, 5, 7, 9), 0},
    {"cast", ELEMENT(cast, 2, 5, 7, 9), 0},
    {"upsample", RESAMPLE(upsample2, 2, 5, 3, 9), 0},
    {"upsample, 16 channels", RESAMPLE(upsample2, 1, 8, 8, 16), 0},
    {"pool", RESAMPLE(avgpool2, 2, 6, 8, 16), 0},
    {"pool, odd map", RESAMPLE(avgpool2, 2, 7, 9, 5), 0},
    {"mean over a map", RESAMPLE(mean_hw, 3, 4, 5, 19), 0},
    /* n, rows, c */
    {"embedding", EMBEDDING(6, 9, 32), 0},
    {"embedding, one image", EMBEDDING(1, 4, 7), 0},
    /* n, h, w, d, K, doubled: every codebook vector stands there twice */
    {"vq", VQ(2, 5, 7, 3, 64, 0), ONLY_F32},
    {"vq, 8192 codes", VQ(1, 6, 7, 3, 8192, 0), ONLY_F32},
    {"vq, wide", VQ(1, 4, 5, 17, 100, 0), ONLY_F32},
    {"vq, ties go to the lowest code", VQ(1, 5, 5, 4, 50, 1), ONLY_F32},
    {"vq, one code", VQ(2, 3, 3, 4, 1, 0), ONLY_F32},
    /* n, h, w, d, K */
    {"vq entropy", ENTROPY(2, 3, 4, 3, 32), ONLY_F32},
    {"vq entropy, many codes", ENTROPY(1, 3, 3, 4, 515), ONLY_F32},
    /* n, h, w, d, K, number of the first vector, vectors of the step */
    {"vq collect", COLLECT(2, 5, 7, 3, 64, 0, 70), ONLY_F32},
    {"vq collect, a batch of several", COLLECT(1, 6, 7, 4, 33, 42, 200), ONLY_F32},
    {"vq collect, wide", COLLECT(3, 1, 11, 70, 9, 0, 1000000), ONLY_F32},
    {"vq collect, one vector, nothing drawn", COLLECT(1, 1, 1, 1, 1, 0, 0), ONLY_F32},
    {"vq collect, 1030 codes", COLLECT(1, 16, 15, 5, 1030, 0, 240), ONLY_F32},
    /* K, d, follow, restart_after */
    {"vq update", UPDATE(64, 3, 0, 3), ONLY_F32},
    {"vq update, averages", UPDATE(301, 4, 1, 2), ONLY_F32},
    {"vq update, no restarts", UPDATE(35, 33, 1, 0), ONLY_F32},
    {"vq update, one code", UPDATE(1, 1, 1, 1), ONLY_F32},
    /* n, h, w, c, kind, weighted */
    {"l2 loss", LOSS(2, 5, 7, 3, MDLDM_LOSS_L2, 0), 0},
    {"l1 loss", LOSS(2, 5, 7, 3, MDLDM_LOSS_L1, 0), 0},
    {"l2 loss, weight per image", LOSS(3, 4, 4, 5, MDLDM_LOSS_L2, 1), 0},
    {"l1 loss, weight per image", LOSS(3, 4, 4, 5, MDLDM_LOSS_L1, 1), 0},
    /* n, h, w, classes, smoothing in percent, weighted */
    {"cross entropy", CROSS_ENTROPY(5, 1, 1, 8, 0, 0), 0},
    {"cross entropy, smoothed, weight per image", CROSS_ENTROPY(3, 2, 5, 37, 10, 1), 0},
    {"cross entropy, many classes", CROSS_ENTROPY(2, 3, 3, 1030, 5, 0), 0},
    /* as conv; padding the same on the upper sides and on the lower ones; bias 2: and a time bias and a
     * residual behind it */
    {"q8 conv 3x3", Q8(2, 8, 8, 16, 0, 32, 3, 1, 1, 1, 1, 1, 1), 0},
    {"q8 conv 3x3, odd everything", Q8(3, 7, 5, 13, 0, 19, 3, 1, 1, 1, 1, 1, 1), 0},
    {"q8 conv 3x3, no bias", Q8(1, 6, 6, 16, 0, 65, 3, 1, 1, 1, 1, 1, 0), 0},
    {"q8 conv 3x3, stride 2", Q8(2, 9, 7, 20, 0, 12, 3, 2, 1, 1, 1, 1, 1), 0},
    {"q8 conv 3x3, stride 2, right and bottom padding", Q8(2, 8, 10, 18, 0, 18, 3, 2, 0, 0, 1, 1, 1), 0},
    {"q8 conv 1x1, two sources", Q8(2, 6, 6, 33, 15, 22, 1, 1, 0, 0, 0, 0, 1), 0},
    {"q8 conv 3x3, two sources", Q8(1, 5, 6, 7, 9, 33, 3, 1, 1, 1, 1, 1, 1), 0},
    {"q8 conv 3x3, 33x35 map, many channels", Q8(1, 33, 35, 96, 0, 70, 3, 1, 1, 1, 1, 1, 1), 0},
    {"q8 conv 3x3 on one pixel", Q8(2, 1, 1, 16, 0, 24, 3, 1, 1, 1, 1, 1, 1), 0},
    {"q8 linear", Q8(5, 1, 1, 37, 0, 51, 1, 1, 0, 0, 0, 0, 1), 0},
    {"q8 conv 3x3, time bias and residual", Q8(3, 6, 7, 24, 0, 40, 3, 1, 1, 1, 1, 1, 2), 0},
    {"q8 conv 1x1, residual", Q8(1, 5, 5, 9, 0, 9, 1, 1, 0, 0, 0, 0, 2), 0},
    /* n, h, w, c in, c out, second source */
    {"q8 resnet block", Q8_BLOCK(q8_resnet, 2, 8, 8, 32, 32, 0), 0},
    {"q8 resnet block with shortcut", Q8_BLOCK(q8_resnet, 3, 9, 7, 24, 40, 0), 0},
    {"q8 resnet block on two sources", Q8_BLOCK(q8_resnet, 1, 6, 8, 32, 24, 16), 0},
    {"q8 attention block", Q8_BLOCK(q8_attention, 2, 6, 5, 32, 4, 0), 0},
    {"q8 upsample + conv", Q8_BLOCK(q8_upsample, 2, 6, 5, 16, 0, 0), 0},
    {"q8 downsample", Q8_BLOCK(q8_downsample, 2, 6, 8, 16, 0, 0), 0},
    /* n, h, w, c in, c out */
    {"resnet block", BLOCK(resnet, 2, 8, 8, 32, 32), 0},
    {"resnet block with shortcut", BLOCK(resnet, 1, 9, 7, 24, 40), 0},
    {"resnet block on two sources", BLOCK(resnet_skip, 2, 6, 8, 32, 24), 0},
    {"resnet block, activations computed again", BLOCK(resnet_again, 2, 7, 6, 24, 24), 0},
    {"attention block", BLOCK(attention_block, 1, 8, 8, 32, 4), 0},
    {"attention block, one head", BLOCK(attention_block, 2, 5, 5, 48, 1), 0},
    /* n, h, w, c in, c out, computed again */
    {"upsample + conv", BLOCK(upsample_conv, 1, 6, 5, 16, 24, 0), 0},
    {"upsample + conv, again", BLOCK(upsample_conv, 2, 7, 5, 19, 37, 1), 0},
    {"upsample + conv, again, one pixel", BLOCK(upsample_conv, 3, 1, 1, 40, 5, 1), 0},
    {"upsample + conv, again, many channels", BLOCK(upsample_conv, 1, 9, 17, 150, 64, 1), 0},
    {"time embedding", BLOCK(time_embedding, 3, 1, 1, 32, 48), 0},
    {"a tensor used three times", BLOCK(fan_out, 2, 6, 6, 16, 16), 0},
};

enum { ENTRIES = sizeof table / sizeof table[0] };

/* F32 for all entries, then BF16 for those that have it. */
static int entry_of(int index, int32_t *act)
{
    *act = index < ENTRIES ? MDLDM_F32 : MDLDM_BF16;
    if (index < ENTRIES)
        return index;
    int left = index - ENTRIES;
    for (int i = 0; i < ENTRIES; i++)
        if (!table[i].only_f32 && left-- == 0)
            return i;
    return -1;
}

int op_case_count(void)
{
    int count = ENTRIES;
    for (int i = 0; i < ENTRIES; i++)
        count += !table[i].only_f32;
    return count;
}

const char *op_case_name(int index, op_family *family, int32_t *act)
{
    int entry = entry_of(index, act);
    *family = table[entry].family;
    return table[entry].name;
}

int32_t op_case_store_flags(const op_case *c, int32_t flags)
{
    return c->inference ? 0 : flags;
}

int op_case_find(const char *name, int32_t act)
{
    for (int i = 0; i < op_case_count(); i++) {
        op_family family;
        int32_t case_act;
        if (strcmp(op_case_name(i, &family, &case_act), name) == 0 && case_act == act)
            return i;
    }
    fail_msg("there is no case '%s'", name);
    return -1;
}

/* ---- Opening ---- */

static void fill_feed(op_case *c, int index)
{
    op_feed *f = &c->feeds[index];
    f->count = 1;
    for (int axis = 0; axis < 4; axis++)
        f->count *= c->graph.tensors[f->tensor].dims[axis];
    if (f->integers != NULL) /* the graph's builder has filled it */
        return;
    f->values = malloc((size_t)f->count * sizeof *f->values);
    assert_non_null(f->values);
    mdldm__rng_normal(7, MDLDM__RNG_TRAIN_NOISE, (uint64_t)index, 0, f->values, (size_t)f->count);
}

static void add_read(op_case *c, mdldm__tensor tensor, int32_t param, int32_t slot, const char *kind, const char *name)
{
    assert_true(c->read_count < OP_CASE_READS);
    op_read *r = &c->reads[c->read_count++];
    snprintf(r->name, sizeof r->name, "%s %.80s", kind, name);
    r->tensor = tensor;
    r->param = param;
    r->slot = slot;
    r->count = 1;
    const int64_t *dims = tensor >= 0 ? c->graph.tensors[tensor].dims : c->params.items[param].dims;
    for (int axis = 0; axis < 4; axis++)
        r->count *= dims[axis];
    r->values = malloc((size_t)r->count * sizeof *r->values);
    assert_non_null(r->values);
}

void op_case_open(op_case *c, int index)
{
    memset(c, 0, sizeof *c);
    int entry = entry_of(index, &c->act);
    assert_true(entry >= 0);
    snprintf(c->name, sizeof c->name, "%s, %s", table[entry].name, c->act == MDLDM_BF16 ? "bf16" : "f32");
    c->family = table[entry].family;
    c->differentiable = 1;
    mdldm__env_init(&c->env, NULL);
    mdldm__params_init(&c->params, &c->env);
    mdldm__graph_init(&c->graph, &c->env, &c->params, 1, c->act);
    c->graph.training = 1;
    table[entry].build(c, table[entry].p);

    mdldm__tensor wanted[OP_CASE_FEEDS], grads[OP_CASE_FEEDS];
    for (int i = 0; i < c->feed_count; i++) {
        /* Feeds that are to have a gradient carry grad 0 until here. */
        wanted[i] = c->feeds[i].grad == 0 ? c->feeds[i].tensor : MDLDM__NONE;
        grads[i] = MDLDM__NONE;
    }
    if (mdldm__graph_backward(&c->graph, wanted, c->feed_count, grads) != MDLDM_OK)
        fail_msg("%s: %s", c->name, c->env.error);
    assert_int_equal(mdldm__graph_recompute(&c->graph, c->keep), MDLDM_OK);
    for (int i = 0; i < c->feed_count; i++) {
        c->feeds[i].grad = grads[i];
        fill_feed(c, i);
        if (grads[i] >= 0)
            add_read(c, grads[i], -1, -1, "gradient of input", c->graph.tensors[c->feeds[i].tensor].name);
    }
    assert_int_equal(mdldm__params_randomize(&c->params, (uint64_t)entry), MDLDM_OK);
    for (int32_t i = 0; i < c->params.count; i++)
        if (c->params.items[i].trainable && !c->inference)
            add_read(c, MDLDM__NONE, i, MDLDM_SLOT_GRAD, "gradient of", c->params.items[i].name);
    for (int32_t i = 0; i < c->graph.tensor_count; i++) {
        const mdldm_graph_tensor *t = &c->graph.tensors[i];
        if (t->role == MDLDM_ROLE_STATE)
            add_read(c, MDLDM__NONE, t->param, MDLDM_SLOT_VALUE, "state", c->params.items[t->param].name);
    }
}

void op_case_close(op_case *c)
{
    for (int i = 0; i < c->feed_count; i++) {
        free(c->feeds[i].values);
        free(c->feeds[i].integers);
    }
    for (int i = 0; i < c->read_count; i++)
        free(c->reads[i].values);
    mdldm__graph_free(&c->graph);
    mdldm__params_free(&c->params);
}

int op_case_output(op_case *c, mdldm__tensor t, const char *name)
{
    mdldm__graph_output(&c->graph, t);
    if (c->graph.status != MDLDM_OK)
        fail_msg("%s: %s", c->name, c->env.error);
    add_read(c, t, -1, -1, "output", name);
    return c->read_count - 1;
}

/* ---- Running ---- */

static mdldm_status bind_all(op_case *c, const mdldm_backend *backend, mdldm_store *store)
{
    for (int32_t i = 0; i < c->params.count; i++)
        MDLDM__TRY(backend->store_bind(store, i, c->params.items[i].data, c->params.items[i].dtype));
    return MDLDM_OK;
}

int op_case_bindings(op_case *c, mdldm_binding bindings[OP_CASE_FEEDS + OP_CASE_READS])
{
    int count = 0;
    for (int i = 0; i < c->feed_count; i++) {
        op_feed *f = &c->feeds[i];
        bindings[count++] = (mdldm_binding){.tensor = f->tensor,
                                            .dtype = f->integers != NULL ? MDLDM_I32 : MDLDM_F32,
                                            .layout = MDLDM_LAYOUT_NHWC,
                                            .data = f->integers != NULL ? (void *)f->integers : f->values};
    }
    for (int i = 0; i < c->read_count; i++)
        if (c->reads[i].tensor >= 0)
            bindings[count++] = (mdldm_binding){.tensor = c->reads[i].tensor,
                                                .dtype = MDLDM_F32,
                                                .layout = MDLDM_LAYOUT_NHWC,
                                                .data = c->reads[i].values};
    return count;
}

static mdldm_status run_plan(op_case *c, const mdldm_backend *backend, mdldm_device *device,
                             mdldm_store *store)
{
    mdldm_graph_desc desc = mdldm__graph_desc(&c->graph);
    mdldm_plan *plan = NULL;
    mdldm_binding bindings[OP_CASE_FEEDS + OP_CASE_READS];
    int count = op_case_bindings(c, bindings);
    MDLDM__TRY(backend->plan_compile(device, store, &desc, 0, &plan));
    mdldm_status status = backend->plan_run(plan, bindings, count, MDLDM_RUN_CHECK_FINITE);
    backend->plan_close(plan);
    for (int i = 0; i < c->read_count && status == MDLDM_OK; i++)
        if (c->reads[i].tensor < 0)
            status = backend->store_read(store, c->reads[i].param, c->reads[i].slot, c->reads[i].values);
    return status;
}

mdldm_status op_case_run(op_case *c, const mdldm_backend *backend, mdldm_device *device)
{
    mdldm_store *store = NULL;
    mdldm_param_desc *desc = mdldm__params_desc(&c->params);
    assert_non_null(desc);
    mdldm_status status = backend->store_open(device, desc, c->params.count, op_case_store_flags(c, MDLDM_STORE_TRAIN),
                                              &store);
    mdldm__free(&c->env, desc);
    if (status != MDLDM_OK)
        return status;
    status = bind_all(c, backend, store);
    if (status == MDLDM_OK)
        status = run_plan(c, backend, device, store);
    backend->store_close(store);
    return status;
}

double op_case_objective(const op_case *c)
{
    double sum = 0;
    for (int t = 0; t < c->term_count; t++) {
        const op_read *y = &c->reads[c->terms[t].read];
        if (c->terms[t].feed < 0) {
            sum += c->terms[t].coefficient * y->values[c->terms[t].element];
            continue;
        }
        const float *target = c->feeds[c->terms[t].feed].values;
        for (int64_t i = 0; i < y->count; i++)
            sum += 0.5 * ((double)y->values[i] - target[i]) * ((double)y->values[i] - target[i]);
    }
    return sum;
}

/* Largest magnitude of a read. */
static double read_top(const op_read *read)
{
    double top = 1e-6;
    for (int64_t i = 0; i < read->count; i++)
        top = fmax(top, fabs((double)read->values[i]));
    return top;
}

static int is_gradient(const op_read *read)
{
    return strncmp(read->name, "gradient", 8) == 0;
}

double op_case_difference(const op_case *a, const op_case *b, int *worst)
{
    double largest = 0, top_gradient = 0;
    *worst = 0;
    for (int r = 0; r < b->read_count; r++)
        if (is_gradient(&b->reads[r]))
            top_gradient = fmax(top_gradient, read_top(&b->reads[r]));
    for (int r = 0; r < b->read_count; r++) {
        /* Some gradients are zero but for rounding (the bias of an attention's keys): what counts is
         * how large they are among the others. */
        double top = read_top(&b->reads[r]), difference = 0;
        if (is_gradient(&b->reads[r]))
            top = fmax(top, 0.1 * top_gradient);
        for (int64_t i = 0; i < b->reads[r].count; i++) {
            double d = fabs((double)a->reads[r].values[i] - b->reads[r].values[i]);
            difference = !(d <= difference) ? d : difference;
        }
        double relative = isnan(difference) ? INFINITY : difference / top;
        if (relative > largest) {
            largest = relative;
            *worst = r;
        }
    }
    return largest;
}
