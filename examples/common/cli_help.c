/* SPDX-License-Identifier: MIT */
#include "cli_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int width = columns != NULL ? atoi(columns) : 0;

    if (width <= 0 && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        width = size.ws_col;
    }
    return width < 40 ? 80 : width > 120 ? 120 : width;
}

/* Prints words of text from the given column on, lines indented. Returns the column reached. */
static int wrap(const char *text, int column, int indent, int width)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");

        if (column > indent && column + 1 + length > width) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    return column;
}

static void print_flag(const cli_flag *f, int width)
{
    enum { INDENT = 34 };
    char text[400];
    int column = printf("  --%s%s", f->key, cli_flag_word(f));

    if (column + 2 > INDENT) {
        printf("\n");
        column = 0;
    }
    printf("%*s", INDENT - column, "");
    column = wrap(f->help, INDENT, INDENT, width);
    cli_flag_facts(f, text, sizeof text);
    wrap(text, column, INDENT, width);
    printf("\n");
}

static void print_title(const char *title, int width)
{
    (void)width;
    printf("\n%s:\n", title);
}

void cli_help_print(const cli_program *program, const cli_flag *common, int common_count)
{
    int width = terminal_width();

    printf("usage: %s [flags]%s%s\n\n", program->name, program->positional != NULL ? " " : "",
           program->positional != NULL ? program->positional : "");
    wrap(program->summary, 0, 0, width);
    printf("\n");
    cli_flags_visit(program, common, common_count, &(cli_flag_visitor){ print_title, print_flag, width });
    printf("\nUnderscores and dashes in flags are the same; --flag=value works too.\n");
}
