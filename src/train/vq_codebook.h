/* SPDX-License-Identifier: MIT
 * The codebook of stage 1 in the trainer's store: averages, ages and what a step's batches add lie beside the
 * codes, and operations of the plans keep them up to date (VQ_COLLECT, VQ_UPDATE), so that nothing of it passes
 * through the host but the report. */
#ifndef MDLDM_TRAIN_VQ_CODEBOOK_H
#define MDLDM_TRAIN_VQ_CODEBOOK_H

#include "train/codebook.h"
#include "train/trainer.h"

#define MDLDM__PLACE_WORDS 6

typedef struct mdldm__vq_codebook {
    mdldm__codebook host;       /* copies for the start, checkpoints and validation */
    mdldm_param_desc state[4];  /* behind the parameters: counts, sums, age, tally */
    int32_t param;              /* the codes */
    int64_t places;             /* latents of a step */
    mdldm__tensor report;
} mdldm__vq_codebook;

/* Before the store is opened: enters the state that it is to keep into the trainer. places: latents of a batch. */
mdldm_status mdldm__vq_codebook_open(mdldm_trainer *t, mdldm__vq_codebook *cb, int64_t places);
void mdldm__vq_codebook_close(mdldm__vq_codebook *cb);
/* Lets a batch's latents and codes count; gives the input that mdldm__vq_codebook_place fills. */
mdldm__tensor mdldm__vq_codebook_collect(mdldm_trainer *t, const mdldm__vq_codebook *cb, mdldm__graph *g, mdldm__tensor z,
                                         mdldm__tensor codes);
void mdldm__vq_codebook_place(const mdldm_trainer *t, const mdldm__vq_codebook *cb, int64_t micro,
                              int32_t place[MDLDM__PLACE_WORDS]);
/* The plan that runs behind a step, in t->step_plan; and averages that reproduce the codes as they are. */
mdldm_status mdldm__vq_codebook_prepare(mdldm_trainer *t, mdldm__vq_codebook *cb);
/* Codes from cb->host.values, with the averages to them. */
mdldm_status mdldm__vq_codebook_set(mdldm_trainer *t, mdldm__vq_codebook *cb);
/* Behind the optimiser's step; reports metrics. */
mdldm_status mdldm__vq_codebook_step(mdldm_trainer *t, mdldm__vq_codebook *cb);

mdldm_status mdldm__vq_codebook_save_declare(const mdldm__vq_codebook *cb, mdldm__st_writer *w);
mdldm_status mdldm__vq_codebook_save_data(mdldm_trainer *t, mdldm__vq_codebook *cb, mdldm__st_writer *w);
mdldm_status mdldm__vq_codebook_load(mdldm_trainer *t, mdldm__vq_codebook *cb, const mdldm__safetensors *st);

#endif
