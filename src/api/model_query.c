/* SPDX-License-Identifier: MIT
 * Facts about a model, by key. */
#include <pthread.h>
#include <string.h>

#include "api/context.h"
#include "diffusion/scheduler_config.h"
#include "io/json_util.h"
#include "models/model.h"

static int64_t pixel_size(const mdldm_model *m)
{
    const json_t *resolution = json_object_get(m->extra, "resolution");
    int64_t factor = m->autoencoder != NULL ? mdldm__autoencoder_factor(&m->autoencoder->ae) : 1;
    if (json_is_integer(resolution))
        return json_integer_value(resolution);
    if (m->unet != NULL && m->unet->unet.sample_h > 0)
        return m->unet->unet.sample_h * factor;
    return m->autoencoder != NULL ? m->autoencoder->ae.sample_size : 0;
}

static int64_t sample_size(const mdldm_model *m)
{
    if (m->unet != NULL && m->unet->unet.sample_h > 0)
        return m->unet->unet.sample_h;
    int64_t factor = m->autoencoder != NULL ? mdldm__autoencoder_factor(&m->autoencoder->ae) : 1;
    return pixel_size(m) / factor;
}

/* Of the values as they lie in memory or in the mapped file. */
static int64_t weight_bytes(const mdldm__component *c)
{
    int64_t sum = 0;
    for (int32_t i = 0; c != NULL && i < c->params.count; i++)
        sum += (int64_t)mdldm__param_bytes(&c->params.items[i]);
    return sum;
}

static int int_fact(const mdldm_model *m, const char *key, int64_t *value)
{
    const mdldm__component *ae = m->autoencoder, *unet = m->unet;
    if (strcmp(key, "latent_channels") == 0)
        *value = ae != NULL ? mdldm__autoencoder_latent_channels(ae) : unet != NULL ? unet->unet.in_channels : 0;
    else if (strcmp(key, "latent_factor") == 0)
        *value = ae != NULL ? mdldm__autoencoder_factor(&ae->ae) : 1;
    else if (strcmp(key, "image_channels") == 0)
        *value = ae != NULL ? ae->ae.in_channels : unet != NULL ? unet->unet.in_channels : 0;
    else if (strcmp(key, "sample_size") == 0)
        *value = sample_size(m);
    else if (strcmp(key, "resolution") == 0)
        *value = pixel_size(m);
    else if (strcmp(key, "num_classes") == 0)
        *value = mdldm__model_class_count(m);
    else if (strcmp(key, "num_codes") == 0)
        *value = ae != NULL ? ae->ae.num_vq_embeddings : 0;
    else if (strcmp(key, "has_autoencoder") == 0)
        *value = ae != NULL;
    else if (strcmp(key, "has_unet") == 0)
        *value = unet != NULL;
    else if (strcmp(key, "parameters") == 0)
        *value = mdldm__component_parameters(ae) + mdldm__component_parameters(unet);
    else if (strcmp(key, "autoencoder_parameters") == 0)
        *value = mdldm__component_parameters(ae);
    else if (strcmp(key, "unet_parameters") == 0)
        *value = mdldm__component_parameters(unet);
    else if (strcmp(key, "num_train_timesteps") == 0)
        *value = mdldm__model_train_timesteps(m);
    else if (strcmp(key, "weight_bytes") == 0)
        *value = weight_bytes(ae) + weight_bytes(unet);
    else if (strcmp(key, "timestep_groups") == 0)
        *value = unet != NULL ? unet->unet.q8_groups : 0;
    else
        return 0;
    return 1;
}

static mdldm_status check_arguments(mdldm_context *ctx, const mdldm_model *m, const char *key,
                                    const void *value)
{
    if (m == NULL || key == NULL || value == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "%s is NULL",
                            m == NULL ? "the model" : key == NULL ? "the key" : "value");
    return MDLDM_OK;
}

mdldm_status mdldm_model_get_int(mdldm_context *ctx, const mdldm_model *m, const char *key, int64_t *value)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_arguments(ctx, m, key, value));
    if (!int_fact(m, key, value))
        return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND, "a model has no integer \"%s\"", key);
    return MDLDM_OK;
}

mdldm_status mdldm_model_get_double(mdldm_context *ctx, const mdldm_model *m, const char *key, double *value)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_arguments(ctx, m, key, value));
    if (strcmp(key, "db_floor") == 0 || strcmp(key, "db_ceiling") == 0) {
        const json_t *stored = json_object_get(m->extra, key);
        if (!json_is_number(stored))
            return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND,
                                "the model knows no %s; one that was trained on pictures with a range in dB does", key);
        *value = json_number_value(stored);
        return MDLDM_OK;
    }
    if (strcmp(key, "scaling_factor") != 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND, "a model has no number \"%s\"", key);
    *value = 1.0;
    if (m->autoencoder != NULL) { /* all digits of the config, unless something else is in use */
        double stated = json_number_value(json_object_get(m->autoencoder->config, "scaling_factor"));
        float used = m->autoencoder->ae.scaling_factor;
        *value = (float)stated == used ? stated : (double)used;
    }
    return MDLDM_OK;
}

