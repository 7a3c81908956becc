/* SPDX-License-Identifier: MIT
 * Command lines of the programs: flags made from the library's option table by scope, plus each
 * program's own. Underscores and dashes are the same; --key value, --key=value; a flag stands bare. */
#ifndef CLI_H
#define CLI_H

#include <mdldm/mdldm.h>

#define CLI_MAX_OWN 32

typedef struct cli_flag {
    const char *key; /* with underscores */
    int type;        /* an mdldm_option_type */
    const char *value; /* the default */
    double low, high;  /* for numbers; 0, 0: no limit */
    const char *choices, *unit, *help;
} cli_flag;

typedef struct cli_program {
    const char *name, *summary; /* summary: sentences for --help */
    const char *positional;     /* "PATH" when one argument without a key is taken, else NULL */
    const cli_flag *own;
    int own_count;
    const char *needed;         /* own flags that must be given, each in blanks: " model_path output " */
    int scopes;        /* flags of the option table to take, mdldm_option_scope bits */
    const char *hide;  /* keys of the table left out, each in blanks: " num_classes class_names " */
    const char *defaults; /* other defaults than the table's: " key=value key=value " */
    int inference;     /* takes --precision */
} cli_program;

enum { CLI_EXIT_FAILED = 1, CLI_EXIT_USAGE = 2, CLI_EXIT_INTERRUPTED = 130 };

typedef struct cli {
    const cli_program *program;
    mdldm_context *ctx;
    mdldm_options *options;
    const char *argument; /* the positional one, or NULL */
    int quiet, verbose;
    const char *own_value[CLI_MAX_OWN]; /* text, NULL: the default */
    const char *common_value[9];
} cli;

/* Reads the command line, makes context and options, sets backend, threads and log. Returns -1 to go
 * on, else the exit status to leave with (after --help: 0). */
int cli_start(cli *c, const cli_program *program, int argc, char **argv);
void cli_end(cli *c);

/* The program's own values; key must be one of them. */
const char *cli_text(const cli *c, const char *key);
double cli_number(const cli *c, const char *key);
int64_t cli_integer(const cli *c, const char *key);
int cli_is_set(const cli *c, const char *key);
/* A value of the option table. */
int64_t cli_option_integer(const cli *c, const char *key);
const char *cli_option_text(const cli *c, const char *key);

/* --threads, or the number of processors. */
int cli_threads(const cli *c);

/* Prints "NAME: sentence" to standard error. cli_usage_error returns CLI_EXIT_USAGE, cli_error
 * CLI_EXIT_FAILED, cli_failed the status' exit code with the library's sentence. */
int cli_usage_error(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_error(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_failed(const cli *c, mdldm_status status);
/* A line to standard error unless --quiet. */
void cli_say(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Catches the first SIGINT or SIGTERM; the next one ends the process. With cancel the library call
 * under way stops between two kernels, without it the caller looks at cli_interrupted. */
void cli_catch_interrupt(const cli *c, int cancel);
int cli_interrupted(void);

#endif
