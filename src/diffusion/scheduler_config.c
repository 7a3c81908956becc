/* SPDX-License-Identifier: MIT
 * One table of config keys: which classes read them, their type, what is allowed. A key that belongs to
 * another compatible class only is passed over, as diffusers' from_config does; any other is refused. */
#include "diffusion/scheduler_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "util/choice.h"

static const char *const class_names[] = {
    "DDPMScheduler", "DDIMScheduler",
    "DPMSolverMultistepScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "LMSDiscreteScheduler",
    "PNDMScheduler", "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler",
};
#define CLASS_COUNT (sizeof class_names / sizeof *class_names)

static const struct {
    const char *word;
    mdldm__scheduler_kind kind;
    int32_t algorithm; /* of DPMSolverMultistepScheduler; -1: the config's */
} words[] = {
    {"ddpm", MDLDM__DDPM, -1},
    {"ddim", MDLDM__DDIM, -1},
    {"dpmsolver++", MDLDM__DPMSOLVER, MDLDM__DPM_PP},
    {"dpmsolver-sde", MDLDM__DPMSOLVER, MDLDM__DPM_SDE_PP},
    {"euler", MDLDM__EULER, -1},
    {"euler_ancestral", MDLDM__EULER_ANCESTRAL, -1},
    {"lms", MDLDM__LMS, -1},
    {"pndm", MDLDM__PNDM, -1},
    {"flow_euler", MDLDM__FLOW_EULER, -1},
    {"flow_heun", MDLDM__FLOW_HEUN, -1},
};

#define DDPM (1u << MDLDM__DDPM)
#define DDIM (1u << MDLDM__DDIM)
#define DPM (1u << MDLDM__DPMSOLVER)
#define EUL (1u << MDLDM__EULER)
#define EULA (1u << MDLDM__EULER_ANCESTRAL)
#define LMS (1u << MDLDM__LMS)
#define PNDM (1u << MDLDM__PNDM)
#define FEUL (1u << MDLDM__FLOW_EULER)
#define FHEUN (1u << MDLDM__FLOW_HEUN)
#define FLOW (FEUL | FHEUN)
#define EVERY (DDPM | DDIM | DPM | EUL | EULA | LMS | PNDM) /* of diffusion */

typedef enum value_type {
    BOOLEAN,
    INTEGER,
    NUMBER,
    OPTIONAL_NUMBER, /* null: NaN */
    CHOICE,
    OPTIONAL_CHOICE, /* null: the default stays */
    BETAS,
    REFUSED_IF_TRUE, /* choices says why */
    WITHOUT_EFFECT
} value_type;

#define AT(field) offsetof(mdldm__scheduler_config, field)

