/* SPDX-License-Identifier: MIT
 * The options of a training run, read once. */
#ifndef MDLDM_TRAIN_TRAIN_OPTIONS_H
#define MDLDM_TRAIN_TRAIN_OPTIONS_H

#include "util/env.h"

typedef struct mdldm__train_options {
    char *output_dir, *resume; /* owned; "" when not set */
    int64_t batch, eval_batch, accumulation, epochs, max_steps, warmup, checkpoints_limit, workers, seed;
    int32_t overwrite, use_ema, bf16, allow_tf32, gradient_checkpointing;
    double learning_rate, lr_cycles, lr_power, beta1, beta2, weight_decay, epsilon, max_grad_norm;
    double ema_inv_gamma, ema_power, ema_max_decay, validation_fraction;
    int64_t validation_gap;
    char lr_schedule[32];
    /* stage 1 */
    double l1_weight, l2_weight, codebook_weight, commitment_beta, ema_codebook_decay, entropy_weight,
        entropy_temperature, scaling_factor;
    int32_t legacy_beta, ema_codebook, kmeans_start;
    int64_t restart_dead_codes;
    /* stage 2 */
    double snr_gamma, label_dropout, logit_mean, logit_std, mode_scale, flow_shift;
    int32_t unconditional, zero_snr;
    char prediction_type[32], latent_cache[8], beta_schedule[32], weighting_scheme[32];
    int64_t num_train_timesteps;
    int32_t prediction_type_set, beta_schedule_set, num_train_timesteps_set, zero_snr_set,
        flow_shift_set; /* by the caller */
} mdldm__train_options;

mdldm_status mdldm__train_options_read(mdldm__env *env, const mdldm_options *options,
                                       mdldm__train_options *out);
void mdldm__train_options_free(mdldm__env *env, mdldm__train_options *o);

#endif
