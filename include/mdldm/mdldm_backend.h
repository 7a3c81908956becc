/* SPDX-License-Identifier: MIT
 *
 * The plug-in interface between the core and a compute backend. Not for applications.
 *
 * A backend compiles a graph (a list of operations on NHWC tensors with static shapes) into a plan
 * and runs it. A plug-in is a shared object mdldm_backend_<name>.so that exports one symbol,
 * mdldm_backend_entry. The tables here are append-only; struct_size comes first.
 *
 * Rules every backend keeps:
 *  - Activations are NHWC, contiguous; a linear layer is a 1x1 convolution on [n,h,w,c] or [n,1,1,c].
 *  - Sums are accumulated in float or wider, whatever the tensors' type.
 *  - Results do not depend on the number of threads for the forward operations.
 *  - plan_run allocates nothing. Nothing prints, aborts or exits; errors go to host->set_error.
 */
#ifndef MDLDM_BACKEND_H
#define MDLDM_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "mdldm/mdldm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MDLDM_BACKEND_ABI 2u
#define MDLDM_OP_INPUTS 8
#define MDLDM_OP_OUTPUTS 5
#define MDLDM_Q8_TERMS 65535 /* of a CONV_Q8's sum: 255 * 128 of them fit in 31 bits */

/* ---- What the core offers a backend ------------------------------------------------------- */
typedef struct mdldm_host {
    uint32_t struct_size;
    void *user;
    /* As mdldm_resize_fn; user is host->user. Thread-safe. */
    void *(*resize)(const struct mdldm_host *host, void *pointer, size_t size);
    /* Stores the sentence and returns status, so that `return host->set_error(...)` reads well.
     * Called on the thread that called the backend only. */
    mdldm_status (*set_error)(const struct mdldm_host *host, mdldm_status status, const char *text);
    void (*log)(const struct mdldm_host *host, int32_t level, const char *text);
    /* Non-zero when the call should stop with MDLDM_ERROR_CANCELLED; cheap, polled per operation, by any one thread. */
    int32_t (*cancelled)(const struct mdldm_host *host);
} mdldm_host;

/* ---- Graph -------------------------------------------------------------------------------- */
typedef enum mdldm_dtype {
    MDLDM_F32 = 0,
    MDLDM_BF16 = 1,
    MDLDM_I32 = 2,
    MDLDM_F16 = 3, /* on disk only */
    MDLDM_I8 = 4,  /* parameters that CONV_Q8 reads, and their values in store_bind */
    MDLDM_U8 = 5   /* activations between QUANTIZE and CONV_Q8 */
} mdldm_dtype;

typedef enum mdldm_role {
    MDLDM_ROLE_ACTIVATION = 0,
    MDLDM_ROLE_INPUT = 1,     /* filled by a binding before the run */
    MDLDM_ROLE_PARAM = 2,     /* store value `param`, canonical shape; F32 to the graph, or I8 */
    MDLDM_ROLE_PARAM_GRAD = 3, /* store gradient `param`; operations ADD to it */
    MDLDM_ROLE_STATE = 4      /* store value `param` of a store for training, F32; operations write it, and keep what
                               * they do not write. No other tensor of the graph names that parameter */
} mdldm_role;

#define MDLDM_TENSOR_OUTPUT 1 /* flag: readable by a binding after the run */

typedef struct mdldm_graph_tensor {
    int32_t dtype; /* mdldm_dtype */
    int32_t role;  /* mdldm_role */
    int32_t flags;
    int32_t param;   /* index into the store for PARAM and PARAM_GRAD, else -1 */
    int64_t dims[4]; /* activations: n,h,w,c. PARAM: the canonical (PyTorch) shape, padded with 1 */
    const char *name;
} mdldm_graph_tensor;

