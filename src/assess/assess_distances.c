/* SPDX-License-Identifier: MIT
 * How far the generated set is from the real one in a feature space, over all and per class. */
#include <math.h>
#include <stdio.h>

#include "assess/assessment.h"
#include "eval/frechet.h"
#include "eval/kernel_distance.h"
#include "eval/neighbours.h"

#define SUBSETS 100
#define KEY 64

enum { FRECHET, YARDSTICK, KERNEL, PRECISION, RECALL, DENSITY, COVERAGE, COLUMNS };
static const char *const columns[COLUMNS] = {"frechet", "frechet_real", "kernel", "precision", "recall", "density",
                                             "coverage"};

/* NaN without LAPACK, and of less than two rows. */
static mdldm_status frechet(mdldm__assessment *a, const mdldm__feature_set *x, const mdldm__feature_set *y, int64_t d,
                            double *out)
{
    *out = NAN;
    if (x->n < 2 || y->n < 2)
        return MDLDM_OK;
    const mdldm_status status = mdldm__frechet_distance(a->env, x, y, d, out);
    if (status != MDLDM_ERROR_UNAVAILABLE)
        return status;
    *out = NAN;
    mdldm__log(a->env, 1, "no Frechet distances: %s", a->env->error);
    a->env->error[0] = '\0';
    return MDLDM_OK;
}

/* Real against real: the training images where they are given, else one half of each class against the other. */
static mdldm_status yardstick(mdldm__assessment *a, const mdldm__feature_space *s, int64_t label, double *out)
{
    mdldm__feature_set real = mdldm__assess_rows(&a->real, s->real, s->d, label);
    if (s->train != NULL) {
        const mdldm__feature_set train = mdldm__assess_rows(&a->train, s->train, s->d, label);
        return frechet(a, &real, &train, s->d, out);
    }
    if (label >= 0 || a->classes == 1) {
        const int64_t half = real.n / 2;
        const mdldm__feature_set second = {real.x + half * s->d, real.n - half, real.name};
        real.n = half;
        return frechet(a, &real, &second, s->d, out);
    }
    double sum = 0.0;
    for (int64_t c = 0; c < a->classes; c++) {
        double one;
        MDLDM__TRY(yardstick(a, s, c, &one));
        sum += one;
    }
    *out = sum / (double)a->classes;
    return MDLDM_OK;
}

/* row[COLUMNS], *error: of the kernel distance. NaN where there are too few images for a number. */
static mdldm_status measure(mdldm__assessment *a, const mdldm__feature_space *s, int64_t label, double row[COLUMNS],
                            double *error)
{
    const mdldm__feature_set real = mdldm__assess_rows(&a->real, s->real, s->d, label);
    const mdldm__feature_set fake = mdldm__assess_rows(&a->fake, s->fake, s->d, label);
    const int64_t fewer = real.n < fake.n ? real.n : fake.n;
    for (int i = 0; i < COLUMNS; i++)
        row[i] = NAN;
    *error = NAN;
    MDLDM__TRY(frechet(a, &real, &fake, s->d, &row[FRECHET]));
    MDLDM__TRY(yardstick(a, s, label, &row[YARDSTICK]));
    if (fewer >= 4)
        MDLDM__TRY(mdldm__kernel_distance(a->env, &real, &fake, s->d, SUBSETS, 0, a->seed, &row[KERNEL], error));
    if (fewer > a->neighbours) {
        mdldm__neighbour_shares shares;
        MDLDM__TRY(mdldm__precision_recall(a->env, &real, &fake, s->d, a->neighbours, &shares));
        row[PRECISION] = shares.precision;
        row[RECALL] = shares.recall;
        row[DENSITY] = shares.density;
        row[COVERAGE] = shares.coverage;
    }
    return MDLDM_OK;
}

static mdldm_status overall(mdldm__assessment *a, const mdldm__feature_space *s)
{
    static const char *const titles[COLUMNS] = {"Fr\xc3\xa9""chet distance", "Fr\xc3\xa9""chet distance, real against real",
                                                "Kernel distance", "Precision", "Recall", "Density", "Coverage"};
    const char *const texts[COLUMNS] = {
        "Of means and covariances. Good: near that of real against real; it grows when there are few images.",
        s->train != NULL ? "The same of held-out against training images: what a perfect generator would have."
                         : "The same of one half of each person's real images against the other, the mean over persons.",
        "The same question without the bias by few images, with its 95% interval. Good: the interval holds 0.",
        "Share of the generated images that lie among real ones. Good: above 0.8. Low: implausible images.",
        "Share of the real images that lie among generated ones. Good: above 0.8. Low: variety is missing.",
        "How densely real images surround a generated one. Good: about 1 or more.",
        "Share of the real images with a generated one beside them. Good: above 0.8."};
    double row[COLUMNS], error;
    MDLDM__TRY(measure(a, s, -1, row, &error));
    for (int i = 0; i < COLUMNS; i++) {
        char key[KEY];
        snprintf(key, sizeof key, "%s_%s", columns[i], s->key);
        const double half = i == KERNEL ? 1.96 * error : NAN;
        MDLDM__TRY(mdldm__assess_value(a, key, titles[i], texts[i], row[i], row[i] - half, row[i] + half));
    }
    return MDLDM_OK;
}

