/* SPDX-License-Identifier: MIT
 * The graph builder. A model describes itself once with these calls; shapes are checked as it goes.
 * Errors are sticky: after the first one every call returns -1, and graph.status tells at the end.
 * Tensors are ids; activations are NHWC. Layer names come from the path (push/pop), joined by '.'. */
#ifndef MDLDM_GRAPH_GRAPH_H
#define MDLDM_GRAPH_GRAPH_H

#include "graph/params.h"

typedef int32_t mdldm__tensor;
#define MDLDM__NONE ((mdldm__tensor)-1)

/* Operations first..end-1 that gradient checkpointing runs twice. */
typedef struct mdldm__segment {
    int32_t first, end;
} mdldm__segment;

/* An activation that a layer would read in eight bits, and the parameter its range would be. */
typedef struct mdldm__observation {
    mdldm__tensor tensor;
    const char *name;
} mdldm__observation;

typedef struct mdldm__graph {
    mdldm__env *env;
    mdldm_status status;
    mdldm__params *params;
    int32_t declare; /* 1: unknown parameters are added to the table instead of refused */
    int32_t act;     /* dtype of activations: MDLDM_F32 or MDLDM_BF16 */
    int32_t training; /* 1: dropout is live */
    mdldm_graph_tensor *tensors;
    int32_t tensor_count, tensor_capacity;
    mdldm_graph_op *ops;
    int32_t op_count, op_capacity;
    int32_t forward_ops; /* operations before the backward list; 0: there is none */
    mdldm__segment *segments;
    int32_t segment_count, segment_capacity;
    char **names; /* owned strings that tensors and ops point to */
    int32_t name_count, name_capacity;
    /* Layers in eight bits (graph_q8.c): q8_groups > 0 makes mdldm__graph_quantize do so; observe makes it
     * list what would be quantised instead, as outputs. */
    int32_t q8_groups, observe;
    mdldm__observation *observed;
    int32_t observed_count, observed_capacity;
    mdldm__tensor q8_group; /* input "group" I32 [n,1,1,1] */
    mdldm__tensor dropout_seed; /* input of dropout operations, made on first use */
    uint32_t dropout_count;
    int32_t path_marks[32];
    int32_t path_depth;
    char path[512];
} mdldm__graph;

void mdldm__graph_init(mdldm__graph *g, mdldm__env *env, mdldm__params *params, int32_t declare,
                       int32_t act);
void mdldm__graph_free(mdldm__graph *g);
/* What a backend compiles; valid while g is neither changed nor freed. */
mdldm_graph_desc mdldm__graph_desc(const mdldm__graph *g);

