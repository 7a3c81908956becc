/* SPDX-License-Identifier: MIT
 * Is the generator repeating its training images? Distances to the nearest training image, of generated and of held-out
 * real images. */
#include <math.h>
#include <string.h>

#include "assess/assessment.h"
#include "eval/neighbours.h"

#define SHOWN 8
#define CURVE 101

/* Wilson's interval (1927) of a share of n at 95%. */
static void wilson(double share, double n, double *low, double *high)
{
    const double z = 1.959964, centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    const double half = z / (1.0 + z * z / n) * sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n));
    *low = fmax(0.0, centre - half);
    *high = fmin(1.0, centre + half);
}

/* Both distribution functions over a common axis. */
static mdldm_status curves(mdldm__assessment *a, double *fake, double *real)
{
    static const char *const names[2] = {"generated", "held-out real"};
    double x[CURVE], y[2 * CURVE];
    const double *const sorted[2] = {fake, real};
    const int64_t count[2] = {a->fake.n, a->real.n};
    mdldm__sort(fake, a->fake.n);
    mdldm__sort(real, a->real.n);
    const double most = fmax(fake[a->fake.n - 1], real[a->real.n - 1]);
    for (int64_t s = 0; s < 2; s++)
        for (int64_t i = 0, k = 0; i < CURVE; i++) {
            x[i] = most * (double)i / (CURVE - 1);
            while (k < count[s] && sorted[s][k] <= x[i])
                k++;
            y[s * CURVE + i] = (double)k / (double)count[s];
        }
    return mdldm__report_add(
        a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_LINES, .key = "copy_distances",
                                    .title = "Distance to the nearest training image",
                                    .text = "Share of the images that are at most so far from a training image. Good: both "
                                            "lines together. A line of generated images that rises earlier, on the left, is "
                                            "memorisation.",
                                    .x_label = "distance in fixed features", .y_label = "share of images", .series = 2,
                                    .points = CURVE, .x = x, .values = y, .series_names = names});
}

/* The generated images closest to training ones, above these. */
static mdldm_status closest(mdldm__assessment *a, const double *distance, const int64_t *nearest)
{
    int64_t shown[SHOWN], count = 0;
    for (int64_t i = 0; i < a->fake.n; i++) {
        int64_t at = count;
        while (at > 0 && distance[shown[at - 1]] > distance[i])
            at--;
        if (at == SHOWN)
            continue;
        count += count < SHOWN;
        memmove(shown + at + 1, shown + at, (size_t)(count - 1 - at) * sizeof *shown);
        shown[at] = i;
    }
    mdldm__sheet sheet;
    mdldm_status status = mdldm__sheet_make(a, 2, count, &sheet);
    for (int64_t i = 0; status == MDLDM_OK && i < count; i++) {
        status = mdldm__sheet_put(a, &sheet, 0, i, a->fake.data, a->fake.item[shown[i]]);
        if (status == MDLDM_OK)
            status = mdldm__sheet_put(a, &sheet, 1, i, a->train.data, a->train.item[nearest[shown[i]]]);
    }
    if (status != MDLDM_OK) {
        mdldm__free(a->env, sheet.rgb);
        return status;
    }
    return mdldm__sheet_add(a, &sheet, "closest", "The closest to a training image",
                            "Generated images above, the training image nearest to each below. Good: akin, but not the same "
                            "picture.");
}

static mdldm_status values(mdldm__assessment *a, const double *fake, const double *sorted_real)
{
    const double threshold = mdldm__quantile(sorted_real, a->real.n, MDLDM__ASSESS_QUANTILE);
    double near = 0.0, low, high;
    for (int64_t i = 0; i < a->fake.n; i++)
        near += fake[i] < threshold;
    const double share = near / (double)a->fake.n;
    wilson(share, (double)a->fake.n, &low, &high);
    MDLDM__TRY(mdldm__assess_value(a, "near_copies", "Near copies",
                                   "Share of the generated images that are nearer to a training image than the closest 1% "
                                   "of held-out real ones, with its 95% interval. Good: about 0.01, at most 0.02.",
                                   share, low, high));
    return mdldm__assess_value(a, "near_copies_threshold", "Distance that counts as near",
                               "The 1st percentile of the held-out images' distances to the nearest training image.",
                               threshold, NAN, NAN);
}

mdldm_status mdldm__assess_copies(mdldm__assessment *a, const mdldm__feature_space *s)
{
    MDLDM__TRY(mdldm__report_section(a->report, "copies", "Copies of training images",
                                     "Whether the generator learnt the persons or the pictures. The real set must not "
                                     "overlap the training set, or everything looks like a copy."));
    const mdldm__feature_set real = mdldm__assess_rows(&a->real, s->real, s->d, -1);
    const mdldm__feature_set fake = mdldm__assess_rows(&a->fake, s->fake, s->d, -1);
    const mdldm__feature_set train = mdldm__assess_rows(&a->train, s->train, s->d, -1);
    double *of_fake = mdldm__calloc(a->env, (size_t)fake.n, sizeof *of_fake);
    double *of_real = mdldm__calloc(a->env, (size_t)real.n, sizeof *of_real);
    int64_t *nearest = mdldm__calloc(a->env, (size_t)fake.n, sizeof *nearest);
    mdldm_status status =
        of_fake == NULL || of_real == NULL || nearest == NULL ? mdldm__oom(a->env, "copies") : MDLDM_OK;
    if (status == MDLDM_OK)
        status = mdldm__nearest_distances(a->env, &fake, &train, s->d, of_fake, nearest);
    if (status == MDLDM_OK)
        status = mdldm__nearest_distances(a->env, &real, &train, s->d, of_real, NULL);
    if (status == MDLDM_OK) {
        mdldm__sort(of_real, real.n);
        status = values(a, of_fake, of_real);
    }
    if (status == MDLDM_OK)
        status = closest(a, of_fake, nearest);
    if (status == MDLDM_OK)
        status = curves(a, of_fake, of_real);
    mdldm__free(a->env, of_fake);
    mdldm__free(a->env, of_real);
    mdldm__free(a->env, nearest);
    return status;
}
