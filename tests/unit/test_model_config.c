/* SPDX-License-Identifier: MIT
 * Every config key: honoured, or refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "models/model.h"

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, 0, &error);
    if (object == NULL)
        fail_msg("bad test JSON %s: %s", text, error.text);
    return object;
}

static void defaults_are_diffusers(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    json_t *empty = json_object();
    mdldm__autoencoder_config vq, kl;
    mdldm__unet_config unet;
    assert_int_equal(mdldm__autoencoder_config_parse(&env, "x", empty, MDLDM__VQ_MODEL, &vq), MDLDM_OK);
    assert_int_equal(vq.in_channels, 3);
    assert_int_equal(vq.out_channels, 3);
    assert_int_equal(vq.levels, 1);
    assert_int_equal(vq.block_out_channels[0], 64);
    assert_int_equal(vq.layers_per_block, 1);
    assert_int_equal(vq.latent_channels, 3);
    assert_int_equal(vq.vq_embed_dim, 3);
    assert_int_equal(vq.num_vq_embeddings, 256);
    assert_int_equal(vq.norm_num_groups, 32);
    assert_int_equal(vq.sample_size, 32);
    assert_int_equal(vq.mid_block_add_attention, 1);
    assert_float_equal(vq.scaling_factor, 0.18215f, 0);
    assert_int_equal(mdldm__autoencoder_factor(&vq), 1);
    assert_int_equal(mdldm__autoencoder_config_parse(&env, "x", empty, MDLDM__AUTOENCODER_KL, &kl), MDLDM_OK);
    assert_int_equal(kl.latent_channels, 4);
    assert_int_equal(kl.use_quant_conv, 1);
    assert_int_equal(kl.use_post_quant_conv, 1);
    assert_float_equal(kl.shift_factor, 0.0f, 0);
    assert_int_equal(mdldm__unet_config_parse(&env, "x", empty, &unet), MDLDM_OK);
    assert_int_equal(unet.levels, 4);
    static const int32_t channels[] = {224, 448, 672, 896};
    assert_memory_equal(unet.block_out_channels, channels, sizeof channels);
    static const int32_t down[] = {0, 1, 1, 1}, up[] = {1, 1, 1, 0};
    assert_memory_equal(unet.down_attention, down, sizeof down);
    assert_memory_equal(unet.up_attention, up, sizeof up);
    assert_int_equal(unet.layers_per_block, 2);
    assert_int_equal(unet.attention_head_dim, 8);
    assert_int_equal(unet.norm_num_groups, 32);
    assert_int_equal(unet.flip_sin_to_cos, 1);
    assert_int_equal(unet.downsample_padding, 1);
    assert_int_equal(unet.add_attention, 1);
    assert_int_equal(unet.mid_block, 1);
    assert_int_equal(unet.sample_h, 0);
    assert_int_equal(unet.num_class_embeds, 0);
    assert_float_equal(unet.norm_eps, 1e-5f, 0);
    assert_float_equal(unet.mid_block_scale_factor, 1.0f, 0);
    json_decref(empty);
}

/* Keys that a file states under "_use_default_values" take the default, as from_pretrained does. */
static void use_default_values_are_skipped(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    json_t *config = parse("{\"norm_eps\": 0.5, \"layers_per_block\": 7, \"_use_default_values\": [\"norm_eps\"]}");
    mdldm__unet_config unet;
    assert_int_equal(mdldm__unet_config_parse(&env, "x", config, &unet), MDLDM_OK);
    assert_float_equal(unet.norm_eps, 1e-5f, 0);
    assert_int_equal(unet.layers_per_block, 7);
    json_decref(config);
}

