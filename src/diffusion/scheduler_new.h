/* SPDX-License-Identifier: MIT
 * The scheduler_config.json of a newly trained model. */
#ifndef MDLDM_DIFFUSION_SCHEDULER_NEW_H
#define MDLDM_DIFFUSION_SCHEDULER_NEW_H

#include <jansson.h>
#include <stdint.h>

typedef struct mdldm__scheduler_new {
    int64_t num_train_timesteps;
    const char *beta_schedule, *prediction_type; /* prediction_type "flow_prediction": flow matching */
    int32_t rescale_betas_zero_snr;              /* and sampling from the very last timestep */
    double shift;                                /* of flow matching */
} mdldm__scheduler_new;

/* Every key of DDPMScheduler, so that from_config to another class keeps all of them, or of
 * FlowMatchEulerDiscreteScheduler. A new reference; NULL: out of memory. */
json_t *mdldm__scheduler_new_config(const mdldm__scheduler_new *values);
/* What a model without a scheduler is taken to have: DDPMScheduler's defaults, but no clipping. */
json_t *mdldm__scheduler_default_config(void);

#endif
