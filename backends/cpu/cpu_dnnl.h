/* SPDX-License-Identifier: MIT
 * The one place that knows oneDNN's API, 2.x and 3.x. What differs between them (how primitives and
 * memory formats are described) stays in cpu_dnnl2.c and cpu_dnnl3.c. All calls return 0, or oneDNN's
 * status. */
#ifndef MDLDM_CPU_DNNL_H
#define MDLDM_CPU_DNNL_H

#include <stddef.h>
#include <stdint.h>

#include <oneapi/dnnl/dnnl.h>

typedef struct mdldm__dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} mdldm__dnnl;

#if DNNL_VERSION_MAJOR == 2
typedef const dnnl_memory_desc_t *mdldm__dnnl_md;
#else
typedef const_dnnl_memory_desc_t mdldm__dnnl_md;
#endif

/* How a weight tensor lies in memory: borrowed from the call it was taken from, and gone with that. */
typedef struct mdldm__dnnl_layout {
    mdldm__dnnl_md md;
} mdldm__dnnl_layout;

typedef enum mdldm__conv_kind {
    MDLDM__CONV_FORWARD = 0,
    MDLDM__CONV_BACKWARD_DATA = 1 /* dst and weights give src */
} mdldm__conv_kind;

typedef struct mdldm__conv_spec {
    int32_t kind;
    int32_t dtype; /* of src, dst and packed weights: MDLDM_F32 or MDLDM_BF16 */
    int32_t bias;  /* forward: adds an F32 vector */
    int32_t sum;   /* forward: adds to what dst holds */
    int64_t n, h, w, ic, ho, wo, oc;
    int64_t kernel_h, kernel_w, stride_h, stride_w, pad_t, pad_l, pad_b, pad_r;
} mdldm__conv_spec;

typedef enum mdldm__dnnl_arg {
    MDLDM__ARG_SRC = 0,
    MDLDM__ARG_WEIGHTS = 1,
    MDLDM__ARG_DST = 2,
    MDLDM__ARG_BIAS = 3,
    MDLDM__ARG_SCRATCH = 4,
    MDLDM__ARGS = 5
} mdldm__dnnl_arg;

/* A primitive and its arguments; all zero is a valid, closed one. */
typedef struct mdldm__dnnl_call {
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[MDLDM__ARGS]; /* NULL: not an argument */
    int32_t id[MDLDM__ARGS];
    mdldm__dnnl_layout weights; /* the format the primitive asks for; of a pack: what it writes */
    size_t weights_size, scratch_size;
    int32_t threads; /* OpenMP's count when the primitive was made, or 1; it runs with the same */
} mdldm__dnnl_call;

int mdldm__dnnl_open(mdldm__dnnl *dnnl);
void mdldm__dnnl_close(mdldm__dnnl *dnnl);
/* 0: oneDNN has no bf16 here (it takes AVX-512); 1: emulated; 2: with instructions of its own. */
int mdldm__dnnl_bf16(void);
/* Width of the vectors oneDNN uses: 512, 256 or 128. */
int mdldm__dnnl_vector_bits(void);
/* The library's version, as 2.6.3. */
void mdldm__dnnl_version(char text[32]);
/* 1: a data gradient of stride 1 is faster as a forward convolution with turned weights. */
int mdldm__dnnl_turns_gradient(void);

int mdldm__dnnl_conv(const mdldm__dnnl *dnnl, const mdldm__conv_spec *spec, mdldm__dnnl_call *call);
/* A plain F32 weight tensor [dims] with strides, as SRC, written in a packed layout to DST. */
int mdldm__dnnl_pack(const mdldm__dnnl *dnnl, const int64_t dims[4], const int64_t strides[4],
                     const mdldm__dnnl_layout *packed, mdldm__dnnl_call *call);
void mdldm__dnnl_call_close(mdldm__dnnl_call *call);

size_t mdldm__dnnl_layout_size(const mdldm__dnnl_layout *layout);
int mdldm__dnnl_layout_equal(const mdldm__dnnl_layout *a, const mdldm__dnnl_layout *b);

int mdldm__dnnl_set(mdldm__dnnl_call *call, mdldm__dnnl_arg arg, const void *pointer);
int mdldm__dnnl_run(const mdldm__dnnl *dnnl, const mdldm__dnnl_call *call);
/* The implementation oneDNN chose, for benchmarks and logs. */
const char *mdldm__dnnl_name(const mdldm__dnnl_call *call);

#endif
