/* SPDX-License-Identifier: MIT
 * A device: one GPU, one stream of our own, the kernels loaded so far, memory that plans share. */
#ifndef MDLDM_CUDA_DEVICE_H
#define MDLDM_CUDA_DEVICE_H

#include "../common/host_util.h"
#include "cuda_runtime.h"

#define MDLDM__CUDA_ALIGN 256          /* of device memory handed to kernels */
#define MDLDM__CUDA_STAGE ((size_t)1 << 20) /* bytes of one half of the pinned staging area */

/* Memory that all plans of a device use in turns: as large as the largest of them wants. */
typedef struct mdldm__cuda_pool {
    char *memory;
    size_t bytes;
} mdldm__cuda_pool;

struct mdldm_device {
    const mdldm_host *host;
    const mdldm__cuda_api *api;
    int index, sm_count, capability;
    uint32_t shared_limit;
    int graphs; /* 0: launches are not captured ($MDLDM_CUDA_GRAPHS is 0) */
    mdldm__cuda_handle stream;
    mdldm__cuda_handle *libraries; /* [image_count] NULL: not loaded yet */
    mdldm__cuda_handle *kernels;   /* [kernel_count] NULL: not looked up yet */
    uint32_t *shared;              /* [kernel_count] dynamic shared bytes allowed so far */
    char *stage;                   /* pinned, two halves that copies take in turns */
    mdldm__cuda_handle stage_done[2];
    mdldm__cuda_pool arena, pinned; /* cuda_memory.c */
    mdldm_plan *plans;              /* that share them */
};

/* Every call of the vtable runs between these: the device is the thread's current one meanwhile. */
typedef struct mdldm__cuda_guard {
    const mdldm_device *device;
    int previous;
} mdldm__cuda_guard;
mdldm_status mdldm__cuda_enter(const mdldm_device *device, mdldm__cuda_guard *guard);
/* For giving things back: does what it can and says nothing. */
void mdldm__cuda_enter_to_close(const mdldm_device *device, mdldm__cuda_guard *guard);
void mdldm__cuda_leave(const mdldm__cuda_guard *guard);

/* OK for 0, else the sentence; what: the call. The runtime's own note of the error is wiped. */
mdldm_status mdldm__cuda_check(const mdldm_device *device, int error, const char *what);
/* Device memory, not cleared. Error: OUT_OF_MEMORY with the bytes, what they are for and what is free. */
mdldm_status mdldm__cuda_malloc(const mdldm_device *device, size_t bytes, const char *what, void **out);
void mdldm__cuda_free(const mdldm_device *device, void *pointer);
/* Waits until the stream is empty, whatever became of its work. */
void mdldm__cuda_drain(const mdldm_device *device);

/* The kernel of this name, loaded when first asked for, allowed so many dynamic shared bytes. */
mdldm_status mdldm__cuda_kernel(mdldm_device *device, const char *name, uint32_t shared, mdldm__cuda_handle *kernel);
mdldm_status mdldm__cuda_start(const mdldm_device *device, mdldm__cuda_handle kernel, const char *name,
                               const uint32_t grid[3], uint32_t block, uint32_t shared, void *args);

int32_t mdldm__cuda_probe(char *reason, size_t capacity);
mdldm_status mdldm__cuda_device_open(const mdldm_host *host, const char *name, int32_t threads, mdldm_device **out);
void mdldm__cuda_device_close(mdldm_device *device);

/* ---- cuda_copy.c: between host and device through the pinned halves ---- */
/* count elements of dtype; F16 and BF16 arrive as floats. Returns when from is no longer needed. */
mdldm_status mdldm__cuda_upload(mdldm_device *device, void *to, const void *from, int32_t dtype, int64_t count);
/* Returns when the bytes are there. */
mdldm_status mdldm__cuda_download(mdldm_device *device, void *to, const void *from, size_t bytes);

#endif
