/* SPDX-License-Identifier: MIT */
#include "diffusion/scheduler_new.h"

#include <string.h>

static json_t *flow_config(const mdldm__scheduler_new *v)
{
    return json_pack("{s:s, s:s, s:i, s:f, s:b, s:i, s:f, s:I, s:f, s:n, s:b, s:s, s:b, s:b, s:b, s:b}", "_class_name",
                     "FlowMatchEulerDiscreteScheduler", "_diffusers_version", "0.42.1", "base_image_seq_len", 256,
                     "base_shift", 0.5, "invert_sigmas", 0, "max_image_seq_len", 4096, "max_shift", 1.15,
                     "num_train_timesteps", (json_int_t)v->num_train_timesteps, "shift", v->shift, "shift_terminal",
                     "stochastic_sampling", 0, "time_shift_type", "exponential", "use_beta_sigmas", 0,
                     "use_dynamic_shifting", 0, "use_exponential_sigmas", 0, "use_karras_sigmas", 0);
}

json_t *mdldm__scheduler_new_config(const mdldm__scheduler_new *v)
{
    if (strcmp(v->prediction_type, "flow_prediction") == 0)
        return flow_config(v);
    return json_pack("{s:s, s:s, s:f, s:s, s:f, s:b, s:f, s:f, s:I, s:s, s:b, s:f, s:i, s:b, s:s, s:n, s:s}",
                     "_class_name", "DDPMScheduler", "_diffusers_version", "0.42.1", "beta_end", 0.02,
                     "beta_schedule", v->beta_schedule, "beta_start", 0.0001, "clip_sample", 0,
                     "clip_sample_range", 1.0, "dynamic_thresholding_ratio", 0.995, "num_train_timesteps",
                     (json_int_t)v->num_train_timesteps, "prediction_type", v->prediction_type,
                     "rescale_betas_zero_snr", v->rescale_betas_zero_snr, "sample_max_value", 1.0, "steps_offset", 0,
                     "thresholding", 0, "timestep_spacing", v->rescale_betas_zero_snr ? "trailing" : "leading",
                     "trained_betas", "variance_type", "fixed_small");
}

json_t *mdldm__scheduler_default_config(void)
{
    return mdldm__scheduler_new_config(&(mdldm__scheduler_new){
        .num_train_timesteps = 1000, .beta_schedule = "linear", .prediction_type = "epsilon", .shift = 1.0 });
}
