/* SPDX-License-Identifier: MIT
 * Convolutions forced to Winograd's method, with tiles of 2x2 and 4x4, and kept from it: every case with
 * a convolution against the reference backend, forward and backward, and with one thread against two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/backend_list.h"
#include "../support/op_session.h"

enum { METHODS = 3, MAX_TESTS = 512, TRAIN = MDLDM_STORE_TRAIN };

/* Largest error allowed, relative to the largest value of each output; a run prints the observed ones. For
 * the cpu backend with AVX-512 those are: direct 1.2e-6, 1.3e-2 (f32, bf16); F(2x2) 1.3e-6, 1.3e-2;
 * F(4x4) 3e-6, 1.3e-2. */
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
static struct CMUnitTest tests[MAX_TESTS + 1];
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

/* The cpu backend does as it is told: direct convolutions pack their weights, F32 Winograd ones read
 * them as they are. */
static void flags_choose(void **state)
{
    int index = op_case_find("conv 3x3", MDLDM_F32);
    for (int method = 0; method < METHODS; method++) {
        op_session s;
        mdldm_plan_info info = {.struct_size = sizeof info};
        run(&s, *state, index, 1, methods[method].flag);
        s.backend->plan_info(s.plan, &info);
        if (methods[method].flag == MDLDM_PLAN_DIRECT)
            assert_true(info.packed_bytes > 0);
        else
            assert_int_equal(info.packed_bytes, 0);
        op_session_close(&s);
    }
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
        if (family != OP_FAMILY_CONV && family != OP_FAMILY_BLOCK)
            continue;
        for (int method = 0; method < METHODS && count < MAX_TESTS; method++) {
            winograd_case *wc = &cases[count];
            *wc = (winograd_case){.backend = backend, .index = i, .method = method};
            snprintf(wc->name, sizeof wc->name, "%s: %s, %s, %s", backend->name, name,
                     act == MDLDM_BF16 ? "bf16" : "f32", methods[method].name);
            tests[count++] =
                (struct CMUnitTest){.name = wc->name, .test_func = compare, .initial_state = wc};
        }
    }
    if (strcmp(backend->name, "cpu") == 0)
        tests[count++] = (struct CMUnitTest){.name = "the plan's flags choose",
                                             .test_func = flags_choose,
                                             .initial_state = (void *)(uintptr_t)backend};
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
