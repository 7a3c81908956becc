/* SPDX-License-Identifier: MIT
 * Each allocation of each job fails in turn, through the public interface: a clean status, no leak.
 * Run from the root of the source tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/loader.h"
#include "diffusion/scheduler.h"
#include "diffusion/scheduler_new.h"
#include "io/file_util.h"
#include "mdldm/mdldm.h"
#include "../support/temp_dir.h"
#include "../support/torture.h"

static char *folder;
static char data_set[4096];

static void keep_sentence(const mdldm_context *ctx, char sentence[1024])
{
    snprintf(sentence, 1024, "%s", mdldm_context_error(ctx));
}

/* Runs body on a context of t's allocator, on the reference backend or on that of the environment's
 * MDLDM_TORTURE_BACKEND. */
static mdldm_status with_context(torture *t, char sentence[1024],
                                 mdldm_status (*body)(mdldm_context *ctx, torture *t))
{
    mdldm_context *ctx;
    mdldm_status status = mdldm_context_create_with(torture_resize, t, &ctx);
    if (status != MDLDM_OK) {
        assert_null(ctx);
        return status;
    }
    const char *backend = getenv("MDLDM_TORTURE_BACKEND");
    status = mdldm_context_use_backend(ctx, backend != NULL ? backend : "reference");
    if (status == MDLDM_OK)
        status = body(ctx, t);
    if (status != MDLDM_OK)
        keep_sentence(ctx, sentence);
    mdldm_context_free(ctx);
    return status;
}

/* ---- options ---- */

static mdldm_status options_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    mdldm_options *options;
    const char *value;
    mdldm_status status = mdldm_options_create(ctx, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "output_dir", "one");
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "output-dir", "two, which is longer");
    if (status == MDLDM_OK)
        status = mdldm_options_parse(ctx, options, "learning_rate", "2e-4");
    if (status == MDLDM_OK)
        status = mdldm_options_get_string(ctx, options, "output_dir", &value);
    if (status == MDLDM_OK)
        assert_string_equal(value, "two, which is longer");
    mdldm_options_free(options);
    return status;
}

static mdldm_status options_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, options_body);
}

static void options(void **state)
{
    (void)state;
    assert_true(torture_run("options", options_scenario, NULL, 1000) > 3);
}

/* ---- data sets ---- */

static mdldm_status images_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    const char *path = temp_path(folder, "image.png");
    uint8_t rgb[6 * 5 * 3] = {1, 2, 3};
    int64_t height, width;
    mdldm_status status = mdldm_image_write(ctx, path, rgb, 6, 5);
    if (status == MDLDM_OK)
        status = mdldm_image_read(ctx, path, rgb, sizeof rgb, &height, &width);
    return status;
}

static mdldm_status images_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, images_body);
}

static void images(void **state)
{
    (void)state;
    assert_true(torture_run("images", images_scenario, NULL, 1000) > 8);
}

static mdldm_status load_batches(mdldm__env *env, mdldm_dataset *d, int32_t workers)
{
    int64_t *train, *validation, train_count, validation_count;
    MDLDM__TRY(mdldm__dataset_split(env, d, 0.25, 1, &train, &train_count, &validation, &validation_count));
    mdldm__loader *loader;
    mdldm_status status = mdldm__loader_create(env, d, train, train_count, 2, 1, 0, workers, &loader);
    mdldm__free(env, train);
    mdldm__free(env, validation);
    if (status != MDLDM_OK)
        return status;
    float batch[2 * 8 * 8 * 3];
    int64_t labels[2], items[2];
    for (int i = 0; i < 3 && status == MDLDM_OK; i++)
        status = mdldm__loader_next(env, loader, batch, labels, items);
    mdldm__loader_free(loader);
    return status;
}

static mdldm_status dataset_body(mdldm_context *ctx, torture *t, int32_t workers)
{
    mdldm_options *options = NULL;
    mdldm_dataset *d = NULL;
    float pixels[3 * 8 * 8];
    mdldm_status status = mdldm_options_create(ctx, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "resolution", 8);
    if (status == MDLDM_OK)
        status = mdldm_dataset_open(ctx, data_set, options, &d);
    if (status == MDLDM_OK)
        assert_int_equal(mdldm_dataset_count(d), 8); /* none skipped for want of memory */
    if (status == MDLDM_OK)
        status = mdldm_dataset_read(ctx, d, 0, pixels, sizeof pixels / sizeof *pixels);
    if (status == MDLDM_OK) {
        mdldm__env env;
        mdldm__env_init(&env, NULL);
        env.resize = torture_resize;
        env.resize_user = t;
        status = load_batches(&env, d, workers);
        if (status != MDLDM_OK)
            assert_non_null(strstr(env.error, "memory"));
    }
    mdldm_dataset_free(d);
    mdldm_options_free(options);
    return status;
}

