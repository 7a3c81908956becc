/* SPDX-License-Identifier: MIT */
#define ISA base
#include "cpu_products.h"
