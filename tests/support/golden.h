/* SPDX-License-Identifier: MIT
 * Golden cases: a model directory with golden.safetensors beside it, a context on a backend, and
 * comparisons that print the observed error next to the tolerance. */
#ifndef MDLDM_TESTS_GOLDEN_H
#define MDLDM_TESTS_GOLDEN_H

#include "api/context.h"
#include "io/safetensors.h"
#include "models/model.h"

/* What one test runs: a case on a backend with a precision ("f32", "bf16"). */
typedef struct golden_run {
    const char *name, *backend, *precision;
} golden_run;

typedef struct golden {
    const golden_run *run;
    char folder[512];
    mdldm__env env;
    mdldm__safetensors file;
    json_t *facts;
    mdldm_context *ctx;
    mdldm_model *model;
} golden;

/* Opens the case's file. With a backend: a context on it, and the model, where
 * there is one, loaded. Skips the running test
 * when the machine has no such backend, fails it on any other trouble. */
void golden_open(golden *g, const golden_run *run);
void golden_close(golden *g);
/* Fails the test with the context's sentence unless status is MDLDM_OK. */
void golden_ok(const golden *g, mdldm_status status, const char *what);

const mdldm__st_tensor *golden_tensor(const golden *g, const char *name);
const float *golden_f32(const golden *g, const char *name);
const int32_t *golden_i32(const golden *g, const char *name);
int golden_has(const golden *g, const char *name);
int64_t golden_elements(const golden *g, const char *name);
double golden_fact(const golden *g, const char *name); /* 0 when there is none */

/* got against the golden tensor NAME in parts of equal size (1: the whole tensor), each by
 * max|a-b| / max|b|. peer: the fact drift.PEER (or bf16.PEER) is printed as torch's own error; or NULL. */
void golden_compare(const golden *g, const char *name, const float *got, int64_t parts, double tolerance,
                    const char *peer);

/* A training graph of one component, on the context's backend. */
typedef struct golden_training {
    const mdldm_backend *backend;
    mdldm_store *store;
    mdldm_plan *plan;
} golden_training;
void golden_train_open(golden *g, mdldm__component *c, mdldm__graph *graph, golden_training *t);
void golden_train_run(golden *g, golden_training *t, const mdldm_binding *bindings, int32_t count);
/* Every parameter gradient against the case's "grad", relative to the largest of all. factor: how often
 * the plan has run since the gradients were zero. */
void golden_compare_gradients(golden *g, golden_training *t, const mdldm__component *c, double factor,
                              double tolerance);
void golden_train_close(golden_training *t);

#endif
