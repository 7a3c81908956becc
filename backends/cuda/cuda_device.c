/* SPDX-License-Identifier: MIT */
#include "cuda_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_images.h"

#define LEAST_CAPABILITY 80

mdldm_status mdldm__cuda_check(const mdldm_device *device, int error, const char *what)
{
    if (error == MDLDM__CUDA_SUCCESS)
        return MDLDM_OK;
    (void)device->api->cudaGetLastError();
    return mdldm__host_error(device->host,
                             error == MDLDM__CUDA_ERROR_MEMORY ? MDLDM_ERROR_OUT_OF_MEMORY : MDLDM_ERROR_INTERNAL,
                             "cuda:%d: %s failed: %s (error %d)", device->index, what,
                             device->api->cudaGetErrorString(error), error);
}

mdldm_status mdldm__cuda_enter(const mdldm_device *device, mdldm__cuda_guard *guard)
{
    guard->device = device;
    mdldm_status status = mdldm__cuda_check(device, device->api->cudaGetDevice(&guard->previous), "cudaGetDevice");
    if (status == MDLDM_OK && guard->previous != device->index)
        status = mdldm__cuda_check(device, device->api->cudaSetDevice(device->index), "cudaSetDevice");
    return status;
}

void mdldm__cuda_enter_to_close(const mdldm_device *device, mdldm__cuda_guard *guard)
{
    guard->device = device;
    guard->previous = device->index;
    if (device->api->cudaGetDevice(&guard->previous) != 0 ||
        (guard->previous != device->index && device->api->cudaSetDevice(device->index) != 0))
        (void)device->api->cudaGetLastError();
}

void mdldm__cuda_leave(const mdldm__cuda_guard *guard)
{
    if (guard->previous != guard->device->index && guard->device->api->cudaSetDevice(guard->previous) != 0)
        (void)guard->device->api->cudaGetLastError();
}

mdldm_status mdldm__cuda_malloc(const mdldm_device *device, size_t bytes, const char *what, void **out)
{
    *out = NULL;
    int error = device->api->cudaMalloc(out, bytes > 0 ? bytes : 1);
    if (error == MDLDM__CUDA_SUCCESS)
        return MDLDM_OK;
    *out = NULL;
    if (error != MDLDM__CUDA_ERROR_MEMORY)
        return mdldm__cuda_check(device, error, "cudaMalloc");
    size_t unused = 0, total = 0;
    (void)device->api->cudaGetLastError();
    if (device->api->cudaMemGetInfo(&unused, &total) != 0)
        (void)device->api->cudaGetLastError();
    return mdldm__host_error(device->host, MDLDM_ERROR_OUT_OF_MEMORY,
                             "cuda:%d: out of memory (%zu bytes of %s; %zu of %zu bytes are free)", device->index, bytes,
                             what, unused, total);
}

void mdldm__cuda_free(const mdldm_device *device, void *pointer)
{
    if (pointer != NULL && device->api->cudaFree(pointer) != 0)
        (void)device->api->cudaGetLastError();
}

void mdldm__cuda_drain(const mdldm_device *device)
{
    if (device->stream != NULL && device->api->cudaStreamSynchronize(device->stream) != 0)
        (void)device->api->cudaGetLastError();
}

/* ---- Kernels ---- */

static int by_name(const void *key, const void *entry)
{
    return strcmp(key, ((const mdldm__cuda_kernel_name *)entry)->name);
}

/* Machine code for this GPU where the plug-in has it, else the driver compiles the PTX. */
static mdldm_status load_image(mdldm_device *device, int32_t image)
{
    const mdldm__cuda_image *from = &mdldm__cuda_images[image];
    mdldm__cuda_handle *library = &device->libraries[image];
    if (from->fatbin != NULL) {
        if (device->api->cudaLibraryLoadData(library, from->fatbin, NULL, NULL, 0, NULL, NULL, 0) == 0)
            return MDLDM_OK;
        (void)device->api->cudaGetLastError();
        *library = NULL;
    }
    int error = device->api->cudaLibraryLoadData(library, from->ptx, NULL, NULL, 0, NULL, NULL, 0);
    if (error == MDLDM__CUDA_SUCCESS)
        return MDLDM_OK;
    *library = NULL;
    char what[64];
    snprintf(what, sizeof what, "loading the kernels of '%s'", from->name);
    return mdldm__cuda_check(device, error, what);
}

