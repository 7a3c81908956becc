/* SPDX-License-Identifier: MIT
 * The few types and numbers of the CUDA runtime's public API that are used, so that no toolkit is needed to
 * build. tests/cuda/runtime_types.sh holds them against the toolkit's headers where these are. */
#ifndef MDLDM_CUDA_RUNTIME_TYPES_H
#define MDLDM_CUDA_RUNTIME_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Handles are pointers to what only the runtime knows; enums are ints. */
typedef void *mdldm__cuda_handle; /* cudaStream_t, cudaEvent_t, cudaGraph_t, cudaGraphExec_t, cudaLibrary_t, cudaKernel_t */

typedef struct mdldm__cuda_launch_config { /* cudaLaunchConfig_t */
    uint32_t grid[3], block[3];
    size_t shared_bytes;
    mdldm__cuda_handle stream;
    void *attributes;
    uint32_t attribute_count;
} mdldm__cuda_launch_config;

enum {
    MDLDM__CUDA_SUCCESS = 0,
    MDLDM__CUDA_ERROR_MEMORY = 2,               /* cudaErrorMemoryAllocation */
    MDLDM__CUDA_ERROR_DRIVER = 35,              /* cudaErrorInsufficientDriver */
    MDLDM__CUDA_ERROR_NO_DEVICE = 100,          /* cudaErrorNoDevice */
    MDLDM__CUDA_STREAM_NON_BLOCKING = 1,        /* cudaStreamNonBlocking */
    MDLDM__CUDA_EVENT_NO_TIMING = 2,            /* cudaEventDisableTiming */
    MDLDM__CUDA_CAPTURE_THREAD = 1,             /* cudaStreamCaptureModeThreadLocal */
    MDLDM__CUDA_TO_DEVICE = 1,                  /* cudaMemcpyHostToDevice */
    MDLDM__CUDA_TO_HOST = 2,                    /* cudaMemcpyDeviceToHost */
    MDLDM__CUDA_ON_DEVICE = 3,                  /* cudaMemcpyDeviceToDevice */
    MDLDM__CUDA_FUNC_SHARED = 8,                /* cudaFuncAttributeMaxDynamicSharedMemorySize */
    MDLDM__CUDA_ATTR_SM_COUNT = 16,             /* cudaDevAttrMultiProcessorCount */
    MDLDM__CUDA_ATTR_MAJOR = 75,                /* cudaDevAttrComputeCapabilityMajor */
    MDLDM__CUDA_ATTR_MINOR = 76,                /* cudaDevAttrComputeCapabilityMinor */
    MDLDM__CUDA_ATTR_SHARED_OPTIN = 97          /* cudaDevAttrMaxSharedMemoryPerBlockOptin */
};

#endif
