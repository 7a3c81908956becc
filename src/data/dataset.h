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

/* Decodes every entry of d's source on up to threads threads, with the caller's; keeps the readable ones,
 * the first max_samples of each class (0: all), counts and logs the others, or with strict gives the
 * first one's error. */
mdldm_status mdldm__dataset_check(mdldm__env *env, mdldm_dataset *d, int strict, int64_t max_samples,
                                  int32_t threads);

#endif
