/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_help.h"

static const cli_flag common_flags[] = {
    { "backend", MDLDM_OPTION_STRING, "auto", 0, 0, "", "",
      "where to compute: auto, reference, cpu, cuda, cuda:1, ...; auto takes the best that works" },
    { "threads", MDLDM_OPTION_INT, "0", 0, 1024, "", "threads", "compute threads; 0: one per processor" },
    { "winograd", MDLDM_OPTION_INT, "1", 0, 1, "", "",
      "1: 3x3 convolutions by Winograd's method where that is faster; 0: never" },
    { "quiet", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "no progress and no notes, errors only" },
    { "verbose", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "all of the library's log" },
    { "help", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "this text" },
    { "man", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "this text as a manual page, for man -l -" },
    { "version", MDLDM_OPTION_FLAG, "0", 0, 1, "", "", "the version" },
    { "precision", MDLDM_OPTION_STRING, "f32", 0, 0, "f32|tf32|bf16", "", "arithmetic of the model; tf32: on a GPU, elsewhere f32" },
};
enum { BACKEND, THREADS, WINOGRAD, QUIET, VERBOSE, HELP, MAN, VERSION, PRECISION, COMMON_COUNT };

static int common_count(const cli_program *p)
{
    return p->inference ? COMMON_COUNT : PRECISION;
}

static int same_key(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (a[i] == '\0' || (a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i])) {
            return 0;
        }
    }
    return a[length] == '\0';
}

int cli_takes_option(const cli_program *p, int32_t index)
{
    char padded[80];

    snprintf(padded, sizeof padded, " %s ", mdldm_option_key(index));
    return (mdldm_option_scopes(index) & p->scopes) != 0 && (p->hide == NULL || strstr(p->hide, padded) == NULL);
}

/* Restricted edit distance over at most 63 characters. */
static int distance(const char *a, size_t la, const char *b)
{
    int row[64];
    size_t lb = strlen(b);

    if (la > 63 || lb > 63) {
        return 1000;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 1; i <= la; i++) {
        int diagonal = row[0];

        row[0] = (int)i;
        for (size_t j = 1; j <= lb; j++) {
            int same = (a[i - 1] == '-' ? '_' : a[i - 1]) == b[j - 1];
            int best = diagonal + !same;

            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
        }
    }
    return row[lb];
}

static void consider(const char *given, size_t length, const char *key, int *best, const char **nearest)
{
    int d = distance(given, length, key);

    if (d < *best) {
        *best = d;
        *nearest = key;
    }
}

static int unknown_flag(const cli *c, const char *given, size_t length)
{
    int best = 3 + (int)length / 4;
    const char *nearest = NULL;

    for (int i = 0; i < c->program->own_count; i++) {
        consider(given, length, c->program->own[i].key, &best, &nearest);
    }
    for (int i = 0; i < common_count(c->program); i++) {
        consider(given, length, common_flags[i].key, &best, &nearest);
    }
    for (int32_t i = 0; i < mdldm_option_count(); i++) {
        if (cli_takes_option(c->program, i)) {
            consider(given, length, mdldm_option_key(i), &best, &nearest);
        }
    }
    if (nearest != NULL) {
        return cli_usage_error(c, "there is no flag --%.*s; did you mean --%s?", (int)length, given, nearest);
    }
    return cli_usage_error(c, "there is no flag --%.*s", (int)length, given);
}

static int is_one_of(const char *text, const char *choices)
{
    size_t length = strlen(text);

    for (const char *p = choices; *p != '\0';) {
        size_t n = strcspn(p, "|");

        if (n == length && strncmp(p, text, n) == 0) {
            return 1;
        }
        p += n + (p[n] == '|');
    }
    return 0;
}

static int is_truth(const char *text)
{
    return is_one_of(text, "0|1|true|false|yes|no|on|off");
}

static int check_value(const cli *c, const cli_flag *f, const char *text)
{
    char *end;

    if (f->type == MDLDM_OPTION_FLAG) {
        return is_truth(text) ? -1 : cli_usage_error(c, "--%s is %s: 0 or 1 is expected", f->key, text);
    }
    if (f->type == MDLDM_OPTION_STRING) {
        return f->choices[0] == '\0' || is_one_of(text, f->choices)
                   ? -1
                   : cli_usage_error(c, "--%s is %s: one of %s is expected", f->key, text, f->choices);
    }
    errno = 0;
    double value = f->type == MDLDM_OPTION_INT ? (double)strtoll(text, &end, 10) : strtod(text, &end);
    if (end == text || *end != '\0' || errno == ERANGE) {
        return cli_usage_error(c, "--%s is %s: %s is expected", f->key, text[0] == '\0' ? "empty" : text,
                               f->type == MDLDM_OPTION_INT ? "a whole number" : "a number");
    }
    if (!(value >= f->low && value <= f->high) && (f->low != 0.0 || f->high != 0.0)) {
        return cli_usage_error(c, "--%s is %s: %.9g to %.9g is expected%s%s", f->key, text, f->low, f->high,
                               f->unit[0] != '\0' ? ", in " : "", f->unit);
    }
    return -1;
}

