/* SPDX-License-Identifier: MIT
 * Writing a model as a diffusers pipeline directory: all of it aside, then in one rename. */
#include <string.h>

#include "io/file_util.h"
#include "io/json_util.h"
#include "models/model.h"

/* Adds "name": ["diffusers", class]. */
static int list_component(json_t *index, const char *name, const char *class_name)
{
    return json_object_set_new(index, name, json_pack("[s, s]", "diffusers", class_name));
}

static const char *scheduler_class(const mdldm_model *m)
{
    const char *name = json_string_value(json_object_get(m->scheduler, "_class_name"));
    return name != NULL ? name : "DDPMScheduler";
}

/* Removes the entries of components, which the caller lists anew. */
static int copy_other_keys(const json_t *from, json_t *to)
{
    void *it = json_object_iter((json_t *)from);
    for (; it != NULL; it = json_object_iter_next((json_t *)from, it)) {
        json_t *value = json_object_iter_value(it);
        if (!json_is_array(value) && json_object_set(to, json_object_iter_key(it), value) != 0)
            return -1;
    }
    return 0;
}

/* LDMPipeline takes vqvae, unet and scheduler; DDPMPipeline a UNet on pixels and its scheduler. */
static json_t *make_index(const mdldm_model *m)
{
    json_t *index = json_object();
    if (index == NULL)
        return NULL;
    int failed = json_object_set_new(index, "_class_name",
                                     json_string(m->autoencoder != NULL ? "LDMPipeline" : "DDPMPipeline"));
    failed |= json_object_set_new(index, "_diffusers_version", json_string("0.42.0"));
    if (m->index != NULL)
        failed |= copy_other_keys(m->index, index);
    if (m->scheduler != NULL)
        failed |= list_component(index, "scheduler", scheduler_class(m));
    if (m->unet != NULL)
        failed |= list_component(index, "unet", mdldm__component_class(m->unet));
    if (m->autoencoder != NULL)
        failed |= list_component(index, m->autoencoder_folder, mdldm__component_class(m->autoencoder));
    if (json_object_size(m->extra) > 0)
        failed |= json_object_set(index, "_mdldm", m->extra);
    else
        json_object_del(index, "_mdldm");
    if (failed) {
        json_decref(index);
        return NULL;
    }
    return index;
}

static mdldm_status save_part(mdldm__env *env, const mdldm__component *c, const char *dir, const char *name)
{
    if (c == NULL)
        return MDLDM_OK;
    char *folder = mdldm__path_join(env, dir, name);
    if (folder == NULL)
        return mdldm__oom(env, "a path");
    mdldm_status status = mdldm__component_save(env, c, folder);
    mdldm__free(env, folder);
    return status;
}

static mdldm_status save_scheduler(mdldm__env *env, const mdldm_model *m, const char *dir)
{
    if (m->scheduler == NULL)
        return MDLDM_OK;
    char *folder = mdldm__path_join(env, dir, "scheduler");
    char *path = folder != NULL ? mdldm__path_join(env, folder, "scheduler_config.json") : NULL;
    mdldm_status status = path != NULL ? mdldm__mkdir_p(env, folder) : mdldm__oom(env, "a path");
    if (status == MDLDM_OK)
        status = mdldm__json_write(env, path, m->scheduler);
    mdldm__free(env, path);
    mdldm__free(env, folder);
    return status;
}

static mdldm_status save_index(mdldm__env *env, const mdldm_model *m, const char *dir)
{
    json_t *index = make_index(m);
    char *path = mdldm__path_join(env, dir, "model_index.json");
    mdldm_status status = index != NULL && path != NULL ? mdldm__json_write(env, path, index)
                                                        : mdldm__oom(env, "model_index.json");
    json_decref(index);
    mdldm__free(env, path);
    return status;
}

mdldm_status mdldm__model_write(mdldm__env *env, const mdldm_model *m, const char *dir)
{
    mdldm__dir_out out;
    MDLDM__TRY(mdldm__dir_out_open(env, dir, &out));
    mdldm_status status = save_part(env, m->autoencoder, out.temporary, m->autoencoder_folder);
    if (status == MDLDM_OK)
        status = save_part(env, m->unet, out.temporary, "unet");
    if (status == MDLDM_OK)
        status = save_scheduler(env, m, out.temporary);
    if (status == MDLDM_OK)
        status = save_index(env, m, out.temporary);
    if (status != MDLDM_OK) {
        mdldm__dir_out_abort(&out);
        return status;
    }
    return mdldm__dir_out_commit(&out);
}
