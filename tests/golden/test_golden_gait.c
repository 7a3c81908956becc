/* SPDX-License-Identifier: MIT
 * Gait measures against NumPy, computed from the definitions by other ways (make_gait_golden.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../support/golden.h"
#include "../support/options_text.h"

static const golden_run run = {"gait", NULL, "f32"};

typedef struct gait_case {
    const char *name, *options;
} gait_case;

static const gait_case CASES[] = {
    {"hertz", "picture_duration=2.5 doppler_high=900 doppler_low=-300"},
    {"pictures", "zero_doppler=0.75"},
    {"gap", "picture_duration=2 step_low=1 step_high=4 envelope_percentile=0.95 torso_width=0.1"},
    {"no_step", "step_threshold=0.6"},
};

static double difference(const double *got, const float *expected, int64_t count, int each, const char *name)
{
    double largest = 0.0, worst = 0.0;
    for (int64_t i = 0; i < count; i++) {
        if ((isnan(got[i]) != 0) != (isnan(expected[i]) != 0))
            fail_msg("%s: value %d is %g, expected %g", name, (int)i, got[i], (double)expected[i]);
        if (isnan(got[i]))
            continue;
        const double size = fabs((double)expected[i]), error = fabs(got[i] - (double)expected[i]);
        largest = fmax(largest, size);
        worst = fmax(worst, each ? error / fmax(size, 1e-3) : error);
    }
    return each ? worst : worst / largest;
}

static void measures_are_numpys(void **state)
{
    (void)state;
    golden g;
    golden_open(&g, &run);
    mdldm_context *ctx;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    const int32_t measures = mdldm_gait_measure_count();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char db[40], rows[40], lines[40];
        snprintf(db, sizeof db, "%s.db", CASES[i].name);
        snprintf(rows, sizeof rows, "%s.values", CASES[i].name);
        snprintf(lines, sizeof lines, "%s.curves", CASES[i].name);
        const mdldm__st_tensor *input = golden_tensor(&g, db);
        const int64_t columns = input->dims[1];
        assert_int_equal(golden_elements(&g, rows), measures);
        assert_int_equal(golden_elements(&g, lines), 3 * columns);
        double *values = calloc((size_t)measures, sizeof *values), *curves = calloc((size_t)(3 * columns), sizeof *curves);
        assert_true(values != NULL && curves != NULL);
        mdldm_options *o = options_from_text(ctx, CASES[i].options);
        golden_ok(&g,
                  mdldm_gait_measure(ctx, input->data, 1, input->dims[0], columns, o, values, (size_t)measures, curves,
                                     (size_t)(3 * columns)),
                  CASES[i].name);
        const double value = difference(values, golden_f32(&g, rows), measures, 1, CASES[i].name);
        const double curve = difference(curves, golden_f32(&g, lines), 3 * columns, 0, CASES[i].name);
        print_message("  %s: measures within %.1e, curves within %.1e\n", CASES[i].name, value, curve);
        assert_true(value <= 2e-7); /* observed: 5e-8, the rounding of what is kept as float */
        assert_true(curve <= 2e-7);
        mdldm_options_free(o);
        free(curves);
        free(values);
    }
    mdldm_context_free(ctx);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(measures_are_numpys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
