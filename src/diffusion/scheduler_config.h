/* SPDX-License-Identifier: MIT
 * scheduler_config.json, resolved for one class: every key honoured or refused by name. */
#ifndef MDLDM_DIFFUSION_SCHEDULER_CONFIG_H
#define MDLDM_DIFFUSION_SCHEDULER_CONFIG_H

#include <jansson.h>

#include "util/env.h"

/* Values are the positions in scheduler_config.c's lists of names. */
typedef enum mdldm__scheduler_kind {
    MDLDM__DDPM,
    MDLDM__DDIM,
    MDLDM__DPMSOLVER,
    MDLDM__EULER,
    MDLDM__EULER_ANCESTRAL,
    MDLDM__LMS,
    MDLDM__PNDM,
    MDLDM__FLOW_EULER,
    MDLDM__FLOW_HEUN
} mdldm__scheduler_kind;
enum {
    MDLDM__BETA_LINEAR,
    MDLDM__BETA_SCALED_LINEAR,
    MDLDM__BETA_COSINE, /* squaredcos_cap_v2 */
    MDLDM__BETA_SIGMOID,
    MDLDM__BETA_LAPLACE
};
enum { MDLDM__PREDICT_EPSILON, MDLDM__PREDICT_V, MDLDM__PREDICT_SAMPLE, MDLDM__PREDICT_FLOW /* flow matching's only */ };
enum { MDLDM__SPACING_LEADING, MDLDM__SPACING_LINSPACE, MDLDM__SPACING_TRAILING };
enum { MDLDM__VARIANCE_SMALL, MDLDM__VARIANCE_SMALL_LOG, MDLDM__VARIANCE_LARGE, MDLDM__VARIANCE_LARGE_LOG };
enum { MDLDM__DPM_PP, MDLDM__DPM_SDE_PP, MDLDM__DPM_PLAIN, MDLDM__DPM_SDE };
enum { MDLDM__SOLVER_MIDPOINT, MDLDM__SOLVER_HEUN };

typedef struct mdldm__scheduler_config {
    mdldm__scheduler_kind kind;
    int64_t num_train_timesteps, steps_offset, solver_order;
    double beta_start, beta_end;
    double *trained_betas; /* [num_train_timesteps] or NULL */
    int32_t beta_schedule, prediction_type, timestep_spacing, variance_type;
    int32_t clip_sample, thresholding, rescale_betas_zero_snr;
    double clip_sample_range, dynamic_thresholding_ratio, sample_max_value;
    int32_t set_alpha_to_one, skip_prk_steps;
    int32_t algorithm_type, solver_type, lower_order_final, euler_at_final;
    int32_t use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas, use_lu_lambdas;
    int32_t final_sigma_min;   /* final_sigmas_type: "sigma_min" instead of "zero" */
    int32_t log_linear;        /* interpolation_type */
    int32_t continuous;        /* timestep_type */
    double sigma_min, sigma_max; /* NaN: from the table */
    double lambda_min_clipped;
    /* flow matching */
    double shift, shift_terminal; /* shift_terminal NaN: none */
    int32_t stochastic_sampling;
} mdldm__scheduler_config;

/* class_name as in mdldm__scheduler_create. On failure nothing is held. */
mdldm_status mdldm__scheduler_config_parse(mdldm__env *env, const json_t *config, const char *class_name,
                                           mdldm__scheduler_config *out);
void mdldm__scheduler_config_clear(mdldm__env *env, mdldm__scheduler_config *config);
const char *mdldm__scheduler_kind_name(mdldm__scheduler_kind kind);
const char *mdldm__prediction_type_name(int32_t prediction_type);
/* 1 when the class (name or short word) is one of flow matching: another process than the others', so that no
 * config moves between the two. */
int mdldm__scheduler_is_flow(const char *class_name);
/* 1 when the class (name or short word) reads that key. */
int mdldm__scheduler_has_key(const char *class_name, const char *key);

#endif
