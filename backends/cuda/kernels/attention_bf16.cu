/* SPDX-License-Identifier: MIT */
#include "attention.cuh"

ATTENTION_KERNELS(bf16)
