/* SPDX-License-Identifier: MIT
 * What a latent report gathers before it is written down. */
#ifndef MDLDM_ASSESS_LATENT_JOB_H
#define MDLDM_ASSESS_LATENT_JOB_H

#include <jansson.h>

#include "api/context.h"
#include "data/dataset.h"
#include "eval/latent_numbers.h"
#include "models/model.h"

/* How the decoder takes a walk from a latent to its nearest neighbour, means over pairs. */
typedef struct mdldm__latent_walks {
    int64_t pairs, steps;
    double distance;     /* between the two latents, over that of unrelated ones: root of twice the variance */
    double path;         /* sum of the decoded steps' lengths over the length from end to end; 1: straight */
    double largest_step; /* over the mean step; 1: even */
    double return_end, return_middle; /* encode(decode(z)) - z over the deviation, root mean square */
} mdldm__latent_walks;

typedef struct mdldm__latent_job {
    mdldm_context *ctx;
    const mdldm_model *m;
    const mdldm_dataset *d;
    int64_t images, resolution; /* measured, evenly over the data set */
    int64_t done, total;        /* of progress "measure" */
    mdldm__latent_set set;      /* in diffusion space */
    float *latents, *rest;
    int64_t codes;   /* in the codebook; 0: none */
    int64_t *counts; /* [codes] */
    double quantization_error; /* squared, over the variance; NaN without a codebook */
    mdldm__latent_walks walks;
} mdldm__latent_job;

mdldm_status mdldm__latent_job_progress(mdldm__latent_job *j);
/* Sets j->walks. */
mdldm_status mdldm__latent_walk(mdldm__latent_job *j);
/* The report of a job that is complete. */
mdldm_status mdldm__latent_report_write(mdldm__latent_job *j, json_t **out);

#endif
