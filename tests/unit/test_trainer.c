/* SPDX-License-Identifier: MIT
 * Both stages on tiny models: they learn, a resumed run equals the uninterrupted one bit for bit, and
 * whatever goes wrong leaves weights and checkpoints as they were. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/io_fault.h"
#include "support/temp_dir.h"
#include "support/train_setup.h"

typedef struct fixture {
    mdldm_context *ctx;
    mdldm_dataset *data;
    char *folder;
    char vae[700]; /* an untrained autoencoder, saved */
} fixture;

static int setup(void **state)
{
    static fixture f;
    f.folder = temp_dir_make();
    f.ctx = train_context(NULL);
    char images[600];
    snprintf(images, sizeof images, "%s/images", f.folder);
    train_make_images(f.ctx, images, 8);
    f.data = train_dataset(f.ctx, images);
    snprintf(f.vae, sizeof f.vae, "%s/vae-model", f.folder);
    mdldm_model *m = train_autoencoder(f.ctx, f.folder, 3);
    assert_int_equal(mdldm_model_save(f.ctx, m, f.vae), MDLDM_OK);
    mdldm_model_free(m);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    mdldm_dataset_free(f->data);
    mdldm_context_free(f->ctx);
    temp_dir_remove(f->folder);
    return 0;
}

static mdldm_model *new_model(fixture *f, mdldm_stage stage)
{
    return stage == MDLDM_STAGE_AUTOENCODER ? train_autoencoder(f->ctx, f->folder, 3)
                                            : train_unet(f->ctx, f->folder, f->vae, 4);
}

/* Creates a trainer with "key", "text" pairs; its status when it fails. */
static mdldm_status open_trainer(fixture *f, mdldm_stage stage, const char *const *pairs, mdldm_trainer **out)
{
    mdldm_model *m = new_model(f, stage);
    mdldm_options *options = train_options(f->ctx, pairs);
    mdldm_status status = mdldm_trainer_create(f->ctx, stage, m, f->data, options, out);
    mdldm_options_free(options);
    mdldm_model_free(m); /* the trainer keeps it */
    return status;
}

static mdldm_trainer *trainer(fixture *f, mdldm_stage stage, const char *const *pairs)
{
    mdldm_trainer *t = NULL;
    mdldm_status status = open_trainer(f, stage, pairs, &t);
    if (status != MDLDM_OK)
        fail_msg("%s", mdldm_context_error(f->ctx));
    return t;
}

static void steps(fixture *f, mdldm_trainer *t, int count)
{
    for (int i = 0; i < count; i++)
        if (mdldm_trainer_step(f->ctx, t) != MDLDM_OK)
            fail_msg("%s", mdldm_context_error(f->ctx));
}

static const char *in(fixture *f, const char *name)
{
    return temp_path(f->folder, name);
}

static void stage_1_learns(void **state)
{
    fixture *f = *state;
    mdldm_trainer *t = trainer(f, MDLDM_STAGE_AUTOENCODER, NULL);
    assert_int_equal(mdldm_trainer_steps_per_epoch(t), 5); /* 2 x (8 - 2 - 1) images, batch 2 */
    assert_int_equal(mdldm_trainer_validate(f->ctx, t), MDLDM_OK);
    const double before = mdldm_trainer_metric(t, "val_psnr");
    steps(f, t, 1);
    const double first = mdldm_trainer_metric(t, "loss");
    steps(f, t, 79);
    const double last = mdldm_trainer_metric(t, "loss");
    assert_int_equal(mdldm_trainer_validate(f->ctx, t), MDLDM_OK);
    const double after = mdldm_trainer_metric(t, "val_psnr");
    print_message("loss %.3f -> %.3f, PSNR %.2f -> %.2f dB, codes %g, perplexity %.1f\n", first, last, before,
                  after, mdldm_trainer_metric(t, "codes_used"), mdldm_trainer_metric(t, "perplexity"));
    assert_true(last < 0.6 * first);
    assert_true(after > before + 3.0);
    assert_true(mdldm_trainer_metric(t, "codes_used") > 4);
    assert_true(mdldm_trainer_metric(t, "val_ssim") > 0.1);
    assert_true(isnan(mdldm_trainer_metric(t, "no such metric")));
    /* The named terms make up the total. */
    const double sum = mdldm_trainer_metric(t, "loss_l1") + mdldm_trainer_metric(t, "loss_l2") +
                       mdldm_trainer_metric(t, "loss_codebook") +
                       0.25 * mdldm_trainer_metric(t, "loss_commitment");
    assert_true(fabs(sum - last) < 1e-6 * fabs(last) + 1e-6);
    mdldm_trainer_free(t);
}

