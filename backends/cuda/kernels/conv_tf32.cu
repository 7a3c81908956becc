/* SPDX-License-Identifier: MIT */
#include "conv_kernels.cuh"

CONV_KERNELS(tf32)