/* Operations. Slots are fixed; an absent optional tensor is -1. "y <- x" gives output and inputs. */
typedef enum mdldm_op_kind {
    /* out: y. in: x0, x1|-1, w, b|-1. Input channels are x0's then x1's. w canonical [O,I,kh,kw] or,
     * for a linear layer, [O,I]. attr conv. y[n,ho,wo,O], ho = (h+pad_t+pad_b-kh)/stride_h + 1. */
    MDLDM_OP_CONV = 1,
    /* out: dx0|-1, dx1|-1. in: dy, w. attr conv. */
    MDLDM_OP_CONV_BWD_DATA = 2,
    /* out: dw (PARAM_GRAD), db|-1 (PARAM_GRAD). in: x0, x1|-1, dy. attr conv. */
    MDLDM_OP_CONV_BWD_WEIGHTS = 3,
    /* out: y[n,h,w,C], stats[n,1,groups,2] F32 (mean, 1/sqrt(var+eps)). in: x0, x1|-1, gamma[C],
     * beta[C], scale_shift|-1 [n,1,1,2C]. Groups run over the joined channels C = c0+c1.
     * g = gamma*(x-mean)*rstd+beta; with scale_shift g = g*(1+scale)+shift, scale the first C;
     * y = silu ? g*sigmoid(g) : g. attr norm. */
    MDLDM_OP_GROUP_NORM = 4,
    /* out: dx0|-1, dx1|-1, dgamma|-1, dbeta|-1 (PARAM_GRAD), dscale_shift|-1.
     * in: dy, x0, x1|-1, gamma, beta, scale_shift|-1, stats. attr norm. */
    MDLDM_OP_GROUP_NORM_BWD = 5,
    MDLDM_OP_SILU = 6,     /* y <- x: x*sigmoid(x) */
    MDLDM_OP_SILU_BWD = 7, /* dx <- dy, x */
    MDLDM_OP_ADD = 8,      /* y <- a, b: alpha*a + beta*b, same shape. attr scale */
    MDLDM_OP_BIAS = 9,     /* y <- x[n,h,w,c], e[n,1,1,c]: x + e */
    MDLDM_OP_SUM_HW = 10,  /* y[n,1,1,c] <- x[n,h,w,c] */
    MDLDM_OP_SCALE = 11,   /* y <- x, s|-1 [n,1,1,1] F32: alpha*x*s + beta. attr scale */
    /* out: o[n,h,w,c], lse[n,heads,h*w,1] F32. in: q,k,v [n,h,w,c]. Head j owns channels
     * j*c/heads...; o = softmax(scale*q.k)v over the h*w tokens; lse = log sum exp(scale*q.k).
     * attr attention. */
    MDLDM_OP_ATTENTION = 12,
    MDLDM_OP_ATTENTION_BWD = 13, /* dq, dk, dv <- do, q, k, v, o, lse */
    MDLDM_OP_UPSAMPLE2 = 14,     /* y[n,2h,2w,c] <- x: nearest neighbour */
    MDLDM_OP_UPSAMPLE2_BWD = 15, /* dx <- dy: sum of each 2x2 */
    MDLDM_OP_AVGPOOL2 = 16,      /* y[n,h/2,w/2,c] <- x: mean of each 2x2, odd edge dropped */
    MDLDM_OP_AVGPOOL2_BWD = 17,  /* dx <- dy: dx has its own (possibly odd) size, dropped edge 0 */
    MDLDM_OP_EMBEDDING = 18,     /* y[n,1,1,c] <- table[K,c] (PARAM), index I32 [n,1,1,1] */
    MDLDM_OP_EMBEDDING_BWD = 19, /* dtable (PARAM_GRAD) <- dy, index */
    /* out: zq[n,h,w,d] F32, codes I32 [n,h,w,1], loss F32 [1,1,1,1] = mean((zq-z)^2).
     * in: z[n,h,w,d] F32, codebook[K,d] (PARAM). Nearest in Euclidean distance, ties to the lowest. */
    MDLDM_OP_VQ = 20,
    /* out: dz, dcodebook|-1 (PARAM_GRAD). in: dzq|-1, z, codebook, codes.  N = n*h*w*d:
     * dz = dzq + commitment*2(z-zq)/N; dcodebook[k] += codebook_weight*2(zq-z)/N. attr vq */
    MDLDM_OP_VQ_BWD = 21,
    /* out: loss F32 [1,1,1,2] = {mean entropy of p(.|z), entropy of mean p}.
     * in: z, codebook. p(k|z) = softmax(-|z-e_k|^2/temperature). attr vq */
    MDLDM_OP_VQ_ENTROPY = 22,
    /* out: dz, dcodebook|-1. in: z, codebook. Gradient of weight_sample*loss[0]+weight_mean*loss[1]. */
    MDLDM_OP_VQ_ENTROPY_BWD = 23,
    /* out: loss F32 [1,1,1,1] = 1/n sum_n weight[n]*mean(|p-t|^2 or |p-t|). in: pred, target,
     * weight|-1 F32 [n,1,1,1]. attr loss */
    MDLDM_OP_LOSS = 24,
    MDLDM_OP_LOSS_BWD = 25, /* dpred <- pred, target, weight|-1: attr loss.grad * dloss/dpred */
    /* y <- x, seed I32 [1,1,1,2]: x/(1-p) where kept, else 0. Element i (NHWC order) is kept when
     * uniform(i) >= p; uniform from Philox4x32-10, key seed, counter (i/4, salt, 0, 0), lane i%4,
     * (word + 0.5) * 2^-32. p 0: a copy. attr dropout. Its own backward. */
    MDLDM_OP_DROPOUT = 26,
    MDLDM_OP_CAST = 27, /* y <- x: between F32 and BF16, round to nearest even */
    /* out: y. in: x0, x1|-1, gamma, beta, scale_shift|-1, stats. The y of GROUP_NORM, to the bit, from
     * statistics that are known. attr norm. */
    MDLDM_OP_GROUP_NORM_APPLY = 28,
    /* y U8 <- x, range [G,2] (PARAM), group I32 [n,1,1,1]. Row g of range, g = group of the image clamped
     * to 0..G-1, is (low, high), low <= 0 <= high, low < high. In float: m = 255/(high-low),
     * z = round(-low*m), y = round(x*m) + z clamped to 0..255; to nearest, halves to even; NaN gives 0. */
    MDLDM_OP_QUANTIZE = 29,
    /* out: y F32 or BF16. in: x0 U8, x1 U8|-1, w I8 (PARAM), w_scale[O] (PARAM), b|-1, range [G,2] and
     * group as x was quantised with. Shapes as CONV, I*kh*kw <= MDLDM_Q8_TERMS. attr conv.
     * a = sum of (x - z)*w in integers (padding counts as z); y = a * (1/m * w_scale) + b in float. */
    MDLDM_OP_CONV_Q8 = 30,
    /* out: loss F32 [1,1,1,1]. in: logits [n,h,w,K], label I32 [n,h,w,1], weight|-1 F32 [n,1,1,1].
     * The mean over all n*h*w of weight[n] * (log sum exp(logits) - sum_k q_k logits_k), q_k = smoothing/K, and
     * 1-smoothing more for k = label. A label outside 0..K-1 takes no part: its term is 0. attr cross_entropy */
    MDLDM_OP_CROSS_ENTROPY = 31,
    /* dlogits <- logits, label, weight|-1: attr.grad * weight[n]/(n*h*w) * (softmax(logits) - q) */
    MDLDM_OP_CROSS_ENTROPY_BWD = 32,
    /* Gathers what VQ_UPDATE needs of the batches of a step. out: tally[K,2d+2] (STATE), row k: {uses, count, sum[d],
     * drawn[d]}. in: z[n,h,w,d] F32, codes I32 [n,h,w,1], place I32 [1,1,1,6], counts[K] (PARAM), sums[K,d] (PARAM).
     * place = {key[2], step[2], first, total}: z's vectors are numbers first, first+1, ... of the step's total. Where
     * first is 0: uses = 0, count = keep*counts, sum = keep*sums. Then for each vector with code k: uses += 1,
     * count += take, sum += take*z. drawn = vector number p, if that is here; p below total is the first of
     * Philox4x32-10's words w, key `key`, counters (0,k,step), (1,k,step), ..., with w*total mod 2^32 >= 2^32 mod total:
     * p = w*total / 2^32 (Lemire 2019). A code outside 0..K-1 counts for nothing; total < 1: nothing is drawn.
     * attr codebook. */
    MDLDM_OP_VQ_COLLECT = 33,
    /* The codebook behind a step (van den Oord et al. 2017, appendix A.1). out: codebook[K,d], counts[K], sums[K,d],
     * age[K] (STATE), report F32 [1,1,1,3]. in: tally[K,2d+2] (PARAM). For each code k: counts, sums = tally's; age = 0
     * where it has uses, else age+1; with attr follow and counts > 1e-5: codebook = sums/counts. A code is dead when
     * restart_after > 0 and age >= restart_after; then codebook = sums = drawn, counts = 1, age = 0, and in a codebook
     * that is trainable the row's moments become 0 and its EMA the row. report = {codes with uses, entropy of the uses
     * in nats, dead codes}. attr codebook. */
    MDLDM_OP_VQ_UPDATE = 34
} mdldm_op_kind;

