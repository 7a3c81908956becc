/* SPDX-License-Identifier: MIT
 * The table of own kernels. It is built for each instruction set, AVX-512 with and without bf16, AVX2
 * and the baseline (cpu_isa_*.c, from the k_*.h templates); the device picks one at run time.
 *
 * Every kernel splits its work into parts that depend on the shape alone, never on the number of
 * threads, so its results do not depend on it either. All tensors are NHWC; `dtype` is MDLDM_F32 or
 * MDLDM_BF16 of the activations; sums run in float or wider. Scratch sizes: cpu_scratch.h. */
#ifndef MDLDM_CPU_KERNELS_H
#define MDLDM_CPU_KERNELS_H

#include "cpu_winograd.h"
#include "mdldm/mdldm_backend.h"

/* The range of each image's group: see QUANTIZE in mdldm_backend.h. */
typedef struct mdldm__cpu_range {
    const float *range;   /* [groups][2] */
    const int32_t *group; /* [n], clamped to 0..groups-1 */
    int64_t groups;
} mdldm__cpu_range;

typedef struct mdldm__cpu_norm {
    int64_t n, hw, c0, c1; /* joined channels C = c0 + c1 */
    int32_t dtype, groups, silu, threads;
    float eps;
    const void *x0, *x1, *scale_shift; /* x1, scale_shift may be NULL */
    const float *gamma, *beta;
    void *y;
    uint8_t *y8;            /* instead of y: quantised by range */
    mdldm__cpu_range range;
    float *stats;   /* [n][groups][2] */
    int32_t known;  /* forward: stats are given */
    float *scratch; /* mdldm__cpu_norm_scratch */
    /* Backward. */
    const void *dy;
    void *dx0, *dx1, *dscale_shift; /* each may be NULL */
    float *dgamma, *dbeta;          /* added to; each may be NULL */
} mdldm__cpu_norm;

typedef struct mdldm__cpu_attention {
    int64_t n, tokens, c;
    int32_t dtype, heads, threads;
    float scale;
    const void *q, *k, *v;
    void *o;
    float *lse;     /* [n][heads][tokens] */
    float *scratch; /* mdldm__cpu_attention_scratch */
    /* Backward. */
    const void *dout;
    void *dq, *dk, *dv;
} mdldm__cpu_attention;

typedef struct mdldm__cpu_linear {
    int64_t m, in, out; /* y[m][out] = x[m][in] w[out][in]^T + b */
    int64_t w_stride;   /* floats between rows of w */
    int32_t dtype, threads, add;
    const void *x;
    const float *w, *b;
    void *y;
    float *scratch; /* [m][in + out] */
    const void *dy; /* backward: [m][out] */
    void *dx;
    float *dw;
} mdldm__cpu_linear;

/* y[n][ho][wo][oc] = conv of u8 x with i8 weights, dequantised (CONV_Q8), + e + residual. */
typedef struct mdldm__cpu_q8 {
    int64_t n, h, w, c0, c1, ho, wo, oc;
    int64_t kh, kw, stride_h, stride_w, pad_t, pad_l;
    int32_t dtype, threads; /* dtype of y, e and residual */
    int32_t half;           /* x has half the height and width of h, w: nearest neighbour */
    mdldm__cpu_range range;
    const uint8_t *x0, *x1;     /* x1 may be NULL */
    const int8_t *packed;       /* mdldm__cpu_q8_packed_size bytes */
    const int32_t *sums;        /* [oc] of the weights of each output channel */
    const float *w_scale, *b;   /* [oc]; b may be NULL */
    const void *e;              /* [n][oc], or NULL */
    const void *residual;       /* as y; may be y itself, or NULL */
    void *y;
    uint8_t *scratch;           /* mdldm__cpu_q8_scratch */
} mdldm__cpu_q8;

typedef struct mdldm__cpu_vq {
    int64_t rows, dim, codes;
    int32_t threads;
    const float *z, *codebook;
    const float *dzq; /* may be NULL */
    float *zq, *loss, *dz, *dcodebook;
    int32_t *index;
    float commitment, codebook_weight, temperature, weight_sample, weight_mean;
    float *scratch; /* mdldm__cpu_vq_scratch, mdldm__cpu_entropy_scratch */
} mdldm__cpu_vq;

typedef struct mdldm__cpu_cross_entropy {
    const void *logits; /* [rows][classes] */
    const int32_t *label; /* [rows] */
    const float *weight;  /* [rows/per_image], or NULL */
    float *loss;
    void *dlogits;
    int64_t rows, per_image, classes;
    int32_t dtype, out_dtype, threads; /* types of logits and dlogits */
    float smoothing, grad;
    double *scratch; /* [rows] */
} mdldm__cpu_cross_entropy;

/* Memory that is wanted soon after a product: rows of lines, fetched meanwhile, a row for each register tile.
 * The product moves row on. */
typedef struct mdldm__cpu_fetch {
    const char *from;
    int64_t stride, lines; /* bytes from row to row; cache lines of a row */
    int64_t rows, row;
} mdldm__cpu_fetch;