static int find_flag(const cli_flag *flags, int count, const char *key, size_t length)
{
    for (int i = 0; i < count; i++) {
        if (same_key(flags[i].key, key, length)) {
            return i;
        }
    }
    return -1;
}

/* One flag at argv[*i]; moves *i past its value. */
static int read_flag(cli *c, int argc, char **argv, int *i)
{
    const cli_program *p = c->program;
    const char *key = argv[*i] + 2;
    const char *equals = strchr(key, '=');
    const char *value = equals != NULL ? equals + 1 : NULL;
    size_t length = equals != NULL ? (size_t)(equals - key) : strlen(key);
    int own = find_flag(p->own, p->own_count, key, length);
    int common = own < 0 ? find_flag(common_flags, common_count(p), key, length) : -1;
    int32_t option = -1;

    for (int32_t k = 0; own < 0 && common < 0 && option < 0 && k < mdldm_option_count(); k++) {
        if (cli_takes_option(p, k) && same_key(mdldm_option_key(k), key, length)) {
            option = k;
        }
    }
    if (own < 0 && common < 0 && option < 0) {
        return unknown_flag(c, key, length);
    }
    int type = own >= 0 ? p->own[own].type : common >= 0 ? common_flags[common].type
                                                         : mdldm_option_type_of(option);
    if (value == NULL && type == MDLDM_OPTION_FLAG) {
        value = *i + 1 < argc && is_truth(argv[*i + 1]) ? argv[++*i] : "1";
    } else if (value == NULL) {
        if (*i + 1 >= argc) {
            return cli_usage_error(c, "--%.*s wants a value", (int)length, key);
        }
        value = argv[++*i];
    }
    if (option >= 0) {
        mdldm_status s = mdldm_options_parse(c->ctx, c->options, mdldm_option_key(option), value);

        return s == MDLDM_OK ? -1 : cli_usage_error(c, "%s", mdldm_context_error(c->ctx));
    }
    (own >= 0 ? c->own_value : c->common_value)[own >= 0 ? own : common] = value;
    return check_value(c, own >= 0 ? &p->own[own] : &common_flags[common], value);
}

static int common_truth(const cli *c, int which)
{
    const char *text = c->common_value[which];

    return text != NULL && is_one_of(text, "1|true|yes|on");
}

static int read_arguments(cli *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int code = -1;

        if (strcmp(argv[i], "-h") == 0) {
            c->common_value[HELP] = "1";
        } else if (argv[i][0] == '-' && argv[i][1] == '-' && argv[i][2] != '\0') {
            code = read_flag(c, argc, argv, &i);
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            code = cli_usage_error(c, "there is no flag %s; flags begin with two dashes", argv[i]);
        } else if (c->program->positional != NULL && c->argument == NULL) {
            c->argument = argv[i];
        } else {
            code = cli_usage_error(c, "the argument %s stands alone: a flag is missing before it", argv[i]);
        }
        if (code >= 0) {
            return code;
        }
    }
    return -1;
}

/* A flag that the program cannot do without: its help says what it is, up to "; needed". */
static int check_needed(const cli *c)
{
    char padded[80];

    for (int i = 0; i < c->program->own_count; i++) {
        const cli_flag *f = &c->program->own[i];

        snprintf(padded, sizeof padded, " %s ", f->key);
        if (c->program->needed != NULL && strstr(c->program->needed, padded) != NULL &&
            (c->own_value[i] == NULL || c->own_value[i][0] == '\0')) {
            return cli_usage_error(c, "--%s is missing: %.*s", f->key, (int)strcspn(f->help, ";"), f->help);
        }
    }
    return -1;
}

static void print_log(void *user, int32_t level, const char *text)
{
    const cli *c = user;

    if (level == 0 || (level == 1 && !c->quiet) || (level == 2 && !c->quiet) || c->verbose) {
        fprintf(stderr, "%s%s\n", level == 1 ? "warning: " : "", text);
    }
}

static mdldm_status apply_defaults(cli *c)
{
    const char *p = c->program->defaults;
    char pair[128], *equals;
    int used;

    while (p != NULL && sscanf(p, "%127s%n", pair, &used) == 1) {
        equals = strchr(pair, '=');
        *equals = '\0';
        mdldm_status s = mdldm_options_parse(c->ctx, c->options, pair, equals + 1);
        if (s != MDLDM_OK) {
            return s;
        }
        p += used;
    }
    return MDLDM_OK;
}