typedef struct mdldm_conv_attr {
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_t, pad_l, pad_b, pad_r;
} mdldm_conv_attr;
typedef struct mdldm_norm_attr {
    int32_t groups;
    int32_t silu;
    float eps;
} mdldm_norm_attr;
typedef struct mdldm_scale_attr {
    float alpha, beta;
} mdldm_scale_attr;
typedef struct mdldm_attention_attr {
    int32_t heads;
    float scale;
} mdldm_attention_attr;
typedef struct mdldm_vq_attr {
    float commitment, codebook_weight; /* VQ_BWD */
    float temperature, weight_sample, weight_mean; /* VQ_ENTROPY */
} mdldm_vq_attr;
typedef enum mdldm_loss_kind { MDLDM_LOSS_L2 = 0, MDLDM_LOSS_L1 = 1 } mdldm_loss_kind;
typedef struct mdldm_loss_attr {
    int32_t kind;
    float grad;
} mdldm_loss_attr;
typedef struct mdldm_cross_entropy_attr {
    float smoothing; /* 0 <= smoothing < 1 */
    float grad;      /* the coefficient of the loss in what is differentiated */
} mdldm_cross_entropy_attr;
typedef struct mdldm_dropout_attr {
    float p;
    uint32_t salt;
} mdldm_dropout_attr;

