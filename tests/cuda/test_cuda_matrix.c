/* SPDX-License-Identifier: MIT
 * mma.sync and ldmatrix of the test runtime against NVIDIA's "Parallel Thread Execution ISA" (version 9): the rows and
 * columns below are the document's own formulas, section by section, and not the interpreter's. Small whole numbers,
 * so that products and sums are exact. */
#include "tests/cuda/cuda_test.h"

#define HEAD                                                                                                           \
    ".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry k(.param .align 8 .b8 p[32]) {\n"                  \
    ".reg .b32 %r<24>; .reg .b64 %d<8>;\n"                                                                             \
    "mov.u32 %r0, %tid.x; ld.param.u64 %d0, [p]; ld.param.u64 %d1, [p+8]; ld.param.u64 %d2, [p+16];\n"                 \
    "ld.param.u64 %d3, [p+24]; mul.wide.u32 %d4, %r0, 16;\n"                                                           \
    "add.s64 %d0, %d0, %d4; add.s64 %d1, %d1, %d4; add.s64 %d2, %d2, %d4; add.s64 %d3, %d3, %d4;\n"

enum { LANES = 32, M = 16, N = 8, MOST_K = 32 };

typedef struct words { /* of all lanes: up to four registers of each operand */
    uint32_t a[LANES][4], b[LANES][4], c[LANES][4], d[LANES][4];
} words;

typedef void place(int group, int member, int i, int *row, int *column);

