/* SPDX-License-Identifier: MIT */
#include "attention.cuh"

ATTENTION_KERNELS(f32)
