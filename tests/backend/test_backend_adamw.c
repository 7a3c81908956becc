/* SPDX-License-Identifier: MIT
 * AdamW of each backend that can run here against the reference (which test_adamw.c holds to torch's
 * numbers): sizes that end inside a vector, clipping, EMA, gradients zeroed; the same bits for any number
 * of threads; a gradient that is not finite changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../support/backend_list.h"
#include "../support/test_host.h"

enum { PARAMS = 6, STEPS = 3, SLOTS = 5 };

/* Relative to the largest value of an array. Observed: 2.4e-7 (kernels may fuse multiply and add). */
#define TOLERANCE 6e-7

static const mdldm_backend *list[MOST_BACKENDS];
static int backends;

static const mdldm_param_desc params[PARAMS] = {
    {.name = "one", .dims = {1, 1, 1, 1}, .rank = 1, .trainable = 1},
    {.name = "seven", .dims = {7, 1, 1, 1}, .rank = 1, .trainable = 1},
    {.name = "frozen", .dims = {3, 1, 1, 1}, .rank = 1, .trainable = 0},
    {.name = "vectors", .dims = {16, 3, 1, 1}, .rank = 2, .trainable = 1},
    {.name = "odd", .dims = {13, 11, 3, 3}, .rank = 4, .trainable = 1},
    {.name = "chunks", .dims = {40, 131, 3, 3}, .rank = 4, .trainable = 1}, /* several chunks of the store */
};

static size_t count_of(int32_t index)
{
    const int64_t *d = params[index].dims;
    return (size_t)(d[0] * d[1] * d[2] * d[3]);
}

static float number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

static void fill(float *values, size_t count, uint32_t seed, float factor)
{
    for (size_t i = 0; i < count; i++)
        values[i] = factor * number(&seed);
}

typedef struct adamw_result {
    float *values[SLOTS][PARAMS];
    double norm[STEPS];
} adamw_result;

static void step_store(const mdldm_backend *backend, mdldm_store *store, test_host *host, int64_t step, double *norm)
{
    for (int32_t i = 0; i < PARAMS; i++) {
        if (!params[i].trainable)
            continue;
        float *g = malloc(count_of(i) * sizeof *g);
        assert_non_null(g);
        fill(g, count_of(i), (uint32_t)(step * 100 + i), step == 2 ? 1e-4f : 0.3f);
        if (backend->store_write(store, i, MDLDM_SLOT_GRAD, g) != MDLDM_OK)
            fail_msg("%s", host->error);
        free(g);
    }
    mdldm_adamw args = {.struct_size = sizeof args,
                        .lr = 0.01f,
                        .beta1 = 0.95f,
                        .beta2 = 0.999f,
                        .eps = 1e-8f,
                        .weight_decay = 0.01f,
                        .grad_scale = 0.5f,
                        .max_grad_norm = 1.0f,
                        .ema_decay = step == 1 ? 0.0f : 0.75f,
                        .step = step};
    if (backend->store_adamw(store, &args) != MDLDM_OK)
        fail_msg("%s", host->error);
    *norm = args.grad_norm;
}

static void run_steps(const mdldm_backend *backend, int32_t threads, adamw_result *result)
{
    test_host host;
    test_host_init(&host, NULL);
    mdldm_device *device = NULL;
    mdldm_store *store = NULL;
    if (backend->device_open(&host.host, "", threads, &device) != MDLDM_OK ||
        backend->store_open(device, params, PARAMS, MDLDM_STORE_TRAIN | MDLDM_STORE_EMA, &store) != MDLDM_OK)
        fail_msg("%s", host.error);
    for (int32_t i = 0; i < PARAMS; i++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            result->values[slot][i] = calloc(count_of(i), sizeof(float));
            assert_non_null(result->values[slot][i]);
        }
        fill(result->values[0][i], count_of(i), (uint32_t)i, 2.0f);
        assert_int_equal(backend->store_bind(store, i, result->values[0][i], MDLDM_F32), MDLDM_OK);
    }
    for (int step = 0; step < STEPS; step++)
        step_store(backend, store, &host, step + 1, &result->norm[step]);
    for (int32_t i = 0; i < PARAMS; i++)
        for (int slot = 0; slot < SLOTS; slot++)
            if (params[i].trainable &&
                backend->store_read(store, i, slot, result->values[slot][i]) != MDLDM_OK)
                fail_msg("%s", host.error);
    backend->store_close(store);
    backend->device_close(device);
    assert_int_equal(host.own.live, 0);
}