/* One table, and bars of two of its columns. */
static mdldm_status per_class(mdldm__assessment *a, const mdldm__feature_space *s, double *values, double *low,
                              double *high)
{
    static const char *const pair[2] = {"generated against real", "real against real"};
    char key[KEY];
    for (int64_t c = 0; c < a->classes; c++) {
        double row[COLUMNS], error;
        MDLDM__TRY(mdldm__progress(a->env, "distances", c, a->classes));
        MDLDM__TRY(measure(a, s, c, row, &error));
        for (int i = 0; i < COLUMNS; i++) {
            values[i * a->classes + c] = row[i];
            low[i * a->classes + c] = i == KERNEL ? row[i] - 1.96 * error : NAN;
            high[i * a->classes + c] = i == KERNEL ? row[i] + 1.96 * error : NAN;
        }
    }
    snprintf(key, sizeof key, "classes_%s", s->key);
    MDLDM__TRY(mdldm__report_add(
        a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_TABLE, .key = key, .title = "Per person",
                                    .text = "The same numbers for each person's images alone. A person whose row is much "
                                            "worse was learnt badly, or its label was mixed up.",
                                    .series = COLUMNS, .points = a->classes, .values = values, .low = low, .high = high,
                                    .series_names = columns, .point_names = a->class_names}));
    snprintf(key, sizeof key, "bars_%s", s->key);
    return mdldm__report_add(
        a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_BARS, .key = key, .title = "Fr\xc3\xa9""chet distance per person",
                                    .text = "Good: both bars of a person are about as high.", .y_label = "distance",
                                    .series = 2, .points = a->classes, .values = values, .series_names = pair,
                                    .point_names = a->class_names});
}

/* Whose real image is nearest to each image of a person? counts [classes][classes]. */
static mdldm_status neighbours(mdldm__assessment *a, const mdldm__feature_space *s, double *counts, double *share)
{
    const mdldm__feature_set real = mdldm__assess_rows(&a->real, s->real, s->d, -1);
    const mdldm__feature_set fake = mdldm__assess_rows(&a->fake, s->fake, s->d, -1);
    double *distance = mdldm__calloc(a->env, (size_t)fake.n, sizeof *distance);
    int64_t *nearest = mdldm__calloc(a->env, (size_t)fake.n, sizeof *nearest);
    mdldm_status status = distance == NULL || nearest == NULL ? mdldm__oom(a->env, "neighbours") : MDLDM_OK;
    if (status == MDLDM_OK)
        status = mdldm__nearest_distances(a->env, &fake, &real, s->d, distance, nearest);
    double right = 0.0;
    for (int64_t c = 0; status == MDLDM_OK && c < a->classes; c++)
        for (int64_t i = a->fake.first[c]; i < a->fake.first[c + 1]; i++) {
            int64_t of = 0;
            while (nearest[i] >= a->real.first[of + 1])
                of++;
            counts[c * a->classes + of] += 1.0;
            right += of == c;
        }
    *share = right / (double)fake.n;
    mdldm__free(a->env, distance);
    mdldm__free(a->env, nearest);
    return status;
}

static mdldm_status whose(mdldm__assessment *a, const mdldm__feature_space *s, double *counts)
{
    char key[KEY];
    double share;
    MDLDM__TRY(neighbours(a, s, counts, &share));
    snprintf(key, sizeof key, "person_kept_%s", s->key);
    MDLDM__TRY(mdldm__assess_value(a, key, "Person kept",
                                   "Share of the generated images whose nearest real image is of the same person. 0.9 is "
                                   "good; one over the number of persons is guessing.",
                                   share, NAN, NAN));
    snprintf(key, sizeof key, "nearest_%s", s->key);
    return mdldm__report_add(
        a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_MATRIX, .key = key, .title = "Whose real image is nearest?",
                                    .text = "Counts of generated images. Good: all on the diagonal; two persons who "
                                            "changed places show beside it.",
                                    .x_label = "nearest real image is of", .y_label = "generated as",
                                    .series = a->classes, .points = a->classes, .values = counts,
                                    .series_names = a->class_names, .point_names = a->class_names});
}

mdldm_status mdldm__assess_distances(mdldm__assessment *a, const mdldm__feature_space *s)
{
    char key[KEY];
    snprintf(key, sizeof key, "distances_%s", s->key);
    MDLDM__TRY(mdldm__report_section(a->report, key, s->title, s->text));
    MDLDM__TRY(overall(a, s));
    if (a->classes < 2)
        return MDLDM_OK;
    const size_t cells = (size_t)(a->classes * COLUMNS);
    double *values = mdldm__calloc(a->env, 3 * cells, sizeof *values);
    double *counts = mdldm__calloc(a->env, (size_t)(a->classes * a->classes), sizeof *counts);
    mdldm_status status = values == NULL || counts == NULL ? mdldm__oom(a->env, "evaluation") : MDLDM_OK;
    if (status == MDLDM_OK)
        status = whose(a, s, counts);
    if (status == MDLDM_OK)
        status = per_class(a, s, values, values + cells, values + 2 * cells);
    mdldm__free(a->env, values);
    mdldm__free(a->env, counts);
    return status;
}
