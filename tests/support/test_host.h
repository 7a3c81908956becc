/* SPDX-License-Identifier: MIT
 * An mdldm_host for tests that drive a backend directly: counts allocations, can fail one of them,
 * keeps the error sentence, can ask for cancellation. */
#ifndef MDLDM_TESTS_TEST_HOST_H
#define MDLDM_TESTS_TEST_HOST_H

#include "mdldm/mdldm_backend.h"

typedef struct test_host {
    mdldm_host host;
    char error[1024];
    int32_t cancel_at;   /* the poll that is answered with a cancel, counted from 1; 0: never */
    int32_t polls;
    int64_t live;        /* blocks not yet freed */
    int64_t allocations; /* calls that asked for memory */
    int64_t fail_at;     /* the allocation that fails, counted from 1; 0: none */
} test_host;

void test_host_init(test_host *h);

#endif
