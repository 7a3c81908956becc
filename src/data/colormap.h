/* SPDX-License-Identifier: MIT
 * Colour maps by name, as tables of 256 colours. */
#ifndef MDLDM_DATA_COLORMAP_H
#define MDLDM_DATA_COLORMAP_H

#include "util/env.h"

typedef struct mdldm__colormap {
    uint8_t rgb[256][3];
} mdldm__colormap;

/* INVALID_ARGUMENT, with the names there are, for another name. */
mdldm_status mdldm__colormap_table(mdldm__env *env, const char *name, mdldm__colormap *map);

/* The nearest point of each colour rgb[count][3] on the map, which is taken as the straight lines from
 * colour to colour: place[count] in [0, 1], of colour i (i + 0.5) / 256, and its distance[count] (or NULL) in
 * RGB space in steps of 8 bits, 0 to 441.7. Returns their sum; *largest (or NULL) is the largest. */
double mdldm__colormap_nearest(const mdldm__colormap *map, const uint8_t *rgb, size_t count, float *place,
                               float *distance, double *largest);

#endif
