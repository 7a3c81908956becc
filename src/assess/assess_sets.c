/* SPDX-License-Identifier: MIT
 * The sets against each other: same pictures, classes by name; what is in them. */
#include <math.h>
#include <string.h>

#include "assess/assessment.h"
#include "data/dataset.h"

#define EXAMPLES 4
#define EXAMPLE_ROWS 16 /* at most */

/* The common label of a class of another set; -1: the real set has none of that name. */
static int64_t common_label(const mdldm__assessment *a, const mdldm_dataset *d, int64_t item)
{
    if (a->classes == 1 && strcmp(a->class_names[0], "all") == 0)
        return 0;
    const char *name = mdldm_dataset_class_name(d, mdldm_dataset_item_label(d, item));
    for (int64_t i = 0; name != NULL && i < a->classes; i++)
        if (strcmp(a->class_names[i], name) == 0)
            return i;
    return -1;
}

static mdldm_status check_alike(const mdldm__assessment *a, const mdldm__image_set *s)
{
    const mdldm_dataset *r = a->real.data, *d = s->data;
    if (d->channels != r->channels || d->resolution != r->resolution)
        return mdldm__error(a->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the %s set is read with %d channels at %lld pixels, the real set with %d at %lld; open both "
                            "with the same options",
                            s->name, (int)d->channels, (long long)d->resolution, (int)r->channels,
                            (long long)r->resolution);
    return MDLDM_OK;
}

/* Counting sort by class, which keeps the order within. */
static mdldm_status order(const mdldm__assessment *a, mdldm__image_set *s)
{
    s->n = mdldm_dataset_count(s->data);
    s->item = mdldm__calloc(a->env, (size_t)s->n, sizeof *s->item);
    s->first = mdldm__calloc(a->env, (size_t)a->classes + 1, sizeof *s->first);
    if (s->item == NULL || s->first == NULL)
        return mdldm__oom(a->env, "evaluation");
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t label = common_label(a, s->data, i);
        if (label < 0)
            return mdldm__error(a->env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "the %s set has the class %s, the real set has not; name the folders alike", s->name,
                                mdldm_dataset_class_name(s->data, mdldm_dataset_item_label(s->data, i)));
        s->first[label + 1]++;
    }
    for (int64_t c = 0; c < a->classes; c++)
        s->first[c + 1] += s->first[c];
    for (int64_t c = 0, at = 0; c < a->classes; c++)
        for (int64_t i = 0; i < s->n; i++)
            if (common_label(a, s->data, i) == c)
                s->item[at++] = i;
    return MDLDM_OK;
}

mdldm__feature_set mdldm__assess_rows(const mdldm__image_set *s, const float *features, int64_t d, int64_t label)
{
    const int64_t first = label < 0 ? 0 : s->first[label], end = label < 0 ? s->n : s->first[label + 1];
    return (mdldm__feature_set){features + first * d, end - first, s->name};
}

mdldm_status mdldm__assess_value(mdldm__assessment *a, const char *key, const char *title, const char *text,
                                 double value, double low, double high)
{
    return mdldm__report_add(a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_VALUE, .key = key, .title = title,
                                                         .text = text, .series = 1, .points = 1, .values = &value,
                                                         .low = &low, .high = &high});
}

static mdldm_status counts(mdldm__assessment *a)
{
    const mdldm__image_set *const sets[3] = {&a->real, &a->fake, &a->train};
    static const char *const names[3] = {"real", "generated", "training"};
    double *values = mdldm__calloc(a->env, (size_t)(3 * a->classes), sizeof *values);
    if (values == NULL)
        return mdldm__oom(a->env, "evaluation");
    const int64_t series = a->train.data == NULL ? 2 : 3;
    for (int64_t s = 0; s < series; s++)
        for (int64_t c = 0; c < a->classes; c++)
            values[s * a->classes + c] = (double)(sets[s]->first[c + 1] - sets[s]->first[c]);
    const mdldm_status status = mdldm__report_add(
        a->report, &(mdldm__figure){.kind = MDLDM__FIGURE_TABLE, .key = "images", .title = "Images per person",
                                    .text = "Fewer than a hundred a person make all that follows unsure.",
                                    .series = series, .points = a->classes, .values = values, .series_names = names,
                                    .point_names = a->class_names});
    mdldm__free(a->env, values);
    return status;
}

static mdldm_status examples(mdldm__assessment *a)
{
    const mdldm__image_set *const sets[2] = {&a->real, &a->fake};
    const int64_t rows = a->classes < EXAMPLE_ROWS ? a->classes : EXAMPLE_ROWS;
    mdldm__sheet sheet;
    mdldm_status status = mdldm__sheet_make(a, rows, 2 * EXAMPLES, &sheet);
    for (int64_t c = 0; c < rows; c++)
        for (int64_t k = 0; k < 2 * EXAMPLES; k++) {
            const mdldm__image_set *s = sets[k / EXAMPLES];
            const int64_t count = s->first[c + 1] - s->first[c], i = k % EXAMPLES;
            if (status == MDLDM_OK && i < count)
                status = mdldm__sheet_put(a, &sheet, c, k, s->data,
                                          s->item[s->first[c] + (count > EXAMPLES ? i * count / EXAMPLES : i)]);
        }
    if (status != MDLDM_OK) {
        mdldm__free(a->env, sheet.rgb);
        return status;
    }
    return mdldm__sheet_add(a, &sheet, "examples", "Examples",
                            "A row per person in the order of the table: four real pictures on the left, four generated "
                            "ones on the right. Good: nobody could say which half is which.");
}

mdldm_status mdldm__assess_sets(mdldm__assessment *a)
{
    mdldm__image_set *const sets[3] = {&a->real, &a->fake, &a->train};
    const int64_t count = a->train.data == NULL ? 2 : 3;
    int classes = 1;
    for (int64_t s = 0; s < count; s++) {
        MDLDM__TRY(check_alike(a, sets[s]));
        classes &= mdldm_dataset_class_count(sets[s]->data) > 0;
    }
    a->classes = classes ? mdldm_dataset_class_count(a->real.data) : 1;
    a->class_names = mdldm__calloc(a->env, (size_t)a->classes, sizeof *a->class_names);
    if (a->class_names == NULL)
        return mdldm__oom(a->env, "evaluation");
    for (int64_t c = 0; c < a->classes; c++)
        a->class_names[c] = classes ? mdldm_dataset_class_name(a->real.data, c) : "all";
    for (int64_t s = 0; s < count; s++)
        MDLDM__TRY(order(a, sets[s]));
    MDLDM__TRY(mdldm__report_section(a->report, "sets", "What was compared",
                                     a->train.data == NULL
                                         ? "Generated pictures against real ones. Without the training pictures nothing is "
                                           "said about copies of them."
                                         : "Generated pictures against real ones that were held out of training, and "
                                           "both against the training pictures."));
    MDLDM__TRY(counts(a));
    return examples(a);
}

void mdldm__assess_free(mdldm__assessment *a)
{
    mdldm__image_set *const sets[3] = {&a->real, &a->fake, &a->train};
    for (int s = 0; s < 3; s++) {
        mdldm__free(a->env, sets[s]->item);
        mdldm__free(a->env, sets[s]->first);
    }
    mdldm__free(a->env, a->class_names);
}
