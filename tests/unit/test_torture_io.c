/* SPDX-License-Identifier: MIT
 * Each allocation of the file formats fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/json_util.h"
#include "io/safetensors_set.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"

static mdldm_status write_tensors(mdldm__env *env, const char *path, const char *prefix)
{
    mdldm__st_writer *w;
    MDLDM__TRY(mdldm__st_writer_open(env, path, &w));
    mdldm_status status = mdldm__st_writer_metadata(w, "format", "pt");
    const int64_t dims[] = {2};
    const float values[] = {1.0f, 2.0f};
    for (int i = 0; i < 70 && status == MDLDM_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.%d", prefix, i);
        status = mdldm__st_writer_declare(w, name, MDLDM_F32, 1, dims);
    }
    for (int i = 0; i < 70 && status == MDLDM_OK; i++)
        status = mdldm__st_writer_data(w, values, sizeof values);
    if (status == MDLDM_OK)
        return mdldm__st_writer_commit(w);
    mdldm__st_writer_abort(w);
    return status;
}

static mdldm_status files(mdldm__env *env, const char *folder)
{
    mdldm__safetensors *set;
    int32_t count;
    json_t *json = NULL;
    MDLDM__TRY(write_tensors(env, temp_path(folder, "a.safetensors"), "a"));
    MDLDM__TRY(mdldm__safetensors_open_set(env, folder, "a", &set, &count));
    mdldm__safetensors_close_set(env, set, count);
    mdldm__dir_out out;
    MDLDM__TRY(mdldm__dir_out_open(env, temp_path(folder, "sub"), &out));
    json = json_pack("{s:f, s:[i]}", "Infinity", 0.5, "list", 1);
    char *path = mdldm__path_join(env, out.temporary, "config.json");
    mdldm_status status = path == NULL ? mdldm__oom(env, "a path") : mdldm__json_write(env, path, json);
    mdldm__free(env, path);
    json_decref(json);
    if (status != MDLDM_OK) {
        mdldm__dir_out_abort(&out);
        return status;
    }
    MDLDM__TRY(mdldm__dir_out_commit(&out));
    temp_write(temp_path(folder, "inf.json"), "{\"a\": -Infinity}", 16);
    MDLDM__TRY(mdldm__json_read(env, temp_path(folder, "inf.json"), &json));
    json_decref(json);
    return MDLDM_OK;
}

static mdldm_status scenario(torture *t, void *user, char sentence[1024])
{
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    env.resize = torture_resize;
    env.resize_user = t;
    mdldm_status status = files(&env, user);
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", env.error);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    assert_true(torture_run("io", scenario, folder, 1000) > 80);
    /* No temporary file or folder is left by any of those failures. */
    assert_int_equal(temp_count(folder), 3);
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
