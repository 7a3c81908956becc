/* SPDX-License-Identifier: MIT
 * Which timesteps flow matching draws, and how it weighs them: against diffusers 0.42's training_utils. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diffusion/scheduler_new.h"
#include "train/noise_process.h"

static mdldm__env env;

static mdldm__noise_process open_process(const mdldm__train_options *options, double shift)
{
    mdldm__noise_process p = { .options = options, .predicts = MDLDM__LEARN_FLOW, .weighted = 1 };
    json_t *config = mdldm__scheduler_new_config(&(mdldm__scheduler_new){
        .num_train_timesteps = 1000, .prediction_type = "flow_prediction", .shift = shift });
    assert_int_equal(mdldm__scheduler_create(&env, config, NULL, &p.scheduler), MDLDM_OK);
    json_decref(config);
    return p;
}

/* Shares of 20000 draws among the 250 noisiest timesteps, and among the noisier half. The values are of
 * compute_density_for_timestep_sampling with 10^7 draws, whose u rises from the noisiest timestep; the standard error
 * here is 0.0035. */
static void timesteps_are_drawn_as_in_diffusers(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        double mean, std, mode, quarter, half;
    } cases[] = {
        { "none", 0, 1, 0, 0.25, 0.5 },
        { "logit_normal", 0, 1, 0, 0.1360, 0.5000 },
        { "logit_normal", 1, 0.5, 0, 0.0000, 0.0228 },
        { "mode", 0, 1, 1.29, 0.1336, 0.5000 },
        { "mode", 0, 1, -0.5, 0.2976, 0.5002 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        mdldm__train_options options = {
            .logit_mean = cases[c].mean, .logit_std = cases[c].std, .mode_scale = cases[c].mode
        };
        snprintf(options.weighting_scheme, sizeof options.weighting_scheme, "%s", cases[c].scheme);
        mdldm__noise_process p = open_process(&options, 1.0);
        int quarter = 0, half = 0;
        for (uint64_t i = 0; i < 20000; i++) {
            const int64_t t = mdldm__noise_process_draw(&p, 5, i);
            assert_in_range(t, 0, 999);
            quarter += t >= 750;
            half += t >= 500;
        }
        print_message("%s: %.4f %.4f\n", cases[c].scheme, quarter / 20000.0, half / 20000.0);
        assert_true(fabs(quarter / 20000.0 - cases[c].quarter) < 0.012);
        assert_true(fabs(half / 20000.0 - cases[c].half) < 0.012);
        mdldm__scheduler_free(p.scheduler);
    }
}

/* compute_loss_weighting_for_sd3 at timesteps 99, 499, 999 of shift 1: sigma 0.1, 0.5, 1. */
static void timesteps_weigh_as_in_diffusers(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        double weight[3];
    } cases[] = {
        { "none", { 1, 1, 1 } },
        { "logit_normal", { 1, 1, 1 } },
        { "sigma_sqrt", { 99.99999, 4, 1 } },
        { "cosmap", { 0.7763655, 1.273239, 0.6366197 } },
    };
    static const int64_t timesteps[3] = { 99, 499, 999 };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        mdldm__train_options options = { .logit_std = 1 };
        snprintf(options.weighting_scheme, sizeof options.weighting_scheme, "%s", cases[c].scheme);
        mdldm__noise_process p = open_process(&options, 1.0);
        for (int k = 0; k < 3; k++) {
            const double weight = (double)mdldm__noise_process_weight(&p, timesteps[k]);
            assert_true(fabs(weight / cases[c].weight[k] - 1.0) < 1e-6);
        }
        mdldm__scheduler_free(p.scheduler);
    }
}

static int start(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timesteps_are_drawn_as_in_diffusers),
        cmocka_unit_test(timesteps_weigh_as_in_diffusers),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
