/* SPDX-License-Identifier: MIT
 * The cpu plug-in and threads: convolutions at the shapes of real models give the same bits with one
 * thread and several (oneDNN picks its blocking by the thread count, so this is not a matter of
 * course), whatever OpenMP settings the host has and whichever of its threads calls, and the host finds
 * its OpenMP and floating-point settings as it left them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "../support/backend_list.h"
#include "../support/op_cases.h"
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

/* ---- The host's OpenMP ---- */

/* The libgomp that the plug-in was linked with; GOMP_parallel is what gcc makes of a parallel region. */
typedef struct openmp {
    void *library;
    int (*get_max_threads)(void), (*get_dynamic)(void), (*get_max_active_levels)(void);
    void (*set_num_threads)(int), (*set_dynamic)(int), (*set_max_active_levels)(int);
    void (*parallel)(void (*body)(void *), void *data, unsigned threads, unsigned flags);
} openmp;

static void find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    assert_non_null(symbol);
    memcpy(function, &symbol, sizeof symbol);
}

static int open_openmp(openmp *o)
{
    o->library = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (o->library == NULL)
        return 0; /* the plug-in was linked with another OpenMP */
    find(o->library, "omp_get_max_threads", &o->get_max_threads);
    find(o->library, "omp_get_dynamic", &o->get_dynamic);
    find(o->library, "omp_get_max_active_levels", &o->get_max_active_levels);
    find(o->library, "omp_set_num_threads", &o->set_num_threads);
    find(o->library, "omp_set_dynamic", &o->set_dynamic);
    find(o->library, "omp_set_max_active_levels", &o->set_max_active_levels);
    find(o->library, "GOMP_parallel", &o->parallel);
    return 1;
}

static void count_thread(void *data)
{
    __atomic_add_fetch((int *)data, 1, __ATOMIC_RELAXED);
}

/* Large enough to be divided, and one that is not. */
static const conv_shape host_shapes[] = {{1, 32, 96, 64, 3, 1}, {1, 16, 224, 224, 3, 1}, {1, 8, 32, 32, 1, 1}};

/* A hash (FNV-1a) of the bits of host_shapes' results in both precisions. */
static uint64_t results(int32_t threads)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof host_shapes / sizeof *host_shapes; i++)
        for (int32_t act = MDLDM_F32; act <= MDLDM_BF16; act++) {
            const conv_shape *s = &host_shapes[i];
            size_t count = (size_t)(s->n * s->size * s->size * s->oc);
            float *y = calloc(count, sizeof *y);
            assert_non_null(y);
            run_conv(s, act, threads, y);
            for (size_t k = 0; k < count * sizeof *y; k++)
                hash = (hash ^ ((const unsigned char *)y)[k]) * 1099511628211u;
            free(y);
        }
    return hash;
}

/* Forward and backward, with narrow heads and wide ones, more tokens than a block has. */
static void attention_gives_the_same_bits(void **state)
{
    (void)state;
    static const char *const names[] = {"attention, heads of 8, 1024 tokens",
                                        "attention, heads of 24, far scores",
                                        "attention, one head of 200, 289 tokens"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int32_t act = MDLDM_F32; act <= MDLDM_BF16; act++) {
            op_case results[2];
            for (int several = 0; several < 2; several++) {
                test_host host;
                test_host_init(&host, NULL);
                mdldm_device *device = NULL;
                op_case_open(&results[several], op_case_find(names[i], act));
                if (backend->device_open(&host.host, "", several ? 3 : 1, &device) != MDLDM_OK ||
                    op_case_run(&results[several], backend, device) != MDLDM_OK)
                    fail_msg("%s", host.error);
                backend->device_close(device);
            }
            for (int r = 0; r < results[0].read_count; r++)
                if (memcmp(results[0].reads[r].values, results[1].reads[r].values,
                           (size_t)results[0].reads[r].count * sizeof(float)) != 0)
                    fail_msg("%s, %s: 3 threads give other bits than one in %s", names[i],
                             act == MDLDM_BF16 ? "bf16" : "f32", results[0].reads[r].name);
            op_case_close(&results[0]);
            op_case_close(&results[1]);
        }
}

