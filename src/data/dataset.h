/* SPDX-License-Identifier: MIT
 * What a data set handle holds. Fixed after opening, so that threads share it without a lock. */
#ifndef MDLDM_DATA_DATASET_H
#define MDLDM_DATA_DATASET_H

#include "data/source.h"

struct mdldm_dataset {
    mdldm__env env; /* the opening context's allocator: the handle may outlive the context */
    int32_t references;
    int source_open;
    mdldm__source source; /* its entries are the readable images alone */
    int64_t skipped;
    int64_t resolution;
    uint64_t seed;
    int center_crop, random_flip;
    int any_cropped; /* 1: some image is not square, so that the crop has a choice */
};

#endif
