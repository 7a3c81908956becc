/* SPDX-License-Identifier: MIT
 * Sampling, quantising, training. */
#include "caller.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void caller_sampler(caller *c)
{
    enum { MOST = 64 * CALLER_SIDE * CALLER_SIDE };
    static float latent[MOST], before[MOST], output[MOST], pixels[CALLER_PIXELS], again[CALLER_PIXELS];
    const int64_t label = 1;
    mdldm_options *o = NULL;
    mdldm_sampler *s = NULL;
    mdldm_model *quantized = NULL;
    int64_t factor = 1, channels = 1, groups = 0;

    mdldm_model_get_int(c->ctx, c->model, "latent_factor", &factor);
    mdldm_model_get_int(c->ctx, c->model, "latent_channels", &channels);
    const int64_t side = CALLER_SIDE / factor;
    const size_t count = (size_t)(channels * side * side);
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_string(c->ctx, o, "scheduler", "ddim"));
    TRY(mdldm_options_set_int(c->ctx, o, "num_inference_steps", 4));
    TRY(mdldm_options_set_int(c->ctx, o, "seed", 11));
    TRY(mdldm_sampler_create(c->ctx, c->model, o, &s));
    caller_say("mdldm_sampler_steps", "%d", (int)mdldm_sampler_steps(s));
    caller_say("mdldm_sampler_timestep", "%g %g", mdldm_sampler_timestep(s, 3), mdldm_sampler_timestep(s, 4));
    TRY(mdldm_sampler_noise(c->ctx, s, 1, side, side, 5, latent, count));
    /* A seed means the same noise for ever. */
    caller_say("mdldm_sampler_noise", "%.2f %.2f %.2f", (double)latent[0], (double)latent[1], (double)latent[2]);
    TRY(mdldm_denoise_step(c->ctx, s, latent, 1, side, side, &label, 5, 0));
    caller_say("mdldm_denoise_step", "%s", caller_finite(latent, count));
    TRY(mdldm_denoise_step(c->ctx, s, latent, 1, side, side, &label, 5, 99));
    memcpy(before, latent, sizeof latent);
    TRY(mdldm_scheduler_step(c->ctx, s, output, latent, 1, side, side, 5, 1, NULL));
    caller_say("mdldm_scheduler_step", "%s", memcmp(before, latent, sizeof latent) != 0 ? "moves" : "DOES NOT MOVE");
    TRY(mdldm_generate(c->ctx, s, 1, CALLER_SIDE, CALLER_SIDE, &label, 5, pixels, CALLER_PIXELS));
    TRY(mdldm_generate(c->ctx, s, 1, CALLER_SIDE, CALLER_SIDE, &label, 5, again, CALLER_PIXELS));
    caller_say("mdldm_generate", "%s, %s", caller_finite(pixels, CALLER_PIXELS), memcmp(pixels, again, sizeof again) == 0 ? "twice the same" : "NOT TWICE THE SAME");
    mdldm_sampler_free(s);
    mdldm_sampler_free(NULL);
    caller_say("mdldm_sampler_free", "done");
    TRY(mdldm_options_set_int(c->ctx, o, "calibration_images", 1));
    TRY(mdldm_options_set_int(c->ctx, o, "calibration_steps", 2));
    TRY(mdldm_model_quantize(c->ctx, c->model, NULL, o, &quantized));
    mdldm_model_get_int(c->ctx, quantized, "timestep_groups", &groups);
    caller_say("mdldm_model_quantize", "%s", groups > 0 ? "groups of timesteps" : "NO GROUPS");
    mdldm_model_free(quantized);
    mdldm_options_free(o);
}

static void stage(caller *c, mdldm_stage which, const char *name, const char *metric)
{
    mdldm_options *o = NULL;
    mdldm_trainer *t = NULL;
    char path[1024];
    int found = 0;

    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    TRY(mdldm_options_create(c->ctx, &o));
    TRY(mdldm_options_set_string(c->ctx, o, "output_dir", path));
    TRY(mdldm_options_set_int(c->ctx, o, "train_batch_size", 4));
    TRY(mdldm_options_set_int(c->ctx, o, "max_train_steps", 3));
    TRY(mdldm_options_set_int(c->ctx, o, "lr_warmup_steps", 0));
    TRY(mdldm_options_set_int(c->ctx, o, "validation_gap", 0));
    if (!TRY(mdldm_trainer_create(c->ctx, which, c->model, c->data, o, &t)))
        printf("%s\n", mdldm_context_error(c->ctx));
    caller_say("mdldm_trainer_total_steps", "%d", (int)mdldm_trainer_total_steps(t));
    caller_say("mdldm_trainer_steps_per_epoch", "%s", mdldm_trainer_steps_per_epoch(t) > 0 ? "some" : "NONE");
    if (!TRY(mdldm_trainer_step(c->ctx, t)))
        printf("%s\n", mdldm_context_error(c->ctx));
    TRY(mdldm_trainer_step(c->ctx, t));
    caller_say("mdldm_trainer_global_step", "%d", (int)mdldm_trainer_global_step(t));
    caller_say("mdldm_trainer_epoch", "%s", mdldm_trainer_epoch(t) >= 0 ? "counted" : "NEGATIVE");
    TRY(mdldm_trainer_validate(c->ctx, t));
    for (int32_t i = 0; i < mdldm_trainer_metric_count(t); i++) {
        if (strcmp(mdldm_trainer_metric_name(t, i), metric) == 0)
            found = 1 + (mdldm_trainer_metric_value(t, i) == mdldm_trainer_metric(t, metric));
    }
    caller_say("mdldm_trainer_metric_count", "%s %s", metric, found > 0 ? "is there" : "IS MISSING");
    caller_say("mdldm_trainer_metric_value", "%s", found == 2 ? "the one by name" : "ANOTHER NUMBER");
    caller_say("mdldm_trainer_metric_name", "loss %s", isfinite(mdldm_trainer_metric(t, "loss")) ? "found" : "MISSING");
    caller_say("mdldm_trainer_metric", "%s", isnan(mdldm_trainer_metric(t, "no_such_metric")) ? "NaN when there is none" : "A NUMBER");
    TRY(mdldm_trainer_checkpoint(c->ctx, t));
    TRY(mdldm_trainer_update_model(c->ctx, t));
    mdldm_trainer_free(t);
    TRY(mdldm_options_set_string(c->ctx, o, "resume_from_checkpoint", "latest"));
    TRY(mdldm_trainer_create(c->ctx, which, c->model, c->data, o, &t));
    caller_say("mdldm_trainer_global_step", "%d", (int)mdldm_trainer_global_step(t));
    mdldm_trainer_free(t);
    mdldm_trainer_free(NULL);
    caller_say("mdldm_trainer_free", "done");
    mdldm_options_free(o);
}

void caller_training(caller *c)
{
    stage(c, MDLDM_STAGE_AUTOENCODER, "stage1", "val_psnr");
    stage(c, MDLDM_STAGE_DIFFUSION, "stage2", "val_loss");
}