static const struct key_rule {
    const char *key;
    uint32_t classes;
    value_type type;
    size_t offset;
    const char *choices;
} rules[] = {
    {"num_train_timesteps", EVERY | FLOW, INTEGER, AT(num_train_timesteps), NULL},
    {"beta_start", EVERY, NUMBER, AT(beta_start), NULL},
    {"beta_end", EVERY, NUMBER, AT(beta_end), NULL},
    {"beta_schedule", DDPM, CHOICE, AT(beta_schedule),
     "linear|scaled_linear|squaredcos_cap_v2|sigmoid|laplace"},
    {"beta_schedule", EVERY & ~DDPM, CHOICE, AT(beta_schedule),
     "linear|scaled_linear|squaredcos_cap_v2"},
    {"trained_betas", EVERY, BETAS, AT(trained_betas), NULL},
    {"prediction_type", EVERY & ~(EULA | PNDM), CHOICE, AT(prediction_type),
     "epsilon|v_prediction|sample"},
    {"prediction_type", EULA | PNDM, CHOICE, AT(prediction_type), "epsilon|v_prediction"},
    {"timestep_spacing", EVERY, CHOICE, AT(timestep_spacing), "leading|linspace|trailing"},
    {"steps_offset", EVERY, INTEGER, AT(steps_offset), NULL},
    {"rescale_betas_zero_snr", DDPM | DDIM | DPM | EUL | EULA, BOOLEAN, AT(rescale_betas_zero_snr), NULL},
    /* null comes from other classes and means fixed_small. DPMSolver does nothing with it, but a learned
     * variance would double the model's channels. */
    {"variance_type", DDPM | DPM, OPTIONAL_CHOICE, AT(variance_type),
     "fixed_small|fixed_small_log|fixed_large|fixed_large_log"},
    {"clip_sample", DDPM | DDIM, BOOLEAN, AT(clip_sample), NULL},
    {"clip_sample_range", DDPM | DDIM, NUMBER, AT(clip_sample_range), NULL},
    {"thresholding", DDPM | DDIM | DPM, BOOLEAN, AT(thresholding), NULL},
    {"dynamic_thresholding_ratio", DDPM | DDIM | DPM, NUMBER, AT(dynamic_thresholding_ratio), NULL},
    {"sample_max_value", DDPM | DDIM | DPM, NUMBER, AT(sample_max_value), NULL},
    {"set_alpha_to_one", DDIM | PNDM, BOOLEAN, AT(set_alpha_to_one), NULL},
    {"skip_prk_steps", PNDM, BOOLEAN, AT(skip_prk_steps), NULL},
    {"solver_order", DPM, INTEGER, AT(solver_order), NULL},
    /* "deis" and the solver types after heun are other classes' words for what DPM-Solver++ midpoint
     * stands in for, as in diffusers. */
    {"algorithm_type", DPM, CHOICE, AT(algorithm_type),
     "dpmsolver++|sde-dpmsolver++|dpmsolver|sde-dpmsolver|deis"},
    {"solver_type", DPM, CHOICE, AT(solver_type), "midpoint|heun|logrho|bh1|bh2"},
    {"lower_order_final", DPM, BOOLEAN, AT(lower_order_final), NULL},
    {"euler_at_final", DPM, BOOLEAN, AT(euler_at_final), NULL},
    {"use_karras_sigmas", DPM | EUL | LMS | FEUL, BOOLEAN, AT(use_karras_sigmas), NULL},
    {"use_exponential_sigmas", DPM | EUL | LMS | FEUL, BOOLEAN, AT(use_exponential_sigmas), NULL},
    {"use_beta_sigmas", DPM | EUL | LMS | FEUL, BOOLEAN, AT(use_beta_sigmas), NULL},
    {"use_lu_lambdas", DPM, BOOLEAN, AT(use_lu_lambdas), NULL},
    {"final_sigmas_type", DPM | EUL, CHOICE, AT(final_sigma_min), "zero|sigma_min"},
    {"lambda_min_clipped", DPM, NUMBER, AT(lambda_min_clipped), NULL},
    {"interpolation_type", EUL, CHOICE, AT(log_linear), "linear|log_linear"},
    {"timestep_type", EUL, CHOICE, AT(continuous), "discrete|continuous"},
    /* Euler's own keys, but the others find them in their config as well (hasattr) and use them. */
    {"sigma_min", DPM | EUL | LMS, OPTIONAL_NUMBER, AT(sigma_min), NULL},
    {"sigma_max", DPM | EUL | LMS, OPTIONAL_NUMBER, AT(sigma_max), NULL},
    /* Flow matching is another process, with classes of its own. */
    {"use_flow_sigmas", EVERY, REFUSED_IF_TRUE, 0, "for flow matching there are flow_euler and flow_heun"},
    {"use_dynamic_shifting", EVERY | FEUL, REFUSED_IF_TRUE, 0, "a shift by resolution is not supported"},
    {"shift", FLOW, NUMBER, AT(shift), NULL},
    {"shift_terminal", FEUL, OPTIONAL_NUMBER, AT(shift_terminal), NULL},
    {"stochastic_sampling", FEUL, BOOLEAN, AT(stochastic_sampling), NULL},
    {"invert_sigmas", FEUL, REFUSED_IF_TRUE, 0, "a process from data to noise is not supported"},
    {"base_shift", FEUL, WITHOUT_EFFECT, 0, NULL}, /* these four belong to use_dynamic_shifting */
    {"max_shift", FEUL, WITHOUT_EFFECT, 0, NULL},
    {"base_image_seq_len", FEUL, WITHOUT_EFFECT, 0, NULL},
    {"max_image_seq_len", FEUL, WITHOUT_EFFECT, 0, NULL},
    {"flow_shift", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"time_shift_type", EVERY | FEUL, WITHOUT_EFFECT, 0, NULL},
    /* Keys of compatible classes that are not here (Heun, UniPC, DEIS, SDE, EDM), and one retired. */
    {"disable_corrector", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"predict_x0", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"rho", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"shift_terminal", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"sigma_data", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"sigma_schedule", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"solver_p", EVERY, WITHOUT_EFFECT, 0, NULL},
    {"tensor_format", EVERY, WITHOUT_EFFECT, 0, NULL},
};
#define RULE_COUNT (sizeof rules / sizeof *rules)

