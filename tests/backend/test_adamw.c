/* SPDX-License-Identifier: MIT
 * The host store's AdamW against numbers of torch 2 (torch.optim.AdamW, clip_grad_norm_), printed by
 *   p = [Parameter([0.5,-1.25,2,0,1e-3]), Parameter([[1,-1],[0.25,3]])]
 *   AdamW(p, lr=0.01, betas=(0.95,0.999), eps=1e-8, weight_decay=0.01, foreach=False)   # all float32
 *   for step in 1,2,3: grad[k][i] = ((7i+5step+3k)%11 - 5)/4 * (0.01 if step == 3 else 1) * 0.5
 *     clip_grad_norm_(p, 1.0); opt.step(); ema = d*ema + (1-d)*p with d = 0, 0.5, 0.9
 * Observed: 1.2e-7 of the largest value of each array (torch contracts multiply-adds). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/common/store_host.h"
#include "../support/test_host.h"

enum { COUNT = 9, FIRST = 5 };
#define TOLERANCE 2.4e-7

static const struct {
    double norm;
    float p[COUNT], m[COUNT], v[COUNT], ema[COUNT];
} expected[3] = {
    {1.18585408,
     {0.499949992f, -1.23987496f, 1.98979998f, 0.00999999978f, 0.0109999012f, 0.989899993f, -0.989899993f, 0.259974986f, 2.98970008f},
     {0.0f, -0.0210818406f, 0.01581138f, -0.00527046015f, -0.0263522994f, 0.01581138f, -0.00527046015f, -0.0263522994f, 0.0105409203f},
     {0.0f, 0.000177775219f, 9.99985568e-05f, 1.11109512e-05f, 0.000277773739f, 9.99985568e-05f, 1.11109512e-05f, 0.000277773739f, 4.44438047e-05f},
     {0.499949992f, -1.23987496f, 1.98979998f, 0.00999999978f, 0.0109999012f, 0.989899993f, -0.989899993f, 0.259974986f, 2.98970008f}},
    {1.19895792,
     {0.492649406f, -1.23480237f, 1.98980248f, 0.00465730345f, 0.0178902838f, 0.990002453f, -0.995142698f, 0.266840488f, 2.99276471f},
     {0.026064286f, -0.0148148909f, -0.000617762096f, 0.0158444922f, -0.0250346847f, -0.000617762096f, 0.0158444922f, -0.0250346847f, -0.0108375559f},
     {0.00027173516f, 0.00018846686f, 0.000197723231f, 0.000185010358f, 0.000277495972f, 0.000197723231f, 0.000185010358f, 0.000277495972f, 0.000218309884f},
     {0.496299684f, -1.23733866f, 1.98980117f, 0.00732865185f, 0.0144450925f, 0.989951253f, -0.992521346f, 0.263407737f, 2.9912324f}},
    {0.0120545635,
     {0.486846268f, -1.23065484f, 1.98972964f, 0.000442424789f, 0.0232988354f, 0.990029573f, -0.999257565f, 0.272224128f, 2.99512529f},
     {0.0246985722f, -0.0143866464f, -0.000461873948f, 0.0149272671f, -0.0234704502f, -0.000461873948f, 0.0149272671f, -0.0234704502f, -0.0102331778f},
     {0.000271464989f, 0.000188317455f, 0.000197531757f, 0.000184831588f, 0.000277257524f, 0.000197531757f, 0.000184831588f, 0.000277257524f, 0.000218093133f},
     {0.495354325f, -1.23667026f, 1.98979402f, 0.00664002914f, 0.0153304674f, 0.989959061f, -0.993194938f, 0.264289379f, 2.99162173f}},
};

static const float start[COUNT] = {0.5f, -1.25f, 2.0f, 0.0f, 1e-3f, 1.0f, -1.0f, 0.25f, 3.0f};

static const mdldm_param_desc params[3] = {
    {.name = "first", .dims = {5, 1, 1, 1}, .rank = 1, .trainable = 1},
    {.name = "frozen", .dims = {2, 1, 1, 1}, .rank = 1, .trainable = 0},
    {.name = "second", .dims = {2, 2, 1, 1}, .rank = 2, .trainable = 1},
};

static mdldm_adamw step_args(int64_t step)
{
    return (mdldm_adamw){.struct_size = sizeof(mdldm_adamw),
                         .lr = 0.01f,
                         .beta1 = 0.95f,
                         .beta2 = 0.999f,
                         .eps = 1e-8f,
                         .weight_decay = 0.01f,
                         .grad_scale = 0.5f,
                         .max_grad_norm = 1.0f,
                         .ema_decay = step == 1 ? 0.0f : step == 2 ? 0.5f : 0.9f,
                         .step = step};
}

static void open_store(test_host *h, mdldm__store_host *store)
{
    static const float frozen[2] = {4.0f, -5.0f};
    test_host_init(h, NULL);
    assert_int_equal(mdldm__store_host_open(&h->host, params, 3, MDLDM_STORE_TRAIN | MDLDM_STORE_EMA, store),
                     MDLDM_OK);
    assert_int_equal(mdldm__store_host_bind(store, 0, start, MDLDM_F32), MDLDM_OK);
    assert_int_equal(mdldm__store_host_bind(store, 1, frozen, MDLDM_F32), MDLDM_OK);
    assert_int_equal(mdldm__store_host_bind(store, 2, start + FIRST, MDLDM_F32), MDLDM_OK);
}

static void set_gradients(mdldm__store_host *store, int64_t step)
{
    for (int k = 0; k < 2; k++) {
        float g[FIRST];
        for (int i = 0; i < (k == 0 ? FIRST : COUNT - FIRST); i++)
            g[i] = (float)((i * 7 + step * 5 + k * 3) % 11 - 5) * 0.25f * (step == 3 ? 0.01f : 1.0f);
        assert_int_equal(mdldm__store_host_write(store, k == 0 ? 0 : 2, MDLDM_SLOT_GRAD, g), MDLDM_OK);
    }
}

static void check_slot(mdldm__store_host *store, int32_t slot, const float *values)
{
    float got[COUNT];
    assert_int_equal(mdldm__store_host_read(store, 0, slot, got), MDLDM_OK);
    assert_int_equal(mdldm__store_host_read(store, 2, slot, got + FIRST), MDLDM_OK);
    double top = 1e-30;
    for (int i = 0; i < COUNT; i++)
        top = fmax(top, fabs(values[i]));
    for (int i = 0; i < COUNT; i++) {
        if (!(fabs((double)got[i] - values[i]) <= TOLERANCE * top))
            fail_msg("slot %d, element %d: %.9g, torch has %.9g", slot, i, got[i], values[i]);
    }
}

static void same_as_torch(void **state)
{
    (void)state;
    test_host h;
    mdldm__store_host store;
    open_store(&h, &store);
    const float zeros[COUNT] = {0};
    for (int64_t step = 1; step <= 3; step++) {
        set_gradients(&store, step);
        mdldm_adamw args = step_args(step);
        uint64_t version = store.params[0].version;
        assert_int_equal(mdldm__store_host_adamw(&store, &args, NULL, NULL), MDLDM_OK);
        assert_int_equal(args.bad_param, -1);
        assert_true(fabs(args.grad_norm / expected[step - 1].norm - 1) < 1.2e-7);
        check_slot(&store, MDLDM_SLOT_VALUE, expected[step - 1].p);
        check_slot(&store, MDLDM_SLOT_EXP_AVG, expected[step - 1].m);
        check_slot(&store, MDLDM_SLOT_EXP_AVG_SQ, expected[step - 1].v);
        check_slot(&store, MDLDM_SLOT_EMA, expected[step - 1].ema);
        check_slot(&store, MDLDM_SLOT_GRAD, zeros);
        assert_true(store.params[0].version > version);
    }
    float frozen[2];
    assert_int_equal(mdldm__store_host_read(&store, 1, MDLDM_SLOT_EMA, frozen), MDLDM_OK);
    assert_float_equal(frozen[0], 4.0f, 0);
    assert_float_equal(frozen[1], -5.0f, 0);
    assert_int_equal(mdldm__store_host_read(&store, 1, MDLDM_SLOT_GRAD, frozen),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(h.error, "frozen"));
    mdldm__store_host_close(&store);
    assert_int_equal(h.own.live, 0);
}

static void bad_gradient_changes_nothing(void **state)
{
    (void)state;
    test_host h;
    mdldm__store_host store;
    const float bad[2] = {NAN, INFINITY};
    for (int k = 0; k < 2; k++) {
        open_store(&h, &store);
        set_gradients(&store, 1);
        float g[COUNT - FIRST] = {1.0f, 2.0f, bad[k], 3.0f};
        assert_int_equal(mdldm__store_host_write(&store, 2, MDLDM_SLOT_GRAD, g), MDLDM_OK);
        mdldm_adamw args = step_args(1);
        assert_int_equal(mdldm__store_host_adamw(&store, &args, NULL, NULL), MDLDM_ERROR_NUMERIC);
        assert_int_equal(args.bad_param, 2);
        assert_non_null(strstr(h.error, "second"));
        const float zeros[COUNT] = {0};
        check_slot(&store, MDLDM_SLOT_VALUE, start);
        check_slot(&store, MDLDM_SLOT_EMA, start);
        check_slot(&store, MDLDM_SLOT_EXP_AVG, zeros);
        mdldm__store_host_close(&store);
        assert_int_equal(h.own.live, 0);
    }
}

static void bad_step_is_refused(void **state)
{
    (void)state;
    test_host h;
    mdldm__store_host store;
    open_store(&h, &store);
    mdldm_adamw args = step_args(0);
    assert_int_equal(mdldm__store_host_adamw(&store, &args, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm__store_host_close(&store);
    assert_int_equal(mdldm__store_host_open(&h.host, params, 3, 0, &store), MDLDM_OK);
    args = step_args(1);
    assert_int_equal(mdldm__store_host_adamw(&store, &args, NULL, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm__store_host_close(&store);
}

/* Backwards, as a pool of threads may do it. */
static void backwards(void *user, int64_t count, void (*body)(void *arg, int64_t i), void *arg)
{
    *(int *)user += 1;
    for (int64_t i = count - 1; i >= 0; i--)
        body(arg, i);
}

