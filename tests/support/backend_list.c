/* SPDX-License-Identifier: MIT */
#include "backend_list.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../backends/reference/reference_backend.h"
#include "api/context.h"

/* build/tests/FOLDER/PROGRAM -> build/tests/FOLDER/TARGET, into the variable unless it is set. */
static void name_beside(const char *variable, const char *target)
{
    char self[1024], beside[1100], path[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return;
    self[length] = '\0';
    snprintf(beside, sizeof beside, "%s/%s", dirname(self), target);
    if (realpath(beside, path) != NULL)
        setenv(variable, path, 0);
}

void backend_use_test_cuda(void)
{
    name_beside("MDLDM_CUDART", "../cuda/libcudart.so.13");
}

int backend_case_step(const mdldm_backend *backend)
{
    const char *runtime = getenv("MDLDM_CUDART");
    const int interpreted = strcmp(backend->name, "cuda") == 0 && runtime != NULL && runtime[0] == '/';
    return interpreted && getenv("MDLDM_CUDA_ALL_CASES") == NULL ? 11 : 1;
}

int backend_list(const mdldm_backend *list[MOST_BACKENDS])
{
    mdldm_context *ctx = NULL;
    int count = 0;
    name_beside("MDLDM_BACKEND_DIR", "../../backends");
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
