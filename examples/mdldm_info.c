/* SPDX-License-Identifier: MIT
 * mdldm-info: what a model or a data set is; without a path, what this library can use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/json_out.h"
#include "common/latents.h"
#include "common/paths.h"

static const cli_flag flags[] = {
    { "json", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "JSON on standard output, and nothing else" },
    { "tensors", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "list every tensor with its shape" },
    { "latents", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "data set: before stage 2, measure the latents that a model's autoencoder makes of its images, and say what is wrong with them" },
    { "resolution", MDLDM_OPTION_INT, "0", 0, 4096, "", "pixels", "side of the images for MACs and memory; 0: the model's own, or the data set's 256" },
};

static const cli_program program = {
    .name = "mdldm-info",
    .summary = "Prints what a model directory or a data set (folder or .zip) holds: parameters, shapes, "
               "multiply-accumulates, memory, classes, latent scale; with --latents, whether stage 2 can learn a "
               "model's latents. Without PATH: the version and the backends.",
    .positional = "[PATH]",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .scopes = MDLDM_SCOPE_LATENTS,
};

static void print_backends(const cli *c, json_out *j)
{
    if (j != NULL) {
        json_open(j, NULL, '{');
        json_text(j, "version", mdldm_version());
        json_open(j, "backends", '[');
    } else {
        printf("libmdldm %s\nbackends, best first:\n", mdldm_version());
    }
    for (int32_t i = 0; i < mdldm_backend_count(c->ctx); i++) {
        const char *reason = mdldm_backend_reason(c->ctx, i);

        if (j != NULL) {
            json_open(j, NULL, '{');
            json_text(j, "name", mdldm_backend_name(c->ctx, i));
            json_text(j, "description", mdldm_backend_description(c->ctx, i));
            json_truth(j, "available", reason == NULL);
            json_text(j, "reason", reason);
            json_close(j, '}');
        } else {
            printf("  %-10s %s%s%s\n", mdldm_backend_name(c->ctx, i), mdldm_backend_description(c->ctx, i),
                   reason != NULL ? "\n             unavailable: " : "", reason != NULL ? reason : "");
        }
    }
    if (j != NULL) {
        json_close(j, ']');
        json_close(j, '}');
    }
}

static int64_t fact(const cli *c, const mdldm_model *m, const char *key)
{
    int64_t value = 0;

    mdldm_model_get_int(c->ctx, m, key, &value);
    return value;
}

static const char *word(const cli *c, const mdldm_model *m, const char *key)
{
    const char *value = NULL;

    return mdldm_model_get_string(c->ctx, m, key, &value) == MDLDM_OK ? value : NULL;
}

static void print_classes(const mdldm_model *m, int64_t count, json_out *j)
{
    if (j != NULL) {
        json_open(j, "classes", '[');
        for (int64_t i = 0; i < count; i++) {
            json_text(j, NULL, mdldm_model_class_name(m, i));
        }
        json_close(j, ']');
        return;
    }
    printf("classes          %lld", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        const char *name = mdldm_model_class_name(m, i);

        printf("%s%s", i == 0 ? ": " : ", ", name != NULL ? name : "(unnamed)");
    }
    printf("\n");
}

/* The colours that a model of one channel was trained on, and what black and white mean, where it knows. */
static void print_range(const cli *c, const mdldm_model *m, json_out *j)
{
    double low = 0.0, high = 0.0;

    const char *map = "none";

    if (mdldm_model_get_string(c->ctx, m, "colormap", &map) == MDLDM_OK && strcmp(map, "none") != 0) {
        if (j != NULL) {
            json_text(j, "colormap", map);
        } else {
            printf("colour map       %s, undone in training\n", map);
        }
    }
    if (mdldm_model_get_double(c->ctx, m, "db_floor", &low) != MDLDM_OK ||
        mdldm_model_get_double(c->ctx, m, "db_ceiling", &high) != MDLDM_OK) {
        return;
    }
    if (j != NULL) {
        json_number(j, "db_floor", low);
        json_number(j, "db_ceiling", high);
    } else {
        printf("range            %g to %g dB\n", low, high);
    }
}

