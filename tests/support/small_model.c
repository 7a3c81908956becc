/* SPDX-License-Identifier: MIT */
#include "small_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "temp_dir.h"

#define AUTOENCODER_KEYS                                                                               \
    "\"block_out_channels\": [4, 8], \"norm_num_groups\": 2, \"latent_channels\": 3, "                 \
    "\"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\"], \"scaling_factor\": 0.5, " \
    "\"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"], \"sample_size\": 16}"

const char *const small_vq_config =
    "{\"_class_name\": \"VQModel\", \"num_vq_embeddings\": 11, " AUTOENCODER_KEYS;
const char *const small_kl_config = "{\"_class_name\": \"AutoencoderKL\", " AUTOENCODER_KEYS;
const char *const small_unet_config =
    "{\"_class_name\": \"UNet2DModel\", \"block_out_channels\": [4, 8], \"norm_num_groups\": 2, "
    "\"down_block_types\": [\"DownBlock2D\", \"AttnDownBlock2D\"], \"layers_per_block\": 1, "
    "\"up_block_types\": [\"AttnUpBlock2D\", \"UpBlock2D\"], \"attention_head_dim\": 4}";

static void write_text(const char *folder, const char *name, const char *text)
{
    temp_write(temp_path(folder, name), text, strlen(text));
}

void small_model_configs(const char *folder, const char *autoencoder)
{
    mkdir(temp_path(folder, "vqvae"), 0777);
    mkdir(temp_path(folder, "unet"), 0777);
    write_text(folder, "vqvae/config.json", autoencoder);
    write_text(folder, "unet/config.json", small_unet_config);
    write_text(folder, "model_index.json",
               "{\"_class_name\": \"LDMPipeline\", \"vqvae\": [\"diffusers\", \"VQModel\"], "
               "\"unet\": [\"diffusers\", \"UNet2DModel\"]}");
}

mdldm_status small_model_create(mdldm_context *ctx, const char *folder, int classes, mdldm_model **out)
{
    mdldm_options *options = NULL;
    *out = NULL;
    mdldm_status status = mdldm_options_create(ctx, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "model_config_name_or_path", folder);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "preset", "tiny");
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "resolution", 16);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "num_classes", classes);
    if (status == MDLDM_OK)
        status = mdldm_model_create(ctx, options, out);
    mdldm_options_free(options);
    return status;
}
