/* SPDX-License-Identifier: MIT
 * Host arrays (F32 or I32, NHWC or NCHW) to and from a tensor's NHWC memory (F32, BF16 or I32). */
#ifndef MDLDM_COMMON_LAYOUT_H
#define MDLDM_COMMON_LAYOUT_H

#include "host_util.h"

/* binding->data -> memory, for an input before the run. Floats to integers round to nearest. */
void mdldm__layout_import(const mdldm_binding *binding, const mdldm_graph_tensor *tensor, void *memory);
/* memory -> binding->data, for an output after the run. */
void mdldm__layout_export(const mdldm_binding *binding, const mdldm_graph_tensor *tensor,
                          const void *memory);
/* count elements, 1-D; F16, BF16, F32 -> F32: how a parameter file's values are read. */
void mdldm__convert_to_float(const void *from, int32_t dtype, float *to, int64_t count);
/* F32 -> BF16, round to nearest even. */
void mdldm__convert_to_bf16(const float *from, uint16_t *to, int64_t count);

/* Refuses a binding whose tensor is neither an input nor an output, or whose dtype, layout or data
 * cannot be used. */
mdldm_status mdldm__binding_check(const mdldm_host *host, const mdldm_graph_tensor *tensors,
                                  int32_t tensor_count, const mdldm_binding *binding);

#endif
