/* SPDX-License-Identifier: MIT
 * The reference backend's forward pass against formulas written once more, in double, on the cases of
 * op_cases.c: convolution as the textbook's seven loops on NCHW, and so on. The inputs are those of the
 * case, the output its "y". Differences are relative to the largest value. Observed: 9e-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/reference/reference_backend.h"
#include "../support/op_cases.h"
#include "../support/test_host.h"
#include "util/philox.h"

#define TOLERANCE 5e-7

/* The case as the formulas see it. */
typedef struct view {
    op_case *c;
    const mdldm_graph_op *op; /* the first operation */
    int64_t y[4];             /* dims of its output */
} view;

static int feed_with(const op_case *c, mdldm__tensor t)
{
    for (int i = 0; i < c->feed_count; i++)
        if (c->feeds[i].tensor == t)
            return i;
    fail_msg("no feed for tensor %d", t);
    return -1;
}

static int64_t dim(const view *v, int slot, int axis)
{
    return v->c->graph.tensors[v->op->in[slot]].dims[axis];
}

/* Element [n,c,h,w] of the input in a slot. */
static double at(const view *v, int slot, int64_t n, int64_t c, int64_t h, int64_t w)
{
    const int64_t *d = v->c->graph.tensors[v->op->in[slot]].dims;
    return v->c->feeds[feed_with(v->c, v->op->in[slot])].values[((n * d[1] + h) * d[2] + w) * d[3] + c];
}

/* The same of two joined sources in slots 0 and 1. */
static double joined(const view *v, int64_t n, int64_t c, int64_t h, int64_t w)
{
    int64_t c0 = dim(v, 0, 3);
    return c < c0 ? at(v, 0, n, c, h, w) : at(v, 1, n, c - c0, h, w);
}

static double param(const view *v, int slot, int64_t i)
{
    return ((const float *)v->c->params.items[v->c->graph.tensors[v->op->in[slot]].param].owned)[i];
}

static int64_t joined_channels(const view *v)
{
    return dim(v, 0, 3) + (v->op->in[1] >= 0 ? dim(v, 1, 3) : 0);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double conv(const view *v, int64_t n, int64_t o, int64_t y, int64_t x)
{
    const mdldm_conv_attr *a = &v->op->attr.conv;
    int64_t channels = joined_channels(v);
    double sum = v->op->in[3] >= 0 ? param(v, 3, o) : 0;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < a->kernel_h; i++)
            for (int64_t j = 0; j < a->kernel_w; j++) {
                int64_t h = y * a->stride_h + i - a->pad_t, w = x * a->stride_w + j - a->pad_l;
                if (h >= 0 && h < dim(v, 0, 1) && w >= 0 && w < dim(v, 0, 2))
                    sum += joined(v, n, c, h, w) *
                           param(v, 2, ((o * channels + c) * a->kernel_h + i) * a->kernel_w + j);
            }
    return sum;
}

static double group_norm(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    int64_t channels = joined_channels(v), size = channels / v->op->attr.norm.groups, first = c / size * size;
    double sum = 0, squares = 0, count = 0;
    for (int64_t k = first; k < first + size; k++)
        for (int64_t h = 0; h < v->y[1]; h++)
            for (int64_t w = 0; w < v->y[2]; w++, count++) {
                sum += joined(v, n, k, h, w);
                squares += joined(v, n, k, h, w) * joined(v, n, k, h, w);
            }
    double mean = sum / count, variance = squares / count - mean * mean;
    double g = (joined(v, n, c, y, x) - mean) / sqrt(variance + v->op->attr.norm.eps);
    g = g * param(v, 2, c) + param(v, 3, c);
    if (v->op->in[4] >= 0)
        g = g * (1 + at(v, 4, n, c, 0, 0)) + at(v, 4, n, channels + c, 0, 0);
    return v->op->attr.norm.silu ? g * sigmoid(g) : g;
}

static double attention(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    int64_t size = v->y[3] / v->op->attr.attention.heads, first = c / size * size;
    double sum = 0, weighted = 0;
    for (int64_t h = 0; h < v->y[1]; h++)
        for (int64_t w = 0; w < v->y[2]; w++) {
            double score = 0;
            for (int64_t k = first; k < first + size; k++)
                score += at(v, 0, n, k, y, x) * at(v, 1, n, k, h, w);
            double p = exp(score * v->op->attr.attention.scale);
            sum += p;
            weighted += p * at(v, 2, n, c, h, w);
        }
    return weighted / sum;
}

static double silu(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return at(v, 0, n, c, y, x) * sigmoid(at(v, 0, n, c, y, x));
}

static double add(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return 0.75 * at(v, 0, n, c, y, x) - 1.5 * at(v, 1, n, c, y, x);
}

static double bias(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return at(v, 0, n, c, y, x) + at(v, 1, n, c, 0, 0);
}

static double scale(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return 2.5 * at(v, 0, n, c, y, x) * (v->op->in[1] >= 0 ? at(v, 1, n, 0, 0, 0) : 1) +
           v->op->attr.scale.beta;
}

