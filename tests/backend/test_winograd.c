/* SPDX-License-Identifier: MIT
 * Convolutions forced to Winograd's method, with tiles of 2x2 and 4x4, and kept from it: every case with
 * a convolution against the reference backend, forward and backward, and with one thread against two.
 * Eight-bit ones too: there the reference sums integers and Winograd's products are of bf16.
 * Behind an UPSAMPLE2 both forced sizes are the same method, of nine products for four pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/backend_list.h"
#include "../support/op_session.h"

enum { METHODS = 3, MAX_TESTS = 1024, TRAIN = MDLDM_STORE_TRAIN };

/* Largest error allowed, relative to the largest value of each output; a run prints the observed ones. For
 * the cpu backend with AVX-512 those are: direct 1.6e-6, 1.3e-2 (f32, bf16); F(2x2) 1.6e-6, 2.5e-2;
 * F(4x4) 3e-6, 3.1e-2 (bf16 weight gradients go by F(3x3,4x4) in both); behind UPSAMPLE2 1.5e-6, 1.1e-2. */
static const struct {
    const char *name;
    int32_t flag;
    double tolerance[2]; /* f32, bf16 */
} methods[METHODS] = {
    {"direct", MDLDM_PLAN_DIRECT, {4e-6, 4e-2}},
    {"F(2x2)", MDLDM_PLAN_WINOGRAD2, {4e-6, 4e-2}},
    {"F(4x4)", MDLDM_PLAN_WINOGRAD4, {1e-5, 4e-2}},
};

typedef struct winograd_case {
    const mdldm_backend *backend;
    int index, method;
    char name[256];
} winograd_case;

static winograd_case cases[MAX_TESTS];
static struct CMUnitTest tests[MAX_TESTS + 4 * MOST_BACKENDS];
static double observed[METHODS][2];

static void run(op_session *s, const mdldm_backend *backend, int index, int32_t threads, int32_t flags)
{
    op_session_expect_ok(s, op_session_open(s, backend, index, threads, TRAIN, flags, NULL));
    op_session_expect_ok(s, op_session_run(s, 0));
}

static void compare(void **state)
{
    const winograd_case *wc = *state;
    op_session one, two, reference;
    run(&one, wc->backend, wc->index, 1, methods[wc->method].flag);
    run(&two, wc->backend, wc->index, 2, methods[wc->method].flag);
    run(&reference, &mdldm__backend_reference, wc->index, 1, methods[wc->method].flag);
    int worst = 0, bf16 = reference.c.act == MDLDM_BF16;
    double difference = op_case_difference(&one.c, &reference.c, &worst);
    if (difference > observed[wc->method][bf16])
        observed[wc->method][bf16] = difference;
    if (!(difference <= methods[wc->method].tolerance[bf16]))
        fail_msg("%s: %s differs by %.3g of its largest value, allowed %.3g", wc->name,
                 reference.c.reads[worst].name, difference, methods[wc->method].tolerance[bf16]);
    for (int r = 0; r < one.c.read_count && wc->method > 0; r++)
        if (one.c.reads[r].tensor >= 0) /* weight gradients have their own rules */
            assert_memory_equal(one.c.reads[r].values, two.c.reads[r].values,
                                (size_t)one.c.reads[r].count * sizeof(float));
    op_session_close(&one);
    op_session_close(&two);
    op_session_close(&reference);
}

/* The cpu backend does as it is told: each way has roundings of its own. */
static void flags_choose(void **state)
{
    int index = op_case_find("conv 3x3", MDLDM_F32);
    op_session s[METHODS];
    for (int method = 0; method < METHODS; method++)
        run(&s[method], *state, index, 1, methods[method].flag);
    for (int method = 0; method < METHODS; method++) {
        const op_read *a = &s[method].c.reads[0], *b = &s[(method + 1) % METHODS].c.reads[0];
        assert_memory_not_equal(a->values, b->values, (size_t)a->count * sizeof(float));
    }
    for (int method = 0; method < METHODS; method++)
        op_session_close(&s[method]);
}

/* Eight-bit convolutions go by Winograd's methods where bf16 is multiplied and comes out; else the sums are exact. */
static void eight_bits_choose(void **state)
{
    int able = __builtin_cpu_supports("avx512bf16") && getenv("ONEDNN_MAX_CPU_ISA") == NULL;
    for (int act = MDLDM_F32; act <= MDLDM_BF16; act++) {
        int index = op_case_find("q8 conv 3x3", act), differ = able && act == MDLDM_BF16;
        op_session s[METHODS];
        for (int method = 0; method < METHODS; method++)
            run(&s[method], *state, index, 1, methods[method].flag);
        for (int method = 0; method < METHODS; method++) {
            const op_read *a = &s[method].c.reads[0], *b = &s[(method + 1) % METHODS].c.reads[0];
            assert_int_equal(memcmp(a->values, b->values, (size_t)a->count * sizeof(float)) != 0, differ);
        }
        for (int method = 0; method < METHODS; method++)
            op_session_close(&s[method]);
    }
}

