/* SPDX-License-Identifier: MIT
 * A codebook that follows its latents (van den Oord et al. 2017, appendix A.1): what a batch adds, in double,
 * and the codebook behind a step. */
#include "../common/codebook_ops.h"
#include "ref_ops.h"

/* Sums of a batch: [K] uses, [K,d] latents. */
size_t mdldm__ref_vq_collect_scratch(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *sums = &call->in[4];
    return (size_t)(sums->n * (1 + sums->h)) * sizeof(double);
}

void mdldm__ref_vq_collect(const mdldm__ref_call *call)
{
    const mdldm__ref_operand *z = &call->in[0]; /* [n,h,w,d] */
    const int64_t codes = call->in[4].n, d = z->c, count = z->n * z->h * z->w;
    const float *from = z->data, *counts = call->in[3].data, *old = call->in[4].data;
    const int32_t *code = call->in[1].data, *place = call->in[2].data;
    const double keep = call->op->attr.codebook.keep, take = call->op->attr.codebook.take;
    float *tally = call->out[0].data;
    double *uses = call->scratch, *sums = uses + codes;
    for (int64_t i = 0; i < codes * (1 + d); i++)
        uses[i] = 0.0;
    for (int64_t i = 0; i < count; i++) {
        if (code[i] < 0 || code[i] >= codes)
            continue;
        uses[code[i]] += 1.0;
        for (int64_t c = 0; c < d; c++)
            sums[code[i] * d + c] += (double)from[i * d + c];
    }
    for (int64_t k = 0; k < codes; k++) {
        float *row = tally + k * (2 * d + 2);
        const int64_t drawn = mdldm__codebook_draw(place, k) - place[4];
        const int begins = place[4] == 0;
        row[0] = (float)((begins ? 0.0 : (double)row[0]) + uses[k]);
        row[1] = (float)((begins ? keep * (double)counts[k] : (double)row[1]) + take * uses[k]);
        for (int64_t c = 0; c < d; c++)
            row[2 + c] = (float)((begins ? keep * (double)old[k * d + c] : (double)row[2 + c]) + take * sums[k * d + c]);
        for (int64_t c = 0; c < d && drawn >= 0 && drawn < count; c++)
            row[2 + d + c] = from[drawn * d + c];
    }
}

void mdldm__ref_vq_update(const mdldm__ref_call *call)
{
    const mdldm__codebook_update_args args = {.attr = call->op->attr.codebook,
                                              .codes = call->out[2].n,
                                              .width = call->out[2].h,
                                              .tally = call->in[0].data,
                                              .codebook = call->out[0].data,
                                              .counts = call->out[1].data,
                                              .sums = call->out[2].data,
                                              .age = call->out[3].data,
                                              .trained = call->state,
                                              .report = call->out[4].data};
    mdldm__codebook_update(&args);
}