static void order_of_chunks_does_not_matter(void **state)
{
    (void)state;
    enum { BIG = 3 * MDLDM__STORE_CHUNK + 77 };
    const mdldm_param_desc big[2] = {{.name = "a", .dims = {BIG, 1, 1, 1}, .rank = 1, .trainable = 1},
                                     {.name = "b", .dims = {5, 3, 1, 1}, .rank = 2, .trainable = 1}};
    float *values = malloc(BIG * sizeof *values), *result[2];
    assert_non_null(values);
    double norm[2];
    int calls = 0;
    for (int run = 0; run < 2; run++) {
        test_host h;
        mdldm__store_host store;
        test_host_init(&h, NULL);
        assert_int_equal(mdldm__store_host_open(&h.host, big, 2, MDLDM_STORE_TRAIN, &store), MDLDM_OK);
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < BIG; i++)
                values[i] = (float)sin(i * 0.37 + k);
            assert_int_equal(mdldm__store_host_bind(&store, k, values, MDLDM_F32), MDLDM_OK);
            assert_int_equal(mdldm__store_host_write(&store, k, MDLDM_SLOT_GRAD, values), MDLDM_OK);
        }
        mdldm_adamw args = step_args(1);
        assert_int_equal(mdldm__store_host_adamw(&store, &args, run ? backwards : NULL, &calls), MDLDM_OK);
        result[run] = malloc(BIG * sizeof *values);
        assert_non_null(result[run]);
        assert_int_equal(mdldm__store_host_read(&store, 0, MDLDM_SLOT_VALUE, result[run]), MDLDM_OK);
        norm[run] = args.grad_norm;
        mdldm__store_host_close(&store);
    }
    assert_int_equal(calls, 2);
    assert_true(norm[0] == norm[1]);
    assert_memory_equal(result[0], result[1], BIG * sizeof *values);
    free(values);
    free(result[0]);
    free(result[1]);
}

