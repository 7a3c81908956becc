/* SPDX-License-Identifier: MIT
 * The kernels of one instruction set: a file cpu_isa_X.c, compiled with X's flags (Makefile), defines
 * ISA as X and includes this. What takes long to compile has translation units of its own,
 * cpu_products_X.c. */
#include <omp.h>

#include "cpu_isa_name.h"
#include "cpu_vec.h"

#include "k_adamw.h"
#include "k_attention.h"
#include "k_cross_entropy.h"
#include "k_elementwise.h"
#include "k_quantize.h"
#include "k_group_norm.h"
#include "k_q8.h"
#include "k_linear.h"
#include "k_resample.h"
#include "k_sums.h"
#include "k_vq.h"

const mdldm__cpu_kernels ISA_SYMBOL(mdldm__cpu_kernels_) = {
    .name = ISA_NAME,
    .lanes = VL,
    .tile = TILE,
    .gemm = ISA_SYMBOL(mdldm__gemm_),
    .product = ISA_SYMBOL(mdldm__product_),
    .product_pack = ISA_SYMBOL(mdldm__product_pack_),
    .q8_block = Q8_BLOCK,
    .silu = k_silu,
    .silu_bwd = k_silu_bwd,
    .add = k_add,
    .bias = k_bias,
    .scale = k_scale,
    .dropout = k_dropout,
    .cast = k_cast,
    .bias_sum = k_bias_sum,
    .finite = k_finite,
    .column_sum = k_column_sum,
    .loss = k_loss,
    .loss_bwd = k_loss_bwd,
    .cross_entropy = k_cross_entropy,
    .cross_entropy_bwd = k_cross_entropy_bwd,
    .upsample2 = k_upsample2,
    .upsample2_bwd = k_upsample2_bwd,
    .avgpool2 = k_avgpool2,
    .avgpool2_bwd = k_avgpool2_bwd,
    .embedding = k_embedding,
    .embedding_bwd = k_embedding_bwd,
    .group_norm = k_group_norm,
    .group_norm_bwd = k_group_norm_bwd,
    .attention = k_attention,
    .attention_bwd = k_attention_bwd,
    .linear = k_linear,
    .linear_bwd_data = k_linear_bwd_data,
    .linear_bwd_weights = k_linear_bwd_weights,
    .quantize = k_quantize,
    .pack_q8 = k_pack_q8,
    .conv_q8 = k_conv_q8,
    .vq = k_vq,
    .vq_bwd = k_vq_bwd,
    .vq_entropy = k_vq_entropy,
    .vq_entropy_bwd = k_vq_entropy_bwd,
    .rotate = k_rotate,
    .conv_few = ISA_SYMBOL(mdldm__conv_few_),
    .winograd = ISA_SYMBOL(mdldm__winograd_),
    .winograd_pack = ISA_SYMBOL(mdldm__winograd_pack_),
    .winograd_pack_q8 = ISA_SYMBOL(mdldm__winograd_pack_q8_),
    .wgrad = ISA_SYMBOL(mdldm__wgrad_),
    .sum_squares = k_sum_squares,
    .adamw = k_adamw,
};
