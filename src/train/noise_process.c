/* SPDX-License-Identifier: MIT
 * Noise (Ho, Jain and Abbeel 2020), sample or velocity (Salimans and Ho 2022), or flow matching (Lipman et al. 2023);
 * min-SNR weighting (Hang et al. 2023); a terminal SNR of zero (Lin et al. 2023); drawing and weighting of timesteps
 * in flow matching as in Esser et al. 2024 and diffusers' training_utils. */
#include "train/noise_process.h"

#include <math.h>
#include <string.h>

#include "diffusion/scheduler_config.h"
#include "diffusion/scheduler_new.h"
#include "util/rng.h"

static const double pi = 3.14159265358979323846;

static const char *class_of(const json_t *config)
{
    return json_string_value(json_object_get(config, "_class_name"));
}

/* A given pipeline keeps its schedule, but for what the options say themselves. */
static mdldm_status keep_schedule(mdldm__env *env, const mdldm__train_options *o, const json_t *kept, json_t *fresh,
                                  json_t **out)
{
    const struct {
        const char *key;
        int32_t set;
    } keys[] = {
        { "num_train_timesteps", o->num_train_timesteps_set }, { "beta_schedule", o->beta_schedule_set },
        { "prediction_type", o->prediction_type_set },         { "rescale_betas_zero_snr", o->zero_snr_set },
        { "timestep_spacing", o->zero_snr_set },               { "shift", o->flow_shift_set },
    };
    json_t *config = json_deep_copy(kept);
    int failed = config == NULL;
    for (size_t i = 0; !failed && i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(fresh, keys[i].key); /* of this process only */
        if (value != NULL && (keys[i].set || json_object_get(config, keys[i].key) == NULL))
            failed = json_object_set(config, keys[i].key, value) != 0;
    }
    *out = config;
    if (!failed)
        return MDLDM_OK;
    json_decref(config);
    *out = NULL;
    return mdldm__oom(env, "scheduler config");
}

static mdldm_status make_config(mdldm__env *env, const mdldm__train_options *o, const json_t *kept, json_t **out)
{
    mdldm__scheduler_new values = { .num_train_timesteps = o->num_train_timesteps,
                                    .beta_schedule = o->beta_schedule,
                                    .prediction_type = o->prediction_type,
                                    .rescale_betas_zero_snr = o->zero_snr,
                                    .shift = o->flow_shift };
    const int kept_flow = mdldm__scheduler_is_flow(class_of(kept));
    if (!o->prediction_type_set && kept_flow)
        values.prediction_type = "flow_prediction";
    json_t *fresh = mdldm__scheduler_new_config(&values);
    if (fresh == NULL)
        return mdldm__oom(env, "scheduler config");
    *out = fresh;
    if (kept == NULL || kept_flow != mdldm__scheduler_is_flow(class_of(fresh)))
        return MDLDM_OK; /* nothing of a diffusion schedule serves flow matching, nor the other way round */
    mdldm_status status = keep_schedule(env, o, kept, fresh, out);
    json_decref(fresh);
    return status;
}

static mdldm_status check(mdldm__env *env, const mdldm__noise_process *p, const json_t *config)
{
    const mdldm__train_options *o = p->options;
    const int flow = p->predicts == MDLDM__LEARN_FLOW, plain = strcmp(o->weighting_scheme, "none") == 0;
    if (!flow && !plain)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "weighting_scheme is %s, which is for flow matching: prediction_type flow_prediction would "
                            "be right, or weighting_scheme none",
                            o->weighting_scheme);
    if (flow && o->snr_gamma > 0.0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "snr_gamma is %g, which is not for flow matching: weighting_scheme would be right",
                            o->snr_gamma);
    if (flow && o->zero_snr)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "rescale_betas_zero_snr is not for flow matching, whose last timestep is all noise anyway: "
                            "leave it out");
    if (p->predicts == MDLDM__LEARN_NOISE && json_is_true(json_object_get(config, "rescale_betas_zero_snr")))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "rescale_betas_zero_snr does not go with prediction_type epsilon: at the last timestep the "
                            "noise is all there is, and predicting it tells nothing; v_prediction or sample would be "
                            "right");
    return MDLDM_OK;
}

