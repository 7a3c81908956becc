/* SPDX-License-Identifier: MIT
 * Architectures of new models, as diffusers configs. ldm-256 is the one of Rombach et al. 2022 as
 * diffusers' UNet2DModel defaults have it (274 M parameters) on a VQ-f4; small (VQ-f8) and tiny (VQ-f4)
 * are for training on two cores: few channels where the maps are large, attention only where they are
 * small. */
#include <string.h>

#include "models/model.h"

typedef struct preset {
    const char *name;
    int32_t groups;
    /* autoencoder: f = 2^(vq_levels-1) */
    int32_t vq_levels, vq_channels[4], vq_layers, vq_attention, latent_channels, codes;
    /* UNet */
    int32_t levels, channels[4], layers, head_dim;
    int32_t attention_from; /* levels from this one on have attention */
} preset;

static const preset PRESETS[] = {
    {.name = "ldm-256",
     .groups = 32,
     .vq_levels = 3,
     .vq_channels = {128, 256, 512},
     .vq_layers = 2,
     .vq_attention = 1,
     .latent_channels = 3,
     .codes = 8192,
     .levels = 4,
     .channels = {224, 448, 672, 896},
     .layers = 2,
     .head_dim = 8,
     .attention_from = 1},
    {.name = "small",
     .groups = 8,
     .vq_levels = 4,
     .vq_channels = {16, 32, 64, 128},
     .vq_layers = 1,
     .vq_attention = 0,
     .latent_channels = 4,
     .codes = 2048,
     .levels = 4,
     .channels = {64, 128, 192, 256},
     .layers = 2,
     .head_dim = 32,
     .attention_from = 1},
    {.name = "tiny",
     .groups = 8,
     .vq_levels = 3,
     .vq_channels = {16, 32, 48},
     .vq_layers = 1,
     .vq_attention = 0,
     .latent_channels = 3,
     .codes = 256,
     .levels = 3,
     .channels = {32, 64, 96},
     .layers = 1,
     .head_dim = 16,
     .attention_from = 1},
};

static json_t *int_list(const int32_t *values, int32_t count)
{
    json_t *list = json_array();
    for (int32_t i = 0; list != NULL && i < count; i++)
        if (json_array_append_new(list, json_integer(values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* count names: special at levels of [from, to), plain elsewhere. */
static json_t *block_list(const char *plain, const char *special, int32_t count, int32_t from, int32_t to)
{
    json_t *list = json_array();
    for (int32_t i = 0; list != NULL && i < count; i++)
        if (json_array_append_new(list, json_string(i >= from && i < to ? special : plain)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *autoencoder_config(const preset *p, int32_t resolution)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:i, s:s, s:i, s:i, s:i, s:i, s:n, s:f, s:s, s:b}",
                     "_class_name", "VQModel", "_diffusers_version", "0.42.0", "in_channels", 3,
                     "out_channels", 3, "down_block_types", block_list("DownEncoderBlock2D", "", p->vq_levels, 0, 0),
                     "up_block_types", block_list("UpDecoderBlock2D", "", p->vq_levels, 0, 0), "block_out_channels",
                     int_list(p->vq_channels, p->vq_levels), "layers_per_block", p->vq_layers, "act_fn", "silu",
                     "latent_channels", p->latent_channels, "sample_size", resolution, "num_vq_embeddings", p->codes,
                     "norm_num_groups", p->groups, "vq_embed_dim", "scaling_factor", 0.18215, "norm_type",
                     "group", "mid_block_add_attention", p->vq_attention);
}

static json_t *unet_config(const preset *p, int32_t resolution, int32_t num_embeds)
{
    int32_t plain = p->attention_from;
    json_t *config = json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:b, s:s, s:i, s:b, s:o, s:o, s:o, s:i, s:i, s:i, s:f, s:s, s:i, s:i, s:f, "
        "s:s, s:b, s:n}",
        "_class_name", "UNet2DModel", "_diffusers_version", "0.42.0", "sample_size", resolution >> (p->vq_levels - 1),
        "in_channels", p->latent_channels, "out_channels", p->latent_channels, "center_input_sample", 0, "time_embedding_type", "positional",
        "freq_shift", 0, "flip_sin_to_cos", 1, "down_block_types",
        block_list("DownBlock2D", "AttnDownBlock2D", p->levels, plain, p->levels), "up_block_types",
        block_list("UpBlock2D", "AttnUpBlock2D", p->levels, 0, p->levels - plain), "block_out_channels",
        int_list(p->channels, p->levels), "layers_per_block", p->layers, "mid_block_scale_factor", 1,
        "downsample_padding", 1, "dropout", 0.0, "act_fn", "silu", "attention_head_dim", p->head_dim,
        "norm_num_groups", p->groups, "norm_eps", 1e-5, "resnet_time_scale_shift", "default",
        "add_attention", 1, "class_embed_type");
    json_t *embeds = num_embeds > 0 ? json_integer(num_embeds) : json_null();
    if (json_object_set_new(config, "num_class_embeds", embeds) != 0) { /* frees embeds either way */
        json_decref(config);
        return NULL;
    }
    return config;
}

mdldm_status mdldm__preset_configs(mdldm__env *env, const char *preset_name, int32_t resolution,
                                   int32_t num_embeds, json_t **autoencoder, json_t **unet)
{
    const preset *p = NULL;
    for (size_t i = 0; i < sizeof PRESETS / sizeof *PRESETS; i++)
        if (strcmp(PRESETS[i].name, preset_name) == 0)
            p = &PRESETS[i];
    if (p == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "preset is %s: ldm-256, small or tiny is expected", preset_name);
    json_t *ae = autoencoder != NULL ? autoencoder_config(p, resolution) : NULL;
    json_t *un = unet != NULL ? unet_config(p, resolution, num_embeds) : NULL;
    if ((autoencoder != NULL && ae == NULL) || (unet != NULL && un == NULL)) {
        json_decref(ae);
        json_decref(un);
        return mdldm__oom(env, "a model's config");
    }
    if (autoencoder != NULL)
        *autoencoder = ae;
    if (unet != NULL)
        *unet = un;
    return MDLDM_OK;
}
