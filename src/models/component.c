/* SPDX-License-Identifier: MIT
 * A component of a model: config and parameters, made from a config or loaded from a folder. */
#include <string.h>

#include "io/json_util.h"
#include "io/safetensors_set.h"
#include "models/component_weights.h"
#include "models/model.h"

static uint64_t next_uid(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static mdldm_status kind_of(mdldm__env *env, const char *where, const json_t *config,
                            mdldm__component_kind *kind)
{
    static const char *const names[] = {"VQModel", "AutoencoderKL", "UNet2DModel"};
    const char *name = json_string_value(json_object_get(config, "_class_name"));
    for (int i = 0; name != NULL && i < 3; i++)
        if (strcmp(names[i], name) == 0) {
            *kind = (mdldm__component_kind)i;
            return MDLDM_OK;
        }
    return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                        "%s: key \"_class_name\": %s is not supported; supported: VQModel|AutoencoderKL|UNet2DModel",
                        where, name != NULL ? name : "(missing)");
}

const char *mdldm__component_class(const mdldm__component *c)
{
    return c->kind == MDLDM__VQ_MODEL ? "VQModel" : c->kind == MDLDM__AUTOENCODER_KL ? "AutoencoderKL"
                                                                                     : "UNet2DModel";
}

/* Describes every graph of the component once, on its smallest input. */
static mdldm_status declare(mdldm__env *env, mdldm__component *c)
{
    int64_t side = (int64_t)1 << ((c->kind == MDLDM__UNET_2D ? c->unet.levels : c->ae.levels) - 1);
    mdldm_status status = MDLDM_OK;
    int32_t graphs = c->kind == MDLDM__UNET_2D ? 1 : c->kind == MDLDM__VQ_MODEL ? 3 : 2;
    for (int32_t i = 0; status == MDLDM_OK && i < graphs; i++) {
        mdldm__graph g;
        mdldm__graph_init(&g, env, &c->params, 1, MDLDM_F32);
        if (c->kind == MDLDM__UNET_2D)
            mdldm__unet_describe(&g, c, 1, side, side);
        else if (i == 0)
            mdldm__autoencoder_encode_graph(&g, c, 1, side, side);
        else if (i == 1)
            mdldm__autoencoder_decode_graph(&g, c, 1, 1, 1, 0);
        else
            mdldm__autoencoder_quantize_graph(&g, c, 1, 1, 1);
        status = g.status;
        mdldm__graph_free(&g);
    }
    return status;
}

mdldm_status mdldm__component_create(mdldm__env *env, const char *where, json_t *config,
                                     mdldm__component **out)
{
    *out = NULL;
    mdldm__component *c = mdldm__calloc(env, 1, sizeof *c);
    if (c == NULL) {
        json_decref(config);
        return mdldm__oom(env, "a model component");
    }
    c->config = config;
    c->uid = next_uid();
    mdldm__params_init(&c->params, env);
    mdldm_status status = kind_of(env, where, config, &c->kind);
    if (status == MDLDM_OK)
        status = c->kind == MDLDM__UNET_2D ? mdldm__unet_config_parse(env, where, config, &c->unet)
                                           : mdldm__autoencoder_config_parse(env, where, config, c->kind, &c->ae);
    if (status == MDLDM_OK) {
        status = declare(env, c);
        if (status == MDLDM_ERROR_UNSUPPORTED || status == MDLDM_ERROR_FORMAT)
            status = mdldm__error(env, status, "%s: %s", where, env->error);
    }
    if (status != MDLDM_OK) {
        mdldm__component_free(env, c);
        return status;
    }
    *out = c;
    return MDLDM_OK;
}

/* Quantised weights lie where no reader of floats looks. */
static const char *stem_of(const mdldm__component *c)
{
    return c->kind == MDLDM__UNET_2D && c->unet.q8_groups > 0 ? "mdldm_int8_model" : "diffusion_pytorch_model";
}

