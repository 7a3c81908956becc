/* SPDX-License-Identifier: MIT
 * What the parts of the decoder share. */
#ifndef MDLDM_TESTS_CUDA_PTX_DECODE_H
#define MDLDM_TESTS_CUDA_PTX_DECODE_H

#include "tests/cuda/sim/ptx_text.h"

typedef struct ptx_range { /* .reg .b32 %r<25>; or one name */
    char prefix[64];
    int32_t count; /* -1: a single name */
    sim_type type;
    uint32_t first;
    int depth; /* of braces it was declared in */
} ptx_range;

typedef struct ptx_label {
    char name[64];
    int32_t op;
} ptx_label;

typedef struct ptx_body {
    ptx_reader *r;
    sim_module *module;
    sim_kernel *k;
    ptx_range *ranges;
    size_t n_ranges, cap_ranges;
    ptx_label *labels, *uses; /* uses: branches, by operation */
    size_t n_labels, cap_labels, n_uses, cap_uses;
    sim_variable *variables; /* shared and local ones of the kernel */
    size_t n_variables, cap_variables;
    uint8_t *sizes; /* bytes of a lane of each register; 0: a predicate */
    size_t n_sizes, cap_sizes;
    int depth;
} ptx_body;

/* A new element at the end of an array. */
#define PTX_PUSH(B, ARRAY, N, CAP)                                                                                     \
    (*((N) == (CAP) ? (void)((ARRAY) = ptx_grow((B)->r, (ARRAY), &(CAP), sizeof *(ARRAY))) : (void)0, &(ARRAY)[(N)++]))
void *ptx_grow(ptx_reader *r, void *array, size_t *cap, size_t size);

uint32_t ptx_new_register(ptx_body *b, sim_type type);
/* The register of an operand that has `bytes` a lane (0: predicate): a declared one, or one that holds a literal,
 * a special register's value or a variable's address. */
sim_reg ptx_source(ptx_body *b, const char *text, sim_type type);
sim_reg ptx_destination(ptx_body *b, const char *text, unsigned *bytes);
/* A source of any size; *bytes gets it. Literals take `type`'s. */
sim_reg ptx_any_source(ptx_body *b, const char *text, sim_type type, unsigned *bytes);
/* "{a, b, c}" or a single operand into `parts`. */
int ptx_vector(ptx_body *b, char *text, char **parts, int most);
/* "[base + 16]" into the operation's register number `at`, wide and offset. */
void ptx_address(ptx_body *b, char *text, sim_op *op, int at);

/* One instruction: words of its name ("ld", "global", "v4", "f32"), operands. Each returns false when the name is
 * not one of its own. */
typedef struct ptx_statement {
    char name[192];
    char *word[PTX_WORDS];
    int n_words;
    char *operand[PTX_WORDS];
    int n_operands;
} ptx_statement;
bool ptx_decode_lanes(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_compare(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_convert(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_pack(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_memory(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_async(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_atomic(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_matrix(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_exchange(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_decode_control(ptx_body *b, ptx_statement *s, sim_op *op);
bool ptx_has_word(const ptx_statement *s, const char *word);
/* Refuses unless the operation has `n` operands. */
void ptx_want_operands(ptx_body *b, const ptx_statement *s, int n);

/* Gives a variable of the kernel's own its place in shared or local memory. */
const sim_variable *ptx_add_variable(ptx_body *b, const sim_variable *wanted);

/* A whole text, with memory for its variables. NULL and a sentence when it has what is not in the instruction set. */
sim_module *ptx_decode_module(const char *text, char *why, size_t room);
/* The kernel's text from its "{" on. */
void ptx_read_body(ptx_body *b);
/* Where the lanes of each branch meet again: the immediate post-dominator. */
void ptx_find_meets(ptx_body *b);
/* Registers whose lives do not overlap share a place. */
void ptx_place_registers(ptx_body *b);

#endif
