/* SPDX-License-Identifier: MIT
 * Data set internals that the trainer uses: preprocessed items, the split, and a loader whose threads
 * fill a bounded queue of batches whose order depends on the seed alone. */
#ifndef MDLDM_DATA_LOADER_H
#define MDLDM_DATA_LOADER_H

#include "util/env.h"

/* Item index as float NHWC [resolution,resolution,channels] in [-1,1], augmented (crop, flip) for (seed,
 * epoch) as the data set's options say; epoch < 0: cropped at the centre, not flipped (validation). */
mdldm_status mdldm__dataset_item(mdldm__env *env, const mdldm_dataset *d, int64_t index, int64_t epoch,
                                 float *nhwc);
int64_t mdldm__dataset_resolution(const mdldm_dataset *d);
int mdldm__dataset_augments(const mdldm_dataset *d); /* 1: a random crop or flip changes some item */
void mdldm__dataset_retain(mdldm_dataset *d);

/* Contiguous blocks per class: of each class's items in natural order the last
 * ceil(fraction * count) are validation, with gap items before them left out of both. A class keeps at
 * least one training item, and the gap at most half of what is not held out. Arrays are allocated with
 * env, in ascending order. */
mdldm_status mdldm__dataset_split(mdldm__env *env, const mdldm_dataset *d, double fraction, int64_t gap,
                                  int64_t **train, int64_t *train_count, int64_t **validation,
                                  int64_t *validation_count);

typedef struct mdldm__loader mdldm__loader;
/* Endless batches over items[count] (copied), reshuffled each epoch from (seed, epoch); an epoch's
 * last short batch is filled from the next epoch's start, so that all batches have batch items.
 * start: number of batches already consumed (resume). workers 0: on the caller's thread. */
mdldm_status mdldm__loader_create(mdldm__env *env, mdldm_dataset *d, const int64_t *items, int64_t count,
                                  int64_t batch, uint64_t seed, int64_t start, int32_t workers,
                                  mdldm__loader **out);
/* The next batch: images NHWC [batch,res,res,channels], labels[batch], items[batch] (index in the data set).
 * Any output may be NULL; with workers 0 nothing is decoded for images NULL. An item that turned
 * unreadable since the data set was opened is an error that names it, on every further call too. */
mdldm_status mdldm__loader_next(mdldm__env *env, mdldm__loader *l, float *images, int64_t *labels,
                                int64_t *items);
void mdldm__loader_free(mdldm__loader *l);

#endif