const char *mdldm__scheduler_kind_name(mdldm__scheduler_kind kind)
{
    return class_names[kind];
}

const char *mdldm__prediction_type_name(int32_t prediction_type)
{
    static const char *const names[] = {"epsilon", "v_prediction", "sample", "flow_prediction"};
    return names[prediction_type];
}

static int find_class(const char *name, mdldm__scheduler_kind *kind, int32_t *algorithm)
{
    *algorithm = -1;
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (strcmp(name, class_names[i]) == 0) {
            *kind = (mdldm__scheduler_kind)i;
            return 1;
        }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(name, words[i].word) == 0) {
            *kind = words[i].kind;
            *algorithm = words[i].algorithm;
            return 1;
        }
    return 0;
}

/* The rule of that key for that class; *known: some class has the key. */
static const struct key_rule *find_rule(const char *key, mdldm__scheduler_kind kind, int *known)
{
    *known = 0;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (strcmp(rules[i].key, key) != 0)
            continue;
        *known = 1;
        if (rules[i].classes & (1u << kind))
            return &rules[i];
    }
    return NULL;
}

static int is_flow(mdldm__scheduler_kind kind)
{
    return kind == MDLDM__FLOW_EULER || kind == MDLDM__FLOW_HEUN;
}

int mdldm__scheduler_is_flow(const char *class_name)
{
    mdldm__scheduler_kind kind;
    int32_t algorithm;
    return class_name != NULL && find_class(class_name, &kind, &algorithm) && is_flow(kind);
}

int mdldm__scheduler_has_key(const char *class_name, const char *key)
{
    mdldm__scheduler_kind kind;
    int32_t algorithm;
    int known;
    return find_class(class_name, &kind, &algorithm) && find_rule(key, kind, &known) != NULL;
}

static mdldm_status wrong_type(mdldm__env *env, const char *key, const char *wanted)
{
    return mdldm__error(env, MDLDM_ERROR_FORMAT, "scheduler config key '%s' must be %s", key, wanted);
}

static mdldm_status parse_number(mdldm__env *env, const char *key, const json_t *value, double *out)
{
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return MDLDM_OK;
    }
    return wrong_type(env, key, "a number");
}

static mdldm_status parse_betas(mdldm__env *env, const char *key, const json_t *value, double **out)
{
    if (json_is_null(value))
        return MDLDM_OK;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return wrong_type(env, key, "null or an array of numbers");
    size_t count = json_array_size(value);
    double *betas = mdldm__calloc(env, count + 1, sizeof *betas);
    if (betas == NULL)
        return mdldm__oom(env, "trained_betas");
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        double beta = json_is_number(item) ? json_number_value(item) : -1.0;
        if (!(beta >= 0.0 && beta < 1.0)) {
            mdldm__free(env, betas);
            return mdldm__error(env, MDLDM_ERROR_FORMAT,
                                "scheduler config key '%s': entry %zu must be a number in [0, 1)", key, i);
        }
        betas[i] = beta;
    }
    betas[count] = -1.0; /* end mark: the number of timesteps may be read later */
    *out = betas;
    return MDLDM_OK;
}

static mdldm_status parse_choice(mdldm__env *env, const struct key_rule *rule, const json_t *value,
                                 mdldm__scheduler_kind kind, int32_t *out)
{
    const char *choices = rule->choices;
    const char *text = json_string_value(value);
    if (text == NULL)
        return wrong_type(env, rule->key, "a string");
    int32_t index = mdldm__choice_index(choices, text);
    if (index < 0)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "scheduler config key '%s': '%s' is not supported by %s; one of %s would be",
                            rule->key, text, class_names[kind], choices);
    *out = index;
    return MDLDM_OK;
}

