/* SPDX-License-Identifier: MIT
 * The store's AdamW step with clipping and EMA against torch.optim.AdamW, clip_grad_norm_ and diffusers'
 * EMAModel; the learning-rate schedules against diffusers.optimization. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/golden.h"
#include "train/ema_decay.h"
#include "train/lr_schedule.h"

#define PARAMS 3
static const char *const names[PARAMS] = {"conv.weight", "linear.weight", "bias"};

static const float *named(const golden *g, const char *prefix, int i)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", prefix, names[i]);
    return golden_f32(g, name);
}

static mdldm_store *open_store(golden *g, const mdldm_backend *b, int64_t *elements)
{
    mdldm_param_desc desc[PARAMS];
    for (int i = 0; i < PARAMS; i++) {
        char name[64];
        snprintf(name, sizeof name, "start.%s", names[i]);
        const mdldm__st_tensor *t = golden_tensor(g, name);
        desc[i] = (mdldm_param_desc){.name = names[i], .dims = {1, 1, 1, 1}, .rank = t->rank, .trainable = 1};
        elements[i] = 1;
        for (int32_t k = 0; k < t->rank; k++) {
            desc[i].dims[k] = t->dims[k];
            elements[i] *= t->dims[k];
        }
    }
    mdldm_store *store = NULL;
    golden_ok(g, b->store_open(g->ctx->device, desc, PARAMS, MDLDM_STORE_TRAIN | MDLDM_STORE_EMA, &store),
              "store_open");
    for (int i = 0; i < PARAMS; i++)
        golden_ok(g, b->store_bind(store, i, named(g, "start", i), MDLDM_F32), "store_bind");
    return store;
}

static mdldm_adamw settings(const golden *g, int64_t step)
{
    double lr = golden_fact(g, "lr");
    return (mdldm_adamw){
        .struct_size = sizeof(mdldm_adamw),
        .lr = (float)(lr * mdldm__lr_multiplier("cosine", step, (int64_t)golden_fact(g, "warmup"),
                                                (int64_t)golden_fact(g, "total"), 0, 1, lr)),
        .beta1 = (float)golden_fact(g, "beta1"),
        .beta2 = (float)golden_fact(g, "beta2"),
        .eps = (float)golden_fact(g, "eps"),
        .weight_decay = (float)golden_fact(g, "weight_decay"),
        .grad_scale = 0.5f, /* the gradients below are twice the peer's: two accumulated batches */
        .max_grad_norm = (float)golden_fact(g, "max_grad_norm"),
        .ema_decay = (float)mdldm__ema_decay(step + 1, golden_fact(g, "ema_inv_gamma"),
                                             golden_fact(g, "ema_power"), golden_fact(g, "ema_max_decay")),
        .step = step + 1};
}

static void test_adamw(void **state)
{
    golden g;
    golden_open(&g, *state);
    golden_ok(&g, mdldm__context_device(g.ctx), "device");
    const mdldm_backend *b = g.ctx->backend;
    int64_t elements[PARAMS], total = 0, steps = (int64_t)golden_fact(&g, "steps");
    mdldm_store *store = open_store(&g, b, elements);
    for (int i = 0; i < PARAMS; i++)
        total += elements[i];
    float *values = malloc(sizeof *values * (size_t)(total * steps));
    float *averages = malloc(sizeof *averages * (size_t)(total * steps));
    float *twice = malloc(sizeof *twice * (size_t)total), *norms = malloc(sizeof *norms * (size_t)steps);
    assert_true(values != NULL && averages != NULL && twice != NULL && norms != NULL);
    for (int64_t step = 0; step < steps; step++) {
        for (int i = 0; i < PARAMS; i++) {
            for (int64_t k = 0; k < elements[i]; k++)
                twice[k] = 2 * named(&g, "gradients", i)[step * elements[i] + k];
            golden_ok(&g, b->store_write(store, i, MDLDM_SLOT_GRAD, twice), "store_write");
        }
        mdldm_adamw args = settings(&g, step);
        golden_ok(&g, b->store_adamw(store, &args), "store_adamw");
        assert_int_equal(args.bad_param, -1);
        norms[step] = (float)args.grad_norm;
        int64_t at = step * total;
        for (int i = 0; i < PARAMS; at += elements[i], i++) {
            golden_ok(&g, b->store_read(store, i, MDLDM_SLOT_VALUE, values + at), "value");
            golden_ok(&g, b->store_read(store, i, MDLDM_SLOT_EMA, averages + at), "average");
            golden_ok(&g, b->store_read(store, i, MDLDM_SLOT_GRAD, twice), "gradient");
            for (int64_t k = 0; k < elements[i]; k++)
                assert_true(twice[k] == 0);
        }
    }
    golden_compare(&g, "norms", norms, steps, 1e-6, NULL);
    golden_compare(&g, "values", values, steps, 1e-6, "values");
    golden_compare(&g, "averages", averages, steps, 1e-6, "averages");
    free(norms);
    free(twice);
    free(averages);
    free(values);
    b->store_close(store);
    golden_close(&g);
}

