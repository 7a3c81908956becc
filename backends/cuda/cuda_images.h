/* SPDX-License-Identifier: MIT
 * The compiled kernels inside the plug-in: one image per kernels/NAME.cu. The table is made by embed.sh. */
#ifndef MDLDM_CUDA_IMAGES_H
#define MDLDM_CUDA_IMAGES_H

#include <stddef.h>
#include <stdint.h>

typedef struct mdldm__cuda_image {
    const char *name;
    const char *ptx, *ptx_end; /* with a closing zero */
    const char *fatbin;        /* NULL: the plug-in was built without */
} mdldm__cuda_image;

typedef struct mdldm__cuda_kernel_name {
    const char *name;
    int32_t image;
} mdldm__cuda_kernel_name;

extern const mdldm__cuda_image mdldm__cuda_images[];
extern const int32_t mdldm__cuda_image_count;
extern const mdldm__cuda_kernel_name mdldm__cuda_kernel_names[]; /* sorted by name */
extern const int32_t mdldm__cuda_kernel_count;
extern const char mdldm__cuda_compiler[]; /* "clang" or "nvcc" */

#endif