static mdldm_status parse_value(mdldm__env *env, const struct key_rule *rule, const json_t *value,
                                mdldm__scheduler_config *config)
{
    void *field = (char *)config + rule->offset;
    switch (rule->type) {
    case BOOLEAN: /* null is Python's None: false */
        if (!json_is_boolean(value) && !json_is_null(value))
            return wrong_type(env, rule->key, "true or false");
        *(int32_t *)field = json_is_true(value);
        return MDLDM_OK;
    case INTEGER:
        if (!json_is_integer(value))
            return wrong_type(env, rule->key, "an integer");
        *(int64_t *)field = json_integer_value(value);
        return MDLDM_OK;
    case NUMBER:
        return parse_number(env, rule->key, value, field);
    case OPTIONAL_NUMBER:
        return json_is_null(value) ? MDLDM_OK : parse_number(env, rule->key, value, field);
    case CHOICE:
        return parse_choice(env, rule, value, config->kind, field);
    case OPTIONAL_CHOICE:
        return json_is_null(value) ? MDLDM_OK : parse_choice(env, rule, value, config->kind, field);
    case BETAS:
        return parse_betas(env, rule->key, value, field);
    case REFUSED_IF_TRUE:
        if (json_is_true(value))
            return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                                "scheduler config key '%s' is true, but %s; false would be right", rule->key,
                                rule->choices);
        return MDLDM_OK;
    case WITHOUT_EFFECT:
        break;
    }
    return MDLDM_OK;
}

static mdldm_status out_of_range(mdldm__env *env, const char *key, double value, const char *wanted)
{
    return mdldm__error(env, MDLDM_ERROR_FORMAT, "scheduler config key '%s' is %g but must be %s", key,
                        value, wanted);
}

static mdldm_status check_betas(mdldm__env *env, const mdldm__scheduler_config *c)
{
    if (c->trained_betas != NULL) {
        int64_t count = 0;
        while (c->trained_betas[count] >= 0.0)
            count++;
        if (count != c->num_train_timesteps)
            return mdldm__error(env, MDLDM_ERROR_FORMAT,
                                "scheduler config key 'trained_betas' has %lld values but "
                                "num_train_timesteps is %lld",
                                (long long)count, (long long)c->num_train_timesteps);
        return MDLDM_OK;
    }
    if (!(c->beta_start >= 0.0 && c->beta_start < 1.0))
        return out_of_range(env, "beta_start", c->beta_start, "in [0, 1)");
    if (!(c->beta_end >= 0.0 && c->beta_end < 1.0))
        return out_of_range(env, "beta_end", c->beta_end, "in [0, 1)");
    return MDLDM_OK;
}

static mdldm_status check_config(mdldm__env *env, const mdldm__scheduler_config *c)
{
    if (c->num_train_timesteps < 1 || c->num_train_timesteps > 1000000)
        return out_of_range(env, "num_train_timesteps", (double)c->num_train_timesteps, "in 1..1000000");
    MDLDM__TRY(check_betas(env, c));
    if (c->steps_offset < 0 || c->steps_offset > c->num_train_timesteps)
        return out_of_range(env, "steps_offset", (double)c->steps_offset, "in 0..num_train_timesteps");
    if (!(c->clip_sample_range > 0.0))
        return out_of_range(env, "clip_sample_range", c->clip_sample_range, "above 0");
    if (!(c->dynamic_thresholding_ratio >= 0.0 && c->dynamic_thresholding_ratio <= 1.0))
        return out_of_range(env, "dynamic_thresholding_ratio", c->dynamic_thresholding_ratio, "in [0, 1]");
    if (!(c->sample_max_value > 0.0))
        return out_of_range(env, "sample_max_value", c->sample_max_value, "above 0");
    if (c->solver_order < 1 || c->solver_order > 3)
        return out_of_range(env, "solver_order", (double)c->solver_order, "1, 2 or 3");
    if (c->sigma_min <= 0.0)
        return out_of_range(env, "sigma_min", c->sigma_min, "above 0");
    if (c->sigma_max <= 0.0)
        return out_of_range(env, "sigma_max", c->sigma_max, "above 0");
    if (isnan(c->lambda_min_clipped))
        return out_of_range(env, "lambda_min_clipped", c->lambda_min_clipped, "a number");
    if (!(c->shift > 0.0 && isfinite(c->shift)))
        return out_of_range(env, "shift", c->shift, "above 0");
    if (c->shift_terminal < 0.0 || c->shift_terminal >= 1.0)
        return out_of_range(env, "shift_terminal", c->shift_terminal, "null or in [0, 1)");
    if (c->use_karras_sigmas + c->use_exponential_sigmas + c->use_beta_sigmas > 1)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "scheduler config keys 'use_karras_sigmas', 'use_exponential_sigmas' and "
                            "'use_beta_sigmas' exclude one another; at most one may be true");
    int plain = c->algorithm_type == MDLDM__DPM_PLAIN || c->algorithm_type == MDLDM__DPM_SDE;
    if (plain && !c->final_sigma_min)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "scheduler config key 'algorithm_type': dpmsolver and sde-dpmsolver need "
                            "final_sigmas_type 'sigma_min', not 'zero'");
    if (c->algorithm_type == MDLDM__DPM_SDE && c->solver_order == 3)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "scheduler config key 'solver_order': sde-dpmsolver has orders 1 and 2, not 3");
    return MDLDM_OK;
}