static mdldm_status apply_common(cli *c)
{
    mdldm_status s = MDLDM_OK;

    if (c->common_value[THREADS] != NULL) {
        s = mdldm_context_set_threads(c->ctx, (int32_t)strtol(c->common_value[THREADS], NULL, 10));
    }
    if (s == MDLDM_OK && c->common_value[WINOGRAD] != NULL) {
        s = mdldm_context_set_winograd(c->ctx, (int32_t)strtol(c->common_value[WINOGRAD], NULL, 10));
    }
    if (s == MDLDM_OK && c->common_value[BACKEND] != NULL) {
        s = mdldm_context_use_backend(c->ctx, c->common_value[BACKEND]);
    }
    if (s == MDLDM_OK && c->common_value[PRECISION] != NULL) {
        s = mdldm_context_set_precision(c->ctx, c->common_value[PRECISION]);
    }
    return s;
}

static int start(cli *c, int argc, char **argv)
{
    mdldm_status s = mdldm_context_create(&c->ctx);

    if (s != MDLDM_OK) {
        return cli_error(c, "no context: %s", mdldm_status_name(s));
    }
    s = mdldm_options_create(c->ctx, &c->options);
    if (s == MDLDM_OK) {
        s = apply_defaults(c);
    }
    if (s != MDLDM_OK) {
        return cli_failed(c, s);
    }
    int code = read_arguments(c, argc, argv);
    if (code >= 0) {
        return code;
    }
    if (common_truth(c, HELP)) {
        cli_help_print(c->program, common_flags, common_count(c->program));
        return 0;
    }
    if (common_truth(c, MAN)) {
        cli_man_print(c->program, common_flags, common_count(c->program));
        return 0;
    }
    if (common_truth(c, VERSION)) {
        printf("%s %s\n", c->program->name, mdldm_version());
        return 0;
    }
    code = check_needed(c);
    if (code >= 0) {
        return code;
    }
    c->quiet = common_truth(c, QUIET);
    c->verbose = common_truth(c, VERBOSE);
    mdldm_context_set_log(c->ctx, print_log, c);
    s = apply_common(c);
    return s == MDLDM_OK ? -1 : cli_failed(c, s);
}

/* How long OpenMP's threads spin for each other before they sleep, unless the user has said it: by
 * default some milliseconds, which on a machine with other work keeps a waiting thread in the way of the
 * one waited for. The number is what libgomp takes itself when it knows of more threads than processors.
 * libgomp reads it once, when the backend is loaded. */
static void spin_briefly(void)
{
    if (getenv("OMP_WAIT_POLICY") == NULL)
        setenv("GOMP_SPINCOUNT", "1000", 0);
}

int cli_start(cli *c, const cli_program *program, int argc, char **argv)
{
    spin_briefly();
    *c = (cli){ .program = program };
    int code = start(c, argc, argv);

    if (code >= 0) {
        cli_end(c);
    }
    return code;
}

void cli_end(cli *c)
{
    mdldm_options_free(c->options);
    mdldm_context_free(c->ctx);
    c->options = NULL;
    c->ctx = NULL;
}

static int own_index(const cli *c, const char *key)
{
    return find_flag(c->program->own, c->program->own_count, key, strlen(key));
}

const char *cli_text(const cli *c, const char *key)
{
    int i = own_index(c, key);

    return c->own_value[i] != NULL ? c->own_value[i] : c->program->own[i].value;
}

double cli_number(const cli *c, const char *key)
{
    return strtod(cli_text(c, key), NULL);
}

int64_t cli_integer(const cli *c, const char *key)
{
    const char *text = cli_text(c, key);

    return is_one_of(text, "true|yes|on") ? 1 : strtoll(text, NULL, 10);
}

int cli_is_set(const cli *c, const char *key)
{
    int i = own_index(c, key);

    return i >= 0 ? c->own_value[i] != NULL : mdldm_options_is_set(c->options, key);
}

int64_t cli_option_integer(const cli *c, const char *key)
{
    int64_t value = 0;

    mdldm_options_get_int(c->ctx, c->options, key, &value);
    return value;
}

const char *cli_option_text(const cli *c, const char *key)
{
    const char *value = "";

    mdldm_options_get_string(c->ctx, c->options, key, &value);
    return value;
}

int cli_threads(const cli *c)
{
    const char *text = c->common_value[THREADS];
    long threads = text != NULL ? strtol(text, NULL, 10) : 0;

    if (threads <= 0) {
        threads = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return threads > 0 ? (int)threads : 1;
}
