/* SPDX-License-Identifier: MIT
 * Scheduler configs: defaults, keys refused by name, from_config between classes, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/scheduler.h"
#include "diffusion/scheduler_config.h"

static mdldm__env env;

static mdldm_status make(const char *json, const char *class_name, mdldm__scheduler **out)
{
    json_t *config = json_loads(json, 0, NULL);
    assert_non_null(config);
    mdldm_status status = mdldm__scheduler_create(&env, config, class_name, out);
    json_decref(config);
    return status;
}

static const struct {
    const char *json, *class_name;
    mdldm_status status;
    const char *says; /* in the message, the key above all */
} refused[] = {
    {"{}", NULL, MDLDM_ERROR_FORMAT, "_class_name"},
    {"[]", "ddpm", MDLDM_ERROR_FORMAT, "object"},
    {"{\"_class_name\":\"HeunDiscreteScheduler\"}", NULL, MDLDM_ERROR_UNSUPPORTED, "HeunDiscreteScheduler"},
    {"{}", "plms", MDLDM_ERROR_UNSUPPORTED, "plms"},
    {"{\"bata_start\":0.1}", "ddpm", MDLDM_ERROR_UNSUPPORTED, "'bata_start' is unknown"},
    {"{\"beta_start\":\"0.1\"}", "ddpm", MDLDM_ERROR_FORMAT, "'beta_start' must be a number"},
    {"{\"beta_start\":1.0}", "ddpm", MDLDM_ERROR_FORMAT, "'beta_start' is 1"},
    {"{\"beta_end\":-0.5}", "ddpm", MDLDM_ERROR_FORMAT, "'beta_end' is -0.5"},
    {"{\"beta_schedule\":\"sigmoid\"}", "ddim", MDLDM_ERROR_UNSUPPORTED, "'beta_schedule': 'sigmoid'"},
    {"{\"beta_schedule\":3}", "ddim", MDLDM_ERROR_FORMAT, "'beta_schedule' must be a string"},
    {"{\"num_train_timesteps\":0}", "ddpm", MDLDM_ERROR_FORMAT, "'num_train_timesteps' is 0"},
    {"{\"num_train_timesteps\":10.5}", "ddpm", MDLDM_ERROR_FORMAT, "'num_train_timesteps' must be an integer"},
    {"{\"trained_betas\":[0.1,0.2]}", "ddpm", MDLDM_ERROR_FORMAT, "'trained_betas' has 2 values"},
    {"{\"trained_betas\":[0.1,1.5]}", "ddpm", MDLDM_ERROR_FORMAT, "'trained_betas': entry 1"},
    {"{\"trained_betas\":0.1}", "ddpm", MDLDM_ERROR_FORMAT, "'trained_betas' must be"},
    {"{\"variance_type\":\"learned_range\"}", "ddpm", MDLDM_ERROR_UNSUPPORTED, "'variance_type': 'learned_range'"},
    {"{\"variance_type\":\"learned\"}", "dpmsolver++", MDLDM_ERROR_UNSUPPORTED, "'variance_type': 'learned'"},
    {"{\"prediction_type\":\"flow_prediction\"}", "dpmsolver++", MDLDM_ERROR_UNSUPPORTED, "'prediction_type'"},
    {"{\"prediction_type\":\"sample\"}", "pndm", MDLDM_ERROR_UNSUPPORTED, "'prediction_type': 'sample'"},
    {"{\"prediction_type\":\"sample\"}", "euler_ancestral", MDLDM_ERROR_UNSUPPORTED, "EulerAncestral"},
    {"{\"timestep_spacing\":\"log\"}", "ddpm", MDLDM_ERROR_UNSUPPORTED, "'timestep_spacing': 'log'"},
    {"{\"steps_offset\":-1}", "ddpm", MDLDM_ERROR_FORMAT, "'steps_offset' is -1"},
    {"{\"clip_sample\":1}", "ddpm", MDLDM_ERROR_FORMAT, "'clip_sample' must be true or false"},
    {"{\"clip_sample_range\":0}", "ddim", MDLDM_ERROR_FORMAT, "'clip_sample_range' is 0"},
    {"{\"dynamic_thresholding_ratio\":1.5}", "ddim", MDLDM_ERROR_FORMAT, "'dynamic_thresholding_ratio' is 1.5"},
    {"{\"sample_max_value\":0}", "ddim", MDLDM_ERROR_FORMAT, "'sample_max_value' is 0"},
    {"{\"solver_order\":4}", "dpmsolver++", MDLDM_ERROR_FORMAT, "'solver_order' is 4"},
    {"{\"solver_type\":\"rk4\"}", "dpmsolver++", MDLDM_ERROR_UNSUPPORTED, "'solver_type': 'rk4'"},
    {"{\"_class_name\":\"DPMSolverMultistepScheduler\",\"algorithm_type\":\"dpmsolver\"}", NULL,
     MDLDM_ERROR_UNSUPPORTED, "final_sigmas_type"},
    {"{\"_class_name\":\"DPMSolverMultistepScheduler\",\"algorithm_type\":\"sde-dpmsolver\","
     "\"final_sigmas_type\":\"sigma_min\",\"solver_order\":3}",
     NULL, MDLDM_ERROR_UNSUPPORTED, "'solver_order'"},
    {"{\"use_karras_sigmas\":true,\"use_beta_sigmas\":true}", "euler", MDLDM_ERROR_FORMAT, "exclude one another"},
    {"{\"use_flow_sigmas\":true}", "dpmsolver++", MDLDM_ERROR_UNSUPPORTED, "'use_flow_sigmas'"},
    {"{\"use_dynamic_shifting\":true}", "euler", MDLDM_ERROR_UNSUPPORTED, "'use_dynamic_shifting'"},
    {"{\"sigma_min\":-1}", "euler", MDLDM_ERROR_FORMAT, "'sigma_min' is -1"},
    {"{\"interpolation_type\":\"cubic\"}", "euler", MDLDM_ERROR_UNSUPPORTED, "'interpolation_type': 'cubic'"},
    {"{\"timestep_type\":\"other\"}", "euler", MDLDM_ERROR_UNSUPPORTED, "'timestep_type': 'other'"},
    {"{\"final_sigmas_type\":\"one\"}", "euler", MDLDM_ERROR_UNSUPPORTED, "'final_sigmas_type': 'one'"},
    {"{\"num_train_timesteps\":1,\"rescale_betas_zero_snr\":true}", "ddpm", MDLDM_ERROR_FORMAT, "alphas_cumprod"},
};

