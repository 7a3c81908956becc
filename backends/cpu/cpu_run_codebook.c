/* SPDX-License-Identifier: MIT
 * The codebook's steps. They touch a few numbers per latent and run on one thread, in the latents' order. */
#include "../common/codebook_ops.h"
#include "cpu_plan.h"

#define IN(slot) mdldm__cpu_memory(plan, step->in[slot])
#define OUT(slot) mdldm__cpu_memory(plan, step->out[slot])

mdldm_status mdldm__cpu_run_vq_collect(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const int64_t *shape = mdldm__cpu_dims(plan, step->in[0]), codes = mdldm__cpu_dims(plan, step->in[4])[0];
    const int64_t d = shape[3], count = shape[0] * shape[1] * shape[2], width = 2 * d + 2;
    const float *z = IN(0), *counts = IN(3), *sums = IN(4);
    const int32_t *code = IN(1), *place = IN(2);
    const float keep = step->op->attr.codebook.keep, take = step->op->attr.codebook.take;
    float *tally = OUT(0);
    for (int64_t k = 0; k < codes && place[4] == 0; k++) {
        float *row = tally + k * width;
        row[0] = 0.0f;
        row[1] = counts[k] * keep;
        for (int64_t c = 0; c < d; c++)
            row[2 + c] = sums[k * d + c] * keep;
    }
    for (int64_t i = 0; i < count; i++) {
        if (code[i] < 0 || code[i] >= codes)
            continue;
        float *row = tally + code[i] * width;
        row[0] += 1.0f;
        row[1] += take;
        for (int64_t c = 0; c < d; c++)
            row[2 + c] += take * z[i * d + c];
    }
    for (int64_t k = 0; k < codes; k++) {
        const int64_t drawn = mdldm__codebook_draw(place, k) - place[4];
        for (int64_t c = 0; c < d && drawn >= 0 && drawn < count; c++)
            tally[k * width + 2 + d + c] = z[drawn * d + c];
    }
    return MDLDM_OK;
}

mdldm_status mdldm__cpu_run_vq_update(mdldm_plan *plan, mdldm__cpu_step *step)
{
    const int64_t *shape = mdldm__cpu_dims(plan, step->out[2]);
    const mdldm__codebook_update_args args = {.attr = step->op->attr.codebook,
                                              .codes = shape[0],
                                              .width = shape[1],
                                              .tally = IN(0),
                                              .codebook = OUT(0),
                                              .counts = OUT(1),
                                              .sums = OUT(2),
                                              .age = OUT(3),
                                              .trained = &plan->store->base.params[plan->tensors[step->out[0]].param],
                                              .report = OUT(4)};
    mdldm__codebook_update(&args);
    return MDLDM_OK;
}