/* Without training the values are borrowed; 16-bit types and odd addresses are copied, at once when a plan
 * reads the values, else by who asks; a write goes to memory of the store's own. */
static void values_are_borrowed(void **state)
{
    (void)state;
    test_host h;
    mdldm__store_host store;
    test_host_init(&h, NULL);
    assert_int_equal(mdldm__store_host_open(&h.host, params, 3, 0, &store), MDLDM_OK);
    assert_null(mdldm__store_host_values(&store, 0, 0));
    float out[FIRST];
    assert_int_equal(mdldm__store_host_read(&store, 0, MDLDM_SLOT_VALUE, out), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm__store_host_bind(&store, 0, start, MDLDM_F32), MDLDM_OK);
    assert_ptr_equal(mdldm__store_host_values(&store, 0, 0), start);
    assert_int_equal(mdldm__store_host_write(&store, 0, MDLDM_SLOT_VALUE, expected[0].p), MDLDM_OK);
    assert_float_equal(start[0], 0.5f, 0);
    assert_float_equal(mdldm__store_host_values(&store, 0, 0)[0], expected[0].p[0], 0);

    unsigned char odd[1 + sizeof start];
    memcpy(odd + 1, start, sizeof start);
    assert_int_equal(mdldm__store_host_bind(&store, 0, odd + 1, MDLDM_F32), MDLDM_OK);
    assert_null(mdldm__store_host_values(&store, 0, 0));
    assert_int_equal(mdldm__store_host_will_read(&store, 0), MDLDM_OK);
    assert_memory_equal(mdldm__store_host_values(&store, 0, 0), start, FIRST * sizeof(float));
    const uint16_t half[2] = {0x3C00, 0xC500}, bf16[2] = {0x3F80, 0xC0A0}; /* 1, -5 */
    assert_int_equal(mdldm__store_host_will_read(&store, 1), MDLDM_OK);
    assert_int_equal(mdldm__store_host_bind(&store, 1, half, MDLDM_F16), MDLDM_OK);
    assert_float_equal(mdldm__store_host_values(&store, 1, 0)[1], -5.0f, 0);
    assert_int_equal(mdldm__store_host_bind(&store, 1, bf16, MDLDM_BF16), MDLDM_OK);
    assert_float_equal(mdldm__store_host_values(&store, 1, 0)[1], -5.0f, 0);
    assert_int_equal(mdldm__store_host_bind(&store, 1, bf16, MDLDM_I32), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm__store_host_bind(&store, 3, bf16, MDLDM_BF16), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm__store_host_close(&store);
    assert_int_equal(h.own.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_torch),
        cmocka_unit_test(bad_gradient_changes_nothing),
        cmocka_unit_test(bad_step_is_refused),
        cmocka_unit_test(order_of_chunks_does_not_matter),
        cmocka_unit_test(values_are_borrowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
