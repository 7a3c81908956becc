/* SPDX-License-Identifier: MIT */
#define ISA avx512bf16
#include "cpu_products.h"