static void bad_values_are_refused_by_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        mdldm__scheduler *s = (mdldm__scheduler *)&env;
        mdldm_status status = make(refused[i].json, refused[i].class_name, &s);
        if (status != refused[i].status || strstr(env.error, refused[i].says) == NULL || s != NULL)
            fail_msg("%s gives status %d, \"%s\"", refused[i].json, (int)status, env.error);
    }
}

static void keys_of_other_classes_pass(void **state)
{
    (void)state;
    static const char *const names[] = {"ddpm",  "ddim",            "dpmsolver++", "dpmsolver-sde",
                                        "euler", "euler_ancestral", "lms",         "pndm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mdldm__scheduler *s;
        mdldm_status status = make("{\"_class_name\":\"UniPCMultistepScheduler\",\"_diffusers_version\":\"0.42\","
                                   "\"skip_prk_steps\":true,\"predict_x0\":true,\"solver_p\":null,"
                                   "\"solver_type\":\"bh2\",\"clip_sample\":false,\"use_karras_sigmas\":null,"
                                   "\"sigma_min\":null,\"variance_type\":null,\"trained_betas\":null}",
                                   names[i], &s);
        if (status != MDLDM_OK)
            fail_msg("%s: %s", names[i], env.error);
        mdldm__scheduler_free(s);
    }
}

