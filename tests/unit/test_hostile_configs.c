/* SPDX-License-Identifier: MIT
 * Every key of every golden config, and every element of its lists, takes each of many unfitting values
 * in turn. What comes is a model that describes itself, or a status with a sentence that names the file;
 * never a crash, a hang or memory without measure. Run from the root of the source tree. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diffusion/scheduler.h"
#include "io/json_util.h"
#include "models/model.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"

static const char *const values[] = {
    "null",    "true",    "false",   "-1",      "0",          "1",          "2",         "3",
    "7",       "1000",    "65537",   "2147483647", "2147483648", "-2147483648", "4294967296",
    "4611686018427387904", "9223372036854775807", "-9223372036854775808", "0.0", "-0.5", "0.5", "1.5",
    "1e300",   "-1e300",  "1e-320",  "\"\"",    "\"x\"",      "\"DownBlock2D\"", "\"AttnUpBlock2D\"", "[]", "{}",
    "[0]",     "[-1, 4]", "[4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]", "[1e300]", "[null]",
    "[\"DownBlock2D\"]", "{\"a\": 1}",
};

static mdldm__env env;
static torture account;
static int tried, taken;

/* Configs are small and shapes alone cost nothing: a description needs a few megabytes at most. */
static const int64_t memory_limit = 256 << 20;

static void check(mdldm_status status, const char *what, const char *where)
{
    if (status != MDLDM_OK && (env.error[0] == '\0' || strstr(env.error, where) == NULL))
        fail_msg("%s: %s, but \"%s\" does not name %s", what, mdldm_status_name(status), env.error, where);
    if (status == MDLDM_ERROR_INTERNAL)
        fail_msg("%s: an internal error: \"%s\"", what, env.error);
    if (account.peak_bytes > memory_limit)
        fail_msg("%s: took %lld bytes", what, (long long)account.peak_bytes);
    if (account.live != 0)
        fail_msg("%s: %lld blocks leaked", what, (long long)account.live);
    account.peak_bytes = 0;
    tried++;
    taken += status == MDLDM_OK;
    env.error[0] = '\0';
}

static void try_component(const json_t *config, const char *what)
{
    mdldm__component *c;
    mdldm_status status = mdldm__component_create(&env, "here/config.json", json_deep_copy(config), &c);
    if (status == MDLDM_OK)
        mdldm__component_free(&env, c);
    check(status, what, "here/config.json");
}

static void try_scheduler(const json_t *config, const char *what)
{
    mdldm__scheduler *s;
    mdldm_status status = mdldm__scheduler_create(&env, config, NULL, &s);
    if (status == MDLDM_OK) {
        float sample[4] = {1.0f, -2.0f, 0.5f, 0.0f}, output[4] = {0.25f}, noise[4] = {1.0f};
        status = mdldm__scheduler_set_timesteps(s, 5);
        const int64_t steps = mdldm__scheduler_steps(s);
        for (int64_t i = 0; status == MDLDM_OK && i < steps; i++) {
            mdldm__scheduler_scale_input(s, i, sample, sample, 4);
            status = mdldm__scheduler_step(s, i, output, sample, noise, 1, 4);
        }
        mdldm__scheduler_free(s);
    }
    check(status, what, "");
}

typedef void (*attempt)(const json_t *config, const char *what);

static void with_each_value(const char *file, json_t *config, attempt try_it)
{
    const char *key;
    char what[512];
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        json_t *value = json_loads(values[v], JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        json_t *names = json_deep_copy(config);
        json_t *unused;
        json_object_foreach(names, key, unused) {
            (void)unused;
            json_t *changed = json_deep_copy(config);
            snprintf(what, sizeof what, "%s with %s = %s", file, key, values[v]);
            json_object_set(changed, key, value);
            try_it(changed, what);
            json_t *list = json_object_get(config, key);
            for (size_t i = 0; i < json_array_size(list); i++) {
                json_t *copy = json_deep_copy(list);
                snprintf(what, sizeof what, "%s with %s[%zu] = %s", file, key, i, values[v]);
                json_array_set(copy, i, value);
                json_object_set_new(changed, key, copy);
                try_it(changed, what);
            }
            json_decref(changed);
        }
        json_decref(names);
        json_decref(value);
    }
    /* And without it. */
    json_t *names = json_deep_copy(config);
    json_t *unused;
    json_object_foreach(names, key, unused) {
        (void)unused;
        json_t *changed = json_deep_copy(config);
        snprintf(what, sizeof what, "%s without %s", file, key);
        json_object_del(changed, key);
        try_it(changed, what);
        json_decref(changed);
    }
    json_decref(names);
}

static void corpus_files(const char *class_part, attempt try_it, int at_least)
{
    DIR *dir = opendir("tests/fuzz/corpus/json_config");
    assert_non_null(dir);
    tried = taken = 0;
    int files = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        json_t *config;
        if (strncmp(e->d_name, "config_", 7) != 0)
            continue;
        assert_int_equal(
            mdldm__json_read(&env, temp_path("tests/fuzz/corpus/json_config", e->d_name), &config), MDLDM_OK);
        const char *name = json_string_value(json_object_get(config, "_class_name"));
        if (name != NULL && strstr(name, class_part) != NULL) {
            with_each_value(e->d_name, config, try_it);
            files++;
        }
        json_decref(config);
    }
    closedir(dir);
    assert_true(files >= at_least);
    assert_true(taken > 0 && taken < tried); /* both happen */
}

static void autoencoders(void **state)
{
    (void)state;
    corpus_files("VQModel", try_component, 1);
    corpus_files("AutoencoderKL", try_component, 1);
}

static void unets(void **state)
{
    (void)state;
    corpus_files("UNet2DModel", try_component, 2);
}

static void schedulers(void **state)
{
    (void)state;
    corpus_files("Scheduler", try_scheduler, 7);
}

static int setup(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    env.resize = torture_resize;
    env.resize_user = &account;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(autoencoders),
        cmocka_unit_test(unets),
        cmocka_unit_test(schedulers),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
