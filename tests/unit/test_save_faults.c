/* SPDX-License-Identifier: MIT
 * Saving a model while the disk fails: each write, fsync and rename in turn, and a full disk. The model
 * saved before stays whole. Run from the root of the source tree. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "io/io_fault.h"
#include "mdldm/mdldm.h"
#include "../support/temp_dir.h"

static char *folder;
static mdldm_context *ctx;
static mdldm_model *model;

static int setup(void **state)
{
    (void)state;
    folder = temp_dir_make();
    if (mdldm_context_create(&ctx) != MDLDM_OK)
        return 1;
    return mdldm_model_load(ctx, "tests/golden/data/pipeline", &model) != MDLDM_OK;
}

static int teardown(void **state)
{
    (void)state;
    mdldm__io_fail_after(0);
    mdldm_model_free(model);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
    return 0;
}

static void assert_whole(const char *dir)
{
    mdldm_model *m;
    int64_t have, want;
    if (mdldm_model_load(ctx, dir, &m) != MDLDM_OK)
        fail_msg("the earlier model is broken: %s", mdldm_context_error(ctx));
    assert_int_equal(mdldm_model_get_int(ctx, m, "parameters", &have), MDLDM_OK);
    assert_int_equal(mdldm_model_get_int(ctx, model, "parameters", &want), MDLDM_OK);
    assert_int_equal(have, want);
    mdldm_model_free(m);
}

static void assert_says(const char *a, const char *b)
{
    const char *error = mdldm_context_error(ctx);
    if (strstr(error, a) == NULL || strstr(error, b) == NULL)
        fail_msg("\"%s\" should name \"%s\" and say \"%s\"", error, a, b);
}

static void each_fault_leaves_the_earlier_model(void **state)
{
    (void)state;
    const char *dir = temp_path(folder, "model");
    assert_int_equal(mdldm_model_save(ctx, model, dir), MDLDM_OK);
    mdldm__io_fail_after(0);
    assert_int_equal(mdldm_model_save(ctx, model, dir), MDLDM_OK);
    const int operations = mdldm__io_operations();
    assert_true(operations > 100); /* every tensor is a write */
    for (int n = 1; n < operations; n++) {
        mdldm__io_fail_after(n);
        assert_int_equal(mdldm_model_save(ctx, model, dir), MDLDM_ERROR_IO);
        assert_says(folder, "No space left on device");
        assert_int_equal(temp_count(folder), 1);
        if (n % 8 == 0 || n > operations - 12)
            assert_whole(dir);
    }
    mdldm__io_fail_after(operations); /* the fsync after the rename: the new one is in place */
    assert_int_equal(mdldm_model_save(ctx, model, dir), MDLDM_ERROR_IO);
    assert_says("model", "the earlier one stays in");
    assert_whole(dir);
}

static void full_disk_leaves_the_earlier_model(void **state)
{
    (void)state;
    const char *dir = temp_path(folder, "full");
    assert_int_equal(mdldm_model_save(ctx, model, dir), MDLDM_OK);
    const int entries = temp_count(folder);
    /* No file may grow beyond 4 KB: the weights' first flush fails as on a disk that is full. */
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    mdldm_status status = mdldm_model_save(ctx, model, dir);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, MDLDM_ERROR_IO);
    assert_says("diffusion_pytorch_model.safetensors", "File too large");
    assert_int_equal(temp_count(folder), entries);
    assert_whole(dir);
}

static void impossible_places(void **state)
{
    (void)state;
    temp_write(temp_path(folder, "file"), "1", 1);
    assert_int_equal(mdldm_model_save(ctx, model, temp_path(folder, "file")), MDLDM_ERROR_IO);
    assert_says("/file", "a file of that name is there");
    assert_int_equal(mdldm_model_save(ctx, model, temp_path(folder, "file/sub")), MDLDM_ERROR_IO);
    assert_says("/file", "cannot make the folder");
    assert_int_equal(mdldm_model_save(ctx, model, "/proc/none/model"), MDLDM_ERROR_IO);
    assert_says("/proc/none", "cannot make the folder");
    assert_int_equal(mdldm_model_save(ctx, model, ""), MDLDM_ERROR_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_leaves_the_earlier_model),
        cmocka_unit_test(full_disk_leaves_the_earlier_model),
        cmocka_unit_test(impossible_places),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
