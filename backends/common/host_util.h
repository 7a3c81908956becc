/* SPDX-License-Identifier: MIT
 * What every backend needs of mdldm_host: memory, error sentences, tensor sizes. */
#ifndef MDLDM_COMMON_HOST_UTIL_H
#define MDLDM_COMMON_HOST_UTIL_H

#include "mdldm/mdldm_backend.h"

#define MDLDM__ALIGN 64 /* of arenas and tensors in them: a cache line, an AVX-512 vector */

/* NULL on failure, without setting the error. zalloc checks the product and clears the memory. */
void *mdldm__host_alloc(const mdldm_host *host, size_t size);
void *mdldm__host_zalloc(const mdldm_host *host, size_t count, size_t size);
void mdldm__host_free(const mdldm_host *host, void *pointer);
/* Writes the sentence, returns status. */
mdldm_status mdldm__host_error(const mdldm_host *host, mdldm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
mdldm_status mdldm__host_oom(const mdldm_host *host, const char *what);

/* Bytes of one element: F32, I32 4; BF16, F16 2; I8, U8 1. */
static inline size_t mdldm__dtype_size(int32_t dtype)
{
    if (dtype == MDLDM_I8 || dtype == MDLDM_U8)
        return 1;
    return dtype == MDLDM_BF16 || dtype == MDLDM_F16 ? 2 : 4;
}

/* A role of tensors that lie in the store, not in a plan's arena. */
static inline int mdldm__is_stored(int32_t role)
{
    return role == MDLDM_ROLE_PARAM || role == MDLDM_ROLE_PARAM_GRAD || role == MDLDM_ROLE_STATE;
}

static inline int64_t mdldm__elements(const int64_t dims[4])
{
    return dims[0] * dims[1] * dims[2] * dims[3];
}

static inline size_t mdldm__align_up(size_t size)
{
    return (size + MDLDM__ALIGN - 1) / MDLDM__ALIGN * MDLDM__ALIGN;
}

#endif
