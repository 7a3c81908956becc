/* SPDX-License-Identifier: MIT
 * mdldm-generate: new spectrograms of each person from a trained model, and a labelled contact sheet. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/paths.h"
#include "common/progress.h"
#include "common/samples.h"
#include "common/sheet.h"

/* Image i of class l draws its noise as image l * CLASS_STRIDE + i of the seed: the same picture whatever
 * the batch size, the number of images and the other classes asked for. */
#define CLASS_STRIDE 1000000

static const cli_flag flags[] = {
    { "model_path", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "model directory that mdldm-train (or diffusers) wrote; needed" },
    { "output_dir", MDLDM_OPTION_STRING, "generated_images", 0, 0, "", "path", "the images and sheet.png go here" },
    { "num_images", MDLDM_OPTION_INT, "16", 1, CLASS_STRIDE, "", "images", "how many; of each class with --class_label all" },
    { "batch_size", MDLDM_OPTION_INT, "16", 1, 4096, "", "images", "images made at once; changes speed and memory, not the images" },
    { "class_label", MDLDM_OPTION_STRING, "all", 0, 0, "", "", "the class' name or number, or all" },
    { "resolution", MDLDM_OPTION_INT, "0", 0, 4096, "", "pixels", "side of the images; 0: the model's" },
    { "grid", MDLDM_OPTION_STRING, "", 0, 0, "", "", "rows and columns of the sheet per class, 2x8 say; no default: one row of at most 8 per class, a square without classes" },
    { "colormap", MDLDM_OPTION_STRING, "grey", 0, 0, "grey|jet|viridis|parula-like|turbo", "", "colours for the images of a model of one channel; with grey the files are grey PNGs" },
    { "real_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "data set whose images stand above the generated ones of their class on the sheet" },
};

static const cli_program program = {
    .name = "mdldm-generate",
    .summary = "Draws new spectrograms from a trained model. Files are CLASS_INDEX_seedSEED.png; sheet.png shows "
               "them together, a row per class.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .needed = " model_path ",
    .scopes = MDLDM_SCOPE_SAMPLE,
    .inference = 1,
};

typedef struct generation {
    const cli *c;
    mdldm_model *model;
    mdldm_sampler *sampler;
    mdldm_dataset *real;
    const char *folder;
    int64_t first_class, classes; /* classes to draw; first_class -1: the model has none */
    int64_t images, batch, side, channels;
    int rows, columns; /* of the sheet, per class, generated ones */
    sheet grid;
    uint8_t *rgb;  /* one batch */
    uint8_t *grey; /* one image, NULL when files are RGB */
    progress bar;
    int64_t done_images, batch_images;
} generation;

/* Progress of the library within a batch, as image steps of the whole run. */
static int32_t on_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    generation *g = user;
    char note[64];

    if (total > 0 && strcmp(stage, "denoise") == 0) {
        int64_t steps = mdldm_sampler_steps(g->sampler);

        snprintf(note, sizeof note, "step %lld/%lld", (long long)done, (long long)total);
        progress_update(&g->bar, g->done_images * steps + g->batch_images * done * steps / total, note);
    }
    return 0;
}

static void class_name(const generation *g, int64_t label, char *text, size_t size)
{
    const char *name = label >= 0 ? mdldm_model_class_name(g->model, label) : NULL;

    if (name != NULL) {
        snprintf(text, size, "%s", name);
    } else if (label >= 0) {
        snprintf(text, size, "class%lld", (long long)label);
    } else {
        snprintf(text, size, "image");
    }
}

/* --class_label to a range of classes. */
static int choose_classes(generation *g)
{
    const char *wanted = cli_text(g->c, "class_label");
    int64_t count = samples_fact(g->c, g->model, "num_classes");
    char *end, known[1024] = "";
    size_t used = 0;

    g->first_class = count > 0 ? 0 : -1;
    g->classes = count > 0 ? count : 1;
    if (strcmp(wanted, "all") == 0) {
        return -1;
    }
    if (count == 0) {
        return cli_usage_error(g->c, "--class_label is %s, but the model has no classes", wanted);
    }
    g->classes = 1;
    for (int64_t i = 0; i < count; i++) {
        const char *name = mdldm_model_class_name(g->model, i);

        if (name != NULL && strcmp(name, wanted) == 0) {
            g->first_class = i;
            return -1;
        }
        if (name != NULL && used < sizeof known) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", name);
        }
    }
    g->first_class = strtoll(wanted, &end, 10);
    if (end == wanted || *end != '\0' || g->first_class < 0 || g->first_class >= count) {
        return cli_usage_error(g->c, "--class_label is %s: all, 0 to %lld%s%s is expected", wanted, (long long)count - 1,
                               known[0] != '\0' ? " or one of " : "", known);
    }
    return -1;
}

