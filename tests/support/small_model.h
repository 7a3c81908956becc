/* SPDX-License-Identifier: MIT
 * A latent diffusion model of a few thousand parameters, for tests on the reference backend. */
#ifndef MDLDM_TESTS_SMALL_MODEL_H
#define MDLDM_TESTS_SMALL_MODEL_H

#include "mdldm/mdldm.h"

#define SMALL_FACTOR 2   /* pixels per latent cell and side */
#define SMALL_CHANNELS 3 /* of the latents */
#define SMALL_CODES 11

extern const char *const small_vq_config, *const small_kl_config, *const small_unet_config;

/* Writes the configs of such a pipeline (no weights) under folder. autoencoder: one of the above. */
void small_model_configs(const char *folder, const char *autoencoder);
/* A model of small_model_configs(folder, ...) with random weights, 16x16 pixels, classes 0: none (with
 * classes there is an unconditional row). Returns the status of mdldm_model_create. */
mdldm_status small_model_create(mdldm_context *ctx, const char *folder, int classes, mdldm_model **out);

#endif