static void host_settings_come_back(void **state)
{
    (void)state;
    openmp o;
    if (!open_openmp(&o))
        skip();
    static const int settings[][3] = {{7, 0, 1}, {1, 1, 1}, {8, 1, 0}, {3, 0, 4}}; /* threads, dynamic, levels */
    int levels = o.get_max_active_levels();
    uint64_t expected = results(2);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        o.set_num_threads(settings[i][0]);
        o.set_dynamic(settings[i][1]);
        o.set_max_active_levels(settings[i][2]);
#if defined(__SSE__)
        unsigned before = _mm_getcsr() | 0x8040u; /* a host that flushes subnormals */
        _mm_setcsr(before);
#endif
        uint64_t hash = results(2);
#if defined(__SSE__)
        unsigned after = _mm_getcsr();
        _mm_setcsr(before & ~0x8040u);
        assert_int_equal(after, before);
#endif
        assert_true(hash == expected);
        assert_int_equal(o.get_max_threads(), settings[i][0]);
        assert_int_equal(o.get_dynamic(), settings[i][1]);
        assert_int_equal(o.get_max_active_levels(), settings[i][2]);
        if (settings[i][1] == 0) { /* with dynamic set, OpenMP may give fewer */
            int count = 0;
            o.parallel(count_thread, &count, 0, 0);
            assert_int_equal(count, settings[i][0]);
        }
    }
    o.set_max_active_levels(levels);
    o.set_dynamic(0);
    dlclose(o.library);
}

/* The first thread of the host's region opens devices and runs on them: one of several threads has its own, one of a
 * single thread works right there. */
typedef struct inside {
    int turn;
    uint64_t several, one;
} inside;

static void call_from_region(void *data)
{
    inside *in = data;
    if (__atomic_fetch_add(&in->turn, 1, __ATOMIC_RELAXED) != 0)
        return;
    in->several = results(2);
    in->one = results(1);
}

static void inside_a_region_it_works(void **state)
{
    (void)state;
    openmp o;
    if (!open_openmp(&o))
        skip();
    inside in = {0};
    const uint64_t expected = results(2);
    o.parallel(call_from_region, &in, 2, 0);
    assert_true(in.several == expected);
    assert_true(in.one == expected);
    dlclose(o.library);
}

/* Threads of this process, once there are no more than `most`: one that was joined may be listed a moment longer. */
static int tasks(int most)
{
    int n = 0;
    for (int wait = 0; wait < 500; wait++) {
        DIR *d = opendir("/proc/self/task");
        assert_non_null(d);
        n = 0;
        for (struct dirent *e; (e = readdir(d)) != NULL;)
            n += e->d_name[0] != '.';
        closedir(d);
        if (n <= most)
            break;
        usleep(2000);
    }
    return n;
}

/* While the host's own team waits for its next region; one thread needs no other. */
static void closing_leaves_no_thread(void **state)
{
    (void)state;
    openmp o;
    if (!open_openmp(&o))
        skip();
    int count = 0;
    o.parallel(count_thread, &count, 3, 0);
    assert_int_equal(count, 3);
    const int before = tasks(3);
    assert_int_equal(before, 3);
    for (int32_t threads = 1; threads <= 6; threads++) {
        test_host host;
        test_host_init(&host, NULL);
        mdldm_device *device = NULL;
        assert_int_equal(backend->device_open(&host.host, "", threads, &device), MDLDM_OK);
        const int open = before + (threads > 1 ? threads : 0);
        assert_int_equal(tasks(open), open);
        backend->device_close(device);
        assert_int_equal(tasks(before), before);
    }
    count = 0;
    o.parallel(count_thread, &count, 3, 0);
    assert_int_equal(count, 3);
    assert_int_equal(tasks(before), before);
    dlclose(o.library);
}

static void *results_of_thread(void *hash)
{
    *(uint64_t *)hash = results(2);
    return NULL;
}