static double upsample2(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return at(v, 0, n, c, y / 2, x / 2);
}

static double avgpool2(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    return (at(v, 0, n, c, 2 * y, 2 * x) + at(v, 0, n, c, 2 * y, 2 * x + 1) + at(v, 0, n, c, 2 * y + 1, 2 * x) +
            at(v, 0, n, c, 2 * y + 1, 2 * x + 1)) / 4;
}

static double embedding(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    (void)y;
    (void)x;
    int32_t row = v->c->feeds[feed_with(v->c, v->op->in[1])].integers[n];
    return param(v, 0, row * v->y[3] + c);
}

static double dropout(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    const int32_t *seed = v->c->feeds[feed_with(v->c, v->op->in[1])].integers;
    uint64_t i = (uint64_t)(((n * v->y[1] + y) * v->y[2] + x) * v->y[3] + c);
    const uint32_t counter[4] = {(uint32_t)(i / 4), v->op->attr.dropout.salt, 0, 0};
    const uint32_t key[2] = {(uint32_t)seed[0], (uint32_t)seed[1]};
    uint32_t words[4];
    mdldm__philox(counter, key, words);
    double p = v->op->attr.dropout.p;
    return mdldm__philox_uniform(words[i % 4]) < p ? 0 : at(v, 0, n, c, y, x) / (1 - p);
}

static double vq(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    int64_t d = v->y[3], best = 0;
    double least = INFINITY;
    for (int64_t k = 0; k < dim(v, 1, 0); k++) {
        double distance = 0;
        for (int64_t j = 0; j < d; j++)
            distance += pow(at(v, 0, n, j, y, x) - param(v, 1, k * d + j), 2);
        if (distance < least) {
            least = distance;
            best = k;
        }
    }
    return param(v, 1, best * d + c);
}

static double (*formula_of(int32_t kind))(const view *, int64_t, int64_t, int64_t, int64_t)
{
    switch (kind) {
    case MDLDM_OP_CONV:
        return conv;
    case MDLDM_OP_GROUP_NORM:
        return group_norm;
    case MDLDM_OP_ATTENTION:
        return attention;
    case MDLDM_OP_SILU:
        return silu;
    case MDLDM_OP_ADD:
        return add;
    case MDLDM_OP_BIAS:
        return bias;
    case MDLDM_OP_SCALE:
        return scale;
    case MDLDM_OP_UPSAMPLE2:
        return upsample2;
    case MDLDM_OP_AVGPOOL2:
        return avgpool2;
    case MDLDM_OP_EMBEDDING:
        return embedding;
    case MDLDM_OP_DROPOUT:
        return dropout;
    case MDLDM_OP_VQ:
        return vq;
    default:
        return NULL;
    }
}

static void check_case(op_case *c, mdldm_device *device, const test_host *h, double *largest)
{
    view v = {.c = c, .op = &c->graph.ops[0]};
    memcpy(v.y, c->graph.tensors[v.op->out[0]].dims, sizeof v.y);
    double (*formula)(const view *, int64_t, int64_t, int64_t, int64_t) = formula_of(v.op->kind);
    if (op_case_run(c, &mdldm__backend_reference, device) != MDLDM_OK)
        fail_msg("%s: %s", c->name, h->error);
    int read = 0;
    while (strcmp(c->reads[read].name, "output y") != 0)
        read++;
    const float *y = c->reads[read].values;
    double top = 0, difference = 0;
    for (int64_t n = 0; n < v.y[0]; n++)
        for (int64_t row = 0; row < v.y[1]; row++)
            for (int64_t x = 0; x < v.y[2]; x++)
                for (int64_t channel = 0; channel < v.y[3]; channel++) {
                    double right = formula(&v, n, channel, row, x);
                    double got = y[((n * v.y[1] + row) * v.y[2] + x) * v.y[3] + channel];
                    top = fmax(top, fabs(right));
                    difference = fmax(difference, fabs(right - got));
                }
    *largest = fmax(*largest, difference / top);
    if (!(difference <= TOLERANCE * top))
        fail_msg("%s: differs by %.3g of %.3g", c->name, difference, top);
}

static void forward_formulas(void **state)
{
    (void)state;
    int seen[MDLDM_OP_CAST + 1] = {0}, checked = 0;
    double largest = 0;
    for (int i = 0; i < op_case_count(); i++) {
        op_family family;
        int32_t act;
        op_case_name(i, &family, &act);
        if (act != MDLDM_F32 || family == OP_FAMILY_BLOCK || family == OP_FAMILY_Q8_BLOCK)
            continue;
        op_case c;
        op_case_open(&c, i);
        const mdldm_graph_op *op = &c.graph.ops[0];
        const int64_t *d = c.graph.tensors[op->out[0]].dims;
        /* The formulas start over for each element: leave the large cases to the others. */
        int64_t elements = d[0] * d[1] * d[2] * d[3];
        if (formula_of(op->kind) != NULL && elements < 6000 && (op->kind != MDLDM_OP_CONV || d[3] < 100)) {
            test_host h;
            mdldm_device *device = NULL;
            test_host_init(&h, NULL);
            assert_int_equal(mdldm__backend_reference.device_open(&h.host, "", 1, &device), MDLDM_OK);
            check_case(&c, device, &h, &largest);
            mdldm__backend_reference.device_close(device);
            seen[op->kind] = 1;
            checked++;
        }
        op_case_close(&c);
    }
    int kinds = 0;
    for (int kind = 0; kind <= MDLDM_OP_CAST; kind++)
        kinds += seen[kind];
    assert_int_equal(kinds, 12);
    print_message("%d cases, largest difference %.2g\n", checked, largest);
}