static mdldm_status dataset_alone(mdldm_context *ctx, torture *t)
{
    return dataset_body(ctx, t, 0);
}

static mdldm_status dataset_threads(mdldm_context *ctx, torture *t)
{
    return dataset_body(ctx, t, 2);
}

static mdldm_status dataset_scenario(torture *t, void *user, char sentence[1024])
{
    mdldm_status status = with_context(t, sentence, *(int *)user ? dataset_threads : dataset_alone);
    if (status == MDLDM_ERROR_OUT_OF_MEMORY && sentence[0] == '\0')
        strcpy(sentence, "out of memory"); /* the loader's own environment has it */
    return status;
}

static void make_data_set(void)
{
    mdldm_context *ctx;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    snprintf(data_set, sizeof data_set, "%s/set", folder);
    for (int i = 0; i < 8; i++) {
        uint8_t rgb[9 * 12 * 3];
        for (size_t j = 0; j < sizeof rgb; j++)
            rgb[j] = (uint8_t)(i * 31 + j * 7);
        char name[64];
        snprintf(name, sizeof name, "set/%c/%d.png", i % 2 ? 'a' : 'b', i);
        mdldm__env env;
        mdldm__env_init(&env, NULL);
        if (i < 2) {
            char sub[32];
            snprintf(sub, sizeof sub, "set/%c", i % 2 ? 'a' : 'b');
            assert_int_equal(mdldm__mkdir_p(&env, temp_path(folder, sub)), MDLDM_OK);
        }
        assert_int_equal(mdldm_image_write(ctx, temp_path(folder, name), rgb, 9, 12), MDLDM_OK);
    }
    mdldm_context_free(ctx);
}

static void data_sets(void **state)
{
    (void)state;
    int threads = 0;
    assert_true(torture_run("data set", dataset_scenario, &threads, 150) > 50);
    threads = 1;
    assert_true(torture_run("data set with threads", dataset_scenario, &threads, 100) > 50);
}

/* ---- schedulers ---- */

static mdldm_status scheduler_scenario(torture *t, void *user, char sentence[1024])
{
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    env.resize = torture_resize;
    env.resize_user = t;
    json_t *config = mdldm__scheduler_new_config(&(mdldm__scheduler_new){
        .num_train_timesteps = 50, .beta_schedule = "linear", .prediction_type = "epsilon" });
    mdldm__scheduler *s;
    mdldm_status status = mdldm__scheduler_create(&env, config, user, &s);
    json_decref(config);
    if (status == MDLDM_OK) {
        float sample[8] = {1.0f, -1.0f}, output[8] = {0.5f}, noise[8] = {0.25f};
        status = mdldm__scheduler_set_timesteps(s, 6);
        const int64_t steps = mdldm__scheduler_steps(s);
        for (int64_t i = 0; i < steps && status == MDLDM_OK; i++)
            status = mdldm__scheduler_step(s, i, output, sample, noise, 2, 8);
        mdldm__scheduler_free(s);
    }
    if (status != MDLDM_OK)
        snprintf(sentence, 1024, "%s", env.error);
    return status;
}

static void schedulers(void **state)
{
    (void)state;
    const char *names[] = {"ddpm", "ddim", "dpmsolver++", "dpmsolver-sde", "euler", "euler_ancestral", "lms", "pndm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_true(torture_run(names[i], scheduler_scenario, (void *)(uintptr_t)names[i], 300) > 2);
}

/* ---- models ---- */

static const char pipeline[] = "tests/golden/data/pipeline"; /* a few thousand parameters, f = 4 */

static mdldm_status create_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    mdldm_options *options = NULL;
    mdldm_model *m = NULL;
    mdldm_status status = mdldm_options_create(ctx, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "model_config_name_or_path", pipeline);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "resolution", 16);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "class_names", "Ann/Bob");
    if (status == MDLDM_OK)
        status = mdldm_model_create(ctx, options, &m);
    if (status == MDLDM_OK)
        assert_int_equal(mdldm_model_tensor_count(m, "unet") > 10, 1);
    mdldm_model_free(m);
    mdldm_options_free(options);
    return status;
}

static mdldm_status create_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, create_body);
}

