/* SPDX-License-Identifier: MIT
 * mdldm-train: stage 2, the class-conditional diffusion UNet on the latents of a trained autoencoder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/training.h"

static const cli_flag flags[] = { CLI_TRAINING_FLAGS };

static const cli_program program = {
    .name = "mdldm-train",
    .summary = "Trains stage 2, a class-conditional UNet on the latents of the autoencoder in --vae_path, and "
               "writes the whole pipeline as a diffusers directory. The classes are the sub-folders of the data. "
               "With --raw_data_dir and --processed_data_dir the images are preprocessed first.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .scopes = MDLDM_SCOPE_DATASET | MDLDM_SCOPE_MODEL | MDLDM_SCOPE_TRAIN | MDLDM_SCOPE_DIFFUSION,
    .hide = " components num_classes class_names num_codes latent_channels scaling_factor ",
};

/* num_classes and class_names of the new model from the data's folders. */
static mdldm_status set_classes(const cli *c, const mdldm_dataset *data)
{
    int64_t count = cli_option_integer(c, "unconditional") ? 0 : mdldm_dataset_class_count(data);
    size_t size = 1;
    char *names;

    if (count == 0) {
        return MDLDM_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        size += strlen(mdldm_dataset_class_name(data, i)) + 1;
    }
    names = malloc(size);
    if (names == NULL) {
        return MDLDM_ERROR_OUT_OF_MEMORY;
    }
    char *end = names;
    for (int64_t i = 0; i < count; i++) {
        end += sprintf(end, "%s%s", i > 0 ? "/" : "", mdldm_dataset_class_name(data, i));
    }
    mdldm_status s = mdldm_options_set_int(c->ctx, c->options, "num_classes", count);
    if (s == MDLDM_OK) {
        s = mdldm_options_set_string(c->ctx, c->options, "class_names", names);
    }
    free(names);
    return s;
}

static mdldm_status create(const cli *c, const mdldm_dataset *data, mdldm_model **out)
{
    mdldm_status s = set_classes(c, data);
    return s == MDLDM_OK ? mdldm_model_create(c->ctx, c->options, out) : s;
}

int main(int argc, char **argv)
{
    return training_main(argc, argv, &program, MDLDM_STAGE_DIFFUSION, create);
}