static void every_codebook_variant_learns(void **state)
{
    fixture *f = *state;
    static const char *const variants[][9] = {
        {"ema_codebook", "1", NULL},
        {"entropy_weight", "0.1", "entropy_temperature", "0.5", NULL},
        {"legacy_beta", "1", "kmeans_start", "0", NULL},
        {"restart_dead_codes", "2", "gradient_accumulation_steps", "2", "use_ema", "1", NULL},
    };
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        mdldm_trainer *t = trainer(f, MDLDM_STAGE_AUTOENCODER, variants[v]);
        steps(f, t, 1);
        const double first = mdldm_trainer_metric(t, "loss_l1");
        steps(f, t, 29);
        const double last = mdldm_trainer_metric(t, "loss_l1");
        print_message("%s: L1 %.3f -> %.3f\n", variants[v][0], first, last);
        assert_true(last < 0.85 * first);
        mdldm_trainer_free(t);
    }
}

static void the_scale_is_measured(void **state)
{
    fixture *f = *state;
    mdldm_model *m = train_autoencoder(f->ctx, f->folder, 3);
    mdldm_options *options = train_options(f->ctx, NULL);
    mdldm_trainer *t = NULL;
    assert_int_equal(mdldm_trainer_create(f->ctx, MDLDM_STAGE_AUTOENCODER, m, f->data, options, &t), MDLDM_OK);
    steps(f, t, 5);
    assert_int_equal(mdldm_trainer_update_model(f->ctx, t), MDLDM_OK);
    /* Scaled latents of the training images have a standard deviation of 1: look at all of them. */
    double sum = 0.0, square = 0.0;
    int64_t count = 0;
    for (int64_t i = 0; i < mdldm_dataset_count(f->data); i++) {
        float pixels[3 * 16 * 16], latent[3 * 8 * 8];
        if (i % 8 > 4) /* the split's last images: gap and validation */
            continue;
        assert_int_equal(mdldm_dataset_read(f->ctx, f->data, i, pixels, 768), MDLDM_OK);
        assert_int_equal(mdldm_encode(f->ctx, m, pixels, 1, 16, 16, latent, 192), MDLDM_OK);
        for (int k = 0; k < 192; k++, count++) {
            sum += (double)latent[k];
            square += (double)latent[k] * (double)latent[k];
        }
    }
    const double mean = sum / (double)count;
    assert_true(fabs(sqrt(square / (double)count - mean * mean) - 1.0) < 1e-4); /* observed 2e-7 */
    double scale = 0.0;
    assert_int_equal(mdldm_model_get_double(f->ctx, m, "scaling_factor", &scale), MDLDM_OK);
    assert_true(scale > 0.0 && scale != 0.18215);
    mdldm_trainer_free(t);
    mdldm_options_free(options);
    mdldm_model_free(m);
}

static void stage_2_learns(void **state)
{
    fixture *f = *state;
    static const char *const variants[][7] = {
        {"prediction_type", "epsilon", NULL},
        {"prediction_type", "v_prediction", "snr_gamma", "5", NULL},
        {"prediction_type", "sample", "snr_gamma", "5", "latent_cache", "off", NULL},
        {"prediction_type", "epsilon", "use_ema", "1", "mixed_precision", "bf16", NULL},
        {"prediction_type", "v_prediction", "rescale_betas_zero_snr", "1", NULL},
        {"prediction_type", "flow_prediction", NULL},
        {"prediction_type", "flow_prediction", "weighting_scheme", "logit_normal", "flow_shift", "2", NULL},
    };
    for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
        mdldm_trainer *t = trainer(f, MDLDM_STAGE_DIFFUSION, variants[v]);
        assert_int_equal(mdldm_trainer_validate(f->ctx, t), MDLDM_OK);
        const double before = mdldm_trainer_metric(t, "val_loss");
        steps(f, t, 60);
        assert_int_equal(mdldm_trainer_validate(f->ctx, t), MDLDM_OK);
        const double after = mdldm_trainer_metric(t, "val_loss");
        print_message("%s %s: validation loss %.4f -> %.4f\n", variants[v][1],
                      variants[v][2] != NULL ? variants[v][2] : "", before, after);
        assert_true(after < 0.8 * before);
        mdldm_trainer_free(t);
    }
}

