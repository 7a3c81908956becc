/* SPDX-License-Identifier: MIT
 * study_int8 MODEL QUANTISED [IMAGES [STEPS]]: how far bf16 and the eight-bit model stray from MODEL in f32 on
 * trajectories from the same noise, as a Markdown table. Deterministic DDIM, so that every difference is
 * arithmetic's. Public interface only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdldm/mdldm.h"

typedef struct study {
    mdldm_context *ctx;
    int64_t images, steps, classes, channels, side, resolution;
    size_t latent, pixels; /* floats of one image */
    float *reference;      /* [steps][images][latent] */
    float *reference_pixels; /* [images][pixels] */
} study;

static int fail(const study *s, const char *what)
{
    fprintf(stderr, "study_int8: %s: %s\n", what, mdldm_context_error(s->ctx));
    return 0;
}

static double relative(const float *a, const float *b, size_t count)
{
    double difference = 0.0, size = 0.0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / size);
}

/* In dB for 8-bit pictures: both are clamped to [-1, 1], as the files are. */
static double psnr(const float *a, const float *b, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double x = fmin(1.0, fmax(-1.0, (double)a[i])), y = fmin(1.0, fmax(-1.0, (double)b[i]));
        sum += (x - y) * (x - y) / 4.0;
    }
    return sum > 0.0 ? -10.0 * log10(sum / (double)count) : INFINITY;
}

/* Runs all images; as the reference keeps everything, else prints a row. */
static int run(study *s, mdldm_model *m, const char *precision, const char *row)
{
    enum { MARKS = 4 };
    mdldm_options *options = NULL;
    mdldm_sampler *sampler = NULL;
    double at[MARKS] = {0}, worst = 0.0, mean = 0.0, least = INFINITY;
    float *latent = malloc(s->latent * sizeof *latent), *pixels = malloc(s->pixels * sizeof *pixels);
    int ok = latent != NULL && pixels != NULL &&
             mdldm_context_set_precision(s->ctx, precision) == MDLDM_OK &&
             mdldm_options_create(s->ctx, &options) == MDLDM_OK &&
             mdldm_options_set_string(s->ctx, options, "scheduler", "ddim") == MDLDM_OK &&
             mdldm_options_set_int(s->ctx, options, "num_inference_steps", s->steps) == MDLDM_OK &&
             mdldm_options_set_int(s->ctx, options, "seed", 20) == MDLDM_OK &&
             mdldm_sampler_create(s->ctx, m, options, &sampler) == MDLDM_OK;
    for (int64_t k = 0; ok && k < s->images; k++) {
        int64_t label = s->classes > 0 ? k % s->classes : 0;
        const int64_t *labels = s->classes > 0 ? &label : NULL;
        ok = mdldm_sampler_noise(s->ctx, sampler, 1, s->side, s->side, k, latent, s->latent) == MDLDM_OK;
        for (int64_t step = 0; ok && step < s->steps; step++) {
            ok = mdldm_denoise_step(s->ctx, sampler, latent, 1, s->side, s->side, labels, k, step) == MDLDM_OK;
            float *same = s->reference + ((size_t)step * (size_t)s->images + (size_t)k) * s->latent;
            if (row == NULL)
                memcpy(same, latent, s->latent * sizeof *latent);
            else
                for (int mark = 0; mark < MARKS; mark++)
                    if (step + 1 == s->steps * (mark + 1) / MARKS) {
                        double d = relative(latent, same, s->latent);
                        at[mark] += d / (double)s->images;
                        worst = mark == MARKS - 1 && d > worst ? d : worst;
                    }
        }
        float *picture = s->reference_pixels + (size_t)k * s->pixels;
        ok = ok && mdldm_context_set_precision(s->ctx, "f32") == MDLDM_OK && /* the UNet alone is compared */
             mdldm_decode(s->ctx, m, latent, 1, s->side, s->side, row == NULL ? picture : pixels, s->pixels) ==
                 MDLDM_OK &&
             mdldm_context_set_precision(s->ctx, precision) == MDLDM_OK;
        if (ok && row != NULL) {
            double db = psnr(pixels, picture, s->pixels);
            mean += db / (double)s->images;
            least = db < least ? db : least;
        }
    }
    if (ok && row != NULL)
        printf("| %s | %.4f | %.4f | %.4f | %.4f | %.4f | %.1f | %.1f |\n", row, at[0], at[1], at[2], at[3], worst,
               mean, least);
    mdldm_sampler_free(sampler);
    mdldm_options_free(options);
    free(latent);
    free(pixels);
    return ok ? 1 : fail(s, row != NULL ? row : "f32");
}

static int64_t fact(const study *s, const mdldm_model *m, const char *key)
{
    int64_t value = 0;
    mdldm_model_get_int(s->ctx, m, key, &value);
    return value;
}

static int compare(study *s, mdldm_model *m, mdldm_model *q)
{
    s->classes = fact(s, m, "num_classes");
    s->channels = fact(s, m, "latent_channels");
    s->side = fact(s, m, "sample_size");
    s->resolution = s->side * fact(s, m, "latent_factor");
    s->latent = (size_t)(s->channels * s->side * s->side);
    s->pixels = (size_t)(3 * s->resolution * s->resolution);
    s->reference = malloc((size_t)(s->images * s->steps) * s->latent * sizeof(float));
    s->reference_pixels = malloc((size_t)s->images * s->pixels * sizeof(float));
    if (s->reference == NULL || s->reference_pixels == NULL)
        return 0;
    if (!run(s, m, "f32", NULL))
        return 0;
    printf("%lld images, %lld steps of DDIM; distance of latents |x - x_f32| / |x_f32|\n\n"
           "| | after 1/4 | 1/2 | 3/4 | all steps | worst image | PSNR, dB | worst image |\n"
           "|---|---|---|---|---|---|---|---|\n",
           (long long)s->images, (long long)s->steps);
    return run(s, m, "bf16", "bf16") && run(s, q, "f32", "int8, rest f32") && run(s, q, "bf16", "int8, rest bf16");
}

int main(int argc, char **argv)
{
    study s = {.images = argc > 3 ? atoll(argv[3]) : 8, .steps = argc > 4 ? atoll(argv[4]) : 20};
    mdldm_model *m = NULL, *q = NULL;
    if (argc < 3 || s.images < 1 || s.steps < 4) {
        fprintf(stderr, "usage: study_int8 MODEL QUANTISED [IMAGES [STEPS]]\n");
        return 2;
    }
    int ok = mdldm_context_create(&s.ctx) == MDLDM_OK;
    ok = ok && ((mdldm_model_load(s.ctx, argv[1], &m) == MDLDM_OK &&
                 mdldm_model_load(s.ctx, argv[2], &q) == MDLDM_OK) ||
                fail(&s, "loading"));
    ok = ok && compare(&s, m, q);
    free(s.reference);
    free(s.reference_pixels);
    mdldm_model_free(m);
    mdldm_model_free(q);
    mdldm_context_free(s.ctx);
    return ok ? 0 : 1;
}
