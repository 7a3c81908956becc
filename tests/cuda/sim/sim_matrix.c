/* SPDX-License-Identifier: MIT
 * mma.sync and ldmatrix. Where a fragment's elements belong: PTX ISA 9.7.14.5 "Matrix Fragments for mma" and
 * 9.7.14.5.15 "ldmatrix"; test_cuda_matrix.c holds the document's own formulas against this. */
#include "tests/cuda/sim/half_bits.h"
#include "tests/cuda/sim/ptx_decode.h"
#include "tests/cuda/sim/sim_matrix.h"
#include "tests/cuda/sim/sim_memory.h"
#include "tests/cuda/sim/sim_ops.h"

#include <string.h>

/* A register holds `each` neighbours along k; registers go down by 8 rows first, then along k. */
void sim_place_a(int each, int lane, int reg, int element, int *row, int *k)
{
    *row = lane / 4 + 8 * (reg & 1);
    *k = lane % 4 * each + element + (reg >> 1) * 4 * each;
}
void sim_place_b(int each, int lane, int reg, int element, int *k, int *column)
{
    *k = lane % 4 * each + element + reg * 4 * each;
    *column = lane / 4;
}
void sim_place_c(int lane, int reg, int *row, int *column)
{
    *row = lane / 4 + 8 * (reg >> 1);
    *column = lane % 4 * 2 + (reg & 1);
}

enum { M = 16, N = 8, MOST_K = 32 };

static float element_of(uint32_t word, int i, sim_type type)
{
    switch (type) {
    case SIM_BF16: return from_bf16((uint16_t)(word >> 16 * i));
    case SIM_F16: return from_f16((uint16_t)(word >> 16 * i));
    default: return bits_float(word & ~0x1fffu); /* tf32: the low bits are not looked at */
    }
}

/* Products are exact in f32 (at most 22 bits); sums are rounded one after the other, hardware's may be in another
 * order and truncated. */
SIM_FAST static void multiply(float c[M][N], float a[M][MOST_K], float b[MOST_K][N], int k)
{
    for (int i = 0; i < M; ++i) {
        float sum[N];
        memcpy(sum, c[i], sizeof sum);
        for (int p = 0; p < k; ++p)
            for (int j = 0; j < N; ++j)
                sum[j] += a[i][p] * b[p][j];
        memcpy(c[i], sum, sizeof sum);
    }
}

static bool whole_warp(sim_warp *w, const sim_op *op, uint32_t mask)
{
    if (mask == UINT32_MAX)
        return true;
    sim_found(w, op, -1, "needs all 32 lanes of the warp; here are 0x%x", mask);
    return false;
}

static bool operands_written(sim_warp *w, const sim_op *op)
{
    for (int i = 4; i < 4 + op->n_src; ++i)
        if (!sim_need_written(w, op, op->r[i], UINT32_MAX, "an operand of mma"))
            return false;
    for (int i = 0; i < 4; ++i)
        w->written[op->r[i].id] = UINT32_MAX;
    return true;
}

/* `each` and `type` are known where this is called, which leaves plain loops. */
static inline __attribute__((always_inline)) void mma_float(sim_warp *w, const sim_op *op, uint32_t mask, int each,
                                                            sim_type type)
{
    float a[M][MOST_K], b[MOST_K][N], c[M][N];
    const int n_a = op->count, n_b = n_a / 2, k = 4 * each * n_b;
    if (!whole_warp(w, op, mask) || !operands_written(w, op))
        return;
    int row, column;
    for (int r = 0; r < n_a; ++r) {
        const uint32_t *lanes = sim_lanes(w, op->r[4 + r]);
        for (int l = 0; l < SIM_LANES; ++l)
            for (int i = 0; i < each; ++i) {
                sim_place_a(each, l, r, i, &row, &column);
                a[row][column] = element_of(lanes[l], i, type);
            }
    }
    for (int r = 0; r < n_b; ++r) {
        const uint32_t *lanes = sim_lanes(w, op->r[4 + n_a + r]);
        for (int l = 0; l < SIM_LANES; ++l)
            for (int i = 0; i < each; ++i) {
                sim_place_b(each, l, r, i, &row, &column);
                b[row][column] = element_of(lanes[l], i, type);
            }
    }
    for (int r = 0; r < 4; ++r) {
        const float *lanes = sim_lanes(w, op->r[4 + n_a + n_b + r]);
        for (int l = 0; l < SIM_LANES; ++l) {
            sim_place_c(l, r, &row, &column);
            c[row][column] = lanes[l];
        }
    }
    multiply(c, a, b, k);
    for (int r = 0; r < 4; ++r) {
        float *lanes = sim_lanes(w, op->r[r]);
        for (int l = 0; l < SIM_LANES; ++l) {
            sim_place_c(l, r, &row, &column);
            lanes[l] = c[row][column];
        }
    }
}

