/* SPDX-License-Identifier: MIT
 * What a step asks of the GPU's driver, counted by the test runtime: a denoise step is one captured graph, its inputs up,
 * the prediction down, one wait; a training step is one such graph per batch, the optimiser's three kernels and, in
 * stage 1, a graph for the codebook, and only figures come down. All copies are from and to pinned memory. */
#include "tests/cuda/cuda_test.h"

#include "mdldm/mdldm.h"
#include "support/backend_list.h"
#include "support/temp_dir.h"
#include "support/train_setup.h"

enum { BATCH = 2, PIXELS = 3 * TRAIN_RESOLUTION * TRAIN_RESOLUTION, LATENT = PIXELS / 4, FEATURES = 8, WORD = 4 };

/* Of a step; all work is in graphs but for `kernels`, launches on their own. */
typedef struct demands {
    uint64_t graphs, kernels, captures, waits, up, up_bytes, down, down_bytes, pageable;
} demands;

static demands so_far(void)
{
    const fake_cuda_copies up = fake_cuda_copied(1), down = fake_cuda_copied(0);
    return (demands){.graphs = fake_cuda_calls("cudaGraphLaunch"),
                     .kernels = fake_cuda_calls("cudaLaunchKernelExC"),
                     .captures = fake_cuda_calls("cudaStreamBeginCapture"),
                     .waits = fake_cuda_calls("cudaStreamSynchronize") + fake_cuda_calls("cudaEventSynchronize"),
                     .up = up.count,
                     .up_bytes = up.bytes,
                     .down = down.count,
                     .down_bytes = down.bytes,
                     .pageable = up.pageable + down.pageable};
}

static demands since(const demands *before)
{
    demands d = so_far();
    uint64_t *now = (uint64_t *)&d;
    const uint64_t *then = (const uint64_t *)before;
    for (size_t i = 0; i < sizeof d / sizeof *now; i++)
        now[i] -= then[i];
    return d;
}

static void expect(const char *what, const demands *got, const demands *right)
{
    static const char *const names[] = {"graphs",     "kernels", "captures",   "waits",   "copies up",
                                        "bytes up",   "copies down", "bytes down", "pageable copies"};
    const uint64_t *is = (const uint64_t *)got, *should = (const uint64_t *)right;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is[i] != should[i])
            print_error("%s: %llu %s, %llu expected\n", what, (unsigned long long)is[i], names[i],
                        (unsigned long long)should[i]);
    assert_memory_equal(got, right, sizeof *got);
    assert_string_equal(fake_cuda_finding(), "");
}

static void must(mdldm_context *ctx, mdldm_status status)
{
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(ctx));
}

typedef struct fixture {
    mdldm_context *ctx;
    char *folder;
    mdldm_dataset *data;
    mdldm_model *autoencoder, *model;
} fixture;

static void open_fixture(fixture *f)
{
    char images[600], saved[600];
    fake_cuda_reset();
    f->ctx = train_context("cuda");
    f->folder = temp_dir_make();
    snprintf(images, sizeof images, "%s/images", f->folder);
    snprintf(saved, sizeof saved, "%s/saved", f->folder);
    train_make_images(f->ctx, images, 8);
    f->data = train_dataset(f->ctx, images);
    f->autoencoder = train_autoencoder(f->ctx, f->folder, 3);
    must(f->ctx, mdldm_model_save(f->ctx, f->autoencoder, saved));
    f->model = train_unet(f->ctx, f->folder, saved, 4);
}

static void close_fixture(fixture *f)
{
    mdldm_model_free(f->model);
    mdldm_model_free(f->autoencoder);
    mdldm_dataset_free(f->data);
    mdldm_context_free(f->ctx);
    temp_dir_remove(f->folder);
}

