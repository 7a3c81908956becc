/* SPDX-License-Identifier: MIT
 * mdldm_evaluate against what it must see: walkers as good as the real ones, noise, persons who changed places, a
 * generator that repeats its training images, reconstructions of known error. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/torture.h"
#include "mdldm/mdldm.h"
#include "util/rng.h"

enum { SIDE = 64, PERSONS = 3, EACH = 40, COUNT = PERSONS * EACH, AREA = SIDE * SIDE };
static mdldm_context *ctx;
static mdldm_options *options;
static float db[COUNT * AREA], other[COUNT * AREA];
static int64_t labels[COUNT];

/* Persons differ in speed, swing and step frequency; images of one in phase, a little in speed, and in speckle. */
static void walkers(uint64_t seed, float *out)
{
    static const double speed[PERSONS] = {20.0, 26.0, 23.0}, swing[PERSONS] = {7.0, 4.0, 10.0}, steps[PERSONS] = {3, 4, 5};
    static double noise[AREA], draw[4];
    for (int i = 0; i < COUNT; i++) {
        const int person = i / EACH;
        mdldm__rng_uniform(seed, MDLDM__RNG_CALIBRATION, (uint64_t)i, 1, draw, 4);
        mdldm__rng_uniform(seed, MDLDM__RNG_CALIBRATION, (uint64_t)i, 0, noise, AREA);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const double phase = 6.283185307 * (steps[person] * x / SIDE + draw[0]);
                const double torso = SIDE - 20.0 - speed[person] * (0.95 + 0.1 * draw[1]);
                const double width = 2.0 + swing[person] * (0.9 + 0.2 * draw[2]) * (0.5 + 0.5 * sin(phase));
                const double limb = -10.0 * fabs(y - torso) / width, body = -fabs(y - torso) * fabs(y - torso);
                const double power = pow(10.0, 0.1 * limb - 1.0) + pow(10.0, 0.1 * body) + 1e-5;
                /* Speckle: exponential power. */
                out[i * AREA + y * SIDE + x] = (float)(10.0 * log10(power * -log(1e-6 + 0.999 * noise[y * SIDE + x])));
            }
        labels[i] = person;
    }
}

static mdldm_dataset *set_of(const float *values, const char *names)
{
    mdldm_dataset *d = NULL;
    assert_int_equal(mdldm_dataset_from_db(ctx, values, COUNT, SIDE, SIDE, labels, names, options, &d), MDLDM_OK);
    return d;
}

static int setup(void **state)
{
    (void)state;
    if (mdldm_context_create(&ctx) != MDLDM_OK || mdldm_options_create(ctx, &options) != MDLDM_OK)
        return -1;
    mdldm_options_set_int(ctx, options, "resolution", SIDE);
    mdldm_options_set_double(ctx, options, "db_floor", -60.0);
    mdldm_options_set_double(ctx, options, "db_ceiling", 20.0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mdldm_options_free(options);
    mdldm_context_free(ctx);
    return 0;
}

static mdldm_report *evaluate(const float *real, const float *fake, const float *train, const char *fake_names)
{
    mdldm_report *r = NULL;
    mdldm_dataset *a = set_of(real, "A/B/C"), *b = set_of(fake, fake_names);
    mdldm_dataset *c = train != NULL ? set_of(train, "A/B/C") : NULL;
    const mdldm_status status = mdldm_evaluate(ctx, a, b, c, options, &r);
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
    mdldm_dataset_free(a);
    mdldm_dataset_free(b);
    mdldm_dataset_free(c);
    return r;
}

static double value(const mdldm_report *r, const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "values.%s", name);
    const double found = mdldm_report_value(r, path);
    printf("%s %.4g\n", name, found);
    return found;
}

static double cell(const mdldm_report *r, const char *row, const char *column)
{
    char path[80];
    snprintf(path, sizeof path, "tables.classes_fixed.%s.%s", row, column);
    return mdldm_report_value(r, path);
}

