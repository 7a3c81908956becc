/* SPDX-License-Identifier: MIT
 * Arguments of the kernels for everything but convolutions and attention: one struct a kernel family, read
 * by the host code that fills it and by the kernels alike. Activations are NHWC; pixels = h*w. */
#ifndef MDLDM_CUDA_ARGS_OPS_H
#define MDLDM_CUDA_ARGS_OPS_H

#include <stdint.h>

/* One value per element. y may be a or b. */
typedef struct mdldm__cuda_map_args {
    const void *a, *b; /* [images, each]; b: the second operand, or [images, channels] of BIAS */
    const float *s;    /* [images] of SCALE, or NULL */
    void *y;
    int64_t count;     /* images * each */
    uint32_t each;     /* elements of an image, of BIAS and SCALE */
    int32_t images, channels;
    float alpha, beta;
    int32_t from, to; /* mdldm_dtype of a and y, of CAST */
} mdldm__cuda_map_args;

/* y[n,c] <- sum over pixels of x[n,pixels,c], by chunks of rows: partial [n,chunks,c] in float. */
typedef struct mdldm__cuda_sum_args {
    const void *x;
    float *partial;
    void *y;
    int32_t n, pixels, channels, chunk, chunks; /* chunk: pixels of a chunk */
} mdldm__cuda_sum_args;

/* 2x2 resampling. small [n,h,w,c], large [n,H,W,c], H = 2h or 2h+1. */
typedef struct mdldm__cuda_resample_args {
    const void *from;
    void *to;
    int32_t n, h, w, c, large_h, large_w;
    float factor;
} mdldm__cuda_resample_args;

/* Group normalisation over the joined channels of x0 and x1. */
typedef struct mdldm__cuda_norm_args {
    const void *x0, *x1, *dy, *scale_shift; /* x1, scale_shift may be NULL */
    const float *gamma, *beta;              /* [C] */
    float *stats;                           /* [n,groups,2]: mean, 1/sqrt(var+eps) */
    void *y, *dx0, *dx1, *dscale_shift;     /* dx0, dx1, dscale_shift may be NULL */
    float *dgamma, *dbeta;                  /* [C], added to; may be NULL */
    float *partial; /* [n,chunks,C,2]: (mean, M2) of a chunk, or (sum dg, sum dg*xhat) */
    float *channel_sums; /* [n,C,2]: backward, sums over the chunks */
    float *group_sums;   /* [n,groups,2]: backward, means over the group */
    int32_t n, pixels, c0, c1, groups, silu;
    int32_t chunk, chunks; /* pixels of a chunk, and how many there are of an image */
    float eps;
} mdldm__cuda_norm_args;

typedef struct mdldm__cuda_embedding_args {
    float *table; /* [rows,c]: values, or gradients that are added to */
    const int32_t *index; /* [n] */
    void *y;              /* [n,c]: read when the table is a gradient */
    int32_t n, rows, c, type; /* type: mdldm_dtype of y */
} mdldm__cuda_embedding_args;

typedef struct mdldm__cuda_loss_args {
    const void *pred, *target;
    const float *weight; /* [n] or NULL */
    float *partial;      /* [n,chunks] */
    float *loss;         /* [1] */
    void *dpred;
    int64_t each; /* elements of an image */
    int32_t n, chunks, absolute; /* absolute: |p-t|, else its square */
    int32_t pred_type, target_type, dpred_type; /* mdldm_dtype */
    float grad;
} mdldm__cuda_loss_args;

typedef struct mdldm__cuda_cross_entropy_args {
    const void *logits;   /* [rows,classes] */
    const int32_t *label; /* [rows] */
    const float *weight;  /* [rows/per_image] or NULL */
    float *partial;       /* [blocks] */
    float *loss;          /* [1] */
    void *dlogits;
    int32_t rows, per_image, classes, blocks;
    int32_t type, dtype; /* mdldm_dtype of logits and dlogits */
    float smoothing, grad;
} mdldm__cuda_cross_entropy_args;

typedef struct mdldm__cuda_dropout_args {
    const void *x;
    const int32_t *seed; /* [2] */
    void *y;
    int64_t count;
    uint32_t salt, threshold; /* kept: a word >= threshold */
    float kept;               /* 1 - p */
} mdldm__cuda_dropout_args;

/* Vectors z [count,d] against a codebook [rows,d]. */
typedef struct mdldm__cuda_vq_args {
    const float *z, *codebook, *dzq; /* dzq may be NULL */
    float *zq, *dz, *dcodebook, *loss;
    int32_t *codes;       /* [count] */
    float *best;          /* [parts,count]: least distance within a part of the codebook */
    int32_t *best_code;   /* [parts,count] */
    float *partial;       /* sums of blocks */
    float *log_sum;       /* [count]: VQ_ENTROPY, log sum exp */
    float *entropy;       /* [count] */
    float *mean;          /* [rows]: mean probability */
    float *inner;         /* [count]: VQ_ENTROPY_BWD, sum of p*dp */
    int32_t count, rows, d;
    int32_t parts, part;  /* parts of the codebook (VQ) or of the vectors (VQ_ENTROPY), and their size */
    float commitment, codebook_weight; /* already 2*weight/(count*d) */
    float temperature, weight_sample, weight_mean;
} mdldm__cuda_vq_args;

/* Vectors z [count,d] with their codes, and a codebook [rows,d] with the averages that it follows. */
typedef struct mdldm__cuda_codebook_args {
    const float *z;
    const int32_t *codes, *place; /* [count]; [6] key, step, first, total */
    float *tally;                 /* [rows,2d+2]: uses, count, sum[d], drawn[d] */
    float *codebook, *counts, *sums, *age;
    float *exp_avg, *exp_avg_sq, *ema; /* [rows,d], of a codebook that learns by gradients; NULL: none */
    float *report;                     /* [3] */
    int32_t count, rows, d, follow;
    float keep, take, restart_after; /* restart_after 0: never */
} mdldm__cuda_codebook_args;

typedef struct mdldm__cuda_quantize_args {
    const void *x;
    const float *range;   /* [groups,2] */
    const int32_t *group; /* [n] */
    uint8_t *y;
    int64_t each;
    int32_t n, groups, type; /* type: mdldm_dtype of x */
} mdldm__cuda_quantize_args;

/* Eight-bit convolution. packed: [O, steps*4] int8, a row holding taps x channels in the order of the
 * reading below, zeros behind; sums: [O] the sum of a row. */
typedef struct mdldm__cuda_q8_args {
    const uint8_t *x0, *x1; /* [n,h,w,c0], [n,h,w,c1] or NULL */
    const int8_t *w;        /* canonical [O,I,kh,kw], of the packing kernel */
    int8_t *packed;
    int32_t *sums;
    const float *w_scale, *bias, *range; /* [O], [O] or NULL, [groups,2] */
    const int32_t *group;                /* [n] */
    void *y;                             /* [n,ho,wo,O] */
    int32_t n, h, w_in, c0, c1, outputs, ho, wo;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_t, pad_l;
    int32_t steps;        /* words of four of a packed row: kh*kw*ceil(I/4) */
    int32_t groups, type; /* type: mdldm_dtype of y */
} mdldm__cuda_q8_args;

#endif