mdldm_status mdldm__cuda_kernel(mdldm_device *device, const char *name, uint32_t shared, mdldm__cuda_handle *kernel)
{
    const mdldm__cuda_kernel_name *found = bsearch(name, mdldm__cuda_kernel_names, (size_t)mdldm__cuda_kernel_count,
                                                   sizeof *mdldm__cuda_kernel_names, by_name);
    if (found == NULL)
        return mdldm__host_error(device->host, MDLDM_ERROR_INTERNAL, "the cuda plug-in has no kernel '%s'", name);
    mdldm_status status = MDLDM_OK;
    const size_t i = (size_t)(found - mdldm__cuda_kernel_names);
    if (device->libraries[found->image] == NULL)
        status = load_image(device, found->image);
    if (status == MDLDM_OK && device->kernels[i] == NULL) {
        mdldm__cuda_handle new_kernel = NULL;
        status = mdldm__cuda_check(
            device, device->api->cudaLibraryGetKernel(&new_kernel, device->libraries[found->image], name),
            "cudaLibraryGetKernel");
        if (status == MDLDM_OK)
            device->kernels[i] = new_kernel;
    }
    if (status == MDLDM_OK && shared > device->shared[i] && shared > 48 * 1024) { /* more must be asked for */
        status = mdldm__cuda_check(
            device, device->api->cudaFuncSetAttribute(device->kernels[i], MDLDM__CUDA_FUNC_SHARED, (int)shared),
            "cudaFuncSetAttribute");
        if (status == MDLDM_OK)
            device->shared[i] = shared;
    }
    if (status == MDLDM_OK)
        *kernel = device->kernels[i];
    return status;
}

mdldm_status mdldm__cuda_start(const mdldm_device *device, mdldm__cuda_handle kernel, const char *name,
                               const uint32_t grid[3], uint32_t block, uint32_t shared, void *args)
{
    const mdldm__cuda_launch_config config = {.grid = {grid[0], grid[1], grid[2]},
                                              .block = {block, 1, 1},
                                              .shared_bytes = shared,
                                              .stream = device->stream};
    int error = device->api->cudaLaunchKernelExC(&config, kernel, &args);
    return error == 0 ? MDLDM_OK : mdldm__cuda_check(device, error, name);
}

/* ---- Probe, open, close ---- */

static int32_t refuse(const mdldm__cuda_api *api, char *reason, size_t capacity, const char *sentence)
{
    if (api != NULL)
        (void)api->cudaGetLastError();
    snprintf(reason, capacity, "%s", sentence);
    return 1;
}

static int capability_of(const mdldm__cuda_api *api, int device, int *capability)
{
    int major = 0, minor = 0;
    int error = api->cudaDeviceGetAttribute(&major, MDLDM__CUDA_ATTR_MAJOR, device);
    if (error == 0)
        error = api->cudaDeviceGetAttribute(&minor, MDLDM__CUDA_ATTR_MINOR, device);
    *capability = major * 10 + minor;
    return error;
}

