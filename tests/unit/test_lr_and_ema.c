/* SPDX-License-Identifier: MIT
 * Learning-rate schedules and EMA decay against numbers of diffusers 0.42 (diffusers.optimization,
 * EMAModel.get_decay), printed with repr. Observed largest difference: 2e-16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "train/ema_decay.h"
#include "train/lr_schedule.h"

static const struct {
    const char *name;
    int64_t step, warmup, total;
    double num_cycles, power, lr_init, expected;
} schedules[] = {
    {"linear", 0, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"linear", 1, 10, 100, 0.0, 1.0, 0.0001, 0.1},
    {"linear", 9, 10, 100, 0.0, 1.0, 0.0001, 0.9},
    {"linear", 10, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"linear", 11, 10, 100, 0.0, 1.0, 0.0001, 0.9888888888888889},
    {"linear", 37, 10, 100, 0.0, 1.0, 0.0001, 0.7},
    {"linear", 60, 10, 100, 0.0, 1.0, 0.0001, 0.4444444444444444},
    {"linear", 99, 10, 100, 0.0, 1.0, 0.0001, 0.011111111111111112},
    {"linear", 100, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"linear", 130, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"cosine", 0, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"cosine", 1, 10, 100, 0.0, 1.0, 0.0001, 0.1},
    {"cosine", 9, 10, 100, 0.0, 1.0, 0.0001, 0.9},
    {"cosine", 10, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"cosine", 11, 10, 100, 0.0, 1.0, 0.0001, 0.9996954135095479},
    {"cosine", 37, 10, 100, 0.0, 1.0, 0.0001, 0.7938926261462366},
    {"cosine", 60, 10, 100, 0.0, 1.0, 0.0001, 0.41317591116653485},
    {"cosine", 99, 10, 100, 0.0, 1.0, 0.0001, 0.00030458649045211894},
    {"cosine", 100, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"cosine", 130, 10, 100, 0.0, 1.0, 0.0001, 0.24999999999999978},
    {"cosine_with_restarts", 0, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"cosine_with_restarts", 1, 10, 100, 0.0, 1.0, 0.0001, 0.1},
    {"cosine_with_restarts", 9, 10, 100, 0.0, 1.0, 0.0001, 0.9},
    {"cosine_with_restarts", 10, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"cosine_with_restarts", 11, 10, 100, 0.0, 1.0, 0.0001, 0.9996954135095479},
    {"cosine_with_restarts", 37, 10, 100, 0.0, 1.0, 0.0001, 0.7938926261462366},
    {"cosine_with_restarts", 60, 10, 100, 0.0, 1.0, 0.0001, 0.41317591116653485},
    {"cosine_with_restarts", 99, 10, 100, 0.0, 1.0, 0.0001, 0.00030458649045211894},
    {"cosine_with_restarts", 100, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"cosine_with_restarts", 130, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"polynomial", 0, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"polynomial", 1, 10, 100, 0.0, 1.0, 0.0001, 0.1},
    {"polynomial", 9, 10, 100, 0.0, 1.0, 0.0001, 0.9},
    {"polynomial", 10, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"polynomial", 11, 10, 100, 0.0, 1.0, 0.0001, 0.9889},
    {"polynomial", 37, 10, 100, 0.0, 1.0, 0.0001, 0.7003},
    {"polynomial", 60, 10, 100, 0.0, 1.0, 0.0001, 0.445},
    {"polynomial", 99, 10, 100, 0.0, 1.0, 0.0001, 0.01209999999999996},
    {"polynomial", 100, 10, 100, 0.0, 1.0, 0.0001, 0.0009999999999999998},
    {"polynomial", 130, 10, 100, 0.0, 1.0, 0.0001, 0.0009999999999999998},
    {"constant", 0, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 1, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 9, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 10, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 11, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 37, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 60, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 99, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 100, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant", 130, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 0, 10, 100, 0.0, 1.0, 0.0001, 0.0},
    {"constant_with_warmup", 1, 10, 100, 0.0, 1.0, 0.0001, 0.1},
    {"constant_with_warmup", 9, 10, 100, 0.0, 1.0, 0.0001, 0.9},
    {"constant_with_warmup", 10, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 11, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 37, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 60, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 99, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 100, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"constant_with_warmup", 130, 10, 100, 0.0, 1.0, 0.0001, 1.0},
    {"cosine", 0, 0, 100, 1.5, 1.0, 0.0001, 1.0},
    {"cosine", 5, 0, 100, 1.5, 1.0, 0.0001, 0.9455032620941839},
    {"cosine", 20, 0, 100, 1.5, 1.0, 0.0001, 0.34549150281252633},
    {"cosine", 50, 0, 100, 1.5, 1.0, 0.0001, 0.4999999999999999},
    {"cosine", 77, 0, 100, 1.5, 1.0, 0.0001, 0.7810416889260655},
    {"cosine", 100, 0, 100, 1.5, 1.0, 0.0001, 0.0},
    {"cosine_with_restarts", 3, 4, 100, 3.0, 1.0, 0.0001, 0.75},
    {"cosine_with_restarts", 20, 4, 100, 3.0, 1.0, 0.0001, 0.5},
    {"cosine_with_restarts", 40, 4, 100, 3.0, 1.0, 0.0001, 0.9619397662556434},
    {"cosine_with_restarts", 41, 4, 100, 3.0, 1.0, 0.0001, 0.9409606321741775},
    {"cosine_with_restarts", 70, 4, 100, 3.0, 1.0, 0.0001, 0.9903926402016152},
    {"cosine_with_restarts", 99, 4, 100, 3.0, 1.0, 0.0001, 0.002407636663901591},
    {"cosine_with_restarts", 100, 4, 100, 3.0, 1.0, 0.0001, 0.0},
    {"polynomial", 3, 4, 100, 0.0, 2.5, 0.0003, 0.75},
    {"polynomial", 20, 4, 100, 0.0, 2.5, 0.0003, 0.6340601658788555},
    {"polynomial", 41, 4, 100, 0.0, 2.5, 0.0003, 0.29634386130861357},
    {"polynomial", 99, 4, 100, 0.0, 2.5, 0.0003, 0.0003444040854953443},
    {"polynomial", 100, 4, 100, 0.0, 2.5, 0.0003, 0.0003333333333333333},
    {"polynomial", 101, 4, 100, 0.0, 2.5, 0.0003, 0.0003333333333333333},
    {"linear", 0, 5, 3, 0.0, 1.0, 0.0001, 0.0},
    {"linear", 5, 5, 3, 0.0, 1.0, 0.0001, 0.0},
    {"linear", 6, 5, 3, 0.0, 1.0, 0.0001, 0.0},
    {"linear", 9, 5, 3, 0.0, 1.0, 0.0001, 0.0},
};

static const struct {
    int64_t update;
    double inv_gamma, power, max_decay, expected;
} decays[] = {
    {0, 1.0, 0.75, 0.9999, 0.0},
    {1, 1.0, 0.75, 0.9999, 0.0},
    {2, 1.0, 0.75, 0.9999, 0.4053964424986395},
    {3, 1.0, 0.75, 0.9999, 0.5613086623491692},
    {10, 1.0, 0.75, 0.9999, 0.8221720589961077},
    {100, 1.0, 0.75, 0.9999, 0.9683772233983162},
    {1000, 1.0, 0.75, 0.9999, 0.9943765867480965},
    {100000, 1.0, 0.75, 0.9999, 0.9998221720589962},
    {1000000, 1.0, 0.75, 0.9999, 0.9999},
    {0, 1.0, 0.6666666666666666, 0.999, 0.0},
    {1, 1.0, 0.6666666666666666, 0.999, 0.0},
    {2, 1.0, 0.6666666666666666, 0.999, 0.3700394750525634},
    {3, 1.0, 0.6666666666666666, 0.999, 0.5192501432308638},
    {10, 1.0, 0.6666666666666666, 0.999, 0.7845565309968117},
    {100, 1.0, 0.6666666666666666, 0.999, 0.9535841116638722},
    {1000, 1.0, 0.6666666666666666, 0.999, 0.99},
    {100000, 1.0, 0.6666666666666666, 0.999, 0.999},
    {1000000, 1.0, 0.6666666666666666, 0.999, 0.999},
    {0, 30.0, 0.75, 0.99, 0.0},
    {1, 30.0, 0.75, 0.99, 0.0},
    {2, 30.0, 0.75, 0.99, 0.024292438538659922},
    {3, 30.0, 0.75, 0.99, 0.04725109721009735},
    {10, 30.0, 0.75, 0.99, 0.1786230981750455},
    {100, 30.0, 0.75, 0.99, 0.665112715189121},
    {1000, 30.0, 0.75, 0.99, 0.9294447378281753},
    {100000, 30.0, 0.75, 0.99, 0.99},
    {1000000, 30.0, 0.75, 0.99, 0.99},
};

static void schedules_are_those_of_diffusers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        double got = mdldm__lr_multiplier(schedules[i].name, schedules[i].step, schedules[i].warmup,
                                          schedules[i].total, schedules[i].num_cycles, schedules[i].power,
                                          schedules[i].lr_init);
        if (!(fabs(got - schedules[i].expected) <= 1e-14))
            fail_msg("%s at %lld: %.17g, expected %.17g", schedules[i].name, (long long)schedules[i].step,
                     got, schedules[i].expected);
    }
}

static void impossible_schedules_give_nan(void **state)
{
    (void)state;
    assert_true(isnan(mdldm__lr_multiplier("sawtooth", 0, 0, 10, 0, 1, 1e-4)));
    assert_true(isnan(mdldm__lr_multiplier("polynomial", 0, 0, 10, 0, 1, 1e-7)));
    /* Nothing left to decay over: straight to lr_end. */
    assert_true(fabs(mdldm__lr_multiplier("polynomial", 10, 10, 10, 0, 1, 1e-4) - 1e-3) < 1e-15);
}

static void decay_is_that_of_diffusers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decays / sizeof *decays; i++) {
        double got = mdldm__ema_decay(decays[i].update, decays[i].inv_gamma, decays[i].power,
                                      decays[i].max_decay);
        if (!(fabs(got - decays[i].expected) <= 1e-14))
            fail_msg("update %lld: %.17g, expected %.17g", (long long)decays[i].update, got,
                     decays[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_those_of_diffusers),
        cmocka_unit_test(impossible_schedules_give_nan),
        cmocka_unit_test(decay_is_that_of_diffusers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
