/* SPDX-License-Identifier: MIT
 * VQModel and AutoencoderKL as graphs: diffusers' Encoder, Decoder and the 1x1 convolutions and the
 * codebook between them. H, W: pixels; h, w: latents; f = H/h. */
#include <stdio.h>

#include "models/model.h"
#include "nn/layers.h"

static const float NORM_EPS = 1e-6f; /* diffusers' Encoder and Decoder, whatever the config says */

static mdldm__resnet_spec resnet_spec(const mdldm__autoencoder_config *config)
{
    return (mdldm__resnet_spec){.groups = config->norm_num_groups,
                                .eps = NORM_EPS,
                                .scale_shift = 0,
                                .output_scale_factor = 1.0f,
                                .dropout = 0.0f};
}

static mdldm__attention_spec attention_spec(const mdldm__autoencoder_config *config)
{
    return (mdldm__attention_spec){.head_dim = 0,
                                   .groups = config->norm_num_groups,
                                   .eps = NORM_EPS,
                                   .rescale_output_factor = 1.0f};
}

/* count resnets, each followed by attention where asked for; [n,.,.,c] -> [n,.,.,out_channels]. */
static mdldm__tensor block_layers(mdldm__graph *g, mdldm__tensor x, int32_t count, int64_t out_channels,
                                  int32_t attention, const mdldm__autoencoder_config *config)
{
    mdldm__resnet_spec resnet = resnet_spec(config);
    mdldm__attention_spec attend = attention_spec(config);
    for (int32_t j = 0; j < count; j++) {
        char name[32];
        snprintf(name, sizeof name, "resnets.%d", (int)j);
        x = mdldm__nn_resnet(g, name, x, MDLDM__NONE, MDLDM__NONE, out_channels, &resnet,
                             MDLDM__RESAMPLE_NONE);
        snprintf(name, sizeof name, "attentions.%d", (int)j);
        if (attention)
            x = mdldm__nn_attention(g, name, x, &attend);
    }
    return x;
}

/* pixels [n,H,W,in] -> [n,h,w,out_channels] */
static mdldm__tensor encoder(mdldm__graph *g, mdldm__tensor x, int64_t out_channels,
                             const mdldm__autoencoder_config *config)
{
    mdldm__resnet_spec resnet = resnet_spec(config);
    mdldm__attention_spec attend = attention_spec(config);
    mdldm__graph_push(g, "encoder");
    x = mdldm__nn_conv(g, "conv_in", x, MDLDM__NONE, config->block_out_channels[0], 3);
    for (int32_t i = 0; i < config->levels; i++) {
        mdldm__graph_push(g, "down_blocks.%d", (int)i);
        x = block_layers(g, x, config->layers_per_block, config->block_out_channels[i],
                         config->down_attention[i], config);
        if (i < config->levels - 1)
            x = mdldm__nn_downsample(g, "downsamplers.0", x, 0);
        mdldm__graph_pop(g);
    }
    x = mdldm__nn_mid_block(g, "mid_block", x, MDLDM__NONE, &resnet,
                            config->mid_block_add_attention ? &attend : NULL);
    x = mdldm__nn_group_norm(g, "conv_norm_out", x, MDLDM__NONE, MDLDM__NONE, config->norm_num_groups,
                             NORM_EPS, 1);
    x = mdldm__nn_conv(g, "conv_out", x, MDLDM__NONE, out_channels, 3);
    mdldm__graph_pop(g);
    return x;
}

/* [n,h,w,latent] -> pixels [n,H,W,out] */
static mdldm__tensor decoder(mdldm__graph *g, mdldm__tensor x, const mdldm__autoencoder_config *config)
{
    mdldm__resnet_spec resnet = resnet_spec(config);
    mdldm__attention_spec attend = attention_spec(config);
    int32_t last = config->levels - 1;
    mdldm__graph_push(g, "decoder");
    x = mdldm__nn_conv(g, "conv_in", x, MDLDM__NONE, config->block_out_channels[last], 3);
    x = mdldm__nn_mid_block(g, "mid_block", x, MDLDM__NONE, &resnet,
                            config->mid_block_add_attention ? &attend : NULL);
    for (int32_t i = 0; i < config->levels; i++) {
        mdldm__graph_push(g, "up_blocks.%d", (int)i);
        x = block_layers(g, x, config->layers_per_block + 1, config->block_out_channels[last - i],
                         config->up_attention[i], config);
        if (i < last)
            x = mdldm__nn_upsample(g, "upsamplers.0", x);
        mdldm__graph_pop(g);
    }
    x = mdldm__nn_group_norm(g, "conv_norm_out", x, MDLDM__NONE, MDLDM__NONE, config->norm_num_groups,
                             NORM_EPS, 1);
    x = mdldm__nn_conv(g, "conv_out", x, MDLDM__NONE, config->out_channels, 3);
    mdldm__graph_pop(g);
    return x;
}