static void values_are_honoured(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    json_t *config = parse(
        "{\"sample_size\": [24, 40], \"in_channels\": 4, \"out_channels\": 8, \"center_input_sample\": true, "
        "\"time_embedding_type\": \"fourier\", \"time_embedding_dim\": 48, \"freq_shift\": 1, "
        "\"flip_sin_to_cos\": false, \"down_block_types\": [\"AttnDownBlock2D\", \"ResnetDownsampleBlock2D\"], "
        "\"mid_block_type\": null, \"up_block_types\": [\"UNetResUpBlock2D\", \"AttnUpBlock2D\"], "
        "\"block_out_channels\": [32, 64], \"layers_per_block\": 3, \"mid_block_scale_factor\": 2, "
        "\"downsample_padding\": 0, \"downsample_type\": \"resnet\", \"upsample_type\": null, \"dropout\": 0.25, "
        "\"act_fn\": \"swish\", \"attention_head_dim\": null, \"norm_num_groups\": 16, "
        "\"attn_norm_num_groups\": 4, \"norm_eps\": 1e-6, \"resnet_time_scale_shift\": \"scale_shift\", "
        "\"add_attention\": false, \"class_embed_type\": null, \"num_class_embeds\": 9, "
        "\"num_train_timesteps\": 100}");
    mdldm__unet_config u;
    assert_int_equal(mdldm__unet_config_parse(&env, "x", config, &u), MDLDM_OK);
    assert_int_equal(u.sample_h, 24);
    assert_int_equal(u.sample_w, 40);
    assert_int_equal(u.in_channels, 4);
    assert_int_equal(u.out_channels, 8);
    assert_int_equal(u.center_input_sample, 1);
    assert_int_equal(u.fourier, 1);
    assert_int_equal(u.time_embedding_dim, 48);
    assert_float_equal(u.freq_shift, 1.0f, 0);
    assert_int_equal(u.flip_sin_to_cos, 0);
    assert_int_equal(u.down_attention[0], 1);
    assert_int_equal(u.down_resnet[0], 1);
    assert_int_equal(u.down_attention[1], 0);
    assert_int_equal(u.down_resnet[1], 1);
    assert_int_equal(u.up_attention[0], 0);
    assert_int_equal(u.up_resnet[0], 0);
    assert_int_equal(u.up_attention[1], 1);
    assert_int_equal(u.up_resnet[1], 0);
    assert_int_equal(u.mid_block, 0);
    assert_int_equal(u.layers_per_block, 3);
    assert_float_equal(u.mid_block_scale_factor, 2.0f, 0);
    assert_int_equal(u.downsample_padding, 0);
    assert_float_equal(u.dropout, 0.25f, 0);
    assert_int_equal(u.attention_head_dim, 0);
    assert_int_equal(u.norm_num_groups, 16);
    assert_int_equal(u.attn_norm_num_groups, 4);
    assert_float_equal(u.norm_eps, 1e-6f, 0);
    assert_int_equal(u.scale_shift, 1);
    assert_int_equal(u.add_attention, 0);
    assert_int_equal(u.num_class_embeds, 9);
    json_decref(config);
}

/* The sentence names the file and the key. */
static void refused(mdldm__component_kind kind, const char *text, const char *key)
{
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    json_t *config = parse(text);
    mdldm__autoencoder_config ae;
    mdldm__unet_config unet;
    mdldm_status status = kind == MDLDM__UNET_2D
                              ? mdldm__unet_config_parse(&env, "dir/config.json", config, &unet)
                              : mdldm__autoencoder_config_parse(&env, "dir/config.json", config, kind, &ae);
    if (status != MDLDM_ERROR_UNSUPPORTED && status != MDLDM_ERROR_FORMAT)
        fail_msg("%s gave %s", text, mdldm_status_name(status));
    if (strncmp(env.error, "dir/config.json: ", 17) != 0 || strstr(env.error, key) == NULL)
        fail_msg("%s gave \"%s\", which does not name %s", text, env.error, key);
    json_decref(config);
}

