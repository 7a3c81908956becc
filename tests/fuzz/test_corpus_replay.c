/* SPDX-License-Identifier: MIT
 * Replays the regression corpus (tests/fuzz/corpus/TARGET/FILE) through the fuzz targets, each file as
 * it is and cut at every length of a coarse grid. Run from the root of the source tree. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/temp_dir.h"

/* The targets are sources of their own programs; here they are told apart by name. */
#define LLVMFuzzerTestOneInput fuzz_safetensors
#include "fuzz_safetensors.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_json_config
#include "fuzz_json_config.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_image
#include "fuzz_image.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_zip
#include "fuzz_zip.c"
#undef LLVMFuzzerTestOneInput

static void replay_file(const char *path, int (*target)(const uint8_t *, size_t))
{
    size_t size;
    char *data = temp_read(path, &size);
    assert_non_null(data);
    assert_int_equal(target((const uint8_t *)data, size), 0);
    for (size_t cut = 0; cut < size; cut += 1 + size / 16) {
        uint8_t *exact = malloc(cut + 1); /* of its own size, so that a sanitizer sees reads past it */
        memcpy(exact, data, cut);
        assert_int_equal(target(exact, cut), 0);
        free(exact);
    }
    free(data);
}

static void replay(const char *name, int (*target)(const uint8_t *, size_t), int at_least)
{
    char folder[256];
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name);
    DIR *dir = opendir(folder);
    if (dir == NULL)
        fail_msg("%s is not there: run this from the root of the source tree", folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.') {
            replay_file(temp_path(folder, entry->d_name), target);
            count++;
        }
    closedir(dir);
    assert_true(count >= at_least);
}

static void safetensors(void **state)
{
    (void)state;
    replay("safetensors", fuzz_safetensors, 20);
}

static void json_config(void **state)
{
    (void)state;
    replay("json_config", fuzz_json_config, 20);
}

static void image(void **state)
{
    (void)state;
    replay("image", fuzz_image, 20);
}

static void zip(void **state)
{
    (void)state;
    replay("zip", fuzz_zip, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors),
        cmocka_unit_test(json_config),
        cmocka_unit_test(image),
        cmocka_unit_test(zip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
