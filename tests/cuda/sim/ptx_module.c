/* SPDX-License-Identifier: MIT
 * A PTX text's outermost level: directives, variables of module scope, kernels. */
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_params(ptx_body *b)
{
    size_t cap = 0;
    char word[512];
    while (!ptx_take(b->r, ")")) {
        sim_variable v = {.space = SIM_PARAM, .align = 1};
        (void)ptx_take(b->r, ",");
        if (!ptx_take(b->r, ".param"))
            ptx_refuse(b->r, "'%.20s' among the parameters", b->r->at);
        for (;;) {
            ptx_word(b->r, word, sizeof word);
            if (strcmp(word, ".align") == 0) {
                ptx_word(b->r, word, sizeof word);
                v.align = (uint32_t)atoi(word);
            } else if (strcmp(word, ".ptr") == 0 || strcmp(word, ".global") == 0) {
                continue;
            } else if (word[0] == '.') {
                v.size = sim_type_size(ptx_type(word + 1));
                if (!v.size)
                    ptx_refuse(b->r, "a parameter of type '%s'", word);
            } else {
                break;
            }
        }
        if (strlen(word) >= sizeof v.name)
            ptx_refuse(b->r, "the parameter's name '%s' is too long", word);
        strcpy(v.name, word);
        if (v.align < v.size)
            v.align = v.size;
        if (ptx_take(b->r, "[")) {
            ptx_word(b->r, word, sizeof word);
            v.size *= (uint32_t)atoi(word);
            if (!ptx_take(b->r, "]"))
                ptx_refuse(b->r, "the size of parameter '%s'", v.name);
        }
        b->k->param_bytes = (b->k->param_bytes + v.align - 1) / v.align * v.align;
        v.address = b->k->param_bytes;
        b->k->param_bytes += v.size;
        PTX_PUSH(b, b->k->params, b->k->n_params, cap) = v;
    }
}

static void read_kernel(ptx_body *b)
{
    char word[512];
    ptx_word(b->r, b->k->name, sizeof b->k->name);
    if (ptx_take(b->r, "("))
        read_params(b);
    while (*b->r->at && (ptx_blank(b->r), *b->r->at != '{')) {
        ptx_word(b->r, word, sizeof word);
        const bool threads = strcmp(word, ".maxntid") == 0 || strcmp(word, ".reqntid") == 0;
        if (!threads && strcmp(word, ".minnctapersm") != 0 && strcmp(word, ".maxnreg") != 0)
            ptx_refuse(b->r, "'%s' before a kernel's body", word);
        int product = 1;
        do {
            ptx_word(b->r, word, sizeof word);
            product *= atoi(word);
        } while (ptx_take(b->r, ","));
        if (threads)
            b->k->max_threads = product;
    }
    ptx_read_body(b);
    uint32_t align = 16;
    for (size_t i = 0; i < b->module->n_globals; ++i)
        if (b->module->globals[i].dynamic && b->module->globals[i].align > align)
            align = b->module->globals[i].align;
    b->k->dynamic_at = (b->k->shared_bytes + align - 1) / align * align;
    ptx_find_meets(b);
    ptx_place_registers(b);
    b->k->counts = calloc(b->k->n_ops, sizeof *b->k->counts);
    if (!b->k->counts)
        ptx_refuse(b->r, "out of memory");
}

static void values(ptx_body *b, char *text, unsigned each, sim_variable *v)
{
    unsigned char *to = (unsigned char *)(uintptr_t)v->address;
    size_t at = 0;
    for (char *p = strtok(text, " ,{}"); p; p = strtok(NULL, " ,{}"), at += each) {
        uint64_t bits;
        if (!ptx_number(p, each == 8 ? SIM_F64 : SIM_F32, &bits) || at + each > v->size)
            ptx_refuse(b->r, "the value '%s' of '%s'", p, v->name);
        memcpy(to + at, &bits, each);
    }
}

