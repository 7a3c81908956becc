/* SPDX-License-Identifier: MIT
 * Image files: the kind by content, and the public read and write calls. */
#include "data/image.h"

#include <string.h>

#include "api/context.h"
#include "data/grey.h"
#include "io/file_util.h"

mdldm_status mdldm__image_check_size(mdldm__env *env, const char *name, int64_t height, int64_t width)
{
    if (height < 1 || width < 1)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "image '%s' has no pixels (%lld x %lld)", name,
                            (long long)width, (long long)height);
    if (height > MDLDM__IMAGE_MAX_SIDE || width > MDLDM__IMAGE_MAX_SIDE ||
        height * width > MDLDM__IMAGE_MAX_PIXELS)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "image '%s' claims %lld x %lld pixels; sides up to %d and %lld pixels in all are read",
                            name, (long long)width, (long long)height, MDLDM__IMAGE_MAX_SIDE,
                            (long long)MDLDM__IMAGE_MAX_PIXELS);
    return MDLDM_OK;
}

static mdldm_status decode(mdldm__env *env, const char *name, const void *data, size_t size, int header_only,
                           mdldm__image *out)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff};
    if (size == 0)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "image file '%s' is empty", name);
    if (size >= sizeof png && memcmp(data, png, sizeof png) == 0)
        return mdldm__png_decode(env, name, data, size, header_only, out);
    if (size >= sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0)
        return mdldm__jpeg_decode(env, name, data, size, header_only, out);
    return mdldm__error(env, MDLDM_ERROR_FORMAT, "'%s' is neither a PNG nor a JPEG file, whatever its name says",
                        name);
}

mdldm_status mdldm__image_size(mdldm__env *env, const char *name, const void *data, size_t size,
                               int64_t *height, int64_t *width)
{
    mdldm__image image;
    MDLDM__TRY(decode(env, name, data, size, 1, &image));
    *height = image.height;
    *width = image.width;
    return MDLDM_OK;
}

mdldm_status mdldm__image_decode(mdldm__env *env, const char *name, const void *data, size_t size,
                                 mdldm__image *out)
{
    return decode(env, name, data, size, 0, out);
}

void mdldm__image_free(mdldm__env *env, mdldm__image *image)
{
    mdldm__free(env, image->rgb);
    image->rgb = NULL;
}

/* path to channels values a pixel; pixels NULL: the size alone. */
static mdldm_status read_image(mdldm_context *ctx, const char *path, uint8_t *pixels, int channels, size_t capacity,
                               int64_t *height, int64_t *width)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (path == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "reading an image: path is NULL");
    char *data = NULL;
    size_t size = 0;
    MDLDM__TRY(mdldm__file_read(env, path, MDLDM__IMAGE_MAX_FILE, &data, &size));
    mdldm__image image = {0, 0, NULL};
    mdldm_status status = decode(env, path, data, size, pixels == NULL, &image);
    mdldm__free(env, data);
    if (status != MDLDM_OK)
        return status;
    if (pixels != NULL) {
        const size_t count = (size_t)(image.height * image.width), needed = count * (size_t)channels;
        if (capacity < needed) {
            mdldm__image_free(env, &image);
            return mdldm__error(env, MDLDM_ERROR_CAPACITY, "image '%s' needs %zu bytes, the array has %zu",
                                path, needed, capacity);
        }
        if (channels == 3)
            memcpy(pixels, image.rgb, needed);
        else
            for (size_t i = 0; i < count; i++)
                pixels[i] = mdldm__luma(image.rgb + 3 * i);
        mdldm__image_free(env, &image);
    }
    if (height != NULL)
        *height = image.height;
    if (width != NULL)
        *width = image.width;
    return MDLDM_OK;
}

mdldm_status mdldm_image_read(mdldm_context *ctx, const char *path, uint8_t *rgb, size_t capacity,
                              int64_t *height, int64_t *width)
{
    return read_image(ctx, path, rgb, 3, capacity, height, width);
}

mdldm_status mdldm_image_read_grey8(mdldm_context *ctx, const char *path, uint8_t *grey, size_t capacity,
                                    int64_t *height, int64_t *width)
{
    return read_image(ctx, path, grey, 1, capacity, height, width);
}

static mdldm_status write_image(mdldm_context *ctx, const char *path, const uint8_t *pixels, int channels,
                                int64_t height, int64_t width)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    mdldm__env *env = &ctx->env;
    if (path == NULL || pixels == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "writing an image: path or the array is NULL");
    /* Contact sheets may be longer than what is read as training data; only the format's limit holds. */
    if (height < 1 || width < 1 || height > 1000000 || width > 1000000)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "cannot write '%s' with %lld x %lld pixels; sides are 1 to 1000000", path,
                            (long long)width, (long long)height);
    char *data = NULL;
    size_t size = 0;
    MDLDM__TRY(mdldm__png_encode(env, path, pixels, channels, height, width, &data, &size));
    mdldm_status status = mdldm__file_write(env, path, data, size);
    mdldm__free(env, data);
    return status;
}

mdldm_status mdldm_image_write(mdldm_context *ctx, const char *path, const uint8_t *rgb, int64_t height,
                               int64_t width)
{
    return write_image(ctx, path, rgb, 3, height, width);
}

mdldm_status mdldm_image_write_grey8(mdldm_context *ctx, const char *path, const uint8_t *grey, int64_t height,
                                     int64_t width)
{
    return write_image(ctx, path, grey, 1, height, width);
}