int32_t mdldm__cuda_probe(char *reason, size_t capacity)
{
    const char *why;
    char text[256];
    const mdldm__cuda_api *api = mdldm__cuda_runtime(&why);
    if (api == NULL)
        return refuse(NULL, reason, capacity, why);
    int driver = 0, runtime = 0, count = 0, best = 0;
    if (api->cudaDriverGetVersion(&driver) != 0 || driver == 0)
        return refuse(api, reason, capacity, "no NVIDIA driver is loaded");
    int error = api->cudaRuntimeGetVersion(&runtime);
    const int older = error == 0 && driver / 1000 < runtime / 1000; /* within a major version all fit together */
    if (error == 0 && !older)
        error = api->cudaGetDeviceCount(&count);
    if (older || error == MDLDM__CUDA_ERROR_DRIVER) {
        snprintf(text, sizeof text, "the NVIDIA driver knows CUDA %d.%d, the runtime library wants %d.%d: update the driver",
                 driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
        return refuse(api, reason, capacity, text);
    }
    if (error == MDLDM__CUDA_ERROR_NO_DEVICE || (error == 0 && count == 0))
        return refuse(api, reason, capacity, "the NVIDIA driver finds no GPU");
    for (int i = 0; i < count && error == 0; i++) {
        int capability = 0;
        error = capability_of(api, i, &capability);
        best = capability > best ? capability : best;
    }
    if (error != 0) {
        snprintf(text, sizeof text, "CUDA does not start: %s (error %d)", api->cudaGetErrorString(error), error);
        return refuse(api, reason, capacity, text);
    }
    if (best < LEAST_CAPABILITY) {
        snprintf(text, sizeof text, "the GPU has compute capability %d.%d, 8.0 or higher is needed", best / 10, best % 10);
        return refuse(api, reason, capacity, text);
    }
    if (capacity > 0)
        reason[0] = '\0';
    return 0;
}

/* The number after "cuda:"; without one the first GPU that is new enough. */
static mdldm_status choose(mdldm_device *device, const char *name)
{
    int count = 0, wanted = -1;
    mdldm_status status = mdldm__cuda_check(device, device->api->cudaGetDeviceCount(&count), "cudaGetDeviceCount");
    if (status != MDLDM_OK)
        return status;
    if (name != NULL && name[0] != '\0') {
        char *end;
        long number = name[0] >= '0' && name[0] <= '9' ? strtol(name, &end, 10) : -1;
        if (number < 0 || *end != '\0' || number >= count)
            return mdldm__host_error(device->host, MDLDM_ERROR_NOT_FOUND,
                                     "there is no device \"cuda:%s\": devices are cuda:0 to cuda:%d", name, count - 1);
        wanted = (int)number;
    }
    for (int i = wanted < 0 ? 0 : wanted; i < count; i++) {
        status = mdldm__cuda_check(device, capability_of(device->api, i, &device->capability), "cudaDeviceGetAttribute");
        if (status != MDLDM_OK)
            return status;
        device->index = i;
        if (device->capability >= LEAST_CAPABILITY)
            return MDLDM_OK;
        if (wanted >= 0)
            break;
    }
    return mdldm__host_error(device->host, MDLDM_ERROR_UNAVAILABLE,
                             "cuda:%d has compute capability %d.%d, 8.0 or higher is needed", device->index,
                             device->capability / 10, device->capability % 10);
}

static mdldm_status open_resources(mdldm_device *device)
{
    const mdldm__cuda_api *api = device->api;
    int shared = 0;
    void *stage = NULL;
    mdldm_status status = mdldm__cuda_check(
        device, api->cudaDeviceGetAttribute(&device->sm_count, MDLDM__CUDA_ATTR_SM_COUNT, device->index),
        "cudaDeviceGetAttribute");
    if (status == MDLDM_OK)
        status = mdldm__cuda_check(
            device, api->cudaDeviceGetAttribute(&shared, MDLDM__CUDA_ATTR_SHARED_OPTIN, device->index),
            "cudaDeviceGetAttribute");
    device->shared_limit = (uint32_t)shared;
    if (status == MDLDM_OK)
        status = mdldm__cuda_check(
            device, api->cudaStreamCreateWithFlags(&device->stream, MDLDM__CUDA_STREAM_NON_BLOCKING),
            "cudaStreamCreateWithFlags");
    if (status == MDLDM_OK)
        status = mdldm__cuda_check(device, api->cudaMallocHost(&stage, 2 * MDLDM__CUDA_STAGE), "cudaMallocHost");
    device->stage = stage;
    for (int half = 0; half < 2 && status == MDLDM_OK; half++)
        status = mdldm__cuda_check(
            device, api->cudaEventCreateWithFlags(&device->stage_done[half], MDLDM__CUDA_EVENT_NO_TIMING),
            "cudaEventCreateWithFlags");
    return status;
}

static void close_resources(mdldm_device *device)
{
    const mdldm__cuda_api *api = device->api;
    int failed = 0;
    mdldm__cuda_drain(device);
    for (int half = 0; half < 2; half++)
        if (device->stage_done[half] != NULL)
            failed |= api->cudaEventDestroy(device->stage_done[half]);
    if (device->stage != NULL)
        failed |= api->cudaFreeHost(device->stage);
    for (int32_t i = 0; device->libraries != NULL && i < mdldm__cuda_image_count; i++)
        if (device->libraries[i] != NULL)
            failed |= api->cudaLibraryUnload(device->libraries[i]);
    if (device->stream != NULL)
        failed |= api->cudaStreamDestroy(device->stream);
    if (failed != 0)
        (void)api->cudaGetLastError();
}

static void destroy(mdldm_device *device)
{
    const mdldm_host *host = device->host;
    mdldm__host_free(host, device->libraries);
    mdldm__host_free(host, device->kernels);
    mdldm__host_free(host, device->shared);
    mdldm__host_free(host, device);
}

mdldm_status mdldm__cuda_device_open(const mdldm_host *host, const char *name, int32_t threads, mdldm_device **out)
{
    (void)threads;
    *out = NULL;
    const char *why;
    const mdldm__cuda_api *api = mdldm__cuda_runtime(&why);
    if (api == NULL)
        return mdldm__host_error(host, MDLDM_ERROR_UNAVAILABLE, "%s", why);
    mdldm_device *device = mdldm__host_zalloc(host, 1, sizeof *device);
    if (device == NULL)
        return mdldm__host_oom(host, "cuda device");
    device->host = host;
    device->api = api;
    const char *graphs = getenv("MDLDM_CUDA_GRAPHS");
    device->graphs = graphs == NULL || strcmp(graphs, "0") != 0;
    device->libraries = mdldm__host_zalloc(host, (size_t)mdldm__cuda_image_count, sizeof *device->libraries);
    device->kernels = mdldm__host_zalloc(host, (size_t)mdldm__cuda_kernel_count, sizeof *device->kernels);
    device->shared = mdldm__host_zalloc(host, (size_t)mdldm__cuda_kernel_count, sizeof *device->shared);
    mdldm_status status = device->libraries != NULL && device->kernels != NULL && device->shared != NULL
                              ? choose(device, name)
                              : mdldm__host_oom(host, "cuda device");
    mdldm__cuda_guard guard;
    if (status == MDLDM_OK)
        status = mdldm__cuda_enter(device, &guard);
    if (status == MDLDM_OK) {
        status = open_resources(device);
        if (status != MDLDM_OK)
            close_resources(device);
        mdldm__cuda_leave(&guard);
    }
    if (status != MDLDM_OK) {
        destroy(device);
        return status;
    }
    char line[128];
    snprintf(line, sizeof line, "cuda:%d: compute capability %d.%d, %d multiprocessors, kernels by %s", device->index,
             device->capability / 10, device->capability % 10, device->sm_count, mdldm__cuda_compiler);
    host->log(host, 3, line);
    *out = device;
    return MDLDM_OK;
}

void mdldm__cuda_device_close(mdldm_device *device)
{
    if (device == NULL)
        return;
    mdldm__cuda_guard guard;
    mdldm__cuda_enter_to_close(device, &guard);
    close_resources(device);
    mdldm__cuda_leave(&guard);
    destroy(device);
}
