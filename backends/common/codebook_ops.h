/* SPDX-License-Identifier: MIT
 * What the backends on the host share of VQ_COLLECT and VQ_UPDATE: the draw, and the codebook behind a step. */
#ifndef MDLDM_COMMON_CODEBOOK_OPS_H
#define MDLDM_COMMON_CODEBOOK_OPS_H

#include "store_host.h"

/* Of VQ_COLLECT's place: the number, within the step, of the vector drawn for a code; -1: none is. */
int64_t mdldm__codebook_draw(const int32_t place[6], int64_t code);

/* Operands of VQ_UPDATE over codes of width d. */
typedef struct mdldm__codebook_update_args {
    mdldm_codebook_attr attr;
    int64_t codes, width;
    const float *tally;                   /* [codes, 2*width+2] */
    float *codebook, *counts, *sums, *age; /* [codes,width], [codes], [codes,width], [codes] */
    const mdldm__host_param *trained;     /* the codebook's entry in the store: its moments and EMA, where it has them */
    float *report;                        /* [3] */
} mdldm__codebook_update_args;

void mdldm__codebook_update(const mdldm__codebook_update_args *a);

#endif
