/* SPDX-License-Identifier: MIT
 * The cuda plug-in's host side on the test runtime: each runtime call fails in turn and leaves nothing behind
 * and a device that works; several devices; why it is unavailable; too little memory; captured and uncaptured
 * launches alike; what is bound twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/op_session.h"
#include "api/context.h"
#include "runtime/fake_cuda.h"

static const char block[] = "resnet block on two sources";
static const mdldm_backend *cuda;

/* The test runtime's own functions, from the library that the plug-in uses. */
static struct {
    void (*reset)(void);
    int (*set)(const char *name, const char *value);
    const char *(*finding)(void);
    uint64_t (*calls)(const char *name);
    int64_t (*live)(const char *kind);
    int (*get_device)(int *device);
    int (*set_device)(int device);
} fake;

static void take(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL)
        fail_msg("%s: not the test runtime", name);
    memcpy(function, &symbol, sizeof symbol);
}

static int find_runtime(void **state)
{
    (void)state;
    backend_use_test_cuda();
    const char *path = getenv("MDLDM_CUDART");
    void *library = path != NULL ? dlopen(path, RTLD_NOW) : NULL;
    if (library == NULL)
        return -1;
    take(library, "fake_cuda_reset", &fake.reset);
    take(library, "fake_cuda_set", &fake.set);
    take(library, "fake_cuda_finding", &fake.finding);
    take(library, "fake_cuda_calls", &fake.calls);
    take(library, "fake_cuda_live", &fake.live);
    take(library, "cudaGetDevice", &fake.get_device);
    take(library, "cudaSetDevice", &fake.set_device);
    const mdldm_backend *list[MOST_BACKENDS];
    const int count = backend_list(list);
    for (int i = 0; i < count; i++)
        if (strcmp(list[i]->name, "cuda") == 0)
            cuda = list[i];
    return cuda != NULL ? 0 : -1;
}

