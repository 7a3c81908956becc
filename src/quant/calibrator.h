/* SPDX-License-Identifier: MIT
 * Runs a UNet in float and gathers the distributions of the activations that its large layers read, per
 * group of timesteps. */
#ifndef MDLDM_QUANT_CALIBRATOR_H
#define MDLDM_QUANT_CALIBRATOR_H

#include "api/context.h"
#include "models/model.h"
#include "quant/range_histogram.h"

typedef struct mdldm__calibrator mdldm__calibrator;

/* The model's device must be open; model and ctx outlive the calibrator. */
mdldm_status mdldm__calibrator_open(mdldm_context *ctx, const mdldm_model *m, int32_t groups,
                                    mdldm__calibrator **out);
void mdldm__calibrator_close(mdldm__calibrator *c); /* NULL is fine */
/* One evaluation on one image: latent and output [c,h,w], diffusion space. output may be NULL. */
mdldm_status mdldm__calibrator_predict(mdldm__calibrator *c, const float *latent, int64_t h, int64_t w,
                                       double timestep, int64_t label, float *output);
/* What was gathered for the range NAME: histograms[groups]; NULL: there is no such range. */
const mdldm__range_histogram *mdldm__calibrator_find(const mdldm__calibrator *c, const char *name);

#endif