static int choose_grid(generation *g)
{
    const char *text = cli_text(g->c, "grid");
    char rest;

    if (text[0] != '\0') {
        if (sscanf(text, "%dx%d%c", &g->rows, &g->columns, &rest) != 2 || g->rows < 1 || g->columns < 1 ||
            g->rows > 1000 || g->columns > 1000) {
            return cli_usage_error(g->c, "--grid is %s: rows and columns, 2x8 say, are expected", text);
        }
    } else if (g->first_class >= 0) {
        g->rows = 1;
        g->columns = g->images < 8 ? (int)g->images : 8;
    } else {
        for (g->columns = 1; (int64_t)g->columns * g->columns < g->images && g->columns < 32; g->columns++) {
        }
        g->rows = (int)((g->images + g->columns - 1) / g->columns);
        g->rows = g->rows > 32 ? 32 : g->rows;
    }
    return -1;
}

/* Rows of the sheet that one class takes. */
static int class_rows(const generation *g)
{
    return g->rows + (g->real != NULL);
}

/* Images of the data set from the class of the same name, spread evenly, into the sheet. */
static mdldm_status put_real_row(generation *g, int64_t label, int row, const char *name)
{
    int64_t count = mdldm_dataset_count(g->real), matching = 0, seen = 0;
    int column = 0;
    mdldm_status s = MDLDM_OK;

    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; s == MDLDM_OK && i < count && column < g->columns; i++) {
            int64_t item_label = mdldm_dataset_item_label(g->real, i);
            const char *item_class = item_label >= 0 ? mdldm_dataset_class_name(g->real, item_label) : NULL;

            if (label >= 0 && (item_class == NULL || strcmp(item_class, name) != 0)) {
                continue;
            }
            if (pass == 0) {
                matching++;
            } else if (seen++ >= column * matching / g->columns) {
                s = mdldm_dataset_read_rgb8(g->c->ctx, g->real, i, g->rgb, (size_t)(g->side * g->side * 3));
                sheet_put(&g->grid, row, column++, g->rgb);
            }
        }
    }
    if (s == MDLDM_OK && matching == 0) {
        cli_say(g->c, "warning: %s has no images of class %s", cli_text(g->c, "real_dir"), name);
    }
    return s;
}

static mdldm_status write_image(const generation *g, const char *name, int64_t index, const uint8_t *rgb)
{
    char plain[256], path[4096];

    paths_plain_name(name, plain, sizeof plain);
    snprintf(path, sizeof path, "%s/%s_%04lld_seed%lld.png", g->folder, plain, (long long)index,
             (long long)cli_option_integer(g->c, "seed"));
    if (g->grey == NULL) {
        return mdldm_image_write(g->c->ctx, path, rgb, g->side, g->side);
    }
    for (int64_t i = 0; i < g->side * g->side; i++) {
        g->grey[i] = rgb[3 * i];
    }
    return mdldm_image_write_grey8(g->c->ctx, path, g->grey, g->side, g->side);
}

static mdldm_status draw_class(generation *g, int64_t label, int row)
{
    int64_t pixels = g->side * g->side * 3;
    char name[200], text[240];
    mdldm_status s = MDLDM_OK;

    class_name(g, label, name, sizeof name);
    if (g->real != NULL) {
        s = put_real_row(g, label, row, name);
        snprintf(text, sizeof text, "%s\nreal", name);
        sheet_label(&g->grid, row, text);
    }
    snprintf(text, sizeof text, "%s\n%s", name, g->real != NULL ? "generated" : "");
    sheet_label(&g->grid, row + class_rows(g) - g->rows, text);
    for (int64_t i = 0; s == MDLDM_OK && i < g->images; i += g->batch_images) {
        g->batch_images = g->images - i < g->batch ? g->images - i : g->batch;
        s = samples_generate(g->c, g->sampler, cli_text(g->c, "colormap"), g->channels, label,
                             (label > 0 ? label : 0) * CLASS_STRIDE + i, g->batch_images, g->side, g->side, g->rgb);
        for (int64_t k = 0; s == MDLDM_OK && k < g->batch_images; k++) {
            int64_t place = i + k;

            s = write_image(g, name, place, g->rgb + k * pixels);
            if (place < (int64_t)g->rows * g->columns) {
                sheet_put(&g->grid, row + class_rows(g) - g->rows + (int)(place / g->columns),
                          (int)(place % g->columns), g->rgb + k * pixels);
            }
        }
        g->done_images += g->batch_images;
    }
    return s;
}