static void mma_bf16(sim_warp *w, const sim_op *op, uint32_t mask)
{
    mma_float(w, op, mask, 2, SIM_BF16);
}

static void mma_f16(sim_warp *w, const sim_op *op, uint32_t mask)
{
    mma_float(w, op, mask, 2, SIM_F16);
}

static void mma_tf32(sim_warp *w, const sim_op *op, uint32_t mask)
{
    mma_float(w, op, mask, 1, SIM_TF32);
}

static void mma_s8(sim_warp *w, const sim_op *op, uint32_t mask)
{
    int32_t a[M][MOST_K], b[MOST_K][N], c[M][N];
    const int n_a = op->count, n_b = n_a / 2, k = 16 * n_b;
    if (!whole_warp(w, op, mask) || !operands_written(w, op))
        return;
    int row, column;
    for (int l = 0; l < SIM_LANES; ++l) {
        for (int i = 0; i < 4 * n_a; ++i) {
            sim_place_a(4, l, i / 4, i % 4, &row, &column);
            a[row][column] = (int8_t)(((const uint32_t *)sim_lanes(w, op->r[4 + i / 4]))[l] >> 8 * (i % 4));
        }
        for (int i = 0; i < 4 * n_b; ++i) {
            sim_place_b(4, l, i / 4, i % 4, &row, &column);
            b[row][column] = (int8_t)(((const uint32_t *)sim_lanes(w, op->r[4 + n_a + i / 4]))[l] >> 8 * (i % 4));
        }
        for (int r = 0; r < 4; ++r) {
            sim_place_c(l, r, &row, &column);
            c[row][column] = ((const int32_t *)sim_lanes(w, op->r[4 + n_a + n_b + r]))[l];
        }
    }
    for (int i = 0; i < M; ++i)
        for (int p = 0; p < k; ++p)
            for (int j = 0; j < N; ++j)
                c[i][j] = (int32_t)((uint32_t)c[i][j] + (uint32_t)(a[i][p] * b[p][j]));
    for (int r = 0; r < 4; ++r)
        for (int l = 0; l < SIM_LANES; ++l) {
            sim_place_c(l, r, &row, &column);
            ((int32_t *)sim_lanes(w, op->r[r]))[l] = c[row][column];
        }
}

static void ldmatrix(sim_warp *w, const sim_op *op, uint32_t mask)
{
    uint32_t rows[SIM_LANES] = {0};
    const sim_reg base = op->r[op->count];
    const uint32_t used = op->count == 4 ? UINT32_MAX : (UINT32_C(1) << 8 * op->count) - 1;
    if (!whole_warp(w, op, mask) || !sim_need_written(w, op, base, used, "the address of a row"))
        return;
    for (int l = 0; l < 8 * op->count; ++l) {
        uint64_t addr = sim_lane_address(w, op, base, l);
        if (op->space == SIM_GENERIC)
            addr -= SIM_SHARED_BASE;
        if (addr % 16 != 0) {
            sim_found(w, op, l, "a row at offset %lld of shared memory, which is not a multiple of 16",
                      (long long)addr - SIM_SHARED_FIRST);
            return;
        }
        rows[l] = addr > UINT32_MAX ? UINT32_MAX : (uint32_t)addr;
        if (!sim_touch_shared(w, op, l, rows[l], 16, SIM_READ))
            return;
        rows[l] -= SIM_SHARED_FIRST;
    }
    if (w->block->launch->counting)
        sim_count_rows(w, op, rows, 8 * op->count);
    for (int m = 0; m < op->count; ++m) {
        uint32_t *d = sim_lanes(w, op->r[m]);
        for (int l = 0; l < SIM_LANES; ++l) {
            uint16_t pair[2];
            for (int i = 0; i < 2; ++i) {
                const int row = op->arg ? l % 4 * 2 + i : l / 4, column = op->arg ? l / 4 : l % 4 * 2 + i;
                memcpy(&pair[i], w->block->shared + rows[8 * m + row] + 2 * column, sizeof pair[i]);
            }
            d[l] = (uint32_t)pair[1] << 16 | pair[0];
        }
        w->written[op->r[m].id] = UINT32_MAX;
    }
}

