/* SPDX-License-Identifier: MIT
 * PSNR and SSIM against direct sums in double, which skimage 0.26 confirms to 1e-7. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../support/image_files.h"
#include "eval/image_metrics.h"

enum { HEIGHT = 19, WIDTH = 23, COUNT = HEIGHT * WIDTH * 3 };
static mdldm__env env;
static float first[COUNT], second[COUNT];

/* The generator script's pair: noise, and 0.8 of it plus 0.2 of its left neighbour (cyclic). */
static int setup(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    uint8_t rgb[COUNT];
    image_noise(HEIGHT, WIDTH, rgb);
    for (int i = 0; i < COUNT; i++)
        first[i] = (float)rgb[i] / 127.5f - 1.0f;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++) {
                const float *row = first + y * WIDTH * 3;
                second[(y * WIDTH + x) * 3 + c] =
                    row[x * 3 + c] * 0.8f + row[(x + WIDTH - 1) % WIDTH * 3 + c] * 0.2f;
            }
    return 0;
}

static void figures_are_the_references(void **state)
{
    (void)state;
    mdldm__safetensors golden;
    image_golden_open(&env, &golden);
    const float *expected = image_golden(&golden, "metrics.psnr_ssim", "")->data;
    double ssim = 0, psnr = mdldm__psnr(first, second, COUNT, 2.0);
    assert_int_equal(mdldm__ssim(&env, first, second, HEIGHT, WIDTH, 3, 2.0, &ssim), MDLDM_OK);
    printf("psnr error %.1e (1e-5), ssim error %.1e (2e-7: the stored float's)\n", fabs(psnr - expected[0]),
           fabs(ssim - expected[1]));
    assert_true(fabs(psnr - expected[0]) < 1e-5);
    assert_true(fabs(ssim - expected[1]) < 2e-7);
    mdldm__safetensors_close(&golden);
}

static void equal_images(void **state)
{
    (void)state;
    double ssim = 0;
    assert_true(isinf(mdldm__psnr(first, first, COUNT, 2.0)));
    assert_int_equal(mdldm__ssim(&env, first, first, HEIGHT, WIDTH, 3, 2.0, &ssim), MDLDM_OK);
    assert_true(fabs(ssim - 1.0) < 1e-12);
}

static void known_psnr(void **state)
{
    (void)state;
    const float a[4] = {0, 0, 0, 0}, b[4] = {0.2f, -0.2f, 0.2f, -0.2f};
    assert_true(fabs(mdldm__psnr(a, b, 4, 2.0) - 20.0) < 1e-5); /* (2 / 0.2)^2 = 100 */
}

/* Flat images differ in mean alone: the luminance term is all that is left. */
static void known_ssim(void **state)
{
    (void)state;
    float a[11 * 12], b[11 * 12];
    for (int i = 0; i < 11 * 12; i++) {
        a[i] = 0.5f;
        b[i] = 0.25f;
    }
    double ssim = 0;
    assert_int_equal(mdldm__ssim(&env, a, b, 11, 12, 1, 2.0, &ssim), MDLDM_OK);
    const double c1 = 4e-4;
    assert_true(fabs(ssim - (2 * 0.125 + c1) / (0.25 + 0.0625 + c1)) < 1e-9);
}

static void small_images_are_refused(void **state)
{
    (void)state;
    double ssim = 5;
    assert_int_equal(mdldm__ssim(&env, first, second, 10, 23, 3, 2.0, &ssim), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(env.error, "23 x 10"));
    assert_true(ssim == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_the_references), cmocka_unit_test(equal_images),
        cmocka_unit_test(known_psnr),                 cmocka_unit_test(known_ssim),
        cmocka_unit_test(small_images_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
