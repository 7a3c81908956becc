/* SPDX-License-Identifier: MIT
 * Operands: registers by name, literals, special registers, addresses. */
#include "tests/cuda/sim/ptx_decode.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const special_names[SIM_SPECIALS] = {
    "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z",
    "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid", "%warpid", "%lanemask_lt", "%lanemask_le",
    "%lanemask_gt", "%lanemask_ge", "%lanemask_eq", "%dynamic_smem_size",
};

/* A declared register; false when `text` names none. Its number stands in id until registers get their places. */
static bool declared(ptx_body *b, const char *text, sim_reg *reg, sim_type *type)
{
    size_t n = strlen(text), digits = n;
    while (digits && isdigit((unsigned char)text[digits - 1]))
        --digits;
    const int32_t number = digits < n ? atoi(text + digits) : -1;
    for (size_t i = b->n_ranges; i-- > 0;) {
        const ptx_range *x = &b->ranges[i];
        uint32_t id = x->first;
        if (x->count < 0) {
            if (strcmp(x->prefix, text) != 0)
                continue;
        } else {
            if (strlen(x->prefix) != digits || strncmp(x->prefix, text, digits) != 0 || number < 0 ||
                number >= x->count)
                continue;
            id += (uint32_t)number;
        }
        reg->id = (uint16_t)id;
        reg->at = 0;
        *type = x->type;
        return true;
    }
    return false;
}

static sim_reg constant(ptx_body *b, uint64_t bits, unsigned size, bool dynamic)
{
    for (size_t i = 0; i < b->k->n_constants; ++i)
        if (b->k->constants[i].size == size && b->k->constants[i].bits == bits &&
            b->k->constants[i].dynamic == dynamic)
            return b->k->constants[i].reg;
    const sim_type type = size == 0 ? SIM_PRED : size == 8 ? SIM_B64 : size == 4 ? SIM_B32 : SIM_B16;
    const sim_constant c = {
        .reg.id = (uint16_t)ptx_new_register(b, type), .size = (uint8_t)size, .dynamic = dynamic, .bits = bits};
    PTX_PUSH(b, b->k->constants, b->k->n_constants, b->k->cap_constants) = c;
    return c.reg;
}

static const sim_variable *variable(ptx_body *b, const char *name)
{
    for (size_t i = 0; i < b->n_variables; ++i)
        if (strcmp(b->variables[i].name, name) == 0)
            return &b->variables[i];
    for (size_t i = 0; i < b->k->n_params; ++i)
        if (strcmp(b->k->params[i].name, name) == 0)
            return &b->k->params[i];
    for (size_t i = 0; i < b->module->n_globals; ++i)
        if (strcmp(b->module->globals[i].name, name) == 0) {
            const sim_variable *v = &b->module->globals[i];
            return v->space == SIM_SHARED && !v->dynamic ? ptx_add_variable(b, v) : v;
        }
    return NULL;
}

sim_reg ptx_any_source(ptx_body *b, const char *text, sim_type type, unsigned *bytes)
{
    sim_reg reg;
    sim_type have;
    if (declared(b, text, &reg, &have)) {
        *bytes = have == SIM_PRED ? 0 : sim_type_size(have);
        return reg;
    }
    for (int i = 0; i < SIM_SPECIALS; ++i)
        if (strcmp(text, special_names[i]) == 0) {
            if (!b->k->has_special[i]) {
                b->k->special[i] = (sim_reg){.id = (uint16_t)ptx_new_register(b, SIM_B32)};
                b->k->has_special[i] = true;
            }
            *bytes = 4;
            return b->k->special[i];
        }
    const unsigned size = type == SIM_PRED ? 0 : sim_type_size(type) < 2 ? 2 : sim_type_size(type);
    uint64_t bits;
    *bytes = size;
    if (ptx_number(text, type, &bits))
        return constant(b, size == 8 ? bits : size == 4 ? (uint32_t)bits : (uint16_t)bits, size, false);
    char name[512];
    if (strlen(text) < sizeof name) { /* "name" or "name+16" */
        strcpy(name, text);
        char *plus = strchr(name, '+');
        if (plus)
            *plus++ = 0;
        size_t n = strlen(name);
        while (n && name[n - 1] == ' ')
            name[--n] = 0;
        const sim_variable *v = variable(b, name);
        if (v && size >= 4)
            return constant(b, v->address + (plus ? strtoull(plus, NULL, 0) : 0), size, v->dynamic);
    }
    ptx_refuse(b->r, "the operand '%s' is not understood", text);
}

sim_reg ptx_source(ptx_body *b, const char *text, sim_type type)
{
    unsigned bytes;
    const sim_reg reg = ptx_any_source(b, text, type, &bytes);
    const unsigned want = type == SIM_PRED ? 0 : sim_type_size(type) < 2 ? 2 : sim_type_size(type);
    if (bytes != want)
        ptx_refuse(b->r, "the operand '%s' has %u bits, not %u", text, 8 * bytes, 8 * want);
    return reg;
}

sim_reg ptx_destination(ptx_body *b, const char *text, unsigned *bytes)
{
    sim_reg reg;
    sim_type have;
    if (strcmp(text, "_") == 0) { /* goes nowhere: a register that nobody reads */
        *bytes = 8;
        return (sim_reg){.id = (uint16_t)ptx_new_register(b, SIM_B64)};
    }
    if (!declared(b, text, &reg, &have))
        ptx_refuse(b->r, "'%s' is not a register", text);
    *bytes = have == SIM_PRED ? 0 : sim_type_size(have);
    return reg;
}

int ptx_vector(ptx_body *b, char *text, char **parts, int most)
{
    if (text[0] != '{') {
        parts[0] = text;
        return 1;
    }
    text[strlen(text) - 1] = 0;
    return ptx_split(b->r, text + 1, parts, most);
}

void ptx_address(ptx_body *b, char *text, sim_op *op, int at)
{
    const size_t n = strlen(text);
    if (n < 3 || text[0] != '[' || text[n - 1] != ']')
        ptx_refuse(b->r, "'%s' is not an address", text);
    text[n - 1] = 0;
    char *base = text + 1;
    while (*base == ' ')
        ++base;
    char *plus = strpbrk(base + 1, "+-");
    op->offset = 0;
    if (plus) {
        char *number = plus + 1 + strspn(plus + 1, " +");
        const int64_t sign = *plus == '-' ? -1 : 1;
        op->offset = sign * (int64_t)strtoll(number, NULL, 0);
        *plus = 0;
    }
    for (size_t k = strlen(base); k && base[k - 1] == ' ';)
        base[--k] = 0;
    unsigned bytes;
    op->r[at] = ptx_any_source(b, base, SIM_B64, &bytes);
    if (bytes != 4 && bytes != 8)
        ptx_refuse(b->r, "the address '%s' has %u bits", base, 8 * bytes);
    op->wide = bytes == 8;
}