static void unet_refusals(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"time_embedding_type\": \"learned\"}", "time_embedding_type"},
        {"{\"time_embedding_type\": null}", "time_embedding_type"},
        {"{\"class_embed_type\": \"identity\"}", "class_embed_type"},
        {"{\"class_embed_type\": 3}", "class_embed_type"},
        {"{\"act_fn\": \"mish\"}", "act_fn"},
        {"{\"act_fn\": null}", "act_fn"},
        {"{\"resnet_time_scale_shift\": \"ada_group\"}", "resnet_time_scale_shift"},
        {"{\"downsample_type\": \"fir\"}", "downsample_type"},
        {"{\"upsample_type\": \"fir\"}", "upsample_type"},
        {"{\"mid_block_type\": \"UNetMidBlock2DCrossAttn\"}", "mid_block_type"},
        {"{\"down_block_types\": [\"SkipDownBlock2D\"]}", "down_block_types"},
        {"{\"up_block_types\": [\"AttnSkipUpBlock2D\"]}", "up_block_types"},
        {"{\"down_block_types\": \"DownBlock2D\"}", "down_block_types"},
        {"{\"down_block_types\": [7]}", "down_block_types"},
        {"{\"block_out_channels\": [224, 448]}", "block_out_channels"},
        {"{\"block_out_channels\": []}", "block_out_channels"},
        {"{\"block_out_channels\": [0, 1, 2, 3]}", "block_out_channels"},
        {"{\"block_out_channels\": [32, 64, 1e99, 3]}", "block_out_channels"},
        {"{\"downsample_padding\": 2}", "downsample_padding"},
        {"{\"norm_num_groups\": 30}", "norm_num_groups"},
        {"{\"norm_num_groups\": null}", "norm_num_groups"},
        {"{\"norm_num_groups\": 0}", "norm_num_groups"},
        {"{\"norm_num_groups\": 1.5}", "norm_num_groups"},
        {"{\"norm_eps\": \"1e-5\"}", "norm_eps"},
        {"{\"norm_eps\": -1}", "norm_eps"},
        {"{\"dropout\": 1}", "dropout"},
        {"{\"attention_head_dim\": 1000}", "attention_head_dim"},
        {"{\"attention_head_dim\": 0}", "attention_head_dim"},
        {"{\"in_channels\": -3}", "in_channels"},
        {"{\"out_channels\": true}", "out_channels"},
        {"{\"layers_per_block\": 0}", "layers_per_block"},
        {"{\"center_input_sample\": 1}", "center_input_sample"},
        {"{\"flip_sin_to_cos\": \"yes\"}", "flip_sin_to_cos"},
        {"{\"freq_shift\": 112}", "freq_shift"},
        {"{\"sample_size\": [1, 2, 3]}", "sample_size"},
        {"{\"sample_size\": 0}", "sample_size"},
        {"{\"num_class_embeds\": -1}", "num_class_embeds"},
        {"{\"mid_block_scale_factor\": 0}", "mid_block_scale_factor"},
        {"{\"add_attention\": null}", "add_attention"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(MDLDM__UNET_2D, cases[i][0], cases[i][1]);
}

static void autoencoder_refusals(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"norm_type\": \"spatial\"}", "norm_type"},
        {"{\"act_fn\": \"gelu\"}", "act_fn"},
        {"{\"down_block_types\": [\"DownBlock2D\"]}", "down_block_types"},
        {"{\"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]}", "up_block_types"},
        {"{\"num_vq_embeddings\": 0}", "num_vq_embeddings"},
        {"{\"vq_embed_dim\": 0}", "vq_embed_dim"},
        {"{\"scaling_factor\": 0}", "scaling_factor"},
        {"{\"scaling_factor\": null}", "scaling_factor"},
        {"{\"norm_num_groups\": 7}", "norm_num_groups"},
        {"{\"lookup_from_codebook\": 2}", "lookup_from_codebook"},
        {"{\"mid_block_add_attention\": null}", "mid_block_add_attention"},
        {"{\"latent_channels\": \"3\"}", "latent_channels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(MDLDM__VQ_MODEL, cases[i][0], cases[i][1]);
    refused(MDLDM__AUTOENCODER_KL, "{\"latents_mean\": [0.0, 0.0, 0.0, 0.0]}", "latents_mean");
    refused(MDLDM__AUTOENCODER_KL, "{\"latents_std\": [1.0, 1.0, 1.0, 1.0]}", "latents_std");
    refused(MDLDM__AUTOENCODER_KL, "{\"shift_factor\": \"a\"}", "shift_factor");
    refused(MDLDM__AUTOENCODER_KL, "{\"use_quant_conv\": 0}", "use_quant_conv");
}

