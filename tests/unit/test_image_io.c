/* SPDX-License-Identifier: MIT
 * Image files: every kind against PIL's pixels, every way of being broken, writing and reading back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../support/image_files.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"
#include "data/image.h"
#include "mdldm/mdldm.h"

static mdldm__env env;
static mdldm__safetensors golden;
static mdldm_context *ctx;
static char *folder;

static int setup(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    image_golden_open(&env, &golden);
    folder = temp_dir_make();
    return mdldm_context_create(&ctx) == MDLDM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mdldm__safetensors_close(&golden);
    mdldm_context_free(ctx);
    temp_dir_remove(folder);
    return 0;
}

static void says(const char *sentence, const char *a, const char *b)
{
    if (strstr(sentence, a) == NULL || strstr(sentence, b) == NULL)
        fail_msg("\"%s\" should name \"%s\" and say \"%s\"", sentence, a, b);
}

static void kinds_are_what_pil_makes_of_them(void **state)
{
    (void)state;
    int kinds = 0;
    for (int64_t i = 0; i < golden.count; i++) {
        const char *name = golden.tensors[i].name, *dot = strstr(name, ".rgb");
        if (dot == NULL)
            continue;
        char kind[64];
        snprintf(kind, sizeof kind, "%.*s", (int)(dot - name), name);
        const mdldm__st_tensor *file = image_golden(&golden, kind, "file"), *rgb = &golden.tensors[i];
        int64_t height = 0, width = 0;
        assert_int_equal(mdldm__image_size(&env, kind, file->data, file->bytes, &height, &width), MDLDM_OK);
        assert_int_equal(height, rgb->dims[0]);
        assert_int_equal(width, rgb->dims[1]);
        mdldm__image image;
        if (mdldm__image_decode(&env, kind, file->data, file->bytes, &image) != MDLDM_OK)
            fail_msg("%s: %s", kind, env.error);
        assert_int_equal(image.height, height);
        assert_int_equal(image.width, width);
        if (memcmp(image.rgb, rgb->data, rgb->bytes) != 0)
            fail_msg("%s: other pixels than PIL's", kind);
        mdldm__image_free(&env, &image);
        kinds++;
    }
    assert_int_equal(kinds, 30 + 5); /* PNG: 15 pairs of colour type and depth, each also interlaced */
}

/* A private copy, so that sanitizers see a read past the end. */
static mdldm_status decode_start(const mdldm__st_tensor *file, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, file->data, size);
    mdldm__image image = {0, 0, NULL};
    mdldm_status status = mdldm__image_decode(&env, "cut", copy, size, &image);
    if (status == MDLDM_OK)
        mdldm__image_free(&env, &image);
    free(copy);
    return status;
}

static void every_truncated_file_is_an_error(void **state)
{
    (void)state;
    static const char *const kinds[] = {"png_2_8", "png_3_4_adam7", "jpeg_420", "jpeg_progressive"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const mdldm__st_tensor *file = image_golden(&golden, kinds[k], "file");
        /* A JPEG without its last marker alone still has every pixel. */
        const size_t whole = kinds[k][0] == 'j' ? file->bytes - 2 : file->bytes;
        for (size_t size = 0; size < whole; size++) {
            mdldm_status status = decode_start(file, size);
            if (status != MDLDM_ERROR_FORMAT)
                fail_msg("%s cut to %zu of %zu bytes: %s", kinds[k], size, file->bytes, mdldm_status_name(status));
            assert_non_null(strstr(env.error, "cut"));
        }
        assert_int_equal(decode_start(file, file->bytes), MDLDM_OK);
    }
}

static void damaged_png_is_an_error(void **state)
{
    (void)state;
    const mdldm__st_tensor *file = image_golden(&golden, "png_2_8", "file");
    uint8_t *copy = malloc(file->bytes);
    assert_non_null(copy);
    for (size_t at = 0; at < file->bytes; at++) {
        memcpy(copy, file->data, file->bytes);
        copy[at] ^= 0x55;
        mdldm__image image = {0, 0, NULL};
        mdldm_status status = mdldm__image_decode(&env, "x", copy, file->bytes, &image);
        if (status == MDLDM_OK) { /* an ancillary chunk: the pixels are the same */
            assert_memory_equal(image.rgb, image_golden(&golden, "png_2_8", "rgb")->data,
                                (size_t)(image.height * image.width) * 3);
            mdldm__image_free(&env, &image);
        } else {
            assert_true(status == MDLDM_ERROR_FORMAT || status == MDLDM_ERROR_UNSUPPORTED);
        }
    }
    free(copy);
}

