/* SPDX-License-Identifier: MIT
 * Eight-bit layers: quantised activations and the convolutions that read them. */
#include <stdio.h>
#include <string.h>

#include "graph/graph_internal.h"

/* Adds (x, PATH.name) to what is observed. Two sources that share a range share the name, and one tensor
 * may be read by several layers. */
static void observe(mdldm__graph *g, mdldm__tensor x, const char *name)
{
    if (g->observed_count == g->observed_capacity) {
        int32_t capacity = g->observed_capacity > 0 ? g->observed_capacity * 2 : 64;
        mdldm__observation *observed =
            mdldm__realloc(g->env, g->observed, (size_t)capacity * sizeof *observed);
        if (observed == NULL) {
            mdldm__graph_fail(g, mdldm__oom(g->env, "observed activations"));
            return;
        }
        g->observed = observed;
        g->observed_capacity = capacity;
    }
    char full[640];
    snprintf(full, sizeof full, "%s.%s", g->path, name);
    mdldm__graph_output(g, x);
    g->observed[g->observed_count].tensor = x;
    g->observed[g->observed_count++].name = mdldm__graph_keep_name(g, full);
}

mdldm__tensor mdldm__graph_quantize(mdldm__graph *g, mdldm__tensor x, const char *name)
{
    if (g->status != MDLDM_OK || x < 0)
        return MDLDM__NONE;
    if (g->observe) {
        observe(g, x, name);
        return x;
    }
    if (g->q8_groups == 0)
        return x;
    int64_t dims[4];
    memcpy(dims, g->tensors[x].dims, sizeof dims);
    mdldm__tensor range = mdldm__graph_buffer(g, name, 2, g->q8_groups, 2, 1, 1, MDLDM__INIT_ZEROS, 0.0f);
    if (g->q8_group == MDLDM__NONE)
        g->q8_group = mdldm__graph_input(g, "group", MDLDM_I32, dims[0], 1, 1, 1);
    mdldm__tensor y =
        mdldm__graph_new_tensor(g, MDLDM_U8, MDLDM_ROLE_ACTIVATION, dims[0], dims[1], dims[2], dims[3]);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_QUANTIZE, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    op->in[0] = x;
    op->in[1] = range;
    op->in[2] = g->q8_group;
    op->out[0] = y;
    return y;
}

int mdldm__graph_is_q8(const mdldm__graph *g, mdldm__tensor x)
{
    return g->status == MDLDM_OK && x >= 0 && g->tensors[x].dtype == MDLDM_U8;
}

/* The range that x was quantised with. */
static mdldm__tensor range_of(const mdldm__graph *g, mdldm__tensor x)
{
    for (int32_t i = g->op_count - 1; i >= 0; i--)
        if (g->ops[i].kind == MDLDM_OP_QUANTIZE && g->ops[i].out[0] == x)
            return g->ops[i].in[1];
    return MDLDM__NONE;
}

mdldm__tensor mdldm__graph_conv_q8(mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1, int32_t rank,
                                   int64_t out_channels, int64_t kernel, mdldm__tensor b, int32_t stride,
                                   int32_t pad_before, int32_t pad_after)
{
    if (g->status != MDLDM_OK)
        return MDLDM__NONE;
    int64_t x[4];
    memcpy(x, g->tensors[x0].dims, sizeof x);
    mdldm__tensor range = range_of(g, x0);
    int64_t in = x[3] + (x1 >= 0 ? g->tensors[x1].dims[3] : 0);
    if (range < 0 || (x1 >= 0 && (range_of(g, x1) != range || memcmp(x, g->tensors[x1].dims, 3 * sizeof *x) != 0)))
        return mdldm__graph_fail(g, mdldm__error(g->env, MDLDM_ERROR_INTERNAL,
                                                 "sources quantised by different ranges, or of different size, at %s",
                                                 g->path));
    mdldm__tensor w = mdldm__graph_integers(g, "weight", rank, out_channels, in, kernel, kernel);
    mdldm__tensor scale =
        mdldm__graph_buffer(g, "weight_scale", 1, out_channels, 1, 1, 1, MDLDM__INIT_ONES, 0.0f);
    int64_t h = x[1] + pad_before + pad_after - kernel, wd = x[2] + pad_before + pad_after - kernel;
    h = h < 0 ? 0 : h / stride + 1;
    wd = wd < 0 ? 0 : wd / stride + 1;
    mdldm__tensor y = mdldm__graph_new_tensor(g, g->act, MDLDM_ROLE_ACTIVATION, x[0], h, wd, out_channels);
    mdldm_graph_op *op = mdldm__graph_new_op(g, MDLDM_OP_CONV_Q8, NULL);
    if (op == NULL)
        return MDLDM__NONE;
    const mdldm__tensor ins[] = {x0, x1, w, scale, b, range, g->q8_group};
    memcpy(op->in, ins, sizeof ins);
    op->out[0] = y;
    op->attr.conv = (mdldm_conv_attr){(int32_t)kernel, (int32_t)kernel, stride,     stride,
                                      pad_before,      pad_before,      pad_after,  pad_after};
    return y;
}
