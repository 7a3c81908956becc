/* SPDX-License-Identifier: MIT
 * Internals of encode, predict and decode that sampler and trainer use. Arguments are taken as checked;
 * latents are in diffusion space, arrays NCHW. */
#ifndef MDLDM_API_INFERENCE_H
#define MDLDM_API_INFERENCE_H

#include "api/context.h"
#include "models/model.h"

/* One UNet evaluation at timesteps that need not be whole (schedulers that interpolate). labels NULL
 * where the model has none; -1: the unconditional row. output: [n, out_channels, h, w]. */
mdldm_status mdldm__predict(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n,
                            int64_t h, int64_t w, const double *timesteps, const int64_t *labels,
                            float *output);
/* What mdldm_predict checks of sizes, labels and timesteps. */
mdldm_status mdldm__check_unet_size(mdldm_context *ctx, const mdldm_model *m, int64_t n, int64_t h,
                                    int64_t w);
mdldm_status mdldm__check_labels(mdldm_context *ctx, const mdldm_model *m, const int64_t *labels, int64_t n);
/* Images per part when n images of so many pixels run with feature maps of so many channels. */
int64_t mdldm__images_per_part(int64_t n, int64_t pixels, int64_t channels);
/* diffusion space -> pixels [n, out, h*f, w*f]. */
mdldm_status mdldm__decode(mdldm_context *ctx, const mdldm_model *m, const float *latent, int64_t n,
                           int64_t h, int64_t w, float *pixels);

#endif
