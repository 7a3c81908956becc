/* SPDX-License-Identifier: MIT
 * The backends that a test of all backends runs on. */
#ifndef MDLDM_TESTS_BACKEND_LIST_H
#define MDLDM_TESTS_BACKEND_LIST_H

#include "mdldm/mdldm_backend.h"

enum { MOST_BACKENDS = 8 };

/* Those that can run here, the reference first; says on standard output which are left out and why.
 * Plug-ins are found in $MDLDM_BACKEND_DIR, else in build/backends beside the test programs. They stay
 * loaded. */
int backend_list(const mdldm_backend *list[MOST_BACKENDS]);
/* From here on, where MDLDM_CUDART names no CUDA runtime (make check-cuda names "real"), the cuda plug-in loads the
 * one for tests beside the programs, build/tests/cuda/libcudart.so.13. Programs that interpret kernels in
 * bearable time call this before they list the backends. */
void backend_use_test_cuda(void);
/* Tests that run each case several times take every so-manyth: 1, but on the test runtime, unless
 * MDLDM_CUDA_ALL_CASES is set. */
int backend_case_step(const mdldm_backend *backend);
/* Devices opened from now on divide every kernel among their threads, also those too small for it. */
void backend_divide_all(void);
/* 1: devices opened from now on hand over one operation at a time, also those that would replay a whole plan. */
void backend_step_by_step(int on);

#endif