static void nothing_is_left(const char *what)
{
    static const char *const kinds[] = {"allocations", "pinned", "streams", "events", "graphs", "libraries"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (fake.live(kinds[i]) != 0)
            fail_msg("%s leaves %lld %s", what, (long long)fake.live(kinds[i]), kinds[i]);
    if (fake.finding()[0] != '\0')
        fail_msg("%s: %s", what, fake.finding());
}

static mdldm_adamw one_step(void)
{
    return (mdldm_adamw){.struct_size = sizeof(mdldm_adamw), .lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f,
                         .grad_scale = 1, .ema_decay = 0.5f, .step = 1};
}

/* All that a training does, once. */
static mdldm_status scenario(op_session *s)
{
    mdldm_adamw args = one_step();
    mdldm_status status = op_session_open(s, cuda, op_case_find(block, MDLDM_BF16), 1,
                                          MDLDM_STORE_TRAIN | MDLDM_STORE_EMA, 0, NULL);
    if (status == MDLDM_OK)
        status = op_session_run(s, MDLDM_RUN_CHECK_FINITE);
    if (status == MDLDM_OK)
        status = cuda->store_adamw(s->store, &args);
    if (status == MDLDM_OK)
        status = op_session_run(s, 0);
    return status;
}

/* Calls that may fail unseen before the end, where all may: those that give back, and capturing, whose
 * failure leaves single launches. */
static int may_pass(const char *name)
{
    static const char *const names[] = {"cudaFree", "cudaFreeHost", "cudaGraphDestroy", "cudaGraphExecDestroy",
                                        "cudaGetLastError", "cudaStreamBeginCapture", "cudaStreamEndCapture",
                                        "cudaGraphInstantiate"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return 1;
    return 0;
}

static const char *const calls[] = {
#define MDLDM__CUDA_CALL(name, parameters) #name,
#include "../../backends/cuda/cuda_runtime.def"
#undef MDLDM__CUDA_CALL
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static void each_call_fails_in_turn(void **state)
{
    (void)state;
    uint64_t total[CALLS], before_closing[CALLS], tried = 0;
    op_session s;
    fake.reset();
    op_session_expect_ok(&s, scenario(&s));
    for (int c = 0; c < CALLS; c++)
        before_closing[c] = fake.calls(calls[c]);
    op_session_close(&s);
    nothing_is_left("a training");
    for (int c = 0; c < CALLS; c++)
        total[c] = fake.calls(calls[c]);
    for (int c = 0; c < CALLS; c++) {
        const uint64_t stride = total[c] / 8 + 1; /* of calls made often, some */
        for (uint64_t n = 1; n <= total[c]; n += stride, tried++) {
            char where[128];
            snprintf(where, sizeof where, "%s:%llu", calls[c], (unsigned long long)n);
            fake.reset();
            assert_int_equal(fake.set("FAIL", where), 0);
            mdldm_status status = scenario(&s);
            if (status == MDLDM_OK && n <= before_closing[c] && !may_pass(calls[c]))
                fail_msg("%s fails and nobody notices", where);
            if (status != MDLDM_OK && strlen(s.host.error) < 10)
                fail_msg("%s fails without a sentence", where);
            op_session_close(&s);
            nothing_is_left(where);
        }
    }
    printf("%llu failures planted\n", (unsigned long long)tried);
    assert_true(tried > 50);
    fake.reset();
}

/* Whatever fails in a run, the next one gives what it would have given. */
static void a_failed_run_can_be_run_again(void **state)
{
    (void)state;
    op_session s;
    fake.reset();
    op_session_expect_ok(&s, op_session_open(&s, cuda, op_case_find(block, MDLDM_F32), 1, MDLDM_STORE_TRAIN, 0, NULL));
    op_session_expect_ok(&s, op_session_run(&s, MDLDM_RUN_CHECK_FINITE));
    const op_read *y = &s.c.reads[op_session_read(&s, "output y")];
    const size_t bytes = (size_t)y->count * sizeof(float);
    float *expected = malloc(bytes);
    assert_non_null(expected);
    memcpy(expected, y->values, bytes);
    const uint64_t before = fake.calls("any");
    op_session_expect_ok(&s, cuda->plan_run(s.plan, s.bindings, s.binding_count, MDLDM_RUN_CHECK_FINITE));
    const uint64_t each = fake.calls("any") - before;
    assert_true(each >= 5);
    for (uint64_t n = 1; n <= each; n++) {
        char where[64];
        memset(y->values, 0x55, bytes);
        snprintf(where, sizeof where, "any:%llu", (unsigned long long)n); /* setting it counts from there */
        assert_int_equal(fake.set("FAIL", where), 0);
        const mdldm_status status = cuda->plan_run(s.plan, s.bindings, s.binding_count, MDLDM_RUN_CHECK_FINITE);
        if (status != MDLDM_OK) { /* outputs are untouched */
            for (size_t i = 0; i < bytes; i++)
                assert_int_equal(((const unsigned char *)y->values)[i], 0x55);
        } else {
            assert_memory_equal(y->values, expected, bytes);
        }
        assert_int_equal(fake.set("FAIL", ""), 0);
        op_session_expect_ok(&s, cuda->plan_run(s.plan, s.bindings, s.binding_count, MDLDM_RUN_CHECK_FINITE));
        assert_memory_equal(y->values, expected, bytes);
    }
    free(expected);
    op_session_close(&s);
    nothing_is_left("runs that failed");
}

/* Captured and replayed, or launch by launch: the same bits, for each case. */
static void graphs_change_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"resnet block", "attention block", "vq", "upsample + conv", "time embedding"};
    fake.reset();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        op_session captured, single;
        const int index = op_case_find(names[i], MDLDM_F32);
        op_session_expect_ok(&captured, op_session_open(&captured, cuda, index, 1, MDLDM_STORE_TRAIN, 0, NULL));
        backend_step_by_step(1);
        op_session_expect_ok(&single, op_session_open(&single, cuda, index, 1, MDLDM_STORE_TRAIN, 0, NULL));
        backend_step_by_step(0);
        const uint64_t replays = fake.calls("cudaGraphLaunch");
        for (int run = 0; run < 2; run++) {
            op_session_expect_ok(&captured, op_session_run(&captured, 0));
            op_session_expect_ok(&single, op_session_run(&single, 0));
            for (int r = 0; r < captured.c.read_count; r++)
                assert_memory_equal(captured.c.reads[r].values, single.c.reads[r].values,
                                    (size_t)captured.c.reads[r].count * sizeof(float));
        }
        assert_true(fake.calls("cudaGraphLaunch") >= replays + 2);
        op_session_close(&captured);
        op_session_close(&single);
    }
    nothing_is_left("plans of both kinds");
}

