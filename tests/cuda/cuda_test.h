/* SPDX-License-Identifier: MIT
 * What the tests of the test runtime share: one stream, memory, launches of kernels with one struct as parameter. */
#ifndef MDLDM_TESTS_CUDA_TEST_H
#define MDLDM_TESTS_CUDA_TEST_H

#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cuda/runtime/fake_calls.h"

enum { TO_DEVICE = 1, TO_HOST = 2, ON_DEVICE = 3, LAUNCH_FAILURE = 719 };

static void *the_stream;

static inline int begin_device(void **state)
{
    (void)state;
    fake_cuda_reset();
    return cudaStreamCreateWithFlags(&the_stream, 1);
}

static inline int end_device(void **state)
{
    (void)state;
    fake_cuda_reset();
    return 0;
}

static inline void *device_room(size_t size)
{
    void *p = NULL;
    assert_int_equal(cudaMalloc(&p, size), 0);
    return p;
}

static inline void *on_device(const void *values, size_t size)
{
    void *p = device_room(size);
    assert_int_equal(cudaMemcpyAsync(p, values, size, TO_DEVICE, the_stream), 0);
    return p;
}

static inline int from_device(void *values, const void *device, size_t size)
{
    return cudaMemcpyAsync(values, device, size, TO_HOST, the_stream);
}

static inline int launch(void *kernel, uint32_t grid, uint32_t threads, size_t shared, const void *args)
{
    void *list[1] = {(void *)(uintptr_t)args};
    const fake_launch_config config = {
        .grid = {grid, 1, 1}, .threads = {threads, 1, 1}, .dynamic = shared, .stream = the_stream};
    return cudaLaunchKernelExC(&config, kernel, list);
}

static inline void *kernel_of(void *library, const char *name)
{
    void *kernel = NULL;
    if (cudaLibraryGetKernel(&kernel, library, name) != 0)
        fail_msg("no kernel '%s'", name);
    return kernel;
}

static inline void *library_of(const char *text)
{
    void *library = NULL;
    if (cudaLibraryLoadData(&library, text, NULL, NULL, 0, NULL, NULL, 0) != 0)
        fail_msg("not loaded: %s", fake_cuda_finding());
    return library;
}

/* build/tests/cuda/kernels/COMPILER/NAME.ptx, or NULL where that compiler is not. Free it. */
static inline char *compiled(const char *compiler, const char *name)
{
    char self[1024], path[1200];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return NULL;
    self[length] = '\0';
    snprintf(path, sizeof path, "%s/kernels/%s/%s.ptx", dirname(self), compiler, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *text = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        const long size = ftell(file);
        text = calloc(1, (size_t)size + 1);
        rewind(file);
        if (text != NULL && fread(text, 1, (size_t)size, file) != (size_t)size) {
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

static const char *const compilers[] = {"clang", "nvcc"};

#endif
