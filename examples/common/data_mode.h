/* SPDX-License-Identifier: MIT
 * Pictures as a model takes them. */
#ifndef DATA_MODE_H
#define DATA_MODE_H

#include "cli.h"

/* For a model of one channel: sets in options, where they are not set, image_mode L and the colour map and range
 * in dB that its autoencoder was trained with. Colours need nothing. */
mdldm_status data_mode_follow(const cli *c, const mdldm_model *m, mdldm_options *options);

#endif