static void same_file(fixture *f, const char *a, const char *b, const char *name)
{
    char path[1500];
    size_t sa = 0, sb = 0;
    snprintf(path, sizeof path, "%s/%s", in(f, a), name);
    char *x = temp_read(path, &sa);
    snprintf(path, sizeof path, "%s/%s", in(f, b), name);
    char *y = temp_read(path, &sb);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(sa, sb);
    if (memcmp(x, y, sa) != 0)
        fail_msg("%s differs between %s and %s", name, a, b);
    free(x);
    free(y);
}

/* Eight steps at once, and the same eight with a stop after three (a new trainer, a new model with other
 * random weights): every file of the last checkpoint is the same, byte for byte. */
static void resume_case(fixture *f, mdldm_stage stage, const char *part, const char *const *extra)
{
    char part_ema[64], whole_dir[700], parts_dir[700];
    snprintf(whole_dir, sizeof whole_dir, "%s", in(f, "whole"));
    snprintf(parts_dir, sizeof parts_dir, "%s", in(f, "parts"));
    const char *pairs[20] = {"use_ema", "1", "lr_scheduler", "cosine", "max_train_steps", "8",
                             "gradient_accumulation_steps", "2", "output_dir", whole_dir};
    int n = 10;
    for (int i = 0; extra != NULL && extra[i] != NULL; i++)
        pairs[n++] = extra[i];
    mdldm_trainer *t = trainer(f, stage, pairs);
    steps(f, t, 8);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    mdldm_trainer_free(t);

    pairs[9] = parts_dir;
    t = trainer(f, stage, pairs);
    steps(f, t, 3);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    mdldm_trainer_free(t);
    pairs[n++] = "resume_from_checkpoint";
    pairs[n++] = "latest";
    t = trainer(f, stage, pairs);
    assert_int_equal(mdldm_trainer_global_step(t), 3);
    steps(f, t, 5);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    mdldm_trainer_free(t);

    char name[200];
    static const char *const files[] = {"config.json", "diffusion_pytorch_model.safetensors"};
    snprintf(part_ema, sizeof part_ema, "%s_ema", part);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%s", part, files[i]);
        same_file(f, "whole/checkpoint-8", "parts/checkpoint-8", name);
        snprintf(name, sizeof name, "%s/%s", part_ema, files[i]);
        same_file(f, "whole/checkpoint-8", "parts/checkpoint-8", name);
    }
    same_file(f, "whole/checkpoint-8", "parts/checkpoint-8", "optimizer.safetensors");
    same_file(f, "whole/checkpoint-8", "parts/checkpoint-8", "state.json");
}

static void stage_1_resumes_bit_for_bit(void **state)
{
    resume_case(*state, MDLDM_STAGE_AUTOENCODER, "vqvae",
                (const char *const[]){"restart_dead_codes", "2", NULL});
}

static void stage_1_with_averages_resumes_bit_for_bit(void **state)
{
    resume_case(*state, MDLDM_STAGE_AUTOENCODER, "vqvae",
                (const char *const[]){"ema_codebook", "1", "dataloader_num_workers", "2", NULL});
}

static void stage_2_resumes_bit_for_bit(void **state)
{
    resume_case(*state, MDLDM_STAGE_DIFFUSION, "unet", NULL);
}

