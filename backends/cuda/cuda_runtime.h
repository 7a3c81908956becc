/* SPDX-License-Identifier: MIT
 * The CUDA runtime, loaded when first asked for: $MDLDM_CUDART (an absolute path), else libcudart.so.13, else
 * libcudart.so.12. It stays loaded. */
#ifndef MDLDM_CUDA_RUNTIME_H
#define MDLDM_CUDA_RUNTIME_H

#include "cuda_runtime_types.h"

typedef struct mdldm__cuda_api {
#define MDLDM__CUDA_CALL(name, parameters) int (*name) parameters;
#include "cuda_runtime.def"
#undef MDLDM__CUDA_CALL
    const char *(*cudaGetErrorString)(int error);
} mdldm__cuda_api;

/* NULL, and why in one sentence, where there is none or it lacks a call. Any thread. */
const mdldm__cuda_api *mdldm__cuda_runtime(const char **reason);

#endif