/* ".global .align 4 .b8 table[64] = {...};" and .const; ".extern .shared ...": the block's dynamic memory. */
static void read_variable(ptx_body *b, sim_space space, bool external)
{
    static char text[1 << 20];
    char word[512];
    sim_variable v = {.space = space, .align = 1};
    unsigned each = 0;
    for (;;) {
        ptx_word(b->r, word, sizeof word);
        if (strcmp(word, ".align") == 0) {
            ptx_word(b->r, word, sizeof word);
            v.align = (uint32_t)atoi(word);
        } else if (word[0] == '.') {
            each = sim_type_size(ptx_type(word + 1));
        } else {
            break;
        }
    }
    if (!each || strlen(word) >= sizeof v.name)
        ptx_refuse(b->r, "the variable '%s'", word);
    strcpy(v.name, word);
    uint64_t n = 1;
    while (ptx_take(b->r, "[")) {
        ptx_word(b->r, word, sizeof word);
        n *= word[0] ? strtoull(word, NULL, 10) : 0;
        if (!ptx_take(b->r, "]"))
            ptx_refuse(b->r, "the size of '%s'", v.name);
    }
    v.size = (uint32_t)(n * each);
    if (space == SIM_SHARED) {
        v.dynamic = external; /* else each kernel that names it has it among its own */
    } else {
        if (v.align > 256)
            ptx_refuse(b->r, "'%s' wants an alignment of %u", v.name, v.align);
        void *at = sim_allocate(v.size, SIM_MODULE_MEMORY);
        if (!at)
            ptx_refuse(b->r, "out of memory");
        memset(at, 0, v.size);
        v.address = (uint64_t)(uintptr_t)at;
        sim_mark_written(v.address, v.size);
        if (ptx_take(b->r, "=")) {
            ptx_until(b->r, ";", text, sizeof text);
            values(b, text, each, &v);
        }
    }
    if (!ptx_take(b->r, ";"))
        ptx_refuse(b->r, "the variable '%s' does not end", v.name);
    sim_variable *grown = realloc(b->module->globals, (b->module->n_globals + 1) * sizeof *grown);
    if (!grown)
        ptx_refuse(b->r, "out of memory");
    b->module->globals = grown;
    b->module->globals[b->module->n_globals++] = v;
}

static void forget(ptx_body *b)
{
    free(b->ranges);
    free(b->labels);
    free(b->uses);
    free(b->variables);
    free(b->sizes);
    *b = (ptx_body){.r = b->r, .module = b->module};
}

static void new_kernel(ptx_body *b)
{
    sim_module *m = b->module;
    forget(b);
    sim_kernel **grown = realloc(m->kernels, (m->n_kernels + 1) * sizeof *grown);
    if (!grown)
        ptx_refuse(b->r, "out of memory");
    m->kernels = grown;
    b->k = calloc(1, sizeof *b->k);
    if (!b->k)
        ptx_refuse(b->r, "out of memory");
    b->k->module = m;
    m->kernels[m->n_kernels++] = b->k;
}

static void read_module(ptx_body *b)
{
    char word[512], rest[PTX_TEXT];
    bool external = false;
    for (ptx_blank(b->r); *b->r->at; ptx_blank(b->r)) {
        if (ptx_take(b->r, ";"))
            continue;
        ptx_word(b->r, word, sizeof word);
        if (strcmp(word, ".version") == 0 || strcmp(word, ".target") == 0 || strcmp(word, ".address_size") == 0) {
            ptx_word(b->r, rest, sizeof rest);
            while (ptx_take(b->r, ","))
                ptx_word(b->r, rest, sizeof rest);
        } else if (strcmp(word, ".file") == 0) {
            while (*b->r->at && *b->r->at != '\n')
                ++b->r->at;
        } else if (strcmp(word, ".section") == 0) {
            ptx_word(b->r, rest, sizeof rest);
            ptx_blank(b->r);
            while (*b->r->at && *b->r->at != '}') /* debug information may be longer than a statement */
                b->r->line += *b->r->at++ == '\n';
            b->r->at += *b->r->at == '}';
        } else if (strcmp(word, ".visible") == 0 || strcmp(word, ".weak") == 0) {
            continue;
        } else if (strcmp(word, ".extern") == 0) {
            external = true;
            continue;
        } else if (strcmp(word, ".entry") == 0) {
            new_kernel(b);
            read_kernel(b);
        } else if (strcmp(word, ".global") == 0 || strcmp(word, ".const") == 0) {
            read_variable(b, word[1] == 'g' ? SIM_GLOBAL : SIM_CONST, external);
        } else if (strcmp(word, ".shared") == 0) {
            read_variable(b, SIM_SHARED, external);
        } else {
            ptx_refuse(b->r, "'%s' at module scope (functions must be inlined)", word[0] ? word : b->r->at);
        }
        external = false;
    }
}

/* Apart from its caller, whose variables setjmp must not touch. */
static bool read_or_refuse(ptx_body *b)
{
    if (setjmp(b->r->refused) != 0)
        return false;
    read_module(b);
    return true;
}

sim_module *ptx_decode_module(const char *text, char *why, size_t room)
{
    sim_module *m = calloc(1, sizeof *m);
    ptx_reader *r = calloc(1, sizeof *r);
    ptx_body *b = calloc(1, sizeof *b);
    bool ok = m && r && b;
    if (ok) {
        *r = (ptx_reader){.at = text, .line = 1, .why = why, .room = room};
        b->r = r;
        b->module = m;
        ok = read_or_refuse(b);
        forget(b);
    } else {
        snprintf(why, room, "out of memory");
    }
    free(r);
    free(b);
    if (ok)
        return m;
    sim_module_free(m);
    return NULL;
}
