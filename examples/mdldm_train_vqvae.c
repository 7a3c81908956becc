/* SPDX-License-Identifier: MIT
 * mdldm-train-vqvae: stage 1, the autoencoder with a codebook. */
#include "common/cli.h"
#include "common/training.h"

static const cli_flag flags[] = { CLI_TRAINING_FLAGS };

static const cli_program program = {
    .name = "mdldm-train-vqvae",
    .summary = "Trains stage 1, a VQModel on spectrograms, and writes it as a diffusers directory. Reports every "
               "loss term, codes used, perplexity and dead codes, and PSNR and SSIM on a held-out block of each "
               "person's images; the latent scale is measured at the end and stored with the model.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .scopes = MDLDM_SCOPE_DATASET | MDLDM_SCOPE_MODEL | MDLDM_SCOPE_TRAIN | MDLDM_SCOPE_VQ,
    .hide = " components vae_path num_classes class_names label_dropout unconditional ",
};

static int train(const cli *c)
{
    mdldm_dataset *data = NULL;
    mdldm_model *model = NULL;
    int code;

    if (cli_option_text(c, "output_dir")[0] == '\0' && !cli_integer(c, "preprocess_only")) {
        return cli_usage_error(c, "--output_dir is missing: where checkpoints and the model shall go");
    }
    code = training_open_data(c, &data);
    if (code >= 0) {
        return code;
    }
    mdldm_status s = mdldm_options_set_string(c->ctx, c->options, "components", "autoencoder");
    if (s == MDLDM_OK) {
        s = mdldm_model_create(c->ctx, c->options, &model);
    }
    code = s == MDLDM_OK ? training_run(c, MDLDM_STAGE_AUTOENCODER, model, data) : cli_failed(c, s);
    mdldm_model_free(model);
    mdldm_dataset_free(data);
    return code;
}

int main(int argc, char **argv)
{
    cli c;
    int code = cli_start(&c, &program, argc, argv);

    if (code >= 0) {
        return code;
    }
    code = train(&c);
    cli_end(&c);
    return code;
}