static void model_create(void **state)
{
    (void)state;
    assert_true(torture_run("model create", create_scenario, NULL, 120) > 100);
}

static mdldm_status save_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    mdldm_model *m = NULL, *again = NULL;
    const char *copy = temp_path(folder, "copy");
    const char *text;
    mdldm_status status = mdldm_model_load(ctx, pipeline, &m);
    if (status == MDLDM_OK)
        status = mdldm_model_get_string(ctx, m, "unet_config", &text);
    if (status == MDLDM_OK)
        status = mdldm_model_save(ctx, m, copy);
    if (status == MDLDM_OK)
        status = mdldm_model_load(ctx, copy, &again);
    mdldm_model_free(m);
    mdldm_model_free(again);
    return status;
}

static mdldm_status save_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, save_body);
}

static void model_load_and_save(void **state)
{
    (void)state;
    assert_true(torture_run("model load and save", save_scenario, NULL, 120) > 100);
    /* Whatever failed, the saved model is whole and nothing lies beside it. */
    mdldm_context *ctx;
    mdldm_model *m;
    assert_int_equal(mdldm_context_create(&ctx), MDLDM_OK);
    assert_int_equal(mdldm_model_load(ctx, temp_path(folder, "copy"), &m), MDLDM_OK);
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    assert_int_equal(temp_count(temp_path(folder, "copy")), 4);
    assert_int_equal(temp_count(folder), 3); /* copy, image.png, set */
}

static mdldm_status run_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    static float pixels[3 * 16 * 16], latent[3 * 4 * 4], other[3 * 4 * 4];
    int32_t codes[16];
    const int64_t timestep = 500;
    mdldm_model *m = NULL;
    mdldm_status status = mdldm_model_load(ctx, pipeline, &m);
    if (status == MDLDM_OK)
        status = mdldm_encode(ctx, m, pixels, 1, 16, 16, latent, 48);
    if (status == MDLDM_OK)
        status = mdldm_quantize(ctx, m, latent, 1, 4, 4, other, 48, codes, 16);
    if (status == MDLDM_OK)
        status = mdldm_predict(ctx, m, latent, 1, 4, 4, &timestep, NULL, other, 48);
    if (status == MDLDM_OK)
        status = mdldm_decode(ctx, m, latent, 1, 4, 4, pixels, 3 * 16 * 16);
    if (status == MDLDM_OK)
        status = mdldm_decode_codes(ctx, m, codes, 1, 4, 4, pixels, 3 * 16 * 16);
    mdldm_model_free(m);
    return status;
}

static mdldm_status run_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, run_body);
}

static void model_run(void **state)
{
    (void)state;
    assert_true(torture_run("model run", run_scenario, NULL, 120) > 100);
}

/* ---- generating ---- */

static mdldm_status generate_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    static float pixels[3 * 16 * 16];
    mdldm_model *m = NULL;
    mdldm_options *options = NULL;
    mdldm_sampler *sampler = NULL;
    mdldm_status status = mdldm_model_load(ctx, pipeline, &m);
    if (status == MDLDM_OK)
        status = mdldm_options_create(ctx, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_string(ctx, options, "scheduler", "dpmsolver++");
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "num_inference_steps", 3);
    if (status == MDLDM_OK)
        status = mdldm_sampler_create(ctx, m, options, &sampler);
    mdldm_model_free(m); /* the sampler keeps it */
    if (status == MDLDM_OK)
        status = mdldm_generate(ctx, sampler, 1, 16, 16, NULL, 0, pixels, 3 * 16 * 16);
    mdldm_sampler_free(sampler);
    mdldm_options_free(options);
    return status;
}

static mdldm_status generate_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, generate_body);
}

static void generate(void **state)
{
    (void)state;
    assert_true(torture_run("generate", generate_scenario, NULL, 100) > 100);
}

/* ---- quantising ---- */

static mdldm_status quantize_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    mdldm_model *m = NULL, *q = NULL;
    mdldm_options *options = NULL;
    mdldm_status status = mdldm_model_load(ctx, pipeline, &m);
    if (status == MDLDM_OK)
        status = mdldm_options_create(ctx, &options);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "calibration_images", 1);
    if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, options, "calibration_steps", 2);
    if (status == MDLDM_OK)
        status = mdldm_model_quantize(ctx, m, NULL, options, &q);
    if (status != MDLDM_OK)
        assert_null(q);
    mdldm_options_free(options);
    mdldm_model_free(q);
    mdldm_model_free(m);
    return status;
}

