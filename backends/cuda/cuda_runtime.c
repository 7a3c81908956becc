/* SPDX-License-Identifier: MIT */
#include "cuda_runtime.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static mdldm__cuda_api api;
static char failure[512];

static int find(void *library, const char *path, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size); /* ISO C has no cast from object to function pointer */
    if (symbol == NULL)
        snprintf(failure, sizeof failure, "the CUDA runtime library %s has no %s: version 12.8 or newer is needed", path,
                 name);
    return symbol != NULL;
}

static int take(void *library, const char *path)
{
#define MDLDM__CUDA_CALL(name, parameters) \
    if (!find(library, path, #name, &api.name, sizeof api.name)) \
        return 0;
#include "cuda_runtime.def"
#undef MDLDM__CUDA_CALL
    return find(library, path, "cudaGetErrorString", &api.cudaGetErrorString, sizeof api.cudaGetErrorString);
}

static void load(void)
{
    static const char *const names[] = {"libcudart.so.13", "libcudart.so.12"};
    const char *given = secure_getenv("MDLDM_CUDART");
    if (given != NULL && given[0] == '/') {
        void *library = dlopen(given, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            snprintf(failure, sizeof failure, "MDLDM_CUDART cannot be loaded: %s", dlerror());
        else if (take(library, given))
            failure[0] = '\0';
        return;
    }
    snprintf(failure, sizeof failure, "no CUDA runtime library: neither libcudart.so.13 nor libcudart.so.12 is where the "
                                      "loader looks, and MDLDM_CUDART names none");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            continue;
        if (take(library, names[i])) {
            failure[0] = '\0';
            return;
        }
    }
}

const mdldm__cuda_api *mdldm__cuda_runtime(const char **reason)
{
    pthread_once(&once, load);
    *reason = failure;
    return failure[0] == '\0' ? &api : NULL;
}
