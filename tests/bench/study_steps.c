/* SPDX-License-Identifier: MIT
 * How few steps give the same image: the final latents of each solver at a few steps against those of
 * DDIM with eta 0 at 1000 steps from the same noise, which follows the probability flow closely
 * (Song, Meng and Ermon 2021). Clamping of the predicted clean latent is off everywhere but in the rows that say so: it
 * is no part of the flow, and the multistep solvers have none.
 *
 *   study_steps MODEL SHEET.png [IMAGES [GUIDANCE]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/common/sheet.h"
#include "mdldm/mdldm.h"

enum { MAX_IMAGES = 64, COUNTS = 6, FULL = 1000 };

static const int counts[COUNTS] = {5, 10, 15, 20, 25, 50};

typedef struct solver {
    const char *scheduler, *spacing, *order, *karras, *clip;
    uint32_t on_sheet; /* bits of counts to show */
} solver;

static const solver solvers[] = {
    {"ddim", "leading", "0", "no", "no", 1 << 1 | 1 << 4},
    {"ddim", "linspace", "0", "no", "no", 0},
    {"ddim", "trailing", "0", "no", "no", 0},
    {"ddim", "leading", "0", "no", "yes", 0},
    {"pndm", "leading", "0", "no", "no", 0},
    {"pndm", "trailing", "0", "no", "no", 0},
    {"lms", "leading", "0", "no", "no", 1 << 1},
    {"lms", "linspace", "0", "no", "no", 0},
    {"lms", "trailing", "0", "no", "no", 0},
    {"euler", "leading", "0", "no", "no", 0},
    {"euler", "linspace", "0", "no", "no", 0},
    {"euler", "trailing", "0", "no", "no", 0},
    {"euler", "linspace", "0", "yes", "no", 0},
    {"lms", "linspace", "0", "yes", "no", 0},
    {"dpmsolver++", "leading", "2", "no", "no", 0},
    {"dpmsolver++", "linspace", "2", "no", "no", 0},
    {"dpmsolver++", "trailing", "2", "no", "no", 0},
    {"dpmsolver++", "linspace", "2", "yes", "no", 1 << 1 | 1 << 2 | 1 << 3},
    {"dpmsolver++", "linspace", "3", "no", "no", 0},
    {"dpmsolver++", "linspace", "3", "yes", "no", 0},
};

typedef struct study {
    mdldm_context *ctx;
    mdldm_model *model;
    int64_t images, side, resolution, channels, classes;
    const char *guidance;
    int64_t labels[MAX_IMAGES];
    float *latent, *reference, *pixels, *reference_pixels;
    size_t latent_count, pixel_count;
    sheet grid;
    uint8_t *rgb, *cell;
    int64_t zoom;
    int row;
} study;

static void must(study *s, mdldm_status status)
{
    if (status != MDLDM_OK) {
        fprintf(stderr, "study_steps: %s\n", mdldm_context_error(s->ctx));
        exit(1);
    }
}

/* The solver's latents of all images into s->latent; returns the number of UNet evaluations of one image. */
static int64_t run(study *s, const solver *v, int steps)
{
    mdldm_options *options = NULL;
    mdldm_sampler *sampler = NULL;
    char text[16];
    snprintf(text, sizeof text, "%d", steps);
    const char *const pairs[][2] = {{"scheduler", v->scheduler}, {"timestep_spacing", v->spacing},
                                    {"solver_order", v->order},  {"use_karras_sigmas", v->karras},
                                    {"clip_sample", v->clip},    {"num_inference_steps", text},
                                    {"guidance_scale", s->guidance}, {"seed", "7"}};
    must(s, mdldm_options_create(s->ctx, &options));
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        must(s, mdldm_options_parse(s->ctx, options, pairs[i][0], pairs[i][1]));
    must(s, mdldm_sampler_create(s->ctx, s->model, options, &sampler));
    must(s, mdldm_sampler_noise(s->ctx, sampler, s->images, s->side, s->side, 0, s->latent, s->latent_count));
    const int64_t count = mdldm_sampler_steps(sampler);
    for (int64_t i = 0; i < count; i++)
        must(s, mdldm_denoise_step(s->ctx, sampler, s->latent, s->images, s->side, s->side,
                                   s->classes > 0 ? s->labels : NULL, 0, i));
    mdldm_sampler_free(sampler);
    mdldm_options_free(options);
    must(s, mdldm_decode(s->ctx, s->model, s->latent, s->images, s->side, s->side, s->pixels, s->pixel_count));
    return count;
}