static void claims_of_size_are_judged_before_memory(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        mdldm_status status;
    } sizes[] = {{16385, 1, MDLDM_ERROR_UNSUPPORTED},      {1, 16385, MDLDM_ERROR_UNSUPPORTED},
                 {16384, 4097, MDLDM_ERROR_UNSUPPORTED},   {0x7fffffff, 0x7fffffff, MDLDM_ERROR_UNSUPPORTED},
                 {0xffffffff, 5, MDLDM_ERROR_FORMAT},      {0, 5, MDLDM_ERROR_FORMAT}};
    const mdldm__st_tensor *file = image_golden(&golden, "png_0_8", "file");
    uint8_t *copy = malloc(file->bytes);
    assert_non_null(copy);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memcpy(copy, file->data, file->bytes);
        png_claim_size(copy, sizes[i].width, sizes[i].height);
        mdldm__image image;
        assert_int_equal(mdldm__image_decode(&env, "bomb.png", copy, file->bytes, &image), sizes[i].status);
        assert_non_null(strstr(env.error, "bomb.png"));
        if (sizes[i].status == MDLDM_ERROR_UNSUPPORTED)
            says(env.error, "16384", "67108864");
    }
    free(copy);

    file = image_golden(&golden, "jpeg_420", "file");
    copy = malloc(file->bytes);
    assert_non_null(copy);
    memcpy(copy, file->data, file->bytes);
    jpeg_claim_size(copy, file->bytes, 65500, 65500);
    mdldm__image image;
    assert_int_equal(mdldm__image_decode(&env, "bomb.jpg", copy, file->bytes, &image), MDLDM_ERROR_UNSUPPORTED);
    says(env.error, "bomb.jpg", "65500 x 65500");
    free(copy);
}

static void other_content_is_named(void **state)
{
    (void)state;
    mdldm__image image;
    assert_int_equal(mdldm__image_decode(&env, "a.png", "", 0, &image), MDLDM_ERROR_FORMAT);
    says(env.error, "a.png", "empty");
    assert_int_equal(mdldm__image_decode(&env, "b.png", "GIF89a rest", 11, &image), MDLDM_ERROR_FORMAT);
    says(env.error, "b.png", "neither a PNG nor a JPEG");
    const mdldm__st_tensor *cmyk = image_golden(&golden, "jpeg_cmyk", "file");
    assert_int_equal(mdldm__image_decode(&env, "c.jpg", cmyk->data, cmyk->bytes, &image), MDLDM_ERROR_UNSUPPORTED);
    says(env.error, "c.jpg", "CMYK");
}

static void written_files_read_back(void **state)
{
    (void)state;
    uint8_t rgb[21 * 34 * 3], back[21 * 34 * 3];
    image_noise(21, 34, rgb);
    const char *path = temp_path(folder, "out.png");
    assert_int_equal(mdldm_image_write(ctx, path, rgb, 21, 34), MDLDM_OK);
    assert_int_equal(temp_count(folder), 1); /* nothing is left beside it */
    int64_t height = 0, width = 0;
    assert_int_equal(mdldm_image_read(ctx, path, NULL, 0, &height, &width), MDLDM_OK);
    assert_int_equal(height, 21);
    assert_int_equal(width, 34);
    memset(back, 7, sizeof back);
    height = -5;
    assert_int_equal(mdldm_image_read(ctx, path, back, sizeof back - 1, &height, NULL), MDLDM_ERROR_CAPACITY);
    says(mdldm_context_error(ctx), "out.png", "2142");
    assert_int_equal(back[0], 7);
    assert_int_equal(height, -5);
    assert_int_equal(mdldm_image_read(ctx, path, back, sizeof back, NULL, NULL), MDLDM_OK);
    assert_memory_equal(rgb, back, sizeof rgb);
}

static void public_calls_refuse_nonsense(void **state)
{
    (void)state;
    uint8_t rgb[3] = {1, 2, 3};
    int64_t height = 0, width = 0;
    assert_int_equal(mdldm_image_read(NULL, "x", rgb, 3, &height, &width), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_image_read(ctx, NULL, rgb, 3, &height, &width), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_image_write(NULL, "x", rgb, 1, 1), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_image_write(ctx, temp_path(folder, "z.png"), NULL, 1, 1), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_image_write(ctx, temp_path(folder, "z.png"), rgb, 0, 1), MDLDM_ERROR_INVALID_ARGUMENT);
    says(mdldm_context_error(ctx), "z.png", "1 to 1000000");
    assert_int_equal(mdldm_image_write(ctx, temp_path(folder, "no/such/folder.png"), rgb, 1, 1), MDLDM_ERROR_IO);
    says(mdldm_context_error(ctx), "no/such/folder.png", "cannot");

    assert_int_equal(mdldm_image_read(ctx, temp_path(folder, "none.png"), NULL, 0, &height, &width),
                     MDLDM_ERROR_NOT_FOUND);
    says(mdldm_context_error(ctx), "none.png", "No such file");
    const char *directory = temp_path(folder, "folder.png");
    assert_int_equal(mkdir(directory, 0777), 0);
    assert_int_not_equal(mdldm_image_read(ctx, directory, NULL, 0, &height, &width), MDLDM_OK);
    says(mdldm_context_error(ctx), "folder.png", "");
}

