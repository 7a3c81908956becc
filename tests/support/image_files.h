/* SPDX-License-Identifier: MIT
 * Image files for tests: golden ones, ones made on the spot, and broken ones. */
#ifndef MDLDM_TESTS_IMAGE_FILES_H
#define MDLDM_TESTS_IMAGE_FILES_H

#include "io/safetensors.h"

/* data/image_kinds/golden.safetensors; fails the test when it cannot be read. */
void image_golden_open(mdldm__env *env, mdldm__safetensors *golden);
/* The tensor PREFIX.SUFFIX; fails the test when there is none. */
const mdldm__st_tensor *image_golden(const mdldm__safetensors *golden, const char *prefix, const char *suffix);

/* rgb [height][width][3]: the high bits of a multiplicative hash of the running index. */
void image_noise(int64_t height, int64_t width, uint8_t *rgb);
/* A PNG file of one colour at path, its folders made where missing. */
void image_file(const char *path, int64_t height, int64_t width, uint8_t red, uint8_t green, uint8_t blue);
/* Only the start of such a file. */
void image_file_broken(const char *path);

/* Overwrites the size in a PNG's header and mends its checksum. */
void png_claim_size(uint8_t *png, uint32_t width, uint32_t height);
/* Overwrites the size in a JPEG's frame header; fails the test when there is none. */
void jpeg_claim_size(uint8_t *jpeg, size_t size, uint16_t width, uint16_t height);

#endif
