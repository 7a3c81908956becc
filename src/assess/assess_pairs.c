/* SPDX-License-Identifier: MIT
 * Reconstructions beside their originals: pairs by name, whatever kind of file each is. */
#include <math.h>
#include <string.h>

#include "assess/assessment.h"
#include "data/dataset.h"
#include "eval/image_metrics.h"
#include "eval/mean_interval.h"

typedef struct pair_job {
    mdldm__assessment *a;
    double *psnr, *ssim;   /* of the pairs found, in the order of the real set's classes; PSNR of equal ones inf */
    int64_t *count;        /* [classes] pairs */
    int64_t total, equal;
    float *planes[2];      /* [channels][side][side] as read, */
    float *pictures[2];    /* [side][side][channels] as measured */
    double *values;        /* [total] a sample */
} pair_job;

static void pair_free(pair_job *j)
{
    mdldm__env *env = j->a->env;
    for (int s = 0; s < 2; s++) {
        mdldm__free(env, j->planes[s]);
        mdldm__free(env, j->pictures[s]);
    }
    mdldm__free(env, j->psnr);
    mdldm__free(env, j->ssim);
    mdldm__free(env, j->count);
    mdldm__free(env, j->values);
}

static size_t stem(const char *name)
{
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
    return dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - name) : strlen(name);
}

/* The generated item of a real one's name; -1: none. */
static int64_t partner(const mdldm__assessment *a, int64_t label, int64_t real)
{
    const char *name = mdldm_dataset_item_name(a->real.data, real);
    const size_t length = stem(name);
    for (int64_t i = a->fake.first[label]; i < a->fake.first[label + 1]; i++) {
        const char *other = mdldm_dataset_item_name(a->fake.data, a->fake.item[i]);
        if (stem(other) == length && memcmp(name, other, length) == 0)
            return a->fake.item[i];
    }
    return -1;
}

static mdldm_status measure(pair_job *j, int64_t real, int64_t fake)
{
    const mdldm__assessment *a = j->a;
    const int64_t side = a->real.data->resolution, channels = a->real.data->channels, area = side * side;
    const size_t size = (size_t)(area * channels);
    MDLDM__TRY(mdldm__progress(a->env, "pairs", j->total, a->real.n));
    MDLDM__TRY(mdldm_dataset_read(a->ctx, a->real.data, real, j->planes[0], size));
    MDLDM__TRY(mdldm_dataset_read(a->ctx, a->fake.data, fake, j->planes[1], size));
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < area; i++)
            for (int64_t c = 0; c < channels; c++)
                j->pictures[s][i * channels + c] = j->planes[s][c * area + i];
    j->psnr[j->total] = mdldm__psnr(j->pictures[0], j->pictures[1], size, 2.0);
    j->equal += isinf(j->psnr[j->total]);
    MDLDM__TRY(mdldm__ssim(a->env, j->pictures[0], j->pictures[1], side, side, channels, 2.0, &j->ssim[j->total]));
    j->total++;
    return MDLDM_OK;
}

/* The finite ones among values[count] to j->values; mean and Student's interval where there are two or more. */
static mdldm_status mean(pair_job *j, const double *values, int64_t count, double out[3])
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            j->values[kept++] = values[i];
    out[0] = kept == 1 ? j->values[0] : NAN;
    out[1] = out[2] = NAN;
    if (kept < 2)
        return MDLDM_OK;
    return mdldm__mean_interval(j->a->env, MDLDM_INTERVAL_T, &(mdldm__samples){j->values, NULL, kept, 0}, 0.95, 100, 0,
                                &out[0], &out[1], &out[2]);
}