/* c[m][n] = or += a[m][k] b[k][n]; strides and k in words of 32 bits (k_gemm.h). One thread. */
typedef struct mdldm__cpu_gemm {
    int64_t m, n, k;
    int64_t a_m, a_k, b_k, c_m; /* from row to row; of a also along k */
    const void *a, *b;          /* dtype F32: floats; BF16: pairs along k */
    float *c;
    int32_t dtype, add;
    mdldm__cpu_fetch *fetch; /* or NULL */
} mdldm__cpu_gemm;

/* dw[o][i][kernel_h][kernel_w] += the weight gradient of a convolution (k_wgrad.h). */
typedef struct mdldm__cpu_wgrad {
    int64_t n, h, w, ic;    /* x[n][h][w][ic] */
    int64_t ho, wo, oc;     /* dy[n][ho][wo][oc] */
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_t, pad_l;
    int64_t dw_row;         /* floats from one o to the next */
    int32_t dtype, threads;
    int32_t winograd;       /* 1: by Winograd's method; 3x3 of stride 1 only; */
    int32_t operands;       /* then: of the products, MDLDM_F32 or, for a dtype of BF16, MDLDM_BF16 */
    const void *x, *dy;
    float *dw, *scratch;    /* mdldm__cpu_wgrad_sizes().floats */
} mdldm__cpu_wgrad;

/* dst[n][ho][wo][oc] = convolution as one matrix product, + bias + residual (k_product.h). */
typedef struct mdldm__cpu_product {
    int64_t n, h, w, ho, wo, oc;
    int64_t ic[2]; /* of each source; the second may have 0 */
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_t, pad_l;
    int32_t dtype, threads;
    const void *src[2];
    const void *packed;   /* mdldm__cpu_product_packed words */
    const float *bias;    /* [oc], or NULL */
    const void *residual; /* as dst; may be dst itself, or NULL */
    void *dst;
    float *scratch; /* threads times mdldm__cpu_product_private, and 16 to align */
} mdldm__cpu_product;

/* Canonical weights [oc][ic of both sources][taps] that are to be packed for it. */
typedef struct mdldm__cpu_product_weights {
    const float *values; /* of the first input channel wanted */
    int64_t oc, ic[2], taps, row; /* row: floats from one output to the next */
    int32_t dtype;
    int32_t turned; /* for the data gradient of a 1x1 kernel: from oc to ic[0] channels */
} mdldm__cpu_product_weights;

/* y = conv of x, stride 1, with few output channels (k_conv_few.h). */
typedef struct mdldm__cpu_few {
    int64_t n, h, w, ic, ho, wo, oc; /* x[n][h][w][ic], y[n][ho][wo][oc] */
    int64_t kernel_h, kernel_w, pad_t, pad_l;
    int32_t dtype, threads;
    int32_t turned;       /* the data gradient: x is dy, sums run over the weights' output channels */
    const void *x;
    const float *weights; /* canonical, from the slice's first input channel on */
    int64_t row;          /* floats from one output channel of theirs to the next */
    const float *bias;    /* [oc] or NULL */
    void *y;
    float *scratch;       /* mdldm__cpu_few_sizes */
} mdldm__cpu_few;

struct mdldm__adamw_constants; /* store_host.h */

