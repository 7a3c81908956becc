/* SPDX-License-Identifier: MIT
 * Image files of every kind against PIL, and their preprocessing against torchvision's Resize
 * (bilinear, antialiased), CenterCrop, ToTensor and Normalize. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/golden.h"

static const golden_run images = {"images", NULL, "f32"};

/* 8-bit values as PIL decodes them, to the bit: PNG is exact and JPEG has one usual decoder. */
static void test_decode(void **state)
{
    (void)state;
    golden g;
    golden_open(&g, &images);
    mdldm_context *ctx = NULL;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    int files = 0;
    for (int64_t i = 0; i < g.file.count; i++) {
        const mdldm__st_tensor *t = &g.file.tensors[i];
        size_t length = strlen(t->name);
        if (length < 4 || strcmp(t->name + length - 4, ".rgb") != 0)
            continue;
        char path[700];
        snprintf(path, sizeof path, "%s/%.*s", g.folder, (int)(length - 4), t->name);
        int64_t height = 0, width = 0;
        if (mdldm_image_read(ctx, path, NULL, 0, &height, &width) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(ctx));
        assert_int_equal(height, t->dims[0]);
        assert_int_equal(width, t->dims[1]);
        uint8_t *rgb = malloc(t->bytes);
        assert_non_null(rgb);
        if (mdldm_image_read(ctx, path, rgb, t->bytes, &height, &width) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(ctx));
        int worst = 0;
        for (size_t k = 0; k < t->bytes; k++) {
            int difference = abs((int)rgb[k] - (int)((const uint8_t *)t->data)[k]);
            worst = difference > worst ? difference : worst;
        }
        print_message("  %s: largest difference %d of 255\n", t->name, worst);
        assert_int_equal(worst, 0);
        free(rgb);
        files++;
    }
    assert_int_equal(files, 8);
    mdldm_context_free(ctx);
    golden_close(&g);
}

static void test_resize(void **state)
{
    (void)state;
    golden g;
    golden_open(&g, &images);
    mdldm_context *ctx = NULL;
    mdldm_options *options = NULL;
    mdldm_dataset *dataset = NULL;
    int64_t resolution = (int64_t)golden_fact(&g, "resolution");
    size_t count = (size_t)(3 * resolution * resolution);
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_int_equal(mdldm_options_create(ctx, &options), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(ctx, options, "resolution", resolution), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(ctx, options, "center_crop", 1), MDLDM_OK);
    if (mdldm_dataset_open(ctx, g.folder, options, &dataset) != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    assert_int_equal(mdldm_dataset_count(dataset), 8);
    float *pixels = malloc(sizeof *pixels * count);
    assert_non_null(pixels);
    for (int64_t i = 0; i < 8; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s.resized", mdldm_dataset_item_name(dataset, i));
        assert_int_equal(golden_elements(&g, name), count);
        if (mdldm_dataset_read(ctx, dataset, i, pixels, count) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(ctx));
        double worst = 0; /* in steps of 8-bit values: 2/255 */
        for (size_t k = 0; k < count; k++)
            worst = fmax(worst, fabs((double)pixels[k] - (double)golden_f32(&g, name)[k]) * 127.5);
        print_message("  %s: largest difference %.2g of 255\n", name, worst);
        assert_true(worst < 1e-3);
    }
    free(pixels);
    mdldm_dataset_free(dataset);
    mdldm_options_free(options);
    mdldm_context_free(ctx);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode), cmocka_unit_test(test_resize)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
