/* SPDX-License-Identifier: MIT
 * An mdldm_host for tests that drive a backend directly: memory through a torture allocator, the error
 * sentence kept, cancellation on demand. */
#ifndef MDLDM_TESTS_TEST_HOST_H
#define MDLDM_TESTS_TEST_HOST_H

#include "mdldm/mdldm_backend.h"
#include "torture.h"

typedef struct test_host {
    mdldm_host host;
    torture own;     /* used unless another is given */
    torture *memory;
    char error[1024];
    int32_t cancel_at; /* the poll that is answered with a cancel, counted from 1; 0: never */
    int32_t polls;
} test_host;

/* memory NULL: the host's own. */
void test_host_init(test_host *h, torture *memory);

#endif
