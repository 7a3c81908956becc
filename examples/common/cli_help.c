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

static const char *value_word(const cli_flag *f)
{
    if (f->type == MDLDM_OPTION_FLAG) {
        return "";
    }
    if (f->type == MDLDM_OPTION_INT) {
        return " N";
    }
    if (f->type == MDLDM_OPTION_DOUBLE) {
        return " X";
    }
    return f->choices[0] != '\0' ? " NAME" : strcmp(f->unit, "path") == 0 ? " PATH" : " TEXT";
}

/* "default 0.25; 0 to 1; unit", "default off". */
static void facts(const cli_flag *f, char *text, size_t size)
{
    int flag = f->type == MDLDM_OPTION_FLAG;
    int number = f->type == MDLDM_OPTION_INT || f->type == MDLDM_OPTION_DOUBLE;
    const char *value = !flag ? f->value : f->value[0] == '0' ? "off" : "on";
    int used = snprintf(text, size, "(%s%s", value[0] != '\0' ? "default " : "no default", value);

    if (f->choices[0] != '\0' && used > 0 && (size_t)used < size) {
        used += snprintf(text + used, size - (size_t)used, "; one of ");
        for (const char *p = f->choices; *p != '\0' && (size_t)used + 2 < size; p++) {
            text[used++] = *p == '|' ? ',' : *p;
            if (*p == '|') {
                text[used++] = ' ';
            }
        }
        text[used] = '\0';
    }
    if (number && (f->low != 0.0 || f->high != 0.0) && used > 0 && (size_t)used < size) {
        used += snprintf(text + used, size - (size_t)used, "; %.9g to %.9g", f->low, f->high);
    }
    if (used > 0 && (size_t)used < size) {
        snprintf(text + used, size - (size_t)used, "%s%s)", number && f->unit[0] != '\0' ? " " : "",
                 number ? f->unit : "");
    }
}

static void print_flag(const cli_flag *f, int width)
{
    enum { INDENT = 34 };
    char text[400];
    int column = printf("  --%s%s", f->key, value_word(f));

    if (column + 2 > INDENT) {
        printf("\n");
        column = 0;
    }
    printf("%*s", INDENT - column, "");
    column = wrap(f->help, INDENT, INDENT, width);
    facts(f, text, sizeof text);
    if (strcmp(text, "(no default)") != 0) {
        wrap(text, column, INDENT, width);
    }
    printf("\n");
}

static const char *group_of(int scopes)
{
    if (scopes & MDLDM_SCOPE_DATASET) {
        return "Data";
    }
    if (scopes & MDLDM_SCOPE_MODEL) {
        return "New models";
    }
    if (scopes & MDLDM_SCOPE_TRAIN) {
        return "Training";
    }
    if (scopes & MDLDM_SCOPE_VQ) {
        return "Stage 1: the autoencoder";
    }
    return scopes & MDLDM_SCOPE_DIFFUSION ? "Stage 2: diffusion" : "Sampling";
}

/* The program's own default for a key of the table, or the table's. */
static const char *default_of(const cli_program *p, int32_t index, char *buffer, size_t size)
{
    char start[80];

    snprintf(start, sizeof start, " %s=", mdldm_option_key(index));
    const char *found = p->defaults != NULL ? strstr(p->defaults, start) : NULL;
    if (found == NULL) {
        return mdldm_option_default(index);
    }
    found += strlen(start);
    snprintf(buffer, size, "%.*s", (int)strcspn(found, " "), found);
    return buffer;
}

static void print_table(const cli_program *p, int width)
{
    static const char *const groups[] = { "Data", "New models", "Training", "Stage 1: the autoencoder",
                                          "Stage 2: diffusion", "Sampling" };

    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        int titled = 0;

        for (int32_t i = 0; i < mdldm_option_count(); i++) {
            char value[64];

            if (!cli_takes_option(p, i) || strcmp(group_of(mdldm_option_scopes(i) & p->scopes), groups[g]) != 0) {
                continue;
            }
            if (!titled) {
                printf("\n%s:\n", groups[g]);
                titled = 1;
            }
            print_flag(&(cli_flag){ mdldm_option_key(i), mdldm_option_type_of(i),
                                    default_of(p, i, value, sizeof value), mdldm_option_min(i),
                                    mdldm_option_max(i), mdldm_option_choices(i), mdldm_option_unit(i),
                                    mdldm_option_help(i) },
                       width);
        }
    }
}

void cli_help_print(const cli_program *program, const cli_flag *common, int common_count)
{
    int width = terminal_width();

    printf("usage: %s [flags]%s%s\n\n", program->name, program->positional != NULL ? " " : "",
           program->positional != NULL ? program->positional : "");
    wrap(program->summary, 0, 0, width);
    printf("\n");
    if (program->own_count > 0) {
        printf("\nFlags of this program:\n");
    }
    for (int i = 0; i < program->own_count; i++) {
        print_flag(&program->own[i], width);
    }
    print_table(program, width);
    printf("\nCommon:\n");
    for (int i = 0; i < common_count; i++) {
        print_flag(&common[i], width);
    }
    printf("\nUnderscores and dashes in flags are the same; --flag=value works too.\n");
}
