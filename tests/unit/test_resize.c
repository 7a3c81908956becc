/* SPDX-License-Identifier: MIT
 * Resizing and cropping, bit for bit against torchvision on PIL images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/image_files.h"
#include "../support/torture.h"
#include "data/resize.h"

static mdldm__env env;
static mdldm__safetensors golden;

static int setup(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    image_golden_open(&env, &golden);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mdldm__safetensors_close(&golden);
    return 0;
}

typedef struct resized {
    int64_t height, width, resolution; /* of the source, and what is asked for */
    const mdldm__st_tensor *expected;
    uint8_t *source, *result;
} resized;

/* The golden tensors that begin with prefix, one after the other: 1 while there is one. */
static int next_case(const char *prefix, int64_t *at, resized *r)
{
    for (; *at < golden.count; (*at)++) {
        const mdldm__st_tensor *t = &golden.tensors[*at];
        long long height, width, resolution;
        if (strncmp(t->name, prefix, strlen(prefix)) != 0)
            continue;
        assert_int_equal(sscanf(t->name + strlen(prefix), "%lldx%lld_%lld", &height, &width, &resolution), 3);
        *r = (resized){height, width, resolution, t, NULL, NULL};
        r->source = malloc((size_t)(height * width) * 3);
        r->result = malloc(t->bytes);
        assert_true(r->source != NULL && r->result != NULL);
        image_noise(height, width, r->source);
        (*at)++;
        return 1;
    }
    return 0;
}

static void check(resized *r, int64_t out_height, int64_t out_width, int64_t top, int64_t left, int64_t rows,
                  int64_t columns)
{
    assert_int_equal(rows * columns * 3, r->expected->bytes);
    memset(r->result, 0xEE, r->expected->bytes);
    assert_int_equal(mdldm__resize_bilinear(&env, r->source, r->height, r->width, out_height, out_width, top,
                                            left, rows, columns, r->result),
                     MDLDM_OK);
    for (size_t i = 0; i < r->expected->bytes; i++)
        if (r->result[i] != ((const uint8_t *)r->expected->data)[i])
            fail_msg("%s: byte %zu is %u, not %u", r->expected->name, i, r->result[i],
                     ((const uint8_t *)r->expected->data)[i]);
    free(r->source);
    free(r->result);
}

static void whole_images(void **state)
{
    (void)state;
    int64_t at = 0, cases = 0, height = 0, width = 0;
    for (resized r; next_case("resize_", &at, &r); cases++) {
        mdldm__fit_size(r.height, r.width, r.resolution, &height, &width);
        assert_int_equal(height, r.expected->dims[0]);
        assert_int_equal(width, r.expected->dims[1]);
        check(&r, height, width, 0, 0, height, width);
    }
    assert_int_equal(cases, 12);
}

static void centre_crops(void **state)
{
    (void)state;
    int64_t at = 0, cases = 0, height = 0, width = 0;
    for (resized r; next_case("crop_", &at, &r); cases++) {
        mdldm__fit_size(r.height, r.width, r.resolution, &height, &width);
        check(&r, height, width, mdldm__centre_offset(height, r.resolution),
              mdldm__centre_offset(width, r.resolution), r.resolution, r.resolution);
    }
    assert_int_equal(cases, 6);
}

/* A window is that part of the whole, wherever it lies and whichever pass comes first. */
static void windows_are_parts_of_the_whole(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {{37, 53, 16, 22}, {129, 64, 16, 8}, {9, 11, 30, 41}, {40, 16, 40, 16},
                                       {20, 30, 20, 15}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t height = sizes[i][0], width = sizes[i][1], rows = sizes[i][2], columns = sizes[i][3];
        uint8_t *source = malloc((size_t)(height * width) * 3), *whole = malloc((size_t)(rows * columns) * 3);
        uint8_t part[5 * 7 * 3];
        assert_true(source != NULL && whole != NULL);
        image_noise(height, width, source);
        assert_int_equal(mdldm__resize_bilinear(&env, source, height, width, rows, columns, 0, 0, rows, columns,
                                                whole),
                         MDLDM_OK);
        for (int64_t top = 0; top + 5 <= rows; top += 3)
            for (int64_t left = 0; left + 7 <= columns; left++) {
                assert_int_equal(mdldm__resize_bilinear(&env, source, height, width, rows, columns, top, left, 5,
                                                        7, part),
                                 MDLDM_OK);
                for (int64_t y = 0; y < 5; y++)
                    assert_memory_equal(part + y * 21, whole + ((top + y) * columns + left) * 3, 21);
            }
        free(source);
        free(whole);
    }
}

static void sizes_follow_torchvision(void **state)
{
    (void)state;
    int64_t height = 0, width = 0;
    mdldm__fit_size(333, 500, 256, &height, &width);
    assert_int_equal(height, 256);
    assert_int_equal(width, 384); /* int(384.38) */
    mdldm__fit_size(500, 300, 16, &height, &width);
    assert_int_equal(height, 26); /* int(26.67): cut, not rounded */
    assert_int_equal(width, 16);
    mdldm__fit_size(16384, 1, 4096, &height, &width);
    assert_int_equal(height, 67108864);
    /* Python's round(): halves go to the even neighbour */
    assert_int_equal(mdldm__centre_offset(10, 10), 0);
    assert_int_equal(mdldm__centre_offset(11, 10), 0);
    assert_int_equal(mdldm__centre_offset(12, 10), 1);
    assert_int_equal(mdldm__centre_offset(13, 10), 2);
    assert_int_equal(mdldm__centre_offset(15, 10), 2);
}

/* The resized image would not fit into memory; its crop does. */
static void long_strips_cost_their_crop_alone(void **state)
{
    (void)state;
    uint8_t *source = malloc(16384 * 3), out[8 * 8 * 3];
    assert_non_null(source);
    memset(source, 77, 16384 * 3);
    int64_t height = 0, width = 0;
    mdldm__fit_size(1, 16384, 4096, &height, &width);
    assert_int_equal(mdldm__resize_bilinear(&env, source, 1, 16384, height, width, 4000, 60000000, 8, 8, out),
                     MDLDM_OK);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 77);
    free(source);
}

static mdldm_status resize_once(torture *t, void *user, char sentence[1024])
{
    (void)user;
    mdldm__env own;
    mdldm__env_init(&own, NULL);
    own.resize = torture_resize;
    own.resize_user = t;
    uint8_t source[20 * 30 * 3], out[8 * 8 * 3];
    image_noise(20, 30, source);
    mdldm_status status = mdldm__resize_bilinear(&own, source, 20, 30, 8, 12, 0, 2, 8, 8, out);
    memcpy(sentence, own.error, sizeof own.error);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    assert_int_equal(torture_run("resize", resize_once, NULL, 50), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_images),
        cmocka_unit_test(centre_crops),
        cmocka_unit_test(windows_are_parts_of_the_whole),
        cmocka_unit_test(sizes_follow_torchvision),
        cmocka_unit_test(long_strips_cost_their_crop_alone),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
