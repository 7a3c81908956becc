/* SPDX-License-Identifier: MIT
 * UNet2DModel as a graph. A skip connection is read beside the hidden state by the next resnet's norm
 * and shortcut; nothing is concatenated. */
#include <assert.h>
#include <stdio.h>

#include "models/model.h"
#include "nn/layers.h"

typedef struct unet_builder {
    mdldm__graph *g;
    const mdldm__unet_config *config;
    mdldm__resnet_spec resnet;
    mdldm__attention_spec attention;
    mdldm__tensor temb; /* SiLU of the embedding [n,1,1,d]: every resnet applies the same one first */
    mdldm__tensor skips[MDLDM__MAX_LEVELS * 65 + 1];
    int32_t skip_count;
} unet_builder;

static void keep_skip(unet_builder *u, mdldm__tensor x)
{
    assert((size_t)u->skip_count < sizeof u->skips / sizeof *u->skips);
    u->skips[u->skip_count++] = x;
}

/* Resnet j of a block, with its attention. */
static mdldm__tensor layer(unet_builder *u, mdldm__tensor x, mdldm__tensor skip, int32_t j,
                           int64_t out_channels, int32_t attention)
{
    char name[32];
    snprintf(name, sizeof name, "resnets.%d", (int)j);
    x = mdldm__nn_resnet(u->g, name, x, skip, u->temb, out_channels, &u->resnet, MDLDM__RESAMPLE_NONE);
    snprintf(name, sizeof name, "attentions.%d", (int)j);
    return attention ? mdldm__nn_attention(u->g, name, x, &u->attention) : x;
}

static mdldm__tensor down_block(unet_builder *u, mdldm__tensor x, int32_t i)
{
    const mdldm__unet_config *config = u->config;
    int64_t out_channels = config->block_out_channels[i];
    mdldm__graph_push(u->g, "down_blocks.%d", (int)i);
    for (int32_t j = 0; j < config->layers_per_block; j++) {
        x = layer(u, x, MDLDM__NONE, j, out_channels, config->down_attention[i]);
        keep_skip(u, x);
    }
    if (i < config->levels - 1) {
        if (config->down_resnet[i])
            x = mdldm__nn_resnet(u->g, "downsamplers.0", x, MDLDM__NONE, u->temb, out_channels,
                                 &u->resnet, MDLDM__RESAMPLE_DOWN);
        else
            x = mdldm__nn_downsample(u->g, "downsamplers.0", x, config->downsample_padding);
        keep_skip(u, x);
    }
    mdldm__graph_pop(u->g);
    return x;
}

static mdldm__tensor up_block(unet_builder *u, mdldm__tensor x, int32_t i)
{
    const mdldm__unet_config *config = u->config;
    int64_t out_channels = config->block_out_channels[config->levels - 1 - i];
    mdldm__graph_push(u->g, "up_blocks.%d", (int)i);
    for (int32_t j = 0; j < config->layers_per_block + 1; j++)
        x = layer(u, x, u->skips[--u->skip_count], j, out_channels, config->up_attention[i]);
    if (i < config->levels - 1) {
        if (config->up_resnet[i])
            x = mdldm__nn_resnet(u->g, "upsamplers.0", x, MDLDM__NONE, u->temb, out_channels, &u->resnet,
                                 MDLDM__RESAMPLE_UP);
        else
            x = mdldm__nn_upsample(u->g, "upsamplers.0", x);
    }
    mdldm__graph_pop(u->g);
    return x;
}

static mdldm__tensor mid_block(unet_builder *u, mdldm__tensor x)
{
    const mdldm__unet_config *config = u->config;
    mdldm__resnet_spec resnet = u->resnet;
    resnet.output_scale_factor = config->mid_block_scale_factor;
    mdldm__attention_spec attention = u->attention;
    attention.rescale_output_factor = config->mid_block_scale_factor;
    /* Unset, the attention is normalised only without scale_shift (UNetMidBlock2D). */
    attention.groups = config->attn_norm_num_groups > 0 ? config->attn_norm_num_groups
                       : config->scale_shift            ? 0
                                                        : config->norm_num_groups;
    return mdldm__nn_mid_block(u->g, "mid_block", x, u->temb, &resnet,
                               config->add_attention ? &attention : NULL);
}

