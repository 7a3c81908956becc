/* SPDX-License-Identifier: MIT
 * Argument structs of the attention kernels (kernels/attention.cuh); read by C and by CUDA C++. */
#ifndef MDLDM_CUDA_ARGS_ATTENTION_H
#define MDLDM_CUDA_ARGS_ATTENTION_H

#include <stdint.h>

/* mdldm_attention_MODE_TYPE_SHAPE: forward writes out = o and lse_out; dq, dk, dv write out = that gradient. */
struct mdldm__cuda_args_attention {
    const void *q, *k, *v;    /* [n, tokens, channels] */
    const void *dout;         /* the same; NULL forward */
    const float *lse, *delta; /* [n, heads, tokens]; NULL forward */
    void *out;                /* [n, tokens, channels] */
    float *lse_out;           /* [n, heads, tokens]; NULL backward */
    int32_t tokens, channels, heads, size; /* size: channels of a head */
    float scale;
    int32_t reserved;
};

/* mdldm_attention_delta_TYPE: delta[n, heads, tokens] = the sum of dout * o over a head's channels. */
struct mdldm__cuda_args_attention_delta {
    const void *dout, *o;
    float *delta;
    int64_t rows; /* n * heads * tokens */
    int32_t tokens, channels, heads, size;
};

#endif
