/* SPDX-License-Identifier: MIT
 * Argument structs of kernels/adamw.cu. The trainable parameters lie at the same offsets in each slot's block
 * and are worked on in chunks of up to MDLDM__STORE_CHUNK elements, one block each. */
#ifndef MDLDM_CUDA_ARGS_ADAMW_H
#define MDLDM_CUDA_ARGS_ADAMW_H

#include <stdint.h>

struct mdldm__cuda_chunk {
    int64_t start; /* elements from the block's beginning */
    int32_t count, param;
};

struct mdldm__cuda_adamw_result {
    double norm; /* after grad_scale */
    float clip;
    int32_t bad; /* the parameter of the first chunk that is not finite, or -1 */
};

/* mdldm_adamw_sums: sums[chunk] = sum of squares. */
struct mdldm__cuda_args_adamw_sums {
    const float *grad;
    const struct mdldm__cuda_chunk *chunks;
    double *sums;
};

/* mdldm_adamw_clip: one block. */
struct mdldm__cuda_args_adamw_clip {
    const double *sums;
    const struct mdldm__cuda_chunk *chunks;
    struct mdldm__cuda_adamw_result *result;
    int64_t chunk_count;
    float grad_scale, max_norm; /* max_norm <= 0: no clipping */
};

/* mdldm_adamw_step: nothing where result->bad >= 0. ema may be NULL. */
struct mdldm__cuda_args_adamw_step {
    float *value, *grad, *mean, *square, *ema;
    const struct mdldm__cuda_chunk *chunks;
    const struct mdldm__cuda_adamw_result *result;
    float grad_scale, keep, beta2, w1, w2, step_size, correction, eps, ema_decay, ema_rest;
};

#endif
