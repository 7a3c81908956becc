/* SPDX-License-Identifier: MIT
 * One case on one backend, kept open: device, store and plan, to be run and looked into. */
#ifndef MDLDM_TESTS_OP_SESSION_H
#define MDLDM_TESTS_OP_SESSION_H

#include "op_cases.h"
#include "test_host.h"

typedef struct op_session {
    const mdldm_backend *backend;
    test_host host;
    op_case c;
    mdldm_device *device;
    mdldm_store *store;
    mdldm_plan *plan;
    mdldm_binding bindings[OP_CASE_FEEDS + OP_CASE_READS];
    int binding_count;
} op_session;

/* Opens everything and binds the parameters. The first failure's status; close it in any case. memory
 * NULL: the host's own torture allocator. */
mdldm_status op_session_open(op_session *s, const mdldm_backend *backend, int case_index, int32_t threads,
                             int32_t store_flags, int32_t plan_flags, torture *memory);
void op_session_close(op_session *s);
/* Runs the plan and reads what the case looks at in the store. */
mdldm_status op_session_run(op_session *s, int32_t flags);
/* Fails the test with the backend's sentence unless status is OK. */
void op_session_expect_ok(const op_session *s, mdldm_status status);
/* Position of the read called name; fails the test when there is none. */
int op_session_read(const op_session *s, const char *name);

#endif
