/* SPDX-License-Identifier: MIT
 * Several plans on one device: they may share memory, but coming, going and running in turns they give
 * the same bits as alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/backend_list.h"
#include "../support/op_cases.h"
#include "../support/test_host.h"

enum { PLANS = 3 };

static const char *const names[PLANS] = {"attention block", "conv 3x3, many channels", "group norm, 32x32 map"};

typedef struct member {
    op_case c;
    mdldm_store *store;
    mdldm_plan *plan;
    mdldm_binding bindings[OP_CASE_FEEDS + OP_CASE_READS];
    int binding_count;
    float *alone[OP_CASE_READS]; /* what the case gives on a device of its own */
} member;

static void must(const test_host *h, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s", h->error);
}

static void open_member(member *m, const mdldm_backend *backend, test_host *h, mdldm_device *device, int index)
{
    memset(m, 0, sizeof *m);
    op_case_open(&m->c, op_case_find(names[index], MDLDM_F32));
    mdldm_device *own = NULL;
    must(h, backend->device_open(&h->host, "", 1, &own));
    must(h, op_case_run(&m->c, backend, own));
    backend->device_close(own);
    for (int r = 0; r < m->c.read_count; r++) {
        const size_t bytes = (size_t)m->c.reads[r].count * sizeof(float);
        m->alone[r] = malloc(bytes);
        assert_non_null(m->alone[r]);
        memcpy(m->alone[r], m->c.reads[r].values, bytes);
    }
    mdldm_param_desc *desc = mdldm__params_desc(&m->c.params);
    assert_non_null(desc);
    must(h, backend->store_open(device, desc, m->c.params.count, MDLDM_STORE_TRAIN, &m->store));
    mdldm__free(&m->c.env, desc);
    for (int32_t i = 0; i < m->c.params.count; i++)
        must(h, backend->store_bind(m->store, i, m->c.params.items[i].data, m->c.params.items[i].dtype));
    m->binding_count = op_case_bindings(&m->c, m->bindings);
    const mdldm_graph_desc graph = mdldm__graph_desc(&m->c.graph);
    must(h, backend->plan_compile(device, m->store, &graph, 0, &m->plan));
}

static void run_member(member *m, const mdldm_backend *backend, test_host *h)
{
    must(h, backend->store_zero_grad(m->store));
    must(h, backend->plan_run(m->plan, m->bindings, m->binding_count, 0));
    for (int r = 0; r < m->c.read_count; r++) {
        op_read *read = &m->c.reads[r];
        if (read->tensor < 0)
            must(h, backend->store_read(m->store, read->param, MDLDM_SLOT_GRAD, read->values));
        if (memcmp(read->values, m->alone[r], (size_t)read->count * sizeof(float)) != 0)
            fail_msg("%s on %s: %s has other bits beside other plans", m->c.name, backend->name, read->name);
    }
}

static void close_member(member *m, const mdldm_backend *backend)
{
    backend->plan_close(m->plan);
    backend->store_close(m->store);
    for (int r = 0; r < m->c.read_count; r++)
        free(m->alone[r]);
    op_case_close(&m->c);
}

/* Opened, run and closed in each order. */
static void plans_do_not_disturb_each_other(void **state)
{
    (void)state;
    static const int orders[][PLANS] = {{0, 1, 2}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}};
    const mdldm_backend *list[MOST_BACKENDS];
    backend_use_test_cuda();
    const int count = backend_list(list);
    for (int b = 0; b < count; b++)
        for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
            static member members[PLANS];
            test_host h;
            mdldm_device *device = NULL;
            test_host_init(&h, NULL);
            must(&h, list[b]->device_open(&h.host, "", 1, &device));
            for (int i = 0; i < PLANS; i++) {
                open_member(&members[i], list[b], &h, device, orders[o][i]);
                for (int k = 0; k <= i; k++)
                    run_member(&members[k], list[b], &h);
            }
            for (int i = 0; i < PLANS; i++) {
                close_member(&members[i], list[b]);
                for (int k = PLANS - 1; k > i; k--)
                    run_member(&members[k], list[b], &h);
            }
            list[b]->device_close(device);
            assert_int_equal(h.own.live, 0);
            assert_int_equal(h.own.broken, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_do_not_disturb_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
