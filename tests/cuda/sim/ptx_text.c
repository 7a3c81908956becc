/* SPDX-License-Identifier: MIT */
#include "tests/cuda/sim/ptx_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ptx_refuse(ptx_reader *r, const char *fmt, ...)
{
    int n = snprintf(r->why, r->room, "PTX line %d: ", r->line);
    va_list args;
    va_start(args, fmt);
    if (n > 0 && (size_t)n < r->room)
        vsnprintf(r->why + n, r->room - (size_t)n, fmt, args);
    va_end(args);
    longjmp(r->refused, 1);
}

void ptx_blank(ptx_reader *r)
{
    for (;;) {
        if (*r->at == '\n') {
            ++r->line;
            ++r->at;
        } else if (isspace((unsigned char)*r->at)) {
            ++r->at;
        } else if (r->at[0] == '/' && r->at[1] == '/') {
            while (*r->at && *r->at != '\n')
                ++r->at;
        } else if (r->at[0] == '/' && r->at[1] == '*') {
            for (r->at += 2; *r->at && !(r->at[0] == '*' && r->at[1] == '/'); ++r->at)
                r->line += *r->at == '\n';
            if (*r->at)
                r->at += 2;
        } else {
            return;
        }
    }
}

static bool of_word(char c)
{
    return isalnum((unsigned char)c) || strchr("_$%.:", c) != NULL;
}

void ptx_word(ptx_reader *r, char *out, size_t room)
{
    ptx_blank(r);
    size_t n = 0;
    while (*r->at && of_word(*r->at)) {
        if (n + 1 == room)
            ptx_refuse(r, "a word is longer than %zu characters", room - 1);
        out[n++] = *r->at++;
    }
    out[n] = 0;
}

void ptx_until(ptx_reader *r, const char *ends, char *out, size_t room)
{
    ptx_blank(r);
    size_t n = 0;
    int depth = 0;
    bool text = false;
    for (; *r->at; ++r->at) {
        const char c = *r->at;
        if (!text && depth == 0 && strchr(ends, c))
            break;
        if (c == '"')
            text = !text;
        if (!text && strchr("{[(", c))
            ++depth;
        if (!text && strchr("}])", c))
            --depth;
        if (c == '\n')
            ++r->line;
        if (!text && c == '/' && r->at[1] == '/') {
            while (r->at[1] && r->at[1] != '\n')
                ++r->at;
            continue;
        }
        if (n + 1 == room)
            ptx_refuse(r, "a statement is longer than %zu characters", room - 1);
        out[n++] = c == '\n' || c == '\t' ? ' ' : c;
    }
    if (!*r->at)
        ptx_refuse(r, "the text ends within a statement");
    while (n && out[n - 1] == ' ')
        --n;
    out[n] = 0;
}

bool ptx_take(ptx_reader *r, const char *what)
{
    ptx_blank(r);
    const size_t n = strlen(what);
    if (strncmp(r->at, what, n) != 0)
        return false;
    if (of_word(what[n - 1]) && of_word(r->at[n]))
        return false;
    r->at += n;
    return true;
}

int ptx_split(ptx_reader *r, char *text, char **parts, int most)
{
    int n = 0, depth = 0;
    char *from = text;
    for (char *p = text;; ++p) {
        if (strchr("{[(", *p) && *p)
            ++depth;
        if (strchr("}])", *p) && *p)
            --depth;
        if (*p && !(*p == ',' && depth == 0))
            continue;
        const bool last = !*p;
        while (isspace((unsigned char)*from))
            ++from;
        char *end = p;
        while (end > from && isspace((unsigned char)end[-1]))
            --end;
        *end = 0;
        if (n == most)
            ptx_refuse(r, "more than %d operands", most);
        if (*from || n || !last)
            parts[n++] = from;
        if (last)
            return n;
        from = p + 1;
    }
}

bool ptx_number(const char *text, sim_type type, uint64_t *bits)
{
    char *end;
    if (text[0] == '0' && (text[1] == 'f' || text[1] == 'F' || text[1] == 'd' || text[1] == 'D')) {
        *bits = strtoull(text + 2, &end, 16);
        return *end == 0;
    }
    if (!isdigit((unsigned char)text[0]) && text[0] != '-' && text[0] != '+')
        return false;
    if (strpbrk(text, ".") || ((type == SIM_F32 || type == SIM_F64) && !strchr(text, 'x'))) {
        const double value = strtod(text, &end);
        if (type == SIM_F64) {
            memcpy(bits, &value, sizeof value);
        } else {
            const float narrow = (float)value;
            uint32_t word;
            memcpy(&word, &narrow, sizeof word);
            *bits = word;
        }
        return *end == 0 && (type == SIM_F32 || type == SIM_F64);
    }
    const bool minus = text[0] == '-';
    if (minus || text[0] == '+')
        ++text;
    if (text[0] == '0' && (text[1] == 'b' || text[1] == 'B'))
        *bits = strtoull(text + 2, &end, 2);
    else
        *bits = strtoull(text, &end, 0);
    if (*end == 'U' || *end == 'u')
        ++end;
    if (minus)
        *bits = UINT64_C(0) - *bits;
    return *end == 0;
}

static const struct {
    const char *name;
    uint8_t size;
} types[] = {
    [SIM_B8] = {"b8", 1}, [SIM_U8] = {"u8", 1}, [SIM_S8] = {"s8", 1}, [SIM_B16] = {"b16", 2},
    [SIM_U16] = {"u16", 2}, [SIM_S16] = {"s16", 2}, [SIM_F16] = {"f16", 2}, [SIM_BF16] = {"bf16", 2},
    [SIM_B32] = {"b32", 4}, [SIM_U32] = {"u32", 4}, [SIM_S32] = {"s32", 4}, [SIM_F32] = {"f32", 4},
    [SIM_TF32] = {"tf32", 4}, [SIM_B64] = {"b64", 8}, [SIM_U64] = {"u64", 8}, [SIM_S64] = {"s64", 8},
    [SIM_F64] = {"f64", 8}, [SIM_F16X2] = {"f16x2", 4}, [SIM_BF16X2] = {"bf16x2", 4}, [SIM_PRED] = {"pred", 4},
};

sim_type ptx_type(const char *name)
{
    for (int i = 0; i < SIM_NO_TYPE; ++i)
        if (strcmp(types[i].name, name) == 0)
            return (sim_type)i;
    return SIM_NO_TYPE;
}

unsigned sim_type_size(sim_type type)
{
    return type < SIM_NO_TYPE ? types[type].size : 0;
}
