/* SPDX-License-Identifier: MIT */
#define ISA_TABLE mdldm__cpu_kernels_avx512
#define ISA_NAME "avx512"
#include "cpu_isa.h"
