/* SPDX-License-Identifier: MIT
 * Whether a data set's pictures are what a model takes. */
#ifndef MDLDM_TRAIN_DATA_FITS_H
#define MDLDM_TRAIN_DATA_FITS_H

#include "data/dataset.h"
#include "models/model.h"

/* The autoencoder's channels are the data set's. */
mdldm_status mdldm__check_data_channels(mdldm__env *env, const mdldm__component *autoencoder,
                                        const mdldm_dataset *d);
/* Where model and data set both know a range in dB, it is the same. */
mdldm_status mdldm__check_data_range(mdldm__env *env, const mdldm_model *m, const mdldm_dataset *d);

#endif
