/* SPDX-License-Identifier: MIT
 * The calls of the test runtime: work runs as late as CUDA allows, captured work is replayed, every call fails when
 * told to, what is alive is counted, the device is as it is set. */
#include "tests/cuda/cuda_test.h"

#include <pthread.h>

enum { N = 64, BYTES = N * sizeof(float) };

/* y[i] = x[i] + 1 */
static const char add_one[] =
    ".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry add_one(.param .u64 x, .param .u64 y) {\n"
    ".reg .b64 %d<4>; .reg .b32 %r0; .reg .f32 %f<2>;\n"
    "mov.u32 %r0, %tid.x; mul.wide.u32 %d2, %r0, 4; ld.param.u64 %d0, [x]; ld.param.u64 %d1, [y];\n"
    "add.s64 %d0, %d0, %d2; add.s64 %d1, %d1, %d2; ld.global.f32 %f0, [%d0]; add.f32 %f1, %f0, 0f3F800000;\n"
    "st.global.f32 [%d1], %f1; ret; }\n";

static int start(void *kernel, void *x, void *y, void *stream)
{
    void *list[2] = {&x, &y};
    const fake_launch_config config = {.grid = {1, 1, 1}, .threads = {N, 1, 1}, .stream = stream};
    return cudaLaunchKernelExC(&config, kernel, list);
}

static void set_all(float *x, float value)
{
    for (int i = 0; i < N; i++)
        x[i] = value;
}

/* A copy from pinned memory takes what is there when it must run, not what was there at the call; to pinned memory it
 * arrives no earlier. Pageable memory is read at the call. */
static void copies_are_late(void **state)
{
    (void)state;
    float *in, *out, pageable[N];
    assert_int_equal(cudaMallocHost((void **)&in, BYTES), 0);
    assert_int_equal(cudaMallocHost((void **)&out, BYTES), 0);
    void *device = device_room(BYTES);
    set_all(in, 1.0f);
    set_all(out, -1.0f);
    assert_int_equal(cudaMemcpyAsync(device, in, BYTES, TO_DEVICE, the_stream), 0);
    assert_int_equal(cudaMemcpyAsync(out, device, BYTES, TO_HOST, the_stream), 0);
    set_all(in, 2.0f);
    assert_float_equal(out[0], -1.0f, 0.0);
    assert_int_equal(cudaStreamSynchronize(the_stream), 0);
    assert_float_equal(out[N - 1], 2.0f, 0.0);
    set_all(pageable, 3.0f);
    assert_int_equal(cudaMemcpyAsync(device, pageable, BYTES, TO_DEVICE, the_stream), 0);
    set_all(pageable, 4.0f);
    assert_int_equal(from_device(pageable, device, BYTES), 0);
    assert_float_equal(pageable[0], 3.0f, 0.0);
}

/* Without an event a second stream's work is not there yet; with one it is. */
static void streams_wait_for_events_alone(void **state)
{
    (void)state;
    void *other, *event;
    float values[N], *late;
    assert_int_equal(cudaStreamCreateWithFlags(&other, 1), 0);
    assert_int_equal(cudaEventCreateWithFlags(&event, 2), 0);
    assert_int_equal(cudaMallocHost((void **)&late, BYTES), 0);
    set_all(late, 5.0f);
    set_all(values, 0.0f);
    void *x = on_device(values, BYTES), *y = on_device(values, BYTES);
    assert_int_equal(cudaStreamSynchronize(the_stream), 0);
    assert_int_equal(cudaMemcpyAsync(x, late, BYTES, TO_DEVICE, other), 0);
    assert_int_equal(from_device(values, x, BYTES), 0);
    assert_float_equal(values[0], 0.0f, 0.0);
    assert_int_equal(cudaMemcpyAsync(y, late, BYTES, TO_DEVICE, other), 0);
    assert_int_equal(cudaEventRecord(event, other), 0);
    assert_int_equal(cudaStreamWaitEvent(the_stream, event, 0), 0);
    assert_int_equal(from_device(values, y, BYTES), 0);
    assert_float_equal(values[0], 5.0f, 0.0);
    fake_cuda_set("EAGER", "1"); /* the other extreme: at once */
    set_all(late, 6.0f);
    assert_int_equal(cudaMemcpyAsync(x, late, BYTES, TO_DEVICE, other), 0);
    assert_int_equal(from_device(values, x, BYTES), 0);
    assert_float_equal(values[0], 6.0f, 0.0);
}

