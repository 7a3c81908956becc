/* SPDX-License-Identifier: MIT
 * The learning-rate schedules of diffusers.optimization. */
#ifndef MDLDM_TRAIN_LR_SCHEDULE_H
#define MDLDM_TRAIN_LR_SCHEDULE_H

#include <stdint.h>

/* Factor on the initial learning rate at optimiser step `step` (the first step is 0: with a warm-up its
 * factor is 0). name: "linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
 * "constant_with_warmup"; NaN for any other. "constant" knows no warm-up, as in diffusers.
 * num_cycles <= 0: the default, 0.5 for cosine, 1 for cosine_with_restarts. polynomial ends at a
 * learning rate of 1e-7 and so needs lr_init above that: NaN otherwise. */
double mdldm__lr_multiplier(const char *name, int64_t step, int64_t warmup, int64_t total,
                            double num_cycles, double power, double lr_init);

#endif