static void devices_are_chosen_by_number(void **state)
{
    (void)state;
    test_host h;
    mdldm_device *device[2] = {NULL, NULL};
    op_case c[2];
    int now = -1;
    fake.reset();
    assert_int_equal(fake.set("DEVICES", "2"), 0);
    test_host_init(&h, NULL);
    static const char *const wrong[] = {"2", "-1", "1x", "one", " 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(cuda->device_open(&h.host, wrong[i], 1, &device[0]), MDLDM_ERROR_NOT_FOUND);
        assert_null(device[0]);
        assert_non_null(strstr(h.error, "cuda:0 to cuda:1"));
    }
    assert_int_equal(cuda->device_open(&h.host, "", 1, &device[0]), MDLDM_OK);
    assert_int_equal(cuda->device_open(&h.host, "1", 1, &device[1]), MDLDM_OK);
    for (int host_device = 0; host_device < 2; host_device++)
        for (int i = 0; i < 2; i++) { /* the host's own device stays */
            assert_int_equal(fake.set_device(host_device), 0);
            op_case_open(&c[i], op_case_find(block, MDLDM_F32));
            if (op_case_run(&c[i], cuda, device[i]) != MDLDM_OK)
                fail_msg("cuda:%d: %s", i, h.error);
            assert_int_equal(fake.get_device(&now), 0);
            assert_int_equal(now, host_device);
            if (i == 1)
                for (int r = 0; r < c[0].read_count; r++)
                    assert_memory_equal(c[0].reads[r].values, c[1].reads[r].values,
                                        (size_t)c[0].reads[r].count * sizeof(float));
            if (i == 1) {
                op_case_close(&c[0]);
                op_case_close(&c[1]);
            }
        }
    cuda->device_close(device[0]);
    cuda->device_close(device[1]);
    assert_int_equal(h.own.live, 0);
    nothing_is_left("two devices");
    fake.reset();
}

/* The sentences of the list of backends; "auto" goes on to the next. */
static void reasons_are_given(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *value, *part;
    } cases[] = {{"DRIVER", "0", "no NVIDIA driver"},
                 {"DRIVER", "11040", "CUDA 11.4"},
                 {"DEVICES", "0", "no GPU"},
                 {"CAPABILITY", "7.5", "7.5, 8.0 or higher"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mdldm_context *ctx = NULL;
        fake.reset();
        assert_int_equal(fake.set(cases[i].setting, cases[i].value), 0);
        assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
        assert_string_equal(mdldm_backend_name(ctx, 0), "cuda");
        const char *reason = mdldm_backend_reason(ctx, 0);
        if (reason == NULL || strstr(reason, cases[i].part) == NULL)
            fail_msg("%s %s: the reason is '%s'", cases[i].setting, cases[i].value, reason != NULL ? reason : "none");
        assert_int_equal(mdldm_context_use_backend(ctx, "cuda"), MDLDM_ERROR_UNAVAILABLE);
        assert_non_null(strstr(mdldm_context_error(ctx), cases[i].part));
        assert_int_equal(mdldm_context_use_backend(ctx, "auto"), MDLDM_OK);
        assert_string_not_equal(mdldm_context_backend(ctx), "cuda");
        mdldm_context_free(ctx);
    }
    fake.reset();
    mdldm_context *ctx = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_null(mdldm_backend_reason(ctx, 0));
    assert_int_equal(mdldm_context_use_backend(ctx, "cuda:7"), MDLDM_ERROR_NOT_FOUND);
    mdldm_context_free(ctx);
}