/* MACs and memory of one image at side x side pixels. */
static void print_cost(const cli *c, const mdldm_model *m, int64_t side, json_out *j)
{
    static const struct {
        const char *what, *part, *label;
    } rows[] = { { "encode", "has_autoencoder", "encode" },
                 { "predict", "has_unet", "denoise step" },
                 { "decode", "has_autoencoder", "decode" } };

    if (j != NULL) {
        json_open(j, "cost", '{');
        json_integer(j, "resolution", side);
    }
    for (int i = 0; i < 3; i++) {
        int64_t macs = 0, bytes = 0;

        if (!fact(c, m, rows[i].part) || mdldm_model_cost(c->ctx, m, rows[i].what, side, side, &macs, &bytes) != MDLDM_OK) {
            continue;
        }
        if (j != NULL) {
            json_open(j, rows[i].what, '{');
            json_integer(j, "macs", macs);
            json_integer(j, "activation_bytes", bytes);
            json_close(j, '}');
        } else {
            printf("%-16s %.3f GMAC, %.1f MB of activations, for one image of %lld x %lld\n", rows[i].label,
                   (double)macs / 1e9, (double)bytes / 1e6, (long long)side, (long long)side);
        }
    }
    if (j != NULL) {
        json_close(j, '}');
    }
}

static void print_tensors(const mdldm_model *m, const char *component, json_out *j)
{
    int64_t count = mdldm_model_tensor_count(m, component);

    if (j != NULL) {
        json_open(j, component, '{');
    } else if (count > 0) {
        printf("%s tensors:\n", component);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t shape[4];
        int32_t rank = mdldm_model_tensor_shape(m, component, i, shape);
        const char *name = mdldm_model_tensor_name(m, component, i);

        if (j != NULL) {
            json_open(j, name, '[');
        } else {
            printf("  %-60s", name);
        }
        for (int32_t k = 0; k < rank; k++) {
            if (j != NULL) {
                json_integer(j, NULL, shape[k]);
            } else {
                printf("%s%lld", k > 0 ? " x " : " ", (long long)shape[k]);
            }
        }
        if (j != NULL) {
            json_close(j, ']');
        } else {
            printf("\n");
        }
    }
    if (j != NULL) {
        json_close(j, '}');
    }
}

/* What --latents asks for; nothing without it. */
static int print_latents(const cli *c, const mdldm_model *m, int64_t side, json_out *j)
{
    const char *path = cli_text(c, "latents");

    return path[0] != '\0' ? latents_print(c, m, path, side, j) : 0;
}

static int model_json(const cli *c, const mdldm_model *m, int64_t side, json_out *j)
{
    int code = 0;

    static const char *const integers[] = { "parameters", "autoencoder_parameters", "unet_parameters", "resolution",
                                            "image_channels", "latent_channels", "latent_factor", "sample_size",
                                            "num_codes", "num_classes", "num_train_timesteps" };
    static const char *const words[] = { "autoencoder_class", "unet_class", "scheduler_class", "prediction_type" };
    static const char *const configs[] = { "autoencoder_config", "unet_config", "scheduler_config" };
    double scale = 0.0;

    json_open(j, NULL, '{');
    json_text(j, "kind", "model");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        json_text(j, words[i], word(c, m, words[i]));
    }
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        json_integer(j, integers[i], fact(c, m, integers[i]));
    }
    json_integer(j, "weight_bytes", 4 * fact(c, m, "parameters"));
    if (mdldm_model_get_double(c->ctx, m, "scaling_factor", &scale) == MDLDM_OK) {
        json_number(j, "scaling_factor", scale);
    }
    print_range(c, m, j);
    print_classes(m, fact(c, m, "num_classes"), j);
    print_cost(c, m, side, j);
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        json_verbatim(j, configs[i], word(c, m, configs[i]));
    }
    if (cli_integer(c, "tensors")) {
        json_open(j, "tensors", '{');
        print_tensors(m, "autoencoder", j);
        print_tensors(m, "unet", j);
        json_close(j, '}');
    }
    code = print_latents(c, m, side, j);
    json_close(j, '}');
    return code;
}