static void free_result(adamw_result *result)
{
    for (int slot = 0; slot < SLOTS; slot++)
        for (int i = 0; i < PARAMS; i++)
            free(result->values[slot][i]);
}

static double difference(const float *a, const float *b, size_t count)
{
    double most = 0, top = 1e-30;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        most = d > most || !isfinite(d) ? d : most;
        top = fmax(top, fabs((double)b[i]));
    }
    return most / top;
}

static void as_the_reference_with_any_threads(void **state)
{
    (void)state;
    adamw_result reference, one, several;
    double worst = 0;
    run_steps(list[0], 1, &reference);
    for (int k = 1; k < backends; k++) {
        run_steps(list[k], 1, &one);
        run_steps(list[k], 3, &several);
        for (int i = 0; i < PARAMS; i++)
            for (int slot = 0; slot < SLOTS; slot++) {
                double d = difference(one.values[slot][i], reference.values[slot][i], count_of(i));
                worst = fmax(worst, d);
                if (!(d <= TOLERANCE))
                    fail_msg("%s: slot %d of '%s' differs by %.3g", list[k]->name, slot, params[i].name, d);
                assert_memory_equal(one.values[slot][i], several.values[slot][i], count_of(i) * sizeof(float));
            }
        for (int step = 0; step < STEPS; step++) {
            assert_true(fabs(one.norm[step] / reference.norm[step] - 1) < 1e-12);
            assert_true(one.norm[step] == several.norm[step]);
        }
        free_result(&one);
        free_result(&several);
    }
    free_result(&reference);
    print_message("largest difference: %.2g\n", worst);
}

static void bad_gradients_change_nothing(void **state)
{
    (void)state;
    const float bad[2] = {NAN, INFINITY};
    for (int k = 0; k < backends; k++)
        for (int b = 0; b < 2; b++) {
            test_host host;
            test_host_init(&host, NULL);
            mdldm_device *device = NULL;
            mdldm_store *store = NULL;
            assert_int_equal(list[k]->device_open(&host.host, "", 2, &device), MDLDM_OK);
            assert_int_equal(list[k]->store_open(device, params, PARAMS, MDLDM_STORE_TRAIN, &store), MDLDM_OK);
            size_t count = count_of(4);
            float *g = calloc(count, sizeof *g), *values = calloc(count_of(5), sizeof *values);
            assert_true(g != NULL && values != NULL);
            for (int32_t i = 0; i < PARAMS; i++)
                assert_int_equal(list[k]->store_bind(store, i, values, MDLDM_F32), MDLDM_OK);
            g[count - 1] = bad[b];
            assert_int_equal(list[k]->store_write(store, 4, MDLDM_SLOT_GRAD, g), MDLDM_OK);
            mdldm_adamw args = {.struct_size = sizeof args, .lr = 1, .beta2 = 0.9f, .eps = 1, .grad_scale = 1,
                                .ema_decay = -1, .step = 1};
            assert_int_equal(list[k]->store_adamw(store, &args), MDLDM_ERROR_NUMERIC);
            assert_int_equal(args.bad_param, 4);
            assert_non_null(strstr(host.error, "odd"));
            assert_int_equal(list[k]->store_read(store, 4, MDLDM_SLOT_VALUE, g), MDLDM_OK);
            for (size_t i = 0; i < count; i++)
                assert_true(g[i] == 0.0f);
            free(g);
            free(values);
            list[k]->store_close(store);
            list[k]->device_close(device);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_reference_with_any_threads),
        cmocka_unit_test(bad_gradients_change_nothing),
    };
    backend_divide_all();
    backend_use_test_cuda();
    backends = backend_list(list);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