static void default_spacing_is_the_classes_own(void **state)
{
    (void)state;
    mdldm__scheduler *s;
    /* A file that states the spacing keeps it under another class ... */
    const char *stated = "{\"_class_name\":\"DDPMScheduler\",\"timestep_spacing\":\"leading\"}";
    assert_int_equal(make(stated, "euler", &s), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_set_timesteps(s, 10), MDLDM_OK);
    assert_true(mdldm__scheduler_timestep(s, 0) == 900.0);
    mdldm__scheduler_free(s);
    /* ... one that only had it by default (an object in memory says so) does not. */
    const char *unstated = "{\"timestep_spacing\":\"leading\",\"_use_default_values\":[\"timestep_spacing\"]}";
    assert_int_equal(make(unstated, "euler", &s), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_set_timesteps(s, 10), MDLDM_OK);
    assert_true(mdldm__scheduler_timestep(s, 0) == 999.0);
    mdldm__scheduler_free(s);
}

static void impossible_step_counts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *class_name;
        int64_t steps;
        const char *says;
    } bad[] = {
        {"{}", "ddpm", 0, "num_inference_steps is 0"},
        {"{}", "ddpm", 1001, "1..1000"},
        {"{}", "pndm", 3, "at least 4"},
        {"{}", "dpmsolver++", 1000, "twice"},
        {"{\"timestep_spacing\":\"leading\"}", "dpmsolver++", 1000, "twice"},
        {"{\"steps_offset\":1}", "ddim", 1000, "steps_offset 1"},
        {"{\"lambda_min_clipped\":100}", "dpmsolver++", 10, "lambda_min_clipped"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mdldm__scheduler *s;
        assert_int_equal(make(bad[i].json, bad[i].class_name, &s), MDLDM_OK);
        mdldm_status status = mdldm__scheduler_set_timesteps(s, bad[i].steps);
        if (status == MDLDM_OK || strstr(env.error, bad[i].says) == NULL)
            fail_msg("%s with %lld steps: status %d, \"%s\"", bad[i].class_name, (long long)bad[i].steps,
                     (int)status, env.error);
        assert_int_equal(mdldm__scheduler_steps(s), 0);
        mdldm__scheduler_free(s);
    }
}

/* diffusers makes 62 timesteps of 61, the last one -1 (and 61 others up to 1000 likewise). */
static void trailing_spacing_gives_the_steps_asked_for(void **state)
{
    (void)state;
    static const char *const names[] = {"ddpm", "ddim", "euler", "lms", "dpmsolver++"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mdldm__scheduler *s;
        assert_int_equal(make("{\"timestep_spacing\":\"trailing\"}", names[i], &s), MDLDM_OK);
        assert_int_equal(mdldm__scheduler_set_timesteps(s, 61), MDLDM_OK);
        assert_int_equal(mdldm__scheduler_steps(s), 61);
        assert_true(mdldm__scheduler_timestep(s, 0) == 999.0);
        assert_true(mdldm__scheduler_timestep(s, 60) >= 0.0);
        assert_true(mdldm__scheduler_timestep(s, 61) == -1.0);
        mdldm__scheduler_free(s);
    }
}

