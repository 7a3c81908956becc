/* SPDX-License-Identifier: MIT
 * The device: oneDNN's engine, the kernels of this processor, its threads. */
#ifndef MDLDM_CPU_DEVICE_H
#define MDLDM_CPU_DEVICE_H

#include "../common/host_util.h"
#include "cpu_dnnl.h"
#include "cpu_kernels.h"
#include "cpu_worker.h"

struct mdldm_device {
    const mdldm_host *host; /* the worker's, which passes everything on */
    mdldm__cpu_worker worker;
    int32_t threads;
    int32_t divide_all; /* $MDLDM_CPU_DIVIDE_ALL is 1: every kernel on all threads, for tests */
    int32_t bf16; /* mdldm__dnnl_bf16 */
    mdldm__dnnl dnnl;
    const mdldm__cpu_kernels *kernels;
    void *arena_block; /* cpu_arena.c */
    char *arena;       /* aligned; moves when plans come and go */
    size_t arena_bytes;
    mdldm_plan *plans; /* that share it */
};

mdldm_status mdldm__cpu_device_open(const mdldm_host *host, const char *name, int32_t threads,
                                    mdldm_device **out);
void mdldm__cpu_device_close(mdldm_device *device);
/* The sentence for a failed oneDNN call. */
mdldm_status mdldm__cpu_dnnl_error(const mdldm_device *device, int status, const char *what);
/* The best that the processor has and oneDNN's limit (ONEDNN_MAX_CPU_ISA) allows. */
const mdldm__cpu_kernels *mdldm__cpu_choose_kernels(void);

#endif
