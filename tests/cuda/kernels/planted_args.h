/* SPDX-License-Identifier: MIT
 * The parameter of the kernels in planted.cu and tile_product.cu; C and CUDA read it. */
#ifndef MDLDM_TESTS_PLANTED_ARGS_H
#define MDLDM_TESTS_PLANTED_ARGS_H

#include <stdint.h>

struct planted_args {
    const float *in; /* [n] */
    float *out;      /* [n] */
    uint32_t *counter;
    int32_t n;
};

struct tile_args { /* c [m, n] f32 = a [m, k] bf16 times b [k, n] bf16, row-major */
    const uint16_t *a, *b;
    float *c;
    int32_t m, n, k;
};

#endif
