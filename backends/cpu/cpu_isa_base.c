/* SPDX-License-Identifier: MIT */
#define ISA_TABLE mdldm__cpu_kernels_base
#define ISA_NAME "base"
#include "cpu_isa.h"
