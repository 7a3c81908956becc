/* SPDX-License-Identifier: MIT
 * PNG and JPEG in memory to 8-bit RGB [height][width][3] and back. The kind is told from the content,
 * not from a file's name. name stands in the error texts only.
 *
 * The pixels are those of PIL's Image.open(f).convert("RGB"): alpha and tRNS are dropped, grey is
 * repeated, 1, 2 and 4 bits are stretched to 0..255, of 16 bits the high byte counts (for 16-bit grey
 * too, where PIL would clip), gamma and colour profiles and the EXIF orientation are ignored. */
#ifndef MDLDM_DATA_IMAGE_H
#define MDLDM_DATA_IMAGE_H

#include "util/env.h"

/* Larger images are refused before memory is asked for: a small file may claim any size. */
#define MDLDM__IMAGE_MAX_SIDE 16384
#define MDLDM__IMAGE_MAX_PIXELS (INT64_C(1) << 26)
/* Files above this size are not read: 64 Mpixel of incompressible RGB. */
#define MDLDM__IMAGE_MAX_FILE ((size_t)208 << 20)

typedef struct mdldm__image {
    int64_t height, width;
    uint8_t *rgb; /* [height][width][3], of the env it was decoded with */
} mdldm__image;

/* The size alone, from the file's header. */
mdldm_status mdldm__image_size(mdldm__env *env, const char *name, const void *data, size_t size,
                               int64_t *height, int64_t *width);
mdldm_status mdldm__image_decode(mdldm__env *env, const char *name, const void *data, size_t size,
                                 mdldm__image *out);
void mdldm__image_free(mdldm__env *env, mdldm__image *image);

/* RGB (3 channels) or grey (1) to the bytes of a PNG file, freed with mdldm__free. */
mdldm_status mdldm__png_encode(mdldm__env *env, const char *name, const uint8_t *pixels, int channels,
                               int64_t height, int64_t width, char **data, size_t *size);

/* The two kinds; rgb stays NULL when header_only. */
mdldm_status mdldm__png_decode(mdldm__env *env, const char *name, const void *data, size_t size,
                               int header_only, mdldm__image *out);
mdldm_status mdldm__jpeg_decode(mdldm__env *env, const char *name, const void *data, size_t size,
                                int header_only, mdldm__image *out);
/* FORMAT or UNSUPPORTED for a side of 0 or beyond the limits; shared by both. */
mdldm_status mdldm__image_check_size(mdldm__env *env, const char *name, int64_t height, int64_t width);

#endif