typedef struct mdldm__cpu_kernels {
    const char *name;
    int32_t lanes, tile; /* floats in a vector; queries in an attention tile */
    int32_t q8_block;    /* output channels that packed eight-bit weights hold side by side */

    void (*gemm)(const mdldm__cpu_gemm *g);
    void (*product)(const mdldm__cpu_product *a);
    void (*product_pack)(float *out, const mdldm__cpu_product_weights *w, int32_t threads);

    /* ---- elementwise over count elements ---- */
    void (*silu)(void *y, const void *x, int32_t dtype, int64_t count, int32_t threads);
    void (*silu_bwd)(void *dx, const void *dy, const void *x, int32_t dtype, int64_t count,
                     int32_t threads);
    void (*add)(void *y, const void *a, const void *b, int32_t dtype, float alpha, float beta,
                int64_t count, int32_t threads);
    /* y[n][hw][c] = x + e[n][c] */
    void (*bias)(void *y, const void *x, const void *e, int32_t dtype, int64_t n, int64_t hw, int64_t c,
                 int32_t threads);
    /* y[n][count] = alpha*x*s[n] + beta; s may be NULL */
    void (*scale)(void *y, const void *x, const float *s, int32_t dtype, float alpha, float beta,
                  int64_t n, int64_t count, int32_t threads);
    void (*dropout)(void *y, const void *x, const int32_t *seed, int32_t dtype, float p, uint32_t salt,
                    int64_t count, int32_t threads);
    void (*cast)(void *y, int32_t y_dtype, const void *x, int32_t x_dtype, int64_t count,
                 int32_t threads);
    /* y[c] = b[c] + e[c], e of dtype, b may be NULL */
    void (*bias_sum)(float *y, const float *b, const void *e, int32_t dtype, int64_t c);
    int32_t (*finite)(const void *x, int32_t dtype, int64_t count, int32_t threads);

    /* ---- sums ---- */
    /* out[n][c] = sum over rows of x[n][rows][c]; added to out (F32) when add, else stored as dtype.
     * scratch: mdldm__cpu_column_scratch */
    void (*column_sum)(void *out, const void *x, int32_t dtype, int32_t add, int64_t n, int64_t rows,
                       int64_t c, float *scratch, int32_t threads);
    /* 1/n sum_n weight[n] * mean over count of |p-t|^2 or |p-t|. scratch: mdldm__cpu_loss_scratch */
    void (*loss)(float *out, const void *pred, int32_t pred_dtype, const void *target,
                 int32_t target_dtype, const float *weight, int32_t kind, int64_t n, int64_t count,
                 double *scratch, int32_t threads);
    void (*loss_bwd)(void *dpred, int32_t out_dtype, const void *pred, int32_t pred_dtype,
                     const void *target, int32_t target_dtype, const float *weight, int32_t kind,
                     float grad, int64_t n, int64_t count, int32_t threads);

    void (*cross_entropy)(const mdldm__cpu_cross_entropy *a);
    void (*cross_entropy_bwd)(const mdldm__cpu_cross_entropy *a);

    /* ---- resampling; h, w of the smaller (pooled: of the larger, possibly odd) tensor ---- */
    void (*upsample2)(void *y, const void *x, int32_t dtype, int64_t n, int64_t h, int64_t w, int64_t c,
                      int32_t threads);
    void (*upsample2_bwd)(void *dx, const void *dy, int32_t dtype, int64_t n, int64_t h, int64_t w,
                          int64_t c, int32_t threads);
    void (*avgpool2)(void *y, const void *x, int32_t dtype, int64_t n, int64_t h, int64_t w, int64_t c,
                     int32_t threads);
    void (*avgpool2_bwd)(void *dx, const void *dy, int32_t dtype, int64_t n, int64_t h, int64_t w,
                         int64_t c, int32_t threads);

    void (*embedding)(void *y, int32_t dtype, const float *table, const int32_t *index, int64_t n,
                      int64_t rows, int64_t c);
    void (*embedding_bwd)(float *dtable, const void *dy, int32_t dtype, const int32_t *index, int64_t n,
                          int64_t rows, int64_t c);

    void (*group_norm)(const mdldm__cpu_norm *a);
    void (*group_norm_bwd)(const mdldm__cpu_norm *a);
    void (*attention)(const mdldm__cpu_attention *a);
    void (*attention_bwd)(const mdldm__cpu_attention *a);
    /* Few rows: reads the canonical weights once. */
    void (*linear)(const mdldm__cpu_linear *a);
    void (*linear_bwd_data)(const mdldm__cpu_linear *a);
    void (*linear_bwd_weights)(const mdldm__cpu_linear *a);
    /* y U8 [n][count] <- x */
    void (*quantize)(uint8_t *y, const void *x, int32_t dtype, const mdldm__cpu_range *range, int64_t n,
                     int64_t count, int32_t threads);
    /* Canonical w[oc][c0+c1][taps] packed for conv_q8, and sums[oc]. */
    void (*pack_q8)(int8_t *packed, int32_t *sums, const int8_t *w, int64_t oc, int64_t c0, int64_t c1,
                    int64_t taps, int32_t threads);
    void (*conv_q8)(const mdldm__cpu_q8 *a);
    void (*wgrad)(const mdldm__cpu_wgrad *a);
    /* ---- the optimiser's passes over count elements (k_adamw.h) ---- */
    double (*sum_squares)(const float *g, int64_t count);
    void (*adamw)(const struct mdldm__adamw_constants *c, int64_t count, float *p, float *g, float *mean,
                  float *square, float *ema);
    void (*vq)(const mdldm__cpu_vq *a);
    void (*vq_bwd)(const mdldm__cpu_vq *a);
    void (*vq_entropy)(const mdldm__cpu_vq *a);
    void (*vq_entropy_bwd)(const mdldm__cpu_vq *a);
    /* out[i][o][kh-1-a][kw-1-b] = w[o][i0 + i][a][b] for i < ic: weights of the convolution that
     * computes a stride-1 convolution's data gradient. w has in channels. */
    void (*rotate)(float *out, const float *w, int64_t oc, int64_t in, int64_t i0, int64_t ic, int64_t kh,
                   int64_t kw, int32_t threads);
    void (*conv_few)(const mdldm__cpu_few *a);
    void (*winograd)(const mdldm__cpu_winograd *a);
    /* Canonical weights [oc][ic][3][3], row floats from one oc to the next, to compact bf16 ones. */
    void (*winograd_pack)(uint16_t *out, const float *weights, int64_t oc, int64_t ic, int64_t row,
                          int32_t threads);
    /* The same of int8 weights [oc][ic][3][3]. */
    void (*winograd_pack_q8)(int8_t *out, const int8_t *weights, int64_t oc, int64_t ic, int32_t threads);
} mdldm__cpu_kernels;

extern const mdldm__cpu_kernels mdldm__cpu_kernels_avx512bf16, mdldm__cpu_kernels_avx512,
    mdldm__cpu_kernels_avx2, mdldm__cpu_kernels_base;

#endif
