/* SPDX-License-Identifier: MIT
 * Copies through pinned memory: one half is filled or emptied while the other is under way. */
#include <string.h>

#include "../common/layout.h"
#include "cuda_device.h"

static mdldm_status pass(const mdldm_device *device, void *to, const void *from, size_t bytes, int kind, int half)
{
    mdldm_status status = mdldm__cuda_check(
        device, device->api->cudaMemcpyAsync(to, from, bytes, kind, device->stream), "cudaMemcpyAsync");
    return status != MDLDM_OK ? status
                              : mdldm__cuda_check(device, device->api->cudaEventRecord(device->stage_done[half], device->stream),
                                                  "cudaEventRecord");
}

static mdldm_status wait_half(const mdldm_device *device, int half)
{
    return mdldm__cuda_check(device, device->api->cudaEventSynchronize(device->stage_done[half]), "cudaEventSynchronize");
}

mdldm_status mdldm__cuda_upload(mdldm_device *device, void *to, const void *from, int32_t dtype, int64_t count)
{
    const size_t in_size = mdldm__dtype_size(dtype), out_size = dtype == MDLDM_I8 ? 1 : 4;
    const int64_t most = (int64_t)(MDLDM__CUDA_STAGE / out_size);
    mdldm_status status = MDLDM_OK;
    int half = 0;
    for (int64_t start = 0; start < count && status == MDLDM_OK; start += most, half ^= 1) {
        const int64_t part = count - start < most ? count - start : most;
        char *stage = device->stage + (size_t)half * MDLDM__CUDA_STAGE;
        const char *source = (const char *)from + (size_t)start * in_size;
        status = wait_half(device, half);
        if (status != MDLDM_OK)
            break;
        if (dtype == MDLDM_F16 || dtype == MDLDM_BF16)
            mdldm__convert_to_float(source, dtype, (float *)(void *)stage, part);
        else
            memcpy(stage, source, (size_t)part * out_size);
        status = pass(device, (char *)to + (size_t)start * out_size, stage, (size_t)part * out_size,
                      MDLDM__CUDA_TO_DEVICE, half);
    }
    return status;
}

mdldm_status mdldm__cuda_download(mdldm_device *device, void *to, const void *from, size_t bytes)
{
    const size_t most = MDLDM__CUDA_STAGE;
    const size_t parts = (bytes + most - 1) / most;
    mdldm_status status = MDLDM_OK;
    for (size_t i = 0; i <= parts && status == MDLDM_OK; i++) {
        if (i < parts)
            status = pass(device, device->stage + i % 2 * most, (const char *)from + i * most,
                          bytes - i * most < most ? bytes - i * most : most, MDLDM__CUDA_TO_HOST, (int)(i % 2));
        if (i > 0 && status == MDLDM_OK)
            status = wait_half(device, (int)((i - 1) % 2));
        if (i > 0 && status == MDLDM_OK)
            memcpy((char *)to + (i - 1) * most, device->stage + (i - 1) % 2 * most,
                   bytes - (i - 1) * most < most ? bytes - (i - 1) * most : most);
    }
    return status;
}
