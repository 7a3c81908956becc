/* SPDX-License-Identifier: MIT */
#include "eval/neighbours.h"

#include <math.h>

/* radius[n]: squared distance of each row to its k-th neighbour in its own set. least [k]: room. */
static mdldm_status neighbour_radii(mdldm__env *env, const mdldm__feature_set *s, int64_t d, int64_t k, double *least,
                                    double *radius)
{
    for (int64_t i = 0; i < s->n; i++) {
        int64_t kept = 0;
        MDLDM__TRY(mdldm__check_cancel(env));
        for (int64_t j = 0; j < s->n; j++) {
            if (j == i)
                continue;
            const double distance = mdldm__squared_distance(s->x + i * d, s->x + j * d, d);
            if (kept == k && distance >= least[k - 1])
                continue;
            int64_t place = kept < k ? kept++ : k - 1;
            for (; place > 0 && least[place - 1] > distance; place--)
                least[place] = least[place - 1];
            least[place] = distance;
        }
        radius[i] = least[k - 1];
    }
    return MDLDM_OK;
}

static mdldm_status shares(mdldm__env *env, const mdldm__feature_set *real, const mdldm__feature_set *fake, int64_t d,
                           int64_t k, double *room, mdldm__neighbour_shares *out)
{
    double *radius_real = room, *radius_fake = radius_real + real->n, *within_real = radius_fake + fake->n;
    int64_t precise = 0, recalled = 0, covered = 0, inside = 0;
    MDLDM__TRY(neighbour_radii(env, real, d, k, within_real, radius_real));
    MDLDM__TRY(neighbour_radii(env, fake, d, k, within_real, radius_fake));
    for (int64_t j = 0; j < fake->n; j++)
        within_real[j] = 0.0;
    for (int64_t i = 0; i < real->n; i++) {
        double nearest = INFINITY;
        int recall = 0;
        MDLDM__TRY(mdldm__check_cancel(env));
        for (int64_t j = 0; j < fake->n; j++) {
            const double distance = mdldm__squared_distance(real->x + i * d, fake->x + j * d, d);
            if (distance < radius_real[i]) {
                within_real[j] = 1.0;
                inside++;
            }
            recall |= distance < radius_fake[j];
            nearest = fmin(nearest, distance);
        }
        recalled += recall;
        covered += nearest < radius_real[i];
    }
    for (int64_t j = 0; j < fake->n; j++)
        precise += within_real[j] > 0.0;
    *out = (mdldm__neighbour_shares){
        .precision = (double)precise / (double)fake->n,
        .recall = (double)recalled / (double)real->n,
        .density = (double)inside / ((double)k * (double)fake->n),
        .coverage = (double)covered / (double)real->n,
    };
    return MDLDM_OK;
}

mdldm_status mdldm__precision_recall(mdldm__env *env, const mdldm__feature_set *real, const mdldm__feature_set *fake,
                                     int64_t d, int64_t k, mdldm__neighbour_shares *out)
{
    MDLDM__TRY(mdldm__feature_check(env, real, d, 2));
    MDLDM__TRY(mdldm__feature_check(env, fake, d, 2));
    const mdldm__feature_set *smaller = real->n <= fake->n ? real : fake;
    if (k < 1 || k >= smaller->n)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "k is %lld; 1 to %lld would be right, less than the rows of %s", (long long)k,
                            (long long)smaller->n - 1, smaller->name);
    /* The k nearest share the last part, k < rows of fake. */
    double *room = mdldm__calloc(env, (size_t)(real->n + 2 * fake->n), sizeof *room);
    if (room == NULL)
        return mdldm__oom(env, "precision and recall");
    const mdldm_status status = shares(env, real, fake, d, k, room, out);
    mdldm__free(env, room);
    return status;
}

mdldm_status mdldm__nearest_distances(mdldm__env *env, const mdldm__feature_set *from, const mdldm__feature_set *to,
                                      int64_t d, double *distances, int64_t *nearest)
{
    MDLDM__TRY(mdldm__feature_check(env, from, d, 1));
    MDLDM__TRY(mdldm__feature_check(env, to, d, 1));
    for (int64_t i = 0; i < from->n; i++) {
        double least = INFINITY;
        int64_t row = 0;
        MDLDM__TRY(mdldm__check_cancel(env));
        for (int64_t j = 0; j < to->n; j++) {
            const double distance = mdldm__squared_distance(from->x + i * d, to->x + j * d, d);
            if (distance < least) {
                least = distance;
                row = j;
            }
        }
        distances[i] = sqrt(least);
        if (nearest != NULL)
            nearest[i] = row;
    }
    return MDLDM_OK;
}

mdldm_status mdldm__near_copies(mdldm__env *env, const mdldm__feature_set *train, const mdldm__feature_set *held_out,
                                const mdldm__feature_set *fake, int64_t d, double quantile, double *threshold,
                                double *share)
{
    MDLDM__TRY(mdldm__feature_check(env, train, d, 1));
    MDLDM__TRY(mdldm__feature_check(env, held_out, d, 2));
    MDLDM__TRY(mdldm__feature_check(env, fake, d, 1));
    if (!(quantile >= 0.0 && quantile <= 1.0))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the quantile is %g; 0 to 1 would be right, 0.01 for the 1st percentile", quantile);
    double *distances = mdldm__calloc(env, (size_t)(held_out->n + fake->n), sizeof *distances);
    if (distances == NULL)
        return mdldm__oom(env, "near copies");
    double *of_fakes = distances + held_out->n;
    mdldm_status status = mdldm__nearest_distances(env, held_out, train, d, distances, NULL);
    if (status == MDLDM_OK)
        status = mdldm__nearest_distances(env, fake, train, d, of_fakes, NULL);
    if (status == MDLDM_OK) {
        int64_t near = 0;
        mdldm__sort(distances, held_out->n);
        *threshold = mdldm__quantile(distances, held_out->n, quantile);
        for (int64_t i = 0; i < fake->n; i++)
            near += of_fakes[i] < *threshold;
        *share = (double)near / (double)fake->n;
    }
    mdldm__free(env, distances);
    return status;
}
