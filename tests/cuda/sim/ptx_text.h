/* SPDX-License-Identifier: MIT
 * PTX text cut into statements and operands. */
#ifndef MDLDM_TESTS_CUDA_PTX_TEXT_H
#define MDLDM_TESTS_CUDA_PTX_TEXT_H

#include "tests/cuda/sim/sim.h"

#include <setjmp.h>

enum { PTX_TEXT = 4096, PTX_WORDS = 12 };

typedef struct ptx_reader {
    const char *at;
    int line, source;
    char *why;
    size_t room;
    jmp_buf refused; /* where ptx_refuse goes: deep in the decoder nothing can be done about it */
} ptx_reader;

/* Writes "line N: ..." and leaves for the reader's setjmp. */
_Noreturn void ptx_refuse(ptx_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Skips blanks and comments. */
void ptx_blank(ptx_reader *r);
/* Copies up to one of `ends` (outside braces, brackets, parentheses and strings) or, when NULL, the next word. */
void ptx_word(ptx_reader *r, char *out, size_t room);
void ptx_until(ptx_reader *r, const char *ends, char *out, size_t room);
bool ptx_take(ptx_reader *r, const char *what);

/* Cuts `text` at top-level commas, in place; blanks at both ends go. Returns how many. */
int ptx_split(ptx_reader *r, char *text, char **parts, int most);

/* Literal numbers: 12, -3, 0x1F, 0f3F800000, 0d..., 1.5 (needs `type`). False when `text` is none. */
bool ptx_number(const char *text, sim_type type, uint64_t *bits);
sim_type ptx_type(const char *name); /* "f32"; SIM_NO_TYPE when unknown */

#endif