/* With dropout, accumulation and clipping: computing activations again changes no bit of the result. */
static void gradient_checkpointing_changes_nothing(void **state)
{
    fixture *f = *state;
    static const mdldm_stage stages[2] = {MDLDM_STAGE_AUTOENCODER, MDLDM_STAGE_DIFFUSION};
    static const char *const weights[2] = {"vqvae/diffusion_pytorch_model.safetensors",
                                           "unet/diffusion_pytorch_model.safetensors"};
    for (int stage = 0; stage < 2; stage++) {
        for (int on = 0; on < 2; on++) {
            mdldm_trainer *t =
                trainer(f, stages[stage],
                        (const char *const[]){"output_dir", in(f, on ? "again" : "kept"), "max_train_steps", "3",
                                              "gradient_checkpointing", on ? "1" : "0", "mixed_precision",
                                              stage ? "bf16" : "no", "gradient_accumulation_steps", "2",
                                              "overwrite_output_dir", "1", NULL});
            steps(f, t, 3);
            assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
            mdldm_trainer_free(t);
        }
        same_file(f, "kept/checkpoint-3", "again/checkpoint-3", weights[stage]);
        same_file(f, "kept/checkpoint-3", "again/checkpoint-3", "optimizer.safetensors");
    }
}

static void checkpoints_are_limited(void **state)
{
    fixture *f = *state;
    mdldm_trainer *t =
        trainer(f, MDLDM_STAGE_DIFFUSION,
                (const char *const[]){"output_dir", in(f, "limited"), "checkpoints_total_limit", "2", NULL});
    temp_write(in(f, "limited-note"), "x", 1);
    for (int i = 0; i < 11; i++) {
        steps(f, t, 1);
        assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    }
    mdldm_trainer_free(t);
    assert_int_equal(temp_count(in(f, "limited")), 2);
    char *newest = temp_read(in(f, "limited/checkpoint-11/state.json"), NULL);
    char *second = temp_read(in(f, "limited/checkpoint-10/state.json"), NULL);
    assert_true(newest != NULL && second != NULL); /* by number: 10 and 11, not 9 */
    free(newest);
    free(second);
}

static void expect_refusal(fixture *f, mdldm_stage stage, const char *const *pairs, mdldm_status status,
                           const char *word)
{
    mdldm_trainer *t = (mdldm_trainer *)f;
    assert_int_equal(open_trainer(f, stage, pairs, &t), status);
    assert_null(t);
    if (strstr(mdldm_context_error(f->ctx), word) == NULL)
        fail_msg("\"%s\" does not mention %s", mdldm_context_error(f->ctx), word);
}

static void what_is_there_is_not_overwritten(void **state)
{
    fixture *f = *state;
    char dir[700], checkpoint[800];
    snprintf(dir, sizeof dir, "%s", in(f, "kept"));
    mdldm_trainer *t = trainer(f, MDLDM_STAGE_DIFFUSION, (const char *const[]){"output_dir", dir, NULL});
    steps(f, t, 1);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    mdldm_trainer_free(t);
    expect_refusal(f, MDLDM_STAGE_DIFFUSION, (const char *const[]){"output_dir", dir, NULL},
                   MDLDM_ERROR_INVALID_ARGUMENT, "overwrite_output_dir");
    expect_refusal(f, MDLDM_STAGE_DIFFUSION,
                   (const char *const[]){"output_dir", in(f, "nothing"), "resume_from_checkpoint", "latest", NULL},
                   MDLDM_ERROR_NOT_FOUND, "no checkpoint");
    expect_refusal(f, MDLDM_STAGE_DIFFUSION,
                   (const char *const[]){"resume_from_checkpoint", in(f, "nothing"), NULL},
                   MDLDM_ERROR_NOT_FOUND, "nothing");
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint-1", dir);
    expect_refusal(f, MDLDM_STAGE_AUTOENCODER,
                   (const char *const[]){"resume_from_checkpoint", checkpoint, NULL},
                   MDLDM_ERROR_INVALID_ARGUMENT, "stage");
    expect_refusal(f, MDLDM_STAGE_DIFFUSION,
                   (const char *const[]){"resume_from_checkpoint", checkpoint, "use_ema", "1", NULL},
                   MDLDM_ERROR_INVALID_ARGUMENT, "use_ema");
    t = trainer(f, MDLDM_STAGE_DIFFUSION,
                (const char *const[]){"output_dir", dir, "overwrite_output_dir", "1", NULL});
    mdldm_trainer_free(t);
    assert_int_equal(temp_count(dir), 0);
}

