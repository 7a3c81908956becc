/* SPDX-License-Identifier: MIT */
#include "codebook_ops.h"

#include <math.h>
#include <string.h>

#include "util/philox.h"

int64_t mdldm__codebook_draw(const int32_t place[6], int64_t code)
{
    const uint32_t key[2] = {(uint32_t)place[0], (uint32_t)place[1]}, step[2] = {(uint32_t)place[2], (uint32_t)place[3]};
    return place[5] < 1 ? -1 : (int64_t)mdldm__philox_below(key, (uint32_t)code, step, (uint32_t)place[5]);
}

/* {codes with uses, entropy of the uses} */
static void report_uses(const mdldm__codebook_update_args *a)
{
    const int64_t row = 2 * a->width + 2;
    double total = 0.0, entropy = 0.0;
    int64_t used = 0;
    for (int64_t k = 0; k < a->codes; k++)
        total += a->tally[k * row] > 0 ? (double)a->tally[k * row] : 0.0;
    for (int64_t k = 0; k < a->codes; k++)
        if (a->tally[k * row] > 0) {
            const double p = (double)a->tally[k * row] / total;
            entropy -= p * log(p);
            used++;
        }
    a->report[0] = (float)used;
    a->report[1] = (float)entropy;
}

/* A dead code starts anew, without a past. */
static void restart(const mdldm__codebook_update_args *a, int64_t k, const float *drawn)
{
    const size_t bytes = (size_t)a->width * sizeof(float), at = (size_t)(k * a->width);
    memcpy(a->codebook + at, drawn, bytes);
    memcpy(a->sums + at, drawn, bytes);
    a->counts[k] = 1.0f;
    a->age[k] = 0.0f;
    if (a->trained->exp_avg != NULL)
        memset(a->trained->exp_avg + at, 0, bytes);
    if (a->trained->exp_avg_sq != NULL)
        memset(a->trained->exp_avg_sq + at, 0, bytes);
    if (a->trained->ema != NULL)
        memcpy(a->trained->ema + at, drawn, bytes);
}

void mdldm__codebook_update(const mdldm__codebook_update_args *a)
{
    const int64_t d = a->width;
    const float limit = (float)a->attr.restart_after;
    int64_t dead = 0;
    report_uses(a);
    for (int64_t k = 0; k < a->codes; k++) {
        const float *row = a->tally + k * (2 * d + 2);
        a->age[k] = row[0] > 0 ? 0.0f : a->age[k] + 1.0f;
        a->counts[k] = row[1];
        memcpy(a->sums + k * d, row + 2, (size_t)d * sizeof(float));
        /* A code nobody chose for long keeps its place: both averages shrink alike. Below the smallest
         * useful count the quotient would be noise, so the value simply stays. */
        for (int64_t j = 0; j < d && a->attr.follow && row[1] > 1e-5f; j++)
            a->codebook[k * d + j] = row[2 + j] / row[1];
        if (limit > 0 && a->age[k] >= limit) {
            restart(a, k, row + 2 + d);
            dead++;
        }
    }
    a->report[2] = (float)dead;
}