static int model_plain(const cli *c, const mdldm_model *m, const char *path, int64_t side)
{
    int64_t factor = fact(c, m, "latent_factor"), channels = fact(c, m, "latent_channels");
    double scale = 0.0;

    printf("model            %s\n", path);
    if (fact(c, m, "has_autoencoder")) {
        printf("autoencoder      %s, %.3f M parameters", word(c, m, "autoencoder_class"),
               (double)fact(c, m, "autoencoder_parameters") / 1e6);
        if (fact(c, m, "num_codes") > 0) {
            printf(", %lld codes", (long long)fact(c, m, "num_codes"));
        }
        mdldm_model_get_double(c->ctx, m, "scaling_factor", &scale);
        printf("\nlatents          [%lld, %lld, %lld] of [%lld, %lld, %lld] pixels (f = %lld), scaling factor %.6g\n",
               (long long)channels, (long long)(side / factor), (long long)(side / factor),
               (long long)fact(c, m, "image_channels"), (long long)side, (long long)side, (long long)factor, scale);
        print_range(c, m, NULL);
    }
    if (fact(c, m, "has_unet")) {
        printf("unet             %s, %.3f M parameters, sample size %lld\n", word(c, m, "unet_class"),
               (double)fact(c, m, "unet_parameters") / 1e6, (long long)fact(c, m, "sample_size"));
        print_classes(m, fact(c, m, "num_classes"), NULL);
        printf("scheduler        %s, predicts %s, %lld timesteps\n", word(c, m, "scheduler_class"),
               word(c, m, "prediction_type"), (long long)fact(c, m, "num_train_timesteps"));
    }
    if (fact(c, m, "timestep_groups") > 0) {
        printf("quantised        int8, ranges for %lld groups of timesteps\n",
               (long long)fact(c, m, "timestep_groups"));
        printf("memory           %.1f MB of weights\n", (double)fact(c, m, "weight_bytes") / 1e6);
    } else {
        printf("memory           %.1f MB of weights in float32\n", 4.0 * (double)fact(c, m, "parameters") / 1e6);
    }
    print_cost(c, m, side, NULL);
    if (cli_integer(c, "tensors")) {
        print_tensors(m, "autoencoder", NULL);
        print_tensors(m, "unet", NULL);
    }
    return print_latents(c, m, side, NULL);
}

static int describe_model(const cli *c, const char *path, json_out *j)
{
    mdldm_model *m = NULL;
    mdldm_status s = mdldm_model_load(c->ctx, path, &m);

    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    int64_t side = cli_integer(c, "resolution");
    if (side == 0) {
        side = fact(c, m, "resolution");
    }
    int code = j != NULL ? model_json(c, m, side, j) : model_plain(c, m, path, side);
    mdldm_model_free(m);
    return code;
}

static int describe_dataset(const cli *c, const char *path, json_out *j)
{
    mdldm_dataset *d = NULL;
    mdldm_status s = MDLDM_OK;

    if (cli_integer(c, "resolution") > 0) {
        s = mdldm_options_set_int(c->ctx, c->options, "resolution", cli_integer(c, "resolution"));
    }
    if (s == MDLDM_OK) {
        s = mdldm_dataset_open(c->ctx, path, c->options, &d);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    int64_t classes = mdldm_dataset_class_count(d), count = mdldm_dataset_count(d);
    int64_t *per_class = calloc((size_t)classes + 1, sizeof *per_class);
    if (per_class == NULL) {
        mdldm_dataset_free(d);
        return cli_error(c, "no memory to count %lld classes", (long long)classes);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t label = mdldm_dataset_item_label(d, i);

        per_class[label >= 0 ? label : classes]++;
    }
    if (j != NULL) {
        json_open(j, NULL, '{');
        json_text(j, "kind", "dataset");
        json_integer(j, "images", count);
        json_integer(j, "skipped", mdldm_dataset_skipped(d));
        json_open(j, "classes", '{');
    } else {
        printf("data set         %s\nimages           %lld, and %lld unreadable\nclasses          %lld\n", path,
               (long long)count, (long long)mdldm_dataset_skipped(d), (long long)classes);
    }
    for (int64_t i = 0; i < classes; i++) {
        if (j != NULL) {
            json_integer(j, mdldm_dataset_class_name(d, i), per_class[i]);
        } else {
            printf("  %-14s %lld\n", mdldm_dataset_class_name(d, i), (long long)per_class[i]);
        }
    }
    if (j != NULL) {
        json_close(j, '}');
        json_close(j, '}');
    }
    free(per_class);
    mdldm_dataset_free(d);
    return 0;
}

static int is_model(const char *path)
{
    char file[4096];

    if (snprintf(file, sizeof file, "%s/model_index.json", path) < (int)sizeof file && paths_exists(file)) {
        return 1;
    }
    return snprintf(file, sizeof file, "%s/config.json", path) < (int)sizeof file && paths_exists(file);
}

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    json_out json = { .file = stdout, .indent = 1 };
    json_out *j = cli_integer(&c, "json") ? &json : NULL;
    cli_catch_interrupt(&c, 1);
    if (c.argument == NULL) {
        print_backends(&c, j);
        code = 0;
    } else if (is_model(c.argument)) {
        code = describe_model(&c, c.argument, j);
    } else {
        code = describe_dataset(&c, c.argument, j);
    }
    if (code == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        code = cli_error(&c, "cannot write to standard output");
    }
    cli_end(&c);
    return code;
}
