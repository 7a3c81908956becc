/* SPDX-License-Identifier: MIT
 * Matrix products and Winograd convolutions of one instruction set, in a translation unit of their own:
 * a file cpu_products_X.c, compiled with X's flags, defines ISA as X and includes this. */
#include <omp.h>

#include "cpu_isa_name.h"
#include "cpu_vec.h"

#include "k_conv_few.h"
#include "k_gemm.h"
#include "k_product.h"
#include "k_wgrad.h"
#include "k_winograd.h"

void ISA_SYMBOL(mdldm__gemm_)(const mdldm__cpu_gemm *g)
{
    k_gemm(g);
}

void ISA_SYMBOL(mdldm__product_)(const mdldm__cpu_product *a)
{
    k_product(a);
}

void ISA_SYMBOL(mdldm__product_pack_)(float *out, const mdldm__cpu_product_weights *w, int32_t threads)
{
    k_product_pack(out, w, threads);
}

void ISA_SYMBOL(mdldm__conv_few_)(const mdldm__cpu_few *a)
{
    k_conv_few(a);
}

void ISA_SYMBOL(mdldm__wgrad_)(const mdldm__cpu_wgrad *a)
{
    k_wgrad(a);
}

void ISA_SYMBOL(mdldm__winograd_)(const mdldm__cpu_winograd *a)
{
    k_winograd(a);
}

void ISA_SYMBOL(mdldm__winograd_pack_)(uint16_t *out, const float *weights, int64_t oc, int64_t ic,
                                       int64_t row, int32_t threads)
{
    k_winograd_pack(out, weights, oc, ic, row, threads);
}

void ISA_SYMBOL(mdldm__winograd_pack_q8_)(int8_t *out, const int8_t *weights, int64_t oc, int64_t ic,
                                          int32_t threads)
{
    k_winograd_pack_q8(out, weights, oc, ic, threads);
}
