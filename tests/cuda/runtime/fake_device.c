/* SPDX-License-Identifier: MIT
 * Devices and memory. */
#include "tests/cuda/runtime/fake_state.h"
#include "tests/cuda/runtime/fake_calls.h"

#include <string.h>

int cudaGetDeviceCount(int *count)
{
    fake_error e = fake_enter("cudaGetDeviceCount");
    *count = e == FAKE_OK ? fake.devices : 0;
    if (e == FAKE_OK && fake.devices == 0)
        e = FAKE_NO_DEVICE;
    return fake_leave(e);
}

int cudaSetDevice(int device)
{
    fake_error e = fake_enter("cudaSetDevice");
    if (e == FAKE_OK && (device < 0 || device >= fake.devices))
        e = FAKE_DEVICE;
    if (e == FAKE_OK)
        fake_device = device;
    return fake_leave(e);
}

int cudaGetDevice(int *device)
{
    const fake_error e = fake_enter("cudaGetDevice");
    if (e == FAKE_OK)
        *device = fake_device;
    return fake_leave(e);
}

/* The A100's numbers, by capability where they differ: CUDA C++ Programming Guide, "Technical Specifications per
 * Compute Capability". */
static int attribute(int which, int *value)
{
    const int version = 10 * fake.major + fake.minor;
    switch (which) {
    case 1: *value = 1024; return 0;           /* threads per block */
    case 8: *value = 48 << 10; return 0;       /* shared memory per block */
    case 10: *value = 32; return 0;            /* warp size */
    case 16: *value = 4; return 0;             /* multiprocessors: few, so that grids take more than one round */
    case 75: *value = fake.major; return 0;
    case 76: *value = fake.minor; return 0;
    case 97: *value = (version == 80 || version == 87 ? 163 : version == 75 ? 64 : version >= 90 && version < 120 ? 227 : 99) << 10; return 0;
    default: return -1;
    }
}

int cudaDeviceGetAttribute(int *value, int which, int device)
{
    fake_error e = fake_enter("cudaDeviceGetAttribute");
    if (e == FAKE_OK && (device < 0 || device >= fake.devices))
        e = FAKE_DEVICE;
    if (e == FAKE_OK && attribute(which, value) != 0) {
        fake_say("cudaDeviceGetAttribute: attribute %d is not known to the test runtime", which);
        e = FAKE_VALUE;
    }
    return fake_leave(e);
}

int fake_shared_limit(void)
{
    int limit = 0;
    (void)attribute(97, &limit);
    return limit;
}

int cudaMemGetInfo(size_t *available, size_t *total)
{
    const fake_error e = fake_enter("cudaMemGetInfo");
    if (e == FAKE_OK) {
        *total = fake.memory;
        *available = fake.memory - sim_allocated(SIM_DEVICE_MEMORY, NULL);
    }
    return fake_leave(e);
}

int cudaDriverGetVersion(int *version)
{
    const fake_error e = fake_enter("cudaDriverGetVersion");
    if (e == FAKE_OK || e == FAKE_LAUNCH)
        *version = fake.driver;
    return fake_leave(e == FAKE_LAUNCH ? FAKE_OK : e);
}

int cudaRuntimeGetVersion(int *version)
{
    const fake_error e = fake_enter("cudaRuntimeGetVersion");
    if (e == FAKE_OK || e == FAKE_LAUNCH)
        *version = 13000;
    return fake_leave(e == FAKE_LAUNCH ? FAKE_OK : e);
}

int cudaMalloc(void **pointer, size_t size)
{
    fake_error e = fake_enter("cudaMalloc");
    if (e == FAKE_OK && fake_capturing())
        e = FAKE_CAPTURE;
    if (e == FAKE_OK && size == 0) {
        *pointer = NULL;
        return fake_leave(e);
    }
    if (e == FAKE_OK) {
        const uint64_t used = sim_allocated(SIM_DEVICE_MEMORY, NULL);
        void *got = size <= fake.memory - used ? sim_allocate(size, SIM_DEVICE_MEMORY) : NULL;
        if (got) {
            *pointer = got;
            if (used + size > fake.most)
                fake.most = used + size;
        } else {
            e = FAKE_MEMORY;
        }
    }
    return fake_leave(e);
}

int cudaMallocHost(void **pointer, size_t size)
{
    fake_error e = fake_enter("cudaMallocHost");
    if (e == FAKE_OK && fake_capturing())
        e = FAKE_CAPTURE;
    if (e == FAKE_OK) {
        void *got = sim_allocate(size, SIM_PINNED_MEMORY);
        if (got)
            *pointer = got;
        else
            e = FAKE_MEMORY;
    }
    return fake_leave(e);
}

/* Both wait for all that is queued, as the real ones do. */
static int release(const char *name, void *pointer, sim_kind kind)
{
    fake_error e = fake_enter(name);
    if (pointer) {
        const fake_error late = fake_run_all();
        if (e == FAKE_OK)
            e = late;
        if (!sim_release(pointer, kind)) {
            fake_say("%s of what was not allocated so, or is free already", name);
            e = FAKE_VALUE;
        }
    }
    return fake_leave(e);
}

int cudaFree(void *pointer)
{
    return release("cudaFree", pointer, SIM_DEVICE_MEMORY);
}

int cudaFreeHost(void *pointer)
{
    return release("cudaFreeHost", pointer, SIM_PINNED_MEMORY);
}