/* 9.7.14.5.8 m16n8k16, floating point */
static void a_16816(int group, int member, int i, int *row, int *column)
{
    *row = (0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8;
    *column = i < 4 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8;
}
static void b_16816(int group, int member, int i, int *row, int *column)
{
    *row = i < 2 ? member * 2 + (i & 1) : member * 2 + (i & 1) + 8;
    *column = group;
}
/* 9.7.14.5.7 m16n8k8, .f16 and .bf16 */
static void a_1688(int group, int member, int i, int *row, int *column)
{
    *row = i < 2 ? group : group + 8;
    *column = member * 2 + (i & 1);
}
static void b_1688(int group, int member, int i, int *row, int *column)
{
    *row = member * 2 + i;
    *column = group;
}
/* 9.7.14.5.7 m16n8k8, .tf32 */
static void a_1688_tf32(int group, int member, int i, int *row, int *column)
{
    *row = i == 0 || i == 2 ? group : group + 8;
    *column = i < 2 ? member : member + 4;
}
static void b_1688_tf32(int group, int member, int i, int *row, int *column)
{
    *row = i == 0 ? member : member + 4;
    *column = group;
}
/* 9.7.14.5.6 m16n8k4, .tf32 */
static void a_1684_tf32(int group, int member, int i, int *row, int *column)
{
    *row = i == 0 ? group : group + 8;
    *column = member;
}
static void b_1684_tf32(int group, int member, int i, int *row, int *column)
{
    (void)i;
    *row = member;
    *column = group;
}
/* 9.7.14.5.9 m16n8k16, integer type */
static void a_16816_s8(int group, int member, int i, int *row, int *column)
{
    *row = i < 4 ? group : group + 8;
    *column = member * 4 + (i & 3);
}
static void b_16816_s8(int group, int member, int i, int *row, int *column)
{
    *row = member * 4 + i;
    *column = group;
}
/* 9.7.14.5.10 m16n8k32, .s8 */
static void a_16832_s8(int group, int member, int i, int *row, int *column)
{
    *row = (0 <= i && i < 4) || (8 <= i && i < 12) ? group : group + 8;
    *column = i < 8 ? member * 4 + (i & 3) : member * 4 + (i & 3) + 16;
}
static void b_16832_s8(int group, int member, int i, int *row, int *column)
{
    *row = i < 4 ? member * 4 + (i & 3) : member * 4 + (i & 3) + 16;
    *column = group;
}
/* All of these: accumulators */
static void c_168(int group, int member, int i, int *row, int *column)
{
    *row = i < 2 ? group : group + 8;
    *column = member * 2 + (i & 1);
}

static uint32_t as_f32(int v)
{
    const float x = (float)v;
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static uint32_t as_bf16(int v)
{
    return as_f32(v) >> 16; /* at most 8 bits: exact */
}
static uint32_t as_f16(int v)
{
    const uint32_t u = as_f32(v);
    return v == 0 ? 0 : (u >> 16 & 0x8000) | ((u >> 23 & 255) - 112) << 10 | (u >> 13 & 1023);
}
static uint32_t as_s8(int v)
{
    return (uint8_t)(int8_t)v;
}
static uint32_t as_s32(int v)
{
    return (uint32_t)v;
}

static const struct {
    const char *name;
    int k, each; /* elements in a register */
    place *a, *b;
    uint32_t (*element)(int), (*sum)(int);
} products[] = {
    {"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 2, a_16816, b_16816, as_bf16, as_f32},
    {"m16n8k16.row.col.f32.f16.f16.f32", 16, 2, a_16816, b_16816, as_f16, as_f32},
    {"m16n8k8.row.col.f32.bf16.bf16.f32", 8, 2, a_1688, b_1688, as_bf16, as_f32},
    {"m16n8k8.row.col.f32.f16.f16.f32", 8, 2, a_1688, b_1688, as_f16, as_f32},
    {"m16n8k8.row.col.f32.tf32.tf32.f32", 8, 1, a_1688_tf32, b_1688_tf32, as_f32, as_f32},
    {"m16n8k4.row.col.f32.tf32.tf32.f32", 4, 1, a_1684_tf32, b_1684_tf32, as_f32, as_f32},
    {"m16n8k32.row.col.s32.s8.s8.s32", 32, 4, a_16832_s8, b_16832_s8, as_s8, as_s32},
    {"m16n8k16.row.col.s32.s8.s8.s32", 16, 4, a_16816_s8, b_16816_s8, as_s8, as_s32},
};

static int small(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (int)(*seed >> 16) % 25 - 12;
}

static void write_registers(char *to, size_t room, const char *what, int from, int n)
{
    size_t at = (size_t)snprintf(to, room, "%s{", what);
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(to + at, room - at, "%s%%r%d", i ? ", " : "", from + i);
    snprintf(to + at, room - at, "}");
}

static void run_words(const char *text, words *w)
{
    assert_int_equal(begin_device(NULL), 0);
    struct {
        void *a, *b, *c, *d;
    } args = {on_device(w->a, sizeof w->a), on_device(w->b, sizeof w->b), on_device(w->c, sizeof w->c),
              device_room(sizeof w->d)};
    assert_int_equal(launch(kernel_of(library_of(text), "k"), 1, LANES, 0, &args), 0);
    if (from_device(w->d, args.d, sizeof w->d) != 0)
        fail_msg("%s", fake_cuda_finding());
    fake_cuda_reset();
}

static void one_product(size_t at, uint32_t seed)
{
    static int a[M][MOST_K], b[MOST_K][N], c[M][N];
    static words w;
    const int k = products[at].k, each = products[at].each, bits = 32 / each;
    const int n_a = M * k / LANES / each, n_b = k * N / LANES / each;
    char text[2048], operands[4][64];
    for (int i = 0; i < M; i++)
        for (int j = 0; j < k; j++)
            a[i][j] = small(&seed);
    for (int i = 0; i < k; i++)
        for (int j = 0; j < N; j++)
            b[i][j] = small(&seed);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++)
            c[i][j] = small(&seed);
    memset(&w, 0, sizeof w);
    for (int lane = 0; lane < LANES; lane++) {
        const int group = lane >> 2, member = lane % 4;
        int row, column;
        for (int i = 0; i < n_a * each; i++) {
            products[at].a(group, member, i, &row, &column);
            w.a[lane][i / each] |= products[at].element(a[row][column]) << bits * (i % each);
        }
        for (int i = 0; i < n_b * each; i++) {
            products[at].b(group, member, i, &row, &column);
            w.b[lane][i / each] |= products[at].element(b[row][column]) << bits * (i % each);
        }
        for (int i = 0; i < 4; i++) {
            c_168(group, member, i, &row, &column);
            w.c[lane][i] = products[at].sum(c[row][column]);
        }
    }
    write_registers(operands[0], sizeof operands[0], "", 16, 4);
    write_registers(operands[1], sizeof operands[1], "", 1, n_a);
    write_registers(operands[2], sizeof operands[2], "", 5, n_b);
    write_registers(operands[3], sizeof operands[3], "", 9, 4);
    snprintf(text, sizeof text,
             "%sld.global.v4.u32 {%%r1, %%r2, %%r3, %%r4}, [%%d0]; ld.global.v4.u32 {%%r5, %%r6, %%r7, %%r8}, [%%d1];\n"
                  "ld.global.v4.u32 {%%r9, %%r10, %%r11, %%r12}, [%%d2];\n"
                  "mma.sync.aligned.%s %s, %s, %s, %s;\n"
                  "st.global.v4.u32 [%%d3], {%%r16, %%r17, %%r18, %%r19}; ret; }\n",
             HEAD, products[at].name, operands[0], operands[1], operands[2], operands[3]);
    run_words(text, &w);
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 4; i++) {
            int row, column;
            c_168(lane >> 2, lane % 4, i, &row, &column);
            int sum = c[row][column];
            for (int j = 0; j < k; j++)
                sum += a[row][j] * b[j][column];
            if (w.d[lane][i] != products[at].sum(sum))
                fail_msg("%s: lane %d, d%d is 0x%x, not 0x%x", products[at].name, lane, i, w.d[lane][i],
                         products[at].sum(sum));
        }
}

static void fragments_as_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        for (uint32_t seed = 1; seed < 4; seed++)
            one_product(i, seed);
}