static void misuse_of_steps_is_refused(void **state)
{
    (void)state;
    float sample[4] = {1, 2, 3, 4}, output[4] = {0}, noise[4] = {0};
    mdldm__scheduler *s;
    assert_int_equal(make("{}", "ddpm", &s), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(s, 0, output, sample, noise, 1, 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm__scheduler_set_timesteps(s, 5), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(s, 5, output, sample, noise, 1, 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm__scheduler_step(s, 0, output, sample, NULL, 1, 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(env.error, "needs noise"));
    assert_int_equal(mdldm__scheduler_step(s, 3, output, sample, noise, 1, 4), MDLDM_OK);
    mdldm__scheduler_free(s);

    assert_int_equal(make("{}", "lms", &s), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_set_timesteps(s, 5), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(s, 0, output, sample, NULL, 1, 4), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(s, 2, output, sample, NULL, 1, 4), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(env.error, "step 1"));
    assert_int_equal(mdldm__scheduler_step(s, 1, output, sample, NULL, 1, 2), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm__scheduler_step(s, 1, output, sample, NULL, 1, 4), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(s, 0, output, sample, NULL, 1, 2), MDLDM_OK);
    const int64_t timestep = 1000;
    assert_int_equal(mdldm__scheduler_add_noise(s, sample, noise, &timestep, 1, 4, output),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm__scheduler_free(s);
}

/* diffusers' own formula gives NaN; here fixed_large_log is the deviation of fixed_large. */
static void fixed_large_log_is_fixed_large(void **state)
{
    (void)state;
    float a[4] = {1, -2, 0.5f, 3}, b[4] = {1, -2, 0.5f, 3}, output[4] = {0.1f, 0.2f, 0.3f, 0.4f};
    const float noise[4] = {1, -1, 2, -2};
    mdldm__scheduler *plain, *logarithm;
    assert_int_equal(make("{\"variance_type\":\"fixed_large\"}", "ddpm", &plain), MDLDM_OK);
    assert_int_equal(make("{\"variance_type\":\"fixed_large_log\"}", "ddpm", &logarithm), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_set_timesteps(plain, 5), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_set_timesteps(logarithm, 5), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(plain, 1, output, a, noise, 1, 4), MDLDM_OK);
    assert_int_equal(mdldm__scheduler_step(logarithm, 1, output, b, noise, 1, 4), MDLDM_OK);
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(a[i] - b[i]) <= 1e-5f);
    mdldm__scheduler_free(plain);
    mdldm__scheduler_free(logarithm);
}

static void keys_are_known_by_class(void **state)
{
    (void)state;
    assert_true(mdldm__scheduler_has_key("dpmsolver++", "use_karras_sigmas"));
    assert_true(mdldm__scheduler_has_key("DDPMScheduler", "clip_sample"));
    assert_false(mdldm__scheduler_has_key("euler", "clip_sample"));
    assert_false(mdldm__scheduler_has_key("nobody", "clip_sample"));
}

/* Every allocation of create, set_timesteps and two steps fails once; nothing leaks, nothing crashes. */
static size_t live, countdown;

static void *failing_resize(void *user, void *pointer, size_t size)
{
    (void)user;
    if (size == 0) {
        live -= pointer != NULL;
        free(pointer);
        return NULL;
    }
    if (countdown == 0)
        return NULL;
    countdown--;
    live += pointer == NULL;
    return realloc(pointer, size);
}

static mdldm_status scenario(mdldm__env *e, const char *class_name)
{
    float sample[4] = {1, 2, 3, 4}, output[4] = {0.5f}, noise[4] = {0};
    json_t *config = json_loads("{\"thresholding\":true}", 0, NULL);
    mdldm__scheduler *s = NULL;
    mdldm_status status = mdldm__scheduler_create(e, config, class_name, &s);
    json_decref(config);
    if (status == MDLDM_OK)
        status = mdldm__scheduler_set_timesteps(s, 8);
    for (int64_t i = 0; i < 2 && status == MDLDM_OK; i++)
        status = mdldm__scheduler_step(s, i, output, sample, noise, 1, 4);
    mdldm__scheduler_free(s);
    return status;
}

static void failed_allocations_are_reported(void **state)
{
    (void)state;
    static const char *const names[] = {"ddpm", "dpmsolver++", "euler", "lms", "pndm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mdldm__env e;
        mdldm__env_init(&e, NULL);
        e.resize = failing_resize;
        size_t allowed = 0;
        mdldm_status status;
        do {
            countdown = allowed++;
            status = scenario(&e, names[i]);
            assert_int_equal(live, 0);
            assert_true(status == MDLDM_OK || status == MDLDM_ERROR_OUT_OF_MEMORY);
        } while (status != MDLDM_OK);
        assert_true(allowed > 6);
    }
}

static int set_up(void **state)
{
    (void)state;
    mdldm__env_init(&env, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_values_are_refused_by_key),
        cmocka_unit_test(keys_of_other_classes_pass),
        cmocka_unit_test(default_spacing_is_the_classes_own),
        cmocka_unit_test(impossible_step_counts_are_refused),
        cmocka_unit_test(trailing_spacing_gives_the_steps_asked_for),
        cmocka_unit_test(misuse_of_steps_is_refused),
        cmocka_unit_test(fixed_large_log_is_fixed_large),
        cmocka_unit_test(keys_are_known_by_class),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