static const struct {
    const char *name;
    sim_handler run;
    uint8_t n_a;
} products[] = {
    {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", mma_bf16, 4},
    {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", mma_f16, 4},
    {"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", mma_bf16, 2},
    {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", mma_f16, 2},
    {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", mma_tf32, 4},
    {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", mma_tf32, 2},
    {"mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", mma_s8, 4},
    {"mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32", mma_s8, 2},
};

static void take_fragment(ptx_body *b, ptx_statement *s, int operand, int n, sim_op *op, int at)
{
    char *parts[4];
    unsigned bytes;
    if (ptx_vector(b, s->operand[operand], parts, 4) != n)
        ptx_refuse(b->r, "'%s' with another number of registers than %d in operand %d", s->name, n, operand + 1);
    for (int i = 0; i < n; ++i) {
        if (at == 0) {
            op->r[i] = ptx_destination(b, parts[i], &bytes);
            if (bytes != 4)
                ptx_refuse(b->r, "'%s' into '%s', which has %u bits", s->name, parts[i], 8 * bytes);
        } else {
            op->r[at + i] = ptx_source(b, parts[i], SIM_B32);
        }
    }
}

bool ptx_decode_matrix(ptx_body *b, ptx_statement *s, sim_op *op)
{
    op->own_written = 1;
    if (strcmp(s->word[0], "ldmatrix") == 0) {
        for (int i = 1; i < s->n_words; ++i) {
            if (s->word[i][0] == 'x' && s->word[i][1])
                op->count = (uint8_t)(s->word[i][1] - '0');
            else if (strcmp(s->word[i], "trans") == 0)
                op->arg = 1;
            else if (!ptx_space(s->word[i], &op->space) && strcmp(s->word[i], "sync") != 0 &&
                     strcmp(s->word[i], "aligned") != 0 && strcmp(s->word[i], "m8n8") != 0 &&
                     strcmp(s->word[i], "b16") != 0)
                return false;
        }
        if ((op->count != 1 && op->count != 2 && op->count != 4) ||
            (op->space != SIM_SHARED && op->space != SIM_GENERIC))
            return false;
        ptx_want_operands(b, s, 2);
        take_fragment(b, s, 0, op->count, op, 0);
        ptx_address(b, s->operand[1], op, op->count);
        op->n_dst = op->count;
        op->n_src = 1;
        op->run = ldmatrix;
        return true;
    }
    op->own_written = 0;
    for (size_t i = 0; i < sizeof products / sizeof *products; ++i) {
        if (strcmp(products[i].name, s->name) != 0)
            continue;
        const int n_a = products[i].n_a;
        ptx_want_operands(b, s, 4);
        take_fragment(b, s, 0, 4, op, 0);
        take_fragment(b, s, 1, n_a, op, 4);
        take_fragment(b, s, 2, n_a / 2, op, 4 + n_a);
        take_fragment(b, s, 3, 4, op, 4 + n_a + n_a / 2);
        op->count = (uint8_t)n_a;
        op->n_dst = 4;
        op->n_src = (uint8_t)(n_a + n_a / 2 + 4);
        op->own_written = 1;
        op->run = products[i].run;
        return true;
    }
    return false;
}
