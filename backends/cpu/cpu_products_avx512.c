/* SPDX-License-Identifier: MIT */
#define ISA avx512
#include "cpu_products.h"