/* Behind UPSAMPLE2 the enlarged map is never made, unless Winograd's methods are forbidden. */
static void upsampling_is_folded(void **state)
{
    for (int act = MDLDM_F32; act <= MDLDM_BF16; act++) {
        int index = op_case_find("upsample + conv, again", act);
        op_session s[METHODS];
        for (int method = 0; method < METHODS; method++)
            run(&s[method], *state, index, 1, methods[method].flag);
        for (int r = 0; r < s[0].c.read_count; r++) {
            const op_read *direct = &s[0].c.reads[r], *two = &s[1].c.reads[r], *four = &s[2].c.reads[r];
            if (direct->tensor < 0 || direct->count == 1)
                continue;
            assert_memory_equal(two->values, four->values, (size_t)two->count * sizeof(float));
            assert_memory_not_equal(two->values, direct->values, (size_t)two->count * sizeof(float));
        }
        for (int method = 0; method < METHODS; method++)
            op_session_close(&s[method]);
    }
}

/* A forward convolution alone, of two sources or (no second one) of an enlarged one, with weights that are
 * only read: where the cpu backend keeps compact bf16 weights. Gives y. */
static void infer(const mdldm_backend *backend, const int64_t d[6], int32_t act, int32_t flags, float *y)
{
    const int64_t n = d[0], h = d[1], w = d[2], c0 = d[3], c1 = d[4], oc = d[5];
    const int64_t step = c1 == 0 ? 2 : 1; /* of the source, in pixels of the result */
    const int64_t counts[4] = {n * (h / step) * (w / step) * c0, n * h * w * c1, oc * (c0 + c1) * 9, oc};
    float *values[4];
    for (int i = 0; i < 4; i++) {
        values[i] = malloc((size_t)counts[i] * sizeof(float));
        assert_non_null(values[i]);
        for (int64_t k = 0; k < counts[i]; k++)
            values[i][k] = (float)((uint32_t)(k * 2 + i + 1) * 2654435761u >> 20) / 2048.0f - 1.0f;
    }
    const mdldm_param_desc params[2] = {{"w", {oc, c0 + c1, 3, 3}, 4, 0}, {"b", {oc, 1, 1, 1}, 1, 0}};
    const mdldm_graph_tensor tensors[6] = {
        {act, MDLDM_ROLE_INPUT, 0, -1, {n, h / step, w / step, c0}, "x0"},
        {act, MDLDM_ROLE_INPUT, 0, -1, {n, h, w, c1 > 0 ? c1 : 1}, "x1"},
        {MDLDM_F32, MDLDM_ROLE_PARAM, 0, 0, {oc, c0 + c1, 3, 3}, "w"},
        {MDLDM_F32, MDLDM_ROLE_PARAM, 0, 1, {oc, 1, 1, 1}, "b"},
        {act, MDLDM_ROLE_ACTIVATION, MDLDM_TENSOR_OUTPUT, -1, {n, h, w, oc}, "y"},
        {act, MDLDM_ROLE_ACTIVATION, 0, -1, {n, h, w, c0}, "enlarged"},
    };
    mdldm_graph_op ops[2] = {{.kind = MDLDM_OP_UPSAMPLE2, .in = {0}, .out = {5}, .name = "upsample"},
                             {.kind = MDLDM_OP_CONV, .in = {0, 1, 2, 3}, .out = {4}, .name = "conv"}};
    ops[1].attr.conv = (mdldm_conv_attr){3, 3, 1, 1, 1, 1, 1, 1};
    if (c1 == 0) {
        ops[1].in[0] = 5;
        ops[1].in[1] = -1;
    }
    const mdldm_graph_desc graph = {sizeof graph, c1 == 0 ? 6 : 5, c1 == 0 ? 2 : 1, tensors, ops + (c1 > 0)};
    const mdldm_binding bindings[3] = {{0, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, values[0]},
                                       {1, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, values[1]},
                                       {4, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, y}};
    test_host host;
    mdldm_device *device = NULL;
    mdldm_store *store = NULL;
    mdldm_plan *plan = NULL;
    test_host_init(&host, NULL);
    if (backend->device_open(&host.host, "", 2, &device) != MDLDM_OK ||
        backend->store_open(device, params, 2, 0, &store) != MDLDM_OK ||
        backend->store_bind(store, 0, values[2], MDLDM_F32) != MDLDM_OK ||
        backend->store_bind(store, 1, values[3], MDLDM_F32) != MDLDM_OK ||
        backend->plan_compile(device, store, &graph, flags, &plan) != MDLDM_OK ||
        backend->plan_run(plan, bindings, 3, 0) != MDLDM_OK)
        fail_msg("%s: %s", backend->name, host.error);
    backend->plan_close(plan);
    backend->store_close(store);
    backend->device_close(device);
    for (int i = 0; i < 4; i++)
        free(values[i]);
}

