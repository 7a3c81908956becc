/* SPDX-License-Identifier: MIT
 * Reading a diffusers pipeline directory, or a folder with one component. */
#include <string.h>

#include "diffusion/scheduler_new.h"
#include "io/file_util.h"
#include "io/json_util.h"
#include "models/model.h"

static const char *const AUTOENCODER_NAMES[] = {"vqvae", "vae", NULL};
static const char *const UNET_NAMES[] = {"unet", NULL};
static const char *const SCHEDULER_NAMES[] = {"scheduler", NULL};

/* The first of names that the index lists as [library, class]; NULL when there is none. */
static const char *listed(const json_t *index, const char *const *names)
{
    for (; *names != NULL; names++) {
        const json_t *entry = json_object_get(index, *names);
        if (json_array_size(entry) == 2 && json_is_string(json_array_get(entry, 1)))
            return *names;
    }
    return NULL;
}

static int is_ours(const char *name)
{
    static const char *const *const all[] = {AUTOENCODER_NAMES, UNET_NAMES, SCHEDULER_NAMES};
    for (size_t i = 0; i < 3; i++)
        for (const char *const *p = all[i]; *p != NULL; p++)
            if (strcmp(*p, name) == 0)
                return 1;
    return 0;
}

static void warn_other_components(mdldm__env *env, const char *path, const json_t *index)
{
    void *it = json_object_iter((json_t *)index);
    for (; it != NULL; it = json_object_iter_next((json_t *)index, it)) {
        const json_t *entry = json_object_iter_value(it);
        if (json_array_size(entry) == 2 && json_is_string(json_array_get(entry, 1)) &&
            !is_ours(json_object_iter_key(it)))
            mdldm__log(env, 1, "%s: component \"%s\" (%s) is ignored", path, json_object_iter_key(it),
                       json_string_value(json_array_get(entry, 1)));
    }
}

/* *index NULL and *path the folder's config.json when dir holds a lone component. */
static mdldm_status read_index(mdldm__env *env, const char *dir, char **path, json_t **index)
{
    *index = NULL;
    if (!mdldm__path_is_dir(dir)) {
        *path = NULL;
        return mdldm__error(env, MDLDM_ERROR_NOT_FOUND, "there is no folder %s", dir);
    }
    *path = mdldm__path_join(env, dir, "model_index.json");
    if (*path == NULL)
        return mdldm__oom(env, "a path");
    if (mdldm__path_is_file(*path))
        return mdldm__json_read(env, *path, index);
    mdldm__free(env, *path);
    *path = mdldm__path_join(env, dir, "config.json");
    if (*path == NULL)
        return mdldm__oom(env, "a path");
    if (!mdldm__path_is_file(*path))
        return mdldm__error(env, MDLDM_ERROR_NOT_FOUND,
                            "%s holds neither model_index.json nor config.json: the folder of a diffusers "
                            "pipeline or of one of its components is expected",
                            dir);
    return MDLDM_OK;
}

static mdldm_status load_part(mdldm_model *m, const char *dir, const char *name, mdldm__component **out)
{
    char *folder = mdldm__path_join(&m->env, dir, name);
    if (folder == NULL)
        return mdldm__oom(&m->env, "a path");
    mdldm_status status = mdldm__component_load(&m->env, folder, out);
    mdldm__free(&m->env, folder);
    return status;
}

static mdldm_status load_scheduler(mdldm_model *m, const char *dir, const char *name)
{
    if (name != NULL) {
        char *folder = mdldm__path_join(&m->env, dir, name);
        char *path = folder != NULL ? mdldm__path_join(&m->env, folder, "scheduler_config.json") : NULL;
        mdldm_status status = path != NULL ? mdldm__json_read(&m->env, path, &m->scheduler)
                                           : mdldm__oom(&m->env, "a path");
        mdldm__free(&m->env, path);
        mdldm__free(&m->env, folder);
        return status;
    }
    if (m->unet == NULL)
        return MDLDM_OK;
    m->scheduler = mdldm__scheduler_default_config();
    return m->scheduler != NULL ? MDLDM_OK : mdldm__oom(&m->env, "a scheduler's config");
}