static void broken_checkpoints_are_refused(void **state)
{
    fixture *f = *state;
    char dir[700], checkpoint[800], path[900];
    snprintf(dir, sizeof dir, "%s", in(f, "broken"));
    mdldm_trainer *t = trainer(f, MDLDM_STAGE_DIFFUSION, (const char *const[]){"output_dir", dir, NULL});
    steps(f, t, 1);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    mdldm_trainer_free(t);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint-1", dir);
    const char *const resume[] = {"resume_from_checkpoint", checkpoint, NULL};
    static const char *const files[] = {"optimizer.safetensors", "unet/diffusion_pytorch_model.safetensors",
                                        "state.json"};
    for (int i = 0; i < 3; i++) {
        size_t size = 0;
        snprintf(path, sizeof path, "%s/%s", checkpoint, files[i]);
        char *whole = temp_read(path, &size);
        assert_non_null(whole);
        temp_write(path, whole, size / 2);
        expect_refusal(f, MDLDM_STAGE_DIFFUSION, resume, MDLDM_ERROR_FORMAT, files[i]);
        temp_write(path, whole, size);
        free(whole);
    }
    t = trainer(f, MDLDM_STAGE_DIFFUSION, resume);
    assert_int_equal(mdldm_trainer_global_step(t), 1);
    mdldm_trainer_free(t);
}

/* A full disk at any moment of a checkpoint: an error, the earlier checkpoint whole, nothing beside it. */
static void failed_writes_lose_nothing(void **state)
{
    fixture *f = *state;
    char dir[700], checkpoint[800];
    snprintf(dir, sizeof dir, "%s", in(f, "full"));
    const char *const pairs[] = {"output_dir", dir, NULL};
    mdldm_trainer *t = trainer(f, MDLDM_STAGE_DIFFUSION, pairs);
    steps(f, t, 1);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_OK);
    steps(f, t, 1);
    int failures = 0;
    for (int n = 1; n < 3000; n += n < 40 ? 1 : 17) {
        mdldm__io_fail_after(n);
        mdldm_status status = mdldm_trainer_checkpoint(f->ctx, t);
        mdldm__io_fail_after(0);
        if (status == MDLDM_OK)
            break;
        failures++;
        assert_int_equal(status, MDLDM_ERROR_IO);
        assert_non_null(strstr(mdldm_context_error(f->ctx), "full"));
        assert_int_equal(temp_count(dir), 1);
    }
    assert_true(failures > 20);
    mdldm_trainer_free(t);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint-1", dir);
    t = trainer(f, MDLDM_STAGE_DIFFUSION, (const char *const[]){"resume_from_checkpoint", checkpoint, NULL});
    assert_int_equal(mdldm_trainer_global_step(t), 1);
    mdldm_trainer_free(t);
}

/* An absurd learning rate: training stops with a layer's name, and the step that failed did not happen. */
static void divergence_is_named(void **state)
{
    fixture *f = *state;
    mdldm_trainer *t = trainer(f, MDLDM_STAGE_DIFFUSION,
                               (const char *const[]){"learning_rate", "10", "max_grad_norm", "0", "adam_epsilon",
                                                     "0", "adam_beta1", "0", "adam_weight_decay", "10", NULL});
    mdldm_status status = MDLDM_OK;
    int done = 0;
    for (; status == MDLDM_OK && done < 60; done++)
        status = mdldm_trainer_step(f->ctx, t);
    assert_int_equal(status, MDLDM_ERROR_NUMERIC);
    assert_int_equal(mdldm_trainer_global_step(t), done - 1);
    const char *sentence = mdldm_context_error(f->ctx);
    print_message("%s\n", sentence);
    assert_non_null(strstr(sentence, "not finite"));
    assert_true(strstr(sentence, "block") != NULL || strstr(sentence, "conv_") != NULL ||
                strstr(sentence, "embedding") != NULL);
    assert_int_equal(mdldm_trainer_step(f->ctx, t), MDLDM_ERROR_NUMERIC); /* the same step again */
    mdldm_trainer_free(t);
}

