/* SPDX-License-Identifier: MIT
 * A kernel's body: declarations, labels, guards; each instruction goes to the decoder that knows it. */
#include "tests/cuda/sim/ptx_decode.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *ptx_grow(ptx_reader *r, void *array, size_t *cap, size_t size)
{
    const size_t n = *cap ? 2 * *cap : 64;
    void *grown = realloc(array, n * size);
    if (!grown)
        ptx_refuse(r, "out of memory");
    *cap = n;
    return grown;
}

uint32_t ptx_new_register(ptx_body *b, sim_type type)
{
    if (b->n_sizes > UINT16_MAX)
        ptx_refuse(b->r, "more than %d registers in a kernel", UINT16_MAX);
    PTX_PUSH(b, b->sizes, b->n_sizes, b->cap_sizes) = type == SIM_PRED ? 0 : (uint8_t)sim_type_size(type);
    return (uint32_t)b->n_sizes - 1;
}

static void copy_name(ptx_body *b, char *out, size_t room, const char *name)
{
    if (strlen(name) >= room)
        ptx_refuse(b->r, "the name '%s' is longer than %zu characters", name, room - 1);
    strcpy(out, name);
}

/* ".reg .b32 %r<5>, %t;" after the ".reg". */
static void declare_registers(ptx_body *b)
{
    char text[PTX_TEXT], *parts[256];
    ptx_until(b->r, ";", text, sizeof text);
    ++b->r->at;
    char *names = strpbrk(text, " \t");
    if (text[0] != '.' || !names)
        ptx_refuse(b->r, "'.reg %s' is not understood", text);
    *names++ = 0;
    const sim_type type = ptx_type(text + 1);
    if (type == SIM_NO_TYPE)
        ptx_refuse(b->r, "registers of type '%s'", text);
    const int n = ptx_split(b->r, names, parts, 256);
    for (int i = 0; i < n; ++i) {
        ptx_range range = {.count = -1, .type = type, .depth = b->depth};
        char *angle = strchr(parts[i], '<');
        if (angle) {
            *angle = 0;
            range.count = atoi(angle + 1);
        }
        copy_name(b, range.prefix, sizeof range.prefix, parts[i]);
        range.first = (uint32_t)b->n_sizes;
        for (int k = 0; k < (range.count < 0 ? 1 : range.count); ++k)
            (void)ptx_new_register(b, type);
        PTX_PUSH(b, b->ranges, b->n_ranges, b->cap_ranges) = range;
    }
}

/* ".shared .align 16 .b8 name[4096];" after the ".shared" or ".local". */
static void declare_variable(ptx_body *b, sim_space space)
{
    char word[512];
    sim_variable v = {.space = space, .align = 1};
    if (ptx_take(b->r, ".align")) {
        ptx_word(b->r, word, sizeof word);
        v.align = (uint32_t)atoi(word);
    }
    ptx_word(b->r, word, sizeof word);
    const unsigned each = sim_type_size(ptx_type(word + 1));
    if (word[0] != '.' || !each)
        ptx_refuse(b->r, "a variable of type '%s'", word);
    if (v.align < each)
        v.align = each;
    ptx_word(b->r, v.name, sizeof v.name);
    ptx_until(b->r, ";", word, sizeof word);
    ++b->r->at;
    uint64_t n = 1;
    for (char *p = word; *p == '['; ++p)
        n *= strtoull(p + 1, &p, 10);
    v.size = (uint32_t)(n * each);
    ptx_add_variable(b, &v);
}

const sim_variable *ptx_add_variable(ptx_body *b, const sim_variable *wanted)
{
    sim_variable v = *wanted;
    uint32_t *top = v.space == SIM_SHARED ? &b->k->shared_bytes : &b->k->local_bytes;
    *top = (*top + v.align - 1) / v.align * v.align;
    v.address = *top + (v.space == SIM_SHARED ? SIM_SHARED_FIRST : 0);
    *top += v.size;
    PTX_PUSH(b, b->variables, b->n_variables, b->cap_variables) = v;
    return &b->variables[b->n_variables - 1];
}

bool ptx_has_word(const ptx_statement *s, const char *word)
{
    for (int i = 1; i < s->n_words; ++i)
        if (strcmp(s->word[i], word) == 0)
            return true;
    return false;
}

void ptx_want_operands(ptx_body *b, const ptx_statement *s, int n)
{
    if (s->n_operands != n)
        ptx_refuse(b->r, "'%s' with %d operands, not %d", s->name, s->n_operands, n);
}

/* The name, kept once for the kernel. */
static const char *keep_name(ptx_body *b, const char *name)
{
    sim_kernel *k = b->k;
    for (size_t i = 0; i < k->n_names; ++i)
        if (strcmp(k->names[i], name) == 0)
            return k->names[i];
    char *copy = strdup(name);
    if (!copy)
        ptx_refuse(b->r, "out of memory");
    PTX_PUSH(b, k->names, k->n_names, k->cap_names) = copy;
    return copy;
}

