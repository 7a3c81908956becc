/* SPDX-License-Identifier: MIT */
#include "signal/fft_library.h"

#include <dlfcn.h>
#include <string.h>

/* Its own names come first where it looks for them, then those of the process. AddressSanitizer's run-time
 * library does not allow that. */
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
#define OWN_NAMES_FIRST RTLD_DEEPBIND
#else
#define OWN_NAMES_FIRST 0
#endif

static const char *const names[] = {"libkissfft-float.so.131", "libkissfft-float.so"};

/* ISO C has no cast from object to function pointer. */
static int find(void *handle, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

mdldm_status mdldm__fft_open(mdldm__env *env, mdldm__fft_library *fft)
{
    *fft = (mdldm__fft_library){0};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && fft->handle == NULL; i++)
        fft->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | OWN_NAMES_FIRST);
    if (fft->handle != NULL && find(fft->handle, "kiss_fft_alloc", &fft->plan, sizeof fft->plan) &&
        find(fft->handle, "kiss_fft", &fft->transform, sizeof fft->transform))
        return MDLDM_OK;
    const char *why = dlerror();
    mdldm_status status = mdldm__error(env, MDLDM_ERROR_UNAVAILABLE,
                                       "spectrograms need the library kissfft (%s; Debian: libkissfft-float131): %s",
                                       names[0], why != NULL ? why : "not usable");
    mdldm__fft_close(fft);
    return status;
}

void mdldm__fft_close(mdldm__fft_library *fft)
{
    if (fft->handle != NULL)
        dlclose(fft->handle);
    *fft = (mdldm__fft_library){0};
}