static mdldm_status wrong_kind(mdldm__env *env, const char *path, const char *name, const mdldm__component *c)
{
    return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: component \"%s\" is a %s", path, name,
                        mdldm__component_class(c));
}

static mdldm_status load_pipeline(mdldm_model *m, const char *dir, const char *path)
{
    mdldm__env *env = &m->env;
    const char *autoencoder = listed(m->index, AUTOENCODER_NAMES);
    const char *unet = listed(m->index, UNET_NAMES);
    if (autoencoder == NULL && unet == NULL)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "%s lists no vqvae, vae or unet: there is nothing to load", path);
    warn_other_components(env, path, m->index);
    const json_t *extra = json_object_get(m->index, "_mdldm");
    if (extra != NULL && !json_is_object(extra))
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "%s: key \"_mdldm\" must be an object", path);
    if (extra != NULL) {
        json_decref(m->extra);
        m->extra = json_deep_copy(extra);
        if (m->extra == NULL)
            return mdldm__oom(env, "model_index.json");
    }
    if (autoencoder != NULL) {
        m->autoencoder_folder = mdldm__strdup(env, autoencoder);
        if (m->autoencoder_folder == NULL)
            return mdldm__oom(env, "a path");
        MDLDM__TRY(load_part(m, dir, autoencoder, &m->autoencoder));
        if (m->autoencoder->kind == MDLDM__UNET_2D)
            return wrong_kind(env, path, autoencoder, m->autoencoder);
    }
    if (unet != NULL) {
        MDLDM__TRY(load_part(m, dir, unet, &m->unet));
        if (m->unet->kind != MDLDM__UNET_2D)
            return wrong_kind(env, path, unet, m->unet);
    }
    return load_scheduler(m, dir, listed(m->index, SCHEDULER_NAMES));
}

static mdldm_status load_lone(mdldm_model *m, const char *dir)
{
    mdldm__component *c = NULL;
    MDLDM__TRY(mdldm__component_load(&m->env, dir, &c));
    if (c->kind == MDLDM__UNET_2D) {
        m->unet = c;
        return load_scheduler(m, dir, NULL);
    }
    m->autoencoder = c;
    m->autoencoder_folder = mdldm__strdup(&m->env, "vqvae");
    return m->autoencoder_folder != NULL ? MDLDM_OK : mdldm__oom(&m->env, "a path");
}

mdldm_status mdldm__model_read(mdldm__env *env, const char *dir, mdldm_model **out)
{
    mdldm_model *m;
    *out = NULL;
    MDLDM__TRY(mdldm__model_new(env, &m));
    char *path = NULL;
    mdldm_status status = read_index(&m->env, dir, &path, &m->index);
    if (status == MDLDM_OK)
        status = m->index != NULL ? load_pipeline(m, dir, path) : load_lone(m, dir);
    if (status == MDLDM_OK)
        status = mdldm__model_check(&m->env, path, m);
    mdldm__free(&m->env, path);
    mdldm__model_release_callbacks(m, env);
    if (status != MDLDM_OK) {
        mdldm__model_destroy(m);
        return status;
    }
    *out = m;
    return MDLDM_OK;
}

mdldm_status mdldm__model_find_component(mdldm__env *env, const char *dir, int unet, char **folder,
                                         json_t **extra)
{
    *folder = NULL;
    *extra = NULL;
    char *path = NULL;
    json_t *index = NULL;
    mdldm_status status = read_index(env, dir, &path, &index);
    if (status == MDLDM_OK && index == NULL) {
        *folder = mdldm__strdup(env, dir);
        status = *folder != NULL ? MDLDM_OK : mdldm__oom(env, "a path");
    } else if (status == MDLDM_OK) {
        const char *name = listed(index, unet ? UNET_NAMES : AUTOENCODER_NAMES);
        if (name == NULL) {
            status = mdldm__error(env, MDLDM_ERROR_NOT_FOUND, "%s lists no %s", path,
                                  unet ? "unet" : "vqvae or vae");
        } else {
            *folder = mdldm__path_join(env, dir, name);
            status = *folder != NULL ? MDLDM_OK : mdldm__oom(env, "a path");
            *extra = json_incref(json_object_get(index, "_mdldm"));
        }
    }
    json_decref(index);
    mdldm__free(env, path);
    return status;
}
