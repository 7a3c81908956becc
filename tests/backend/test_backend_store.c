/* SPDX-License-Identifier: MIT
 * The parameter store on every backend that works here, seen through plans: values written or stepped
 * by the optimiser are the ones that the next run uses, packed copies or not. */
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
#include "util/half.h"

enum { TRAIN = MDLDM_STORE_TRAIN, EMA = MDLDM_STORE_EMA };
static const char block[] = "resnet block on two sources";

static void open_case(op_session *s, const mdldm_backend *backend, const char *name, int32_t store_flags,
                      int32_t plan_flags)
{
    op_session_expect_ok(s, op_session_open(s, backend, op_case_find(name, MDLDM_F32), 2, store_flags,
                                            plan_flags, NULL));
}

static double difference(const float *a, const float *b, int64_t count)
{
    double top = 1e-30, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        top = fmax(top, fabs(b[i]));
        largest = fmax(largest, fabs((double)a[i] - b[i]));
    }
    return largest / top;
}

static float *copy_of(const float *values, int64_t count)
{
    float *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, (size_t)count * sizeof *copy);
    return copy;
}

static float *output_copy(const op_session *s)
{
    const op_read *y = &s->c.reads[op_session_read(s, "output y")];
    return copy_of(y->values, y->count);
}

static int output_is(const op_session *s, const float *values)
{
    const op_read *y = &s->c.reads[op_session_read(s, "output y")];
    return memcmp(y->values, values, (size_t)y->count * sizeof *values) == 0;
}

/* Writes all values times factor into a slot. */
static void write_scaled(op_session *s, int32_t slot, float factor)
{
    for (int32_t i = 0; i < s->c.params.count; i++) {
        int64_t count = mdldm__param_elements(&s->c.params.items[i]);
        float *values = copy_of(s->c.params.items[i].owned, count);
        for (int64_t k = 0; k < count; k++)
            values[k] *= factor;
        op_session_expect_ok(s, s->backend->store_write(s->store, i, slot, values));
        free(values);
    }
}

static void a_write_is_seen_by_the_next_run(void **state)
{
    op_session s;
    open_case(&s, *state, block, TRAIN, 0);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    float *before = output_copy(&s);
    write_scaled(&s, MDLDM_SLOT_VALUE, 1.5f);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    assert_false(output_is(&s, before));
    write_scaled(&s, MDLDM_SLOT_VALUE, 1.0f);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    assert_true(output_is(&s, before));
    /* Binding anew counts as well. */
    for (int32_t i = 0; i < s.c.params.count; i++) {
        int64_t count = mdldm__param_elements(&s.c.params.items[i]);
        float *zeros = calloc((size_t)count, sizeof *zeros);
        assert_non_null(zeros);
        op_session_expect_ok(&s, s.backend->store_bind(s.store, i, zeros, MDLDM_F32));
        free(zeros); /* copied: the store trains */
    }
    op_session_expect_ok(&s, op_session_run(&s, 0));
    assert_false(output_is(&s, before));
    free(before);
    op_session_close(&s);
}

static void gradients_add_up(void **state)
{
    op_session s;
    open_case(&s, *state, block, TRAIN, 0);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    float *once[OP_CASE_READS] = {NULL};
    for (int r = 0; r < s.c.read_count; r++)
        once[r] = copy_of(s.c.reads[r].values, s.c.reads[r].count);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    for (int r = 0; r < s.c.read_count; r++) {
        for (int64_t i = 0; i < s.c.reads[r].count && s.c.reads[r].tensor < 0; i++)
            once[r][i] *= 2;
        assert_true(difference(s.c.reads[r].values, once[r], s.c.reads[r].count) < 2e-7); /* observed: 5.2e-8 */
        free(once[r]);
    }
    op_session_expect_ok(&s, s.backend->store_zero_grad(s.store));
    for (int32_t i = 0; i < s.c.params.count; i++) {
        float *grad = copy_of(s.c.params.items[i].owned, mdldm__param_elements(&s.c.params.items[i]));
        op_session_expect_ok(&s, s.backend->store_read(s.store, i, MDLDM_SLOT_GRAD, grad));
        for (int64_t k = 0; k < mdldm__param_elements(&s.c.params.items[i]); k++)
            assert_true(grad[k] == 0);
        free(grad);
    }
    op_session_close(&s);
}