typedef struct mdldm_codebook_attr {
    float keep, take;              /* VQ_COLLECT: decay and 1-decay of the averages */
    int32_t follow, restart_after; /* VQ_UPDATE */
} mdldm_codebook_attr;

typedef struct mdldm_graph_op {
    int32_t kind;
    int32_t in[MDLDM_OP_INPUTS];
    int32_t out[MDLDM_OP_OUTPUTS];
    const char *name; /* layer path, "down_blocks.0.resnets.1.conv1" */
    union {
        mdldm_conv_attr conv;
        mdldm_norm_attr norm;
        mdldm_scale_attr scale;
        mdldm_attention_attr attention;
        mdldm_vq_attr vq;
        mdldm_loss_attr loss;
        mdldm_cross_entropy_attr cross_entropy;
        mdldm_dropout_attr dropout;
        mdldm_codebook_attr codebook;
        uint8_t reserved[64];
    } attr;
} mdldm_graph_op;

/* Operations stand in an order in which they can run. All pointers live as long as the call. */
typedef struct mdldm_graph_desc {
    uint32_t struct_size;
    int32_t tensor_count, op_count;
    const mdldm_graph_tensor *tensors;
    const mdldm_graph_op *ops;
} mdldm_graph_desc;

/* ---- Parameter store: values, and for training gradients, moments and EMA ------------------ */
typedef struct mdldm_param_desc {
    const char *name;
    int64_t dims[4]; /* canonical shape, padded with 1 */
    int32_t rank;
    int32_t trainable; /* 0: no gradient, no moments; EMA slot reads as the value */
} mdldm_param_desc;

typedef enum mdldm_slot {
    MDLDM_SLOT_VALUE = 0,
    MDLDM_SLOT_GRAD = 1,
    MDLDM_SLOT_EXP_AVG = 2,
    MDLDM_SLOT_EXP_AVG_SQ = 3,
    MDLDM_SLOT_EMA = 4
} mdldm_slot;

#define MDLDM_STORE_TRAIN 1 /* flag: values are copied; gradient and moment slots exist */
#define MDLDM_BIND_MAPPED 256 /* store_bind, added to dtype: the memory is a private mapping of a file, whose
                               * pages the backend may give back (MADV_DONTNEED) once it has copies */
#define MDLDM_STORE_EMA 2   /* flag: an EMA slot exists, starting as a copy of the values */

/* One AdamW step (Loshchilov and Hutter 2019, torch.optim.AdamW) over all trainable parameters:
 * g = grad*grad_scale, clipped by global norm; p -= lr*weight_decay*p; then Adam with bias
 * correction. Afterwards ema = ema_decay*ema + (1-ema_decay)*p, and gradients are zeroed. When a
 * gradient is not finite nothing changes and bad_param names it. */
typedef struct mdldm_adamw {
    uint32_t struct_size;
    float lr, beta1, beta2, eps, weight_decay;
    float grad_scale;    /* 1/accumulation steps */
    float max_grad_norm; /* <= 0: no clipping. Coefficient min(1, max/(norm+1e-6)) as in torch */
    float ema_decay;     /* < 0: EMA untouched */
    int64_t step;        /* 1-based: bias correction */
    double grad_norm;    /* out: before clipping, after grad_scale */
    int32_t bad_param;   /* out: -1, or the index of the first non-finite gradient */
} mdldm_adamw;

