/* SPDX-License-Identifier: MIT
 * What stage 2 learns: how latents are made noisy, what is to be predicted from them, which timesteps are drawn, and
 * how much each counts. */
#ifndef MDLDM_TRAIN_NOISE_PROCESS_H
#define MDLDM_TRAIN_NOISE_PROCESS_H

#include "diffusion/scheduler.h"
#include "train/trainer.h"

typedef enum mdldm__prediction {
    MDLDM__LEARN_NOISE,
    MDLDM__LEARN_SAMPLE,
    MDLDM__LEARN_VELOCITY,
    MDLDM__LEARN_FLOW
} mdldm__prediction;

typedef struct mdldm__noise_process {
    mdldm__scheduler *scheduler; /* owned */
    const mdldm__train_options *options;
    mdldm__prediction predicts;
    int32_t weighted; /* some timesteps count more than others */
} mdldm__noise_process;

/* From the options and, where those say nothing, from the model's scheduler, which is replaced. */
mdldm_status mdldm__noise_process_open(mdldm_trainer *t, mdldm__noise_process *out);
/* The training timestep of the sample with that running number. */
int64_t mdldm__noise_process_draw(const mdldm__noise_process *p, uint64_t seed, uint64_t sample);
/* clean, noise -> noisy, target: n latents, count floats in all. */
mdldm_status mdldm__noise_process_apply(const mdldm__noise_process *p, const float *clean, const float *noise,
                                        const int64_t *timesteps, int64_t n, size_t count, float *noisy,
                                        float *target);
/* Weight of the squared error at a timestep. */
float mdldm__noise_process_weight(const mdldm__noise_process *p, int64_t timestep);

#endif
