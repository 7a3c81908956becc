/* SPDX-License-Identifier: MIT
 * Softmax cross-entropy and its gradient on every backend against PyTorch's (torch 2.15, float64):
 * (F.cross_entropy(x, label, label_smoothing=0.1, reduction="none", ignore_index=-100) * weight).sum() / 4 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/test_host.h"
#include "graph/graph.h"

enum { ROWS = 4, CLASSES = 5, CELLS = ROWS * CLASSES };

/* Observed: reference 5e-8, cpu and cuda 6.2e-8, of the loss or the largest gradient. */
#define TOLERANCE 2.4e-7

static float logits[CELLS] = {-0.23F, 1.08F, -2.35F, 0.21F, 3.14F,  1.57F,  -0.5F, 0.16F, 1.21F, 1.83F,
                              2.28F,  -0.1F, 2.99F,  1.38F, 7.31F, -0.44F, 1.46F, 0.62F, 1.02F, 4.06F};
static int32_t labels[ROWS] = {1, 4, -100, 0};
static float weights[ROWS] = {1, 0.5F, 2, 3};
static const double torch_loss = 4.06963178146545;
static const double torch_gradient[CELLS] = {
    0.00205070583, -0.203868858,  -0.00415369221, 0.00594768182, 0.200024163,   0.0346478153, 0.00218752587,
    0.00656938908, 0.0234171509,  -0.0668218812,  0,             0,             0,            0,
    0,             -0.682850017,  0.0328040348,   0.00563750419, 0.0157875377,  0.62862094};

static void against_torch(void **state)
{
    const mdldm_backend *backend = *state;
    test_host host;
    mdldm__env env;
    mdldm__params params;
    mdldm__graph g;
    mdldm_device *device = NULL;
    mdldm_plan *plan = NULL;
    mdldm__tensor gradient;
    test_host_init(&host, NULL);
    mdldm__env_init(&env, NULL);
    mdldm__params_init(&params, &env);
    mdldm__graph_init(&g, &env, &params, 1, MDLDM_F32);
    mdldm__tensor x = mdldm__graph_input(&g, "logits", MDLDM_F32, ROWS, 1, 1, CLASSES);
    mdldm__tensor label = mdldm__graph_input(&g, "label", MDLDM_I32, ROWS, 1, 1, 1);
    mdldm__tensor weight = mdldm__graph_input(&g, "weight", MDLDM_F32, ROWS, 1, 1, 1);
    mdldm__tensor loss = mdldm__graph_cross_entropy(&g, x, label, weight, 0.1F, 1);
    mdldm__graph_output(&g, loss);
    assert_int_equal(mdldm__graph_backward(&g, &x, 1, &gradient), MDLDM_OK);
    const mdldm_graph_desc desc = mdldm__graph_desc(&g);
    float value = 0, slopes[CELLS];
    const mdldm_binding bindings[] = {{x, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, logits},
                                      {label, MDLDM_I32, MDLDM_LAYOUT_NHWC, 0, labels},
                                      {weight, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, weights},
                                      {loss, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, &value},
                                      {gradient, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, slopes}};
    if (backend->device_open(&host.host, "", 2, &device) != MDLDM_OK ||
        backend->plan_compile(device, NULL, &desc, 0, &plan) != MDLDM_OK ||
        backend->plan_run(plan, bindings, 5, 0) != MDLDM_OK)
        fail_msg("%s: %s", backend->name, host.error);
    double worst = fabs((double)value - torch_loss) / torch_loss;
    for (int i = 0; i < CELLS; i++)
        worst = fmax(worst, fabs((double)slopes[i] - torch_gradient[i]) / 0.682850017);
    print_message("%s: %.2g of PyTorch's\n", backend->name, worst);
    assert_true(worst <= TOLERANCE);
    backend->plan_close(plan);
    backend->device_close(device);
    assert_int_equal(host.own.live, 0);
    mdldm__graph_free(&g);
    mdldm__params_free(&params);
}

static void labels_that_do_not_fit(void **state)
{
    (void)state;
    mdldm__env env;
    mdldm__params params;
    mdldm__graph g;
    mdldm__env_init(&env, NULL);
    mdldm__params_init(&params, &env);
    mdldm__graph_init(&g, &env, &params, 1, MDLDM_F32);
    mdldm__tensor x = mdldm__graph_input(&g, "logits", MDLDM_F32, 2, 1, 1, 3);
    mdldm__tensor label = mdldm__graph_input(&g, "label", MDLDM_I32, 3, 1, 1, 1);
    assert_int_equal(mdldm__graph_cross_entropy(&g, x, label, MDLDM__NONE, 0, 1), MDLDM__NONE);
    assert_int_not_equal(g.status, MDLDM_OK);
    assert_non_null(strstr(env.error, "labels do not fit"));
    mdldm__graph_free(&g);
    mdldm__params_free(&params);
}

int main(void)
{
    const mdldm_backend *list[MOST_BACKENDS];
    struct CMUnitTest tests[MOST_BACKENDS + 1];
    backend_divide_all();
    backend_use_test_cuda();
    const int count = backend_list(list);
    for (int i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){
            .name = list[i]->name, .test_func = against_torch, .initial_state = (void *)(uintptr_t)list[i]};
    tests[count] = (struct CMUnitTest)cmocka_unit_test(labels_that_do_not_fit);
    return _cmocka_run_group_tests("cross-entropy", tests, (size_t)count + 1, NULL, NULL);
}
