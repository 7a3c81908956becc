/* SPDX-License-Identifier: MIT
 * Every scheduler against diffusers' trajectories: the cases, configs and noise of
 * make_scheduler_golden.py, whose model formula stands here again. Run from the repository's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/scheduler.h"
#include "diffusion/scheduler_new.h"
#include "io/json_util.h"
#include "io/safetensors.h"

enum { IMAGES = 2, COUNT = 16, NOISES = 32 };

static mdldm__env env;
static mdldm__safetensors golden;
static json_t *cases;

static const float *tensor(const char *name)
{
    const mdldm__st_tensor *t = mdldm__safetensors_find(&golden, name);
    if (t == NULL)
        fail_msg("the golden file has no tensor %s", name);
    return t->data;
}

/* model() of make_scheduler_golden.py. */
static void model(const char *kind, const float *x, double t, float *out)
{
    t = fmax(t, 0.0);
    if (strcmp(kind, "flow_prediction") == 0) {
        const double share = t / 1000.0, left = 1.0 - share, total = left * left * 0.25 + share * share;
        for (int i = 0; i < COUNT; i++) {
            const double m = (double)((i * 7) % 11 - 5) * 0.25, off = x[i] - left * m;
            out[i] = (float)(share * off / total - (m + left * 0.25 * off / total) + 0.02 * sin(3.0 * x[i]));
        }
        return;
    }
    const double alpha2 = exp(-(1e-4 * t + 9.95e-6 * t * t)), sigma2 = 1.0 - alpha2 + 1e-6;
    const double alpha = sqrt(alpha2), sigma = sqrt(sigma2), spread = alpha2 * 0.25 + sigma2;
    for (int i = 0; i < COUNT; i++) {
        double m = (double)((i * 7) % 11 - 5) * 0.25;
        double eps = (x[i] - alpha * m) * sigma / spread + 0.02 * sin(3.0 * x[i]);
        double clean = (m * sigma2 + alpha * 0.25 * x[i]) / spread + 0.02 * cos(2.0 * x[i]);
        if (strcmp(kind, "epsilon") == 0)
            out[i] = (float)eps;
        else if (strcmp(kind, "sample") == 0)
            out[i] = (float)clean;
        else
            out[i] = (float)(alpha * eps - sigma * clean);
    }
}

static double relative_error(const float *got, const float *want, size_t count)
{
    double worst = 0.0, largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)want[i]);
        worst = difference > worst || isnan(difference) ? difference : worst;
        largest = fmax(largest, fabs((double)want[i]));
    }
    return largest > 0.0 ? worst / largest : worst;
}

static int is_stored(int64_t steps, int64_t i)
{
    return steps <= 12 || i % 25 == 24 || i == steps - 1;
}

/* Runs one case; moves *state and *timestep past its values. Returns the worst relative error of the
 * samples; the timesteps are compared here. */
static double run_case(const json_t *item, const float **state, const float **timestep, double *worst_t)
{
    const int64_t asked = json_integer_value(json_object_get(item, "steps"));
    const char *class_name = json_string_value(json_object_get(item, "class"));
    mdldm__scheduler *s;
    if (mdldm__scheduler_create(&env, json_object_get(item, "config"), class_name, &s) != MDLDM_OK)
        fail_msg("%s", env.error);
    mdldm__scheduler_set_eta(s, json_number_value(json_object_get(item, "eta")));
    if (mdldm__scheduler_set_timesteps(s, asked) != MDLDM_OK)
        fail_msg("%s", env.error);
    const double sigma = json_number_value(json_object_get(item, "init_noise_sigma"));
    assert_true(fabs(mdldm__scheduler_init_noise_sigma(s) / sigma - 1.0) < 1e-6);

    const float *start = tensor("start"), *noise = tensor("noise");
    float sample[COUNT], scaled[COUNT], output[COUNT];
    for (int i = 0; i < COUNT; i++)
        sample[i] = start[i] * (float)sigma;
    const int64_t steps = mdldm__scheduler_steps(s);
    double worst = 0.0;
    for (int64_t i = 0; i < steps; i++) {
        const double t = mdldm__scheduler_timestep(s, i);
        *worst_t = fmax(*worst_t, fabs(t - (double)*(*timestep)++));
        mdldm__scheduler_scale_input(s, i, sample, scaled, COUNT);
        model(mdldm__scheduler_prediction_type(s), scaled, t, output);
        const float *drawn = mdldm__scheduler_wants_noise(s, i) ? noise + i % NOISES * COUNT : NULL;
        if (mdldm__scheduler_step(s, i, output, sample, drawn, IMAGES, COUNT) != MDLDM_OK)
            fail_msg("%s", env.error);
        if (is_stored(steps, i)) {
            double error = relative_error(sample, *state, COUNT);
            worst = error > worst || isnan(error) ? error : worst;
            *state += COUNT;
        }
    }
    mdldm__scheduler_free(s);
    return worst;
}

