/* SPDX-License-Identifier: MIT
 * The calls of the CUDA runtime that the test runtime has: handles are pointers, enums are ints. */
#ifndef MDLDM_TESTS_FAKE_CALLS_H
#define MDLDM_TESTS_FAKE_CALLS_H

#include "tests/cuda/runtime/fake_cuda.h"

typedef struct fake_launch_config { /* cudaLaunchConfig_t */
    uint32_t grid[3], threads[3];
    size_t dynamic;
    void *stream, *attributes;
    uint32_t n_attributes;
} fake_launch_config;

FAKE_API int cudaGetDeviceCount(int *count);
FAKE_API int cudaSetDevice(int device);
FAKE_API int cudaGetDevice(int *device);
FAKE_API int cudaDeviceGetAttribute(int *value, int which, int device);
FAKE_API int cudaMemGetInfo(size_t *available, size_t *total);
FAKE_API int cudaDriverGetVersion(int *version);
FAKE_API int cudaRuntimeGetVersion(int *version);
FAKE_API int cudaGetLastError(void);
FAKE_API const char *cudaGetErrorString(int error);
FAKE_API int cudaMalloc(void **pointer, size_t size);
FAKE_API int cudaMallocHost(void **pointer, size_t size);
FAKE_API int cudaFree(void *pointer);
FAKE_API int cudaFreeHost(void *pointer);
FAKE_API int cudaStreamCreateWithFlags(void **stream, unsigned flags);
FAKE_API int cudaStreamDestroy(void *stream);
FAKE_API int cudaStreamSynchronize(void *stream);
FAKE_API int cudaStreamWaitEvent(void *stream, void *event, unsigned flags);
FAKE_API int cudaEventCreateWithFlags(void **event, unsigned flags);
FAKE_API int cudaEventRecord(void *event, void *stream);
FAKE_API int cudaEventSynchronize(void *event);
FAKE_API int cudaEventDestroy(void *event);
FAKE_API int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream);
FAKE_API int cudaMemsetAsync(void *to, int value, size_t size, void *stream);
FAKE_API int cudaStreamBeginCapture(void *stream, int mode);
FAKE_API int cudaStreamEndCapture(void *stream, void **graph);
FAKE_API int cudaGraphInstantiate(void **exec, void *graph, unsigned long long flags);
FAKE_API int cudaGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long flags);
FAKE_API int cudaGraphLaunch(void *exec, void *stream);
FAKE_API int cudaGraphExecDestroy(void *exec);
FAKE_API int cudaGraphDestroy(void *graph);
FAKE_API int cudaLibraryLoadData(void **library, const void *code, int *jit_options, void **jit_values,
                                 unsigned n_jit, int *options, void **values, unsigned n_options);
FAKE_API int cudaLibraryUnload(void *library);
FAKE_API int cudaLibraryGetKernel(void **kernel, void *library, const char *name);
FAKE_API int cudaLaunchKernelExC(const fake_launch_config *config, const void *kernel, void **args);
FAKE_API int cudaFuncSetAttribute(const void *kernel, int attribute, int value);

/* Bytes of shared memory that a block may have at most. */
int fake_shared_limit(void);

#endif
