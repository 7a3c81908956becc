/* SPDX-License-Identifier: MIT
 * The plug-in's one symbol. */
#include "cuda_plan.h"

const mdldm_backend *mdldm_backend_entry(uint32_t abi);

static const mdldm_backend backend = {
    .struct_size = sizeof(mdldm_backend),
    .abi = MDLDM_BACKEND_ABI,
    .name = "cuda",
    .description = "NVIDIA GPUs from compute capability 8.0 through the CUDA runtime, own kernels, f32 and bf16",
    .probe = mdldm__cuda_probe,
    .device_open = mdldm__cuda_device_open,
    .device_close = mdldm__cuda_device_close,
    .store_open = mdldm__cuda_store_open,
    .store_close = mdldm__cuda_store_close,
    .store_bind = mdldm__cuda_store_bind,
    .store_read = mdldm__cuda_store_read,
    .store_write = mdldm__cuda_store_write,
    .store_adamw = mdldm__cuda_store_adamw,
    .store_zero_grad = mdldm__cuda_store_zero_grad,
    .plan_compile = mdldm__cuda_plan_compile,
    .plan_run = mdldm__cuda_plan_run,
    .plan_close = mdldm__cuda_plan_close,
    .plan_info = mdldm__cuda_plan_info,
};

__attribute__((visibility("default"))) const mdldm_backend *mdldm_backend_entry(uint32_t abi)
{
    return abi == MDLDM_BACKEND_ABI ? &backend : NULL;
}
