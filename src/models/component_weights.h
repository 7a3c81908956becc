/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_MODELS_COMPONENT_WEIGHTS_H
#define MDLDM_MODELS_COMPONENT_WEIGHTS_H

#include "models/model.h"

/* Bounds of a quantised activation's step, (high - low) / 255: far from where its inverse, or products with
 * it, would leave float's range. */
#define MDLDM__Q8_LEAST_STEP 1e-12f
#define MDLDM__Q8_MOST_STEP 1e12f

/* Points the parameters at the tensors of c->files: names (old spellings of attention too), shapes,
 * dtypes and finiteness are checked, missing tensors are an error that names them, surplus ones a
 * warning. where: for messages. */
mdldm_status mdldm__component_bind_files(mdldm__env *env, const char *where, mdldm__component *c);

#endif
