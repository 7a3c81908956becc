/* SPDX-License-Identifier: MIT
 * Small models, images and options for tests that train. These fail the test themselves. */
#ifndef MDLDM_TESTS_TRAIN_SETUP_H
#define MDLDM_TESTS_TRAIN_SETUP_H

#include "mdldm/mdldm.h"

#define TRAIN_RESOLUTION 16

/* A context on backend (NULL: reference), one thread. */
mdldm_context *train_context(const char *backend);
/* Folder with persons A and B, count images each: striped pictures that differ by person and index. */
void train_make_images(mdldm_context *ctx, const char *folder, int count);
mdldm_dataset *train_dataset(mdldm_context *ctx, const char *folder);
/* A VQModel with f = 2, 8 and 16 channels, 32 codes; configs are written into folder. */
mdldm_model *train_autoencoder(mdldm_context *ctx, const char *folder, int64_t seed);
/* The same for another image_mode: "L" takes one channel. */
mdldm_model *train_autoencoder_of(mdldm_context *ctx, const char *folder, int64_t seed, const char *image_mode);
/* A UNet of 8 and 16 channels with persons A and B on the autoencoder saved in vae. */
mdldm_model *train_unet(mdldm_context *ctx, const char *folder, const char *vae, int64_t seed);
/* Options by "key", "text" pairs up to NULL, over small defaults (batch 2, no warm-up). */
mdldm_options *train_options(mdldm_context *ctx, const char *const *pairs);

#endif