static void real_against_itself_is_zero(void **state)
{
    (void)state;
    walkers(1, db);
    mdldm_report *r = evaluate(db, db, NULL, "A/B/C");
    assert_true(fabs(value(r, "frechet_fixed")) < 1e-6);
    assert_true(value(r, "kernel_fixed") < 0.0); /* unbiased, and equal rows count between the sets alone */
    assert_true(value(r, "precision_fixed") == 1.0);
    assert_true(value(r, "coverage_fixed") == 1.0);
    assert_true(value(r, "person_kept_fixed") == 1.0);
    assert_true(value(r, "same_step_frequency") == PERSONS);
    assert_true(mdldm_report_value(r, "tables.gait_wasserstein.B.bandwidth") == 0.0);
    assert_true(isnan(value(r, "near_copies"))); /* nobody knows without the training set */
    mdldm_report_free(r);
}

/* Other images of the same persons: as far as real from real, and no copies. */
static void a_good_generator_passes(void **state)
{
    static float train[COUNT * AREA];
    (void)state;
    walkers(1, db);
    walkers(2, other);
    walkers(3, train);
    mdldm_report *r = evaluate(db, other, train, "A/B/C");
    assert_true(value(r, "frechet_fixed") < 1.5 * value(r, "frechet_real_fixed"));
    assert_true(value(r, "precision_fixed") > 0.8);
    assert_true(value(r, "recall_fixed") > 0.8);
    assert_true(value(r, "person_kept_fixed") > 0.95);
    assert_true(value(r, "near_copies") < 0.06);
    assert_true(value(r, "same_step_frequency") == PERSONS);
    assert_true(value(r, "same_bandwidth") == PERSONS);
    assert_non_null(strstr(mdldm_report_html(r), "The closest to a training image"));
    mdldm_report_free(r);
}

static void noise_is_far(void **state)
{
    (void)state;
    walkers(1, db);
    for (int i = 0; i < COUNT; i++) {
        static double noise[AREA];
        mdldm__rng_uniform(7, MDLDM__RNG_CALIBRATION, (uint64_t)i, 0, noise, AREA);
        for (int k = 0; k < AREA; k++)
            other[i * AREA + k] = (float)(10.0 * noise[k] - 40.0);
    }
    mdldm_report *r = evaluate(db, other, NULL, "A/B/C");
    assert_true(value(r, "frechet_fixed") > 20.0 * value(r, "frechet_real_fixed"));
    assert_true(value(r, "kernel_fixed") > 1.0);
    assert_true(value(r, "precision_fixed") == 0.0);
    assert_true(value(r, "coverage_fixed") == 0.0);
    assert_true(value(r, "same_bandwidth") == 0.0);
    mdldm_report_free(r);
}

/* Over all sets that changed places look perfect: the classes do not. */
static void persons_who_changed_places_are_seen(void **state)
{
    (void)state;
    walkers(1, db);
    walkers(2, other);
    mdldm_report *right = evaluate(db, other, NULL, "A/B/C"), *swapped = evaluate(db, other, NULL, "B/A/C");
    assert_true(fabs(value(swapped, "frechet_fixed") - value(right, "frechet_fixed")) < 1e-6);
    assert_true(fabs(value(swapped, "person_kept_fixed") - 1.0 / 3.0) < 0.05);
    assert_true(cell(swapped, "A", "frechet") > 3.0 * cell(right, "A", "frechet"));
    assert_true(cell(swapped, "B", "frechet") > 3.0 * cell(right, "B", "frechet"));
    assert_true(fabs(cell(swapped, "C", "frechet") - cell(right, "C", "frechet")) < 1e-6);
    assert_true(cell(swapped, "A", "precision") < 0.1);
    assert_true(value(swapped, "same_step_frequency") == 1.0);
    mdldm_report_free(right);
    mdldm_report_free(swapped);
}

static void a_memorising_generator_is_caught(void **state)
{
    static float train[COUNT * AREA], noise[AREA];
    (void)state;
    walkers(1, db);
    walkers(3, train);
    for (int i = 0; i < COUNT; i++) {
        mdldm__rng_normal(9, MDLDM__RNG_CALIBRATION, (uint64_t)i, 0, noise, AREA);
        for (int k = 0; k < AREA; k++) /* its training images with 0.3 dB of noise */
            other[i * AREA + k] = train[i * AREA + k] + 0.3f * noise[k];
    }
    mdldm_report *r = evaluate(db, other, train, "A/B/C");
    assert_true(value(r, "frechet_fixed") < 1.5 * value(r, "frechet_real_fixed")); /* which does not see it */
    assert_true(value(r, "near_copies") > 0.9);
    mdldm_report_free(r);
}