/* A gradient that is not finite changes nothing and names its parameter. */
static void test_not_finite(void **state)
{
    golden g;
    golden_open(&g, *state);
    golden_ok(&g, mdldm__context_device(g.ctx), "device");
    const mdldm_backend *b = g.ctx->backend;
    int64_t elements[PARAMS];
    mdldm_store *store = open_store(&g, b, elements);
    float *gradient = malloc(sizeof *gradient * (size_t)elements[0]);
    assert_non_null(gradient);
    for (int64_t k = 0; k < elements[0]; k++)
        gradient[k] = 1;
    golden_ok(&g, b->store_write(store, 0, MDLDM_SLOT_GRAD, gradient), "store_write");
    gradient[elements[1] - 1] = NAN;
    golden_ok(&g, b->store_write(store, 1, MDLDM_SLOT_GRAD, gradient), "store_write");
    mdldm_adamw args = settings(&g, 5);
    b->store_adamw(store, &args);
    assert_int_equal(args.bad_param, 1);
    golden_ok(&g, b->store_read(store, 0, MDLDM_SLOT_VALUE, gradient), "value");
    assert_memory_equal(gradient, named(&g, "start", 0), sizeof *gradient * (size_t)elements[0]);
    golden_ok(&g, b->store_read(store, 0, MDLDM_SLOT_EMA, gradient), "average");
    assert_memory_equal(gradient, named(&g, "start", 0), sizeof *gradient * (size_t)elements[0]);
    free(gradient);
    b->store_close(store);
    golden_close(&g);
}

static void test_schedules(void **state)
{
    golden g;
    golden_open(&g, *state);
    static const struct {
        const char *name;
        double cycles, power;
    } cases[] = {{"linear", 0, 1}, {"cosine", 0, 1}, {"cosine_with_restarts", 3, 1}, {"polynomial", 0, 2},
                 {"constant", 0, 1}, {"constant_with_warmup", 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "schedule.%s", cases[i].name);
        float factors[30];
        assert_int_equal(golden_elements(&g, name), 30);
        for (int step = 0; step < 30; step++)
            factors[step] = (float)mdldm__lr_multiplier(cases[i].name, step, 4, 25, cases[i].cycles,
                                                        cases[i].power, 1e-3);
        golden_compare(&g, name, factors, 1, 1e-6, NULL);
    }
    int64_t steps = (int64_t)golden_fact(&g, "steps");
    float decays[32];
    for (int64_t step = 0; step < steps; step++)
        decays[step] = (float)mdldm__ema_decay(step + 1, golden_fact(&g, "ema_inv_gamma"),
                                               golden_fact(&g, "ema_power"), golden_fact(&g, "ema_max_decay"));
    golden_compare(&g, "decays", decays, 1, 1e-6, NULL);
    golden_close(&g);
}

int main(void)
{
    static golden_run reference = {"optimizer", "reference", "f32"}, cpu = {"optimizer", "cpu", "f32"};
    static golden_run none = {"optimizer", NULL, "f32"};
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_adamw, &reference),
                                       cmocka_unit_test_prestate(test_adamw, &cpu),
                                       cmocka_unit_test_prestate(test_not_finite, &reference),
                                       cmocka_unit_test_prestate(test_not_finite, &cpu),
                                       cmocka_unit_test_prestate(test_schedules, &none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
