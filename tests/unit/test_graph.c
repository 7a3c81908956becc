/* SPDX-License-Identifier: MIT
 * The builder's checks and the shape of what autodiff appends; the gradients' values are tested
 * against central differences (tests/backend) and against PyTorch (tests/golden). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"

typedef struct fixture {
    mdldm__env env;
    mdldm__params params;
    mdldm__graph g;
} fixture;

static int setup(void **state)
{
    static fixture f;
    mdldm__env_init(&f.env, NULL);
    mdldm__params_init(&f.params, &f.env);
    mdldm__graph_init(&f.g, &f.env, &f.params, 1, MDLDM_F32);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    mdldm__graph_free(&f->g);
    mdldm__params_free(&f->params);
    return 0;
}

static mdldm__tensor conv3(mdldm__graph *g, mdldm__tensor x, int64_t in, int64_t out)
{
    mdldm__tensor w = mdldm__graph_param(g, "weight", 4, out, in, 3, 3, MDLDM__INIT_ZEROS, 0.0f);
    mdldm__tensor b = mdldm__graph_param(g, "bias", 1, out, 1, 1, 1, MDLDM__INIT_ZEROS, 0.0f);
    return mdldm__graph_conv(g, x, MDLDM__NONE, w, b, 1, 1, 1, 1, 1);
}

static int count_ops(const mdldm__graph *g, int32_t kind)
{
    int count = 0;
    for (int32_t i = 0; i < g->op_count; i++)
        count += g->ops[i].kind == kind;
    return count;
}

static void path_names_parameters(void **state)
{
    fixture *f = *state;
    mdldm__graph *g = &f->g;
    mdldm__graph_push(g, "down_blocks.%d", 1);
    mdldm__graph_push(g, "conv1");
    mdldm__tensor x = mdldm__graph_input(g, "x", MDLDM_F32, 2, 5, 7, 3);
    mdldm__tensor y = conv3(g, x, 3, 4);
    mdldm__graph_pop(g);
    mdldm__graph_pop(g);
    assert_int_equal(g->status, MDLDM_OK);
    assert_int_equal(f->params.count, 2);
    assert_string_equal(f->params.items[0].name, "down_blocks.1.conv1.weight");
    assert_string_equal(g->ops[0].name, "down_blocks.1.conv1");
    const int64_t *d = mdldm__graph_dims(g, y);
    assert_true(d[0] == 2 && d[1] == 5 && d[2] == 7 && d[3] == 4);
    assert_string_equal(g->path, "");
    assert_int_equal(mdldm__graph_find(g, "x"), x);
    assert_int_equal(mdldm__graph_find(g, "z"), MDLDM__NONE);
}

static void mistakes_are_sticky_and_named(void **state)
{
    fixture *f = *state;
    mdldm__graph *g = &f->g;
    mdldm__tensor x = mdldm__graph_input(g, "x", MDLDM_F32, 1, 4, 4, 3);
    mdldm__graph_push(g, "mid");
    assert_int_equal(conv3(g, x, 5, 4), MDLDM__NONE); /* weights for 5 channels, input of 3 */
    assert_int_equal(g->status, MDLDM_ERROR_INTERNAL);
    assert_non_null(strstr(f->env.error, "mid"));
    const int32_t ops = g->op_count;
    assert_int_equal(mdldm__graph_silu(g, x), MDLDM__NONE);
    assert_int_equal(g->op_count, ops);
    assert_int_equal(mdldm__graph_backward(g, NULL, 0, NULL), MDLDM_ERROR_INTERNAL);
}

static void too_small_inputs_are_refused(void **state)
{
    fixture *f = *state;
    mdldm__graph *g = &f->g;
    mdldm__tensor x = mdldm__graph_input(g, "x", MDLDM_F32, 1, 1, 1, 3);
    mdldm__tensor w = mdldm__graph_param(g, "w", 4, 2, 3, 3, 3, MDLDM__INIT_ZEROS, 0.0f);
    assert_int_equal(mdldm__graph_conv(g, x, MDLDM__NONE, w, MDLDM__NONE, 2, 0, 0, 0, 0), MDLDM__NONE);
    assert_int_equal(g->status, MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(f->env.error, "too small"));
}

