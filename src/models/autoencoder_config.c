/* SPDX-License-Identifier: MIT
 * config.json of VQModel and AutoencoderKL: every key of diffusers' constructors is honoured here or
 * refused by name. Defaults are diffusers'. */
#include <stdio.h>
#include <string.h>

#include "models/config_reader.h"
#include "models/model.h"

static const char *const VQ_KEYS[] = {
    "in_channels", "out_channels", "down_block_types", "up_block_types", "block_out_channels",
    "layers_per_block", "act_fn", "latent_channels", "sample_size", "num_vq_embeddings",
    "norm_num_groups", "vq_embed_dim", "scaling_factor", "norm_type", "mid_block_add_attention",
    "lookup_from_codebook", "force_upcast", NULL};

static const char *const KL_KEYS[] = {
    "in_channels", "out_channels", "down_block_types", "up_block_types", "block_out_channels",
    "layers_per_block", "act_fn", "latent_channels", "norm_num_groups", "sample_size", "scaling_factor",
    "shift_factor", "latents_mean", "latents_std", "force_upcast", "use_quant_conv",
    "use_post_quant_conv", "mid_block_add_attention", NULL};

static void read_blocks(mdldm__config_reader *r, mdldm__autoencoder_config *out)
{
    int32_t down[MDLDM__MAX_LEVELS] = {0}, up[MDLDM__MAX_LEVELS] = {0};
    int32_t down_count = 1, up_count = 1;
    out->levels = 1;
    out->block_out_channels[0] = 64;
    mdldm__config_int_list(r, "block_out_channels", out->block_out_channels, MDLDM__MAX_LEVELS,
                           &out->levels);
    mdldm__config_choice_list(r, "down_block_types", "DownEncoderBlock2D|AttnDownEncoderBlock2D", down,
                              MDLDM__MAX_LEVELS, &down_count);
    mdldm__config_choice_list(r, "up_block_types", "UpDecoderBlock2D|AttnUpDecoderBlock2D", up,
                              MDLDM__MAX_LEVELS, &up_count);
    if (r->status == MDLDM_OK && (down_count != out->levels || up_count != out->levels))
        r->status = mdldm__error(r->env, MDLDM_ERROR_FORMAT,
                                 "%s: block_out_channels has %d entries, down_block_types %d and "
                                 "up_block_types %d; all three must have the same length",
                                 r->where, (int)out->levels, (int)down_count, (int)up_count);
    for (int32_t i = 0; i < MDLDM__MAX_LEVELS; i++) {
        out->down_attention[i] = down[i];
        out->up_attention[i] = up[i];
    }
}

static void check_groups(mdldm__config_reader *r, const mdldm__autoencoder_config *config)
{
    for (int32_t i = 0; r->status == MDLDM_OK && i < config->levels; i++)
        if (config->block_out_channels[i] % config->norm_num_groups != 0)
            r->status = mdldm__error(r->env, MDLDM_ERROR_FORMAT,
                                     "%s: key \"norm_num_groups\" is %d, which does not divide "
                                     "block_out_channels[%d] = %d",
                                     r->where, (int)config->norm_num_groups, (int)i,
                                     (int)config->block_out_channels[i]);
}

mdldm_status mdldm__autoencoder_config_parse(mdldm__env *env, const char *where, const json_t *config,
                                             mdldm__component_kind kind, mdldm__autoencoder_config *out)
{
    int vq = kind == MDLDM__VQ_MODEL;
    mdldm__config_reader r = {env, where, config, MDLDM_OK};
    memset(out, 0, sizeof *out);

    out->in_channels = mdldm__config_int(&r, "in_channels", 3, 1, 4096);
    out->out_channels = mdldm__config_int(&r, "out_channels", 3, 1, 4096);
    read_blocks(&r, out);
    out->layers_per_block = mdldm__config_int(&r, "layers_per_block", 1, 1, 64);
    mdldm__config_choice(&r, "act_fn", "silu|swish", 0, 0);
    out->latent_channels = mdldm__config_int(&r, "latent_channels", vq ? 3 : 4, 1, 4096);
    out->norm_num_groups = mdldm__config_int(&r, "norm_num_groups", 32, 1, 65536);
    int32_t sample_w;
    mdldm__config_size(&r, "sample_size", &out->sample_size, &sample_w);
    if (out->sample_size == 0)
        out->sample_size = 32;
    out->scaling_factor = (float)mdldm__config_double(&r, "scaling_factor", 0.18215, 1e-12, 1e12);
    out->mid_block_add_attention = mdldm__config_bool(&r, "mid_block_add_attention", 1);
    mdldm__config_bool(&r, "force_upcast", !vq); /* a hint for half precision; nothing to do in f32 */
    if (vq) {
        out->num_vq_embeddings = mdldm__config_int(&r, "num_vq_embeddings", 256, 1, 1 << 24);
        out->vq_embed_dim = mdldm__config_optional_int(&r, "vq_embed_dim", out->latent_channels,
                                                       out->latent_channels, 1, 4096);
        out->lookup_from_codebook = mdldm__config_bool(&r, "lookup_from_codebook", 0);
        mdldm__config_choice(&r, "norm_type", "group", 0, 0);
        out->use_quant_conv = out->use_post_quant_conv = 1;
    } else {
        out->use_quant_conv = mdldm__config_bool(&r, "use_quant_conv", 1);
        out->use_post_quant_conv = mdldm__config_bool(&r, "use_post_quant_conv", 1);
        if (mdldm__config_value(&r, "shift_factor", NULL) != NULL)
            out->shift_factor = (float)mdldm__config_double(&r, "shift_factor", 0.0, -1e12, 1e12);
        mdldm__config_must_be_null(&r, "latents_mean");
        mdldm__config_must_be_null(&r, "latents_std");
    }
    if (r.status == MDLDM_OK)
        check_groups(&r, out);
    if (r.status == MDLDM_OK)
        mdldm__config_warn_unknown(&r, vq ? VQ_KEYS : KL_KEYS);
    return r.status;
}

int32_t mdldm__autoencoder_factor(const mdldm__autoencoder_config *config)
{
    return 1 << (config->levels - 1);
}
