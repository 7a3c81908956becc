/* SPDX-License-Identifier: MIT
 * Gait measures of generated and of real images, compared as distributions per class. */
#include <math.h>
#include <stdio.h>

#include "assess/assessment.h"
#include "eval/gait.h"
#include "eval/sample_tests.h"

enum { MEASURES = MDLDM__GAIT_COUNT };

typedef struct gait_job {
    mdldm__assessment *a;
    double *measured[2]; /* [n][MEASURES] in the data set's order: real, fake */
    double *room;        /* a sample of each set: [real.n], then [fake.n] */
    double *distance;    /* [MEASURES][classes]: Wasserstein */
    double *p;           /* the same: corrected p-value of the test; NaN: too few values */
    double *list;        /* p-values one after the other */
    double *values;      /* [real.n + fake.n] of a figure */
    int64_t *counts;     /* [2][classes] */
    const char **names;  /* [MEASURES] */
} gait_job;

static void gait_free(gait_job *j)
{
    mdldm__env *env = j->a->env;
    mdldm__free(env, j->measured[0]);
    mdldm__free(env, j->measured[1]);
    mdldm__free(env, j->room);
    mdldm__free(env, j->distance);
    mdldm__free(env, j->p);
    mdldm__free(env, j->list);
    mdldm__free(env, j->values);
    mdldm__free(env, j->counts);
    mdldm__free(env, j->names);
}

static mdldm_status gait_make(gait_job *j)
{
    const mdldm__assessment *a = j->a;
    const size_t real = (size_t)a->real.n, fake = (size_t)a->fake.n, cells = (size_t)(MEASURES * a->classes);
    j->measured[0] = mdldm__calloc(a->env, real * MEASURES, sizeof(double));
    j->measured[1] = mdldm__calloc(a->env, fake * MEASURES, sizeof(double));
    j->room = mdldm__calloc(a->env, real + fake, sizeof(double));
    j->distance = mdldm__calloc(a->env, cells, sizeof(double));
    j->p = mdldm__calloc(a->env, cells, sizeof(double));
    j->list = mdldm__calloc(a->env, cells, sizeof(double));
    j->values = mdldm__calloc(a->env, real + fake, sizeof(double));
    j->counts = mdldm__calloc(a->env, 2 * (size_t)a->classes, sizeof(int64_t));
    j->names = mdldm__calloc(a->env, MEASURES, sizeof *j->names);
    if (j->measured[0] == NULL || j->measured[1] == NULL || j->room == NULL || j->distance == NULL || j->p == NULL ||
        j->list == NULL || j->values == NULL || j->counts == NULL || j->names == NULL)
        return mdldm__oom(a->env, "gait measures");
    for (int m = 0; m < MEASURES; m++)
        j->names[m] = mdldm_gait_measure_name(m);
    MDLDM__TRY(mdldm_gait_measure_dataset(a->ctx, a->real.data, a->options, j->measured[0], real * MEASURES));
    return mdldm_gait_measure_dataset(a->ctx, a->fake.data, a->options, j->measured[1], fake * MEASURES);
}

/* The numbers among one measure of one class. */
static int64_t sample(const mdldm__image_set *s, const double *measured, int measure, int64_t label, double *out)
{
    int64_t count = 0;
    for (int64_t i = s->first[label]; i < s->first[label + 1]; i++) {
        const double value = measured[s->item[i] * MEASURES + measure];
        if (isfinite(value))
            out[count++] = value;
    }
    return count;
}

/* Kolmogorov-Smirnov per measure and class, all corrected together. */
static mdldm_status compare(gait_job *j)
{
    const mdldm__assessment *a = j->a;
    int64_t tests = 0;
    for (int m = 0; m < MEASURES; m++)
        for (int64_t c = 0; c < a->classes; c++) {
            const int64_t at = m * a->classes + c;
            double *b = j->room + a->real.n, statistic;
            const mdldm__samples s = {j->room, b, sample(&a->real, j->measured[0], m, c, j->room),
                                      sample(&a->fake, j->measured[1], m, c, b)};
            j->distance[at] = j->p[at] = NAN;
            if (s.na < 1 || s.nb < 1)
                continue;
            MDLDM__TRY(mdldm__wasserstein_distance(a->env, &s, &j->distance[at]));
            MDLDM__TRY(mdldm__ks_test(a->env, &s, &statistic, &j->p[at]));
            j->list[tests++] = j->p[at];
        }
    if (tests == 0)
        return MDLDM_OK;
    MDLDM__TRY(mdldm__adjust_p_values(a->env, 1, j->list, tests, j->list));
    for (int64_t at = 0, k = 0; at < MEASURES * a->classes; at++)
        if (!isnan(j->p[at]))
            j->p[at] = j->list[k++];
    return MDLDM_OK;
}

