/* SPDX-License-Identifier: MIT */
#include "cpu_device.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const mdldm__cpu_kernels *mdldm__cpu_choose_kernels(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    int level = mdldm__dnnl_vector_bits();
    if (level >= 512 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return mdldm__dnnl_bf16() == 2 && __builtin_cpu_supports("avx512vnni") ? &mdldm__cpu_kernels_avx512bf16 : &mdldm__cpu_kernels_avx512;
    if (level >= 256 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &mdldm__cpu_kernels_avx2;
#endif
    return &mdldm__cpu_kernels_base;
}

mdldm_status mdldm__cpu_dnnl_error(const mdldm_device *device, int status, const char *what)
{
    if (status == dnnl_out_of_memory)
        return mdldm__host_oom(device->host, what);
    if (status == dnnl_unimplemented)
        return mdldm__host_error(device->host, MDLDM_ERROR_UNSUPPORTED,
                                 "oneDNN has no implementation of %s on this processor", what);
    return mdldm__host_error(device->host, MDLDM_ERROR_INTERNAL, "oneDNN failed in %s with status %d", what,
                             status);
}

static void log_choice(const mdldm_device *device)
{
    char version[32], line[128];
    mdldm__dnnl_version(version);
    snprintf(line, sizeof line, "cpu: %s kernels, oneDNN %s, %d threads", device->kernels->name, version,
             (int)device->threads);
    device->host->log(device->host, 3, line);
}

mdldm_status mdldm__cpu_device_open(const mdldm_host *host, const char *name, int32_t threads,
                                    mdldm_device **out)
{
    *out = NULL;
    if (name != NULL && name[0] != '\0')
        return mdldm__host_error(host, MDLDM_ERROR_NOT_FOUND,
                                 "the cpu backend has one device and no number: use \"cpu\", not \"cpu:%s\"",
                                 name);
    mdldm_device *device = mdldm__host_zalloc(host, 1, sizeof *device);
    if (device == NULL)
        return mdldm__host_oom(host, "cpu device");
    int limit = omp_get_thread_limit();
    device->threads = threads < 1 ? 1 : threads > limit ? limit : threads;
    const char *divide = getenv("MDLDM_CPU_DIVIDE_ALL");
    device->divide_all = divide != NULL && strcmp(divide, "1") == 0;
    device->bf16 = mdldm__dnnl_bf16();
    device->kernels = mdldm__cpu_choose_kernels();
    mdldm_status result = mdldm__cpu_worker_open(&device->worker, host, device->threads);
    if (result != MDLDM_OK) {
        mdldm__host_free(host, device);
        return result;
    }
    device->host = &device->worker.host;
    int status = mdldm__dnnl_open(&device->dnnl);
    if (status != dnnl_success) {
        result = mdldm__cpu_dnnl_error(device, status, "opening the engine");
        mdldm__cpu_worker_close(&device->worker);
        mdldm__host_free(host, device);
        return result;
    }
    log_choice(device);
    *out = device;
    return MDLDM_OK;
}

void mdldm__cpu_device_close(mdldm_device *device)
{
    if (device == NULL)
        return;
    const mdldm_host *core = device->worker.core;
    mdldm__dnnl_close(&device->dnnl);
    mdldm__cpu_worker_close(&device->worker);
    mdldm__host_free(core, device);
}