void mdldm__graph_push(mdldm__graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mdldm__graph_pop(mdldm__graph *g);
/* Between the two: a segment. Segments do not nest. */
void mdldm__graph_segment_begin(mdldm__graph *g);
void mdldm__graph_segment_end(mdldm__graph *g);
const int64_t *mdldm__graph_dims(const mdldm__graph *g, mdldm__tensor t); /* n,h,w,c; never NULL */

/* ---- Leaves ---- */
mdldm__tensor mdldm__graph_input(mdldm__graph *g, const char *name, int32_t dtype, int64_t n, int64_t h,
                                 int64_t w, int64_t c);
/* Parameter PATH.name with this canonical shape (rank 1: d0; 2: d0,d1; 4: all). The same parameter
 * asked for twice gives the same tensor. */
mdldm__tensor mdldm__graph_param(mdldm__graph *g, const char *name, int32_t rank, int64_t d0, int64_t d1,
                                 int64_t d2, int64_t d3, mdldm__init init, float a);
/* The same, never trained (a buffer or requires_grad=False). */
mdldm__tensor mdldm__graph_buffer(mdldm__graph *g, const char *name, int32_t rank, int64_t d0, int64_t d1,
                                  int64_t d2, int64_t d3, mdldm__init init, float a);
/* I8 values, never trained. */
mdldm__tensor mdldm__graph_integers(mdldm__graph *g, const char *name, int32_t rank, int64_t d0, int64_t d1,
                                    int64_t d2, int64_t d3);
void mdldm__graph_output(mdldm__graph *g, mdldm__tensor t); /* keep readable after the run */
/* Index of the input or output called name, or -1. */
mdldm__tensor mdldm__graph_find(const mdldm__graph *g, const char *name);
/* Names a tensor (outputs are found by name). */
void mdldm__graph_name(mdldm__graph *g, mdldm__tensor t, const char *name);

/* ---- Operations; see mdldm_backend.h for the exact meaning ---- */
mdldm__tensor mdldm__graph_conv(mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1, mdldm__tensor w,
                                mdldm__tensor b, int32_t stride, int32_t pad_t, int32_t pad_l,
                                int32_t pad_b, int32_t pad_r);
mdldm__tensor mdldm__graph_linear(mdldm__graph *g, mdldm__tensor x, mdldm__tensor w, mdldm__tensor b);
mdldm__tensor mdldm__graph_group_norm(mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1,
                                      mdldm__tensor gamma, mdldm__tensor beta,
                                      mdldm__tensor scale_shift, int32_t groups, float eps,
                                      int32_t silu);
mdldm__tensor mdldm__graph_silu(mdldm__graph *g, mdldm__tensor x);
mdldm__tensor mdldm__graph_add(mdldm__graph *g, mdldm__tensor a, mdldm__tensor b, float alpha, float beta);
mdldm__tensor mdldm__graph_bias(mdldm__graph *g, mdldm__tensor x, mdldm__tensor e);
mdldm__tensor mdldm__graph_scale(mdldm__graph *g, mdldm__tensor x, mdldm__tensor s, float alpha,
                                 float beta);
mdldm__tensor mdldm__graph_attention(mdldm__graph *g, mdldm__tensor q, mdldm__tensor k, mdldm__tensor v,
                                     int32_t heads, float scale);
mdldm__tensor mdldm__graph_upsample2(mdldm__graph *g, mdldm__tensor x);
mdldm__tensor mdldm__graph_avgpool2(mdldm__graph *g, mdldm__tensor x);
mdldm__tensor mdldm__graph_mean_hw(mdldm__graph *g, mdldm__tensor x); /* [n,1,1,c]: mean over a map */
mdldm__tensor mdldm__graph_embedding(mdldm__graph *g, mdldm__tensor table, mdldm__tensor index);
typedef struct mdldm__vq_result {
    mdldm__tensor quantized, codes, loss;
} mdldm__vq_result;
/* commitment, codebook_weight: coefficients of the two terms in the total loss (0 when not training). */
mdldm__vq_result mdldm__graph_vq(mdldm__graph *g, mdldm__tensor z, mdldm__tensor codebook,
                                 float commitment, float codebook_weight);
mdldm__tensor mdldm__graph_vq_entropy(mdldm__graph *g, mdldm__tensor z, mdldm__tensor codebook,
                                      float temperature, float weight_sample, float weight_mean);
/* ---- A codebook's update: graph_codebook.c ----
 * Entry index of the store, float [d0,d1]; role: MDLDM_ROLE_PARAM to read it, MDLDM_ROLE_STATE to write it. The
 * store may hold more than the graph's table of parameters: entries behind that are never trained. */
mdldm__tensor mdldm__graph_stored(mdldm__graph *g, const char *name, int32_t role, int32_t index, int64_t d0, int64_t d1);
void mdldm__graph_vq_collect(mdldm__graph *g, mdldm__tensor z, mdldm__tensor codes, mdldm__tensor place,
                             mdldm__tensor counts, mdldm__tensor sums, mdldm__tensor tally, float keep, float take);
typedef struct mdldm__codebook_state {
    mdldm__tensor codebook, counts, sums, age;
} mdldm__codebook_state;
/* Gives the report. */
mdldm__tensor mdldm__graph_vq_update(mdldm__graph *g, mdldm__tensor tally, const mdldm__codebook_state *state,
                                     int32_t follow, int32_t restart_after);
/* grad: the coefficient of this term in the total loss; 0: only reported. */
mdldm__tensor mdldm__graph_loss(mdldm__graph *g, mdldm__tensor pred, mdldm__tensor target,
                                mdldm__tensor weight, int32_t kind, float grad);
/* Softmax cross-entropy of logits [n,h,w,K] against label I32 [n,h,w,1]; grad as above. */
mdldm__tensor mdldm__graph_cross_entropy(mdldm__graph *g, mdldm__tensor logits, mdldm__tensor label,
                                         mdldm__tensor weight, float smoothing, float grad);
mdldm__tensor mdldm__graph_dropout(mdldm__graph *g, mdldm__tensor x, float p);
/* ---- Eight-bit layers: graph_q8.c ----
 * x in U8 by the parameter PATH.name [groups,2], when the graph is to have eight-bit layers, else x. */
mdldm__tensor mdldm__graph_quantize(mdldm__graph *g, mdldm__tensor x, const char *name);
int mdldm__graph_is_q8(const mdldm__graph *g, mdldm__tensor x);
/* A convolution of quantised sources (by the same range) with parameters PATH.weight I8 of this shape and
 * PATH.weight_scale. */
mdldm__tensor mdldm__graph_conv_q8(mdldm__graph *g, mdldm__tensor x0, mdldm__tensor x1, int32_t rank,
                                   int64_t out_channels, int64_t kernel, mdldm__tensor b, int32_t stride,
                                   int32_t pad_before, int32_t pad_after);
mdldm__tensor mdldm__graph_cast(mdldm__graph *g, mdldm__tensor x, int32_t dtype); /* x when it is so already */

/* ---- Reverse mode ----
 * Appends the backward list for all loss terms (LOSS with grad, VQ and VQ_ENTROPY with weights):
 * gradients of trainable parameters are added to the store. wanted[count] inputs get a gradient
 * tensor too, marked as outputs and written to grads[count] (MDLDM__NONE where none flows). */
mdldm_status mdldm__graph_backward(mdldm__graph *g, const mdldm__tensor *wanted, int32_t count,
                                   mdldm__tensor *grads);

/* Which activations stay in memory from the forward to the backward list. */
typedef enum mdldm__keep {
    MDLDM__KEEP_ALL = 0,
    MDLDM__KEEP_COSTLY = 1,        /* norms, SiLU, resampling, dropout and casts are computed again */
    MDLDM__KEEP_SEGMENT_INPUTS = 2 /* so is all inside segments: gradient checkpointing */
} mdldm__keep;

/* Rewrites the list after mdldm__graph_backward; tensors keep their ids, gradients their bits. */
mdldm_status mdldm__graph_recompute(mdldm__graph *g, mdldm__keep keep);

#endif
