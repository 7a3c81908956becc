/* SPDX-License-Identifier: MIT */
#include "test_host.h"

#include <stdio.h>
#include <string.h>

static void *resize(const mdldm_host *host, void *pointer, size_t size)
{
    test_host *h = host->user;
    void *result = torture_resize(h->memory, pointer, size);
    /* NaN in every float type: what is read before it was written shows in the results. */
    if (pointer == NULL && result != NULL)
        memset(result, 0xFF, size);
    return result;
}

static mdldm_status set_error(const mdldm_host *host, mdldm_status status, const char *text)
{
    test_host *h = host->user;
    snprintf(h->error, sizeof h->error, "%s", text);
    return status;
}

static void log_line(const mdldm_host *host, int32_t level, const char *text)
{
    (void)host;
    (void)level;
    (void)text;
}

static int32_t cancelled(const mdldm_host *host)
{
    test_host *h = host->user;
    return ++h->polls == h->cancel_at;
}

void test_host_init(test_host *h, torture *memory)
{
    memset(h, 0, sizeof *h);
    h->memory = memory != NULL ? memory : &h->own;
    h->host = (mdldm_host){.struct_size = sizeof h->host,
                           .user = h,
                           .resize = resize,
                           .set_error = set_error,
                           .log = log_line,
                           .cancelled = cancelled};
}
