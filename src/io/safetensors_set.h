/* SPDX-License-Identifier: MIT
 * A model's weights: one safetensors file, or several shards with an index beside them. */
#ifndef MDLDM_IO_SAFETENSORS_SET_H
#define MDLDM_IO_SAFETENSORS_SET_H

#include "io/safetensors.h"

/* Opens FOLDER/STEM.safetensors or, when FOLDER/STEM.safetensors.index.json is there, all its shards.
 * Of the index: each tensor stands in exactly the stated file, and no shard holds others. *files is
 * closed with mdldm__safetensors_close_set. */
mdldm_status mdldm__safetensors_open_set(mdldm__env *env, const char *folder, const char *stem,
                                         mdldm__safetensors **files, int32_t *count);
void mdldm__safetensors_close_set(mdldm__env *env, mdldm__safetensors *files, int32_t count);

#endif
