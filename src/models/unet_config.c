/* SPDX-License-Identifier: MIT
 * config.json of UNet2DModel: every key of diffusers' constructor is honoured here or refused by name.
 * Defaults are diffusers'. */
#include <string.h>

#include "models/config_reader.h"
#include "models/model.h"

static const char *const UNET_KEYS[] = {
    "sample_size", "in_channels", "out_channels", "center_input_sample", "time_embedding_type",
    "time_embedding_dim", "freq_shift", "flip_sin_to_cos", "down_block_types", "mid_block_type",
    "up_block_types", "block_out_channels", "layers_per_block", "mid_block_scale_factor",
    "downsample_padding", "downsample_type", "upsample_type", "dropout", "act_fn", "attention_head_dim",
    "norm_num_groups", "attn_norm_num_groups", "norm_eps", "resnet_time_scale_shift", "add_attention",
    "class_embed_type", "num_class_embeds", "num_train_timesteps", "quantization_config", NULL};

/* Indices into these lists; get_down_block and get_up_block drop the prefix "UNetRes". */
enum { BLOCK_PLAIN = 0, BLOCK_ATTENTION = 1, BLOCK_RESNET = 2 };
#define DOWN_BLOCKS                                                                              \
    "DownBlock2D|AttnDownBlock2D|ResnetDownsampleBlock2D|UNetResDownBlock2D|UNetResAttnDownBlock2D" \
    "|UNetResResnetDownsampleBlock2D"
#define UP_BLOCKS                                                                          \
    "UpBlock2D|AttnUpBlock2D|ResnetUpsampleBlock2D|UNetResUpBlock2D|UNetResAttnUpBlock2D" \
    "|UNetResResnetUpsampleBlock2D"

static void read_blocks(mdldm__config_reader *r, mdldm__unet_config *out)
{
    int32_t down[MDLDM__MAX_LEVELS] = {BLOCK_PLAIN, BLOCK_ATTENTION, BLOCK_ATTENTION, BLOCK_ATTENTION};
    int32_t up[MDLDM__MAX_LEVELS] = {BLOCK_ATTENTION, BLOCK_ATTENTION, BLOCK_ATTENTION, BLOCK_PLAIN};
    int32_t down_count = 4, up_count = 4;
    static const int32_t default_channels[4] = {224, 448, 672, 896};
    out->levels = 4;
    memcpy(out->block_out_channels, default_channels, sizeof default_channels);
    mdldm__config_int_list(r, "block_out_channels", out->block_out_channels, MDLDM__MAX_LEVELS,
                           &out->levels);
    mdldm__config_choice_list(r, "down_block_types", DOWN_BLOCKS, down, MDLDM__MAX_LEVELS, &down_count);
    mdldm__config_choice_list(r, "up_block_types", UP_BLOCKS, up, MDLDM__MAX_LEVELS, &up_count);
    if (r->status == MDLDM_OK && (down_count != out->levels || up_count != out->levels))
        r->status = mdldm__error(r->env, MDLDM_ERROR_FORMAT,
                                 "%s: block_out_channels has %d entries, down_block_types %d and "
                                 "up_block_types %d; all three must have the same length",
                                 r->where, (int)out->levels, (int)down_count, (int)up_count);
    for (int32_t i = 0; i < MDLDM__MAX_LEVELS; i++) {
        out->down_attention[i] = down[i] % 3 == BLOCK_ATTENTION;
        out->up_attention[i] = up[i] % 3 == BLOCK_ATTENTION;
        /* downsample_type and upsample_type concern the attention blocks only, as in diffusers. */
        out->down_resnet[i] = down[i] % 3 == BLOCK_RESNET ||
                              (down[i] % 3 == BLOCK_ATTENTION && out->downsample_resnet);
        out->up_resnet[i] =
            up[i] % 3 == BLOCK_RESNET || (up[i] % 3 == BLOCK_ATTENTION && out->upsample_resnet);
    }
}

static void check_widths(mdldm__config_reader *r, const mdldm__unet_config *config)
{
    for (int32_t i = 0; r->status == MDLDM_OK && i < config->levels; i++) {
        int32_t c = config->block_out_channels[i], last = config->levels - 1;
        int attends = config->down_attention[i] || config->up_attention[last - i] ||
                      (i == last && config->mid_block && config->add_attention);
        if (c % config->norm_num_groups != 0)
            r->status = mdldm__error(r->env, MDLDM_ERROR_FORMAT,
                                     "%s: key \"norm_num_groups\" is %d, which does not divide "
                                     "block_out_channels[%d] = %d",
                                     r->where, (int)config->norm_num_groups, (int)i, (int)c);
        else if (attends && config->attention_head_dim > c)
            r->status = mdldm__error(r->env, MDLDM_ERROR_FORMAT,
                                     "%s: key \"attention_head_dim\" is %d, more than "
                                     "block_out_channels[%d] = %d",
                                     r->where, (int)config->attention_head_dim, (int)i, (int)c);
    }
}