static void note_warning(void *user, int32_t level, const char *text)
{
    if (level == 1)
        snprintf(user, 256, "%s", text);
}

static void unknown_keys_are_logged(void **state)
{
    (void)state;
    char text[256] = "";
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    env.log = note_warning;
    env.log_user = text;
    json_t *config = parse("{\"_private\": 1, \"flavour\": 2}");
    mdldm__unet_config unet;
    assert_int_equal(mdldm__unet_config_parse(&env, "x", config, &unet), MDLDM_OK);
    assert_string_equal(text, "x: key \"flavour\" is unknown and ignored");
    json_decref(config);
}

static void other_classes_are_refused(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    static const char *const configs[] = {"{\"_class_name\": \"UNet2DConditionModel\"}", "{}",
                                          "{\"_class_name\": 5}"};
    for (size_t i = 0; i < 3; i++) {
        mdldm__component *c;
        assert_int_equal(mdldm__component_create(&env, "x", parse(configs[i]), &c), MDLDM_ERROR_UNSUPPORTED);
        assert_null(c);
        assert_non_null(strstr(env.error, "_class_name"));
    }
}

/* attn_norm_num_groups is checked where the layer is made: the sentence names layer and file. */
static void groups_that_do_not_divide(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    mdldm__component *c;
    json_t *config = parse("{\"_class_name\": \"UNet2DModel\", \"attn_norm_num_groups\": 5}");
    assert_int_equal(mdldm__component_create(&env, "dir/config.json", config, &c), MDLDM_ERROR_UNSUPPORTED);
    assert_non_null(strstr(env.error, "dir/config.json: mid_block.attentions.0.group_norm"));
}

/* Counts of the presets as diffusers has them (tests/interop/compare_names.py compares each tensor). */
static void presets(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    static const struct {
        const char *name;
        int64_t autoencoder, unet, factor;
    } expected[] = {{"ldm-256", 55322782, 274056163, 4},
                    {"small", 2596543, 22412996, 8},
                    {"tiny", 407966, 1856579, 4}};
    for (size_t i = 0; i < 3; i++) {
        json_t *ae = NULL, *unet = NULL;
        mdldm__component *a = NULL, *u = NULL;
        assert_int_equal(mdldm__preset_configs(&env, expected[i].name, 256, 0, &ae, &unet), MDLDM_OK);
        assert_int_equal(mdldm__component_create(&env, "a", ae, &a), MDLDM_OK);
        assert_int_equal(mdldm__component_create(&env, "u", unet, &u), MDLDM_OK);
        assert_int_equal(mdldm__component_parameters(a), expected[i].autoencoder);
        assert_int_equal(mdldm__component_parameters(u), expected[i].unet);
        assert_int_equal(mdldm__autoencoder_factor(&a->ae), expected[i].factor);
        assert_int_equal(u->unet.sample_h, 256 / expected[i].factor);
        assert_true(a->uid != u->uid);
        mdldm__component_free(&env, a);
        mdldm__component_free(&env, u);
    }
    json_t *ae = NULL;
    assert_int_equal(mdldm__preset_configs(&env, "huge", 256, 0, &ae, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_diffusers),   cmocka_unit_test(use_default_values_are_skipped),
        cmocka_unit_test(values_are_honoured),      cmocka_unit_test(unet_refusals),
        cmocka_unit_test(autoencoder_refusals),     cmocka_unit_test(unknown_keys_are_logged),
        cmocka_unit_test(other_classes_are_refused), cmocka_unit_test(groups_that_do_not_divide),
        cmocka_unit_test(presets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
