/* SPDX-License-Identifier: MIT
 * A new model from options: a preset's configs, changed where options say so, with fresh weights. */
#include <string.h>

#include "api/context.h"
#include "api/options_table.h"
#include "diffusion/scheduler_new.h"
#include "io/file_util.h"
#include "io/json_util.h"
#include "models/model.h"

typedef struct creation {
    mdldm__env *env; /* the model's */
    const mdldm_options *options;
    mdldm_model *m;
    int32_t resolution;
    int64_t num_classes;
    int64_t num_embeds; /* with the unconditional row */
    int want_autoencoder, want_unet;
    json_t *autoencoder, *unet; /* configs */
} creation;

static int set_int(json_t *config, const char *key, int64_t value)
{
    return json_object_set_new(config, key, json_integer(value));
}

/* class_names "a/b/c" into extra; their number is num_classes when that is not given. */
static mdldm_status read_classes(creation *c)
{
    const char *names = mdldm__option_string(c->options, "class_names");
    c->num_classes = mdldm__option_int(c->options, "num_classes");
    if (mdldm__option_int(c->options, "unconditional")) {
        c->num_classes = 0;
        return MDLDM_OK;
    }
    if (names[0] != '\0') {
        json_t *list = json_array();
        int failed = list == NULL;
        for (const char *p = names; !failed; p++) {
            size_t length = strcspn(p, "/");
            if (length == 0) {
                json_decref(list);
                return mdldm__error(c->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                    "class_names is \"%s\": names separated by single '/' are expected", names);
            }
            failed = json_array_append_new(list, json_stringn(p, length)) != 0;
            p += length;
            if (*p == '\0')
                break;
        }
        int64_t count = (int64_t)json_array_size(list);
        failed = json_object_set_new(c->m->extra, "class_names", list) != 0 || failed;
        if (failed)
            return mdldm__error(c->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "class_names could not be stored: UTF-8 text is expected");
        if (c->num_classes == 0)
            c->num_classes = count;
        if (count != c->num_classes)
            return mdldm__error(c->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "class_names holds %lld names, but num_classes is %lld", (long long)count,
                                (long long)c->num_classes);
    }
    int null_row = mdldm__option_double(c->options, "label_dropout") > 0.0;
    c->num_embeds = c->num_classes > 0 ? c->num_classes + null_row : 0;
    if (c->want_unet && c->num_embeds > c->num_classes &&
        set_int(c->m->extra, "null_class", c->num_classes) != 0)
        return mdldm__oom(c->env, "class names");
    return MDLDM_OK;
}

/* A config.json of the user's takes the place of the preset's of the same component. */
static mdldm_status take_config(creation *c, const char *path)
{
    json_t *config = NULL;
    MDLDM__TRY(mdldm__json_read(c->env, path, &config));
    const char *name = json_string_value(json_object_get(config, "_class_name"));
    int unet = name != NULL && strcmp(name, "UNet2DModel") == 0;
    int autoencoder = name != NULL && (strcmp(name, "VQModel") == 0 || strcmp(name, "AutoencoderKL") == 0);
    json_t **slot = unet ? &c->unet : &c->autoencoder;
    if (!unet && !autoencoder) {
        json_decref(config);
        return mdldm__error(c->env, MDLDM_ERROR_UNSUPPORTED,
                            "%s: key \"_class_name\": %s is not supported; supported: "
                            "VQModel|AutoencoderKL|UNet2DModel",
                            path, name != NULL ? "this class" : "its absence");
    }
    json_decref(*slot);
    *slot = config;
    if (unet && c->num_embeds > 0 && set_int(config, "num_class_embeds", c->num_embeds) != 0)
        return mdldm__oom(c->env, "a model's config");
    return MDLDM_OK;
}

static mdldm_status take_config_of_folder(creation *c, const char *folder)
{
    char *path = mdldm__path_join(c->env, folder, "config.json");
    if (path == NULL)
        return mdldm__oom(c->env, "a path");
    mdldm_status status = take_config(c, path);
    mdldm__free(c->env, path);
    return status;
}

