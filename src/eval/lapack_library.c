/* SPDX-License-Identifier: MIT */
#include "eval/lapack_library.h"

#include <dlfcn.h>
#include <string.h>

/* Its own names come first where it looks for them, then those of the process. AddressSanitizer's run-time
 * library does not allow that. */
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
#define OWN_NAMES_FIRST RTLD_DEEPBIND
#else
#define OWN_NAMES_FIRST 0
#endif

static const char *const names[] = {"libopenblas.so.0", "liblapack.so.3"};

/* ISO C has no cast from object to function pointer. */
static int find(void *handle, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

mdldm_status mdldm__lapack_open(mdldm__env *env, mdldm__lapack *lapack)
{
    char why[400] = "not usable";
    int (*get_threads)(void) = NULL;
    *lapack = (mdldm__lapack){0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lapack->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | OWN_NAMES_FIRST);
        if (lapack->handle != NULL && find(lapack->handle, "dgelqf_", &lapack->gelqf, sizeof lapack->gelqf) &&
            find(lapack->handle, "dgesdd_", &lapack->gesdd, sizeof lapack->gesdd) &&
            find(lapack->handle, "dgemm_", &lapack->gemm, sizeof lapack->gemm)) {
            if (find(lapack->handle, "openblas_get_num_threads", &get_threads, sizeof get_threads) &&
                find(lapack->handle, "openblas_set_num_threads", &lapack->set_threads, sizeof lapack->set_threads)) {
                lapack->threads = get_threads();
                lapack->set_threads(1);
            }
            return MDLDM_OK;
        }
        const char *reason = dlerror();
        if (reason != NULL && i == 0) {
            const size_t length = strnlen(reason, sizeof why - 1);
            memcpy(why, reason, length);
            why[length] = '\0';
        }
        mdldm__lapack_close(lapack);
    }
    return mdldm__error(env, MDLDM_ERROR_UNAVAILABLE,
                        "the Frechet distance needs LAPACK (%s or %s; Debian: libopenblas0): %s", names[0], names[1],
                        why);
}

void mdldm__lapack_close(mdldm__lapack *lapack)
{
    if (lapack->handle != NULL) {
        if (lapack->threads > 1)
            lapack->set_threads(lapack->threads);
        dlclose(lapack->handle);
    }
    *lapack = (mdldm__lapack){0};
}