mdldm_status mdldm__component_load(mdldm__env *env, const char *folder, mdldm__component **out)
{
    *out = NULL;
    char *path = mdldm__path_join(env, folder, "config.json");
    if (path == NULL)
        return mdldm__oom(env, "a path");
    json_t *config = NULL;
    mdldm_status status = mdldm__json_read(env, path, &config);
    if (status == MDLDM_OK)
        status = mdldm__component_create(env, path, config, out);
    mdldm__free(env, path);
    if (status != MDLDM_OK)
        return status;
    mdldm__component *c = *out;
    status = mdldm__safetensors_open_set(env, folder, stem_of(c), &c->files, &c->file_count);
    if (status == MDLDM_OK)
        status = mdldm__component_bind_files(env, folder, c);
    if (status == MDLDM_OK && c->kind == MDLDM__UNET_2D && c->unet.q8_groups > 0)
        mdldm__log(env, 2, "%s: layers in int8, ranges for %d groups of timesteps", folder,
                   (int)c->unet.q8_groups);
    if (status != MDLDM_OK) {
        mdldm__component_free(env, c);
        *out = NULL;
    }
    return status;
}

void mdldm__component_forget(const mdldm__component *c, int32_t first, int32_t count)
{
    for (int32_t i = first; i < first + count; i++) {
        const mdldm__param *p = &c->params.items[i];
        const size_t bytes = mdldm__param_bytes(p);
        for (int32_t k = 0; k < c->file_count; k++)
            mdldm__map_forget(&c->files[k].map, p->data, bytes);
    }
}

static mdldm_status save_weights(mdldm__env *env, const mdldm__component *c, const char *path)
{
    mdldm__st_writer *w = NULL;
    MDLDM__TRY(mdldm__st_writer_open(env, path, &w));
    mdldm_status status = mdldm__st_writer_metadata(w, "format", "pt"); /* what torch's readers look for */
    for (int32_t i = 0; status == MDLDM_OK && i < c->params.count; i++) {
        const mdldm__param *p = &c->params.items[i];
        if (p->data == NULL)
            status = mdldm__error(env, MDLDM_ERROR_INTERNAL, "parameter %s has no values to save", p->name);
        else
            status = mdldm__st_writer_declare(w, p->name, p->dtype, p->rank, p->dims);
    }
    for (int32_t i = 0; status == MDLDM_OK && i < c->params.count; i++) {
        const mdldm__param *p = &c->params.items[i];
        status = mdldm__st_writer_data(w, p->data, mdldm__param_bytes(p));
    }
    if (status != MDLDM_OK) {
        mdldm__st_writer_abort(w);
        return status;
    }
    return mdldm__st_writer_commit(w);
}

mdldm_status mdldm__component_save(mdldm__env *env, const mdldm__component *c, const char *folder)
{
    MDLDM__TRY(mdldm__mkdir_p(env, folder));
    char *config = mdldm__path_join(env, folder, "config.json");
    char *weights = mdldm__strprintf(env, "%s/%s.safetensors", folder, stem_of(c));
    mdldm_status status = config == NULL || weights == NULL ? mdldm__oom(env, "a path") : MDLDM_OK;
    if (status == MDLDM_OK)
        status = mdldm__json_write(env, config, c->config);
    if (status == MDLDM_OK)
        status = save_weights(env, c, weights);
    mdldm__free(env, config);
    mdldm__free(env, weights);
    return status;
}

mdldm_status mdldm__component_set_scaling_factor(mdldm__env *env, mdldm__component *c, double factor)
{
    if (json_object_set_new(c->config, "scaling_factor", json_real(factor)) != 0)
        return mdldm__oom(env, "scaling_factor");
    c->ae.scaling_factor = (float)factor;
    return MDLDM_OK;
}

int64_t mdldm__component_parameters(const mdldm__component *c)
{
    int64_t total = 0;
    for (int32_t i = 0; c != NULL && i < c->params.count; i++)
        total += mdldm__param_elements(&c->params.items[i]);
    return total;
}

void mdldm__component_free(mdldm__env *env, mdldm__component *c)
{
    if (c == NULL)
        return;
    mdldm__params_free(&c->params);
    if (c->files != NULL)
        mdldm__safetensors_close_set(env, c->files, c->file_count);
    json_decref(c->config);
    mdldm__free(env, c);
}