/* 9.7.14.5.15: lanes 8m .. 8m + 7 give the addresses of matrix m's rows; lane l gets of each matrix the elements
 * 2 (l % 4) and the next of row l / 4 - with .trans, of the transposed matrix. */
static void one_ldmatrix(int count, int transposed)
{
    static words w;
    char text[2048], registers[64];
    uint16_t rows[LANES][8];
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 8; j++)
            rows[i][j] = (uint16_t)(256 * i + j);
    memset(&w, 0, sizeof w);
    memcpy(w.a, rows, sizeof rows);
    write_registers(registers, sizeof registers, "", 16, count);
    /* Row r goes to place (5 r) % 32, so that addresses count and not their order. */
    snprintf(text, sizeof text,
             "%s.shared .align 16 .b8 s[512]; .reg .b32 %%t<4>;\n"
                  "ld.global.v4.u32 {%%r1, %%r2, %%r3, %%r4}, [%%d0];\n"
                  "mul.lo.u32 %%t0, %%r0, 5; and.b32 %%t0, %%t0, 31; shl.b32 %%t0, %%t0, 4; mov.u32 %%t1, s;\n"
                  "add.u32 %%t0, %%t0, %%t1; st.shared.v4.u32 [%%t0], {%%r1, %%r2, %%r3, %%r4}; bar.sync 0;\n"
                  "mov.u32 %%r16, 0; mov.u32 %%r17, 0; mov.u32 %%r18, 0; mov.u32 %%r19, 0;\n"
                  "ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 %s, [%%t0];\n"
                  "st.global.v4.u32 [%%d3], {%%r16, %%r17, %%r18, %%r19}; ret; }\n",
             HEAD, count, transposed ? ".trans" : "", registers);
    run_words(text, &w);
    for (int lane = 0; lane < LANES; lane++)
        for (int m = 0; m < count; m++)
            for (int i = 0; i < 2; i++) {
                const int row = lane / 4, column = 2 * (lane % 4) + i;
                const int want = transposed ? 256 * (8 * m + column) + row : 256 * (8 * m + row) + column;
                assert_int_equal(w.d[lane][m] >> 16 * i & 0xffff, want);
            }
}

static void ldmatrix_as_documented(void **state)
{
    (void)state;
    for (int count = 1; count <= 4; count *= 2)
        for (int transposed = 0; transposed < 2; transposed++)
            one_ldmatrix(count, transposed);
}

/* tf32 operands: the 13 low bits do not count. */
static void tf32_is_cut(void **state)
{
    (void)state;
    static words w, cut;
    const char *text = HEAD "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d0]; ld.global.v2.u32 {%r5, %r6}, [%d1];\n"
                            "ld.global.v4.u32 {%r9, %r10, %r11, %r12}, [%d2];\n"
                            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%r16, %r17, %r18, %r19}, "
                            "{%r1, %r2, %r3, %r4}, {%r5, %r6}, {%r9, %r10, %r11, %r12};\n"
                            "st.global.v4.u32 [%d3], {%r16, %r17, %r18, %r19}; ret; }\n";
    uint32_t seed = 9;
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 4; j++) {
            w.a[i][j] = as_f32(small(&seed)) | 0x1abc;
            w.b[i][j] = as_f32(small(&seed)) | 0x0fff;
            w.c[i][j] = as_f32(small(&seed));
        }
    cut = w;
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 4; j++) {
            cut.a[i][j] &= ~0x1fffu;
            cut.b[i][j] &= ~0x1fffu;
        }
    run_words(text, &w);
    run_words(text, &cut);
    assert_memory_equal(w.d, cut.d, sizeof w.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fragments_as_documented, end_device),
        cmocka_unit_test_teardown(ldmatrix_as_documented, end_device),
        cmocka_unit_test_teardown(tf32_is_cut, end_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
