/* SPDX-License-Identifier: MIT
 * A codebook that follows its latents (van den Oord et al. 2017, appendix A.1): what a batch adds, and the
 * codebook behind a step. Sums run in the vectors' order, so they are the same bits each time. */
#include "philox.cuh"

#include "../cuda_args_ops.h"

/* A warp per code looks through all codes, 32 at a time, and adds up the vectors that are its own. */
MDLDM_KERNEL(256) mdldm_codebook_collect(MDLDM_PARAM mdldm__cuda_codebook_args p)
{
    const int32_t k = (int32_t)(block_x() * 8 + warp());
    if (k >= p.rows)
        return;
    const int begins = p.place[4] == 0;
    int64_t drawn = -1;
    if (p.place[5] > 0) {
        const uint32_t key[2] = {(uint32_t)p.place[0], (uint32_t)p.place[1]};
        const uint32_t step[2] = {(uint32_t)p.place[2], (uint32_t)p.place[3]};
        drawn = (int64_t)philox_below(key, (uint32_t)k, step, (uint32_t)p.place[5]) - p.place[4];
    }
    float *row = p.tally + (int64_t)k * (2 * p.d + 2);
    int32_t uses = 0;
    for (int32_t c0 = 0; c0 < p.d; c0 += 32) {
        const int32_t c = c0 + (int32_t)lane();
        float sum = 0;
        if (c < p.d)
            sum = begins ? p.keep * p.sums[(int64_t)k * p.d + c] : row[2 + c];
        uses = 0;
        for (int32_t base = 0; base < p.count; base += 32) {
            const int32_t i = base + (int32_t)lane();
            for (uint32_t mine = lanes_where(i < p.count && p.codes[i] == k); mine != 0; mine &= mine - 1) {
                const int32_t v = base + lowest_bit(mine);
                uses++;
                if (c < p.d)
                    sum += p.take * p.z[(int64_t)v * p.d + c];
            }
        }
        if (c < p.d)
            row[2 + c] = sum;
        if (c < p.d && drawn >= 0 && drawn < p.count)
            row[2 + p.d + c] = p.z[drawn * p.d + c];
    }
    if (lane() == 0) {
        row[0] = (begins ? 0.0f : row[0]) + (float)uses;
        row[1] = (begins ? p.keep * p.counts[k] : row[1]) + p.take * (float)uses;
    }
}

/* One block: {codes with uses, entropy of the uses, codes that are dead with this step}. */
MDLDM_KERNEL(256) mdldm_codebook_report(MDLDM_PARAM mdldm__cuda_codebook_args p)
{
    __shared__ float room[33];
    float total = 0, used = 0, dead = 0, entropy = 0;
    for (int32_t k = (int32_t)thread_x(); k < p.rows; k += 256) {
        const float uses = p.tally[(int64_t)k * (2 * p.d + 2)];
        total += max32(uses, 0.0f);
        used += uses > 0 ? 1.0f : 0.0f;
        dead += !(uses > 0) && p.restart_after > 0 && p.age[k] + 1.0f >= p.restart_after ? 1.0f : 0.0f;
    }
    total = block_sum(total, room);
    used = block_sum(used, room);
    dead = block_sum(dead, room);
    for (int32_t k = (int32_t)thread_x(); k < p.rows; k += 256) {
        const float uses = p.tally[(int64_t)k * (2 * p.d + 2)];
        if (uses > 0) {
            const float share = div32(uses, total);
            entropy -= share * log32(share);
        }
    }
    entropy = block_sum(entropy, room);
    if (thread_x() == 0) {
        p.report[0] = used;
        p.report[1] = entropy;
        p.report[2] = dead;
    }
}

/* A thread per code. */
MDLDM_KERNEL(256) mdldm_codebook_update(MDLDM_PARAM mdldm__cuda_codebook_args p)
{
    const int32_t k = (int32_t)(block_x() * 256 + thread_x());
    if (k >= p.rows)
        return;
    const float *row = p.tally + (int64_t)k * (2 * p.d + 2);
    const int64_t at = (int64_t)k * p.d;
    const float age = row[0] > 0 ? 0.0f : p.age[k] + 1.0f, count = row[1];
    const int dead = p.restart_after > 0 && age >= p.restart_after;
    p.age[k] = dead ? 0.0f : age;
    p.counts[k] = dead ? 1.0f : count;
    for (int32_t c = 0; c < p.d; c++) {
        const float drawn = row[2 + p.d + c];
        p.sums[at + c] = dead ? drawn : row[2 + c];
        if (dead)
            p.codebook[at + c] = drawn;
        else if (p.follow && count > 1e-5f) /* below it the quotient would be noise */
            p.codebook[at + c] = div32(row[2 + c], count);
        if (dead && p.exp_avg != nullptr)
            p.exp_avg[at + c] = 0.0f;
        if (dead && p.exp_avg_sq != nullptr)
            p.exp_avg_sq[at + c] = 0.0f;
        if (dead && p.ema != nullptr)
            p.ema[at + c] = drawn;
    }
}
