/* SPDX-License-Identifier: MIT
 * The autoencoder's attention, one head of 512 channels over 4096 tokens: each of the four kernels on two blocks of its
 * grid, so that interpreting them ends, over all 4096 columns, against the definition in double. What the backward
 * kernels read of the forward pass (lse, delta) is given, as each is a map of its own arguments. */
#include "tests/cuda/cuda_test.h"

#include <math.h>

#include "backends/cuda/cuda_args_attention.h"
#include "util/half.h"
#include "util/rng.h"

enum { TOKENS = 4096, SIZE = 512, ROWS = 32, BLOCKS = 2, TESTED = BLOCKS * ROWS, COUNT = TOKENS * SIZE };
enum { Q, K, V, DOUT, TENSORS };
enum { MODE_O, MODE_DQ, MODE_DK, MODE_DV, MODES };

/* Of a result's largest value. f32 sums 512 and 4096 products; observed: 3.1e-6. In bf16 weights and results are
 * rounded to 8 bits; observed: 3.3e-3. */
static const struct {
    const char *type;
    int bytes;
    double tolerance;
} forms[] = {{"f32", 4, 1e-5}, {"bf16", 2, 1e-2}};

static float values[TENSORS][COUNT], lse[TOKENS], delta[TOKENS];
static double expected[MODES][TESTED][SIZE], expected_lse[TESTED];
static const float scale = 0.04419417382f; /* 1/sqrt(512) */

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (int c = 0; c < SIZE; c++)
        sum += (double)a[c] * (double)b[c];
    return sum;
}

static void add(double *out, double factor, const float *x)
{
    for (int c = 0; c < SIZE; c++)
        out[c] += factor * (double)x[c];
}

/* Rows 0..TESTED-1 of o, dq (queries) and of dk, dv (keys). */
static void define(void)
{
    static double scores[TOKENS];
    memset(expected, 0, sizeof expected);
    for (int row = 0; row < TESTED; row++) {
        const float *q = values[Q] + row * SIZE, *k = values[K] + row * SIZE;
        double top = -INFINITY, sum = 0;
        for (int t = 0; t < TOKENS; t++) {
            scores[t] = (double)scale * dot(q, values[K] + t * SIZE);
            top = fmax(top, scores[t]);
        }
        for (int t = 0; t < TOKENS; t++)
            sum += exp(scores[t] - top);
        expected_lse[row] = top + log(sum);
        for (int t = 0; t < TOKENS; t++) {
            const float *key = values[K] + t * SIZE, *value = values[V] + t * SIZE, *query = values[Q] + t * SIZE,
                        *dout = values[DOUT] + t * SIZE;
            add(expected[MODE_O][row], exp(scores[t] - expected_lse[row]), value);
            const double g = dot(values[DOUT] + row * SIZE, value);
            add(expected[MODE_DQ][row], (double)scale * exp(scores[t] - (double)lse[row]) * (g - (double)delta[row]), key);
            const double p = exp((double)scale * dot(query, k) - (double)lse[t]);
            add(expected[MODE_DK][row],
                (double)scale * p * (dot(dout, values[V] + row * SIZE) - (double)delta[t]), query);
            add(expected[MODE_DV][row], p, dout);
        }
    }
}

/* Numbers that bf16 holds, so that both forms have one right answer. */
static void draw(void)
{
    for (int x = 0; x < TENSORS; x++) {
        mdldm__rng_normal(21, MDLDM__RNG_TRAIN_NOISE, (uint64_t)x, 0, values[x], COUNT);
        for (int i = 0; i < COUNT; i++)
            values[x][i] = mdldm__bf16_to_float(mdldm__float_to_bf16(values[x][i]));
    }
    mdldm__rng_normal(21, MDLDM__RNG_TRAIN_NOISE, 50, 0, lse, TOKENS);
    mdldm__rng_normal(21, MDLDM__RNG_TRAIN_NOISE, 51, 0, delta, TOKENS);
    for (int t = 0; t < TOKENS; t++)
        lse[t] = 8.8f + 0.1f * lse[t]; /* log 4096 and half the scores' variance */
    define();
}

