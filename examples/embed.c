/* SPDX-License-Identifier: MIT
 * Where a radar program could start from: spectrograms in dB lie in memory, a model learns them, new ones come back
 * in dB. No file is read or written.   cc embed.c $(pkg-config --cflags --libs mdldm) -lm && ./a.out [STEPS] */
#include <math.h>
#include <mdldm/mdldm.h>
#include <stdio.h>

enum { PERSONS = 2, EACH = 40, COUNT = PERSONS * EACH, SIDE = 64, AREA = SIDE * SIDE, MADE = 6 };
static float db[COUNT * AREA], made[MADE * AREA]; /* [matrix][Doppler, highest first][time] */
static int64_t person[COUNT];

static void record(void) /* your recordings (mdldm_spectrogram makes dB of I and Q); here a torso, swinging limbs */
{
    for (int i = 0; i < COUNT; i++) {
        person[i] = i % PERSONS;
        for (int k = 0; k < AREA; k++) {
            double time = (k % SIDE + 7.0 * i) / SIDE, swing = sin((person[i] ? 9.0 : 14.0) * time);
            double torso = k / SIDE - 24.0, limbs = torso + (person[i] ? 10.0 : 16.0) * swing;
            db[i * AREA + k] = (float)(10 * log10(1e-6 + exp(-torso * torso / 8.0) + 0.1 * exp(-limbs * limbs / 20.0)));
        }
    }
}

static mdldm_status learn(mdldm_context *ctx, mdldm_stage stage, mdldm_model *m, mdldm_dataset *d, mdldm_options *o)
{
    mdldm_trainer *t = NULL;
    mdldm_status s = mdldm_trainer_create(ctx, stage, m, d, o, &t);
    while (s == MDLDM_OK && mdldm_trainer_global_step(t) < mdldm_trainer_total_steps(t))
        s = mdldm_trainer_step(ctx, t);
    if (s == MDLDM_OK && (s = mdldm_trainer_update_model(ctx, t)) == MDLDM_OK)
        printf("stage %d: loss %.3g\n", (int)stage, mdldm_trainer_metric(t, "loss"));
    mdldm_trainer_free(t);
    return s;
}

int main(int argc, char **argv)
{
    const char *const settings[][2] = { /* docs/OPTIONS.md has them all */
        { "preset", "tiny" }, { "resolution", "64" }, { "image_mode", "L" }, { "class_names", "anna/bert" },
        { "db_floor", "-50" }, { "db_ceiling", "0" }, { "train_batch_size", "8" }, { "learning_rate", "1e-3" },
        { "lr_warmup_steps", "10" }, { "prediction_type", "v_prediction" }, { "scheduler", "dpmsolver++" },
        { "num_inference_steps", "20" }, { "max_train_steps", argc > 1 ? argv[1] : "300" } };
    mdldm_context *ctx; mdldm_options *o = NULL; mdldm_dataset *d = NULL; mdldm_model *m = NULL;
    mdldm_sampler *t = NULL; mdldm_status s = mdldm_context_create(&ctx);
    s = s == MDLDM_OK ? mdldm_options_create(ctx, &o) : s;
    for (size_t i = 0; s == MDLDM_OK && i < sizeof settings / sizeof *settings; i++)
        s = mdldm_options_parse(ctx, o, settings[i][0], settings[i][1]);
    record();
    if (s || (s = mdldm_dataset_from_db(ctx, db, COUNT, SIDE, SIDE, person, "anna/bert", o, &d)) ||
        (s = mdldm_model_create(ctx, o, &m)) || (s = learn(ctx, MDLDM_STAGE_AUTOENCODER, m, d, o)) ||
        (s = learn(ctx, MDLDM_STAGE_DIFFUSION, m, d, o)) || (s = mdldm_sampler_create(ctx, m, o, &t)) ||
        (s = mdldm_generate(ctx, t, MADE, SIDE, SIDE, person, 0, made, MADE * AREA)) || /* of person[0..5] */
        (s = mdldm_pixels_to_db(ctx, made, MADE * AREA, -50, 0, made, MADE * AREA)))
        printf("%s: %s\n", mdldm_status_name(s), mdldm_context_error(ctx)); /* what, which value, what is right */
    for (int i = 0; s == MDLDM_OK && i < MADE; i++)
        printf("new matrix of person %d: torso %.1f dB, background %.1f dB\n", (int)person[i],
               (double)made[i * AREA + 24 * SIDE], (double)made[i * AREA + 62 * SIDE]);
    mdldm_sampler_free(t), mdldm_model_free(m), mdldm_dataset_free(d), mdldm_options_free(o), mdldm_context_free(ctx);
    return s != MDLDM_OK;
}