static mdldm_status take_user_configs(creation *c)
{
    const char *path = mdldm__option_string(c->options, "model_config_name_or_path");
    if (path[0] == '\0')
        return MDLDM_OK;
    if (!mdldm__path_is_dir(path))
        return take_config(c, path);
    char *index = mdldm__path_join(c->env, path, "model_index.json");
    if (index == NULL)
        return mdldm__oom(c->env, "a path");
    int pipeline = mdldm__path_is_file(index);
    mdldm__free(c->env, index);
    if (!pipeline)
        return take_config_of_folder(c, path);
    for (int unet = 0; unet < 2; unet++) {
        char *folder = NULL;
        json_t *extra = NULL;
        mdldm_status status = mdldm__model_find_component(c->env, path, unet, &folder, &extra);
        json_decref(extra);
        if (status == MDLDM_ERROR_NOT_FOUND)
            continue; /* a pipeline of one part: the preset keeps the other */
        if (status == MDLDM_OK)
            status = take_config_of_folder(c, folder);
        mdldm__free(c->env, folder);
        MDLDM__TRY(status);
    }
    return MDLDM_OK;
}

/* What belongs to the latents comes along: their statistics and the picture size. */
static mdldm_status copy_latent_facts(creation *c, const json_t *extra)
{
    static const char *const keys[] = {"latent_mean", "latent_std", "colormap", "db_floor", "db_ceiling"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(extra, keys[i]);
        if (value != NULL && json_object_set_new(c->m->extra, keys[i], json_deep_copy(value)) != 0)
            return mdldm__oom(c->env, "a model's facts");
    }
    return MDLDM_OK;
}

static mdldm_status load_autoencoder(creation *c, const char *dir)
{
    char *folder = NULL;
    json_t *extra = NULL;
    mdldm_status status = mdldm__model_find_component(c->env, dir, 0, &folder, &extra);
    if (status == MDLDM_OK)
        status = mdldm__component_load(c->env, folder, &c->m->autoencoder);
    if (status == MDLDM_OK && c->m->autoencoder->kind == MDLDM__UNET_2D)
        status = mdldm__error(c->env, MDLDM_ERROR_FORMAT, "vae_path %s holds a UNet2DModel, no autoencoder", dir);
    double scale = mdldm__option_double(c->options, "scaling_factor");
    if (status == MDLDM_OK && scale > 0.0)
        status = mdldm__component_set_scaling_factor(c->env, c->m->autoencoder, scale);
    if (status == MDLDM_OK)
        status = copy_latent_facts(c, extra);
    json_decref(extra);
    mdldm__free(c->env, folder);
    return status;
}

static mdldm_status make_autoencoder(creation *c)
{
    int64_t codes = mdldm__option_int(c->options, "num_codes");
    int64_t latent = mdldm__option_int(c->options, "latent_channels");
    double scale = mdldm__option_double(c->options, "scaling_factor");
    int failed = 0;
    if (codes > 0)
        failed |= set_int(c->autoencoder, "num_vq_embeddings", codes);
    if (latent > 0) {
        failed |= set_int(c->autoencoder, "latent_channels", latent);
        if (json_is_integer(json_object_get(c->autoencoder, "vq_embed_dim")))
            failed |= set_int(c->autoencoder, "vq_embed_dim", latent);
    }
    if (mdldm_options_is_set(c->options, "image_mode")) { /* else the config's */
        const int64_t channels = strcmp(mdldm__option_string(c->options, "image_mode"), "L") == 0 ? 1 : 3;
        failed |= set_int(c->autoencoder, "in_channels", channels);
        failed |= set_int(c->autoencoder, "out_channels", channels);
    }
    if (scale > 0.0)
        failed |= json_object_set_new(c->autoencoder, "scaling_factor", json_real(scale));
    if (failed)
        return mdldm__oom(c->env, "a model's config");
    json_t *config = json_incref(c->autoencoder);
    MDLDM__TRY(mdldm__component_create(c->env, "the new autoencoder", config, &c->m->autoencoder));
    uint64_t seed = (uint64_t)mdldm__option_int(c->options, "seed");
    return mdldm__params_randomize(&c->m->autoencoder->params, seed);
}