mdldm_status mdldm__noise_process_open(mdldm_trainer *t, mdldm__noise_process *out)
{
    mdldm__env *env = &t->ctx->env;
    mdldm__noise_process p = { .options = &t->options };
    json_t *config = NULL;
    MDLDM__TRY(make_config(env, &t->options, t->model->scheduler, &config));
    const char *class_name = mdldm__scheduler_is_flow(class_of(config)) ? NULL : "DDPMScheduler";
    mdldm_status status = mdldm__scheduler_create(env, config, class_name, &p.scheduler);
    if (status == MDLDM_OK) {
        const char *type = mdldm__scheduler_prediction_type(p.scheduler);
        p.predicts = strcmp(type, "flow_prediction") == 0 ? MDLDM__LEARN_FLOW
                     : strcmp(type, "sample") == 0        ? MDLDM__LEARN_SAMPLE
                     : strcmp(type, "v_prediction") == 0  ? MDLDM__LEARN_VELOCITY
                                                          : MDLDM__LEARN_NOISE;
        const char *scheme = t->options.weighting_scheme;
        p.weighted = t->options.snr_gamma > 0.0 || p.predicts == MDLDM__LEARN_SAMPLE ||
                     strcmp(scheme, "sigma_sqrt") == 0 || strcmp(scheme, "cosmap") == 0;
        status = check(env, &p, config);
    }
    if (status != MDLDM_OK) {
        mdldm__scheduler_free(p.scheduler);
        json_decref(config);
        return status;
    }
    json_decref(t->model->scheduler);
    t->model->scheduler = config;
    *out = p;
    return MDLDM_OK;
}

int64_t mdldm__noise_process_draw(const mdldm__noise_process *p, uint64_t seed, uint64_t sample)
{
    const int64_t steps = mdldm__scheduler_num_train_timesteps(p->scheduler);
    const mdldm__train_options *o = p->options;
    const int normal = strcmp(o->weighting_scheme, "logit_normal") == 0;
    if (!normal && strcmp(o->weighting_scheme, "mode") != 0)
        return mdldm__rng_below(seed, MDLDM__RNG_TIMESTEP, sample, 0, (uint32_t)steps);
    /* compute_density_for_timestep_sampling; place 0 is the noisiest timestep. */
    double place;
    if (normal) {
        float z;
        mdldm__rng_normal(seed, MDLDM__RNG_TIMESTEP, sample, 0, &z, 1);
        place = 1.0 / (1.0 + exp(-(o->logit_mean + o->logit_std * (double)z)));
    } else {
        double u;
        mdldm__rng_uniform(seed, MDLDM__RNG_TIMESTEP, sample, 0, &u, 1);
        const double c = cos(0.5 * pi * u);
        place = 1.0 - u - o->mode_scale * (c * c - 1.0 + u);
    }
    const int64_t index = (int64_t)(place * (double)steps);
    return steps - 1 - (index < 0 ? 0 : index < steps ? index : steps - 1);
}

mdldm_status mdldm__noise_process_apply(const mdldm__noise_process *p, const float *clean, const float *noise,
                                        const int64_t *timesteps, int64_t n, size_t count, float *noisy,
                                        float *target)
{
    MDLDM__TRY(mdldm__scheduler_add_noise(p->scheduler, clean, noise, timesteps, n, count, noisy));
    if (p->predicts == MDLDM__LEARN_VELOCITY || p->predicts == MDLDM__LEARN_FLOW)
        return mdldm__scheduler_velocity(p->scheduler, clean, noise, timesteps, n, count, target);
    memcpy(target, p->predicts == MDLDM__LEARN_NOISE ? noise : clean, count * sizeof *target);
    return MDLDM_OK;
}

/* compute_loss_weighting_for_sd3. */
static double flow_weight(const mdldm__noise_process *p, int64_t timestep)
{
    const double sigma = mdldm__scheduler_train_sigma(p->scheduler, timestep);
    if (strcmp(p->options->weighting_scheme, "sigma_sqrt") == 0)
        return 1.0 / (sigma * sigma);
    if (strcmp(p->options->weighting_scheme, "cosmap") == 0)
        return 2.0 / (pi * (1.0 - 2.0 * sigma + 2.0 * sigma * sigma));
    return 1.0;
}

/* Min-SNR-gamma divided by what the prediction type already implies; predicted samples without it are weighted by
 * the SNR itself, which makes the loss that of the noise (Salimans and Ho 2022, and diffusers' training script). */
float mdldm__noise_process_weight(const mdldm__noise_process *p, int64_t timestep)
{
    if (!p->weighted)
        return 1.0f;
    if (p->predicts == MDLDM__LEARN_FLOW)
        return (float)flow_weight(p, timestep);
    const double alpha = mdldm__scheduler_alphas_cumprod(p->scheduler)[timestep];
    const double snr = alpha / (1.0 - alpha), gamma = p->options->snr_gamma;
    if (gamma <= 0.0)
        return (float)snr;
    const double least = snr < gamma ? snr : gamma;
    if (p->predicts == MDLDM__LEARN_SAMPLE)
        return (float)least;
    return (float)(p->predicts == MDLDM__LEARN_VELOCITY ? least / (snr + 1.0) : least / fmax(snr, 1e-12));
}
