/* SPDX-License-Identifier: MIT
 * The device: oneDNN's engine, the kernels of this processor, the number of threads; and the guard
 * that every call into the plug-in runs under. */
#ifndef MDLDM_CPU_DEVICE_H
#define MDLDM_CPU_DEVICE_H

#include "../common/host_util.h"
#include "cpu_dnnl.h"
#include "cpu_kernels.h"

struct mdldm_device {
    const mdldm_host *host;
    int32_t threads;
    int32_t divide_all; /* $MDLDM_CPU_DIVIDE_ALL is 1: every kernel on all threads, for tests */
    int32_t bf16; /* mdldm__dnnl_bf16 */
    mdldm__dnnl dnnl;
    const mdldm__cpu_kernels *kernels;
    uint32_t *fpu; /* [threads] what each thread of the team had set before a call */
    void *arena_block; /* cpu_arena.c */
    char *arena;       /* aligned; moves when plans come and go */
    size_t arena_bytes;
    mdldm_plan *plans; /* that share it */
};

/* What the host had set before a call. */
typedef struct mdldm__cpu_guard {
    const mdldm_device *device;
    int32_t team; /* threads that the call may use */
    int threads, dynamic, levels;
} mdldm__cpu_guard;

/* Sets the thread count and, on every thread of a team of so many (OpenMP keeps it for the host's own
 * regions), the default rounding without flush to zero; or refuses inside a parallel region of the
 * host's, where there would be no second thread. leave puts everything back. */
mdldm_status mdldm__cpu_enter(const mdldm_device *device, int32_t team, mdldm__cpu_guard *guard);
void mdldm__cpu_leave(const mdldm__cpu_guard *guard);
/* The count that oneDNN's primitives are made for from here on, within enter and leave. */
void mdldm__cpu_use_threads(int32_t threads);

mdldm_status mdldm__cpu_device_open(const mdldm_host *host, const char *name, int32_t threads,
                                    mdldm_device **out);
void mdldm__cpu_device_close(mdldm_device *device);
/* The sentence for a failed oneDNN call. */
mdldm_status mdldm__cpu_dnnl_error(const mdldm_device *device, int status, const char *what);
/* The best that the processor has and oneDNN's limit (ONEDNN_MAX_CPU_ISA) allows. */
const mdldm__cpu_kernels *mdldm__cpu_choose_kernels(void);

#endif