/* The model's own copy of text, made once; NULL: out of memory. Models may be shared by threads. */
static const char *keep_text(const mdldm_model *m, const char *text)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    mdldm_model *owner = (mdldm_model *)m; /* the list is a cache; the model's content stays */
    pthread_mutex_lock(&mutex);
    mdldm__text *entry = owner->texts;
    while (entry != NULL && strcmp(entry->text, text) != 0)
        entry = entry->next;
    if (entry == NULL) {
        size_t length = strlen(text) + 1;
        entry = mdldm__alloc(&owner->env, sizeof *entry + length);
        if (entry != NULL) {
            memcpy(entry->text, text, length);
            entry->next = owner->texts;
            owner->texts = entry;
        }
    }
    pthread_mutex_unlock(&mutex);
    return entry != NULL ? entry->text : NULL;
}

static mdldm_status json_fact(mdldm_context *ctx, const mdldm_model *m, const json_t *object,
                              const char **value)
{
    if (object == NULL) {
        *value = "";
        return MDLDM_OK;
    }
    char *text = mdldm__json_text(&ctx->env, object);
    const char *kept = text != NULL ? keep_text(m, text) : NULL;
    mdldm__free(&ctx->env, text);
    if (kept == NULL)
        return mdldm__oom(&ctx->env, "a config's text");
    *value = kept;
    return MDLDM_OK;
}

static const char *text_or(const json_t *value, const char *fallback)
{
    return json_is_string(value) ? json_string_value(value) : fallback;
}

mdldm_status mdldm_model_get_string(mdldm_context *ctx, const mdldm_model *m, const char *key,
                                    const char **value)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    MDLDM__TRY(check_arguments(ctx, m, key, value));
    const mdldm__component *ae = m->autoencoder, *unet = m->unet;
    const char *text;
    if (strcmp(key, "autoencoder_config") == 0)
        return json_fact(ctx, m, ae != NULL ? ae->config : NULL, value);
    if (strcmp(key, "unet_config") == 0)
        return json_fact(ctx, m, unet != NULL ? unet->config : NULL, value);
    if (strcmp(key, "scheduler_config") == 0)
        return json_fact(ctx, m, m->scheduler, value);
    if (strcmp(key, "autoencoder_class") == 0)
        text = ae != NULL ? mdldm__component_class(ae) : "";
    else if (strcmp(key, "unet_class") == 0)
        text = unet != NULL ? mdldm__component_class(unet) : "";
    else if (strcmp(key, "scheduler_class") == 0)
        text = text_or(json_object_get(m->scheduler, "_class_name"), m->scheduler != NULL ? "DDPMScheduler" : "");
    else if (strcmp(key, "prediction_type") == 0)
        text = mdldm__scheduler_is_flow(json_string_value(json_object_get(m->scheduler, "_class_name")))
                   ? "flow_prediction"
                   : text_or(json_object_get(m->scheduler, "prediction_type"), m->scheduler != NULL ? "epsilon" : "");
    else if (strcmp(key, "colormap") == 0)
        text = text_or(json_object_get(m->extra, "colormap"), "none");
    else
        return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND, "a model has no text \"%s\"", key);
    const char *kept = keep_text(m, text); /* the scheduler may be replaced by training */
    if (kept == NULL)
        return mdldm__oom(&ctx->env, "a text");
    *value = kept;
    return MDLDM_OK;
}

const char *mdldm_model_class_name(const mdldm_model *m, int64_t label)
{
    if (m == NULL || label < 0)
        return NULL;
    const char *name = json_string_value(
        json_array_get(json_object_get(m->extra, "class_names"), (size_t)label));
    return name != NULL ? keep_text(m, name) : NULL;
}

static const mdldm__component *named_component(const mdldm_model *m, const char *component)
{
    if (m == NULL || component == NULL)
        return NULL;
    return strcmp(component, "autoencoder") == 0 ? m->autoencoder
           : strcmp(component, "unet") == 0      ? m->unet
                                                 : NULL;
}

int64_t mdldm_model_tensor_count(const mdldm_model *m, const char *component)
{
    const mdldm__component *c = named_component(m, component);
    return c != NULL ? c->params.count : 0;
}

const char *mdldm_model_tensor_name(const mdldm_model *m, const char *component, int64_t index)
{
    const mdldm__component *c = named_component(m, component);
    return c != NULL && index >= 0 && index < c->params.count ? c->params.items[index].name : NULL;
}

int32_t mdldm_model_tensor_shape(const mdldm_model *m, const char *component, int64_t index, int64_t *shape)
{
    const mdldm__component *c = named_component(m, component);
    if (c == NULL || shape == NULL || index < 0 || index >= c->params.count)
        return 0;
    const mdldm__param *p = &c->params.items[index];
    memcpy(shape, p->dims, 4 * sizeof *shape);
    return p->rank;
}