static void captured_work_is_replayed(void **state)
{
    (void)state;
    float values[N], *pinned;
    void *graph = NULL, *exec = NULL;
    set_all(values, 1.0f);
    void *x = on_device(values, BYTES), *kernel = kernel_of(library_of(add_one), "add_one");
    assert_int_equal(cudaMallocHost((void **)&pinned, BYTES), 0);
    assert_int_equal(cudaStreamSynchronize(the_stream), 0);
    assert_int_equal(cudaStreamBeginCapture(the_stream, 1), 0);
    assert_int_equal(start(kernel, x, x, the_stream), 0);
    assert_int_equal(start(kernel, x, x, the_stream), 0);
    assert_int_equal(cudaMemcpyAsync(pinned, x, BYTES, TO_HOST, the_stream), 0);
    assert_int_equal(cudaStreamEndCapture(the_stream, &graph), 0);
    assert_int_equal(fake_cuda_launches("add_one"), 0); /* captured, not run */
    assert_int_equal(cudaGraphInstantiate(&exec, graph, 0), 0);
    assert_int_equal(cudaGraphDestroy(graph), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cudaGraphLaunch(exec, the_stream), 0);
    assert_int_equal(cudaGraphExecDestroy(exec), 0); /* what is queued keeps it */
    assert_int_equal(fake_cuda_live("graphs"), 0);
    assert_int_equal(cudaStreamSynchronize(the_stream), 0);
    assert_float_equal(pinned[N - 1], 7.0f, 0.0);
    assert_int_equal(fake_cuda_launches("add_one"), 6);
    /* while a stream is captured nothing may wait for it */
    assert_int_equal(cudaStreamBeginCapture(the_stream, 1), 0);
    assert_int_equal(cudaStreamSynchronize(the_stream), 900);
    assert_int_equal(cudaStreamEndCapture(the_stream, &graph), 901);
    assert_null(graph);
}

static void *take_and_give(void *error)
{
    void *p = NULL;
    *(int *)error = cudaMalloc(&p, 64);
    (void)cudaFree(p);
    return NULL;
}

