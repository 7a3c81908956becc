/* SPDX-License-Identifier: MIT
 * The reference backend's gradients against central differences of its own forward pass: for each
 * case of op_cases.c in f32 and each input and parameter with a gradient g, along a random direction
 * d, (L(x + eps d) - L(x - eps d)) / 2 eps against <g, d>. L is summed in double from the outputs, whose
 * rounding to float is what limits the agreement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/op_cases.h"
#include "../support/test_host.h"
#include "util/rng.h"

/* Difference relative to |g|, the size that <g, d> has for a random d. Observed: 8e-4 at most.
 * Gradients that are zero by mathematics (the bias of attention's keys) have no size of their own, so
 * |g| counts as at least 2% of the case's largest one. A loss that is one float is rounded to
 * 2^-24 of itself, which the quotient magnifies by 1/eps. */
#define TOLERANCE 2e-3
#define EPS 1e-3

enum { MAX_TESTS = 512 };
static struct CMUnitTest tests[MAX_TESTS];
static int indexes[MAX_TESTS];
static double largest;

typedef struct setup {
    test_host host;
    mdldm_device *device;
    op_case c;
    double top; /* largest |g| of the case */
} setup;

static double norm_of(const float *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sqrt(sum);
}

static double objective(setup *s)
{
    if (op_case_run(&s->c, &mdldm__backend_reference, s->device) != MDLDM_OK)
        fail_msg("%s: %s", s->c.name, s->host.error);
    return op_case_objective(&s->c);
}

/* values[count] is moved along a random direction and put back; gradient is what backward said. */
static void check_direction(setup *s, float *values, int64_t count, const float *gradient, const char *what)
{
    float *direction = malloc((size_t)count * sizeof *direction);
    float *saved = malloc((size_t)count * sizeof *saved);
    double *g = malloc((size_t)count * sizeof *g);
    assert_non_null(direction);
    assert_non_null(saved);
    assert_non_null(g);
    mdldm__rng_normal(11, MDLDM__RNG_AUGMENT, (uint64_t)count, 0, direction, (size_t)count);
    double predicted = 0, norm = fmax(norm_of(gradient, count), 0.02 * s->top), step[2], side[2];
    for (int64_t i = 0; i < count; i++) {
        saved[i] = values[i];
        g[i] = gradient[i]; /* the runs below overwrite gradient */
    }
    for (int k = 0; k < 2; k++) {
        step[k] = k == 0 ? EPS : -EPS;
        for (int64_t i = 0; i < count; i++)
            values[i] = (float)(saved[i] + step[k] * direction[i]);
        side[k] = objective(s);
        /* The step as it was really made, after rounding to float. */
        for (int64_t i = 0; i < count; i++)
            predicted += (k == 0 ? 1 : -1) * g[i] * ((double)values[i] - saved[i]) / (2 * EPS);
    }
    for (int64_t i = 0; i < count; i++)
        values[i] = saved[i];
    double measured = (side[0] - side[1]) / (2 * EPS);
    double rounding = 0;
    for (int t = 0; t < s->c.term_count; t++)
        if (s->c.terms[t].feed < 0)
            rounding += fabs(s->c.terms[t].coefficient) * 0x1p-24 *
                        fabs((double)s->c.reads[s->c.terms[t].read].values[s->c.terms[t].element]) / EPS;
    double relative = fmax(fabs(measured - predicted) - rounding, 0) / norm;
    largest = fmax(largest, relative);
    free(direction);
    free(saved);
    free(g);
    if (!(relative <= TOLERANCE))
        fail_msg("%s, %s: measured %.9g, gradient says %.9g (norm %.3g)", s->c.name, what, measured,
                 predicted, norm);
}

static void central_differences(void **state)
{
    setup s;
    test_host_init(&s.host, NULL);
    assert_int_equal(mdldm__backend_reference.device_open(&s.host.host, "", 1, &s.device), MDLDM_OK);
    op_case_open(&s.c, *(const int *)*state);
    int read = 0, checked = 0;
    objective(&s);
    s.top = 0;
    for (read = 0; read < s.c.read_count; read++)
        if (strncmp(s.c.reads[read].name, "gradient", 8) == 0)
            s.top = fmax(s.top, norm_of(s.c.reads[read].values, s.c.reads[read].count));
    /* Reads of gradients stand in the order in which op_case_open makes them; each check starts from a
     * fresh run because the ones before have moved the inputs. */
    for (int i = 0; i < s.c.feed_count; i++) {
        if (s.c.feeds[i].grad < 0)
            continue;
        objective(&s);
        for (read = 0; s.c.reads[read].tensor != s.c.feeds[i].grad; read++)
            continue;
        check_direction(&s, s.c.feeds[i].values, s.c.feeds[i].count, s.c.reads[read].values,
                        s.c.reads[read].name);
        checked++;
    }
    for (read = 0; read < s.c.read_count; read++) {
        if (s.c.reads[read].tensor >= 0)
            continue;
        objective(&s);
        check_direction(&s, s.c.params.items[s.c.reads[read].param].owned, s.c.reads[read].count,
                        s.c.reads[read].values, s.c.reads[read].name);
        checked++;
    }
    assert_true(checked > 0);
    op_case_close(&s.c);
    mdldm__backend_reference.device_close(s.device);
    assert_int_equal(s.host.own.live, 0);
}

static int print_largest(void **state)
{
    (void)state;
    print_message("largest difference between gradients and central differences: %.2g\n", largest);
    return 0;
}

int main(void)
{
    size_t count = 0;
    for (int i = 0; i < op_case_count() && count < MAX_TESTS; i++) {
        op_family family;
        int32_t act;
        const char *name = op_case_name(i, &family, &act);
        if (act != MDLDM_F32)
            continue;
        op_case c;
        op_case_open(&c, i);
        int64_t work = 0;
        for (int r = 0; r < c.read_count; r++)
            work += c.reads[r].count;
        int differentiable = c.differentiable && work < 200000;
        op_case_close(&c);
        if (!differentiable)
            continue;
        indexes[count] = i;
        tests[count] = (struct CMUnitTest){
            .name = name, .test_func = central_differences, .initial_state = &indexes[count]};
        count++;
    }
    return _cmocka_run_group_tests("gradients of the reference backend", tests, count, NULL, print_largest);
}
