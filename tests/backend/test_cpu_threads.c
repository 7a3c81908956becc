/* SPDX-License-Identifier: MIT
 * The cpu plug-in and threads: convolutions at the shapes of real models give the same bits with one
 * thread and several (oneDNN picks its blocking by the thread count, so this is not a matter of
 * course), and the host finds its OpenMP and floating-point settings as it left them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "../support/backend_list.h"
#include "../support/test_host.h"

typedef struct conv_shape {
    int64_t n, size, ic, oc;
    int32_t kernel, stride;
} conv_shape;

static const conv_shape shapes[] = {
    {1, 64, 3, 224, 3, 1},   {1, 64, 224, 224, 3, 1}, {1, 64, 224, 3, 3, 1},   {1, 64, 224, 224, 3, 2},
    {1, 32, 448, 448, 1, 1}, {1, 16, 672, 672, 3, 1}, {2, 8, 896, 896, 3, 1},  {1, 8, 896, 896, 1, 1},
    {1, 8, 1792, 896, 3, 1}, {3, 16, 128, 128, 3, 1}, {1, 32, 96, 64, 3, 1},   {2, 32, 64, 128, 1, 1},
    {1, 128, 32, 32, 3, 1},  {1, 4, 896, 224, 1, 1},  {1, 1, 896, 1792, 1, 1}, {16, 1, 224, 896, 1, 1},
    {1, 64, 128, 3, 1, 1},   {1, 6, 448, 448, 3, 1},
};

static const mdldm_backend *backend;

static float *numbers(size_t count, uint32_t seed)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return values;
}

/* One convolution with bias on `threads` threads; y gets n*out*out*oc floats. */
static void run_conv(const conv_shape *s, int32_t act, int32_t threads, float *y)
{
    test_host host;
    test_host_init(&host, NULL);
    mdldm_device *device = NULL;
    mdldm_store *store = NULL;
    mdldm_plan *plan = NULL;
    int32_t pad = s->kernel / 2;
    int64_t out = (s->size + 2 * pad - s->kernel) / s->stride + 1;
    const mdldm_param_desc params[2] = {
        {.name = "w", .dims = {s->oc, s->ic, s->kernel, s->kernel}, .rank = 4, .trainable = 1},
        {.name = "b", .dims = {s->oc, 1, 1, 1}, .rank = 1, .trainable = 1}};
    const mdldm_graph_tensor tensors[4] = {
        {act, MDLDM_ROLE_INPUT, 0, -1, {s->n, s->size, s->size, s->ic}, "x"},
        {act, MDLDM_ROLE_ACTIVATION, MDLDM_TENSOR_OUTPUT, -1, {s->n, out, out, s->oc}, "y"},
        {MDLDM_F32, MDLDM_ROLE_PARAM, 0, 0, {s->oc, s->ic, s->kernel, s->kernel}, "w"},
        {MDLDM_F32, MDLDM_ROLE_PARAM, 0, 1, {s->oc, 1, 1, 1}, "b"}};
    const mdldm_graph_op op = {.kind = MDLDM_OP_CONV,
                               .in = {0, -1, 2, 3},
                               .out = {1},
                               .name = "conv",
                               .attr.conv = {s->kernel, s->kernel, s->stride, s->stride, pad, pad, pad, pad}};
    const mdldm_graph_desc graph = {sizeof graph, 4, 1, tensors, &op};
    float *x = numbers((size_t)(s->n * s->size * s->size * s->ic), 1);
    float *w = numbers((size_t)(s->oc * s->ic * s->kernel * s->kernel), 2), *b = numbers((size_t)s->oc, 3);
    const mdldm_binding bindings[2] = {{0, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, x},
                                       {1, MDLDM_F32, MDLDM_LAYOUT_NHWC, 0, y}};
    if (backend->device_open(&host.host, "", threads, &device) != MDLDM_OK ||
        backend->store_open(device, params, 2, 0, &store) != MDLDM_OK ||
        backend->store_bind(store, 0, w, MDLDM_F32) != MDLDM_OK ||
        backend->store_bind(store, 1, b, MDLDM_F32) != MDLDM_OK ||
        backend->plan_compile(device, store, &graph, 0, &plan) != MDLDM_OK ||
        backend->plan_run(plan, bindings, 2, 0) != MDLDM_OK)
        fail_msg("%s", host.error);
    backend->plan_close(plan);
    backend->store_close(store);
    backend->device_close(device);
    free(x);
    free(w);
    free(b);
}

static void threads_give_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int32_t act = MDLDM_F32; act <= MDLDM_BF16; act++) {
            const conv_shape *s = &shapes[i];
            int64_t out = (s->size + 2 * (s->kernel / 2) - s->kernel) / s->stride + 1;
            size_t count = (size_t)(s->n * out * out * s->oc);
            float *one = calloc(count, sizeof *one), *several = calloc(count, sizeof *several);
            run_conv(s, act, 1, one);
            for (int32_t threads = 2; threads <= 5; threads += 3) {
                run_conv(s, act, threads, several);
                if (memcmp(one, several, count * sizeof *one) != 0)
                    fail_msg("%dx%d convolution of %lld -> %lld channels on %lld x %lldx%lld, %s: %d threads "
                             "give other bits than one",
                             s->kernel, s->kernel, (long long)s->ic, (long long)s->oc, (long long)s->n,
                             (long long)s->size, (long long)s->size, act == MDLDM_BF16 ? "bf16" : "f32",
                             threads);
            }
            free(one);
            free(several);
        }
}

typedef int (*omp_getter)(void);

static omp_getter omp_number(const char *name, void *library)
{
    omp_getter get;
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    memcpy(&get, &symbol, sizeof get);
    return get;
}

static void host_settings_come_back(void **state)
{
    (void)state;
    void *library = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (library == NULL)
        skip(); /* the plug-in was linked with another OpenMP */
    void (*set_threads)(int);
    void *symbol = dlsym(library, "omp_set_num_threads");
    memcpy(&set_threads, &symbol, sizeof set_threads);
    set_threads(7);
#if defined(__SSE__)
    unsigned before = _mm_getcsr() | 0x8040u; /* a host that flushes subnormals */
    _mm_setcsr(before);
#endif
    float y[224];
    const conv_shape shape = {1, 1, 32, 224, 1, 1};
    run_conv(&shape, MDLDM_F32, 2, y);
#if defined(__SSE__)
    unsigned after = _mm_getcsr();
    _mm_setcsr(before & ~0x8040u);
    assert_int_equal(after, before);
#endif
    assert_int_equal(omp_number("omp_get_max_threads", library)(), 7);
    assert_int_equal(omp_number("omp_get_dynamic", library)(), 0);
    dlclose(library);
}

int main(void)
{
    const mdldm_backend *list[MOST_BACKENDS];
    int count = backend_list(list);
    for (int i = 0; i < count; i++)
        if (strcmp(list[i]->name, "cpu") == 0)
            backend = list[i];
    if (backend == NULL) {
        print_message("the cpu backend cannot run here\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_give_the_same_bits),
        cmocka_unit_test(host_settings_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
