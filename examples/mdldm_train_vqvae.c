/* SPDX-License-Identifier: MIT
 * mdldm-train-vqvae: stage 1, the autoencoder with a codebook. */
#include "common/cli.h"
#include "common/training.h"

static const cli_flag flags[] = {
    CLI_TRAINING_FLAGS,
    { "latent_report", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "at the end, measure whether stage 2 can learn the latents: lines, and latent_report.json in output_dir" },
};

static const cli_program program = {
    .name = "mdldm-train-vqvae",
    .summary = "Trains stage 1, a VQModel on spectrograms, and writes it as a diffusers directory. Reports every "
               "loss term, codes used, perplexity and dead codes, and PSNR and SSIM on a held-out block of each "
               "person's images; the latent scale is measured at the end and stored with the model.",
    .own = flags,
    .own_count = (int)(sizeof flags / sizeof flags[0]),
    .scopes = MDLDM_SCOPE_DATASET | MDLDM_SCOPE_MODEL | MDLDM_SCOPE_TRAIN | MDLDM_SCOPE_VQ | MDLDM_SCOPE_LATENTS,
    .hide = " components vae_path num_classes class_names label_dropout unconditional ",
};

static mdldm_status create(const cli *c, const mdldm_dataset *data, mdldm_model **out)
{
    mdldm_status s = mdldm_options_set_string(c->ctx, c->options, "components", "autoencoder");
    (void)data;
    return s == MDLDM_OK ? mdldm_model_create(c->ctx, c->options, out) : s;
}

int main(int argc, char **argv)
{
    return training_main(argc, argv, &program, MDLDM_STAGE_AUTOENCODER, create);
}