/* Time and class embeddings, summed: [n,1,1,d]. */
static mdldm__tensor embedding(mdldm__graph *g, const mdldm__component *c, int64_t n)
{
    const mdldm__unet_config *config = &c->unet;
    int64_t dim = config->time_embedding_dim > 0 ? config->time_embedding_dim
                                                 : 4 * (int64_t)config->block_out_channels[0];
    int32_t width = mdldm__unet_time_width(c);
    mdldm__tensor t = mdldm__graph_input(g, "time_proj", MDLDM_F32, n, 1, 1, width);
    mdldm__tensor e = mdldm__nn_timestep_embedding(g, "time_embedding", mdldm__graph_cast(g, t, g->act), dim);
    mdldm__tensor label = MDLDM__NONE; /* [n,1,1,d] */
    if (config->class_embed_timestep) {
        label = mdldm__graph_input(g, "class_proj", MDLDM_F32, n, 1, 1, width);
        label = mdldm__nn_timestep_embedding(g, "class_embedding", mdldm__graph_cast(g, label, g->act), dim);
    } else if (config->num_class_embeds > 0) {
        mdldm__tensor index = mdldm__graph_input(g, "label", MDLDM_I32, n, 1, 1, 1);
        mdldm__graph_push(g, "class_embedding");
        mdldm__tensor table = mdldm__graph_param(g, "weight", 2, config->num_class_embeds, dim, 1, 1,
                                                 MDLDM__INIT_NORMAL, 1.0f);
        label = mdldm__graph_embedding(g, table, index);
        mdldm__graph_pop(g);
    }
    return label != MDLDM__NONE ? mdldm__graph_add(g, e, label, 1.0f, 1.0f) : e;
}

mdldm__tensor mdldm__unet_describe(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                   int64_t w)
{
    const mdldm__unet_config *config = &c->unet;
    unet_builder u = {.g = g, .config = config};
    u.resnet = (mdldm__resnet_spec){.groups = config->norm_num_groups,
                                    .eps = config->norm_eps,
                                    .scale_shift = config->scale_shift,
                                    .output_scale_factor = 1.0f,
                                    .dropout = config->dropout};
    u.attention = (mdldm__attention_spec){.head_dim = config->attention_head_dim,
                                          .groups = config->norm_num_groups,
                                          .eps = config->norm_eps,
                                          .rescale_output_factor = 1.0f};

    g->q8_groups = config->q8_groups;
    mdldm__tensor x = mdldm__graph_input(g, "sample", MDLDM_F32, n, h, w, config->in_channels);
    /* GaussianFourierProjection(scale=16): frequencies that are drawn once and never trained. They are
     * read on the host (mdldm__unet_time_proj), so only the declaration concerns the graph. */
    if (config->fourier && g->declare)
        mdldm__graph_buffer(g, "time_proj.weight", 1, config->block_out_channels[0], 1, 1, 1,
                            MDLDM__INIT_NORMAL, 16.0f);
    u.temb = mdldm__graph_silu(g, embedding(g, c, n));
    x = mdldm__graph_cast(g, x, g->act);
    if (config->center_input_sample)
        x = mdldm__graph_scale(g, x, MDLDM__NONE, 2.0f, -1.0f);

    x = mdldm__nn_conv(g, "conv_in", x, MDLDM__NONE, config->block_out_channels[0], 3); /* [n,h,w,c0] */
    keep_skip(&u, x);
    for (int32_t i = 0; i < config->levels; i++)
        x = down_block(&u, x, i);
    if (config->mid_block)
        x = mid_block(&u, x);
    for (int32_t i = 0; i < config->levels; i++)
        x = up_block(&u, x, i);
    x = mdldm__nn_group_norm(g, "conv_norm_out", x, MDLDM__NONE, MDLDM__NONE, config->norm_num_groups,
                             config->norm_eps, 1);
    x = mdldm__nn_conv(g, "conv_out", x, MDLDM__NONE, config->out_channels, 3);
    x = mdldm__graph_cast(g, x, MDLDM_F32);
    if (config->fourier) { /* sample / timestep */
        mdldm__tensor s = mdldm__graph_input(g, "timestep", MDLDM_F32, n, 1, 1, 1);
        x = mdldm__graph_scale(g, x, s, 1.0f, 0.0f);
    }
    mdldm__graph_name(g, x, "output");
    return x;
}
