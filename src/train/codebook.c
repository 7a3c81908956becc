/* SPDX-License-Identifier: MIT */
#include "train/codebook.h"

#include <math.h>
#include <string.h>

#include "util/rng.h"

mdldm_status mdldm__codebook_open(mdldm__env *env, int64_t size, int64_t width, mdldm__codebook *out)
{
    mdldm__codebook cb = {.env = env, .size = size, .width = width};
    cb.counts = mdldm__calloc(env, (size_t)size, sizeof *cb.counts);
    cb.sums = mdldm__calloc(env, (size_t)(size * width), sizeof *cb.sums);
    cb.age = mdldm__calloc(env, (size_t)size, sizeof *cb.age);
    cb.values = mdldm__calloc(env, (size_t)(size * width), sizeof *cb.values);
    cb.usage = mdldm__calloc(env, (size_t)size, sizeof *cb.usage);
    if (cb.counts == NULL || cb.sums == NULL || cb.age == NULL || cb.values == NULL || cb.usage == NULL) {
        mdldm__codebook_close(&cb);
        return mdldm__oom(env, "codebook");
    }
    *out = cb;
    return MDLDM_OK;
}

void mdldm__codebook_close(mdldm__codebook *cb)
{
    if (cb->env == NULL)
        return;
    mdldm__free(cb->env, cb->counts);
    mdldm__free(cb->env, cb->sums);
    mdldm__free(cb->env, cb->age);
    mdldm__free(cb->env, cb->values);
    mdldm__free(cb->env, cb->usage);
    memset(cb, 0, sizeof *cb);
}

void mdldm__codebook_usage_clear(mdldm__codebook *cb)
{
    memset(cb->usage, 0, (size_t)cb->size * sizeof *cb->usage);
}

void mdldm__codebook_usage_add(mdldm__codebook *cb, const int32_t *codes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        cb->usage[codes[i]]++;
}

void mdldm__codebook_usage_report(const mdldm__codebook *cb, int64_t *used, double *perplexity)
{
    double total = 0.0, entropy = 0.0;
    *used = 0;
    for (int64_t k = 0; k < cb->size; k++)
        total += (double)cb->usage[k];
    for (int64_t k = 0; k < cb->size; k++)
        if (cb->usage[k] > 0) {
            double p = (double)cb->usage[k] / total;
            entropy -= p * log(p);
            ++*used;
        }
    *perplexity = exp(entropy);
}

void mdldm__codebook_ema_reset(mdldm__codebook *cb)
{
    for (int64_t k = 0; k < cb->size; k++)
        cb->counts[k] = 1.0f;
    memcpy(cb->sums, cb->values, (size_t)(cb->size * cb->width) * sizeof *cb->sums);
}

static float squared_distance(const float *a, const float *b, int64_t width)
{
    float sum = 0.0f;
    for (int64_t j = 0; j < width; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

/* A permutation's first `want` entries: distinct starting points. */
static void draw_distinct(int64_t *index, int64_t count, int64_t want, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++)
        index[i] = i;
    for (int64_t i = 0; i < want; i++) {
        int64_t j = i + mdldm__rng_below(seed, MDLDM__RNG_CODEBOOK, 0, (uint32_t)i, (uint32_t)(count - i));
        int64_t held = index[i];
        index[i] = index[j];
        index[j] = held;
    }
}

mdldm_status mdldm__codebook_kmeans(mdldm__codebook *cb, const float *latents, int64_t count,
                                    int32_t iterations, uint64_t seed)
{
    const int64_t d = cb->width;
    int64_t *index = mdldm__alloc(cb->env, (size_t)count * sizeof *index);
    int32_t *nearest = mdldm__alloc(cb->env, (size_t)count * sizeof *nearest);
    float *gap = mdldm__alloc(cb->env, (size_t)count * sizeof *gap);
    double *sums = mdldm__alloc(cb->env, (size_t)(cb->size * d) * sizeof *sums);
    mdldm_status status = MDLDM_OK;
    if (index == NULL || nearest == NULL || gap == NULL || sums == NULL) {
        status = mdldm__oom(cb->env, "k-means");
        goto done;
    }
    /* With fewer points than codes the rest repeat: dead-code restarts will spread them. */
    int64_t distinct = count < cb->size ? count : cb->size;
    draw_distinct(index, count, distinct, seed);
    for (int64_t k = 0; k < cb->size; k++)
        memcpy(cb->values + k * d, latents + index[k % distinct] * d, (size_t)d * sizeof(float));
    for (int32_t round = 0; round < iterations; round++) {
        for (int64_t i = 0; i < count; i++) {
            float best = INFINITY;
            for (int64_t k = 0; k < cb->size; k++) {
                float distance = squared_distance(latents + i * d, cb->values + k * d, d);
                if (distance < best) {
                    best = distance;
                    nearest[i] = (int32_t)k;
                }
            }
            gap[i] = best;
        }
        mdldm__codebook_usage_clear(cb);
        memset(sums, 0, (size_t)(cb->size * d) * sizeof *sums);
        for (int64_t i = 0; i < count; i++) {
            cb->usage[nearest[i]]++;
            for (int64_t j = 0; j < d; j++)
                sums[nearest[i] * d + j] += (double)latents[i * d + j];
        }
        for (int64_t k = 0; k < cb->size; k++) {
            if (cb->usage[k] > 0) {
                for (int64_t j = 0; j < d; j++)
                    cb->values[k * d + j] = (float)(sums[k * d + j] / (double)cb->usage[k]);
                continue;
            }
            int64_t far = 0;
            for (int64_t i = 1; i < count; i++)
                if (gap[i] > gap[far])
                    far = i;
            memcpy(cb->values + k * d, latents + far * d, (size_t)d * sizeof(float));
            gap[far] = 0.0f;
        }
    }
    mdldm__codebook_usage_clear(cb);
done:
    mdldm__free(cb->env, index);
    mdldm__free(cb->env, nearest);
    mdldm__free(cb->env, gap);
    mdldm__free(cb->env, sums);
    return status;
}