/* Memory is not taken by a thread that captures, nor by others while a capture is global; relaxed ones allow it. */
static void captures_keep_threads_from_memory(void **state)
{
    (void)state;
    static const struct {
        int mode, own, other;
    } cases[] = {{0, 900, 900}, {1, 900, 0}, {2, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int own = -1, other = -1;
        pthread_t thread;
        void *graph = NULL;
        assert_int_equal(cudaStreamBeginCapture(the_stream, cases[i].mode), 0);
        take_and_give(&own);
        assert_int_equal(pthread_create(&thread, NULL, take_and_give, &other), 0);
        pthread_join(thread, NULL);
        (void)cudaStreamEndCapture(the_stream, &graph);
        assert_int_equal(own, cases[i].own);
        assert_int_equal(other, cases[i].other);
    }
}

static void misuse_is_found(void **state)
{
    (void)state;
    float values[N] = {0};
    void *x = on_device(values, BYTES), *fresh = device_room(BYTES), *kernel = kernel_of(library_of(add_one), "add_one");
    fake_cuda_set("LOG", "/dev/null");
    /* beyond an end, wrong direction, unknown handles */
    assert_int_equal(cudaMemcpyAsync(x, values, BYTES + 4, TO_DEVICE, the_stream), 1);
    assert_int_equal(cudaMemcpyAsync(values, x, BYTES, TO_DEVICE, the_stream), 1);
    assert_int_equal(cudaStreamSynchronize(x), 400);
    assert_int_equal(start(x, x, x, the_stream), 98);
    assert_int_equal(cudaFree(values), 1);
    const fake_launch_config large = {.grid = {1, 1, 1}, .threads = {2048, 1, 1}, .stream = the_stream};
    const fake_launch_config greedy = {.grid = {1, 1, 1}, .threads = {N, 1, 1}, .dynamic = 60000, .stream = the_stream};
    void *list[2] = {&x, &x};
    assert_int_equal(cudaLaunchKernelExC(&large, kernel, list), 9);
    assert_int_equal(cudaLaunchKernelExC(&greedy, kernel, list), 1);
    assert_int_equal(cudaFuncSetAttribute(kernel, 8, 60000), 0);
    assert_int_equal(cudaFuncSetAttribute(kernel, 8, 1 << 20), 1);
    assert_int_equal(cudaLaunchKernelExC(&greedy, kernel, list), 0);
    /* memory that nobody has written, on its way to the host */
    assert_int_equal(from_device(values, fresh, BYTES), LAUNCH_FAILURE);
    /* free memory is gone */
    fake_cuda_reset();
    fake_cuda_set("LOG", "/dev/null");
    assert_int_equal(cudaStreamCreateWithFlags(&the_stream, 1), 0);
    x = on_device(values, BYTES);
    kernel = kernel_of(library_of(add_one), "add_one");
    assert_int_equal(cudaFree(x), 0);
    assert_int_equal(cudaFree(x), 1);
    assert_int_equal(start(kernel, x, x, the_stream), 0);
    assert_int_equal(cudaStreamSynchronize(the_stream), LAUNCH_FAILURE);
    assert_non_null(strstr(fake_cuda_finding(), "cudaFree of what was not allocated so"));
}

static int code(void)
{
    void *p = NULL, *library = NULL, *kernel = NULL, *event = NULL, *pinned = NULL, *stream = NULL, *graph = NULL, *exec = NULL;
    int count, value, errors = 0;
    size_t a, b;
    float values[N] = {0};
    errors += cudaGetDeviceCount(&count) != 0;
    errors += cudaSetDevice(0) != 0;
    errors += cudaGetDevice(&value) != 0;
    errors += cudaDeviceGetAttribute(&value, 75, 0) != 0;
    errors += cudaMemGetInfo(&a, &b) != 0;
    errors += cudaDriverGetVersion(&value) != 0;
    errors += cudaRuntimeGetVersion(&value) != 0;
    errors += cudaStreamCreateWithFlags(&stream, 1) != 0;
    errors += cudaEventCreateWithFlags(&event, 2) != 0;
    errors += cudaMalloc(&p, BYTES) != 0;
    errors += cudaMallocHost(&pinned, BYTES) != 0;
    errors += cudaMemsetAsync(p, 0, BYTES, stream) != 0;
    errors += cudaMemcpyAsync(p, values, BYTES, TO_DEVICE, stream) != 0;
    errors += cudaLibraryLoadData(&library, add_one, NULL, NULL, 0, NULL, NULL, 0) != 0;
    errors += cudaLibraryGetKernel(&kernel, library, "add_one") != 0;
    errors += cudaFuncSetAttribute(kernel, 8, 50000) != 0;
    errors += cudaStreamSynchronize(stream) != 0;
    errors += cudaStreamBeginCapture(stream, 1) != 0;
    errors += start(kernel, p, p, stream) != 0;
    errors += cudaStreamEndCapture(stream, &graph) != 0;
    errors += cudaGraphInstantiate(&exec, graph, 0) != 0;
    errors += cudaGraphLaunch(exec, stream) != 0;
    errors += cudaEventRecord(event, stream) != 0;
    errors += cudaEventSynchronize(event) != 0;
    errors += cudaGraphExecDestroy(exec) != 0;
    errors += cudaGraphDestroy(graph) != 0;
    errors += cudaEventDestroy(event) != 0;
    errors += cudaFree(p) != 0;
    errors += cudaFreeHost(pinned) != 0;
    errors += cudaStreamDestroy(stream) != 0;
    errors += cudaLibraryUnload(library) != 0;
    errors += cudaGetLastError() != 0;
    return errors;
}

static void nothing_is_alive(void)
{
    static const char *const kinds[] = {"allocations", "pinned", "streams", "events", "graphs", "libraries"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (fake_cuda_live(kinds[i]) != 0)
            fail_msg("%lld %s left", (long long)fake_cuda_live(kinds[i]), kinds[i]);
}

static void every_call_can_fail(void **state)
{
    (void)state;
    fake_cuda_reset();
    fake_cuda_set("LOG", "/dev/null");
    assert_int_equal(code(), 0);
    nothing_is_alive();
    const uint64_t calls = fake_cuda_calls("any");
    assert_int_equal(calls, 32);
    for (uint64_t i = 1; i <= calls; i++) {
        char which[32];
        fake_cuda_reset();
        fake_cuda_set("LOG", "/dev/null");
        snprintf(which, sizeof which, "any:%llu", (unsigned long long)i);
        assert_int_equal(fake_cuda_set("FAIL", which), 0);
        if (code() == 0)
            fail_msg("call %llu did not fail", (unsigned long long)i);
        /* a call that gives back does so even when it reports an error */
        if (i > 24)
            nothing_is_alive();
    }
    fake_cuda_reset();
    fake_cuda_set("FAIL", "cudaMalloc:2");
    void *p, *q;
    assert_int_equal(cudaMalloc(&p, 16), 0);
    assert_int_equal(cudaMalloc(&q, 16), 2);
    assert_int_equal(cudaGetLastError(), 2);
    assert_int_equal(cudaGetLastError(), 0);
    assert_int_equal(fake_cuda_set("NONSENSE", "1"), -1);
}

static void the_device_is_as_set(void **state)
{
    (void)state;
    int count = -1, value = 0;
    size_t available, total;
    void *p;
    const uint32_t fatbin[4] = {0xba55ed50};
    fake_cuda_reset();
    fake_cuda_set("LOG", "/dev/null");
    assert_int_equal(cudaLibraryLoadData(&p, fatbin, NULL, NULL, 0, NULL, NULL, 0), 209);
    assert_int_equal(cudaDeviceGetAttribute(&value, 97, 0), 0);
    assert_int_equal(value, 163 * 1024);
    fake_cuda_set("CAPABILITY", "7.5");
    fake_cuda_set("MEMORY", "1M");
    fake_cuda_set("DEVICES", "2");
    assert_int_equal(cudaGetDeviceCount(&count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(cudaSetDevice(1), 0);
    assert_int_equal(cudaSetDevice(2), 101);
    assert_int_equal(cudaGetDevice(&value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(cudaDeviceGetAttribute(&value, 75, 1), 0);
    assert_int_equal(value, 7);
    assert_int_equal(cudaMalloc(&p, 600 << 10), 0);
    assert_int_equal(cudaMemGetInfo(&available, &total), 0);
    assert_int_equal(total, 1 << 20);
    assert_int_equal(available, 424 << 10);
    assert_int_equal(cudaMalloc(&p, 600 << 10), 2);
    assert_int_equal(fake_cuda_bytes(1), 600 << 10);
    fake_cuda_set("DEVICES", "0");
    assert_int_equal(cudaGetDeviceCount(&count), 100);
    fake_cuda_set("DRIVER", "0");
    assert_int_equal(cudaDriverGetVersion(&value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(cudaGetDeviceCount(&count), 35);
    assert_int_equal(cudaSetDevice(0), 35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(copies_are_late, begin_device, end_device),
        cmocka_unit_test_setup_teardown(streams_wait_for_events_alone, begin_device, end_device),
        cmocka_unit_test_setup_teardown(captured_work_is_replayed, begin_device, end_device),
        cmocka_unit_test_setup_teardown(captures_keep_threads_from_memory, begin_device, end_device),
        cmocka_unit_test_setup_teardown(misuse_is_found, begin_device, end_device),
        cmocka_unit_test_teardown(every_call_can_fail, end_device),
        cmocka_unit_test_teardown(the_device_is_as_set, end_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
