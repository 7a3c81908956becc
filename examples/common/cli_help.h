/* SPDX-License-Identifier: MIT
 * What --help and --man print. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"

void cli_help_print(const cli_program *program, const cli_flag *common, int common_count);
/* A manual page in man(7) macros. */
void cli_man_print(const cli_program *program, const cli_flag *common, int common_count);

/* 1 when the program takes row index of the option table. */
int cli_takes_option(const cli_program *program, int32_t index);

typedef struct cli_flag_visitor {
    void (*title)(const char *title, int width);
    void (*flag)(const cli_flag *flag, int width);
    int width; /* of the terminal */
} cli_flag_visitor;

/* All flags in groups: the program's own, those of the option table, the common ones. */
void cli_flags_visit(const cli_program *program, const cli_flag *common, int common_count, const cli_flag_visitor *v);

/* What stands for a flag's value: " N", " PATH", "" for none. */
const char *cli_flag_word(const cli_flag *flag);
/* "(default 0.25; 0 to 1 unit)", "(default off)", "" where there is nothing to say. */
void cli_flag_facts(const cli_flag *flag, char *text, size_t size);

#endif