static mdldm_adamw step_args(int64_t step)
{
    return (mdldm_adamw){.struct_size = sizeof(mdldm_adamw),
                         .lr = 1e-2f,
                         .beta1 = 0.95f,
                         .beta2 = 0.999f,
                         .eps = 1e-8f,
                         .weight_decay = 1e-2f,
                         .grad_scale = 0.5f,
                         .max_grad_norm = 1.0f,
                         .ema_decay = 0.75f,
                         .step = step};
}

/* Two micro-batches and a step, three times, on the backend and on the reference. Gradients differ by
 * rounding, and Adam divides by their size, so that values near 0 may step the other way: hence few
 * steps and a tolerance on the values. Observed, of all instruction sets: 4.1e-5 (AVX-512; the others 1.4e-5). */
static void training_follows_the_reference(void **state)
{
    op_session s, reference;
    open_case(&s, *state, block, TRAIN | EMA, 0);
    open_case(&reference, &mdldm__backend_reference, block, TRAIN | EMA, 0);
    for (int64_t step = 1; step <= 3; step++) {
        op_session *both[2] = {&s, &reference};
        mdldm_adamw args[2];
        for (int k = 0; k < 2; k++) {
            op_session_expect_ok(both[k], op_session_run(both[k], 0));
            op_session_expect_ok(both[k], op_session_run(both[k], 0));
            args[k] = step_args(step);
            op_session_expect_ok(both[k], both[k]->backend->store_adamw(both[k]->store, &args[k]));
            assert_int_equal(args[k].bad_param, -1);
        }
        assert_true(fabs(args[0].grad_norm / args[1].grad_norm - 1) < 3.6e-6); /* observed: 9.2e-7 */
        const int32_t slots[] = {MDLDM_SLOT_VALUE, MDLDM_SLOT_EMA, MDLDM_SLOT_EXP_AVG, MDLDM_SLOT_EXP_AVG_SQ,
                                 MDLDM_SLOT_GRAD};
        for (int32_t i = 0; i < s.c.params.count; i++)
            for (int k = 0; k < 5; k++) {
                int64_t count = mdldm__param_elements(&s.c.params.items[i]);
                float *got = malloc((size_t)count * 4), *right = malloc((size_t)count * 4);
                assert_non_null(got);
                assert_non_null(right);
                op_session_expect_ok(&s, s.backend->store_read(s.store, i, slots[k], got));
                op_session_expect_ok(&reference,
                                     reference.backend->store_read(reference.store, i, slots[k], right));
                double d = difference(got, right, count);
                if (!(d < 1.6e-4))
                    fail_msg("step %d, slot %d of %s differs by %.3g", (int)step, slots[k],
                             s.c.params.items[i].name, d);
                free(got);
                free(right);
            }
    }
    /* The next forward pass runs on the stepped weights. */
    op_session_expect_ok(&s, op_session_run(&s, 0));
    op_session_expect_ok(&reference, op_session_run(&reference, 0));
    int y = op_session_read(&s, "output y");
    /* observed: 4.3e-7 */
    assert_true(difference(s.c.reads[y].values, reference.c.reads[y].values, s.c.reads[y].count) < 1.7e-6);
    op_session_close(&s);
    op_session_close(&reference);
}

static void a_plan_reads_the_ema(void **state)
{
    op_session plain, ema;
    open_case(&plain, *state, block, TRAIN | EMA, 0);
    open_case(&ema, *state, block, TRAIN | EMA, MDLDM_PLAN_EMA);
    op_session_expect_ok(&plain, op_session_run(&plain, 0));
    op_session_expect_ok(&ema, op_session_run(&ema, 0));
    float *first = output_copy(&plain);
    assert_true(output_is(&ema, first)); /* the EMA starts as a copy */
    write_scaled(&ema, MDLDM_SLOT_VALUE, 3.0f);
    op_session_expect_ok(&ema, op_session_run(&ema, 0));
    assert_true(output_is(&ema, first));
    write_scaled(&ema, MDLDM_SLOT_EMA, 0.5f);
    write_scaled(&plain, MDLDM_SLOT_VALUE, 0.5f);
    op_session_expect_ok(&ema, op_session_run(&ema, 0));
    op_session_expect_ok(&plain, op_session_run(&plain, 0));
    float *second = output_copy(&plain);
    assert_true(output_is(&ema, second));
    assert_false(output_is(&plain, first));
    /* A step of the optimiser moves it. */
    mdldm_adamw args = step_args(1);
    op_session_expect_ok(&ema, ema.backend->store_adamw(ema.store, &args));
    op_session_expect_ok(&ema, op_session_run(&ema, 0));
    assert_false(output_is(&ema, second));
    free(first);
    free(second);
    op_session_close(&plain);
    op_session_close(&ema);
    assert_int_equal(op_session_open(&ema, *state, op_case_find(block, MDLDM_F32), 1, TRAIN, MDLDM_PLAN_EMA, NULL),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(ema.host.error, "EMA"));
    op_session_close(&ema);
}

