/* SPDX-License-Identifier: MIT */
#include "diffusion/scheduler.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "diffusion/beta_schedule.h"
#include "diffusion/scheduler_internal.h"

static const mdldm__scheduler_methods *methods_of(mdldm__scheduler_kind kind)
{
    switch (kind) {
    case MDLDM__DDPM: return &mdldm__ddpm_methods;
    case MDLDM__DDIM: return &mdldm__ddim_methods;
    case MDLDM__DPMSOLVER: return &mdldm__dpmsolver_methods;
    case MDLDM__EULER: return &mdldm__euler_methods;
    case MDLDM__EULER_ANCESTRAL: return &mdldm__euler_ancestral_methods;
    case MDLDM__LMS: return &mdldm__lms_methods;
    case MDLDM__PNDM: return &mdldm__pndm_methods;
    case MDLDM__FLOW_EULER: return &mdldm__flow_euler_methods;
    case MDLDM__FLOW_HEUN: return &mdldm__flow_heun_methods;
    }
    return NULL;
}

static mdldm_status fill_tables(mdldm__scheduler *s)
{
    const int64_t count = s->config.num_train_timesteps;
    if (s->config.prediction_type == MDLDM__PREDICT_FLOW) {
        const float shift = (float)s->config.shift, shift_less_1 = (float)(s->config.shift - 1.0);
        for (int64_t i = 0; i < count; i++) { /* Esser et al. 2024, equation 23 */
            const float part = (float)(i + 1) / (float)count;
            s->train_sigmas[i] = shift * part / (1.0f + shift_less_1 * part);
        }
        return MDLDM_OK;
    }
    mdldm__alphas_cumprod(&s->config, s->alphas_cumprod);
    for (int64_t i = 0; i < count; i++) {
        float ac = s->alphas_cumprod[i];
        if (!(ac >= 0.0f && ac <= 1.0f))
            return mdldm__error(s->env, MDLDM_ERROR_FORMAT,
                                "scheduler config: the betas give alphas_cumprod %g at timestep %lld; "
                                "a value in [0, 1] would be right",
                                (double)ac, (long long)i);
        s->alphas_cumprod_double[i] = ac;
        s->train_sigmas[i] = sqrtf((1.0f - ac) / ac);
    }
    return MDLDM_OK;
}

mdldm_status mdldm__scheduler_create(mdldm__env *env, const json_t *config, const char *class_name,
                                     mdldm__scheduler **out)
{
    *out = NULL;
    mdldm__scheduler *s = mdldm__calloc(env, 1, sizeof *s);
    if (s == NULL)
        return mdldm__oom(env, "scheduler");
    s->env = env;
    mdldm_status status = mdldm__scheduler_config_parse(env, config, class_name, &s->config);
    if (status != MDLDM_OK) {
        mdldm__scheduler_free(s);
        return status;
    }
    s->methods = methods_of(s->config.kind);
    size_t count = (size_t)s->config.num_train_timesteps;
    s->alphas_cumprod = mdldm__calloc(env, count, sizeof *s->alphas_cumprod);
    s->alphas_cumprod_double = mdldm__calloc(env, count, sizeof *s->alphas_cumprod_double);
    s->train_sigmas = mdldm__calloc(env, count, sizeof *s->train_sigmas);
    if (s->alphas_cumprod == NULL || s->alphas_cumprod_double == NULL || s->train_sigmas == NULL)
        status = mdldm__oom(env, "scheduler tables");
    else
        status = fill_tables(s);
    if (status != MDLDM_OK) {
        mdldm__scheduler_free(s);
        return status;
    }
    *out = s;
    return MDLDM_OK;
}

static void free_history(mdldm__scheduler *s)
{
    for (int i = 0; i < MDLDM__MAX_HISTORY; i++) {
        mdldm__free(s->env, s->history[i]);
        s->history[i] = NULL;
    }
    s->history_size = 0;
    s->history_count = 0;
}

void mdldm__scheduler_free(mdldm__scheduler *s)
{
    if (s == NULL)
        return;
    mdldm__env *env = s->env;
    free_history(s);
    mdldm__free(env, s->alphas_cumprod);
    mdldm__free(env, s->alphas_cumprod_double);
    mdldm__free(env, s->train_sigmas);
    mdldm__free(env, s->timesteps);
    mdldm__free(env, s->sigmas);
    mdldm__scheduler_config_clear(env, &s->config);
    mdldm__free(env, s);
}