static void undeclared_parameters_are_refused(void **state)
{
    fixture *f = *state;
    f->g.declare = 0;
    assert_int_equal(mdldm__graph_param(&f->g, "w", 1, 2, 1, 1, 1, MDLDM__INIT_ZEROS, 0.0f), MDLDM__NONE);
    assert_int_equal(f->g.status, MDLDM_ERROR_INTERNAL);
    assert_non_null(strstr(f->env.error, "parameter w"));
}

static void several_consumers_add_up(void **state)
{
    fixture *f = *state;
    mdldm__graph *g = &f->g;
    mdldm__tensor x = mdldm__graph_input(g, "x", MDLDM_F32, 1, 4, 4, 3);
    mdldm__tensor t = mdldm__graph_input(g, "t", MDLDM_F32, 1, 4, 4, 3);
    mdldm__tensor y = conv3(g, x, 3, 3);
    mdldm__tensor z = mdldm__graph_add(g, mdldm__graph_silu(g, y), y, 1.0f, 1.0f); /* y is used twice */
    mdldm__graph_loss(g, z, t, MDLDM__NONE, MDLDM_LOSS_L2, 1.0f);
    mdldm__tensor dx;
    assert_int_equal(mdldm__graph_backward(g, &x, 1, &dx), MDLDM_OK);
    assert_true(dx >= 0);
    assert_int_equal(count_ops(g, MDLDM_OP_ADD), 2); /* the forward one and one of gradients */
    assert_int_equal(count_ops(g, MDLDM_OP_SILU_BWD), 1);
    assert_int_equal(count_ops(g, MDLDM_OP_CONV_BWD_DATA), 1);
    assert_int_equal(count_ops(g, MDLDM_OP_CONV_BWD_WEIGHTS), 1);
    assert_true(g->tensors[dx].flags & MDLDM_TENSOR_OUTPUT);
}

static void nothing_flows_where_nothing_learns(void **state)
{
    fixture *f = *state;
    mdldm__graph *g = &f->g;
    mdldm__tensor x = mdldm__graph_input(g, "x", MDLDM_F32, 1, 4, 4, 3);
    mdldm__tensor t = mdldm__graph_input(g, "t", MDLDM_F32, 1, 4, 4, 3);
    mdldm__tensor y = conv3(g, mdldm__graph_silu(g, x), 3, 3);
    f->params.items[1].trainable = 0; /* the bias */
    mdldm__graph_loss(g, y, t, MDLDM__NONE, MDLDM_LOSS_L2, 1.0f);
    mdldm__graph_loss(g, y, t, MDLDM__NONE, MDLDM_LOSS_L1, 0.0f); /* only reported */
    assert_int_equal(mdldm__graph_backward(g, NULL, 0, NULL), MDLDM_OK);
    assert_int_equal(count_ops(g, MDLDM_OP_LOSS_BWD), 1);
    assert_int_equal(count_ops(g, MDLDM_OP_SILU_BWD), 0);
    assert_int_equal(count_ops(g, MDLDM_OP_CONV_BWD_DATA), 0);
    const mdldm_graph_op *last = &g->ops[g->op_count - 1];
    assert_int_equal(last->kind, MDLDM_OP_CONV_BWD_WEIGHTS);
    assert_true(last->out[0] >= 0);
    assert_int_equal(last->out[1], MDLDM__NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(path_names_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_sticky_and_named, setup, teardown),
        cmocka_unit_test_setup_teardown(too_small_inputs_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(undeclared_parameters_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(several_consumers_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_flows_where_nothing_learns, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
