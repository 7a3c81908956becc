/* SPDX-License-Identifier: MIT */
#include "backend_list.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../backends/reference/reference_backend.h"
#include "api/context.h"

/* build/tests/backend/PROGRAM -> build/backends */
static void find_plugins(void)
{
    char self[1024], folder[1100], path[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return;
    self[length] = '\0';
    snprintf(folder, sizeof folder, "%s/../../backends", dirname(self));
    if (realpath(folder, path) != NULL)
        setenv("MDLDM_BACKEND_DIR", path, 0);
}

int backend_list(const mdldm_backend *list[MOST_BACKENDS])
{
    mdldm_context *ctx = NULL;
    int count = 0;
    find_plugins();
    if (mdldm_context_create(&ctx) != MDLDM_OK)
        return 0;
    list[count++] = &mdldm__backend_reference;
    for (int32_t i = 0; i < mdldm_backend_count(ctx) && count < MOST_BACKENDS; i++) {
        const char *reason = mdldm_backend_reason(ctx, i);
        if (reason != NULL)
            printf("backend %s is left out: %s\n", mdldm_backend_name(ctx, i), reason);
        else if (ctx->slots[i].backend != &mdldm__backend_reference)
            list[count++] = ctx->slots[i].backend;
    }
    mdldm_context_free(ctx);
    return count;
}

void backend_divide_all(void)
{
    setenv("MDLDM_CPU_DIVIDE_ALL", "1", 0);
}

void backend_step_by_step(int on)
{
    if (on)
        setenv("MDLDM_CUDA_GRAPHS", "0", 1);
    else
        unsetenv("MDLDM_CUDA_GRAPHS");
}
