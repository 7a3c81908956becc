/* SPDX-License-Identifier: MIT
 * Which kernels the cpu backend takes: the best that the processor has, within ONEDNN_MAX_CPU_ISA. The
 * device says it in the log. isa_matrix.sh runs this, and the tests of the kernels, at each limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/backend_list.h"

static char line[256];

static void keep(void *user, int32_t level, const char *text)
{
    (void)user;
    if (level == 3 && strstr(text, "kernels") != NULL)
        snprintf(line, sizeof line, "%s", text);
}

/* Index in names of the best that the processor has. */
static int best_here(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return 1;
    return __builtin_cpu_supports("avx512bf16") ? 3 : 2;
}

static void kernels_keep_to_the_limit(void **state)
{
    static const char *const names[4] = {"base", "avx2", "avx512", "avx512bf16"};
    static const char *const limits[4] = {"SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_BF16"};
    (void)state;
    const mdldm_backend *list[MOST_BACKENDS];
    if (backend_list(list) < 2)
        skip();
    int expected = best_here();
    const char *limit = getenv("ONEDNN_MAX_CPU_ISA");
    for (int i = 0; limit != NULL && i < 4; i++)
        if (strcmp(limit, limits[i]) == 0 && i < expected)
            expected = i;
    mdldm_context *ctx = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    mdldm_context_set_log(ctx, keep, NULL);
    mdldm_status status = mdldm_context_use_backend(ctx, "cpu");
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    char words[64];
    snprintf(words, sizeof words, "cpu: %s kernels", names[expected]);
    if (strncmp(line, words, strlen(words)) != 0)
        fail_msg("\"%s...\" expected in the log, \"%s\" found", words, line);
    mdldm_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_keep_to_the_limit)};
    return cmocka_run_group_tests_name("cpu isa", tests, NULL, NULL);
}
