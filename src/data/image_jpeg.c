/* SPDX-License-Identifier: MIT
 * JPEG through libjpeg-turbo's TurboJPEG interface, with the accurate integer DCT and smooth chroma
 * upsampling: libjpeg's defaults, hence PIL's. Any warning of the decoder (data ends early, corrupt
 * segment) counts as a broken file: half a spectrogram is no training image. */
#include <string.h>
#include <turbojpeg.h>

#include "data/image.h"

static mdldm_status decode(mdldm__env *env, const char *name, tjhandle handle, const void *data, size_t size,
                           int header_only, mdldm__image *image)
{
    int width = 0, height = 0, subsampling = 0, colours = 0;
    if (tjDecompressHeader3(handle, data, (unsigned long)size, &width, &height, &subsampling, &colours) != 0)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "broken JPEG file '%s': %s", name,
                            tjGetErrorStr2(handle));
    if (colours == TJCS_CMYK || colours == TJCS_YCCK)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                            "JPEG file '%s' has CMYK colours; save it as RGB or grey", name);
    MDLDM__TRY(mdldm__image_check_size(env, name, height, width));
    image->height = height;
    image->width = width;
    if (header_only)
        return MDLDM_OK;
    image->rgb = mdldm__calloc(env, (size_t)height * (size_t)width, 3);
    if (image->rgb == NULL)
        return mdldm__oom(env, name);
    /* LIMITSCANS: a progressive file of a few bytes a scan could otherwise keep us for hours. */
    if (tjDecompress2(handle, data, (unsigned long)size, image->rgb, width, width * 3, height, TJPF_RGB,
                      TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS) != 0)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "broken JPEG file '%s': %s", name,
                            tjGetErrorStr2(handle));
    return MDLDM_OK;
}

mdldm_status mdldm__jpeg_decode(mdldm__env *env, const char *name, const void *data, size_t size,
                                int header_only, mdldm__image *out)
{
    mdldm__image image = {0, 0, NULL};
    tjhandle handle = tjInitDecompress();
    if (handle == NULL)
        return mdldm__oom(env, "JPEG decoder");
    mdldm_status status = decode(env, name, handle, data, size, header_only, &image);
    tjDestroy(handle);
    if (status == MDLDM_OK)
        *out = image;
    else
        mdldm__image_free(env, &image);
    return status;
}
