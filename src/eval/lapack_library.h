/* SPDX-License-Identifier: MIT
 * LAPACK and BLAS (OpenBLAS, or whatever serves liblapack.so.3), opened by name for the length of one call: linked,
 * every program with this library would carry them and OpenBLAS' threads, and their plain Fortran names would meet
 * the host's. Arrays are column-major, integers 32-bit. */
#ifndef MDLDM_EVAL_LAPACK_LIBRARY_H
#define MDLDM_EVAL_LAPACK_LIBRARY_H

#include "util/env.h"

typedef struct mdldm__lapack {
    void *handle; /* NULL: closed */
    int threads;  /* of OpenBLAS as found, given back at closing; 0: another library */
    void (*set_threads)(int threads); /* openblas_set_num_threads */
    /* Fortran passes the lengths of its strings behind all else. */
    void (*gelqf)(const int32_t *m, const int32_t *n, double *a, const int32_t *lda, double *tau, double *work,
                  const int32_t *lwork, int32_t *info);
    void (*gesdd)(const char *jobz, const int32_t *m, const int32_t *n, double *a, const int32_t *lda, double *s,
                  double *u, const int32_t *ldu, double *vt, const int32_t *ldvt, double *work, const int32_t *lwork,
                  int32_t *iwork, int32_t *info, size_t jobz_length);
    void (*gemm)(const char *transa, const char *transb, const int32_t *m, const int32_t *n, const int32_t *k,
                 const double *alpha, const double *a, const int32_t *lda, const double *b, const int32_t *ldb,
                 const double *beta, double *c, const int32_t *ldc, size_t transa_length, size_t transb_length);
} mdldm__lapack;

/* UNAVAILABLE when there is none. It computes on the calling thread alone until it is closed. */
mdldm_status mdldm__lapack_open(mdldm__env *env, mdldm__lapack *lapack);
void mdldm__lapack_close(mdldm__lapack *lapack); /* also of one never opened, cleared */

#endif
