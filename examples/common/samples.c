/* SPDX-License-Identifier: MIT */
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sheet.h"

int64_t samples_fact(const cli *c, const mdldm_model *m, const char *key)
{
    int64_t value = 0;

    mdldm_model_get_int(c->ctx, m, key, &value);
    return value;
}

mdldm_status samples_to_rgb8(const cli *c, const char *colormap, const float *pixels, int64_t channels, int64_t n,
                             int64_t height, int64_t width, uint8_t *rgb)
{
    size_t count = (size_t)(n * height * width);

    if (channels != 1) {
        return mdldm_pixels_to_rgb8(c->ctx, pixels, n, height, width, rgb, 3 * count);
    }
    if (strcmp(colormap, "grey") != 0) {
        return mdldm_colormap_apply(c->ctx, colormap, pixels, count, -1.0f, 1.0f, rgb, 3 * count);
    }
    mdldm_status s = mdldm_pixels_to_grey8(c->ctx, pixels, n, height, width, rgb, count);
    for (size_t i = count; s == MDLDM_OK && i-- > 0;) { /* from the end, so that none is overwritten too early */
        memset(rgb + 3 * i, rgb[i], 3);
    }
    return s;
}

mdldm_status samples_generate(const cli *c, mdldm_sampler *sampler, const char *colormap, int64_t channels,
                              int64_t label, int64_t first_index, int64_t n, int64_t height, int64_t width,
                              uint8_t *rgb)
{
    size_t count = (size_t)(n * channels * height * width);
    float *pixels = malloc(count * sizeof *pixels);
    int64_t *labels = malloc((size_t)n * sizeof *labels);
    mdldm_status s = MDLDM_ERROR_OUT_OF_MEMORY;

    if (pixels != NULL && labels != NULL) {
        for (int64_t i = 0; i < n; i++) {
            labels[i] = label;
        }
        s = mdldm_generate(c->ctx, sampler, n, height, width, label >= 0 ? labels : NULL, first_index, pixels, count);
        if (s == MDLDM_OK) {
            s = samples_to_rgb8(c, colormap, pixels, channels, n, height, width, rgb);
        }
    }
    free(labels);
    free(pixels);
    return s;
}

/* A sampler for the grids that training writes: the table's defaults but the steps. */
static mdldm_status grid_sampler(const cli *c, mdldm_model *m, mdldm_sampler **out)
{
    mdldm_options *o = NULL;
    mdldm_status s = mdldm_options_create(c->ctx, &o);

    if (s == MDLDM_OK) {
        s = mdldm_options_set_int(c->ctx, o, "num_inference_steps", cli_option_integer(c, "ddpm_num_inference_steps"));
    }
    if (s == MDLDM_OK) {
        s = mdldm_options_set_int(c->ctx, o, "seed", cli_option_integer(c, "seed"));
    }
    if (s == MDLDM_OK) {
        s = mdldm_sampler_create(c->ctx, m, o, out);
    }
    mdldm_options_free(o);
    return s;
}

static void label_of(const mdldm_model *m, int64_t label, char *text, size_t size)
{
    const char *name = label >= 0 ? mdldm_model_class_name(m, label) : NULL;

    if (name != NULL) {
        snprintf(text, size, "%s", name);
    } else if (label >= 0) {
        snprintf(text, size, "class %lld", (long long)label);
    } else {
        snprintf(text, size, " ");
    }
}