/* Observed: 6.6e-6 at most over the stored steps of all cases (torch's float32 sqrt, log and exp are not
 * always the rounded ones), fractional timesteps within 6.1e-5, integer ones exactly. */
static void trajectories_are_those_of_diffusers(void **unused)
{
    (void)unused;
    const float *state = tensor("states"), *timestep = tensor("timesteps");
    double worst = 0.0, worst_t = 0.0;
    int failures = 0;
    size_t i;
    json_t *item;
    json_array_foreach(cases, i, item) {
        double error_t = 0.0, error = run_case(item, &state, &timestep, &error_t);
        if (!(error <= 1e-5) || !(error_t <= 1e-3)) {
            char *text = json_dumps(item, 0);
            print_error("case %zu: relative error %.2g, timestep error %.2g: %s\n", i, error, error_t, text);
            free(text);
            failures++;
        }
        worst = fmax(worst, error);
        worst_t = fmax(worst_t, error_t);
    }
    assert_int_equal(failures, 0);
    /* The file was read to its end: cases and values belong together. */
    const mdldm__st_tensor *states = mdldm__safetensors_find(&golden, "states");
    assert_ptr_equal(state, (const float *)states->data + states->bytes / sizeof(float));
    print_message("%zu trajectories, worst relative error %.2g, worst timestep error %.2g\n",
                  json_array_size(cases), worst, worst_t);
}

/* Observed: 1.2e-7 (torch's sqrt) for noisy samples and velocities, 0 per entry of alphas_cumprod. */
static void forward_process_is_that_of_diffusers(void **unused)
{
    (void)unused;
    static const char *const schedules[] = {"linear", "scaled_linear", "squaredcos_cap_v2"};
    static const int64_t timesteps[] = {0, 1, 499, 998, 999};
    const float *noise = tensor("noise"); /* the generator takes the first image of rows 0..4 and 5..9 */
    float x[5 * COUNT / 2], e[5 * COUNT / 2], out[5 * COUNT / 2];
    for (int k = 0; k < 5; k++) {
        memcpy(x + k * COUNT / 2, noise + k * COUNT, sizeof(float) * COUNT / 2);
        memcpy(e + k * COUNT / 2, noise + (k + 5) * COUNT, sizeof(float) * COUNT / 2);
    }
    for (int k = 0; k < 3; k++) {
        char name[64];
        mdldm__scheduler *s;
        json_t *config = mdldm__scheduler_new_config(&(mdldm__scheduler_new){
            .num_train_timesteps = 1000, .beta_schedule = schedules[k], .prediction_type = "epsilon" });
        assert_int_equal(mdldm__scheduler_create(&env, config, NULL, &s), MDLDM_OK);
        json_decref(config);
        snprintf(name, sizeof name, "noisy.%s", schedules[k]);
        assert_int_equal(mdldm__scheduler_add_noise(s, x, e, timesteps, 5, 5 * COUNT / 2, out), MDLDM_OK);
        assert_true(relative_error(out, tensor(name), 5 * COUNT / 2) <= 5e-7);
        snprintf(name, sizeof name, "velocity.%s", schedules[k]);
        assert_int_equal(mdldm__scheduler_velocity(s, x, e, timesteps, 5, 5 * COUNT / 2, out), MDLDM_OK);
        assert_true(relative_error(out, tensor(name), 5 * COUNT / 2) <= 5e-7);
        snprintf(name, sizeof name, "alphas_cumprod.%s", schedules[k]);
        const float *want = tensor(name);
        for (int t = 0; t < 1000; t++)
            assert_true(fabs(mdldm__scheduler_alphas_cumprod(s)[t] / (double)want[t] - 1.0) <= 1.2e-7);
        mdldm__scheduler_free(s);
    }
}

