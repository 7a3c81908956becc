/* SPDX-License-Identifier: MIT
 * Training and validation items. Neighbouring recordings overlap in time, so a random split would test
 * on what was trained on: each class gives one contiguous block at its end instead, behind a gap. */
#include <math.h>

#include "data/dataset.h"
#include "data/loader.h"

mdldm_status mdldm__dataset_split(mdldm__env *env, const mdldm_dataset *d, double fraction, int64_t gap,
                                  int64_t **train, int64_t *train_count, int64_t **validation,
                                  int64_t *validation_count)
{
    const int64_t count = d->source.count;
    int64_t *first = mdldm__calloc(env, (size_t)count, sizeof *first);
    int64_t *second = mdldm__calloc(env, (size_t)count, sizeof *second);
    if (first == NULL || second == NULL) {
        mdldm__free(env, first);
        mdldm__free(env, second);
        return mdldm__oom(env, "data split");
    }
    int64_t in_first = 0, in_second = 0;
    /* Entries are sorted by class, then by name. */
    for (int64_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && d->source.entries[end].label == d->source.entries[begin].label;)
            end++;
        const int64_t items = end - begin;
        /* 1e-9: 0.1 * 30 must not become 4 by a rounding error. */
        int64_t held = (int64_t)ceil(fraction * (double)items - 1e-9);
        held = held > items - 1 ? items - 1 : held;
        /* A small class keeps at least as many items for training as the gap takes. */
        const int64_t most = (items - held) / 2;
        const int64_t left_out = held == 0 ? 0 : gap < most ? gap : most;
        for (int64_t i = begin; i < end - held - left_out; i++)
            first[in_first++] = i;
        for (int64_t i = end - held; i < end; i++)
            second[in_second++] = i;
    }
    *train = first;
    *train_count = in_first;
    *validation = second;
    *validation_count = in_second;
    return MDLDM_OK;
}