/* The UNet works on the autoencoder's latents, or on those the preset's would have. */
static mdldm_status make_unet(creation *c, const mdldm__component *autoencoder)
{
    mdldm__env *env = c->env;
    if (autoencoder != NULL) {
        int64_t latent = mdldm__autoencoder_latent_channels(autoencoder);
        int32_t factor = mdldm__autoencoder_factor(&autoencoder->ae);
        int failed = set_int(c->unet, "sample_size", c->resolution / factor);
        failed |= set_int(c->unet, "in_channels", latent);
        failed |= set_int(c->unet, "out_channels", latent);
        if (failed)
            return mdldm__oom(env, "a model's config");
    }
    json_t *config = json_incref(c->unet);
    MDLDM__TRY(mdldm__component_create(env, "the new UNet", config, &c->m->unet));
    const mdldm__unet_config *unet = &c->m->unet->unet;
    int32_t multiple = 1 << (unet->levels - 1);
    if (unet->sample_h % multiple != 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "resolution %d gives latents of side %d, but the UNet's %d levels need a "
                            "multiple of %d",
                            (int)c->resolution, (int)unet->sample_h, (int)unet->levels, (int)multiple);
    uint64_t seed = (uint64_t)mdldm__option_int(c->options, "seed");
    MDLDM__TRY(mdldm__params_randomize(&c->m->unet->params, seed));
    c->m->scheduler = mdldm__scheduler_new_config(&(mdldm__scheduler_new){
        .num_train_timesteps = mdldm__option_int(c->options, "ddpm_num_steps"),
        .beta_schedule = mdldm__option_string(c->options, "ddpm_beta_schedule"),
        .prediction_type = mdldm__option_string(c->options, "prediction_type"),
        .rescale_betas_zero_snr = (int32_t)mdldm__option_int(c->options, "rescale_betas_zero_snr"),
        .shift = mdldm__option_double(c->options, "flow_shift") });
    return c->m->scheduler != NULL ? MDLDM_OK : mdldm__oom(env, "a scheduler's config");
}

static mdldm_status create(creation *c)
{
    const char *components = mdldm__option_string(c->options, "components");
    const char *vae_path = mdldm__option_string(c->options, "vae_path");
    c->resolution = (int32_t)mdldm__option_int(c->options, "resolution");
    c->want_autoencoder = strcmp(components, "unet") != 0;
    c->want_unet = strcmp(components, "autoencoder") != 0;
    MDLDM__TRY(read_classes(c));
    MDLDM__TRY(mdldm__preset_configs(c->env, mdldm__option_string(c->options, "preset"), c->resolution,
                                     (int32_t)c->num_embeds, &c->autoencoder, &c->unet));
    MDLDM__TRY(take_user_configs(c));
    if (set_int(c->m->extra, "resolution", c->resolution) != 0)
        return mdldm__oom(c->env, "a model's facts");
    c->m->autoencoder_folder = mdldm__strdup(c->env, "vqvae"); /* what LDMPipeline calls it */
    if (c->m->autoencoder_folder == NULL)
        return mdldm__oom(c->env, "a path");
    if (vae_path[0] != '\0')
        MDLDM__TRY(load_autoencoder(c, vae_path));
    else if (c->want_autoencoder)
        MDLDM__TRY(make_autoencoder(c));
    const mdldm__component *ae = c->m->autoencoder;
    if (ae != NULL && c->resolution % mdldm__autoencoder_factor(&ae->ae) != 0)
        return mdldm__error(c->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "resolution is %d: a multiple of %d, the autoencoder's factor, is expected",
                            (int)c->resolution, (int)mdldm__autoencoder_factor(&ae->ae));
    if (c->want_unet)
        MDLDM__TRY(make_unet(c, ae));
    return mdldm__model_check(c->env, "the new model", c->m);
}

mdldm_status mdldm_model_create(mdldm_context *ctx, const mdldm_options *options, mdldm_model **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (out == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_model_create: out is NULL");
    creation c = {.options = options};
    MDLDM__TRY(mdldm__model_new(&ctx->env, &c.m));
    c.env = &c.m->env;
    mdldm_status status = create(&c);
    json_decref(c.autoencoder);
    json_decref(c.unet);
    mdldm__model_release_callbacks(c.m, &ctx->env);
    if (status != MDLDM_OK) {
        mdldm__model_destroy(c.m);
        return status;
    }
    *out = c.m;
    return MDLDM_OK;
}
