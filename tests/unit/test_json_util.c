/* SPDX-License-Identifier: MIT
 * JSON files: what is read and refused with which sentence, and that what is written reads back. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/io_fault.h"
#include "io/json_util.h"
#include "../support/temp_dir.h"

static mdldm__env env;
static char *folder;

static int setup(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    folder = temp_dir_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

static mdldm_status read_text(const char *text, json_t **out)
{
    const char *path = temp_path(folder, "config.json");
    temp_write(path, text, strlen(text));
    *out = NULL;
    return mdldm__json_read(&env, path, out);
}

static void refused(const char *text, const char *sentence)
{
    json_t *json;
    assert_int_equal(read_text(text, &json), MDLDM_ERROR_FORMAT);
    assert_null(json);
    if (strstr(env.error, "config.json") == NULL || strstr(env.error, sentence) == NULL)
        fail_msg("\"%s\" should name the file and say \"%s\"", env.error, sentence);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    refused("", "line 1");
    refused("{\"a\": 1,\n \"b\": }", "line 2, column 7");
    refused("{\"a\": 1", "line 1");
    refused("{\"a\": 1} x", "end of file expected");
    refused("{\"a\": 1, \"a\": 2}", "duplicate object key");
    refused("[1, 2]", "must hold a JSON object");
    refused("{\"a\": 1e999}", "real number overflow");
    refused("{\"a\": NaN}", "line 1");
    refused("{\"a\": Infinit}", "line 1");
    refused("{\"a\": \"\xff\"}", "unable to decode byte 0xff");
    refused("{\"a\": \"\\u0000\"}", "\\u0000 is not allowed");
    char deep[10000];
    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', sizeof deep - 6);
    deep[sizeof deep - 1] = '\0';
    refused(deep, "maximum parsing depth");
    json_t *json;
    assert_int_equal(mdldm__json_read(&env, temp_path(folder, "none.json"), &json), MDLDM_ERROR_NOT_FOUND);
    assert_non_null(strstr(env.error, "none.json"));
}

static void python_infinity(void **state)
{
    (void)state;
    json_t *json;
    /* As diffusers writes DPMSolverMultistepScheduler's config; strings stay as they are. */
    assert_int_equal(read_text("{\"lambda_min_clipped\": -Infinity, \"s\": \"\\\"-Infinity\\\\\", \"b\": Infinity}",
                               &json), MDLDM_OK);
    assert_true(json_real_value(json_object_get(json, "lambda_min_clipped")) == -DBL_MAX);
    assert_true(json_real_value(json_object_get(json, "b")) == DBL_MAX);
    assert_string_equal(json_string_value(json_object_get(json, "s")), "\"-Infinity\\");
    json_decref(json);
}

static void written_text(void **state)
{
    (void)state;
    json_t *json = json_pack("{s:s, s:f, s:f, s:f, s:i, s:[i,i], s:{}, s:[], s:n, s:b, s:f, s:{s:s}}", "_class_name",
                             "VQModel", "scaling_factor", 0.18215, "lr", 1e-05, "one", 1.0, "n", 3, "list", 1, 2,
                             "empty", "none", "null", "flag", 1, "big", 1e22, "inner", "\"q\"", "\xc3\xa9\n");
    assert_non_null(json);
    char *text = mdldm__json_text(&env, json);
    assert_string_equal(text, "{\n"
                              "  \"_class_name\": \"VQModel\",\n"
                              "  \"scaling_factor\": 0.18215,\n"
                              "  \"lr\": 1e-05,\n"
                              "  \"one\": 1.0,\n"
                              "  \"n\": 3,\n"
                              "  \"list\": [\n    1,\n    2\n  ],\n"
                              "  \"empty\": {},\n"
                              "  \"none\": [],\n"
                              "  \"null\": null,\n"
                              "  \"flag\": true,\n"
                              "  \"big\": 1e+22,\n"
                              "  \"inner\": {\n    \"\\\"q\\\"\": \"\xc3\xa9\\n\"\n  }\n"
                              "}");
    const char *path = temp_path(folder, "out.json");
    assert_int_equal(mdldm__json_write(&env, path, json), MDLDM_OK);
    size_t size;
    char *file = temp_read(path, &size);
    assert_int_equal(size, strlen(text) + 1);
    assert_memory_equal(file, text, size - 1);
    assert_int_equal(file[size - 1], '\n');
    free(file);
    json_t *again;
    assert_int_equal(mdldm__json_read(&env, path, &again), MDLDM_OK);
    assert_true(json_equal(json, again));
    json_decref(again);
    json_decref(json);
    mdldm__free(&env, text);
}

static void every_double_comes_back(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        double value;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = seed ^ seed >> 29;
        memcpy(&value, &bits, sizeof value);
        if (!(value - value == 0.0))
            continue; /* JSON has no NaN and Inf */
        json_t *json = json_pack("{s:f}", "v", value), *again;
        char *text = mdldm__json_text(&env, json);
        assert_int_equal(mdldm__json_parse(&env, "text", text, strlen(text), &again), MDLDM_OK);
        assert_true(json_is_real(json_object_get(again, "v")));
        assert_true(json_real_value(json_object_get(again, "v")) == value);
        mdldm__free(&env, text);
        json_decref(json);
        json_decref(again);
    }
}

static void faults_leave_the_earlier_file(void **state)
{
    (void)state;
    const char *path = temp_path(folder, "out.json");
    json_t *one = json_pack("{s:i}", "v", 1), *two = json_pack("{s:i}", "v", 2), *read;
    mdldm__io_fail_after(0);
    assert_int_equal(mdldm__json_write(&env, path, one), MDLDM_OK);
    int operations = mdldm__io_operations();
    for (int n = 1; n < operations; n++) {
        mdldm__io_fail_after(n);
        assert_int_equal(mdldm__json_write(&env, path, two), MDLDM_ERROR_IO);
        assert_int_equal(mdldm__json_read(&env, path, &read), MDLDM_OK);
        assert_true(json_equal(read, one));
        json_decref(read);
        assert_int_equal(temp_count(folder), 1);
    }
    mdldm__io_fail_after(0);
    json_decref(one);
    json_decref(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(broken_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(python_infinity, setup, teardown),
        cmocka_unit_test_setup_teardown(written_text, setup, teardown),
        cmocka_unit_test_setup_teardown(every_double_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_leave_the_earlier_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