static void bad_gradients_stop_the_step(void **state)
{
    op_session s;
    open_case(&s, *state, block, TRAIN, 0);
    op_session_expect_ok(&s, op_session_run(&s, 0));
    float *before = output_copy(&s);
    int32_t index = mdldm__params_find(&s.c.params, "conv2.weight");
    int64_t count = mdldm__param_elements(&s.c.params.items[index]);
    float *grad = copy_of(s.c.params.items[index].owned, count);
    grad[count - 1] = NAN;
    op_session_expect_ok(&s, s.backend->store_write(s.store, index, MDLDM_SLOT_GRAD, grad));
    free(grad);
    mdldm_adamw args = step_args(1);
    assert_int_equal(s.backend->store_adamw(s.store, &args), MDLDM_ERROR_NUMERIC);
    assert_int_equal(args.bad_param, index);
    assert_non_null(strstr(s.host.error, "conv2.weight"));
    op_session_expect_ok(&s, s.backend->store_zero_grad(s.store));
    op_session_expect_ok(&s, op_session_run(&s, 0));
    assert_true(output_is(&s, before));
    free(before);
    op_session_close(&s);
}

/* ---- A store that only infers: forward operations alone, 16-bit values, no value yet ---- */

static void cut_backward(op_session *s, mdldm_graph_desc *graph)
{
    *graph = mdldm__graph_desc(&s->c.graph);
    for (int32_t i = 0; i < graph->op_count; i++)
        if (graph->ops[i].kind == MDLDM_OP_LOSS)
            graph->op_count = i + 1;
    for (int32_t i = 0; i < s->c.graph.tensor_count; i++)
        if (s->c.graph.tensors[i].role == MDLDM_ROLE_PARAM_GRAD)
            s->c.graph.tensors[i] = (mdldm_graph_tensor){.dims = {1, 1, 1, 1}, .param = -1, .name = ""};
    int kept = 0; /* gradients of inputs are not computed any more */
    for (int i = 0; i < s->binding_count; i++) {
        mdldm_graph_tensor *t = &s->c.graph.tensors[s->bindings[i].tensor];
        int is_gradient = 0;
        for (int f = 0; f < s->c.feed_count; f++)
            is_gradient |= s->c.feeds[f].grad == s->bindings[i].tensor;
        if (is_gradient)
            t->flags = 0;
        else
            s->bindings[kept++] = s->bindings[i];
    }
    s->binding_count = kept;
}

