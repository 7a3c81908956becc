/* SPDX-License-Identifier: MIT
 * The instances of conv.cuh and conv_weights.cuh for one kind of element; those named "odd" read channels
 * that do not stand at multiples of 16 bytes. */
#include "conv.cuh"
#include "conv_weights.cuh"

/* 16 warps per multiprocessor: 128 registers per thread. */
#define CONV_BOUNDS(shape) extern "C" __global__ void __launch_bounds__(conv_##shape::threads, 512 / conv_##shape::threads)
#define CONV_ROOM(shape) __shared__ __attribute__((aligned(128))) unsigned char room[conv_##shape::bytes]
#define CONV_KERNEL(name, kind, shape, gather) \
    CONV_BOUNDS(shape) mdldm_conv_##name(MDLDM_PARAM mdldm__cuda_args_conv args) { CONV_ROOM(shape); conv<kind, conv_##shape, gather>(args, room); }
#define WEIGHTS_KERNEL(name, kind, shape, gather) \
    CONV_BOUNDS(shape) mdldm_conv_weights_##name(MDLDM_PARAM mdldm__cuda_args_conv_weights args) { CONV_ROOM(shape); conv_weights<kind, conv_##shape, gather>(args, room); }

#define CONV_KERNELS(name) \
    CONV_KERNEL(name##_large, by_##name, large, false) \
    CONV_KERNEL(name##_small, by_##name, small, false) \
    CONV_KERNEL(name##_narrow, by_##name, narrow, false) \
    CONV_KERNEL(name##_small_odd, by_##name, small, true) \
    CONV_KERNEL(name##_narrow_odd, by_##name, narrow, true) \
    WEIGHTS_KERNEL(name##_large, by_##name, large, false) \
    WEIGHTS_KERNEL(name##_small, by_##name, small, false) \
    WEIGHTS_KERNEL(name##_flat, by_##name, flat, false) \
    WEIGHTS_KERNEL(name##_small_odd, by_##name, small, true) \
    WEIGHTS_KERNEL(name##_flat_odd, by_##name, flat, true)
