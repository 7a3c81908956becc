/* SPDX-License-Identifier: MIT
 * Manual pages in man(7) macros, from the same tables as --help. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli_help.h"

static const char *const programs[] = { "mdldm-evaluate", "mdldm-generate", "mdldm-info", "mdldm-preprocess",
                                        "mdldm-quantize", "mdldm-simulate", "mdldm-train", "mdldm-train-vqvae" };

/* Text as roff wants it: no line begins with a dot or a quote, a dash is a minus, a backslash itself. */
static void put(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '-') {
            fputs("\\-", stdout);
        } else if (text[i] == '\\') {
            fputs("\\e", stdout);
        } else {
            putchar(text[i]);
        }
    }
}

static void put_all(const char *text)
{
    put(text, strlen(text));
}

static void paragraph(const char *text)
{
    fputs("\\&", stdout);
    put_all(text);
    putchar('\n');
}

static void print_title(const char *title, int width)
{
    (void)width;
    printf(".SS ");
    put_all(title);
    putchar('\n');
}

static void print_flag(const cli_flag *f, int width)
{
    char text[400];
    const char *word = cli_flag_word(f);

    (void)width;
    printf(".TP\n\\fB\\-\\-");
    put_all(f->key);
    printf("\\fR");
    if (word[0] != '\0') {
        printf(" \\fI%s\\fR", word + 1);
    }
    putchar('\n');
    paragraph(f->help);
    cli_flag_facts(f, text, sizeof text);
    if (text[0] != '\0') {
        paragraph(text);
    }
}

/* The first sentence of the summary, its capital and its dot left out. */
static void print_name(const cli_program *p)
{
    const char *end = strstr(p->summary, ". ");
    size_t length = end != NULL ? (size_t)(end - p->summary) : strlen(p->summary);

    if (length > 0 && p->summary[length - 1] == '.') {
        length--;
    }
    printf(".SH NAME\n");
    put_all(p->name);
    printf(" \\- %c", tolower((unsigned char)p->summary[0]));
    put(p->summary + 1, length - 1);
    putchar('\n');
}

/* The day of the build, or the one that a reproducible build asks for. */
static void print_header(const cli_program *p)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = epoch != NULL ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm day;
    char date[32] = "";

    if (gmtime_r(&now, &day) != NULL) {
        strftime(date, sizeof date, "%Y-%m-%d", &day);
    }
    printf(".TH ");
    for (const char *c = p->name; *c != '\0'; c++) {
        putchar(toupper((unsigned char)*c));
    }
    printf(" 1 %s \"libmdldm %s\" \"User commands\"\n", date, mdldm_version());
}

static void print_see_also(const cli_program *p)
{
    const char *separator = "";

    printf(".SH SEE ALSO\n");
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(programs[i], p->name) != 0) {
            printf("%s\\fB", separator);
            put_all(programs[i]);
            printf("\\fR(1)");
            separator = ",\n";
        }
    }
    putchar('\n');
}

void cli_man_print(const cli_program *p, const cli_flag *common, int common_count)
{
    print_header(p);
    print_name(p);
    printf(".SH SYNOPSIS\n\\fB");
    put_all(p->name);
    printf("\\fR [\\fIflags\\fR]");
    if (p->positional != NULL) {
        printf(" %s", p->positional);
    }
    printf("\n.SH DESCRIPTION\n");
    paragraph(p->summary);
    printf(".SH OPTIONS\nUnderscores and dashes in flags are the same; \\fB\\-\\-flag=value\\fR works too.\n");
    cli_flags_visit(p, common, common_count, &(cli_flag_visitor){ print_title, print_flag, 0 });
    printf(".SH EXIT STATUS\n"
           ".TP\n0\nEverything was done.\n"
           ".TP\n1\nSomething failed; one sentence on standard error says what.\n"
           ".TP\n2\nThe command line is wrong.\n"
           ".TP\n130\nInterrupted by SIGINT or SIGTERM.\n"
           ".SH ENVIRONMENT\n"
           ".TP\n\\fBMDLDM_BACKEND_DIR\\fR\nWhere backends are looked for first.\n"
           ".TP\n\\fBGOMP_SPINCOUNT\\fR, \\fBOMP_WAIT_POLICY\\fR\n"
           "How long threads wait for each other before they sleep; without them the first is set to 1000.\n");
    print_see_also(p);
}