static void weights_only_read(void **state)
{
    static const int64_t shapes[][6] = {
        {2, 9, 7, 35, 6, 37}, {1, 8, 8, 130, 16, 64}, {3, 5, 5, 3, 1, 100}, {2, 10, 6, 35, 0, 37}, {1, 8, 8, 260, 0, 64}};
    enum { MOST = 8192 };
    float *y = malloc(2 * MOST * sizeof *y);
    assert_non_null(y);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int act = MDLDM_F32; act <= MDLDM_BF16; act++)
            for (int method = 0; method < METHODS; method++) {
                int64_t count = shapes[s][0] * shapes[s][1] * shapes[s][2] * shapes[s][5];
                assert_true(count <= MOST);
                infer(*state, shapes[s], act, methods[method].flag, y);
                infer(&mdldm__backend_reference, shapes[s], act, 0, y + MOST);
                double most = 0.0, top = 0.0;
                for (int64_t i = 0; i < count; i++) {
                    most = fmax(most, fabs((double)y[i] - (double)y[MOST + i]));
                    top = fmax(top, fabs((double)y[MOST + i]));
                }
                print_message("shape %d, %s, %s: %.2g\n", (int)s, act == MDLDM_BF16 ? "bf16" : "f32",
                              methods[method].name, most / top);
                assert_true(most <= methods[method].tolerance[act] * top);
            }
    free(y);
}

static int print_observed(void **state)
{
    (void)state;
    for (int method = 0; method < METHODS; method++)
        print_message("largest difference, %s: f32 %.2g, bf16 %.2g\n", methods[method].name,
                      observed[method][0], observed[method][1]);
    return 0;
}

static size_t add_tests(const mdldm_backend *backend, size_t count)
{
    for (int i = 0; i < op_case_count(); i++) {
        op_family family;
        int32_t act;
        const char *name = op_case_name(i, &family, &act);
        int q8 = family == OP_FAMILY_Q8 || (family == OP_FAMILY_Q8_BLOCK && act == MDLDM_BF16);
        if (family != OP_FAMILY_CONV && family != OP_FAMILY_BLOCK && !q8)
            continue;
        for (int method = 0; method < METHODS; method++) {
            assert_true(count < MAX_TESTS);
            winograd_case *wc = &cases[count];
            *wc = (winograd_case){.backend = backend, .index = i, .method = method};
            snprintf(wc->name, sizeof wc->name, "%s: %s, %s, %s", backend->name, name,
                     act == MDLDM_BF16 ? "bf16" : "f32", methods[method].name);
            tests[count++] =
                (struct CMUnitTest){.name = wc->name, .test_func = compare, .initial_state = wc};
        }
    }
    tests[count++] = (struct CMUnitTest){.name = "weights that are only read",
                                         .test_func = weights_only_read,
                                         .initial_state = (void *)(uintptr_t)backend};
    if (strcmp(backend->name, "cpu") == 0) {
        tests[count++] = (struct CMUnitTest){.name = "the plan's flags choose",
                                             .test_func = flags_choose,
                                             .initial_state = (void *)(uintptr_t)backend};
        tests[count++] = (struct CMUnitTest){.name = "eight bits: the plan's flags choose",
                                             .test_func = eight_bits_choose,
                                             .initial_state = (void *)(uintptr_t)backend};
        tests[count++] = (struct CMUnitTest){.name = "upsampling is folded",
                                             .test_func = upsampling_is_folded,
                                             .initial_state = (void *)(uintptr_t)backend};
    }
    return count;
}

int main(void)
{
    const mdldm_backend *list[MOST_BACKENDS];
    int backends = backend_list(list);
    size_t count = 0;
    for (int i = 1; i < backends; i++)
        count = add_tests(list[i], count);
    if (count == 0) {
        print_message("nothing to compare with the reference backend\n");
        return 0;
    }
    return _cmocka_run_group_tests("winograd convolutions", tests, count, NULL, print_observed);
}
