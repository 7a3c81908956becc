/* SPDX-License-Identifier: MIT
 * What a data set handle holds. Fixed after opening, so that threads share it without a lock. */
#ifndef MDLDM_DATA_DATASET_H
#define MDLDM_DATA_DATASET_H

#include "data/colormap.h"
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
    int32_t channels; /* 3, or 1 with image_mode L */
    int has_map;      /* pictures of 1 channel were coloured by map */
    char map_name[32];
    mdldm__colormap map;
    int has_db; /* -1 and 1 mean floor_db and ceiling_db */
    double floor_db, ceiling_db;
    /* A set from memory has one of these, and entries whose zip_index says which image. */
    float *matrices;   /* [.][height][width] in [-1, 1] */
    uint8_t *pictures; /* [.][height][width][3] */
    int64_t height, width;
};

/* Reads what options of scope DATASET say of all sets. */
mdldm_status mdldm__dataset_options(mdldm__env *env, mdldm_dataset *d, const mdldm_options *options);

/* Decodes every entry of d's source on up to threads threads, with the caller's; keeps the readable ones,
 * the first max_samples of each class (0: all), counts and logs the others, or with strict gives the
 * first one's error. */
mdldm_status mdldm__dataset_check(mdldm__env *env, mdldm_dataset *d, int strict, int64_t max_samples,
                                  int32_t threads);

#endif
