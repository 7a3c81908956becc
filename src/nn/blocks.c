/* SPDX-License-Identifier: MIT
 * ResnetBlock2D, Attention and UNetMidBlock2D of diffusers. */
#include "nn/layers.h"

#include <assert.h>
#include <math.h>

static mdldm__tensor resample_by_two(mdldm__graph *g, mdldm__tensor x, mdldm__resample resample)
{
    if (resample == MDLDM__RESAMPLE_UP)
        return mdldm__graph_upsample2(g, x);
    if (resample == MDLDM__RESAMPLE_DOWN)
        return mdldm__graph_avgpool2(g, x);
    return x;
}

mdldm__tensor mdldm__nn_resnet(mdldm__graph *g, const char *name, mdldm__tensor x0, mdldm__tensor x1,
                               mdldm__tensor temb, int64_t out_channels, const mdldm__resnet_spec *spec,
                               mdldm__resample resample)
{
    assert(resample == MDLDM__RESAMPLE_NONE || x1 == MDLDM__NONE);
    int64_t in_channels = mdldm__graph_dims(g, x0)[3];
    if (x1 != MDLDM__NONE)
        in_channels += mdldm__graph_dims(g, x1)[3];

    mdldm__graph_push(g, "%s", name);
    mdldm__graph_segment_begin(g);
    /* h: [n,H,W,in] -> [n,H',W',out] */
    mdldm__tensor h = mdldm__nn_group_norm(g, "norm1", x0, x1, MDLDM__NONE, spec->groups, spec->eps, 1);
    h = resample_by_two(g, h, resample);
    mdldm__tensor skip = resample_by_two(g, x0, resample);
    h = mdldm__graph_quantize(g, h, "conv1.input_range");
    h = mdldm__nn_conv(g, "conv1", h, MDLDM__NONE, out_channels, 3);

    mdldm__tensor scale_shift = MDLDM__NONE;
    if (temb != MDLDM__NONE && spec->scale_shift)
        scale_shift = mdldm__nn_linear(g, "time_emb_proj", temb, 2 * out_channels);
    else if (temb != MDLDM__NONE)
        h = mdldm__graph_bias(g, h, mdldm__nn_linear(g, "time_emb_proj", temb, out_channels));

    h = mdldm__nn_group_norm(g, "norm2", h, MDLDM__NONE, scale_shift, spec->groups, spec->eps, 1);
    if (spec->dropout > 0.0f && g->training)
        h = mdldm__graph_dropout(g, h, spec->dropout);
    h = mdldm__graph_quantize(g, h, "conv2.input_range");
    h = mdldm__nn_conv(g, "conv2", h, MDLDM__NONE, out_channels, 3);

    /* Two sources always change the number of channels: their sum exceeds the output's. */
    assert(g->status != MDLDM_OK || x1 == MDLDM__NONE || in_channels != out_channels);
    if (in_channels != out_channels) { /* both sources by one range */
        skip = mdldm__graph_quantize(g, skip, "conv_shortcut.input_range");
        if (x1 != MDLDM__NONE)
            x1 = mdldm__graph_quantize(g, x1, "conv_shortcut.input_range");
        skip = mdldm__nn_conv(g, "conv_shortcut", skip, x1, out_channels, 1);
    }
    float scale = 1.0f / spec->output_scale_factor;
    mdldm__tensor y = mdldm__graph_add(g, skip, h, scale, scale);
    mdldm__graph_segment_end(g);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_attention(mdldm__graph *g, const char *name, mdldm__tensor x,
                                  const mdldm__attention_spec *spec)
{
    int64_t c = mdldm__graph_dims(g, x)[3];
    int64_t head_dim = spec->head_dim > 0 ? spec->head_dim : c;
    int64_t heads = c / head_dim;

    mdldm__graph_push(g, "%s", name);
    mdldm__graph_segment_begin(g);
    if (g->status == MDLDM_OK && heads < 1)
        g->status = mdldm__error(g->env, MDLDM_ERROR_UNSUPPORTED,
                                 "%s: attention_head_dim %lld exceeds the block's %lld channels", g->path,
                                 (long long)head_dim, (long long)c);
    int64_t inner = heads * head_dim; /* c, or less where head_dim does not divide it */
    mdldm__tensor h = x;
    if (spec->groups > 0)
        h = mdldm__nn_group_norm(g, "group_norm", x, MDLDM__NONE, MDLDM__NONE, spec->groups, spec->eps, 0);
    h = mdldm__graph_quantize(g, h, "to_q.input_range"); /* of to_k and to_v too */
    mdldm__tensor q = mdldm__nn_linear(g, "to_q", h, inner); /* [n,H,W,heads*head_dim] */
    mdldm__tensor k = mdldm__nn_linear(g, "to_k", h, inner);
    mdldm__tensor v = mdldm__nn_linear(g, "to_v", h, inner);
    h = mdldm__graph_attention(g, q, k, v, (int32_t)heads, (float)(1.0 / sqrt((double)head_dim)));
    h = mdldm__graph_quantize(g, h, "to_out.0.input_range");
    h = mdldm__nn_linear(g, "to_out.0", h, c);
    float scale = 1.0f / spec->rescale_output_factor;
    mdldm__tensor y = mdldm__graph_add(g, h, x, scale, scale);
    mdldm__graph_segment_end(g);
    mdldm__graph_pop(g);
    return y;
}

mdldm__tensor mdldm__nn_mid_block(mdldm__graph *g, const char *name, mdldm__tensor x, mdldm__tensor temb,
                                  const mdldm__resnet_spec *resnet, const mdldm__attention_spec *attention)
{
    int64_t c = mdldm__graph_dims(g, x)[3];
    mdldm__graph_push(g, "%s", name);
    x = mdldm__nn_resnet(g, "resnets.0", x, MDLDM__NONE, temb, c, resnet, MDLDM__RESAMPLE_NONE);
    if (attention != NULL)
        x = mdldm__nn_attention(g, "attentions.0", x, attention);
    x = mdldm__nn_resnet(g, "resnets.1", x, MDLDM__NONE, temb, c, resnet, MDLDM__RESAMPLE_NONE);
    mdldm__graph_pop(g);
    return x;
}
