/* SPDX-License-Identifier: MIT
 * Graphs with eight-bit layers, as the models' blocks make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/layers.h"
#include "op_case_graphs.h"
#include "util/rng.h"

enum { GROUPS = 3 };

static mdldm__tensor feed(op_case *c, const char *name, int64_t n, int64_t h, int64_t w, int64_t channels)
{
    assert_true(c->feed_count < OP_CASE_FEEDS);
    op_feed *f = &c->feeds[c->feed_count++];
    f->tensor = mdldm__graph_input(&c->graph, name, c->act, n, h, w, channels);
    f->grad = MDLDM__NONE;
    return f->tensor;
}

static void start(op_case *c)
{
    c->inference = 1;
    c->differentiable = 0;
    c->graph.training = 0;
    c->graph.q8_groups = GROUPS;
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Ranges that clamp some values of a normal distribution, another one for each group; scales that give
 * weights of about 1/sqrt(terms). */
static void set_values(op_case *c)
{
    for (int32_t i = 0; i < c->params.count; i++) {
        const mdldm__param *p = &c->params.items[i];
        float values[512];
        int64_t count = mdldm__param_elements(p);
        if (p->integer) {
            float terms = (float)(count / p->dims[0]);
            assert_true(p->dims[0] <= 512);
            int32_t scale = i + 1; /* weight_scale is declared after its weight */
            while (!ends_with(c->params.items[scale].name, ".weight_scale"))
                scale++;
            for (int64_t o = 0; o < p->dims[0]; o++)
                values[o] = (1.0f + 0.1f * (float)(o % 7)) / (73.0f * sqrtf(terms));
            assert_int_equal(mdldm__param_set(&c->params, scale, values), MDLDM_OK);
        } else if (ends_with(p->name, ".input_range")) {
            for (int g = 0; g < GROUPS; g++) {
                values[2 * g] = g == 1 ? 0.0f : -0.8f - 0.7f * (float)g;
                values[2 * g + 1] = 1.9f + 0.3f * (float)g;
            }
            assert_int_equal(mdldm__param_set(&c->params, i, values), MDLDM_OK);
        }
    }
}

/* Groups of the images: all, and one beyond each end, which count as the first and the last. */
static void finish(op_case *c, mdldm__tensor y)
{
    if (c->graph.status != MDLDM_OK)
        fail_msg("%s: %s", c->name, c->env.error);
    int64_t n = mdldm__graph_dims(&c->graph, y)[0];
    op_feed *f = &c->feeds[c->feed_count++];
    f->tensor = c->graph.q8_group;
    f->grad = MDLDM__NONE;
    f->integers = malloc((size_t)n * sizeof *f->integers);
    assert_non_null(f->integers);
    for (int64_t i = 0; i < n; i++)
        f->integers[i] = (int32_t)((i + 1) % (GROUPS + 2)) - 1 + (n == 1);
    set_values(c);
    op_case_output(c, y, "y");
}

void op_graph_q8(op_case *c, const int *p)
{
    mdldm__graph *g = &c->graph;
    start(c);
    mdldm__tensor x0 = feed(c, "x0", p[0], p[1], p[2], p[3]);
    mdldm__tensor x1 = p[4] > 0 ? feed(c, "x1", p[0], p[1], p[2], p[4]) : MDLDM__NONE;
    mdldm__graph_push(g, "conv");
    x0 = mdldm__graph_quantize(g, x0, "input_range");
    if (x1 != MDLDM__NONE)
        x1 = mdldm__graph_quantize(g, x1, "input_range");
    mdldm__tensor b = p[12] ? mdldm__graph_param(g, "bias", 1, p[5], 1, 1, 1, MDLDM__INIT_NORMAL, 0.5f)
                            : MDLDM__NONE;
    mdldm__tensor y = mdldm__graph_conv_q8(g, x0, x1, 4, p[5], p[6], b, p[7], p[8], p[10]);
    mdldm__graph_pop(g);
    if (p[12] == 2) {
        const int64_t *d = mdldm__graph_dims(g, y);
        int64_t h = d[1], w = d[2];
        y = mdldm__graph_bias(g, y, feed(c, "e", p[0], 1, 1, p[5]));
        y = mdldm__graph_add(g, feed(c, "residual", p[0], h, w, p[5]), y, 1.0f, 1.0f);
    }
    finish(c, y);
}

void op_graph_q8_resnet(op_case *c, const int *p)
{
    start(c);
    mdldm__tensor x0 = feed(c, "x0", p[0], p[1], p[2], p[3]);
    mdldm__tensor x1 = p[5] > 0 ? feed(c, "x1", p[0], p[1], p[2], p[5]) : MDLDM__NONE;
    mdldm__tensor temb = feed(c, "temb", p[0], 1, 1, 48);
    const mdldm__resnet_spec spec = {.groups = 8, .eps = 1e-5f, .output_scale_factor = 1.0f};
    finish(c, mdldm__nn_resnet(&c->graph, "block", x0, x1, temb, p[4], &spec, MDLDM__RESAMPLE_NONE));
}

void op_graph_q8_attention(op_case *c, const int *p)
{
    start(c);
    const mdldm__attention_spec spec = {
        .head_dim = p[3] / p[4], .groups = 8, .eps = 1e-5f, .rescale_output_factor = 1.0f};
    finish(c, mdldm__nn_attention(&c->graph, "block", feed(c, "x", p[0], p[1], p[2], p[3]), &spec));
}

void op_graph_q8_upsample(op_case *c, const int *p)
{
    start(c);
    finish(c, mdldm__nn_upsample(&c->graph, "block", feed(c, "x", p[0], p[1], p[2], p[3])));
}

void op_graph_q8_downsample(op_case *c, const int *p)
{
    start(c);
    finish(c, mdldm__nn_downsample(&c->graph, "block", feed(c, "x", p[0], p[1], p[2], p[3]), 1));
}