/* Threads that OpenMP did not make, two at a time. */
static void threads_of_the_host_may_call(void **state)
{
    (void)state;
    uint64_t expected = results(2), found[2] = {0, 0};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, results_of_thread, &found[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_true(found[i] == expected);
    }
}

/* This program again in another environment: its hash, and that its settings came back. */
static uint64_t results_with(const char *name, const char *value)
{
    int ends[2];
    uint64_t hash = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv(name, value, 1);
        execl("/proc/self/exe", "test_cpu_threads", "child", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    assert_non_null(out);
    char line[256];
    while (fgets(line, sizeof line, out) != NULL)
        sscanf(line, "hash %" SCNx64, &hash);
    fclose(out);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s=%s: wait status %d", name, value, status);
    return hash;
}

static int run_as_child(void)
{
    openmp o;
    if (!open_openmp(&o))
        return 0;
    int threads = o.get_max_threads(), dynamic = o.get_dynamic(), levels = o.get_max_active_levels();
    printf("hash %" PRIx64 "\n", results(2));
    return o.get_max_threads() == threads && o.get_dynamic() == dynamic && o.get_max_active_levels() == levels
               ? 0
               : 1;
}

/* A system that gives no more threads: pthread_create of this program stands before the C library's. */
static int threads_left = -1; /* -1: as many as one likes */

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                                                          void *(*body)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL)
        find(RTLD_NEXT, "pthread_create", &real);
    if (threads_left == 0)
        return EAGAIN;
    threads_left -= threads_left > 0;
    return real(thread, attr, body, argument);
}

static void too_few_threads_are_an_error(void **state)
{
    (void)state;
    const int before = tasks(1);
    for (int left = 0; left <= 4; left++) { /* at 4 the rehearsal succeeds, and the start behind it fails */
        test_host host;
        test_host_init(&host, NULL);
        mdldm_device *device = (mdldm_device *)&host;
        threads_left = left;
        const mdldm_status status = backend->device_open(&host.host, "", 4, &device);
        threads_left = -1;
        assert_int_equal(status, MDLDM_ERROR_OUT_OF_MEMORY);
        assert_non_null(strstr(host.error, "cannot start 4 threads: Resource temporarily unavailable"));
        assert_null(device);
        assert_int_equal(tasks(before), before);
        assert_int_equal(host.own.live, 0);
    }
}

static void environments_do_not_matter(void **state)
{
    (void)state;
    static const char *const settings[][2] = {
        {"OMP_NUM_THREADS", "1"}, {"OMP_NUM_THREADS", "8"},       {"OMP_DYNAMIC", "true"},
        {"OMP_NESTED", "true"},   {"OMP_MAX_ACTIVE_LEVELS", "0"}, {"OMP_THREAD_LIMIT", "1"},
        {"OMP_PROC_BIND", "true"}, {"OMP_WAIT_POLICY", "passive"}, {"MDLDM_CPU_DIVIDE_ALL", "0"}};
    openmp o;
    if (!open_openmp(&o))
        skip();
    dlclose(o.library);
    uint64_t expected = results(2);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (results_with(settings[i][0], settings[i][1]) != expected)
            fail_msg("%s=%s gives other results", settings[i][0], settings[i][1]);
}

int main(int argc, char **argv)
{
    (void)argv;
    const mdldm_backend *list[MOST_BACKENDS];
    backend_divide_all();
    int count = backend_list(list);
    for (int i = 0; i < count; i++)
        if (strcmp(list[i]->name, "cpu") == 0)
            backend = list[i];
    if (backend == NULL) {
        print_message("the cpu backend cannot run here\n");
        return 0;
    }
    if (argc == 2)
        return run_as_child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_give_the_same_bits),   cmocka_unit_test(host_settings_come_back),
        cmocka_unit_test(inside_a_region_it_works),   cmocka_unit_test(threads_of_the_host_may_call),
        cmocka_unit_test(environments_do_not_matter),
        cmocka_unit_test(attention_gives_the_same_bits), cmocka_unit_test(closing_leaves_no_thread),
        cmocka_unit_test(too_few_threads_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