static int32_t refuse_once(void *user, const char *stage, int64_t done, int64_t total)
{
    (void)done;
    (void)total;
    int *left = user;
    return strcmp(stage, "train") == 0 && (*left)-- == 0;
}

/* Two runs of six steps, one of them cancelled and carried on: the same weights. */
static void a_cancelled_step_did_not_happen(void **state)
{
    fixture *f = *state;
    double loss[2];
    for (int run = 0; run < 2; run++) {
        mdldm_trainer *t = trainer(f, MDLDM_STAGE_AUTOENCODER, NULL);
        steps(f, t, 3);
        if (run == 1) {
            int left = 0;
            mdldm_context_set_progress(f->ctx, refuse_once, &left);
            assert_int_equal(mdldm_trainer_step(f->ctx, t), MDLDM_ERROR_CANCELLED);
            mdldm_context_set_progress(f->ctx, NULL, NULL);
            mdldm_context_cancel(f->ctx);
            assert_int_equal(mdldm_trainer_step(f->ctx, t), MDLDM_ERROR_CANCELLED);
            assert_int_equal(mdldm_trainer_global_step(t), 3);
        }
        steps(f, t, 3);
        loss[run] = mdldm_trainer_metric(t, "loss");
        mdldm_trainer_free(t);
    }
    assert_true(loss[0] == loss[1]);
}