static void *tensor_on_device(int x, int bytes)
{
    if (bytes == 4)
        return on_device(values[x], sizeof values[x]);
    uint16_t *half = malloc(COUNT * sizeof *half);
    assert_non_null(half);
    for (int i = 0; i < COUNT; i++)
        half[i] = mdldm__float_to_bf16(values[x][i]);
    void *p = on_device(half, COUNT * sizeof *half);
    assert_int_equal(cudaStreamSynchronize(the_stream), 0);
    free(half);
    return p;
}

static char *shipped(const char *type)
{
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        char name[64];
        snprintf(name, sizeof name, "../../../../cuda/%s/attention_%s", compilers[i], type);
        char *text = compiled(compilers[i], name);
        if (text != NULL)
            return text;
    }
    fail_msg("no attention_%s.ptx", type);
    return NULL;
}

static double check_rows(int mode, const void *device, int bytes)
{
    static float got[TESTED * SIZE];
    static uint16_t half[TESTED * SIZE];
    double top = 0, worst = 0;
    assert_int_equal(from_device(bytes == 4 ? (void *)got : half, device, (size_t)(TESTED * SIZE * bytes)), 0);
    assert_int_equal(cudaStreamSynchronize(the_stream), 0);
    for (int i = 0; i < TESTED * SIZE; i++) {
        const double is = (double)(bytes == 4 ? got[i] : mdldm__bf16_to_float(half[i])), right = expected[mode][i / SIZE][i % SIZE];
        top = fmax(top, fabs(right));
        worst = fabs(is - right) <= worst ? worst : fabs(is - right);
    }
    return worst / top;
}

static void one_head_of_512_over_4096_tokens(void **state)
{
    static const char *const modes[MODES] = {"o", "dq", "dk", "dv"};
    (void)state;
    draw();
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        const int bytes = forms[f].bytes;
        char *text = shipped(forms[f].type);
        void *library = library_of(text), *in[TENSORS], *out = device_room((size_t)(COUNT * bytes));
        void *lse_in = on_device(lse, sizeof lse), *delta_in = on_device(delta, sizeof delta),
             *lse_out = device_room(sizeof lse);
        for (int x = 0; x < TENSORS; x++)
            in[x] = tensor_on_device(x, bytes);
        for (int mode = 0; mode < MODES; mode++) {
            const int back = mode != MODE_O;
            const struct mdldm__cuda_args_attention args = {.q = in[Q],
                                                            .k = in[K],
                                                            .v = in[V],
                                                            .dout = back ? in[DOUT] : NULL,
                                                            .lse = back ? lse_in : NULL,
                                                            .delta = back ? delta_in : NULL,
                                                            .out = out,
                                                            .lse_out = back ? NULL : lse_out,
                                                            .tokens = TOKENS,
                                                            .channels = SIZE,
                                                            .heads = 1,
                                                            .size = SIZE,
                                                            .scale = scale};
            char name[64];
            snprintf(name, sizeof name, "mdldm_attention_%s_%s_wide", modes[mode], forms[f].type);
            void *kernel = kernel_of(library, name);
            const size_t shared = 2 * 16384 + (size_t)(ROWS * 64 * bytes) + (4 + 2) * ROWS * 4; /* cuda_lower_attention.c */
            assert_int_equal(cudaFuncSetAttribute(kernel, 8, (int)shared), 0);
            assert_int_equal(launch(kernel, BLOCKS, 256, shared, &args), 0);
            const double error = check_rows(mode, out, bytes);
            printf("%s: %.2g\n", name, error);
            if (!(error <= forms[f].tolerance))
                fail_msg("%s: %.3g, allowed %.3g; %s", name, error, forms[f].tolerance, fake_cuda_finding());
            if (!back) {
                float got[TESTED];
                assert_int_equal(from_device(got, lse_out, sizeof got), 0);
                assert_int_equal(cudaStreamSynchronize(the_stream), 0);
                for (int row = 0; row < TESTED; row++) /* observed: 5e-7 of it */
                    assert_true(fabs((double)got[row] - expected_lse[row]) <= 2e-6 * expected_lse[row]);
            }
        }
        assert_string_equal(fake_cuda_finding(), "");
        free(text);
        fake_cuda_reset();
        assert_int_equal(cudaStreamCreateWithFlags(&the_stream, 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_head_of_512_over_4096_tokens, begin_device, end_device)};
    return cmocka_run_group_tests_name("attention at the autoencoder's size", tests, NULL, NULL);
}