static void read_instruction(ptx_body *b, const char *name, sim_op op)
{
    static bool (*const decoders[])(ptx_body *, ptx_statement *, sim_op *) = {
        ptx_decode_pack, ptx_decode_lanes, ptx_decode_memory, ptx_decode_compare, ptx_decode_convert,
        ptx_decode_control, ptx_decode_matrix, ptx_decode_async, ptx_decode_exchange, ptx_decode_atomic,
    };
    ptx_statement s = {0};
    char text[PTX_TEXT], words[192];
    copy_name(b, s.name, sizeof s.name, name);
    copy_name(b, words, sizeof words, name);
    for (char *w = strtok(words, "."); w; w = strtok(NULL, ".")) {
        if (s.n_words == PTX_WORDS)
            ptx_refuse(b->r, "'%s' has more than %d parts", name, PTX_WORDS);
        s.word[s.n_words++] = w;
    }
    op.name = keep_name(b, name);
    op.line = b->r->line;
    op.source = b->r->source;
    ptx_until(b->r, ";", text, sizeof text);
    ++b->r->at;
    s.n_operands = ptx_split(b->r, text, s.operand, PTX_WORDS);
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; ++i)
        if (decoders[i](b, &s, &op)) {
            PTX_PUSH(b, b->k->ops, b->k->n_ops, b->k->cap_ops) = op;
            return;
        }
    ptx_refuse(b->r, "'%s' is not in the instruction set of the test runtime", name);
}

/* "@%p1" or "@!%p1" before an instruction. */
static sim_op read_guard(ptx_body *b)
{
    sim_op op = {.meet = -1};
    char word[64];
    if (!ptx_take(b->r, "@"))
        return op;
    op.guarded = 1;
    op.guard_not = ptx_take(b->r, "!");
    ptx_word(b->r, word, sizeof word);
    op.guard = ptx_source(b, word, SIM_PRED);
    return op;
}

/* Leaves braces: what they declared is forgotten. */
static void leave_scope(ptx_body *b)
{
    --b->depth;
    while (b->n_ranges && b->ranges[b->n_ranges - 1].depth > b->depth)
        --b->n_ranges;
}

static void read_statement(ptx_body *b)
{
    char word[512], rest[PTX_TEXT];
    const sim_op op = read_guard(b);
    ptx_word(b->r, word, sizeof word);
    const size_t n = strlen(word);
    if (n == 0)
        ptx_refuse(b->r, "'%.20s' is not understood", b->r->at);
    if (word[n - 1] == ':') {
        ptx_label label = {.op = (int32_t)b->k->n_ops};
        word[n - 1] = 0;
        copy_name(b, label.name, sizeof label.name, word);
        for (size_t i = 0; i < b->n_labels; ++i)
            if (strcmp(b->labels[i].name, label.name) == 0)
                ptx_refuse(b->r, "the label '%s' stands twice", label.name);
        PTX_PUSH(b, b->labels, b->n_labels, b->cap_labels) = label;
    } else if (strcmp(word, ".reg") == 0) {
        declare_registers(b);
    } else if (strcmp(word, ".shared") == 0 || strcmp(word, ".local") == 0) {
        declare_variable(b, word[1] == 's' ? SIM_SHARED : SIM_LOCAL);
    } else if (strcmp(word, ".loc") == 0) { /* file line column ..., to the end of its line */
        char *end;
        (void)strtol(b->r->at, &end, 10);
        b->r->source = (int)strtol(end, NULL, 10);
        while (*b->r->at && *b->r->at != '\n')
            ++b->r->at;
    } else if (strcmp(word, ".pragma") == 0) {
        ptx_until(b->r, ";", rest, sizeof rest);
        ++b->r->at;
    } else if (word[0] == '.') {
        ptx_refuse(b->r, "the directive '%s' within a kernel", word);
    } else {
        read_instruction(b, word, op);
    }
}

void ptx_read_body(ptx_body *b)
{
    if (!ptx_take(b->r, "{"))
        ptx_refuse(b->r, "a kernel without a body");
    b->depth = 1;
    while (b->depth) {
        ptx_blank(b->r);
        if (ptx_take(b->r, "{"))
            ++b->depth;
        else if (ptx_take(b->r, "}"))
            leave_scope(b);
        else if (!ptx_take(b->r, ";"))
            read_statement(b);
        if (!*b->r->at && b->depth)
            ptx_refuse(b->r, "the text ends within a kernel");
    }
    sim_op end = {.flow = SIM_EXIT, .name = "", .meet = -1, .line = b->r->line};
    PTX_PUSH(b, b->k->ops, b->k->n_ops, b->k->cap_ops) = end;
    for (size_t i = 0; i < b->n_uses; ++i) {
        size_t k = 0;
        while (k < b->n_labels && strcmp(b->labels[k].name, b->uses[i].name) != 0)
            ++k;
        sim_op *op = &b->k->ops[b->uses[i].op];
        if (k == b->n_labels) {
            b->r->line = op->line;
            ptx_refuse(b->r, "the label '%s' is not there", b->uses[i].name);
        }
        op->target = b->labels[k].op;
    }
}
