/* SPDX-License-Identifier: MIT
 * Small graphs, one or more per operation and awkward shape, with forward, a loss and the backward
 * list; run them on any backend and compare everything that comes out. */
#ifndef MDLDM_TESTS_OP_CASES_H
#define MDLDM_TESTS_OP_CASES_H

#include "graph/graph.h"

#define OP_CASE_FEEDS 12
#define OP_CASE_READS 24

typedef enum op_family {
    OP_FAMILY_CONV,
    OP_FAMILY_GROUP_NORM,
    OP_FAMILY_ELEMENTWISE,
    OP_FAMILY_ATTENTION,
    OP_FAMILY_RESAMPLE,
    OP_FAMILY_EMBEDDING,
    OP_FAMILY_VQ,
    OP_FAMILY_LOSS,
    OP_FAMILY_Q8,       /* eight-bit layers: inference only */
    OP_FAMILY_Q8_BLOCK, /* those after operations that need not round alike */
    OP_FAMILY_BLOCK /* several operations as models chain them */
} op_family;

typedef struct op_feed { /* an input of the graph */
    mdldm__tensor tensor;
    mdldm__tensor grad; /* its gradient, or -1 */
    int64_t count;
    float *values;      /* NHWC */
    int32_t *integers;  /* instead of values for I32 */
} op_feed;

typedef struct op_read { /* something to look at after the run */
    char name[96];
    mdldm__tensor tensor; /* -1: slot of the store's parameter param */
    int32_t param, slot;
    int64_t count;
    float *values; /* NHWC; canonical order for a parameter */
} op_read;

/* A case with its own random inputs and weights, all from the case's index. */
typedef struct op_case {
    char name[160];
    op_family family;
    int32_t act; /* MDLDM_F32 or MDLDM_BF16 */
    mdldm__env env;
    mdldm__params params;
    mdldm__graph graph;
    mdldm__keep keep; /* of activations, for the backward list */
    op_feed feeds[OP_CASE_FEEDS];
    int feed_count;
    op_read reads[OP_CASE_READS];
    int read_count;
    /* What backward differentiates: half the sum of (y - target)^2 over each pair, plus coefficient
     * times element of a read. Central differences use op_case_objective. */
    struct {
        int read, feed; /* y and its target; feed -1: a scalar term */
        int element;
        double coefficient;
    } terms[4];
    int term_count;
    int inference; /* 1: no gradients, and weights that a store for training does not take */
    int differentiable; /* 0: straight-through or random, central differences do not apply */
} op_case;

int op_case_count(void);
/* Builds case index; fails the test when that is not possible. */
void op_case_open(op_case *c, int index);
void op_case_close(op_case *c);
/* Name and family without building. */
const char *op_case_name(int index, op_family *family, int32_t *act);

/* flags, or 0 when the case cannot be trained: for store_open. */
int32_t op_case_store_flags(const op_case *c, int32_t flags);
/* The case called NAME in F32 (act) or BF16; fails the test when there is none. */
int op_case_find(const char *name, int32_t act);
/* Bindings of all feeds and of the reads that are tensors; their number. */
int op_case_bindings(op_case *c, mdldm_binding bindings[OP_CASE_FEEDS + OP_CASE_READS]);

/* Compiles and runs the case on an opened device; fills reads[].values. On failure the sentence is the
 * device's host's. */
mdldm_status op_case_run(op_case *c, const mdldm_backend *backend, mdldm_device *device);
double op_case_objective(const op_case *c);

/* Largest difference of any read of a against b, relative to b's largest magnitude in that read, for
 * a gradient at least a tenth of the largest one (NaN counts as infinite). *worst gets the read's
 * index. */
double op_case_difference(const op_case *a, const op_case *b, int *worst);

#endif
