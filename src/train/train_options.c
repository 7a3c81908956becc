/* SPDX-License-Identifier: MIT */
#include "train/train_options.h"

#include <stdio.h>
#include <string.h>

#include "api/options_table.h"

mdldm_status mdldm__train_options_read(mdldm__env *env, const mdldm_options *options,
                                       mdldm__train_options *out)
{
#define INT(field, key) o.field = mdldm__option_int(options, key)
#define FLAG(field, key) o.field = (int32_t)mdldm__option_int(options, key)
#define REAL(field, key) o.field = mdldm__option_double(options, key)
#define WORD(field, key) snprintf(o.field, sizeof o.field, "%s", mdldm__option_string(options, key))
    mdldm__train_options o;
    memset(&o, 0, sizeof o);
    INT(batch, "train_batch_size");
    INT(eval_batch, "eval_batch_size");
    INT(accumulation, "gradient_accumulation_steps");
    INT(epochs, "num_epochs");
    INT(max_steps, "max_train_steps");
    INT(warmup, "lr_warmup_steps");
    INT(checkpoints_limit, "checkpoints_total_limit");
    INT(workers, "dataloader_num_workers");
    INT(seed, "seed");
    INT(validation_gap, "validation_gap");
    INT(restart_dead_codes, "restart_dead_codes");
    INT(num_train_timesteps, "ddpm_num_steps");
    FLAG(overwrite, "overwrite_output_dir");
    FLAG(use_ema, "use_ema");
    FLAG(allow_tf32, "allow_tf32");
    FLAG(gradient_checkpointing, "gradient_checkpointing");
    FLAG(legacy_beta, "legacy_beta");
    FLAG(ema_codebook, "ema_codebook");
    FLAG(kmeans_start, "kmeans_start");
    FLAG(unconditional, "unconditional");
    FLAG(zero_snr, "rescale_betas_zero_snr");
    REAL(learning_rate, "learning_rate");
    REAL(lr_cycles, "lr_num_cycles");
    REAL(lr_power, "lr_power");
    REAL(beta1, "adam_beta1");
    REAL(beta2, "adam_beta2");
    REAL(weight_decay, "adam_weight_decay");
    REAL(epsilon, "adam_epsilon");
    REAL(max_grad_norm, "max_grad_norm");
    REAL(ema_inv_gamma, "ema_inv_gamma");
    REAL(ema_power, "ema_power");
    REAL(ema_max_decay, "ema_max_decay");
    REAL(validation_fraction, "validation_fraction");
    REAL(l1_weight, "l1_weight");
    REAL(l2_weight, "l2_weight");
    REAL(codebook_weight, "codebook_weight");
    REAL(commitment_beta, "commitment_beta");
    REAL(ema_codebook_decay, "ema_codebook_decay");
    REAL(entropy_weight, "entropy_weight");
    REAL(entropy_temperature, "entropy_temperature");
    REAL(scaling_factor, "scaling_factor");
    REAL(snr_gamma, "snr_gamma");
    REAL(label_dropout, "label_dropout");
    REAL(logit_mean, "logit_mean");
    REAL(logit_std, "logit_std");
    REAL(mode_scale, "mode_scale");
    REAL(flow_shift, "flow_shift");
    WORD(lr_schedule, "lr_scheduler");
    WORD(prediction_type, "prediction_type");
    WORD(latent_cache, "latent_cache");
    WORD(beta_schedule, "ddpm_beta_schedule");
    WORD(weighting_scheme, "weighting_scheme");
    o.bf16 = strcmp(mdldm__option_string(options, "mixed_precision"), "bf16") == 0;
    o.prediction_type_set = mdldm_options_is_set(options, "prediction_type");
    o.beta_schedule_set = mdldm_options_is_set(options, "ddpm_beta_schedule");
    o.zero_snr_set = mdldm_options_is_set(options, "rescale_betas_zero_snr");
    o.flow_shift_set = mdldm_options_is_set(options, "flow_shift");
    o.num_train_timesteps_set = mdldm_options_is_set(options, "ddpm_num_steps");
#undef INT
#undef FLAG
#undef REAL
#undef WORD
    if (strcmp(o.lr_schedule, "polynomial") == 0 && o.learning_rate <= 1e-7)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "learning_rate is %g: the polynomial schedule ends at 1e-7 and needs more",
                            o.learning_rate);
    o.output_dir = mdldm__strdup(env, mdldm__option_string(options, "output_dir"));
    o.resume = mdldm__strdup(env, mdldm__option_string(options, "resume_from_checkpoint"));
    if (o.output_dir == NULL || o.resume == NULL) {
        mdldm__train_options_free(env, &o);
        return mdldm__oom(env, "training options");
    }
    *out = o;
    return MDLDM_OK;
}

void mdldm__train_options_free(mdldm__env *env, mdldm__train_options *o)
{
    mdldm__free(env, o->output_dir);
    mdldm__free(env, o->resume);
    o->output_dir = o->resume = NULL;
}