static mdldm_status write_sheet(generation *g)
{
    char path[4096], title[200];
    const char *scheduler = cli_option_text(g->c, "scheduler"), *prediction = "";
    double guidance = 1.0;

    mdldm_options_get_double(g->c->ctx, g->c->options, "guidance_scale", &guidance);
    if (!mdldm_options_is_set(g->c->options, "scheduler") &&
        mdldm_model_get_string(g->c->ctx, g->model, "prediction_type", &prediction) == MDLDM_OK &&
        strcmp(prediction, "flow_prediction") == 0) {
        scheduler = "flow matching";
    }
    snprintf(title, sizeof title, "%s, %lld steps, guidance %g, seed %lld", scheduler,
             (long long)mdldm_sampler_steps(g->sampler), guidance, (long long)cli_option_integer(g->c, "seed"));
    sheet_title(&g->grid, title);
    snprintf(path, sizeof path, "%s/sheet.png", g->folder);
    return mdldm_image_write(g->c->ctx, path, g->grid.rgb, g->grid.height, g->grid.width);
}

static mdldm_status open_real(generation *g)
{
    const char *path = cli_text(g->c, "real_dir");

    if (path[0] == '\0') {
        return MDLDM_OK;
    }
    mdldm_status s = mdldm_options_set_int(g->c->ctx, g->c->options, "resolution", g->side);
    return s == MDLDM_OK ? mdldm_dataset_open(g->c->ctx, path, g->c->options, &g->real) : s;
}

static int longest_name(const generation *g)
{
    char name[200];
    int longest = 9; /* "generated" */

    for (int64_t i = 0; i < g->classes; i++) {
        class_name(g, g->first_class + i, name, sizeof name);
        longest = (int)strlen(name) > longest ? (int)strlen(name) : longest;
    }
    return longest > 32 ? 32 : longest;
}

static int run(generation *g)
{
    const cli *c = g->c;
    mdldm_status s = mdldm_model_load(c->ctx, cli_text(c, "model_path"), &g->model);

    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    g->folder = cli_text(c, "output_dir");
    g->images = cli_integer(c, "num_images");
    g->batch = cli_integer(c, "batch_size") < g->images ? cli_integer(c, "batch_size") : g->images;
    g->side = cli_integer(c, "resolution") > 0 ? cli_integer(c, "resolution") : samples_fact(c, g->model, "resolution");
    int code = choose_classes(g);
    if (code < 0) {
        code = choose_grid(g);
    }
    if (code >= 0) {
        return code;
    }
    s = mdldm_sampler_create(c->ctx, g->model, c->options, &g->sampler);
    if (s == MDLDM_OK) {
        s = open_real(g);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    if (!paths_make_folder(g->folder)) {
        return cli_error(c, "cannot make the folder %s: %s", g->folder, strerror(errno));
    }
    g->rgb = malloc((size_t)(g->batch * g->side * g->side * 3));
    g->channels = samples_fact(c, g->model, "image_channels");
    int grey = g->channels == 1 && strcmp(cli_text(c, "colormap"), "grey") == 0;
    g->grey = grey ? malloc((size_t)(g->side * g->side)) : NULL;
    if (g->rgb == NULL || (grey && g->grey == NULL) || !sheet_init(&g->grid, class_rows(g) * (int)g->classes, g->columns, (int)g->side,
                                      (int)g->side, longest_name(g))) {
        return cli_error(c, "no memory for the sheet; --grid makes it smaller");
    }
    progress_start(&g->bar, "generate", "image steps", 0, g->classes * g->images * mdldm_sampler_steps(g->sampler),
                   c->quiet);
    mdldm_context_set_progress(c->ctx, on_progress, g);
    for (int64_t k = 0; s == MDLDM_OK && k < g->classes; k++) {
        s = draw_class(g, g->first_class + k, (int)k * class_rows(g));
    }
    if (s == MDLDM_OK) {
        s = write_sheet(g);
    }
    progress_break(&g->bar);
    mdldm_context_set_progress(c->ctx, NULL, NULL);
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    cli_say(c, "%lld images and sheet.png are in %s", (long long)(g->classes * g->images), g->folder);
    return 0;
}

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    generation g = { .c = &c };
    cli_catch_interrupt(&c, 1);
    code = run(&g);
    sheet_free(&g.grid);
    free(g.grey);
    free(g.rgb);
    mdldm_dataset_free(g.real);
    mdldm_sampler_free(g.sampler);
    mdldm_model_free(g.model);
    cli_end(&c);
    return code;
}
