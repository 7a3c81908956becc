/* SPDX-License-Identifier: MIT */
#include "train_setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "temp_dir.h"

static void must(mdldm_context *ctx, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s: %s", mdldm_status_name(status), mdldm_context_error(ctx));
}

mdldm_context *train_context(const char *backend)
{
    mdldm_context *ctx = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    must(ctx, mdldm_context_set_threads(ctx, 1));
    must(ctx, mdldm_context_use_backend(ctx, backend != NULL ? backend : "reference"));
    return ctx;
}

void train_make_images(mdldm_context *ctx, const char *folder, int count)
{
    enum { SIDE = TRAIN_RESOLUTION };
    mkdir(folder, 0777);
    for (int person = 0; person < 2; person++) {
        char sub[600];
        snprintf(sub, sizeof sub, "%s/%c", folder, 'A' + person);
        mkdir(sub, 0777);
        for (int i = 0; i < count; i++) {
            uint8_t rgb[SIDE * SIDE * 3];
            for (int y = 0; y < SIDE; y++)
                for (int x = 0; x < SIDE; x++) {
                    const int wave = (x + i) * (person + 1) % 8 * 32, middle = y > 5 && y < 10 ? 255 : 0;
                    uint8_t *p = rgb + 3 * (y * SIDE + x);
                    p[0] = (uint8_t)wave;
                    p[1] = (uint8_t)middle;
                    p[2] = (uint8_t)(255 - wave);
                }
            char path[700];
            snprintf(path, sizeof path, "%s/%d.png", sub, i + 1);
            must(ctx, mdldm_image_write(ctx, path, rgb, SIDE, SIDE));
        }
    }
}

mdldm_options *train_options(mdldm_context *ctx, const char *const *pairs)
{
    static const char *const small[] = {"train_batch_size", "2", "eval_batch_size", "3", "lr_warmup_steps", "0",
                                        "lr_scheduler", "constant", "learning_rate", "2e-3", "resolution", "16",
                                        "validation_gap", "1", "validation_fraction", "0.2", NULL};
    mdldm_options *options = NULL;
    must(ctx, mdldm_options_create(ctx, &options));
    for (int i = 0; small[i] != NULL; i += 2)
        must(ctx, mdldm_options_parse(ctx, options, small[i], small[i + 1]));
    for (int i = 0; pairs != NULL && pairs[i] != NULL; i += 2)
        must(ctx, mdldm_options_parse(ctx, options, pairs[i], pairs[i + 1]));
    return options;
}

mdldm_dataset *train_dataset(mdldm_context *ctx, const char *folder)
{
    mdldm_dataset *d = NULL;
    mdldm_options *options = train_options(ctx, NULL);
    must(ctx, mdldm_dataset_open(ctx, folder, options, &d));
    mdldm_options_free(options);
    return d;
}

static mdldm_model *create(mdldm_context *ctx, const char *const *pairs)
{
    mdldm_model *m = NULL;
    mdldm_options *options = train_options(ctx, pairs);
    must(ctx, mdldm_model_create(ctx, options, &m));
    mdldm_options_free(options);
    return m;
}

mdldm_model *train_autoencoder(mdldm_context *ctx, const char *folder, int64_t seed)
{
    return train_autoencoder_of(ctx, folder, seed, "RGB");
}

mdldm_model *train_autoencoder_of(mdldm_context *ctx, const char *folder, int64_t seed, const char *image_mode)
{
    static const char config[] =
        "{\"_class_name\": \"VQModel\", \"in_channels\": 3, \"out_channels\": 3, \"latent_channels\": 3,\n"
        " \"block_out_channels\": [8, 16], \"layers_per_block\": 1, \"norm_num_groups\": 4,\n"
        " \"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\"],\n"
        " \"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"],\n"
        " \"num_vq_embeddings\": 32, \"mid_block_add_attention\": false}\n";
    char path[700], text[32];
    snprintf(path, sizeof path, "%s/vq.json", folder);
    temp_write(path, config, sizeof config - 1);
    snprintf(text, sizeof text, "%lld", (long long)seed);
    return create(ctx, (const char *const[]){"model_config_name_or_path", path, "components", "autoencoder",
                                             "seed", text, "image_mode", image_mode, NULL});
}

mdldm_model *train_unet(mdldm_context *ctx, const char *folder, const char *vae, int64_t seed)
{
    static const char config[] =
        "{\"_class_name\": \"UNet2DModel\", \"sample_size\": 8, \"in_channels\": 3, \"out_channels\": 3,\n"
        " \"block_out_channels\": [8, 16], \"layers_per_block\": 1, \"norm_num_groups\": 4,\n"
        " \"attention_head_dim\": 8, \"dropout\": 0.1,\n"
        " \"down_block_types\": [\"DownBlock2D\", \"AttnDownBlock2D\"],\n"
        " \"up_block_types\": [\"AttnUpBlock2D\", \"UpBlock2D\"]}\n";
    char path[700], text[32];
    snprintf(path, sizeof path, "%s/unet.json", folder);
    temp_write(path, config, sizeof config - 1);
    snprintf(text, sizeof text, "%lld", (long long)seed);
    return create(ctx, (const char *const[]){"model_config_name_or_path", path, "components", "all", "vae_path",
                                             vae, "class_names", "A/B", "seed", text, NULL});
}
