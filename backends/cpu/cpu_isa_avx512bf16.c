/* SPDX-License-Identifier: MIT */
#define ISA_TABLE mdldm__cpu_kernels_avx512bf16
#define ISA_NAME "avx512bf16"
#include "cpu_isa.h"