static void wrong_arguments_are_refused(void **state)
{
    fixture *f = *state;
    mdldm_trainer *t = (mdldm_trainer *)f;
    assert_int_equal(mdldm_trainer_create(f->ctx, MDLDM_STAGE_DIFFUSION, NULL, f->data, NULL, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_null(t);
    mdldm_model *m = train_autoencoder(f->ctx, f->folder, 1);
    assert_int_equal(mdldm_trainer_create(f->ctx, MDLDM_STAGE_DIFFUSION, m, f->data, NULL, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(f->ctx), "UNet"));
    assert_int_equal(mdldm_trainer_create(f->ctx, (mdldm_stage)7, m, f->data, NULL, &t),
                     MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm_model_free(m);
    assert_int_equal(mdldm_trainer_step(f->ctx, NULL), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(mdldm_trainer_global_step(NULL), 0);
    mdldm_trainer_free(NULL);
    t = trainer(f, MDLDM_STAGE_AUTOENCODER, NULL);
    assert_int_equal(mdldm_trainer_checkpoint(f->ctx, t), MDLDM_ERROR_INVALID_ARGUMENT); /* no output_dir */
    mdldm_context *other = train_context(NULL);
    assert_int_equal(mdldm_trainer_step(other, t), MDLDM_ERROR_INVALID_ARGUMENT);
    mdldm_context_free(other);
    assert_int_equal(mdldm_context_use_backend(f->ctx, "reference"), MDLDM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(mdldm_context_error(f->ctx), "trainer"));
    mdldm_trainer_free(t);
    assert_int_equal(mdldm_context_use_backend(f->ctx, "reference"), MDLDM_OK);
}

/* Context, model and data set are let go before the trainer. */
static void noise_options_that_do_not_fit_are_refused(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *const pairs[7], *says;
    } bad[] = {
        {{"prediction_type", "epsilon", "rescale_betas_zero_snr", "1"}, "v_prediction or sample"},
        {{"prediction_type", "flow_prediction", "rescale_betas_zero_snr", "1"}, "leave it out"},
        {{"prediction_type", "flow_prediction", "snr_gamma", "5"}, "weighting_scheme would be right"},
        {{"prediction_type", "epsilon", "weighting_scheme", "cosmap"}, "flow_prediction would be right"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refusal(f, MDLDM_STAGE_DIFFUSION, bad[i].pairs, MDLDM_ERROR_INVALID_ARGUMENT, bad[i].says);
}

/* A model trained by flow matching says so, is sampled by its own schedulers, and by no other process's. */
static void flow_models_are_sampled_as_such(void **state)
{
    fixture *f = *state;
    static const char *const pairs[] = {"prediction_type", "flow_prediction", "flow_shift", "2", NULL};
    mdldm_model *m = new_model(f, MDLDM_STAGE_DIFFUSION);
    mdldm_options *options = train_options(f->ctx, pairs);
    mdldm_trainer *t = NULL;
    assert_int_equal(mdldm_trainer_create(f->ctx, MDLDM_STAGE_DIFFUSION, m, f->data, options, &t), MDLDM_OK);
    mdldm_options_free(options);
    const char *word = "";
    assert_int_equal(mdldm_model_get_string(f->ctx, m, "prediction_type", &word), MDLDM_OK);
    assert_string_equal(word, "flow_prediction");
    assert_int_equal(mdldm_model_get_string(f->ctx, m, "scheduler_class", &word), MDLDM_OK);
    assert_string_equal(word, "FlowMatchEulerDiscreteScheduler");
    static const char *const fitting[] = {NULL, "model", "flow_euler", "flow_heun"}, *const others[] = {"ddpm", "ddim"};
    mdldm_sampler *s = NULL;
    assert_int_equal(mdldm_options_create(f->ctx, &options), MDLDM_OK);
    assert_int_equal(mdldm_options_set_int(f->ctx, options, "num_inference_steps", 5), MDLDM_OK);
    for (int i = 0; i < 4; i++) {
        if (fitting[i] != NULL)
            assert_int_equal(mdldm_options_set_string(f->ctx, options, "scheduler", fitting[i]), MDLDM_OK);
        assert_int_equal(mdldm_sampler_create(f->ctx, m, options, &s), MDLDM_OK);
        assert_int_equal(mdldm_sampler_steps(s), i == 3 ? 9 : 5);
        assert_true(mdldm_sampler_timestep(s, 0) == 1000.0);
        mdldm_sampler_free(s);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mdldm_options_set_string(f->ctx, options, "scheduler", others[i]), MDLDM_OK);
        assert_int_equal(mdldm_sampler_create(f->ctx, m, options, &s), MDLDM_ERROR_UNSUPPORTED);
        assert_non_null(strstr(mdldm_context_error(f->ctx), "flow_euler or flow_heun would be right"));
    }
    mdldm_options_free(options);
    mdldm_trainer_free(t);
    mdldm_model_free(m);
}

static void the_order_of_frees_does_not_matter(void **state)
{
    fixture *f = *state;
    mdldm_context *ctx = train_context(NULL);
    mdldm_dataset *data = train_dataset(ctx, in(f, "images"));
    mdldm_model *m = train_autoencoder(ctx, f->folder, 1);
    mdldm_options *options = train_options(ctx, NULL);
    mdldm_trainer *t = NULL;
    assert_int_equal(mdldm_trainer_create(ctx, MDLDM_STAGE_AUTOENCODER, m, data, options, &t), MDLDM_OK);
    mdldm_options_free(options);
    mdldm_model_free(m);
    mdldm_dataset_free(data);
    assert_int_equal(mdldm_trainer_step(ctx, t), MDLDM_OK);
    mdldm_context_free(ctx);
    mdldm_trainer_free(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(stage_1_learns),
        TEST(every_codebook_variant_learns),
        TEST(the_scale_is_measured),
        TEST(stage_2_learns),
        TEST(stage_1_resumes_bit_for_bit),
        TEST(stage_1_with_averages_resumes_bit_for_bit),
        TEST(stage_2_resumes_bit_for_bit),
        TEST(gradient_checkpointing_changes_nothing),
        TEST(checkpoints_are_limited),
        TEST(what_is_there_is_not_overwritten),
        TEST(broken_checkpoints_are_refused),
        TEST(failed_writes_lose_nothing),
        TEST(divergence_is_named),
        TEST(a_cancelled_step_did_not_happen),
        TEST(wrong_arguments_are_refused),
        TEST(noise_options_that_do_not_fit_are_refused),
        TEST(flow_models_are_sampled_as_such),
        TEST(the_order_of_frees_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
