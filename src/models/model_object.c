/* SPDX-License-Identifier: MIT
 * Making and destroying a model; what its parts have to agree on. */
#include <string.h>

#include "models/model.h"

mdldm_status mdldm__model_new(mdldm__env *from, mdldm_model **out)
{
    *out = NULL;
    mdldm_model *m = mdldm__calloc(from, 1, sizeof *m);
    if (m == NULL)
        return mdldm__oom(from, "a model");
    mdldm__env_init(&m->env, from);
    m->env.log = from->log;
    m->env.log_user = from->log_user;
    m->env.progress = from->progress;
    m->env.progress_user = from->progress_user;
    m->env.cancel = from->cancel;
    m->references = 1;
    m->extra = json_object();
    if (m->extra == NULL) {
        mdldm__model_destroy(m);
        return mdldm__oom(from, "a model");
    }
    *out = m;
    return MDLDM_OK;
}

void mdldm__model_release_callbacks(mdldm_model *m, mdldm__env *from)
{
    memcpy(from->error, m->env.error, sizeof from->error);
    m->env.log = NULL;
    m->env.progress = NULL;
    m->env.cancel = NULL;
    m->env.error[0] = '\0';
}

void mdldm__model_destroy(mdldm_model *m)
{
    if (m == NULL)
        return;
    mdldm__env env = m->env;
    mdldm__component_free(&env, m->autoencoder);
    mdldm__component_free(&env, m->unet);
    json_decref(m->scheduler);
    json_decref(m->index);
    json_decref(m->extra);
    mdldm__free(&env, m->autoencoder_folder);
    while (m->texts != NULL) {
        mdldm__text *next = m->texts->next;
        mdldm__free(&env, m->texts);
        m->texts = next;
    }
    mdldm__free(&env, m);
}

int64_t mdldm__model_null_class(const mdldm_model *m)
{
    const json_t *null_class = json_object_get(m->extra, "null_class");
    return m->unet != NULL && json_is_integer(null_class) ? json_integer_value(null_class) : -1;
}

int64_t mdldm__model_class_count(const mdldm_model *m)
{
    if (m->unet == NULL)
        return (int64_t)json_array_size(json_object_get(m->extra, "class_names"));
    return m->unet->unet.num_class_embeds - (mdldm__model_null_class(m) >= 0);
}

int64_t mdldm__model_train_timesteps(const mdldm_model *m)
{
    const json_t *steps = json_object_get(m->scheduler, "num_train_timesteps");
    return json_is_integer(steps) ? json_integer_value(steps) : 1000; /* diffusers' default */
}

static mdldm_status check_classes(mdldm__env *env, const char *where, const mdldm_model *m)
{
    const json_t *names = json_object_get(m->extra, "class_names");
    if (names != NULL && !json_is_array(names))
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: \"class_names\" must be a list of strings", where);
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!json_is_string(json_array_get(names, i)))
            return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: \"class_names\"[%zu] must be a string", where, i);
    if (m->unet == NULL || m->unet->unet.class_embed_timestep)
        return MDLDM_OK;
    int64_t rows = m->unet->unet.num_class_embeds;
    const json_t *null_class = json_object_get(m->extra, "null_class");
    if (null_class != NULL && (!json_is_integer(null_class) || rows < 2 ||
                               json_integer_value(null_class) != rows - 1))
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: \"null_class\" must be the last of the UNet's %lld class rows, %lld", where,
                            (long long)rows, (long long)rows - 1);
    int64_t classes = mdldm__model_class_count(m);
    if ((int64_t)json_array_size(names) > classes)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "%s: \"class_names\" has %zu names, but the UNet's num_class_embeds of %lld "
                            "holds %lld classes",
                            where, json_array_size(names), (long long)rows, (long long)classes);
    return MDLDM_OK;
}

mdldm_status mdldm__model_check(mdldm__env *env, const char *where, const mdldm_model *m)
{
    MDLDM__TRY(check_classes(env, where, m));
    if (m->autoencoder == NULL || m->unet == NULL)
        return MDLDM_OK;
    int32_t latent = mdldm__autoencoder_latent_channels(m->autoencoder);
    const mdldm__unet_config *unet = &m->unet->unet;
    if (unet->in_channels != latent)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "%s: the UNet's in_channels is %d, but the autoencoder's latents have %d channels",
                            where, (int)unet->in_channels, (int)latent);
    if (unet->out_channels != latent && unet->out_channels != 2 * latent)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "%s: the UNet's out_channels is %d, but must be the autoencoder's %d latent "
                            "channels, or twice as many with a learned variance",
                            where, (int)unet->out_channels, (int)latent);
    return MDLDM_OK;
}
