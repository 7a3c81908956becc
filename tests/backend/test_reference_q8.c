/* SPDX-License-Identifier: MIT
 * The eight-bit operations of the reference backend against their definition, computed once more here,
 * term by term in double; and what stores say of I8 values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/op_session.h"

/* The largest difference observed, relative to the largest output, is 9.4e-8: float's own rounding. */
#define TOLERANCE 3.6e-7

static const mdldm_graph_op *op_of(const op_case *c, int32_t kind)
{
    for (int32_t i = 0; i < c->graph.op_count; i++)
        if (c->graph.ops[i].kind == kind)
            return &c->graph.ops[i];
    fail_msg("no such operation in %s", c->name);
    return NULL;
}

static const void *param_of(const op_case *c, int32_t tensor)
{
    return tensor >= 0 ? c->params.items[c->graph.tensors[tensor].param].data : NULL;
}

static const float *feed_of(const op_case *c, const char *name)
{
    for (int i = 0; i < c->feed_count; i++)
        if (strcmp(c->graph.tensors[c->feeds[i].tensor].name, name) == 0)
            return c->feeds[i].values;
    return NULL;
}

typedef struct definition {
    const op_case *c;
    const mdldm_graph_op *conv;
    const float *x[2]; /* sources, NHWC */
    int64_t xc[2];
    const int64_t *w, *y, *in; /* dims */
} definition;

/* Output o of one pixel, as mdldm_backend.h defines it. */
static double value(const definition *d, int64_t n, int64_t oy, int64_t ox, int64_t o)
{
    const op_case *c = d->c;
    const mdldm_conv_attr *a = &d->conv->attr.conv;
    int64_t groups = c->graph.tensors[d->conv->in[5]].dims[0], g = -1;
    for (int i = 0; i < c->feed_count; i++)
        if (c->feeds[i].tensor == d->conv->in[6])
            g = c->feeds[i].integers[n];
    g = g < 0 ? 0 : g >= groups ? groups - 1 : g;
    const float *range = (const float *)param_of(c, d->conv->in[5]) + 2 * g;
    float m = 255.0f / (range[1] - range[0]);
    double z = fmin(255.0, fmax(0.0, nearbyint((double)(-range[0] * m)))), sum = 0.0;
    const int8_t *w = param_of(c, d->conv->in[2]);
    for (int64_t i = 0; i < d->w[1]; i++)
        for (int64_t ky = 0; ky < d->w[2]; ky++)
            for (int64_t kx = 0; kx < d->w[3]; kx++) {
                int64_t row = oy * a->stride_h + ky - a->pad_t, column = ox * a->stride_w + kx - a->pad_l;
                if (row < 0 || row >= d->in[1] || column < 0 || column >= d->in[2])
                    continue;
                int s = i >= d->xc[0];
                int64_t channel = i - (s ? d->xc[0] : 0);
                float x = d->x[s][((n * d->in[1] + row) * d->in[2] + column) * d->xc[s] + channel];
                double q = fmin(255.0, fmax(0.0, nearbyint((double)(x * m)) + z));
                sum += (q - z) * w[((o * d->w[1] + i) * d->w[2] + ky) * d->w[3] + kx];
            }
    const float *scale = param_of(c, d->conv->in[3]), *bias = param_of(c, d->conv->in[4]);
    return sum / (double)m * (double)scale[o] + (bias != NULL ? (double)bias[o] : 0.0);
}

static void agrees_with_its_definition(void **state)
{
    (void)state;
    static const char *const names[] = {"q8 conv 3x3, odd everything", "q8 conv 1x1, two sources",
                                        "q8 conv 3x3, stride 2, right and bottom padding",
                                        "q8 conv 3x3, two sources", "q8 conv 3x3, no bias", "q8 linear"};
    double largest = 0.0;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        op_session s;
        op_session_expect_ok(&s, op_session_open(&s, &mdldm__backend_reference,
                                                 op_case_find(names[k], MDLDM_F32), 1, 0, 0, NULL));
        op_session_expect_ok(&s, op_session_run(&s, MDLDM_RUN_CHECK_FINITE));
        const mdldm_graph_op *conv = op_of(&s.c, MDLDM_OP_CONV_Q8);
        const mdldm_graph_tensor *t = s.c.graph.tensors;
        definition d = {.c = &s.c, .conv = conv, .x = {feed_of(&s.c, "x0"), feed_of(&s.c, "x1")},
                        .w = t[conv->in[2]].dims, .y = t[conv->out[0]].dims, .in = t[conv->in[0]].dims};
        d.xc[0] = t[conv->in[0]].dims[3];
        d.xc[1] = conv->in[1] >= 0 ? t[conv->in[1]].dims[3] : 0;
        const float *got = s.c.reads[op_session_read(&s, "output y")].values;
        double top = 0.0, difference = 0.0;
        for (int64_t i = 0; i < d.y[0] * d.y[1] * d.y[2] * d.y[3]; i++) {
            int64_t pixel = i / d.y[3];
            double right = value(&d, pixel / (d.y[1] * d.y[2]), pixel / d.y[2] % d.y[1], pixel % d.y[2], i % d.y[3]);
            top = fmax(top, fabs(right));
            difference = fmax(difference, fabs(right - (double)got[i]));
        }
        if (!(difference <= TOLERANCE * top))
            fail_msg("%s: differs by %.3g of %.3g", names[k], difference, top);
        largest = fmax(largest, difference / top);
        op_session_close(&s);
    }
    print_message("largest difference %.2g\n", largest);
}

/* A weight of I8 is neither trained nor read as float, and a graph that wants I8 takes no floats. */
static void values_of_the_wrong_type_are_refused(void **state)
{
    (void)state;
    const mdldm_backend *b = &mdldm__backend_reference;
    op_session s;
    op_session_expect_ok(&s, op_session_open(&s, b, op_case_find("q8 linear", MDLDM_F32), 1, 0, 0, NULL));
    int32_t weight = s.c.graph.tensors[op_of(&s.c, MDLDM_OP_CONV_Q8)->in[2]].param;
    static float floats[51 * 37];
    assert_int_equal(b->store_read(s.store, weight, MDLDM_SLOT_VALUE, floats), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "'conv.weight' holds I8, but F32 is wanted"));
    assert_int_equal(b->store_write(s.store, weight, MDLDM_SLOT_VALUE, floats), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "cannot be written as float"));
    assert_int_equal(b->store_bind(s.store, weight, floats, MDLDM_F32), MDLDM_OK);
    assert_int_equal(op_session_run(&s, 0), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "'conv.weight' holds floats, but I8 is wanted"));
    assert_int_equal(b->store_bind(s.store, weight, floats, MDLDM_U8), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "F32, F16, BF16 or I8"));
    mdldm_param_desc desc = {.name = "w", .dims = {2, 2, 1, 1}, .rank = 2, .trainable = 1};
    mdldm_store *training = NULL;
    assert_int_equal(b->store_open(s.device, &desc, 1, MDLDM_STORE_TRAIN, &training), MDLDM_OK);
    assert_int_equal(b->store_bind(training, 0, floats, MDLDM_I8), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(s.host.error, "cannot be trained"));
    b->store_close(training);
    op_session_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_its_definition),
        cmocka_unit_test(values_of_the_wrong_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