mdldm_status mdldm__scheduler_reserve(mdldm__scheduler *s, int64_t steps)
{
    double *timesteps = mdldm__calloc(s->env, (size_t)steps, sizeof *timesteps);
    float *sigmas = mdldm__calloc(s->env, (size_t)steps + 1, sizeof *sigmas);
    if (timesteps == NULL || sigmas == NULL) {
        mdldm__free(s->env, timesteps);
        mdldm__free(s->env, sigmas);
        return mdldm__oom(s->env, "timesteps");
    }
    mdldm__free(s->env, s->timesteps);
    mdldm__free(s->env, s->sigmas);
    s->timesteps = timesteps;
    s->sigmas = sigmas;
    s->steps = steps;
    return MDLDM_OK;
}

mdldm_status mdldm__scheduler_set_timesteps(mdldm__scheduler *s, int64_t steps)
{
    if (steps < 1 || steps > s->config.num_train_timesteps)
        return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "num_inference_steps is %lld but must be in 1..%lld, the timesteps of the training",
                            (long long)steps, (long long)s->config.num_train_timesteps);
    s->steps = 0;
    s->next_index = 0;
    s->history_count = 0;
    s->requested = steps;
    s->init_noise_sigma = 1.0;
    mdldm_status status = s->methods->set_timesteps(s, steps);
    if (status != MDLDM_OK)
        s->steps = 0;
    return status;
}

int64_t mdldm__scheduler_steps(const mdldm__scheduler *s)
{
    return s->steps;
}

double mdldm__scheduler_timestep(const mdldm__scheduler *s, int64_t index)
{
    return index >= 0 && index < s->steps ? s->timesteps[index] : -1.0;
}

double mdldm__scheduler_init_noise_sigma(const mdldm__scheduler *s)
{
    return s->init_noise_sigma;
}

int64_t mdldm__scheduler_num_train_timesteps(const mdldm__scheduler *s)
{
    return s->config.num_train_timesteps;
}

const char *mdldm__scheduler_class(const mdldm__scheduler *s)
{
    return mdldm__scheduler_kind_name(s->config.kind);
}

const char *mdldm__scheduler_prediction_type(const mdldm__scheduler *s)
{
    return mdldm__prediction_type_name(s->config.prediction_type);
}

const double *mdldm__scheduler_alphas_cumprod(const mdldm__scheduler *s)
{
    return s->alphas_cumprod_double;
}

void mdldm__scheduler_scale_input(const mdldm__scheduler *s, int64_t index, const float *in, float *out,
                                  size_t count)
{
    assert(index >= 0 && index < s->steps);
    if (!s->methods->scales_input) {
        memmove(out, in, count * sizeof *out);
        return;
    }
    float divisor = sqrtf(s->sigmas[index] * s->sigmas[index] + 1.0f);
    for (size_t i = 0; i < count; i++)
        out[i] = in[i] / divisor;
}

int mdldm__scheduler_wants_noise(const mdldm__scheduler *s, int64_t index)
{
    return s->methods->wants_noise != NULL && s->methods->wants_noise(s, index);
}

void mdldm__scheduler_set_eta(mdldm__scheduler *s, double eta)
{
    s->eta = eta;
}

static mdldm_status reserve_history(mdldm__scheduler *s, size_t count)
{
    if (s->history_size == count)
        return MDLDM_OK;
    free_history(s);
    for (int32_t i = 0; i < s->methods->arrays; i++) {
        s->history[i] = mdldm__calloc(s->env, count, sizeof(float));
        if (s->history[i] == NULL) {
            free_history(s);
            return mdldm__oom(s->env, "scheduler history");
        }
    }
    s->history_size = count;
    return MDLDM_OK;
}

float *mdldm__scheduler_push_history(mdldm__scheduler *s, int32_t slots)
{
    float *recycled = s->history[slots - 1];
    memmove(&s->history[1], &s->history[0], (size_t)(slots - 1) * sizeof *s->history);
    s->history[0] = recycled;
    if (s->history_count < slots)
        s->history_count++;
    return recycled;
}