static mdldm_status results(pair_job *j, double *cells)
{
    static const char *const names[2] = {"psnr", "ssim"};
    mdldm__assessment *a = j->a;
    const double *const of[2] = {j->psnr, j->ssim};
    const int64_t classes = a->classes;
    double out[3];
    MDLDM__TRY(mdldm__assess_value(a, "pairs", "Pairs", "Real images with a reconstruction of the same name.",
                                   (double)j->total, NAN, NAN));
    MDLDM__TRY(mdldm__assess_value(a, "pairs_equal", "Equal pairs", "Pairs without any difference; left out of the PSNR.",
                                   (double)j->equal, NAN, NAN));
    MDLDM__TRY(mean(j, j->psnr, j->total, out));
    MDLDM__TRY(mdldm__assess_value(a, "psnr", "PSNR (dB)", "Peak signal-to-noise ratio, the mean with its 95% interval. "
                                   "Good: above 30 dB.", out[0], out[1], out[2]));
    MDLDM__TRY(mean(j, j->ssim, j->total, out));
    MDLDM__TRY(mdldm__assess_value(a, "ssim", "SSIM", "Structural similarity, 1 for equal pictures. Good: above 0.9.",
                                   out[0], out[1], out[2]));
    for (int k = 0; k < 2; k++)
        for (int64_t c = 0, first = 0; c < classes; first += j->count[c++]) {
            MDLDM__TRY(mean(j, of[k] + first, j->count[c], out));
            for (int i = 0; i < 3; i++)
                cells[(i * 2 + k) * classes + c] = out[i];
        }
    return mdldm__report_add(a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_TABLE, .key = "pairs_classes",
                                                         .title = "Reconstructions per person",
                                                         .text = "Means with their 95% intervals.", .series = 2,
                                                         .points = classes, .values = cells, .low = cells + 2 * classes,
                                                         .high = cells + 4 * classes, .series_names = names,
                                                         .point_names = a->class_names});
}

static mdldm_status pair_all(pair_job *j)
{
    const mdldm__assessment *a = j->a;
    for (int64_t c = 0; c < a->classes; c++)
        for (int64_t i = a->real.first[c]; i < a->real.first[c + 1]; i++) {
            const int64_t fake = partner(a, c, a->real.item[i]);
            if (fake < 0)
                continue;
            MDLDM__TRY(measure(j, a->real.item[i], fake));
            j->count[c]++;
        }
    if (j->total == 0)
        return mdldm__error(a->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "pairs is set, but no image of the generated set has the name of a real one, as %s",
                            mdldm_dataset_item_name(a->real.data, 0));
    return MDLDM_OK;
}

mdldm_status mdldm__assess_pairs(mdldm__assessment *a)
{
    pair_job j = {.a = a};
    const size_t size = (size_t)(a->real.data->resolution * a->real.data->resolution * a->real.data->channels);
    MDLDM__TRY(mdldm__report_section(a->report, "pairs", "Reconstructions",
                                     "Each picture of the generated set against the real one of the same name."));
    for (int s = 0; s < 2; s++) {
        j.planes[s] = mdldm__calloc(a->env, size, sizeof(float));
        j.pictures[s] = mdldm__calloc(a->env, size, sizeof(float));
    }
    j.psnr = mdldm__calloc(a->env, (size_t)a->real.n, sizeof(double));
    j.ssim = mdldm__calloc(a->env, (size_t)a->real.n, sizeof(double));
    j.values = mdldm__calloc(a->env, (size_t)a->real.n, sizeof(double));
    j.count = mdldm__calloc(a->env, (size_t)a->classes, sizeof(int64_t));
    double *cells = mdldm__calloc(a->env, 6 * (size_t)a->classes, sizeof *cells);
    mdldm_status status = j.planes[0] == NULL || j.planes[1] == NULL || j.pictures[0] == NULL || j.pictures[1] == NULL ||
                                  j.psnr == NULL || j.ssim == NULL || j.values == NULL || j.count == NULL || cells == NULL
                              ? mdldm__oom(a->env, "pairs")
                              : MDLDM_OK;
    if (status == MDLDM_OK)
        status = pair_all(&j);
    if (status == MDLDM_OK)
        status = results(&j, cells);
    mdldm__free(a->env, cells);
    pair_free(&j);
    return status;
}
