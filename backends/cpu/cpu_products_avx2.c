/* SPDX-License-Identifier: MIT */
#define ISA avx2
#include "cpu_products.h"
