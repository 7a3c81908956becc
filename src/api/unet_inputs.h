/* SPDX-License-Identifier: MIT
 * The UNet's inputs beside the latent, as the host computes them from timesteps and labels. */
#ifndef MDLDM_API_UNET_INPUTS_H
#define MDLDM_API_UNET_INPUTS_H

#include "models/model.h"

/* Arrays of n elements or rows. */
typedef struct mdldm__unet_inputs {
    float *time_proj;  /* [n, width] */
    float *class_proj; /* [n, width], or NULL */
    int32_t *rows;     /* [n] rows of the class embedding, or NULL */
    float *inverse;    /* [n] 1/t, or NULL */
    int32_t *groups;   /* [n] of timesteps, for layers in eight bits, or NULL */
} mdldm__unet_inputs;

/* Fills *in, which is all zero; free it in any case. */
mdldm_status mdldm__unet_inputs_make(mdldm__env *env, const mdldm_model *m, const double *timesteps,
                                     const int64_t *labels, int64_t n, mdldm__unet_inputs *in);
void mdldm__unet_inputs_free(mdldm__env *env, mdldm__unet_inputs *in);

#endif
