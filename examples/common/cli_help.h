/* SPDX-License-Identifier: MIT
 * What --help prints. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"

void cli_help_print(const cli_program *program, const cli_flag *common, int common_count);
/* 1 when the program takes row index of the option table. */
int cli_takes_option(const cli_program *program, int32_t index);

#endif