static void pixels_and_bytes(void **state)
{
    (void)state;
    enum { SIZE = 2 * 2 * 64 * 3 };
    uint8_t rgb[SIZE], back[SIZE];
    float pixels[SIZE];
    image_noise(4, 64, rgb);
    for (int v = 0; v < 256; v++)
        rgb[v] = (uint8_t)v;
    assert_int_equal(mdldm_rgb8_to_pixels(ctx, rgb, 2, 2, 64, pixels, SIZE), MDLDM_OK);
    /* [n, h, w, 3] to [n, 3, h, w]: image 1, row 1, column 5, channel 2 */
    const float *table = image_golden(&golden, "pixel_table", "")->data;
    assert_memory_equal(&pixels[((1 * 3 + 2) * 2 + 1) * 64 + 5], &table[rgb[((1 * 2 + 1) * 64 + 5) * 3 + 2]],
                        sizeof(float));
    for (int v = 0; v < 256; v++) {
        float one[3];
        const uint8_t grey[3] = {(uint8_t)v, (uint8_t)v, (uint8_t)v};
        assert_int_equal(mdldm_rgb8_to_pixels(ctx, grey, 1, 1, 1, one, 3), MDLDM_OK);
        assert_memory_equal(one, &table[v], sizeof(float)); /* torchvision's, to the last bit */
    }
    assert_int_equal(mdldm_pixels_to_rgb8(ctx, pixels, 2, 2, 64, back, SIZE), MDLDM_OK);
    assert_memory_equal(rgb, back, SIZE);

    const float wild[3] = {-7.0f, 1e30f, 0.0f};
    assert_int_equal(mdldm_pixels_to_rgb8(ctx, wild, 1, 1, 1, back, 3), MDLDM_OK);
    assert_int_equal(back[0], 0);
    assert_int_equal(back[1], 255);
    assert_true(back[2] == 127 || back[2] == 128);
    const float broken[3] = {0.0f, NAN, 0.0f};
    memset(back, 9, 3);
    assert_int_equal(mdldm_pixels_to_rgb8(ctx, broken, 1, 1, 1, back, 3), MDLDM_ERROR_NUMERIC);
    says(mdldm_context_error(ctx), "1", "NaN");
    assert_int_equal(back[0], 9);
    assert_int_equal(mdldm_pixels_to_rgb8(ctx, wild, 1, 1, 1, back, 2), MDLDM_ERROR_CAPACITY);
    assert_int_equal(mdldm_pixels_to_rgb8(ctx, wild, 0, 1, 1, back, 3), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_pixels_to_rgb8(ctx, wild, INT64_MAX, 4, 4, back, 3), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_rgb8_to_pixels(ctx, NULL, 1, 1, 1, pixels, 3), MDLDM_ERROR_INVALID_ARGUMENT);
}

/* Every allocation of decoding and encoding fails in turn. */
static mdldm_status decode_and_encode(torture *t, void *user, char sentence[1024])
{
    const mdldm__st_tensor *file = user;
    mdldm__env own;
    mdldm__env_init(&own, NULL);
    own.resize = torture_resize;
    own.resize_user = t;
    mdldm__image image = {0, 0, NULL};
    mdldm_status status = mdldm__image_decode(&own, "x", file->data, file->bytes, &image);
    char *data = NULL;
    size_t size = 0;
    if (status == MDLDM_OK)
        status = mdldm__png_encode(&own, "x", image.rgb, 3, image.height, image.width, &data, &size);
    mdldm__free(&own, data);
    mdldm__image_free(&own, &image);
    memcpy(sentence, own.error, sizeof own.error);
    return status;
}

static void failing_allocations(void **state)
{
    (void)state;
    static const char *const kinds[] = {"png_3_8", "png_6_16_adam7", "jpeg_progressive"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int64_t allocations = torture_run(kinds[k], decode_and_encode,
                                          (void *)image_golden(&golden, kinds[k], "file"), 200);
        assert_true(allocations >= (kinds[k][0] == 'p' ? 10 : 5));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_what_pil_makes_of_them),
        cmocka_unit_test(every_truncated_file_is_an_error),
        cmocka_unit_test(damaged_png_is_an_error),
        cmocka_unit_test(claims_of_size_are_judged_before_memory),
        cmocka_unit_test(other_content_is_named),
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(public_calls_refuse_nonsense),
        cmocka_unit_test(pixels_and_bytes),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