/* Relative L2 distance of all latents from the reference, and mean PSNR of the pictures (range 2). */
static void compare(const study *s, double *error, double *psnr)
{
    double difference = 0.0, size = 0.0;
    for (size_t i = 0; i < s->latent_count; i++) {
        difference += pow((double)s->latent[i] - (double)s->reference[i], 2.0);
        size += pow((double)s->reference[i], 2.0);
    }
    *error = sqrt(difference / size);
    *psnr = 0.0;
    const size_t each = s->pixel_count / (size_t)s->images;
    for (size_t k = 0; k < (size_t)s->images; k++) {
        double sum = 0.0;
        for (size_t i = k * each; i < (k + 1) * each; i++) {
            const double a = fmin(fmax((double)s->pixels[i], -1.0), 1.0);
            const double b = fmin(fmax((double)s->reference_pixels[i], -1.0), 1.0);
            sum += (a - b) * (a - b);
        }
        *psnr += 10.0 * log10(4.0 / (sum / (double)each + 1e-12)) / (double)s->images;
    }
}

/* Every pixel drawn zoom x zoom, so that labels find room beside small pictures. */
static void show(study *s, const char *label)
{
    const int64_t side = s->resolution * s->zoom;
    must(s, mdldm_pixels_to_rgb8(s->ctx, s->pixels, s->images, s->resolution, s->resolution, s->rgb, s->pixel_count));
    for (int64_t k = 0; k < s->images; k++) {
        const uint8_t *from = s->rgb + k * s->resolution * s->resolution * 3;
        for (int64_t i = 0; i < side * side; i++)
            memcpy(s->cell + 3 * i, from + 3 * (i / side / s->zoom * s->resolution + i % side / s->zoom), 3);
        sheet_put(&s->grid, s->row, (int)k, s->cell);
    }
    sheet_label(&s->grid, s->row++, label);
}

static void open_study(study *s, const char *folder)
{
    int64_t factor = 1;
    int rows = 3;
    must(s, mdldm_context_create(&s->ctx));
    must(s, mdldm_model_load(s->ctx, folder, &s->model));
    must(s, mdldm_model_get_int(s->ctx, s->model, "resolution", &s->resolution));
    must(s, mdldm_model_get_int(s->ctx, s->model, "latent_channels", &s->channels));
    must(s, mdldm_model_get_int(s->ctx, s->model, "latent_factor", &factor));
    must(s, mdldm_model_get_int(s->ctx, s->model, "num_classes", &s->classes));
    s->side = s->resolution / factor;
    s->latent_count = (size_t)(s->images * s->channels * s->side * s->side);
    s->pixel_count = (size_t)(s->images * 3 * s->resolution * s->resolution);
    s->latent = malloc(s->latent_count * sizeof(float));
    s->reference = malloc(s->latent_count * sizeof(float));
    s->pixels = malloc(s->pixel_count * sizeof(float));
    s->reference_pixels = malloc(s->pixel_count * sizeof(float));
    s->rgb = malloc(s->pixel_count);
    s->zoom = s->resolution < 128 ? 128 / s->resolution : 1;
    const int64_t cell = s->resolution * s->zoom;
    s->cell = malloc((size_t)(3 * cell * cell));
    for (int64_t k = 0; k < s->images; k++)
        s->labels[k] = s->classes > 0 ? k % s->classes : 0;
    for (size_t i = 0; i < sizeof solvers / sizeof *solvers; i++)
        for (int k = 0; k < COUNTS; k++)
            rows += (int)(solvers[i].on_sheet >> k & 1);
    if (s->latent == NULL || s->reference == NULL || s->pixels == NULL || s->reference_pixels == NULL ||
        s->rgb == NULL || s->cell == NULL || !sheet_init(&s->grid, rows, (int)s->images, (int)cell, (int)cell, 17)) {
        fprintf(stderr, "study_steps: no memory for %lld images\n", (long long)s->images);
        exit(1);
    }
}