/* ---- Running ------------------------------------------------------------------------------ */
typedef enum mdldm_layout { MDLDM_LAYOUT_NHWC = 0, MDLDM_LAYOUT_NCHW = 1 } mdldm_layout;

typedef struct mdldm_binding {
    int32_t tensor; /* an INPUT, or a tensor with MDLDM_TENSOR_OUTPUT */
    int32_t dtype;  /* of data: F32 or I32; converted to and from the tensor's own */
    int32_t layout; /* of data */
    int32_t reserved;
    void *data;     /* host memory, the tensor's element count */
} mdldm_binding;

#define MDLDM_PLAN_EMA 1          /* plan_compile: parameters are read from the EMA slot */
#define MDLDM_PLAN_DIRECT 2       /* plan_compile: convolutions never by Winograd's method */
#define MDLDM_PLAN_WINOGRAD2 4    /* plan_compile, for tests: by F(2x2,3x3) wherever that is possible ... */
#define MDLDM_PLAN_WINOGRAD4 8    /* ... or by F(4x4,3x3). A backend without the method ignores these */
#define MDLDM_PLAN_TF32 16            /* plan_compile: products of F32 tensors may be taken in TF32, whose significand has
                                       * 11 bits, with sums in F32. A backend without it ignores this */
#define MDLDM_RUN_CHECK_FINITE 1  /* plan_run: look at each output; NUMERIC with the op's name */

typedef struct mdldm_plan_info {
    uint32_t struct_size;
    int64_t arena_bytes;  /* planned activations and scratch */
    int64_t packed_bytes; /* weights in kernel layout that this plan added */
    int64_t macs;         /* multiply-accumulates of one run */
    int32_t kernels;      /* launches per run after fusion */
} mdldm_plan_info;

typedef struct mdldm_device mdldm_device;
typedef struct mdldm_store mdldm_store;
typedef struct mdldm_plan mdldm_plan;

typedef struct mdldm_backend {
    uint32_t struct_size;
    uint32_t abi; /* MDLDM_BACKEND_ABI */
    const char *name;
    const char *description;

    /* 0 when the backend can run here, else 1 and one sentence in reason. */
    int32_t (*probe)(char *reason, size_t capacity);

    /* device: what stood after the colon ("1" of "cuda:1"), "" for the default. threads >= 1.
     * host lives until device_close. */
    mdldm_status (*device_open)(const mdldm_host *host, const char *device, int32_t threads,
                                mdldm_device **out);
    void (*device_close)(mdldm_device *device); /* after its stores and plans */

    /* A store holds the parameters of one model component. Without MDLDM_STORE_TRAIN the bound
     * memory is borrowed and must live as long as the store. */
    mdldm_status (*store_open)(mdldm_device *device, const mdldm_param_desc *params, int32_t count,
                               int32_t flags, mdldm_store **out);
    void (*store_close)(mdldm_store *store);
    /* Gives parameter index its value: canonical layout, dtype F32, F16, BF16, or I8 (not in a store for
     * training; only graph tensors of type I8 can read it, and these nothing else), perhaps with
     * MDLDM_BIND_MAPPED. */
    mdldm_status (*store_bind)(mdldm_store *store, int32_t index, const void *data, int32_t dtype);
    /* Canonical layout, F32. A write marks packed copies stale. */
    mdldm_status (*store_read)(mdldm_store *store, int32_t index, int32_t slot, float *out);
    mdldm_status (*store_write)(mdldm_store *store, int32_t index, int32_t slot, const float *in);
    mdldm_status (*store_adamw)(mdldm_store *store, mdldm_adamw *args);
    mdldm_status (*store_zero_grad)(mdldm_store *store);

    /* graph is copied as far as needed. */
    mdldm_status (*plan_compile)(mdldm_device *device, mdldm_store *store,
                                 const mdldm_graph_desc *graph, int32_t flags, mdldm_plan **out);
    mdldm_status (*plan_run)(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count,
                             int32_t flags);
    void (*plan_close)(mdldm_plan *plan);
    void (*plan_info)(const mdldm_plan *plan, mdldm_plan_info *info);
} mdldm_backend;

/* The one symbol of a plug-in. NULL when abi is not one it speaks. */
typedef const mdldm_backend *(*mdldm_backend_entry_fn)(uint32_t abi);
#define MDLDM_BACKEND_ENTRY "mdldm_backend_entry"

#ifdef __cplusplus
}
#endif
#endif /* MDLDM_BACKEND_H */