mdldm_status mdldm__scheduler_step(mdldm__scheduler *s, int64_t index, const float *model_output,
                                   float *sample, const float *noise, int64_t n, size_t count)
{
    assert(n >= 1 && count % (size_t)n == 0);
    if (index < 0 || index >= s->steps)
        return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT, "step %lld is not in 0..%lld",
                            (long long)index, (long long)s->steps - 1);
    if (mdldm__scheduler_wants_noise(s, index) && noise == NULL)
        return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT, "step %lld of %s needs noise",
                            (long long)index, mdldm__scheduler_class(s));
    if (s->methods->remembers && index != 0 && (index != s->next_index || s->history_size != count))
        return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "%s remembers earlier steps: step %lld of a batch of %zu values was expected, not "
                            "step %lld of %zu (begin again with step 0)",
                            mdldm__scheduler_class(s), (long long)s->next_index, s->history_size,
                            (long long)index, count);
    MDLDM__TRY(reserve_history(s, count));
    if (index == 0)
        s->history_count = 0;
    MDLDM__TRY(s->methods->step(s, index, model_output, sample, noise, n, count));
    s->next_index = index + 1;
    return MDLDM_OK;
}

double mdldm__scheduler_train_time(const mdldm__scheduler *s, int64_t index)
{
    assert(index >= 0 && index < s->config.num_train_timesteps);
    if (s->config.prediction_type != MDLDM__PREDICT_FLOW)
        return (double)index;
    return (double)(s->train_sigmas[index] * (float)s->config.num_train_timesteps);
}

double mdldm__scheduler_train_sigma(const mdldm__scheduler *s, int64_t index)
{
    assert(index >= 0 && index < s->config.num_train_timesteps);
    return s->train_sigmas[index];
}

typedef struct weights {
    float sample, noise;
} weights;

/* Of the noisy sample at training timestep t. */
static weights noisy_weights(const mdldm__scheduler *s, int64_t t)
{
    if (s->config.prediction_type == MDLDM__PREDICT_FLOW)
        return (weights){ 1.0f - s->train_sigmas[t], s->train_sigmas[t] };
    return (weights){ sqrtf(s->alphas_cumprod[t]), sqrtf(1.0f - s->alphas_cumprod[t]) };
}

static weights velocity_weights(const mdldm__scheduler *s, int64_t t)
{
    if (s->config.prediction_type == MDLDM__PREDICT_FLOW)
        return (weights){ -1.0f, 1.0f };
    return (weights){ -sqrtf(1.0f - s->alphas_cumprod[t]), sqrtf(s->alphas_cumprod[t]) };
}

/* out = sum of sample and noise, weighted image by image. */
static mdldm_status mix(const mdldm__scheduler *s, weights (*weigh)(const mdldm__scheduler *, int64_t),
                        const float *sample, const float *noise, const int64_t *timesteps, int64_t n, size_t count,
                        float *out)
{
    assert(n >= 1 && count % (size_t)n == 0);
    for (int64_t k = 0; k < n; k++)
        if (timesteps[k] < 0 || timesteps[k] >= s->config.num_train_timesteps)
            return mdldm__error(s->env, MDLDM_ERROR_INVALID_ARGUMENT, "timestep %lld is not in 0..%lld",
                                (long long)timesteps[k], (long long)s->config.num_train_timesteps - 1);
    const size_t each = count / (size_t)n;
    for (int64_t k = 0; k < n; k++) {
        const weights w = weigh(s, timesteps[k]);
        for (size_t i = (size_t)k * each; i < ((size_t)k + 1) * each; i++)
            out[i] = w.sample * sample[i] + w.noise * noise[i];
    }
    return MDLDM_OK;
}

mdldm_status mdldm__scheduler_add_noise(const mdldm__scheduler *s, const float *sample, const float *noise,
                                        const int64_t *timesteps, int64_t n, size_t count, float *noisy)
{
    return mix(s, noisy_weights, sample, noise, timesteps, n, count, noisy);
}

mdldm_status mdldm__scheduler_velocity(const mdldm__scheduler *s, const float *sample, const float *noise,
                                       const int64_t *timesteps, int64_t n, size_t count, float *out)
{
    return mix(s, velocity_weights, sample, noise, timesteps, n, count, out);
}