mdldm_status samples_write_grid(const cli *c, mdldm_model *m, const char *path, const char *title)
{
    int64_t classes = samples_fact(c, m, "num_classes"), side = samples_fact(c, m, "resolution");
    int64_t rows = classes > 0 ? classes : 1;
    int64_t columns = cli_option_integer(c, "eval_batch_size") / rows;
    mdldm_sampler *sampler = NULL;
    sheet grid = { 0 };
    uint8_t *rgb = NULL;
    char text[64];

    columns = columns < 1 ? 1 : columns > 8 ? 8 : columns;
    mdldm_status s = grid_sampler(c, m, &sampler);
    rgb = malloc((size_t)(columns * side * side * 3));
    if (s == MDLDM_OK && (rgb == NULL || !sheet_init(&grid, (int)rows, (int)columns, (int)side, (int)side, 12))) {
        s = MDLDM_ERROR_OUT_OF_MEMORY;
    }
    for (int64_t row = 0; s == MDLDM_OK && row < rows; row++) {
        int64_t label = classes > 0 ? row : -1;

        s = samples_generate(c, sampler, "grey", samples_fact(c, m, "image_channels"), label, row * columns, columns, side,
                             side, rgb);
        label_of(m, label, text, sizeof text);
        sheet_label(&grid, (int)row, text);
        for (int64_t k = 0; s == MDLDM_OK && k < columns; k++) {
            sheet_put(&grid, (int)row, (int)k, rgb + k * side * side * 3);
        }
    }
    if (s == MDLDM_OK) {
        sheet_title(&grid, title);
        s = mdldm_image_write(c->ctx, path, grid.rgb, grid.height, grid.width);
    }
    sheet_free(&grid);
    free(rgb);
    mdldm_sampler_free(sampler);
    return s;
}

/* One image of the data set through the autoencoder and back. */
static mdldm_status reconstruct(const cli *c, const mdldm_model *m, int64_t side, const float *pixels, float *latent,
                                size_t capacity, float *output)
{
    int64_t factor = samples_fact(c, m, "latent_factor");
    mdldm_status s = mdldm_encode(c->ctx, m, pixels, 1, side, side, latent, capacity);

    return s == MDLDM_OK ? mdldm_decode(c->ctx, m, latent, 1, side / factor, side / factor, output,
                                        (size_t)(samples_fact(c, m, "image_channels") * side * side))
                         : s;
}

mdldm_status samples_write_reconstructions(const cli *c, const mdldm_model *m, const mdldm_dataset *d, const char *path,
                                           const char *title)
{
    int64_t side = cli_option_integer(c, "resolution"), count = mdldm_dataset_count(d);
    int64_t columns = count < 8 ? count : 8, factor = samples_fact(c, m, "latent_factor");
    int64_t channels = mdldm_dataset_channels(d);
    size_t values = (size_t)(channels * side * side);
    size_t capacity = (size_t)(samples_fact(c, m, "latent_channels") * (side / factor) * (side / factor));
    float *pixels = malloc(2 * values * sizeof *pixels), *latent = malloc(capacity * sizeof *latent);
    uint8_t *rgb = malloc((size_t)(3 * side * side));
    sheet grid = { 0 };
    mdldm_status s = MDLDM_OK;

    if (pixels == NULL || latent == NULL || rgb == NULL ||
        !sheet_init(&grid, 2, (int)columns, (int)side, (int)side, 12)) {
        s = MDLDM_ERROR_OUT_OF_MEMORY;
    }
    for (int64_t k = 0; s == MDLDM_OK && k < columns; k++) {
        int64_t item = columns > 1 ? k * (count - 1) / (columns - 1) : 0; /* the last: of a held-out block */

        s = mdldm_dataset_read(c->ctx, d, item, pixels, values);
        if (s == MDLDM_OK) {
            s = reconstruct(c, m, side, pixels, latent, capacity, pixels + values);
        }
        for (int row = 0; s == MDLDM_OK && row < 2; row++) {
            s = samples_to_rgb8(c, "grey", pixels + (size_t)row * values, channels, 1, side, side, rgb);
            sheet_put(&grid, row, (int)k, rgb);
        }
    }
    if (s == MDLDM_OK) {
        sheet_label(&grid, 0, "data");
        sheet_label(&grid, 1, "rebuilt");
        sheet_title(&grid, title);
        s = mdldm_image_write(c->ctx, path, grid.rgb, grid.height, grid.width);
    }
    sheet_free(&grid);
    free(rgb);
    free(latent);
    free(pixels);
    return s;
}
