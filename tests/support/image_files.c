/* SPDX-License-Identifier: MIT */
#include "image_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "data/image.h"
#include "temp_dir.h"

void image_golden_open(mdldm__env *env, mdldm__safetensors *golden)
{
    const char *folder = getenv("MDLDM_GOLDEN_DIR");
    char path[1024];
    snprintf(path, sizeof path, "%s/image_kinds/golden.safetensors",
             folder != NULL ? folder : "tests/golden/data");
    if (mdldm__safetensors_open(env, path, golden) != MDLDM_OK)
        fail_msg("%s (tests run from the project's root)", env->error);
}

const mdldm__st_tensor *image_golden(const mdldm__safetensors *golden, const char *prefix, const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s%s", prefix, suffix[0] != '\0' ? "." : "", suffix);
    const mdldm__st_tensor *tensor = mdldm__safetensors_find(golden, name);
    if (tensor == NULL)
        fail_msg("no golden tensor %s", name);
    return tensor;
}

void image_noise(int64_t height, int64_t width, uint8_t *rgb)
{
    for (int64_t i = 0; i < height * width * 3; i++)
        rgb[i] = (uint8_t)(((uint32_t)(i + 1) * 2654435761u) >> 24);
}

static void make_parents(mdldm__env *env, const char *path)
{
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    *strrchr(parent, '/') = '\0';
    assert_int_equal(mdldm__mkdir_p(env, parent), MDLDM_OK);
}

static void write_png(const char *path, int64_t height, int64_t width, const uint8_t colour[3], size_t keep)
{
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    make_parents(&env, path);
    uint8_t *rgb = malloc((size_t)(height * width) * 3);
    assert_non_null(rgb);
    for (int64_t i = 0; i < height * width * 3; i++)
        rgb[i] = colour[i % 3];
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(mdldm__png_encode(&env, path, rgb, 3, height, width, &data, &size), MDLDM_OK);
    temp_write(path, data, keep < size ? keep : size);
    mdldm__free(&env, data);
    free(rgb);
}

void image_file(const char *path, int64_t height, int64_t width, uint8_t red, uint8_t green, uint8_t blue)
{
    const uint8_t colour[3] = {red, green, blue};
    write_png(path, height, width, colour, SIZE_MAX);
}

void image_file_broken(const char *path)
{
    const uint8_t colour[3] = {1, 2, 3};
    write_png(path, 8, 8, colour, 50);
}

static void put_be32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void png_claim_size(uint8_t *png, uint32_t width, uint32_t height)
{
    /* signature 8, length 4, "IHDR" 4, width, height, 5 more bytes, checksum of the 17 after the length */
    put_be32(png + 16, width);
    put_be32(png + 20, height);
    put_be32(png + 29, (uint32_t)crc32(0, png + 12, 17));
}

void jpeg_claim_size(uint8_t *jpeg, size_t size, uint16_t width, uint16_t height)
{
    for (size_t at = 2; at + 9 < size && jpeg[at] == 0xff; at += 2 + (size_t)(jpeg[at + 2] << 8 | jpeg[at + 3]))
        if (jpeg[at + 1] == 0xc0 || jpeg[at + 1] == 0xc2) {
            jpeg[at + 5] = (uint8_t)(height >> 8);
            jpeg[at + 6] = (uint8_t)height;
            jpeg[at + 7] = (uint8_t)(width >> 8);
            jpeg[at + 8] = (uint8_t)width;
            return;
        }
    fail_msg("the JPEG file has no frame header");
}
