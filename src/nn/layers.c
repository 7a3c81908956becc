/* SPDX-License-Identifier: MIT */
#include "nn/layers.h"

#include <math.h>

static int64_t channels(const mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1)
{
    return mdldm__graph_dims(g, x0)[3] + (x1 != MDLDM__NONE ? mdldm__graph_dims(g, x1)[3] : 0);
}

/* The bound of torch's default for convolution and linear, kaiming_uniform(a=sqrt(5)). */
static float default_bound(int64_t fan_in)
{
    return fan_in > 0 ? (float)(1.0 / sqrt((double)fan_in)) : 0.0f;
}

static mdldm__tensor conv(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                          int64_t out_channels, int32_t kernel, int32_t stride, int32_t pad_before,
                          int32_t pad_after)
{
    int64_t in = channels(g, x0, x1);
    float bound = default_bound(in * kernel * kernel);
    int q8 = mdldm__graph_is_q8(g, x0);
    mdldm__graph_push(g, "%s", name);
    mdldm__tensor w = q8 ? MDLDM__NONE
                         : mdldm__graph_param(g, "weight", 4, out_channels, in, kernel, kernel,
                                              MDLDM__INIT_UNIFORM, bound);
    mdldm__tensor b = mdldm__graph_param(g, "bias", 1, out_channels, 1, 1, 1, MDLDM__INIT_UNIFORM, bound);
    mdldm__tensor y = q8 ? mdldm__graph_conv_q8(g, x0, x1, 4, out_channels, kernel, b, stride, pad_before,
                                                pad_after)
                         : mdldm__graph_conv(g, x0, x1, w, b, stride, pad_before, pad_before, pad_after,
                                             pad_after);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_conv(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                             int64_t out_channels, int32_t kernel)
{
    return conv(g, name, x0, x1, out_channels, kernel, 1, kernel / 2, kernel / 2);
}

mdldm__tensor mdldm__nn_linear(mdldm__graph *g, const char *name, mdldm__tensor x, int64_t out_features)
{
    int64_t in = mdldm__graph_dims(g, x)[3];
    float bound = default_bound(in);
    int q8 = mdldm__graph_is_q8(g, x);
    mdldm__graph_push(g, "%s", name);
    mdldm__tensor w = q8 ? MDLDM__NONE
                         : mdldm__graph_param(g, "weight", 2, out_features, in, 1, 1, MDLDM__INIT_UNIFORM,
                                              bound);
    mdldm__tensor b = mdldm__graph_param(g, "bias", 1, out_features, 1, 1, 1, MDLDM__INIT_UNIFORM, bound);
    mdldm__tensor y = q8 ? mdldm__graph_conv_q8(g, x, MDLDM__NONE, 2, out_features, 1, b, 1, 0, 0)
                         : mdldm__graph_linear(g, x, w, b);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_group_norm(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                                   mdldm__tensor scale_shift, int32_t groups, float eps, int32_t silu)
{
    int64_t c = channels(g, x0, x1);
    mdldm__graph_push(g, "%s", name);
    if (g->status == MDLDM_OK && (groups < 1 || c % groups != 0))
        g->status = mdldm__error(g->env, MDLDM_ERROR_UNSUPPORTED,
                                 "%s: %lld channels do not divide into %d groups (norm_num_groups)",
                                 g->path, (long long)c, (int)groups);
    mdldm__tensor gamma = mdldm__graph_param(g, "weight", 1, c, 1, 1, 1, MDLDM__INIT_ONES, 0.0f);
    mdldm__tensor beta = mdldm__graph_param(g, "bias", 1, c, 1, 1, 1, MDLDM__INIT_ZEROS, 0.0f);
    mdldm__tensor y = mdldm__graph_group_norm(g, x0, x1, gamma, beta, scale_shift, groups, eps, silu);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_downsample(mdldm__graph *g, const char *name, mdldm__tensor x, int32_t padding)
{
    mdldm__graph_push(g, "%s", name);
    x = mdldm__graph_quantize(g, x, "conv.input_range");
    mdldm__tensor y = conv(g, "conv", x, MDLDM__NONE, mdldm__graph_dims(g, x)[3], 3, 2, padding,
                           padding > 0 ? padding : 1);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_upsample(mdldm__graph *g, const char *name, mdldm__tensor x)
{
    mdldm__graph_push(g, "%s", name);
    mdldm__tensor y = mdldm__graph_quantize(g, mdldm__graph_upsample2(g, x), "conv.input_range");
    y = mdldm__nn_conv(g, "conv", y, MDLDM__NONE, mdldm__graph_dims(g, x)[3], 3);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_timestep_embedding(mdldm__graph *g, const char *name, mdldm__tensor x, int64_t dim)
{
    mdldm__graph_push(g, "%s", name);
    mdldm__tensor y = mdldm__nn_linear(g, "linear_1", x, dim);
    y = mdldm__graph_silu(g, y);
    y = mdldm__nn_linear(g, "linear_2", y, dim);
    mdldm__graph_pop(g);
    return y;
}