static mdldm_status tables(gait_job *j)
{
    mdldm__assessment *a = j->a;
    mdldm__figure f = {.kind = MDLDM__FIGURE_TABLE, .key = "gait_p", .title = "Told apart?",
                       .text = "Chance of samples that differ as much if both came from one walker (Kolmogorov-Smirnov, "
                               "corrected for the number of tests after Holm). Good: above 0.01. Below it, the generated "
                               "images of that person show another gait.",
                       .series = MEASURES, .points = a->classes, .values = j->p, .series_names = j->names,
                       .point_names = a->class_names};
    MDLDM__TRY(mdldm__report_add(a->report, &f));
    f.key = "gait_wasserstein";
    f.title = "How far apart";
    f.text = "Wasserstein distance of generated and real values: by how much, in the measure's unit, values would have to be "
             "moved. Good: small against what one person's values differ by.";
    f.values = j->distance;
    return mdldm__report_add(a->report, &f);
}

/* Persons whose generated images pass in a measure. */
static mdldm_status passes(gait_job *j, int m, const char *key, const char *title)
{
    int64_t count = 0;
    for (int64_t c = 0; c < j->a->classes; c++)
        count += j->p[m * j->a->classes + c] >= MDLDM__ASSESS_LEVEL;
    return mdldm__assess_value(j->a, key, title,
                               "Persons whose generated images cannot be told from the real ones by this measure at the 1% "
                               "level, of all in the table. Good: all, or nearly.",
                               (double)count, NAN, NAN);
}

static mdldm_status distribution(gait_job *j, int m)
{
    mdldm__assessment *a = j->a;
    const mdldm__image_set *const sets[2] = {&a->real, &a->fake};
    static const char *const names[2] = {"real", "generated"};
    char key[80], text[512], label[96];
    int64_t count = 0;
    for (int s = 0; s < 2; s++)
        for (int64_t c = 0; c < a->classes; c++) {
            const int64_t n = sample(sets[s], j->measured[s], m, c, j->values + count);
            j->counts[s * a->classes + c] = n;
            count += n;
        }
    snprintf(key, sizeof key, "gait_%s", j->names[m]);
    snprintf(text, sizeof text, "%s. Box: quartiles and median; whiskers: 5%% to 95%%. Good: both boxes of a person alike.",
             mdldm_gait_measure_help(m));
    const char *unit = mdldm_gait_measure_unit(m);
    snprintf(label, sizeof label, "%s%s%s%s", j->names[m], unit[0] != '\0' ? " (" : "", unit, unit[0] != '\0' ? ")" : "");
    return mdldm__report_add(a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_SAMPLES, .key = key,
                                                         .title = j->names[m], .text = text, .y_label = label,
                                                         .series = 2, .points = a->classes, .values = j->values,
                                                         .counts = j->counts, .series_names = names,
                                                         .point_names = a->class_names});
}

mdldm_status mdldm__assess_gait(mdldm__assessment *a)
{
    MDLDM__TRY(mdldm__report_section(a->report, "gait", "Gait measures",
                                     "What a radar person reads from a spectrogram, taken from each picture "
                                     "(docs/GAIT_MEASURES.md), as distributions per person. The unit doppler is that of the "
                                     "options' Doppler axis: rows, where none was given."));
    gait_job j = {.a = a};
    mdldm_status status = gait_make(&j);
    if (status == MDLDM_OK)
        status = compare(&j);
    if (status == MDLDM_OK)
        status = passes(&j, MDLDM__GAIT_step_frequency, "same_step_frequency", "Same step frequency");
    if (status == MDLDM_OK)
        status = passes(&j, MDLDM__GAIT_envelope_upper, "same_envelope_upper", "Same upper envelope");
    if (status == MDLDM_OK)
        status = passes(&j, MDLDM__GAIT_bandwidth, "same_bandwidth", "Same bandwidth");
    if (status == MDLDM_OK)
        status = tables(&j);
    for (int m = 0; status == MDLDM_OK && m < MEASURES; m++)
        status = distribution(&j, m);
    gait_free(&j);
    return status;
}
