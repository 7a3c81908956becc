/* SPDX-License-Identifier: MIT
 * What mdldm_evaluate works on, and its parts; each fills a section of the report. */
#ifndef MDLDM_ASSESS_ASSESSMENT_H
#define MDLDM_ASSESS_ASSESSMENT_H

#include "api/context.h"
#include "eval/feature_set.h"
#include "report/report.h"

#define MDLDM__ASSESS_QUANTILE 0.01 /* of the held-out distances, below which a generated image is a near copy */
#define MDLDM__ASSESS_LEVEL 0.01    /* of the tests on gait measures */

/* The images of a data set in the order of the classes that all sets share. */
typedef struct mdldm__image_set {
    const mdldm_dataset *data; /* NULL: not given */
    const char *name;          /* in sentences */
    int64_t n;
    int64_t *item;  /* [n] of the data set */
    int64_t *first; /* [classes + 1] where each class begins */
} mdldm__image_set;

/* Features of the sets, standardised by the real one. */
typedef struct mdldm__feature_space {
    const char *key, *title, *text;
    int64_t d;
    float *real, *fake, *train; /* [n][d] in the sets' order; train NULL: not given */
} mdldm__feature_space;

typedef struct mdldm__assessment {
    mdldm_context *ctx;
    mdldm__env *env;
    const mdldm_options *options; /* NULL: defaults */
    mdldm__report *report;
    mdldm__image_set real, fake, train;
    int64_t classes;
    const char **class_names; /* [classes], of the real set or "all" */
    uint64_t seed;
    int64_t neighbours;
} mdldm__assessment;

/* assess_sets.c: checks the sets against each other and orders their items; counts and a sheet of examples. */
mdldm_status mdldm__assess_sets(mdldm__assessment *a);
void mdldm__assess_free(mdldm__assessment *a);
/* The items of one class, or of all with label -1. */
mdldm__feature_set mdldm__assess_rows(const mdldm__image_set *s, const float *features, int64_t d, int64_t label);

/* assess_features.c */
mdldm_status mdldm__assess_fixed(mdldm__assessment *a, mdldm__feature_space *out);
void mdldm__assess_space_free(mdldm__assessment *a, mdldm__feature_space *space);

/* Sections. */
mdldm_status mdldm__assess_distances(mdldm__assessment *a, const mdldm__feature_space *space);
mdldm_status mdldm__assess_copies(mdldm__assessment *a, const mdldm__feature_space *space);
mdldm_status mdldm__assess_gait(mdldm__assessment *a);
mdldm_status mdldm__assess_pairs(mdldm__assessment *a);

/* A VALUE with or without an interval (NaN). */
mdldm_status mdldm__assess_value(mdldm__assessment *a, const char *key, const char *title, const char *text,
                                 double value, double low, double high);

/* assess_sheet.c: small pictures in rows and columns. */
typedef struct mdldm__sheet {
    int64_t rows, columns, cell; /* cell: pixels a side */
    uint8_t *rgb;                /* [rows * cell][columns * cell][3] */
} mdldm__sheet;
mdldm_status mdldm__sheet_make(mdldm__assessment *a, int64_t rows, int64_t columns, mdldm__sheet *out);
mdldm_status mdldm__sheet_put(mdldm__assessment *a, mdldm__sheet *sheet, int64_t row, int64_t column,
                              const mdldm_dataset *data, int64_t item);
/* Adds it to the report and frees it. */
mdldm_status mdldm__sheet_add(mdldm__assessment *a, mdldm__sheet *sheet, const char *key, const char *title,
                              const char *text);

#endif
