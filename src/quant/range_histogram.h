/* SPDX-License-Identifier: MIT
 * The distribution of an activation, gathered tensor by tensor, and the range of eight bits that serves it
 * best. */
#ifndef MDLDM_QUANT_RANGE_HISTOGRAM_H
#define MDLDM_QUANT_RANGE_HISTOGRAM_H

#include "util/env.h"

#define MDLDM__HISTOGRAM_BINS 2048

typedef enum mdldm__range_method {
    MDLDM__RANGE_MINMAX = 0,
    MDLDM__RANGE_PERCENTILE = 1, /* all but one in 10^4 of the values, on each side */
    MDLDM__RANGE_MSE = 2         /* least mean squared error of rounding inside and clamping outside */
} mdldm__range_method;

/* Bins over [-reach, reach]; all zero is an empty one. Where a value lies beyond, reach doubles and pairs
 * of bins merge, so that nothing is lost but resolution. */
typedef struct mdldm__range_histogram {
    double reach; /* 0: nothing seen yet */
    float low, high;
    uint64_t bins[MDLDM__HISTOGRAM_BINS];
} mdldm__range_histogram;

/* Finite values only. */
void mdldm__histogram_add(mdldm__range_histogram *h, const float *values, int64_t count);
/* low <= 0 <= high, far enough apart to divide by. */
void mdldm__histogram_range(const mdldm__range_histogram *h, mdldm__range_method method, float range[2]);

#endif
