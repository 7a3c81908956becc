/* SPDX-License-Identifier: MIT
 * What mdldm_backend.h promises about running a plan, on every backend that works here: bindings,
 * cancellation, the search for non-finite values, no allocation, failed allocations, repeatability. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/op_session.h"

enum { TRAIN = MDLDM_STORE_TRAIN };

static void open_case(op_session *s, const mdldm_backend *backend, const char *name, int32_t act, int32_t threads)
{
    op_session_expect_ok(s, op_session_open(s, backend, op_case_find(name, act), threads, TRAIN, 0, NULL));
}

static void table_is_complete(void **state)
{
    const mdldm_backend *b = *state;
    char reason[64] = "x";
    assert_int_equal(b->struct_size, sizeof *b);
    assert_int_equal(b->abi, MDLDM_BACKEND_ABI);
    assert_true(strlen(b->name) > 0 && strlen(b->description) > 0);
    assert_int_equal(b->probe(reason, sizeof reason), 0);
    test_host h;
    mdldm_device *device = (mdldm_device *)&h;
    test_host_init(&h, NULL);
    assert_int_not_equal(b->device_open(&h.host, "no-such-device", 1, &device), MDLDM_OK);
    assert_null(device);
    assert_true(strlen(h.error) > 10);
    assert_int_equal(h.own.live, 0);
}

static void run_allocates_nothing(void **state)
{
    static const char *const names[] = {"resnet block on two sources", "attention block", "vq", "upsample + conv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        op_session s;
        open_case(&s, *state, names[i], MDLDM_F32, 2);
        op_session_expect_ok(&s, op_session_run(&s, 0));
        int64_t before = s.host.own.allocations;
        op_session_expect_ok(&s, op_session_run(&s, MDLDM_RUN_CHECK_FINITE));
        assert_int_equal(s.host.own.allocations, before);
        op_session_close(&s);
    }
}

/* The same run twice gives the same bits: what a resumed training leans on. */
static void runs_repeat_bit_for_bit(void **state)
{
    for (int index = 0; index < op_case_count(); index += backend_case_step(*state)) {
        op_session s;
        op_case first;
        op_session_expect_ok(&s, op_session_open(&s, *state, index, 2, TRAIN, 0, NULL));
        op_case_open(&first, index);
        op_session_expect_ok(&s, op_session_run(&s, 0));
        for (int r = 0; r < s.c.read_count; r++)
            memcpy(first.reads[r].values, s.c.reads[r].values, (size_t)s.c.reads[r].count * sizeof(float));
        if (!s.c.inference)
            op_session_expect_ok(&s, s.backend->store_zero_grad(s.store));
        for (int r = 0; r < s.c.read_count; r++) /* state goes back to where it was */
            if (s.c.reads[r].slot == MDLDM_SLOT_VALUE)
                op_session_expect_ok(&s, s.backend->store_write(s.store, s.c.reads[r].param, MDLDM_SLOT_VALUE,
                                                                s.c.params.items[s.c.reads[r].param].data));
        op_session_expect_ok(&s, op_session_run(&s, 0));
        for (int r = 0; r < s.c.read_count; r++)
            if (memcmp(first.reads[r].values, s.c.reads[r].values, (size_t)s.c.reads[r].count * 4) != 0)
                fail_msg("%s: a second run gives another %s", s.c.name, s.c.reads[r].name);
        op_case_close(&first);
        op_session_close(&s);
    }
}

/* One thread and several give the same forward results, bit for bit. */
static void threads_do_not_matter(void **state)
{
    for (int index = 0; index < op_case_count(); index += backend_case_step(*state)) {
        op_session one, several;
        op_session_expect_ok(&one, op_session_open(&one, *state, index, 1, TRAIN, 0, NULL));
        op_session_expect_ok(&several, op_session_open(&several, *state, index, 3, TRAIN, 0, NULL));
        op_session_expect_ok(&one, op_session_run(&one, 0));
        op_session_expect_ok(&several, op_session_run(&several, 0));
        for (int r = 0; r < one.c.read_count; r++)
            if (strncmp(one.c.reads[r].name, "output", 6) == 0 &&
                memcmp(one.c.reads[r].values, several.c.reads[r].values, (size_t)one.c.reads[r].count * 4) != 0)
                fail_msg("%s: three threads give another %s", one.c.name, one.c.reads[r].name);
        op_session_close(&one);
        op_session_close(&several);
    }
}

