/* SPDX-License-Identifier: MIT
 * Pictures to standardised features. */
#include "assess/assessment.h"
#include "data/dataset.h"
#include "eval/spectrogram_features.h"

static mdldm_status fixed_of(mdldm__assessment *a, const mdldm__image_set *s, int64_t d, float **out)
{
    const int64_t side = s->data->resolution, channels = s->data->channels;
    const size_t size = (size_t)(channels * side * side);
    float *pixels = mdldm__calloc(a->env, size, sizeof *pixels);
    float *features = mdldm__calloc(a->env, (size_t)(s->n * d), sizeof *features);
    mdldm_status status = pixels == NULL || features == NULL ? mdldm__oom(a->env, "features") : MDLDM_OK;
    for (int64_t i = 0; status == MDLDM_OK && i < s->n; i++) {
        status = mdldm__progress(a->env, "features", i, s->n);
        if (status == MDLDM_OK)
            status = mdldm_dataset_read(a->ctx, s->data, s->item[i], pixels, size);
        if (status == MDLDM_OK)
            status = mdldm__spectrogram_features(a->env, pixels, 1, channels, side, side, features + i * d);
    }
    mdldm__free(a->env, pixels);
    *out = features; /* the space's, also after a failure */
    return status;
}

/* The real set last: the others are measured by it. */
static mdldm_status standardize(mdldm__assessment *a, mdldm__feature_space *s)
{
    const mdldm__feature_set real = mdldm__assess_rows(&a->real, s->real, s->d, -1);
    const mdldm__feature_set fake = mdldm__assess_rows(&a->fake, s->fake, s->d, -1);
    MDLDM__TRY(mdldm__standardize(a->env, &real, &fake, s->d, s->fake));
    if (s->train != NULL) {
        const mdldm__feature_set train = mdldm__assess_rows(&a->train, s->train, s->d, -1);
        MDLDM__TRY(mdldm__standardize(a->env, &real, &train, s->d, s->train));
    }
    return mdldm__standardize(a->env, &real, &real, s->d, s->real);
}

mdldm_status mdldm__assess_fixed(mdldm__assessment *a, mdldm__feature_space *out)
{
    *out = (mdldm__feature_space){.key = "fixed", .title = "Fixed features",
                                  .text = "Distances between sets of multi-scale statistics of the pictures, which need no "
                                          "training (docs/METRICS.md), in standard deviations of the real set.",
                                  .d = mdldm__spectrogram_feature_count(a->real.data->channels)};
    MDLDM__TRY(fixed_of(a, &a->real, out->d, &out->real));
    MDLDM__TRY(fixed_of(a, &a->fake, out->d, &out->fake));
    if (a->train.data != NULL)
        MDLDM__TRY(fixed_of(a, &a->train, out->d, &out->train));
    return standardize(a, out);
}

void mdldm__assess_space_free(mdldm__assessment *a, mdldm__feature_space *space)
{
    mdldm__free(a->env, space->real);
    mdldm__free(a->env, space->fake);
    mdldm__free(a->env, space->train);
}
