/* SPDX-License-Identifier: MIT */
#define ISA_TABLE mdldm__cpu_kernels_avx2
#define ISA_NAME "avx2"
#include "cpu_isa.h"
