/* SPDX-License-Identifier: MIT
 * The element types that safetensors files know (safetensors/src/tensor.rs, 0.8). */
#ifndef MDLDM_IO_SAFETENSORS_DTYPE_H
#define MDLDM_IO_SAFETENSORS_DTYPE_H

#include <stdint.h>

typedef struct mdldm__st_dtype {
    const char *name;
    int32_t bits;
    int32_t dtype; /* mdldm_dtype, -1: not ours */
} mdldm__st_dtype;

/* NULL when there is no such type. */
const mdldm__st_dtype *mdldm__st_dtype_by_name(const char *name);
const mdldm__st_dtype *mdldm__st_dtype_of(int32_t dtype);

#endif
