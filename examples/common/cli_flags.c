/* SPDX-License-Identifier: MIT
 * The flags of a program as a list in groups, and what there is to say about each. */
#include <stdio.h>
#include <string.h>

#include "cli_help.h"

const char *cli_flag_word(const cli_flag *f)
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

void cli_flag_facts(const cli_flag *f, char *text, size_t size)
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
    if (strcmp(text, "(no default)") == 0) {
        text[0] = '\0';
    }
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
    if (scopes & MDLDM_SCOPE_DIFFUSION) {
        return "Stage 2: diffusion";
    }
    if (scopes & MDLDM_SCOPE_EVALUATE) {
        return "Evaluation";
    }
    return scopes & MDLDM_SCOPE_SAMPLE ? "Sampling" : "Quantising";
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

static void visit_table(const cli_program *p, const cli_flag_visitor *v)
{
    static const char *const groups[] = { "Data", "New models", "Training", "Stage 1: the autoencoder",
                                          "Stage 2: diffusion", "Sampling", "Evaluation", "Quantising" };

    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        int titled = 0;

        for (int32_t i = 0; i < mdldm_option_count(); i++) {
            char value[64];

            if (!cli_takes_option(p, i) || strcmp(group_of(mdldm_option_scopes(i) & p->scopes), groups[g]) != 0) {
                continue;
            }
            if (!titled) {
                v->title(groups[g], v->width);
                titled = 1;
            }
            v->flag(&(cli_flag){ mdldm_option_key(i), mdldm_option_type_of(i), default_of(p, i, value, sizeof value),
                                 mdldm_option_min(i), mdldm_option_max(i), mdldm_option_choices(i),
                                 mdldm_option_unit(i), mdldm_option_help(i) },
                    v->width);
        }
    }
}

void cli_flags_visit(const cli_program *p, const cli_flag *common, int common_count, const cli_flag_visitor *v)
{
    if (p->own_count > 0) {
        v->title("Flags of this program", v->width);
    }
    for (int i = 0; i < p->own_count; i++) {
        v->flag(&p->own[i], v->width);
    }
    visit_table(p, v);
    v->title("Common", v->width);
    for (int i = 0; i < common_count; i++) {
        v->flag(&common[i], v->width);
    }
}