static void inference_borrows_values(void **state)
{
    op_session trained, s;
    open_case(&trained, *state, block, TRAIN, 0);
    op_session_expect_ok(&trained, op_session_run(&trained, 0));
    float *expected = output_copy(&trained);
    const mdldm_backend *b = *state;
    /* The case's own graph trains and must not compile here. */
    assert_int_equal(op_session_open(&s, b, op_case_find(block, MDLDM_F32), 2, 0, 0, NULL),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm_graph_desc graph;
    cut_backward(&s, &graph);
    op_session_expect_ok(&s, b->plan_compile(s.device, s.store, &graph, 0, &s.plan));
    op_session_expect_ok(&s, b->plan_run(s.plan, s.bindings, s.binding_count, 0));
    assert_true(output_is(&s, expected));
    /* BF16 and F16 files hold rounded values: the same as F32 values rounded beforehand. */
    uint16_t *bits[32];
    float *rounded[32];
    for (int32_t i = 0; i < s.c.params.count; i++) {
        int64_t count = mdldm__param_elements(&s.c.params.items[i]);
        bits[i] = malloc((size_t)count * 2);
        rounded[i] = malloc((size_t)count * 4);
        assert_non_null(bits[i]);
        assert_non_null(rounded[i]);
        for (int64_t k = 0; k < count; k++) {
            bits[i][k] = mdldm__float_to_bf16(((const float *)s.c.params.items[i].owned)[k]);
            rounded[i][k] = mdldm__bf16_to_float(bits[i][k]);
        }
        op_session_expect_ok(&s, b->store_bind(s.store, i, bits[i], MDLDM_BF16));
    }
    op_session_expect_ok(&s, b->plan_run(s.plan, s.bindings, s.binding_count, 0));
    assert_false(output_is(&s, expected));
    float *from_bf16 = output_copy(&s);
    for (int32_t i = 0; i < s.c.params.count; i++)
        op_session_expect_ok(&s, b->store_bind(s.store, i, rounded[i], MDLDM_F32));
    op_session_expect_ok(&s, b->plan_run(s.plan, s.bindings, s.binding_count, 0));
    assert_true(output_is(&s, from_bf16));
    int32_t count = s.c.params.count;
    op_session_close(&s);
    op_session_close(&trained);
    for (int32_t i = 0; i < count; i++) {
        free(bits[i]);
        free(rounded[i]);
    }
    free(expected);
    free(from_bf16);
}

static void unbound_parameters_are_named(void **state)
{
    const mdldm_backend *b = *state;
    op_session s;
    open_case(&s, b, block, TRAIN, 0);
    mdldm_param_desc *desc = mdldm__params_desc(&s.c.params);
    assert_non_null(desc);
    mdldm_store *store = NULL;
    op_session_expect_ok(&s, b->store_open(s.device, desc, s.c.params.count, TRAIN, &store));
    mdldm__free(&s.c.env, desc);
    for (int32_t i = 0; i < s.c.params.count; i++)
        if (strcmp(s.c.params.items[i].name, "norm2.bias") != 0)
            op_session_expect_ok(&s, b->store_bind(store, i, s.c.params.items[i].owned, MDLDM_F32));
    mdldm_graph_desc graph = mdldm__graph_desc(&s.c.graph);
    mdldm_plan *plan = NULL;
    op_session_expect_ok(&s, b->plan_compile(s.device, store, &graph, 0, &plan));
    assert_int_equal(b->plan_run(plan, s.bindings, s.binding_count, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "norm2.bias"));
    b->plan_close(plan);
    b->store_close(store);
    op_session_close(&s);
}

/* 4 bytes a parameter for the value; gradient and two moments only for what learns; the average only
 * when it is wanted; nothing of these for inference. Up to 2% on top: names, sums, headers. */
static void slots_are_there_when_needed(void **state)
{
    enum { COUNT = 1000 * 1000 };
    const mdldm_backend *backend = *state;
    const mdldm_param_desc params[2] = {
        {.name = "learns", .dims = {1000, 1000, 1, 1}, .rank = 2, .trainable = 1},
        {.name = "stays", .dims = {1000, 1000, 1, 1}, .rank = 2, .trainable = 0}};
    static const struct {
        int32_t flags;
        double floats; /* per element of both together */
    } stores[] = {{0, 0}, {TRAIN, 4 + 1}, {TRAIN | EMA, 5 + 1}};
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        test_host h;
        mdldm_device *device = NULL;
        mdldm_store *store = NULL;
        test_host_init(&h, NULL);
        assert_int_equal(backend->device_open(&h.host, "", 2, &device), MDLDM_OK);
        const int64_t before = h.own.live_bytes;
        assert_int_equal(backend->store_open(device, params, 2, stores[i].flags, &store), MDLDM_OK);
        const double taken = (double)(h.own.live_bytes - before) / (4.0 * COUNT);
        if (strcmp(backend->name, "cuda") == 0) /* they lie in the GPU's memory, and the host keeps no copy */
            assert_true(taken < 0.1);
        else if (taken < stores[i].floats || taken > stores[i].floats + 0.1)
            fail_msg("a store with flags %d takes %.3f floats for two parameters, not %.0f", stores[i].flags,
                     taken, stores[i].floats);
        backend->store_close(store);
        backend->device_close(device);
        assert_int_equal(h.own.live, 0);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        void (*test)(void **state);
    } all[] = {
        {"a write is seen by the next run", a_write_is_seen_by_the_next_run},
        {"gradients add up", gradients_add_up},
        {"training follows the reference", training_follows_the_reference},
        {"a plan reads the EMA", a_plan_reads_the_ema},
        {"bad gradients stop the step", bad_gradients_stop_the_step},
        {"inference borrows values", inference_borrows_values},
        {"unbound parameters are named", unbound_parameters_are_named},
        {"slots are there when needed", slots_are_there_when_needed},
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
    return _cmocka_run_group_tests("backend store", tests, (size_t)count, NULL, NULL);
}
