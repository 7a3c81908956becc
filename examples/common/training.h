/* SPDX-License-Identifier: MIT
 * The training loop of both stages: steps, progress, checkpoints, samples, the finished model. */
#ifndef TRAINING_H
#define TRAINING_H

#include "cli.h"

/* The flags both training programs have of their own; CLI_TRAINING_FLAGS entries of cli_flag. */
#define CLI_TRAINING_FLAGS                                                                                       \
    { "train_data_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path",                                               \
      "folder of PNG and JPEG images; its sub-folders are the persons" },                                        \
    { "train_data_files", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "the same as a .zip file" },                \
    { "raw_data_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path",                                                 \
      "preprocess this folder into processed_data_dir first, then train on that" },                              \
    { "processed_data_dir", MDLDM_OPTION_STRING, "", 0, 0, "", "path", "where the preprocessed images go" },     \
    { "preprocess_only", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "stop after preprocessing" },                     \
    { "validation_epochs", MDLDM_OPTION_INT, "10", 0, 1e9, "", "epochs",                                         \
      "measure on the held-out images every so many epochs; 0: only at the end" }

/* The model that is to be trained on data, from the options of the command line. */
typedef mdldm_status (*training_model)(const cli *c, const mdldm_dataset *data, mdldm_model **out);

/* main of a training program: reads the command line, preprocesses if asked for, opens the data, trains
 * the model and saves it to output_dir. Returns an exit status. */
int training_main(int argc, char **argv, const cli_program *program, mdldm_stage stage, training_model create);

#endif