/* Observed: 1.2e-7 of the largest value. */
static void flow_is_that_of_diffusers(void **unused)
{
    (void)unused;
    static const int64_t timesteps[] = {0, 1, 499, 998, 999};
    static const double shifts[] = {1.0, 3.0};
    const float *noise = tensor("noise");
    float x[5 * COUNT / 2], e[5 * COUNT / 2], out[5 * COUNT / 2];
    for (int k = 0; k < 5; k++) {
        memcpy(x + k * COUNT / 2, noise + k * COUNT, sizeof(float) * COUNT / 2);
        memcpy(e + k * COUNT / 2, noise + (k + 5) * COUNT, sizeof(float) * COUNT / 2);
    }
    for (int k = 0; k < 2; k++) {
        char name[64];
        mdldm__scheduler *s;
        json_t *config = mdldm__scheduler_new_config(&(mdldm__scheduler_new){
            .num_train_timesteps = 1000, .prediction_type = "flow_prediction", .shift = shifts[k] });
        assert_int_equal(mdldm__scheduler_create(&env, config, NULL, &s), MDLDM_OK);
        json_decref(config);
        snprintf(name, sizeof name, "flow.noisy.%g", shifts[k]);
        assert_int_equal(mdldm__scheduler_add_noise(s, x, e, timesteps, 5, 5 * COUNT / 2, out), MDLDM_OK);
        assert_true(relative_error(out, tensor(name), 5 * COUNT / 2) <= 5e-7);
        snprintf(name, sizeof name, "flow.times.%g", shifts[k]);
        for (int i = 0; i < 5; i++)
            assert_true(fabs(mdldm__scheduler_train_time(s, timesteps[i]) / (double)tensor(name)[i] - 1.0) <= 2.4e-7);
        assert_int_equal(mdldm__scheduler_velocity(s, x, e, timesteps, 5, 5 * COUNT / 2, out), MDLDM_OK);
        for (int i = 0; i < 5 * COUNT / 2; i++)
            assert_true(out[i] == e[i] - x[i]);
        mdldm__scheduler_free(s);
    }
}

static int open_golden(void **unused)
{
    (void)unused;
    mdldm__env_init(&env, NULL);
    if (mdldm__safetensors_open(&env, "tests/golden/data/schedulers.safetensors", &golden) != MDLDM_OK) {
        print_error("%s\n", env.error);
        return -1;
    }
    const char *text = json_string_value(json_object_get(golden.metadata, "cases"));
    json_t *list;
    if (text == NULL || mdldm__json_parse(&env, "cases", text, strlen(text), &list) != MDLDM_OK)
        return -1;
    cases = json_incref(json_object_get(list, "cases"));
    json_decref(list);
    return 0;
}

static int close_golden(void **unused)
{
    (void)unused;
    json_decref(cases);
    mdldm__safetensors_close(&golden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trajectories_are_those_of_diffusers),
        cmocka_unit_test(forward_process_is_that_of_diffusers),
        cmocka_unit_test(flow_is_that_of_diffusers),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
