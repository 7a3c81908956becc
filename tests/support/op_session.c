/* SPDX-License-Identifier: MIT */
#include "op_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

mdldm_status op_session_open(op_session *s, const mdldm_backend *backend, int case_index, int32_t threads,
                             int32_t store_flags, int32_t plan_flags, torture *memory)
{
    memset(s, 0, sizeof *s);
    s->backend = backend;
    test_host_init(&s->host, memory);
    op_case_open(&s->c, case_index);
    s->binding_count = op_case_bindings(&s->c, s->bindings);
    MDLDM__TRY(backend->device_open(&s->host.host, "", threads, &s->device));
    mdldm_param_desc *desc = mdldm__params_desc(&s->c.params);
    assert_non_null(desc);
    mdldm_status status =
        backend->store_open(s->device, desc, s->c.params.count, op_case_store_flags(&s->c, store_flags), &s->store);
    mdldm__free(&s->c.env, desc);
    for (int32_t i = 0; i < s->c.params.count && status == MDLDM_OK; i++)
        status = backend->store_bind(s->store, i, s->c.params.items[i].data, s->c.params.items[i].dtype);
    mdldm_graph_desc graph = mdldm__graph_desc(&s->c.graph);
    if (status == MDLDM_OK)
        status = backend->plan_compile(s->device, s->store, &graph, plan_flags, &s->plan);
    return status;
}

void op_session_close(op_session *s)
{
    if (s->plan != NULL)
        s->backend->plan_close(s->plan);
    if (s->store != NULL)
        s->backend->store_close(s->store);
    if (s->device != NULL)
        s->backend->device_close(s->device);
    op_case_close(&s->c);
    assert_int_equal(s->host.own.live, 0);
    assert_int_equal(s->host.own.broken, 0);
}

mdldm_status op_session_run(op_session *s, int32_t flags)
{
    MDLDM__TRY(s->backend->plan_run(s->plan, s->bindings, s->binding_count, flags));
    for (int i = 0; i < s->c.read_count; i++)
        if (s->c.reads[i].tensor < 0)
            MDLDM__TRY(s->backend->store_read(s->store, s->c.reads[i].param, s->c.reads[i].slot,
                                              s->c.reads[i].values));
    return MDLDM_OK;
}

void op_session_expect_ok(const op_session *s, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s on %s: status %d, %s", s->c.name, s->backend->name, (int)status, s->host.error);
}

int op_session_read(const op_session *s, const char *name)
{
    for (int i = 0; i < s->c.read_count; i++)
        if (strcmp(s->c.reads[i].name, name) == 0)
            return i;
    fail_msg("%s has no '%s'", s->c.name, name);
    return -1;
}