static void set_defaults(mdldm__scheduler_config *c, mdldm__scheduler_kind kind)
{
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->num_train_timesteps = 1000;
    c->beta_start = 0.0001;
    c->beta_end = 0.02;
    c->solver_order = 2;
    c->clip_sample = 1;
    c->clip_sample_range = 1.0;
    c->dynamic_thresholding_ratio = 0.995;
    c->sample_max_value = 1.0;
    c->lower_order_final = 1;
    c->set_alpha_to_one = kind == MDLDM__DDIM;
    c->sigma_min = c->sigma_max = NAN;
    c->lambda_min_clipped = -INFINITY;
    c->shift = 1.0;
    c->shift_terminal = NAN;
    if (is_flow(kind))
        c->prediction_type = MDLDM__PREDICT_FLOW;
    /* The reason why a config that leaves the key out moves to other timesteps under another class. */
    int leading = kind == MDLDM__DDPM || kind == MDLDM__DDIM || kind == MDLDM__PNDM;
    c->timestep_spacing = leading ? MDLDM__SPACING_LEADING : MDLDM__SPACING_LINSPACE;
}

/* A config object in memory lists the keys whose values were only defaults; from_config forgets them.
 * (save_pretrained leaves the list out, so a file's keys all count: the two can differ in spacing.) */
static int only_a_default(const json_t *config, const char *key)
{
    const json_t *used = json_object_get(config, "_use_default_values");
    size_t i;
    json_t *item;
    json_array_foreach(used, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), key) == 0)
            return 1;
    return 0;
}

static mdldm_status parse_keys(mdldm__env *env, const json_t *config, mdldm__scheduler_config *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)config, key, value) {
        if (key[0] == '_' || strncmp(key, "mdldm", 5) == 0 || only_a_default(config, key))
            continue;
        int known;
        const struct key_rule *rule = find_rule(key, out->kind, &known);
        if (rule != NULL)
            MDLDM__TRY(parse_value(env, rule, value, out));
        else if (!known)
            return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                                "scheduler config key '%s' is unknown to %s; remove it", key,
                                class_names[out->kind]);
    }
    return MDLDM_OK;
}

mdldm_status mdldm__scheduler_config_parse(mdldm__env *env, const json_t *config, const char *class_name,
                                           mdldm__scheduler_config *out)
{
    memset(out, 0, sizeof *out);
    if (!json_is_object(config))
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "scheduler config must be a JSON object");
    if (class_name == NULL)
        class_name = json_string_value(json_object_get(config, "_class_name"));
    if (class_name == NULL)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "scheduler config key '_class_name' is missing; DDPMScheduler, say, would be right");
    mdldm__scheduler_kind kind;
    int32_t algorithm;
    if (!find_class(class_name, &kind, &algorithm))
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "scheduler class '%s' is not supported; choose one of ddpm, ddim, dpmsolver++, "
                            "dpmsolver-sde, euler, euler_ancestral, lms, pndm, flow_euler, flow_heun",
                            class_name);
    const char *stored = json_string_value(json_object_get(config, "_class_name"));
    if (stored != NULL && mdldm__scheduler_is_flow(stored) != is_flow(kind))
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "the scheduler config is %s's: %s cannot sample what was trained by %s; %s would be right",
                            stored, class_name, is_flow(kind) ? "diffusion" : "flow matching",
                            is_flow(kind) ? "ddpm, ddim or dpmsolver++" : "flow_euler or flow_heun");
    set_defaults(out, kind);
    mdldm_status status = parse_keys(env, config, out);
    if (algorithm >= 0)
        out->algorithm_type = algorithm;
    if (out->algorithm_type > MDLDM__DPM_SDE)
        out->algorithm_type = MDLDM__DPM_PP;
    if (out->solver_type > MDLDM__SOLVER_HEUN)
        out->solver_type = MDLDM__SOLVER_MIDPOINT;
    if (status == MDLDM_OK)
        status = check_config(env, out);
    if (status != MDLDM_OK)
        mdldm__scheduler_config_clear(env, out);
    return status;
}

void mdldm__scheduler_config_clear(mdldm__env *env, mdldm__scheduler_config *config)
{
    mdldm__free(env, config->trained_betas);
    config->trained_betas = NULL;
}
