/* SPDX-License-Identifier: MIT
 * libFuzzer target: any bytes as a PNG or JPEG file. */
#include <stdint.h>
#include <stdlib.h>

#include "data/image.h"

static volatile unsigned every_pixel; /* so that all are read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    int64_t height = 0, width = 0;
    mdldm_status status = mdldm__image_size(&env, "fuzz", data, size, &height, &width);
    if (status != MDLDM_OK && env.error[0] == '\0')
        abort(); /* a failure without a sentence */
    if (status != MDLDM_OK || height * width > 1 << 20)
        return 0; /* a large image costs time, and tells nothing that a small one does not */
    mdldm__image image;
    status = mdldm__image_decode(&env, "fuzz", data, size, &image);
    if (status != MDLDM_OK)
        return 0;
    if (image.height != height || image.width != width)
        abort();
    unsigned sum = 0;
    for (int64_t i = 0; i < height * width * 3; i++)
        sum += image.rgb[i];
    every_pixel = sum;
    mdldm__image_free(&env, &image);
    return 0;
}