/* Entropies of a codebook of two: p = sigmoid of the difference of distances. */
static void entropy_formula(void **state)
{
    (void)state;
    for (int i = 0; i < op_case_count(); i++) {
        op_case c;
        op_case_open(&c, i);
        const mdldm_graph_op *op = &c.graph.ops[0];
        if (op->kind == MDLDM_OP_VQ_ENTROPY) {
            test_host h;
            mdldm_device *device = NULL;
            test_host_init(&h, NULL);
            assert_int_equal(mdldm__backend_reference.device_open(&h.host, "", 1, &device), MDLDM_OK);
            assert_int_equal(op_case_run(&c, &mdldm__backend_reference, device), MDLDM_OK);
            int64_t rows = c.params.items[0].dims[0], d = c.params.items[0].dims[1];
            int64_t count = c.feeds[0].count / d;
            double *mean = calloc((size_t)rows, sizeof *mean), each = 0, of_mean = 0;
            assert_non_null(mean);
            for (int64_t n = 0; n < count; n++) {
                double sum = 0;
                for (int pass = 0; pass < 2; pass++)
                    for (int64_t k = 0; k < rows; k++) {
                        double distance = 0;
                        for (int64_t j = 0; j < d; j++)
                            distance += pow((double)c.feeds[0].values[n * d + j] -
                                            ((const float *)c.params.items[0].owned)[k * d + j], 2);
                        double p = exp(-distance / op->attr.vq.temperature);
                        if (pass == 0) {
                            sum += p;
                        } else {
                            mean[k] += p / sum / (double)count;
                            each -= p / sum * log(p / sum) / (double)count;
                        }
                    }
            }
            for (int64_t k = 0; k < rows; k++)
                of_mean -= mean[k] * log(mean[k]);
            free(mean);
            int read = 0;
            while (strcmp(c.reads[read].name, "output entropies") != 0)
                read++;
            assert_true(fabs(c.reads[read].values[0] / each - 1) < TOLERANCE);
            assert_true(fabs(c.reads[read].values[1] / of_mean - 1) < TOLERANCE);
            mdldm__backend_reference.device_close(device);
        }
        op_case_close(&c);
    }
}

/* The gradients of the quantiser, which central differences cannot see, and its loss. */
static void vq_gradients(void **state)
{
    (void)state;
    int checked = 0;
    for (int i = 0; i < op_case_count(); i++) {
        op_case c;
        op_case_open(&c, i);
        const mdldm_graph_op *op = &c.graph.ops[0];
        if (op->kind == MDLDM_OP_VQ) {
            test_host h;
            mdldm_device *device = NULL;
            test_host_init(&h, NULL);
            assert_int_equal(mdldm__backend_reference.device_open(&h.host, "", 1, &device), MDLDM_OK);
            assert_int_equal(op_case_run(&c, &mdldm__backend_reference, device), MDLDM_OK);
            const float *codes = c.reads[0].values, *y = c.reads[2].values, *dz = c.reads[4].values;
            assert_string_equal(c.reads[0].name, "output codes");
            assert_string_equal(c.reads[2].name, "output y");
            assert_string_equal(c.reads[4].name, "gradient of input z");
            int64_t d = c.params.items[0].dims[1];
            double *book = calloc((size_t)c.reads[5].count, sizeof *book), loss = 0;
            assert_non_null(book);
            for (int64_t k = 0; k < c.feeds[0].count; k++) {
                double z = c.feeds[0].values[k], target = c.feeds[1].values[k];
                /* Commitment and codebook weight are 0.25 and 0.75 times the element count. */
                double right = y[k] - target + 0.25 * 2 * (z - y[k]);
                assert_true(fabs(dz[k] - right) < 2e-6);
                book[(int64_t)codes[k / d] * d + k % d] += 0.75 * 2 * (y[k] - z);
                loss += (y[k] - z) * (y[k] - z) / (double)c.feeds[0].count;
            }
            for (int64_t k = 0; k < c.reads[5].count; k++)
                assert_true(fabs(c.reads[5].values[k] - book[k]) < 2e-5);
            assert_true(fabs(c.reads[1].values[0] - loss) < 1e-6 * loss);
            free(book);
            mdldm__backend_reference.device_close(device);
            checked++;
        }
        op_case_close(&c);
    }
    assert_true(checked >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_formulas),
        cmocka_unit_test(entropy_formula),
        cmocka_unit_test(vq_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
