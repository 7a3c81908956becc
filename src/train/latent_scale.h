/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_TRAIN_LATENT_SCALE_H
#define MDLDM_TRAIN_LATENT_SCALE_H

#include "train/trainer.h"

/* The scale of the latents: 1/std over the training images (Rombach et al. 2022, appendix G), kept in
 * the config as scaling_factor, with the mean and std of each channel beside it. */
mdldm_status mdldm__measure_latent_scale(mdldm_trainer *t);

#endif