/* 0.8 of 80 dB away everywhere: PSNR 20 log10(80 / 0.8) = 40 dB. One image is the same. */
static void pairs_have_their_known_psnr(void **state)
{
    (void)state;
    walkers(1, db);
    for (int k = 0; k < COUNT * AREA; k++) {
        db[k] = fmaxf(-58.0f, fminf(18.0f, db[k]));
        other[k] = db[k] + (k < AREA ? 0.0f : 0.8f);
    }
    mdldm_options_set_int(ctx, options, "pairs", 1);
    mdldm_report *r = evaluate(db, other, NULL, "A/B/C");
    assert_true(value(r, "pairs") == COUNT);
    assert_true(value(r, "pairs_equal") == 1.0);
    printf("PSNR error %.1e (2.5e-5: pixels are floats)\n", fabs(value(r, "psnr") - 40.0));
    assert_true(fabs(value(r, "psnr") - 40.0) < 2.5e-5);
    assert_true(fabs(mdldm_report_value(r, "tables.pairs_classes.C.psnr") - 40.0) < 2.5e-5);
    assert_true(fabs(value(r, "ssim") - 0.982) < 0.005);
    mdldm_report_free(r);
}

static void refuse(const mdldm_dataset *a, const mdldm_dataset *b, const mdldm_dataset *c, const char *sentence)
{
    mdldm_report *r = (mdldm_report *)(uintptr_t)1;
    assert_int_equal(mdldm_evaluate(ctx, a, b, c, options, &r), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_null(r);
    if (strstr(mdldm_context_error(ctx), sentence) == NULL)
        fail_msg("%s", mdldm_context_error(ctx));
}

static void sets_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    walkers(1, db);
    mdldm_dataset *a = set_of(db, "A/B/C"), *d = set_of(db, "A/B/D"), *few = NULL, *small = NULL;
    assert_int_equal(mdldm_dataset_from_db(ctx, db, 3, SIDE, SIDE, NULL, NULL, options, &few), MDLDM_OK);
    mdldm_options_set_int(ctx, options, "resolution", 32);
    assert_int_equal(mdldm_dataset_from_db(ctx, db, 8, SIDE, SIDE, NULL, NULL, options, &small), MDLDM_OK);
    refuse(NULL, a, NULL, "the real set is NULL");
    refuse(a, NULL, NULL, "the generated set is NULL");
    refuse(a, d, NULL, "the generated set has the class D, the real set has not");
    refuse(a, a, d, "the training set has the class D");
    refuse(a, few, NULL, "the generated set has 3 images; 4 at least");
    refuse(a, small, NULL, "1 channels at 32 pixels");
    mdldm_dataset_free(a);
    mdldm_dataset_free(d);
    mdldm_dataset_free(few);
    mdldm_dataset_free(small);
}

static mdldm_status whole(torture *t, void *user, char sentence[1024])
{
    enum { FEW = 10 };
    static int64_t half[FEW] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    (void)user;
    mdldm_context *c = NULL;
    mdldm_options *o = NULL;
    mdldm_dataset *d = NULL;
    mdldm_report *r = NULL;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &c);
    if (status != MDLDM_OK)
        return status;
    status = mdldm_options_create(c, &o);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(c, o, "resolution", 16);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(c, o, "pairs", 1);
    if (status == MDLDM_OK)
        status = mdldm_dataset_from_db(c, db, FEW, SIDE, SIDE, half, "A/B", o, &d);
    if (status == MDLDM_OK)
        status = mdldm_evaluate(c, d, d, d, o, &r);
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", mdldm_context_error(c));
    mdldm_report_free(r);
    mdldm_dataset_free(d);
    mdldm_options_free(o);
    mdldm_context_free(c);
    return status;
}

static void allocations_may_fail(void **state)
{
    (void)state;
    walkers(1, db);
    assert_true(torture_run("evaluate", whole, NULL, 60) > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(real_against_itself_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(a_good_generator_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_far, setup, teardown),
        cmocka_unit_test_setup_teardown(persons_who_changed_places_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_memorising_generator_is_caught, setup, teardown),
        cmocka_unit_test_setup_teardown(pairs_have_their_known_psnr, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_that_do_not_fit_are_refused, setup, teardown),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