static void read_class_embedding(mdldm__config_reader *r, mdldm__unet_config *out)
{
    const json_t *type = mdldm__config_value(r, "class_embed_type", NULL);
    out->num_class_embeds = mdldm__config_optional_int(r, "num_class_embeds", 0, 0, 1, 1 << 24);
    if (type == NULL)
        return;
    const char *text = json_string_value(type);
    if (text == NULL || strcmp(text, "timestep") != 0) {
        mdldm__config_refuse(r, "class_embed_type", "null, \"timestep\"");
        return;
    }
    out->class_embed_timestep = 1;
    out->num_class_embeds = 0; /* diffusers builds no table then */
}

/* diffusers' key for quantised weights, with a method of ours, which it refuses by name:
 * {"quant_method": "mdldm_int8", "format": 1, "timestep_groups": 8} */
static void read_quantization(mdldm__config_reader *r, mdldm__unet_config *out)
{
    const json_t *object = mdldm__config_value(r, "quantization_config", NULL);
    if (object == NULL)
        return;
    const char *method = json_string_value(json_object_get(object, "quant_method"));
    if (method == NULL || strcmp(method, "mdldm_int8") != 0 ||
        json_integer_value(json_object_get(object, "format")) != 1) {
        mdldm__config_refuse(r, "quantization_config", "null, quant_method \"mdldm_int8\" of format 1");
        return;
    }
    mdldm__config_reader inner = {r->env, r->where, object, MDLDM_OK};
    out->q8_groups = mdldm__config_int(&inner, "timestep_groups", 0, 1, MDLDM__MAX_Q8_GROUPS);
    if (inner.status == MDLDM_OK && out->q8_groups == 0)
        mdldm__config_refuse(&inner, "timestep_groups", "1 to 1000");
    if (r->status == MDLDM_OK)
        r->status = inner.status;
}

mdldm_status mdldm__unet_config_parse(mdldm__env *env, const char *where, const json_t *config,
                                      mdldm__unet_config *out)
{
    mdldm__config_reader r = {env, where, config, MDLDM_OK};
    memset(out, 0, sizeof *out);

    mdldm__config_size(&r, "sample_size", &out->sample_h, &out->sample_w);
    out->in_channels = mdldm__config_int(&r, "in_channels", 3, 1, 4096);
    out->out_channels = mdldm__config_int(&r, "out_channels", 3, 1, 4096);
    out->center_input_sample = mdldm__config_bool(&r, "center_input_sample", 0);
    out->fourier = mdldm__config_choice(&r, "time_embedding_type", "positional|fourier", 0, 0);
    out->time_embedding_dim = mdldm__config_optional_int(&r, "time_embedding_dim", 0, 0, 0, 65536);
    out->freq_shift = (float)mdldm__config_double(&r, "freq_shift", 0.0, -1e6, 1e6);
    out->flip_sin_to_cos = mdldm__config_bool(&r, "flip_sin_to_cos", 1);
    out->downsample_padding = mdldm__config_int(&r, "downsample_padding", 1, 0, 1);
    out->downsample_resnet = mdldm__config_choice(&r, "downsample_type", "conv|resnet", 0, 1);
    out->upsample_resnet = mdldm__config_choice(&r, "upsample_type", "conv|resnet", 0, 1);
    read_blocks(&r, out);
    int mid_null;
    const json_t *mid = mdldm__config_value(&r, "mid_block_type", &mid_null);
    out->mid_block = !mid_null;
    if (mid != NULL)
        mdldm__config_choice(&r, "mid_block_type", "UNetMidBlock2D", 0, 1);
    out->layers_per_block = mdldm__config_int(&r, "layers_per_block", 2, 1, 64);
    out->mid_block_scale_factor = (float)mdldm__config_double(&r, "mid_block_scale_factor", 1.0, 1e-6, 1e6);
    out->dropout = (float)mdldm__config_double(&r, "dropout", 0.0, 0.0, 0.999);
    mdldm__config_choice(&r, "act_fn", "silu|swish", 0, 0);
    out->attention_head_dim = mdldm__config_optional_int(&r, "attention_head_dim", 8, 0, 1, 65536);
    out->norm_num_groups = mdldm__config_int(&r, "norm_num_groups", 32, 1, 65536);
    out->attn_norm_num_groups = mdldm__config_optional_int(&r, "attn_norm_num_groups", 0, 0, 1, 65536);
    out->norm_eps = (float)mdldm__config_double(&r, "norm_eps", 1e-5, 0.0, 1.0);
    out->scale_shift = mdldm__config_choice(&r, "resnet_time_scale_shift", "default|scale_shift", 0, 0);
    out->add_attention = mdldm__config_bool(&r, "add_attention", 1);
    read_class_embedding(&r, out);
    read_quantization(&r, out);
    /* num_train_timesteps matters for time_embedding_type "learned" only, which is refused above. */
    mdldm__config_optional_int(&r, "num_train_timesteps", 0, 0, 1, 1 << 30);
    if (r.status == MDLDM_OK && !out->fourier &&
        (float)(out->block_out_channels[0] / 2) <= out->freq_shift)
        mdldm__config_refuse(&r, "freq_shift", "less than half of block_out_channels[0]");
    if (r.status == MDLDM_OK)
        check_widths(&r, out);
    if (r.status == MDLDM_OK)
        mdldm__config_warn_unknown(&r, UNET_KEYS);
    return r.status;
}