static void name_of(const solver *v, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s, %s%s%s", v->scheduler, v->order[0] == '0' ? "" : " order ",
             v->order[0] == '0' ? "" : v->order, v->spacing, strcmp(v->karras, "yes") == 0 ? ", Karras" : "",
             strcmp(v->clip, "yes") == 0 ? ", clamped" : "");
}

/* A line of the table: "relative error / PSNR" at each number of steps. */
static void study_solver(study *s, const solver *v)
{
    char name[80], label[96];
    double error, psnr;
    name_of(v, name, sizeof name);
    printf("| %s |", name);
    for (int k = 0; k < COUNTS; k++) {
        const int64_t evaluations = run(s, v, counts[k]);
        compare(s, &error, &psnr);
        if (evaluations == counts[k])
            printf(" %.3f / %.1f |", error, psnr);
        else
            printf(" %.3f / %.1f (%lld) |", error, psnr, (long long)evaluations);
        fflush(stdout);
        if (v->on_sheet >> k & 1) {
            snprintf(label, sizeof label, "%s\n%s, %d steps\n%.1f dB", v->scheduler,
                     strcmp(v->karras, "yes") == 0 ? "Karras" : v->spacing, counts[k], psnr);
            show(s, label);
        }
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    static study s;
    static const solver flow = {"ddim", "leading", "0", "no", "no", 0},
                        ancestor = {"ddpm", "leading", "0", "no", "no", 0},
                        clamped = {"ddpm", "leading", "0", "no", "yes", 0};
    char title[120];
    if (argc < 3) {
        fprintf(stderr, "study_steps MODEL SHEET.png [IMAGES [GUIDANCE]]\n");
        return 2;
    }
    s.images = argc > 3 ? atoi(argv[3]) : 8;
    s.guidance = argc > 4 ? argv[4] : "1";
    if (s.images < 1 || s.images > MAX_IMAGES) {
        fprintf(stderr, "study_steps: 1 to %d images are expected\n", MAX_IMAGES);
        return 2;
    }
    open_study(&s, argv[1]);
    run(&s, &flow, FULL);
    memcpy(s.reference, s.latent, s.latent_count * sizeof(float));
    memcpy(s.reference_pixels, s.pixels, s.pixel_count * sizeof(float));
    show(&s, "ddim\n1000 steps\nreference");
    run(&s, &ancestor, FULL);
    show(&s, "ddpm\n1000 steps\nnoise anew");
    run(&s, &clamped, FULL);
    show(&s, "ddpm\n1000 steps\nclamped");
    printf("%lld images, guidance %s; relative L2 error of the latents / mean PSNR of the pictures in dB; "
           "(UNet evaluations where they are more than the steps)\n\n| solver, spacing |",
           (long long)s.images, s.guidance);
    for (int k = 0; k < COUNTS; k++)
        printf(" %d |", counts[k]);
    printf("\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof solvers / sizeof *solvers; i++)
        study_solver(&s, &solvers[i]);
    snprintf(title, sizeof title, "Same noise in each column, guidance %s; dB: PSNR to the reference", s.guidance);
    sheet_title(&s.grid, title);
    must(&s, mdldm_image_write(s.ctx, argv[2], s.grid.rgb, s.grid.height, s.grid.width));
    sheet_free(&s.grid);
    free(s.latent);
    free(s.reference);
    free(s.pixels);
    free(s.reference_pixels);
    free(s.rgb);
    free(s.cell);
    mdldm_model_free(s.model);
    mdldm_context_free(s.ctx);
    return 0;
}
