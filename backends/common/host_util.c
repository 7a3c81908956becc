/* SPDX-License-Identifier: MIT */
#include "host_util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *mdldm__host_alloc(const mdldm_host *host, size_t size)
{
    return host->resize(host, NULL, size == 0 ? 1 : size);
}

void *mdldm__host_zalloc(const mdldm_host *host, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *pointer = mdldm__host_alloc(host, count * size);
    if (pointer != NULL)
        memset(pointer, 0, count * size);
    return pointer;
}

void mdldm__host_free(const mdldm_host *host, void *pointer)
{
    if (pointer != NULL)
        host->resize(host, pointer, 0);
}

mdldm_status mdldm__host_error(const mdldm_host *host, mdldm_status status, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return host->set_error(host, status, text);
}

mdldm_status mdldm__host_oom(const mdldm_host *host, const char *what)
{
    return mdldm__host_error(host, MDLDM_ERROR_OUT_OF_MEMORY, "out of memory (%s)", what);
}
