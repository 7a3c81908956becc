/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_MODELS_COMPONENT_WEIGHTS_H
#define MDLDM_MODELS_COMPONENT_WEIGHTS_H

#include "models/model.h"

/* Points the parameters at the tensors of c->files: names (old spellings of attention too), shapes,
 * dtypes and finiteness are checked, missing tensors are an error that names them, surplus ones a
 * warning. where: for messages. */
mdldm_status mdldm__component_bind_files(mdldm__env *env, const char *where, mdldm__component *c);

#endif
