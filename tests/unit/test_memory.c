/* SPDX-License-Identifier: MIT
 * Memory as the operating system counts it: rounds of loading, running and training leave nothing
 * behind, on each backend. (That every allocation is freed the torture tests show; this one also sees
 * what oneDNN, OpenMP and the file formats' libraries keep.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/backend_list.h"
#include "support/resident.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "support/train_setup.h"

enum { SIDE = 8, LATENT = 3 * SIDE * SIDE, PIXELS = 4 * LATENT };

static void must(mdldm_context *ctx, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

/* Loads the model in folder, encodes, denoises, decodes, in both precisions, and frees all. */
static void use_model(const char *backend, const char *folder)
{
    mdldm_context *ctx = train_context(backend);
    mdldm_model *m = NULL;
    must(ctx, mdldm_model_load(ctx, folder, &m));
    float pixels[PIXELS], latent[LATENT], noise[LATENT];
    const int64_t timestep = 10;
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (float)(i % 17) / 8.0f - 1.0f;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        must(ctx, mdldm_context_set_precision(ctx, bf16 ? "bf16" : "f32"));
        must(ctx, mdldm_encode(ctx, m, pixels, 1, 2 * SIDE, 2 * SIDE, latent, LATENT));
        must(ctx, mdldm_predict(ctx, m, latent, 1, SIDE, SIDE, &timestep, NULL, noise, LATENT));
        must(ctx, mdldm_decode(ctx, m, noise, 1, SIDE, SIDE, pixels, PIXELS));
    }
    mdldm_model_free(m);
    mdldm_context_free(ctx);
}

static void train_model(const char *backend, const char *folder)
{
    mdldm_context *ctx = train_context(backend);
    char images[600];
    snprintf(images, sizeof images, "%s/images", folder);
    mdldm_dataset *data = train_dataset(ctx, images);
    mdldm_model *m = train_autoencoder(ctx, folder, 3);
    mdldm_options *options = train_options(ctx, (const char *const[]){"use_ema", "1", NULL});
    mdldm_trainer *t = NULL;
    must(ctx, mdldm_trainer_create(ctx, MDLDM_STAGE_AUTOENCODER, m, data, options, &t));
    must(ctx, mdldm_trainer_step(ctx, t));
    must(ctx, mdldm_trainer_update_model(ctx, t));
    mdldm_trainer_free(t);
    mdldm_options_free(options);
    mdldm_model_free(m);
    mdldm_dataset_free(data);
    mdldm_context_free(ctx);
}

/* All a program does: matrices from memory, a new model, a step of each stage, new images. */
static void whole_life(const char *backend, const char *folder)
{
    enum { COUNT = 6, AREA = 4 * SIDE * SIDE };
    static float pixels[PIXELS], db[COUNT * AREA];
    mdldm_context *ctx = train_context(backend);
    mdldm_options *o = train_options(ctx, (const char *const[]){"validation_fraction", "0", "image_mode", "L",
                                                                "num_inference_steps", "2", "label_dropout", "0",
                                                                "model_config_name_or_path", folder, NULL});
    mdldm_model *m = NULL;
    mdldm_dataset *d = NULL;
    mdldm_sampler *s = NULL;
    for (int i = 0; i < COUNT * AREA; i++)
        db[i] = -(float)(i % 41);
    must(ctx, mdldm_model_create(ctx, o, &m));
    must(ctx, mdldm_dataset_from_db(ctx, db, COUNT, 2 * SIDE, 2 * SIDE, NULL, NULL, o, &d));
    for (int stage = MDLDM_STAGE_AUTOENCODER; stage <= MDLDM_STAGE_DIFFUSION; stage++) {
        mdldm_trainer *t = NULL;
        must(ctx, mdldm_trainer_create(ctx, stage, m, d, o, &t));
        must(ctx, mdldm_trainer_step(ctx, t));
        must(ctx, mdldm_trainer_update_model(ctx, t));
        mdldm_trainer_free(t);
    }
    must(ctx, mdldm_sampler_create(ctx, m, o, &s));
    must(ctx, mdldm_generate(ctx, s, 1, 2 * SIDE, 2 * SIDE, NULL, 0, pixels, PIXELS));
    mdldm_sampler_free(s);
    mdldm_dataset_free(d);
    mdldm_model_free(m);
    mdldm_options_free(o);
    mdldm_context_free(ctx);
}

/* A leak grows in every stretch of rounds. What the heap and oneDNN's threads do to the resident size does not: a
 * stretch in five grew by up to 568 KiB, others by 0 to 36. So the least of up to three stretches counts. */
static void rounds_leave_nothing(void (*work)(const char *backend, const char *folder), const char *what,
                                 const char *folder, int rounds)
{
    enum { STRETCHES = 3, LIMIT = 160 }; /* KiB: less than a page a round; observed: at most 128 */
    const mdldm_backend *list[MOST_BACKENDS];
    const int count = backend_list(list);
    for (int b = 0; b < count; b++) {
        for (int i = 0; i < rounds / 4; i++) /* then all that is made once is there */
            work(list[b]->name, folder);
        long least = LIMIT;
        for (int stretch = 0; stretch < STRETCHES && least >= LIMIT; stretch++) {
            const long settled = resident_kib();
            for (int i = 0; i < rounds; i++)
                work(list[b]->name, folder);
            const long growth = resident_kib() - settled;
            print_message("%s, %s: %d rounds grow memory by %ld KiB\n", what, list[b]->name, rounds, growth);
            least = growth < least ? growth : least;
        }
        assert_true(least < LIMIT);
    }
}

static void loading_and_running(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = train_context(NULL);
    mdldm_model *m = NULL;
    small_model_configs(folder, small_vq_config);
    must(ctx, small_model_create(ctx, folder, 0, &m));
    must(ctx, mdldm_model_save(ctx, m, temp_path(folder, "model")));
    mdldm_model_free(m);
    mdldm_context_free(ctx);
    char model[700];
    snprintf(model, sizeof model, "%s/model", folder);
    rounds_leave_nothing(use_model, "load and run", model, 80);
    temp_dir_remove(folder);
}

static void training(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    mdldm_context *ctx = train_context(NULL);
    train_make_images(ctx, temp_path(folder, "images"), 4);
    mdldm_context_free(ctx);
    rounds_leave_nothing(train_model, "train", folder, 40);
    temp_dir_remove(folder);
}

static void create_train_generate_free(void **state)
{
    (void)state;
    char *folder = temp_dir_make();
    small_model_configs(folder, small_vq_config);
    rounds_leave_nothing(whole_life, "create, train, generate", folder, 100);
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loading_and_running), cmocka_unit_test(training),
                                       cmocka_unit_test(create_train_generate_free)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
