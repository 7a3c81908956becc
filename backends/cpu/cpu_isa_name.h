/* SPDX-License-Identifier: MIT
 * Names of what is compiled once per instruction set; ISA is one of base, avx2, avx512, avx512bf16. */
#ifndef MDLDM_CPU_ISA_NAME_H
#define MDLDM_CPU_ISA_NAME_H

#include "cpu_kernels.h"

#define ISA_PASTE2(name, isa) name##isa
#define ISA_PASTE(name, isa) ISA_PASTE2(name, isa)
#define ISA_SYMBOL(name) ISA_PASTE(name, ISA)
#define ISA_TEXT2(isa) #isa
#define ISA_TEXT(isa) ISA_TEXT2(isa)
#define ISA_NAME ISA_TEXT(ISA)

/* cpu_products.h */
void ISA_SYMBOL(mdldm__gemm_)(const mdldm__cpu_gemm *g);
void ISA_SYMBOL(mdldm__product_)(const mdldm__cpu_product *a);
void ISA_SYMBOL(mdldm__product_pack_)(float *out, const mdldm__cpu_product_weights *w, int32_t threads);
void ISA_SYMBOL(mdldm__conv_few_)(const mdldm__cpu_few *a);
void ISA_SYMBOL(mdldm__winograd_)(const mdldm__cpu_winograd *a);
void ISA_SYMBOL(mdldm__winograd_pack_)(uint16_t *out, const float *weights, int64_t oc, int64_t ic,
                                       int64_t row, int32_t threads);
void ISA_SYMBOL(mdldm__winograd_pack_q8_)(int8_t *out, const int8_t *weights, int64_t oc, int64_t ic,
                                          int32_t threads);
void ISA_SYMBOL(mdldm__wgrad_)(const mdldm__cpu_wgrad *a);

#endif