int32_t mdldm__autoencoder_latent_channels(const mdldm__component *c)
{
    return c->kind == MDLDM__VQ_MODEL ? c->ae.vq_embed_dim : c->ae.latent_channels;
}

mdldm__tensor mdldm__autoencoder_codebook(mdldm__graph *g, const mdldm__component *c)
{
    /* diffusers' VectorQuantizer starts uniform within one over the number of codes. */
    mdldm__graph_push(g, "quantize.embedding");
    mdldm__tensor codebook = mdldm__graph_param(g, "weight", 2, c->ae.num_vq_embeddings, c->ae.vq_embed_dim,
                                                1, 1, MDLDM__INIT_UNIFORM,
                                                1.0f / (float)c->ae.num_vq_embeddings);
    mdldm__graph_pop(g);
    return codebook;
}

mdldm__tensor mdldm__autoencoder_encode(mdldm__graph *g, const mdldm__component *c, mdldm__tensor pixels)
{
    const mdldm__autoencoder_config *config = &c->ae;
    int vq = c->kind == MDLDM__VQ_MODEL;
    int32_t width = vq ? config->latent_channels : 2 * config->latent_channels;
    mdldm__tensor x = mdldm__graph_cast(g, pixels, g->act);
    x = encoder(g, x, width, config); /* [n,h,w,width] */
    if (config->use_quant_conv)
        x = mdldm__nn_conv(g, "quant_conv", x, MDLDM__NONE, vq ? config->vq_embed_dim : width, 1);
    return mdldm__graph_cast(g, x, MDLDM_F32);
}

mdldm__tensor mdldm__autoencoder_decode(mdldm__graph *g, const mdldm__component *c, mdldm__tensor latent)
{
    mdldm__tensor x = mdldm__graph_cast(g, latent, g->act);
    if (c->ae.use_post_quant_conv)
        x = mdldm__nn_conv(g, "post_quant_conv", x, MDLDM__NONE, c->ae.latent_channels, 1);
    x = decoder(g, x, &c->ae);
    return mdldm__graph_cast(g, x, MDLDM_F32);
}

static void finish(mdldm__graph *g, mdldm__tensor t, const char *name)
{
    mdldm__graph_name(g, t, name);
    mdldm__graph_output(g, t);
}

void mdldm__autoencoder_encode_graph(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                     int64_t w)
{
    mdldm__tensor x = mdldm__graph_input(g, "pixels", MDLDM_F32, n, h, w, c->ae.in_channels);
    finish(g, mdldm__autoencoder_encode(g, c, x), c->kind == MDLDM__VQ_MODEL ? "latent" : "moments");
}

void mdldm__autoencoder_quantize_graph(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                       int64_t w)
{
    mdldm__tensor z = mdldm__graph_input(g, "latent", MDLDM_F32, n, h, w, c->ae.vq_embed_dim);
    mdldm__vq_result vq = mdldm__graph_vq(g, z, mdldm__autoencoder_codebook(g, c), 0.0f, 0.0f);
    finish(g, vq.quantized, "quantized");
    finish(g, vq.codes, "codes");
}

void mdldm__autoencoder_decode_graph(mdldm__graph *g, const mdldm__component *c, int64_t n, int64_t h,
                                     int64_t w, int32_t quantize)
{
    mdldm__tensor z = mdldm__graph_input(g, "latent", MDLDM_F32, n, h, w,
                                         mdldm__autoencoder_latent_channels(c));
    if (quantize && c->kind == MDLDM__VQ_MODEL)
        z = mdldm__graph_vq(g, z, mdldm__autoencoder_codebook(g, c), 0.0f, 0.0f).quantized;
    finish(g, mdldm__autoencoder_decode(g, c, z), "pixels");
}