static mdldm_status quantize_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, quantize_body);
}

static void quantize(void **state)
{
    (void)state;
    assert_true(torture_run("quantize", quantize_scenario, NULL, 100) > 100);
}

/* ---- training ---- */

static mdldm_stage stage;

static mdldm_status set_train_options(mdldm_context *ctx, mdldm_options *o, int resume)
{
    static const struct {
        const char *key, *value;
    } settings[] = {{"resolution", "16"},        {"train_batch_size", "2"}, {"eval_batch_size", "2"},
                    {"use_ema", "1"},            {"lr_warmup_steps", "0"},  {"max_train_steps", "3"},
                    {"validation_fraction", "0.25"}, {"validation_gap", "0"},   {"restart_dead_codes", "1"},
                    {"model_config_name_or_path", pipeline}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        mdldm_status status = mdldm_options_parse(ctx, o, settings[i].key, settings[i].value);
        if (status != MDLDM_OK)
            return status;
    }
    mdldm_status status = mdldm_options_set_string(ctx, o, "output_dir", temp_path(folder, "run"));
    if (status == MDLDM_OK && resume)
        status = mdldm_options_set_string(ctx, o, "resume_from_checkpoint", "latest");
    else if (status == MDLDM_OK)
        status = mdldm_options_set_int(ctx, o, "overwrite_output_dir", 1);
    return status;
}

/* Two steps with a checkpoint between them, or one step from that checkpoint. */
static mdldm_status train(mdldm_context *ctx, mdldm_model *m, mdldm_dataset *d, mdldm_options *o, int resume)
{
    mdldm_trainer *trainer = NULL;
    mdldm_status status = set_train_options(ctx, o, resume);
    if (status == MDLDM_OK)
        status = mdldm_trainer_create(ctx, stage, m, d, o, &trainer);
    if (status == MDLDM_OK && !resume)
        status = mdldm_trainer_step(ctx, trainer);
    if (status == MDLDM_OK && !resume)
        status = mdldm_trainer_checkpoint(ctx, trainer);
    if (status == MDLDM_OK)
        status = mdldm_trainer_step(ctx, trainer);
    if (status == MDLDM_OK)
        assert_int_equal(mdldm_trainer_global_step(trainer), 2);
    if (status == MDLDM_OK && resume)
        status = mdldm_trainer_validate(ctx, trainer);
    if (status == MDLDM_OK && resume)
        status = mdldm_trainer_update_model(ctx, trainer);
    mdldm_trainer_free(trainer);
    return status;
}

static mdldm_status train_body(mdldm_context *ctx, torture *t)
{
    (void)t;
    mdldm_options *first = NULL, *second = NULL;
    mdldm_model *m = NULL;
    mdldm_dataset *d = NULL;
    mdldm_status status = mdldm_options_create(ctx, &first);
    if (status == MDLDM_OK)
        status = mdldm_options_create(ctx, &second);
    if (status == MDLDM_OK)
        status = set_train_options(ctx, first, 0);
    if (status == MDLDM_OK)
        status = mdldm_model_create(ctx, first, &m);
    if (status == MDLDM_OK)
        status = mdldm_dataset_open(ctx, data_set, first, &d);
    if (status == MDLDM_OK)
        status = train(ctx, m, d, first, 0);
    if (status == MDLDM_OK)
        status = train(ctx, m, d, second, 1);
    mdldm_dataset_free(d);
    mdldm_model_free(m);
    mdldm_options_free(first);
    mdldm_options_free(second);
    return status;
}

static mdldm_status train_scenario(torture *t, void *user, char sentence[1024])
{
    (void)user;
    return with_context(t, sentence, train_body);
}

static void training(void **state)
{
    (void)state;
    stage = MDLDM_STAGE_AUTOENCODER;
    assert_true(torture_run("stage 1", train_scenario, NULL, 80) > 100);
    stage = MDLDM_STAGE_DIFFUSION;
    assert_true(torture_run("stage 2", train_scenario, NULL, 80) > 100);
}

static int setup(void **state)
{
    (void)state;
    folder = temp_dir_make();
    make_data_set();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options),
        cmocka_unit_test(images),
        cmocka_unit_test(data_sets),
        cmocka_unit_test(schedulers),
        cmocka_unit_test(model_create),
        cmocka_unit_test(model_load_and_save),
        cmocka_unit_test(model_run),
        cmocka_unit_test(generate),
        cmocka_unit_test(quantize),
        cmocka_unit_test(training),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