/* With less and less memory: a sentence that says how much, for what, and nothing left. */
static void too_little_memory_is_said(void **state)
{
    (void)state;
    static const char *const sizes[] = {"64", "4k", "20k", "64k", "150k", "300k"};
    int refused = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        op_session s;
        fake.reset();
        assert_int_equal(fake.set("MEMORY", sizes[i]), 0);
        const mdldm_status status = scenario(&s);
        if (status != MDLDM_OK) {
            refused++;
            assert_int_equal(status, MDLDM_ERROR_OUT_OF_MEMORY);
            assert_non_null(strstr(s.host.error, "bytes of"));
        }
        op_session_close(&s);
        nothing_is_left(sizes[i]);
    }
    assert_true(refused >= 3);
    fake.reset();
}

/* One output wanted twice in two layouts, one input given twice: the last one counts. */
static void bindings_may_come_twice(void **state)
{
    (void)state;
    op_session s;
    fake.reset();
    op_session_expect_ok(&s, op_session_open(&s, cuda, op_case_find("silu", MDLDM_F32), 1, MDLDM_STORE_TRAIN, 0, NULL));
    op_session_expect_ok(&s, op_session_run(&s, 0));
    const op_read *y = &s.c.reads[op_session_read(&s, "output y")];
    const int64_t *d = s.c.graph.tensors[y->tensor].dims;
    const size_t bytes = (size_t)y->count * sizeof(float);
    mdldm_binding all[OP_CASE_FEEDS + OP_CASE_READS + 2];
    float *nhwc = malloc(bytes), *nchw = malloc(bytes), *junk = calloc(1, (size_t)s.c.feeds[0].count * sizeof(float));
    assert_non_null(nhwc);
    assert_non_null(nchw);
    assert_non_null(junk);
    memcpy(nhwc, y->values, bytes);
    all[0] = (mdldm_binding){.tensor = s.c.feeds[0].tensor, .dtype = MDLDM_F32, .data = junk};
    memcpy(all + 1, s.bindings, (size_t)s.binding_count * sizeof *all);
    all[s.binding_count + 1] =
        (mdldm_binding){.tensor = y->tensor, .dtype = MDLDM_F32, .layout = MDLDM_LAYOUT_NCHW, .data = nchw};
    op_session_expect_ok(&s, cuda->plan_run(s.plan, all, s.binding_count + 2, 0));
    assert_memory_equal(y->values, nhwc, bytes);
    for (int64_t i = 0; i < y->count; i++) { /* i = ((n h + y) w + x) c + k */
        const int64_t k = i % d[3], p = i / d[3] % (d[1] * d[2]), n = i / (d[1] * d[2] * d[3]);
        assert_true(nchw[(n * d[3] + k) * d[1] * d[2] + p] == nhwc[i]);
    }
    free(nhwc);
    free(nchw);
    free(junk);
    op_session_close(&s);
    nothing_is_left("bindings that come twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails_in_turn),     cmocka_unit_test(a_failed_run_can_be_run_again),
        cmocka_unit_test(graphs_change_nothing),       cmocka_unit_test(devices_are_chosen_by_number),
        cmocka_unit_test(reasons_are_given),           cmocka_unit_test(too_little_memory_is_said),
        cmocka_unit_test(bindings_may_come_twice),
    };
    return _cmocka_run_group_tests("cuda host", tests, sizeof tests / sizeof tests[0], find_runtime, NULL);
}
