/* SPDX-License-Identifier: MIT
 * Weight and bias gradients of convolutions in random shapes, each backend that can run here against
 * the reference: odd sizes, strides, unsymmetric padding, two sources. They are added to what the store
 * holds, and are the same bits for any number of threads. 3x3 of stride 1 also without Winograd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/backend_list.h"
#include "../support/test_host.h"

/* Relative to the largest gradient. Observed: 1.6e-6 with AVX-512, 1.8e-6 with AVX2, 1.9e-6 without
 * either (Winograd). bf16 inputs are the same numbers in both and their products exact, but Winograd's method
 * rounds transformed ones to bf16 where the processor multiplies such: 1.6e-2 then. */
#define TOLERANCE 5e-6
#define TOLERANCE_BF16 4e-2

enum { RANDOM_SHAPES = 40 };

typedef struct wgrad_shape {
    int64_t n, h, w, ic[2], oc; /* ic[1] 0: one source */
    mdldm_conv_attr attr;
} wgrad_shape;

static const mdldm_backend *list[MOST_BACKENDS];
static int backends;

static uint32_t random_bits(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int64_t pick(uint32_t *seed, int64_t low, int64_t high)
{
    return low + (int64_t)random_bits(seed) % (high - low + 1);
}

static float *numbers(int64_t count, uint32_t seed)
{
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)random_bits(&seed) / 8388608.0f - 1.0f;
    return values;
}

/* A few sizes that models have, then random ones. */
static wgrad_shape shape_of(int index)
{
    static const wgrad_shape fixed[] = {
        {2, 16, 16, {128, 0}, 128, {3, 3, 1, 1, 1, 1, 1, 1}}, /* several blocks of weights */
        {1, 64, 64, {32, 0}, 96, {3, 3, 1, 1, 1, 1, 1, 1}},
        {1, 128, 96, {200, 0}, 72, {3, 3, 1, 1, 1, 1, 1, 1}}, /* several chunks of tiles */
        {2, 8, 8, {192, 64}, 80, {3, 3, 1, 1, 1, 1, 1, 1}},
        {1, 33, 31, {16, 0}, 24, {3, 3, 2, 2, 0, 0, 1, 1}}, /* VQModel's downsampler */
        {1, 32, 32, {40, 0}, 3, {3, 3, 1, 1, 1, 1, 1, 1}},
        {2, 32, 32, {3, 0}, 40, {3, 3, 1, 1, 1, 1, 1, 1}},
        {3, 17, 9, {48, 32}, 64, {1, 1, 1, 1, 0, 0, 0, 0}},
    };
    enum { FIXED = sizeof fixed / sizeof *fixed };
    if (index < FIXED)
        return fixed[index];
    uint32_t seed = (uint32_t)index * 77u;
    int32_t kernel = pick(&seed, 0, 3) == 0 ? 1 : 3, stride = pick(&seed, 0, 3) == 0 ? 2 : 1;
    int32_t most = kernel == 1 ? 0 : 2;
    wgrad_shape s = {pick(&seed, 1, 3),
                     pick(&seed, 3, 21),
                     pick(&seed, 3, 21),
                     {pick(&seed, 1, 80), pick(&seed, 0, 1) * pick(&seed, 1, 40)},
                     pick(&seed, 1, 90),
                     {kernel, kernel, stride, stride, 0, 0, 0, 0}};
    s.attr.pad_t = (int32_t)pick(&seed, 0, most);
    s.attr.pad_l = (int32_t)pick(&seed, 0, most);
    s.attr.pad_b = (int32_t)pick(&seed, 0, most);
    s.attr.pad_r = (int32_t)pick(&seed, 0, most);
    return s;
}

static int64_t weight_count(const wgrad_shape *s)
{
    return s->oc * (s->ic[0] + s->ic[1]) * s->attr.kernel_h * s->attr.kernel_w;
}

