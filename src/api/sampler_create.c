/* SPDX-License-Identifier: MIT
 * Making a sampler: the model's scheduler config, moved to the class asked for as diffusers' from_config
 * does, with the options' changes. */
#include <string.h>

#include "api/inference.h"
#include "api/options_table.h"
#include "api/sampler.h"
#include "diffusion/scheduler_config.h"
#include "diffusion/scheduler_new.h"

static mdldm_status set_key(mdldm__env *env, json_t *config, const char *key, json_t *value)
{
    return json_object_set_new(config, key, value) == 0 ? MDLDM_OK : mdldm__oom(env, "scheduler config");
}

/* A "model|yes|no" option: the model's value stays, or the key is set. "no" is also right where the class
 * has no such key. */
static mdldm_status apply_switch(mdldm__env *env, json_t *config, const char *class_name, const char *key,
                                 const char *value, const char *who_has)
{
    if (strcmp(value, "model") == 0)
        return MDLDM_OK;
    int yes = strcmp(value, "yes") == 0;
    if (mdldm__scheduler_has_key(class_name, key))
        return set_key(env, config, key, json_boolean(yes));
    if (yes)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "option %s is \"yes\", but the scheduler %s has no such thing; %s have", key, class_name,
                            who_has);
    return MDLDM_OK;
}

static mdldm_status apply_options(mdldm__env *env, json_t *config, const char *class_name,
                                  const mdldm_options *options)
{
    int64_t order = mdldm__option_int(options, "solver_order");
    if (order > 0 && !mdldm__scheduler_has_key(class_name, "solver_order"))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "option solver_order is %lld, but the scheduler %s has no order to choose; dpmsolver++ "
                            "and dpmsolver-sde have",
                            (long long)order, class_name);
    if (order > 0)
        MDLDM__TRY(set_key(env, config, "solver_order", json_integer(order)));
    const char *spacing = mdldm__option_string(options, "timestep_spacing");
    if (strcmp(spacing, "model") != 0 && !mdldm__scheduler_has_key(class_name, "timestep_spacing"))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "option timestep_spacing is \"%s\", but the scheduler %s has none to choose; \"model\" would "
                            "be right",
                            spacing, class_name);
    if (strcmp(spacing, "model") != 0)
        MDLDM__TRY(set_key(env, config, "timestep_spacing", json_string(spacing)));
    MDLDM__TRY(apply_switch(env, config, class_name, "use_karras_sigmas",
                            mdldm__option_string(options, "use_karras_sigmas"),
                            "dpmsolver++, dpmsolver-sde, euler, lms and flow_euler"));
    return apply_switch(env, config, class_name, "clip_sample", mdldm__option_string(options, "clip_sample"),
                        "ddpm and ddim");
}

static mdldm_status make_scheduler(mdldm_sampler *s, json_t *config, const mdldm_options *options)
{
    const char *asked = mdldm__option_string(options, "scheduler");
    const char *class_name = asked;
    const char *stored = json_string_value(json_object_get(config, "_class_name"));
    const int chosen = options != NULL && mdldm_options_is_set(options, "scheduler");
    if (strcmp(asked, "model") == 0 || (!chosen && mdldm__scheduler_is_flow(stored)))
        class_name = stored;
    if (class_name != NULL) /* otherwise create says what is missing */
        MDLDM__TRY(apply_options(&s->env, config, class_name, options));
    MDLDM__TRY(mdldm__scheduler_create(&s->env, config, class_name, &s->scheduler));

    double eta = mdldm__option_double(options, "eta");
    if (eta > 0 && strcmp(mdldm__scheduler_class(s->scheduler), "DDIMScheduler") != 0)
        return mdldm__error(&s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "option eta is %g, but the scheduler %s has no eta; ddim has", eta,
                            mdldm__scheduler_class(s->scheduler));
    mdldm__scheduler_set_eta(s->scheduler, eta);

    int64_t steps = mdldm__option_int(options, "num_inference_steps");
    int64_t train = mdldm__scheduler_num_train_timesteps(s->scheduler);
    int set = options != NULL && mdldm_options_is_set(options, "num_inference_steps");
    return mdldm__scheduler_set_timesteps(s->scheduler, set || steps < train ? steps : train);
}

static mdldm_status check_model(mdldm__env *env, const mdldm_model *m, double guidance)
{
    if (m->unet == NULL)
        return mdldm__error(env, MDLDM_ERROR_NOT_FOUND, "the model has no UNet, so there is nothing to sample");
    const mdldm__unet_config *unet = &m->unet->unet;
    if (unet->in_channels != unet->out_channels)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "the UNet takes %d channels and gives %d; a sampler needs as many out as in",
                            (int)unet->in_channels, (int)unet->out_channels);
    if (guidance != 1.0 && mdldm__model_null_class(m) < 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "option guidance_scale is %g, but the model has no unconditional prediction to guide "
                            "from; 1 would be right, or a model trained on classes with label_dropout above 0",
                            guidance);
    return MDLDM_OK;
}

static mdldm_status fill_sampler(mdldm_sampler *s, mdldm_model *m, const mdldm_options *options)
{
    s->guidance_scale = mdldm__option_double(options, "guidance_scale");
    s->seed = (uint64_t)mdldm__option_int(options, "seed");
    MDLDM__TRY(check_model(&s->env, m, s->guidance_scale));
    json_t *config = m->scheduler != NULL ? json_deep_copy(m->scheduler)
                                          : mdldm__scheduler_default_config();
    if (config == NULL)
        return mdldm__oom(&s->env, "scheduler config");
    mdldm_status status = make_scheduler(s, config, options);
    json_decref(config);
    return status;
}

mdldm_status mdldm_sampler_create(mdldm_context *ctx, mdldm_model *m, const mdldm_options *options,
                                  mdldm_sampler **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (m == NULL || out == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_sampler_create: %s is NULL",
                            m == NULL ? "the model" : "out");
    mdldm_sampler *s = mdldm__calloc(&ctx->env, 1, sizeof *s);
    if (s == NULL)
        return mdldm__oom(&ctx->env, "sampler");
    mdldm__env_init(&s->env, &ctx->env);
    mdldm_status status = fill_sampler(s, m, options);
    if (status != MDLDM_OK) {
        mdldm__error(&ctx->env, status, "%s", s->env.error);
        mdldm_sampler_free(s);
        return status;
    }
    mdldm_model_retain(m);
    s->model = m;
    *out = s;
    return MDLDM_OK;
}

void mdldm_sampler_free(mdldm_sampler *s)
{
    if (s == NULL)
        return;
    mdldm_model_free(s->model);
    mdldm__scheduler_free(s->scheduler);
    mdldm__free(&s->env, s->work);
    mdldm__free(&s->env, s->timesteps);
    mdldm__free(&s->env, s->labels);
    mdldm__env env = s->env;
    mdldm__free(&env, s);
}

int64_t mdldm_sampler_steps(const mdldm_sampler *s)
{
    return s != NULL ? mdldm__scheduler_steps(s->scheduler) : 0;
}

double mdldm_sampler_timestep(const mdldm_sampler *s, int64_t index)
{
    return s != NULL ? mdldm__scheduler_timestep(s->scheduler, index) : -1.0;
}