static void a_denoise_step(void **state)
{
    (void)state;
    fixture f;
    float latent[BATCH * LATENT] = {0};
    const int64_t labels[BATCH] = {0, 1};
    mdldm_sampler *s = NULL;
    open_fixture(&f);
    mdldm_options *o = train_options(f.ctx, (const char *const[]){"num_inference_steps", "4", NULL});
    must(f.ctx, mdldm_sampler_create(f.ctx, f.model, o, &s));
    for (int64_t step = 0; step < 3; step++) {
        const demands before = so_far();
        must(f.ctx, mdldm_denoise_step(f.ctx, s, latent, BATCH, TRAIN_RESOLUTION / 2, TRAIN_RESOLUTION / 2, labels, 0, step));
        const demands d = since(&before);
        /* Two kernels on their own turn the latent to NHWC and the prediction back to NCHW. */
        if (step > 0)
            expect("a denoise step", &d,
                   &(demands){.graphs = 1,
                              .kernels = 2,
                              .waits = 1,
                              .up = 3, /* latent, features of the timestep, labels */
                              .up_bytes = BATCH * (LATENT + FEATURES + 1) * WORD,
                              .down = 1,
                              .down_bytes = BATCH * LATENT * WORD});
    }
    mdldm_sampler_free(s);
    mdldm_options_free(o);
    close_fixture(&f);
}

static void train(mdldm_stage stage, const char *const *pairs, const char *what, const demands *right)
{
    fixture f;
    mdldm_trainer *t = NULL;
    open_fixture(&f);
    mdldm_options *o = train_options(f.ctx, pairs);
    must(f.ctx, mdldm_trainer_create(f.ctx, stage, stage == MDLDM_STAGE_AUTOENCODER ? f.autoencoder : f.model, f.data, o,
                                     &t));
    for (int step = 0; step < 4; step++) {
        const demands before = so_far();
        must(f.ctx, mdldm_trainer_step(f.ctx, t));
        const demands d = since(&before);
        if (step > 1)
            expect(what, &d, right);
    }
    mdldm_trainer_free(t);
    mdldm_options_free(o);
    close_fixture(&f);
}

static void a_training_step_of_the_autoencoder(void **state)
{
    (void)state;
    const char *const pairs[] = {"ema_codebook", "1", "restart_dead_codes", "2", "use_ema", "1", NULL};
    const demands one = {.graphs = 2, /* a batch, the codebook */
                         .kernels = 3, /* the optimiser's */
                         .waits = 3,   /* losses, norm of the gradients, use of the codes */
                         .up = 2,      /* pixels, the batch's place in the step */
                         .up_bytes = (BATCH * PIXELS + 6) * WORD,
                         .down = 5, /* three losses, the optimiser's result, the codebook's report */
                         .down_bytes = (3 + 4 + 3) * WORD};
    train(MDLDM_STAGE_AUTOENCODER, pairs, "a step of stage 1", &one);
}

static void a_training_step_of_the_unet(void **state)
{
    (void)state;
    const char *const pairs[] = {"use_ema", "1", NULL};
    const demands one = {.graphs = 1,
                         .kernels = 5, /* the optimiser's, and two that turn latents to NHWC */
                         .waits = 2,   /* loss, norm of the gradients */
                         .up = 5,      /* noisy latents, target, features of the timestep, labels, seed of the dropout */
                         .up_bytes = (BATCH * (2 * LATENT + FEATURES + 1) + 2) * WORD,
                         .down = 2, /* the loss, the optimiser's result */
                         .down_bytes = (1 + 4) * WORD};
    train(MDLDM_STAGE_DIFFUSION, pairs, "a step of stage 2", &one);
}

static int find_cuda(void **state)
{
    (void)state;
    const mdldm_backend *list[MOST_BACKENDS];
    backend_use_test_cuda();
    const int count = backend_list(list);
    for (int i = 0; i < count; i++)
        if (strcmp(list[i]->name, "cuda") == 0)
            return 0;
    return -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denoise_step),
        cmocka_unit_test(a_training_step_of_the_autoencoder),
        cmocka_unit_test(a_training_step_of_the_unet),
    };
    return cmocka_run_group_tests_name("what a step asks for", tests, find_cuda, NULL);
}