/* dw and db, added to 1 everywhere. */
static void run_wgrad(const mdldm_backend *backend, const wgrad_shape *s, int32_t act, int32_t flags,
                      int32_t threads, float *dw, float *db)
{
    test_host host;
    test_host_init(&host, NULL);
    mdldm_device *device = NULL;
    mdldm_store *store = NULL;
    mdldm_plan *plan = NULL;
    const mdldm_conv_attr *a = &s->attr;
    int64_t ho = (s->h + a->pad_t + a->pad_b - a->kernel_h) / a->stride_h + 1;
    int64_t wo = (s->w + a->pad_l + a->pad_r - a->kernel_w) / a->stride_w + 1;
    int64_t ic = s->ic[0] + s->ic[1], second = s->ic[1] > 0 ? s->ic[1] : 1;
    const mdldm_param_desc params[2] = {
        {.name = "w", .dims = {s->oc, ic, a->kernel_h, a->kernel_w}, .rank = 4, .trainable = 1},
        {.name = "b", .dims = {s->oc, 1, 1, 1}, .rank = 1, .trainable = 1}};
    const mdldm_graph_tensor tensors[5] = {
        {act, MDLDM_ROLE_INPUT, 0, -1, {s->n, s->h, s->w, s->ic[0]}, "x0"},
        {act, MDLDM_ROLE_INPUT, 0, -1, {s->n, s->h, s->w, second}, "x1"},
        {act, MDLDM_ROLE_INPUT, 0, -1, {s->n, ho, wo, s->oc}, "dy"},
        {MDLDM_F32, MDLDM_ROLE_PARAM_GRAD, 0, 0, {s->oc, ic, a->kernel_h, a->kernel_w}, "dw"},
        {MDLDM_F32, MDLDM_ROLE_PARAM_GRAD, 0, 1, {s->oc, 1, 1, 1}, "db"}};
    const mdldm_graph_op op = {.kind = MDLDM_OP_CONV_BWD_WEIGHTS,
                               .in = {0, s->ic[1] > 0 ? 1 : -1, 2},
                               .out = {3, 4},
                               .name = "conv",
                               .attr.conv = *a};
    const mdldm_graph_desc graph = {sizeof graph, 5, 1, tensors, &op};
    float *x0 = numbers(s->n * s->h * s->w * s->ic[0], 1), *x1 = numbers(s->n * s->h * s->w * second, 2);
    float *dy = numbers(s->n * ho * wo * s->oc, 3);
    const mdldm_binding bindings[3] = {{0, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, x0},
                                       {1, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, x1},
                                       {2, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, dy}};
    for (int64_t i = 0; i < weight_count(s); i++)
        dw[i] = 1.0f;
    for (int64_t i = 0; i < s->oc; i++)
        db[i] = 1.0f;
    if (backend->device_open(&host.host, "", threads, &device) != MDLDM_OK ||
        backend->store_open(device, params, 2, MDLDM_STORE_TRAIN, &store) != MDLDM_OK ||
        backend->store_write(store, 0, MDLDM_SLOT_GRAD, dw) != MDLDM_OK ||
        backend->store_write(store, 1, MDLDM_SLOT_GRAD, db) != MDLDM_OK ||
        backend->plan_compile(device, store, &graph, flags, &plan) != MDLDM_OK ||
        backend->plan_run(plan, bindings, 3, 0) != MDLDM_OK ||
        backend->store_read(store, 0, MDLDM_SLOT_GRAD, dw) != MDLDM_OK ||
        backend->store_read(store, 1, MDLDM_SLOT_GRAD, db) != MDLDM_OK)
        fail_msg("%s", host.error);
    backend->plan_close(plan);
    backend->store_close(store);
    backend->device_close(device);
    assert_int_equal(host.own.live, 0);
    free(x0);
    free(x1);
    free(dy);
}

static double difference(const float *a, const float *b, int64_t count)
{
    double most = 0, top = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        most = d > most || !isfinite(d) ? d : most;
        top = fmax(top, fabs((double)b[i]));
    }
    return most / top;
}

static void print_shape(const wgrad_shape *s, int32_t act)
{
    print_message("%lld x %lldx%lld, %lld+%lld -> %lld, kernel %d stride %d pad %d %d %d %d, %s\n", (long long)s->n,
                  (long long)s->h, (long long)s->w, (long long)s->ic[0], (long long)s->ic[1], (long long)s->oc,
                  s->attr.kernel_h, s->attr.stride_h, s->attr.pad_t, s->attr.pad_l, s->attr.pad_b, s->attr.pad_r,
                  act == MDLDM_BF16 ? "bf16" : "f32");
}

static void check_shape(const wgrad_shape *s, int32_t act, int32_t flags, double worst[2])
{
    size_t bytes = (size_t)weight_count(s) * sizeof(float), bias_bytes = (size_t)s->oc * sizeof(float);
    float *dw[3], *db[3];
    for (int i = 0; i < 3; i++) {
        dw[i] = malloc(bytes);
        db[i] = malloc(bias_bytes);
        assert_true(dw[i] != NULL && db[i] != NULL);
    }
    run_wgrad(list[0], s, act, 0, 1, dw[0], db[0]);
    for (int k = 1; k < backends; k++) {
        run_wgrad(list[k], s, act, flags, 1, dw[1], db[1]);
        double weights = difference(dw[1], dw[0], weight_count(s)), bias = difference(db[1], db[0], s->oc);
        worst[act] = fmax(worst[act], fmax(weights, bias));
        if (!(weights <= (act == MDLDM_BF16 && flags == 0 ? TOLERANCE_BF16 : TOLERANCE)) || !(bias <= TOLERANCE)) {
            print_shape(s, act);
            fail_msg("%s differs from the reference by %.3g of the largest gradient (bias: %.3g)", list[k]->name,
                     weights, bias);
        }
        for (int32_t threads = 2; threads <= 5; threads += 3) {
            run_wgrad(list[k], s, act, flags, threads, dw[2], db[2]);
            if (memcmp(dw[1], dw[2], bytes) != 0 || memcmp(db[1], db[2], bias_bytes) != 0) {
                print_shape(s, act);
                fail_msg("%s: %d threads give other bits than one", list[k]->name, threads);
            }
        }
    }
    for (int i = 0; i < 3; i++) {
        free(dw[i]);
        free(db[i]);
    }
}

static void as_the_reference_with_any_threads(void **state)
{
    (void)state;
    double worst[2] = {0, 0}, direct[2] = {0, 0};
    for (int index = 0; index < RANDOM_SHAPES; index++) {
        wgrad_shape s = shape_of(index);
        for (int32_t act = MDLDM_F32; act <= MDLDM_BF16; act++) {
            check_shape(&s, act, 0, worst);
            if (s.attr.kernel_h == 3 && s.attr.stride_h == 1)
                check_shape(&s, act, MDLDM_PLAN_DIRECT, direct);
        }
    }
    print_message("largest difference: f32 %.2g, bf16 %.2g; without Winograd %.2g, %.2g\n", worst[0], worst[1],
                  direct[0], direct[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_reference_with_any_threads)};
    backend_divide_all();
    backends = backend_list(list);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
