/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "diffusion/scheduler_internal.h"

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* torch.quantile(values, q), linear interpolation, on sorted values. */
static float quantile(const float *sorted, size_t count, float q)
{
    float rank = q * (float)(count - 1);
    size_t below = (size_t)rank;
    if (below >= count - 1)
        return sorted[count - 1];
    float weight = rank - (float)below, difference = sorted[below + 1] - sorted[below];
    return weight < 0.5f ? sorted[below] + weight * difference
                         : sorted[below + 1] - difference * (1.0f - weight);
}

mdldm_status mdldm__threshold_sample(mdldm__scheduler *s, float *x0, int64_t n, size_t count)
{
    const size_t each = count / (size_t)n;
    float *sorted = mdldm__calloc(s->env, each, sizeof *sorted);
    if (sorted == NULL)
        return mdldm__oom(s->env, "dynamic thresholding");
    for (int64_t k = 0; k < n; k++) {
        float *image = x0 + (size_t)k * each;
        for (size_t i = 0; i < each; i++)
            sorted[i] = fabsf(image[i]);
        qsort(sorted, each, sizeof *sorted, compare_floats);
        float limit = quantile(sorted, each, (float)s->config.dynamic_thresholding_ratio);
        limit = fminf(fmaxf(limit, 1.0f), (float)s->config.sample_max_value);
        for (size_t i = 0; i < each; i++) /* a NaN stays one */
            image[i] = (image[i] < -limit ? -limit : image[i] > limit ? limit : image[i]) / limit;
    }
    mdldm__free(s->env, sorted);
    return MDLDM_OK;
}
