/* SPDX-License-Identifier: MIT
 * Every operation, forward and backward, in awkward shapes: each backend that can run here against the
 * reference backend. One test per backend and case; a part of a test's name may be given as the first
 * argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/backend_list.h"
#include "../support/op_cases.h"
#include "../support/test_host.h"

enum { FAMILIES = OP_FAMILY_BLOCK + 1, MAX_TESTS = 1024, THREADS = 2 };

/* Largest error allowed, relative to the largest value of each output; a run prints the observed ones.
 * For the cpu backend (oneDNN 2.6, AVX-512) those are: conv 1.2e-6, 7e-3 (f32, bf16); group norm 1.2e-6,
 * 4e-3; elementwise 2.3e-7, 1.2e-7; attention 7.3e-6, 1e-2; resample 8e-8, 6e-7; vq 9e-7; loss 1.1e-7, 0;
 * block 1e-6, 1.3e-2; q8 1.2e-7, 5.3e-3; q8 block 1e-7, 6.8e-3, where an activation that falls on the other
 * side of a step of 1/255 of its range moves the f32 result by up to 5e-4. A bf16 rounding that falls the
 * other way is 2^-8 = 0.4%, and blocks chain several;
 * f32 leaves room for Winograd convolutions (5e-6), bf16 ones of which come to 2.5e-2 (F(4x4)). */
static const struct {
    const char *name;
    double f32, bf16;
} tolerance[FAMILIES] = {
    [OP_FAMILY_CONV] = {"conv", 2e-5, 4e-2},
    [OP_FAMILY_GROUP_NORM] = {"group norm", 2e-5, 1.2e-2},
    [OP_FAMILY_ELEMENTWISE] = {"elementwise", 2e-6, 1.2e-2},
    [OP_FAMILY_ATTENTION] = {"attention", 2e-5, 1.5e-2},
    [OP_FAMILY_RESAMPLE] = {"resample", 2e-6, 1.2e-2},
    [OP_FAMILY_EMBEDDING] = {"embedding", 2e-6, 1.2e-2},
    [OP_FAMILY_VQ] = {"vq", 2e-5, 0},
    [OP_FAMILY_LOSS] = {"loss", 5e-6, 1.2e-2},
    [OP_FAMILY_Q8] = {"q8", 5e-7, 1.2e-2},
    [OP_FAMILY_Q8_BLOCK] = {"q8 block", 2e-3, 2.5e-2},
    [OP_FAMILY_BLOCK] = {"block", 5e-5, 4e-2},
};

typedef struct backend_case {
    const mdldm_backend *backend;
    int index;
    char name[256];
} backend_case;

static backend_case cases[MAX_TESTS];
static struct CMUnitTest tests[MAX_TESTS];
static double observed[FAMILIES][2];

static void compare(void **state)
{
    const backend_case *bc = *state;
    test_host host[2];
    mdldm_device *device[2] = {NULL, NULL};
    const mdldm_backend *backends[2] = {bc->backend, &mdldm__backend_reference};
    op_case results[2];
    for (int i = 0; i < 2; i++) {
        test_host_init(&host[i], NULL);
        op_case_open(&results[i], bc->index);
        if (backends[i]->device_open(&host[i].host, "", THREADS, &device[i]) != MDLDM_OK ||
            op_case_run(&results[i], backends[i], device[i]) != MDLDM_OK)
            fail_msg("%s on %s: %s", results[i].name, backends[i]->name, host[i].error);
        backends[i]->device_close(device[i]);
        assert_int_equal(host[i].own.live, 0);
    }
    int worst = 0, bf16 = results[1].act == MDLDM_BF16;
    op_family family = results[1].family;
    double difference = op_case_difference(&results[0], &results[1], &worst);
    double limit = bf16 ? tolerance[family].bf16 : tolerance[family].f32;
    if (difference > observed[family][bf16])
        observed[family][bf16] = difference;
    if (!(difference <= limit))
        fail_msg("%s: %s differs by %.3g of its largest value, allowed %.3g", bc->name,
                 results[1].reads[worst].name, difference, limit);
    for (int i = 0; i < 2; i++)
        op_case_close(&results[i]);
}

static int print_observed(void **state)
{
    (void)state;
    for (int family = 0; family < FAMILIES; family++)
        print_message("largest difference, %-12s f32 %.2g, bf16 %.2g\n", tolerance[family].name,
                      observed[family][0], observed[family][1]);
    return 0;
}

static size_t add_tests(const mdldm_backend *backend, const char *filter, size_t count)
{
    for (int i = 0; i < op_case_count() && count < MAX_TESTS; i++) {
        op_family family;
        int32_t act;
        const char *name = op_case_name(i, &family, &act);
        cases[count] = (backend_case){.backend = backend, .index = i};
        snprintf(cases[count].name, sizeof cases[count].name, "%s: %s, %s", backend->name, name,
                 act == MDLDM_BF16 ? "bf16" : "f32");
        if (filter != NULL && strstr(cases[count].name, filter) == NULL)
            continue;
        tests[count] = (struct CMUnitTest){
            .name = cases[count].name, .test_func = compare, .initial_state = &cases[count]};
        count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    const mdldm_backend *list[MOST_BACKENDS];
    backend_divide_all();
    backend_use_test_cuda();
    int backends = backend_list(list);
    size_t count = 0;
    for (int i = 1; i < backends; i++)
        count = add_tests(list[i], argc > 1 ? argv[1] : NULL, count);
    if (count == 0) {
        print_message("nothing to compare with the reference backend\n");
        return 0;
    }
    return _cmocka_run_group_tests("backend operations", tests, count, NULL, print_observed);
}
