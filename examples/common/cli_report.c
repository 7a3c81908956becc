/* SPDX-License-Identifier: MIT
 * Messages and interrupts of the programs. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"

static void say(const cli *c, const char *format, va_list args)
{
    fprintf(stderr, "%s: ", c->program->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_usage_error(const cli *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(c, format, args);
    va_end(args);
    fprintf(stderr, "%s --help lists the flags\n", c->program->name);
    return CLI_EXIT_USAGE;
}

int cli_error(const cli *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(c, format, args);
    va_end(args);
    return CLI_EXIT_FAILED;
}

int cli_failed(const cli *c, mdldm_status status)
{
    const char *sentence = mdldm_context_error(c->ctx);

    if (status == MDLDM_ERROR_CANCELLED) {
        cli_error(c, "interrupted");
        return CLI_EXIT_INTERRUPTED;
    }
    return cli_error(c, "%s", sentence[0] != '\0' ? sentence : mdldm_status_name(status));
}

void cli_say(const cli *c, const char *format, ...)
{
    va_list args;

    if (!c->quiet) {
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
    }
}

static volatile sig_atomic_t interrupted;
static mdldm_context *to_cancel;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
    if (to_cancel != NULL) {
        mdldm_context_cancel(to_cancel);
    }
}

void cli_catch_interrupt(const cli *c, int cancel)
{
    struct sigaction action = { 0 };

    to_cancel = cancel ? c->ctx : NULL;
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends the process */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int cli_interrupted(void)
{
    return interrupted;
}