static void bindings_are_checked(void **state)
{
    op_session s;
    open_case(&s, *state, "bias", MDLDM_F32, 1);
    s.binding_count = 0; /* nothing bound: the first input is named */
    assert_int_equal(op_session_run(&s, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "'x'"));
    s.binding_count = op_case_bindings(&s.c, s.bindings);
    s.bindings[1].tensor = 1000;
    assert_int_equal(op_session_run(&s, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    s.binding_count = op_case_bindings(&s.c, s.bindings);
    s.bindings[0].dtype = MDLDM_BF16;
    assert_int_equal(op_session_run(&s, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    s.binding_count = op_case_bindings(&s.c, s.bindings);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    op_session_close(&s);
}

/* Copies a [n,h,w,c] array to [n,c,h,w]. */
static float *to_nchw(const op_case *c, mdldm__tensor t, const float *nhwc)
{
    const int64_t *d = c->graph.tensors[t].dims;
    float *out = malloc((size_t)(d[0] * d[1] * d[2] * d[3]) * sizeof *out);
    assert_non_null(out);
    for (int64_t n = 0; n < d[0]; n++)
        for (int64_t p = 0; p < d[1] * d[2]; p++)
            for (int64_t k = 0; k < d[3]; k++)
                out[(n * d[3] + k) * d[1] * d[2] + p] = nhwc[(n * d[1] * d[2] + p) * d[3] + k];
    return out;
}

static void layouts_agree(void **state)
{
    for (int bf16 = 0; bf16 < 2; bf16++) {
        op_session s;
        open_case(&s, *state, "conv 3x3, odd everything", bf16 ? MDLDM_BF16 : MDLDM_F32, 2);
        op_session_expect_ok(&s, op_session_run(&s, 0));
        float *expected[OP_CASE_READS], *given[OP_CASE_FEEDS];
        for (int r = 0; r < s.c.read_count; r++)
            expected[r] = s.c.reads[r].tensor >= 0 ? to_nchw(&s.c, s.c.reads[r].tensor, s.c.reads[r].values) : NULL;
        for (int i = 0; i < s.c.feed_count; i++) {
            given[i] = to_nchw(&s.c, s.c.feeds[i].tensor, s.c.feeds[i].values);
            s.bindings[i].data = given[i];
        }
        for (int i = 0; i < s.binding_count; i++)
            s.bindings[i].layout = MDLDM_LAYOUT_NCHW;
        op_session_expect_ok(&s, op_session_run(&s, 0));
        for (int r = 0; r < s.c.read_count; r++) {
            if (expected[r] != NULL)
                assert_memory_equal(s.c.reads[r].values, expected[r], (size_t)s.c.reads[r].count * 4);
            free(expected[r]);
        }
        for (int i = 0; i < s.c.feed_count; i++)
            free(given[i]);
        op_session_close(&s);
    }
}

static void check_cancel(const mdldm_backend *backend, int32_t least_polls)
{
    op_session s;
    open_case(&s, backend, "resnet block", MDLDM_F32, 2);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    s.host.polls = 0;
    op_session_expect_ok(&s, op_session_run(&s, 0));
    int32_t polls = s.host.polls, y = op_session_read(&s, "output y");
    assert_true(polls >= least_polls);
    float *values = malloc((size_t)s.c.reads[y].count * sizeof *values);
    assert_non_null(values);
    memcpy(values, s.c.reads[y].values, (size_t)s.c.reads[y].count * sizeof *values);
    const int32_t at[] = {1, 2, polls / 2, polls};
    for (int i = 0; i < 4; i++) {
        s.host.polls = 0;
        s.host.cancel_at = at[i];
        s.host.error[0] = '\0';
        assert_int_equal(op_session_run(&s, 0), MDLDM_ERROR_CANCELLED);
        assert_int_equal(s.host.polls, at[i]);
        assert_non_null(strstr(s.host.error, "cancel"));
    }
    s.host.cancel_at = 0;
    op_session_expect_ok(&s, op_session_run(&s, 0));
    assert_memory_equal(values, s.c.reads[y].values, (size_t)s.c.reads[y].count * sizeof *values);
    free(values);
    op_session_close(&s);
}

/* Before each operation; where a plan is replayed whole, before and behind it. */
static void cancel_is_polled(void **state)
{
    check_cancel(*state, 2);
    backend_step_by_step(1);
    check_cancel(*state, 5);
    backend_step_by_step(0);
}

/* The layer where the first NaN or Inf appears is named, in the forward and in the backward list. */
static void non_finite_values_are_found(void **state)
{
    static const struct {
        const char *parameter;
        float value;
        const char *layer;
    } poison[] = {{"conv1.weight", NAN, "conv1"},
                  {"norm2.weight", INFINITY, "norm2"},
                  {"conv2.bias", -INFINITY, "conv2"},
                  {"conv_shortcut.weight", NAN, "conv_shortcut"}};
    for (int act = MDLDM_F32; act <= MDLDM_BF16; act++)
        for (size_t i = 0; i < sizeof poison / sizeof poison[0]; i++) {
            op_session s;
            open_case(&s, *state, "resnet block with shortcut", act, 2);
            int32_t index = mdldm__params_find(&s.c.params, poison[i].parameter);
            assert_true(index >= 0);
            ((float *)s.c.params.items[index].owned)[0] = poison[i].value;
            op_session_expect_ok(&s, s.backend->store_write(s.store, index, MDLDM_SLOT_VALUE,
                                                            s.c.params.items[index].owned));
            assert_int_equal(op_session_run(&s, MDLDM_RUN_CHECK_FINITE), MDLDM_ERROR_NUMERIC);
            if (strstr(s.host.error, poison[i].layer) == NULL)
                fail_msg("%s with a bad %s: '%s'", s.c.name, poison[i].parameter, s.host.error);
            op_session_expect_ok(&s, op_session_run(&s, 0)); /* not asked, not looked for */
            op_session_close(&s);
        }
}

static void plan_info_is_filled(void **state)
{
    op_session s;
    open_case(&s, *state, "conv 3x3", MDLDM_F32, 1);
    mdldm_plan_info info = {.struct_size = sizeof info, .macs = -1};
    s.backend->plan_info(s.plan, &info);
    assert_int_equal(info.macs, 3 * 2 * 64 * 32 * 16 * 9);
    assert_true(info.arena_bytes > 2 * 64 * (16 + 32) * 4 && info.arena_bytes < 50000000);
    assert_in_range(info.kernels, 1, 4 * s.c.graph.op_count);
    op_session_close(&s);
}

static void bad_graphs_are_refused(void **state)
{
    op_session s;
    open_case(&s, *state, "conv 3x3", MDLDM_F32, 1);
    s.c.graph.ops[0].attr.conv.pad_t = -1;
    mdldm_graph_desc desc = mdldm__graph_desc(&s.c.graph);
    mdldm_plan *plan = (mdldm_plan *)&s;
    assert_int_equal(s.backend->plan_compile(s.device, s.store, &desc, 0, &plan), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_null(plan);
    assert_non_null(strstr(s.host.error, "padding"));
    op_session_close(&s);
}

/* Each allocation of opening, compiling and running fails in turn. */
static mdldm_status whole_run(torture *t, void *user, char sentence[1024])
{
    op_session s;
    mdldm_status status = op_session_open(&s, user, op_case_find("resnet block on two sources", MDLDM_BF16), 2,
                                          TRAIN | MDLDM_STORE_EMA, 0, t);
    if (status == MDLDM_OK)
        status = op_session_run(&s, 0);
    mdldm_adamw args = {.struct_size = sizeof args, .lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f,
                        .grad_scale = 1, .ema_decay = 0.5f, .step = 1};
    if (status == MDLDM_OK)
        status = s.backend->store_adamw(s.store, &args);
    snprintf(sentence, 1024, "%s", s.host.error);
    op_session_close(&s);
    return status;
}

static void failed_allocations_leave_nothing(void **state)
{
    assert_true(torture_run("plan", whole_run, *state, 400) > 20);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*test)(void **state);
    } all[] = {
        {"table is complete", table_is_complete},
        {"a run allocates nothing", run_allocates_nothing},
        {"runs repeat bit for bit", runs_repeat_bit_for_bit},
        {"threads do not matter", threads_do_not_matter},
        {"bindings are checked", bindings_are_checked},
        {"layouts agree", layouts_agree},
        {"cancel is polled", cancel_is_polled},
        {"non-finite values are found", non_finite_values_are_found},
        {"plan info is filled", plan_info_is_filled},
        {"bad graphs are refused", bad_graphs_are_refused},
        {"failed allocations leave nothing", failed_allocations_leave_nothing},
    };
    enum { EACH = sizeof all / sizeof all[0] };
    static char names[MOST_BACKENDS * EACH][80];
    static struct CMUnitTest tests[MOST_BACKENDS * EACH];
    const mdldm_backend *list[MOST_BACKENDS];
    backend_divide_all();
    backend_use_test_cuda();
    int backends = backend_list(list), count = 0;
    for (int b = 0; b < backends; b++)
        for (int i = 0; i < EACH; i++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", list[b]->name, all[i].name);
            tests[count] = (struct CMUnitTest){.name = names[count],
                                               .test_func = all[i].test,
                                               .initial_state = (void *)(uintptr_t)list[b]};
        }
    return _cmocka_run_group_tests("backend contract", tests, (size_t)count, NULL, NULL);
}
