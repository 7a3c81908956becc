/* SPDX-License-Identifier: MIT */
#include "cpu_device.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#define FPU_DEFAULT 0x1f80u /* round to nearest, all exceptions masked, no flush to zero */
static uint32_t fpu_get(void)
{
    return _mm_getcsr();
}
static void fpu_set(uint32_t state)
{
    _mm_setcsr(state);
}
#else
#define FPU_DEFAULT 0u
static uint32_t fpu_get(void)
{
    return FPU_DEFAULT;
}
static void fpu_set(uint32_t state)
{
    (void)state;
}
#endif

mdldm_status mdldm__cpu_enter(const mdldm_device *device, int32_t team, mdldm__cpu_guard *guard)
{
    if (omp_in_parallel())
        return mdldm__host_error(device->host, MDLDM_ERROR_UNSUPPORTED,
                                 "the cpu backend was called from inside an OpenMP parallel region; call "
                                 "it from outside, it starts its own threads");
    guard->threads = omp_get_max_threads();
    guard->dynamic = omp_get_dynamic();
    guard->levels = omp_get_max_active_levels();
    guard->device = device;
    guard->team = team;
    omp_set_dynamic(0);
    if (guard->levels < 1)
        omp_set_max_active_levels(1);
    omp_set_num_threads(team);
#pragma omp parallel num_threads(team)
    {
        device->fpu[omp_get_thread_num()] = fpu_get();
        fpu_set(FPU_DEFAULT);
    }
    return MDLDM_OK;
}

void mdldm__cpu_leave(const mdldm__cpu_guard *guard)
{
    const mdldm_device *device = guard->device;
#pragma omp parallel num_threads(guard->team)
    fpu_set(device->fpu[omp_get_thread_num()]);
    omp_set_num_threads(guard->threads);
    if (guard->levels < 1)
        omp_set_max_active_levels(guard->levels);
    omp_set_dynamic(guard->dynamic);
}

void mdldm__cpu_use_threads(int32_t threads)
{
    omp_set_num_threads(threads);
}

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
    device->host = host;
    device->threads = threads < 1 ? 1 : threads > limit ? limit : threads;
    const char *divide = getenv("MDLDM_CPU_DIVIDE_ALL");
    device->divide_all = divide != NULL && strcmp(divide, "1") == 0;
    device->bf16 = mdldm__dnnl_bf16();
    device->kernels = mdldm__cpu_choose_kernels();
    device->fpu = mdldm__host_zalloc(host, (size_t)device->threads, sizeof *device->fpu);
    if (device->fpu == NULL) {
        mdldm__host_free(host, device);
        return mdldm__host_oom(host, "cpu device");
    }
    int status = mdldm__dnnl_open(&device->dnnl);
    if (status != dnnl_success) {
        mdldm_status result = mdldm__cpu_dnnl_error(device, status, "opening the engine");
        mdldm__host_free(host, device->fpu);
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
    mdldm__dnnl_close(&device->dnnl);
    mdldm__host_free(device->host, device->fpu);
    mdldm__host_free(device->host, device);
}
