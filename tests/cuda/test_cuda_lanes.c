/* SPDX-License-Identifier: MIT
 * Single instructions of the test runtime: what the "PTX ISA" says they give, worked out by hand. */
#include "tests/cuda/cuda_test.h"

/* %a %b %c: the low words of the inputs %A %B %C, %ah the low half of %a; the result goes to %o or %O. */
#define PROLOGUE                                                                                                       \
    "(.param .u64 in, .param .u64 out) {\n.reg .b64 %%A, %%B, %%C, %%O, %%q<4>; .reg .b32 %%a, %%b, %%c, %%o, %%l, %%t<4>;"  \
    ".reg .b16 %%ah, %%bh, %%oh; .reg .pred %%p<4>;\n"                                                                 \
    "ld.param.u64 %%q0, [in]; ld.global.u64 %%A, [%%q0]; ld.global.u64 %%B, [%%q0+8]; ld.global.u64 %%C, [%%q0+16];\n" \
    "cvt.u32.u64 %%a, %%A; cvt.u32.u64 %%b, %%B; cvt.u32.u64 %%c, %%C; cvt.u16.u64 %%ah, %%A; cvt.u16.u64 %%bh, %%B;\n" \
    "mov.u32 %%l, %%tid.x; mov.u32 %%o, 0; mov.u64 %%O, 0; mov.u16 %%oh, 0;\n"
#define EPILOGUE                                                                                                       \
    "\nld.param.u64 %%q1, [out]; mul.wide.u32 %%q2, %%l, 8; add.s64 %%q1, %%q1, %%q2; st.global.u64 [%%q1], %%O; ret; }\n"

enum { LANES = 32 };

#define F(X) (as_bits(X))
static uint32_t as_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

typedef struct row {
    const char *code;
    uint64_t a, b, c, want; /* of every lane */
    int wide;               /* the result is in %O; 2: in %oh */
} row;

static uint64_t results[LANES];

static void run(const char *code, int wide, const uint64_t in[3])
{
    char text[4096];
    const char *move = wide == 0 ? "cvt.u64.u32 %O, %o;" : wide == 2 ? "cvt.u64.u16 %O, %oh;" : "";
    snprintf(text, sizeof text, ".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry k" PROLOGUE "%s %s" EPILOGUE,
             code, move);
    assert_int_equal(begin_device(NULL), 0);
    void *from = on_device(in, 3 * sizeof *in), *to = device_room(sizeof results);
    void *kernel = kernel_of(library_of(text), "k"), *list[2] = {&from, &to};
    const fake_launch_config config = {.grid = {1, 1, 1}, .threads = {LANES, 1, 1}, .stream = the_stream};
    assert_int_equal(cudaLaunchKernelExC(&config, kernel, list), 0);
    if (from_device(results, to, sizeof results) != 0)
        fail_msg("%s: %s", code, fake_cuda_finding());
    fake_cuda_reset();
}

static void run_rows(const row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t in[3] = {rows[i].a, rows[i].b, rows[i].c};
        run(rows[i].code, rows[i].wide, in);
        for (int l = 0; l < LANES; l++)
            if (results[l] != rows[i].want)
                fail_msg("%s: lane %d has 0x%llx, not 0x%llx", rows[i].code, l, (unsigned long long)results[l],
                         (unsigned long long)rows[i].want);
    }
}
#define RUN(ROWS) run_rows(ROWS, sizeof(ROWS) / sizeof *(ROWS))

static void bits(void **state)
{
    (void)state;
    const row rows[] = {
        {"bfe.u32 %o, %a, %b, %c;", 0x12345678, 8, 8, 0x56, 0},
        {"bfe.s32 %o, %a, %b, %c;", 0x0000ff00, 8, 8, 0xffffffff, 0},
        {"bfe.s32 %o, %a, %b, %c;", 0x80000000, 28, 8, 0xfffffff8, 0}, /* beyond the top: the sign */
        {"bfe.u32 %o, %a, %b, %c;", 0xffffffff, 4, 0, 0, 0},
        {"bfi.b32 %o, %a, %b, 8, 8;", 0xab, 0x11111111, 0, 0x1111ab11, 0},
        {"prmt.b32 %o, %a, %b, 0x5410;", 0x33221100, 0x77665544, 0, 0x55441100, 0},
        {"prmt.b32 %o, %a, %b, 0x444b;", 0x80000000, 0, 0, 0x000000ff, 0}, /* the sign of byte 3, spread */
        {"lop3.b32 %o, %a, %b, %c, 0x96;", 0xf0f0, 0xcccc, 0xaaaa, 0xf0f0 ^ 0xcccc ^ 0xaaaa, 0},
        {"lop3.b32 %o, %a, %b, %c, 0xca;", 0xff00, 0x1234, 0x5678, 0x1278, 0}, /* a ? b : c, by bits */
        {"shf.l.wrap.b32 %o, %a, %b, %c;", 0x89abcdef, 0x01234567, 4, 0x12345678, 0},
        {"shf.r.wrap.b32 %o, %a, %b, %c;", 0x89abcdef, 0x01234567, 4, 0x789abcde, 0},
        {"shl.b32 %o, %a, %b;", 1, 32, 0, 0, 0},
        {"shr.s32 %o, %a, %b;", 0x80000000, 40, 0, 0xffffffff, 0},
        {"shr.u32 %o, %a, %b;", 0x80000000, 31, 0, 1, 0},
        {"popc.b32 %o, %a;", 0xf0f0f0f0, 0, 0, 16, 0},
        {"clz.b32 %o, %a;", 0x00010000, 0, 0, 15, 0},
        {"brev.b32 %o, %a;", 0x80000001, 0, 0, 0x80000001, 0},
        {"brev.b32 %o, %a;", 0x0000000f, 0, 0, 0xf0000000, 0},
        {"bfind.u32 %o, %a;", 0x00010000, 0, 0, 16, 0},
        {"mov.b32 {%oh, %bh}, %a;", 0x12345678, 0, 0, 0x5678, 2},
        {"mov.b32 %o, {%ah, %bh};", 0x1111, 0x2222, 0, 0x22221111, 0},
        {"mov.b64 %O, {%a, %b};", 0x11111111, 0x22222222, 0, UINT64_C(0x2222222211111111), 1},
        {"mov.b64 {%t0, %o}, %A;", UINT64_C(0x1234567800000000), 0, 0, 0x12345678, 0},
        {"setp.lt.s32 %p0, %a, %b; selp.b32 %o, 7, 9, %p0;", 0xffffffff, 1, 0, 7, 0},
        {"setp.lt.u32 %p0, %a, %b; selp.b32 %o, 7, 9, %p0;", 0xffffffff, 1, 0, 9, 0},
        {"setp.ne.s32 %p1, %c, 0; setp.eq.and.u32 %p0|%p2, %a, %b, %p1; selp.b32 %o, 1, 0, %p0; @%p2 add.u32 %o, %o, 2;", 5, 5,
         1, 1, 0},
        {"setp.ne.s32 %p1, %c, 0; setp.eq.or.u32 %p0, %a, %b, !%p1; selp.b32 %o, 1, 0, %p0;", 5, 6, 1, 0, 0},
    };
    RUN(rows);
}

static void whole_numbers(void **state)
{
    (void)state;
    const row rows[] = {
        {"mul.hi.s32 %o, %a, %b;", (uint32_t)-2, 3, 0, 0xffffffff, 0},
        {"mul.hi.u32 %o, %a, %b;", 0xffffffff, 0xffffffff, 0, 0xfffffffe, 0},
        {"mul.wide.s32 %O, %a, %b;", (uint32_t)-2, 3, 0, (uint64_t)-6, 1},
        {"mul.wide.u32 %O, %a, %b;", 0xffffffff, 2, 0, UINT64_C(0x1fffffffe), 1},
        {"mul.wide.s16 %o, %ah, %bh;", 0xffff, 3, 0, 0xfffffffd, 0},
        {"mad.wide.s32 %O, %a, %b, %C;", (uint32_t)-2, 3, 10, 4, 1},
        {"mad.lo.s32 %o, %a, %b, %c;", 0x10000, 0x10000, 5, 5, 0},
        {"div.s32 %o, %a, %b;", (uint32_t)-7, 2, 0, (uint32_t)-3, 0},
        {"rem.s32 %o, %a, %b;", (uint32_t)-7, 2, 0, (uint32_t)-1, 0},
        {"div.u64 %O, %A, %B;", UINT64_C(10000000000), 7, 0, UINT64_C(1428571428), 1},
        {"min.s32 %o, %a, %b;", 0xffffffff, 1, 0, 0xffffffff, 0},
        {"max.u32 %o, %a, %b;", 0xffffffff, 1, 0, 0xffffffff, 0},
        {"abs.s32 %o, %a;", (uint32_t)-5, 0, 0, 5, 0},
        {"sub.s64 %O, %A, %B;", 1, 2, 0, UINT64_MAX, 1},
        {"dp4a.s32.s32 %o, %a, %b, %c;", 0xff010203, 0x01010101, 10, 15, 0},
        {"cvt.s64.s32 %O, %a;", 0x80000000, 0, 0, UINT64_C(0xffffffff80000000), 1},
        {"cvt.u64.u32 %O, %a;", 0x80000000, 0, 0, UINT64_C(0x80000000), 1},
        {"cvt.s32.s8 %o, %a;", 0x1280, 0, 0, 0xffffff80, 0},
        {"cvt.u32.u16 %o, %ah;", 0xffff, 0, 0, 0xffff, 0},
        {"cvt.sat.u8.s32 %o, %a;", 300, 0, 0, 255, 0},
        {"cvt.sat.s8.s32 %o, %a;", (uint32_t)-300, 0, 0, 0xffffff80, 0},
    };
    RUN(rows);
}

static void floats(void **state)
{
    (void)state;
    const float e = 1.0f + 0x1p-12f;
    const row rows[] = {
        {"fma.rn.f32 %o, %a, %b, %c;", F(e), F(e), F(-(1.0f + 0x1p-11f)), F(0x1p-24f), 0}, /* one rounding */
        {"mul.f32 %o, %a, %b; add.f32 %o, %o, %c;", F(e), F(e), F(-(1.0f + 0x1p-11f)), F(0.0f), 0},
        {"min.f32 %o, %a, %b;", 0x7fc00000, F(1.0f), 0, F(1.0f), 0},
        {"max.f32 %o, %a, %b;", F(-0.0f), F(0.0f), 0, F(0.0f), 0},
        {"min.f32 %o, %a, %b;", F(0.0f), F(-0.0f), 0, F(-0.0f), 0},
        {"neg.f32 %o, %a;", F(0.0f), 0, 0, F(-0.0f), 0},
        {"div.rn.f32 %o, %a, %b;", F(1.0f), F(3.0f), 0, 0x3eaaaaab, 0},
        {"sqrt.rn.f32 %o, %a;", F(2.0f), 0, 0, 0x3fb504f3, 0},
        {"ex2.approx.f32 %o, %a;", F(3.0f), 0, 0, F(8.0f), 0},
        {"ex2.approx.ftz.f32 %o, %a;", F(-140.0f), 0, 0, F(0.0f), 0},
        {"lg2.approx.f32 %o, %a;", F(8.0f), 0, 0, F(3.0f), 0},
        {"rcp.approx.f32 %o, %a;", F(4.0f), 0, 0, F(0.25f), 0},
        {"rsqrt.approx.f32 %o, %a;", F(4.0f), 0, 0, F(0.5f), 0},
        {"add.ftz.f32 %o, %a, %b;", 1, 1, 0, 0, 0},
        {"setp.lt.f32 %p0, %a, %b; selp.b32 %o, 1, 0, %p0;", 0x7fc00000, F(1.0f), 0, 0, 0},
        {"setp.ltu.f32 %p0, %a, %b; selp.b32 %o, 1, 0, %p0;", 0x7fc00000, F(1.0f), 0, 1, 0},
        {"setp.ne.f32 %p0, %a, %b; selp.b32 %o, 1, 0, %p0;", 0x7fc00000, F(1.0f), 0, 0, 0},
        {"setp.neu.f32 %p0, %a, %b; selp.b32 %o, 1, 0, %p0;", 0x7fc00000, F(1.0f), 0, 1, 0},
        {"setp.nan.f32 %p0, %a, %a; selp.b32 %o, 1, 0, %p0;", 0x7fc00000, 0, 0, 1, 0},
        {"cvt.rzi.s32.f32 %o, %a;", F(-2.7f), 0, 0, (uint32_t)-2, 0},
        {"cvt.rni.s32.f32 %o, %a;", F(2.5f), 0, 0, 2, 0},
        {"cvt.rni.s32.f32 %o, %a;", F(3.5f), 0, 0, 4, 0},
        {"cvt.rmi.s32.f32 %o, %a;", F(-2.1f), 0, 0, (uint32_t)-3, 0},
        {"cvt.rpi.s32.f32 %o, %a;", F(-2.1f), 0, 0, (uint32_t)-2, 0},
        {"cvt.rzi.s32.f32 %o, %a;", F(3.0e9f), 0, 0, 0x7fffffff, 0},
        {"cvt.rzi.u32.f32 %o, %a;", F(-1.0f), 0, 0, 0, 0},
        {"cvt.rzi.s32.f32 %o, %a;", 0x7fc00000, 0, 0, 0, 0},
        {"cvt.rmi.f32.f32 %o, %a;", F(-2.1f), 0, 0, F(-3.0f), 0},
        {"cvt.rn.f32.u32 %o, %a;", 0xffffffff, 0, 0, F(4294967296.0f), 0},
        {"cvt.rn.f32.s64 %o, %A;", UINT64_C(0x7fffffbfffffffff), 0, 0, F(0x1.fffffep62f), 0}, /* not through double */
        {"cvt.rna.tf32.f32 %o, %a;", 0x3f801000, 0, 0, 0x3f802000, 0},
        {"cvt.f64.f32 %O, %a;", F(1.5f), 0, 0, UINT64_C(0x3ff8000000000000), 1},
        {"cvt.rn.f32.f64 %o, %A;", UINT64_C(0x3ff0000010000000), 0, 0, F(1.0f), 0}, /* a tie */
        {"fma.rn.f64 %O, %A, %B, %C;", UINT64_C(0x4000000000000000), UINT64_C(0x4008000000000000),
         UINT64_C(0x3ff0000000000000), UINT64_C(0x401c000000000000), 1},
    };
    RUN(rows);
}

static void halves(void **state)
{
    (void)state;
    const row rows[] = {
        {"cvt.rn.bf16.f32 %oh, %a;", 0x3f808000, 0, 0, 0x3f80, 2}, /* ties to even */
        {"cvt.rn.bf16.f32 %oh, %a;", 0x3f818000, 0, 0, 0x3f82, 2},
        {"cvt.rz.bf16.f32 %oh, %a;", 0x3f81ffff, 0, 0, 0x3f81, 2},
        {"cvt.rn.bf16.f32 %oh, %a;", 0x7fc12345, 0, 0, 0x7fff, 2},
        {"cvt.rn.bf16x2.f32 %o, %a, %b;", F(1.0f), F(2.0f), 0, 0x3f804000, 0}, /* a on top */
        {"cvt.rn.relu.bf16x2.f32 %o, %a, %b;", F(-1.0f), F(2.0f), 0, 0x00004000, 0},
        {"cvt.rn.f16x2.f32 %o, %a, %b;", F(1.0f), F(2.0f), 0, 0x3c004000, 0},
        {"cvt.rn.f16.f32 %oh, %a;", F(65504.0f), 0, 0, 0x7bff, 2},
        {"cvt.rn.f16.f32 %oh, %a;", F(65520.0f), 0, 0, 0x7c00, 2},
        {"cvt.rn.f16.f32 %oh, %a;", F(0x1p-24f), 0, 0, 0x0001, 2},
        {"cvt.rn.f16.f32 %oh, %a;", F(0x1p-25f), 0, 0, 0x0000, 2},
        {"cvt.rn.f16.f32 %oh, %a;", F(-0x1.8p-25f), 0, 0, 0x8001, 2},
        {"cvt.f32.f16 %o, %ah;", 0x0001, 0, 0, F(0x1p-24f), 0},
        {"cvt.f32.f16 %o, %ah;", 0xfc00, 0, 0, 0xff800000, 0},
        {"fma.rn.bf16x2 %o, %a, %b, %c;", 0x40003f80, 0x40804040, 0x3f803f80, 0x41104080, 0}, /* 2*4+1, 1*3+1 */
        {"fma.rn.f16x2 %o, %a, %b, %c;", 0x40003c00, 0x44004200, 0x3c003c00, 0x48804400, 0},
        {"fma.rn.f16 %oh, %ah, %bh, %bh;", 0x4000, 0x4200, 0, 0x4880, 2},
        {"add.f16 %oh, %ah, %bh;", 0x3c00, 0x1000, 0, 0x3c00, 2}, /* 1 + 2^-11: a tie, to even */
        {"max.bf16x2 %o, %a, %b;", 0xbf803f80, 0x40004000, 0, 0x40004000, 0},
        {"neg.bf16x2 %o, %a;", 0xbf803f80, 0, 0, 0x3f80bf80, 0},
    };
    RUN(rows);
}

static uint64_t up(int l) { return (uint64_t)(l < 3 ? l : l - 3); }
static uint64_t down(int l) { return (uint64_t)(l > 28 ? l : l + 3); }
static uint64_t across(int l) { return (uint64_t)(l ^ 5); }
static uint64_t in_eights(int l) { return (uint64_t)((l & 24) | 3); }
static uint64_t in_range(int l) { return l > 28 ? 0 : 1; }
static uint64_t below_five(int l) { (void)l; return 0x1f; }
static uint64_t sum_of_all(int l) { (void)l; return 496; }
static uint64_t one(int l) { (void)l; return 1; }
static uint64_t zero(int l) { (void)l; return 0; }
static uint64_t least(int l) { (void)l; return (uint32_t)-16; }
static uint64_t apart(int l) { return (uint64_t)(l < 7 ? 100 + l : l % 2 ? 3 : 2); }

static void lanes_exchange(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        uint64_t (*want)(int lane);
    } rows[] = {
        {"shfl.sync.up.b32 %o, %l, 3, 0, -1;", up},
        {"shfl.sync.down.b32 %o, %l, 3, 31, -1;", down},
        {"shfl.sync.bfly.b32 %o, %l, 5, 31, 0xffffffff;", across},
        {"shfl.sync.idx.b32 %o, %l, 3, 0x181f, -1;", in_eights},
        {"shfl.sync.down.b32 %t0|%p0, %l, 3, 31, -1; selp.b32 %o, 1, 0, %p0;", in_range},
        {"setp.lt.u32 %p0, %l, 5; vote.sync.ballot.b32 %o, %p0, -1;", below_five},
        {"setp.lt.u32 %p0, %l, 5; vote.sync.any.pred %p1, %p0, -1; selp.b32 %o, 1, 0, %p1;", one},
        {"setp.lt.u32 %p0, %l, 5; vote.sync.all.pred %p1, !%p0, -1; selp.b32 %o, 1, 0, %p1;", zero},
        {"redux.sync.add.s32 %o, %l, -1;", sum_of_all},
        {"sub.s32 %t0, %l, 16; redux.sync.min.s32 %o, %t0, -1;", least},
        {"activemask.b32 %t0; popc.b32 %t1, %t0; setp.eq.s32 %p0, %t1, 32; selp.b32 %o, 1, 0, %p0;", one},
        /* paths that part twice and meet */
        {"setp.lt.u32 %p0, %l, 7; @%p0 bra A; and.b32 %t0, %l, 1; setp.eq.s32 %p1, %t0, 0; @%p1 bra B; mov.u32 %o, 3;"
         " bra.uni D; B: mov.u32 %o, 2; bra.uni D; A: add.u32 %o, %l, 100; D: bar.warp.sync -1;", apart},
    };
    const uint64_t in[3] = {0, 0, 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(rows[i].code, 0, in);
        for (int l = 0; l < LANES; l++)
            if (results[l] != rows[i].want(l))
                fail_msg("%s: lane %d has %llu, not %llu", rows[i].code, l, (unsigned long long)results[l],
                         (unsigned long long)rows[i].want(l));
    }
}

/* What is not known is refused, with its line and the name. */
static void the_rest_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"tex.2d.v4.f32.s32", "add.rp.f32 %f0, %f1, %f2;", "membar.gl;",
                                        "atom.global.add.f32 %f0, [%d0], %f1;", "call foo;",
                                        "bar.sync 0, 64;", "ld.global.u32 %nowhere, [%d0];",
                                        "ld.global.v8.f32 %f0, [%d0];", "add.s32 %d0, %d0, 1;"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[1024];
        void *library = &text;
        snprintf(text, sizeof text,
                 ".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry k() {\n.reg .f32 %%f<4>; .reg .b64 %%d0;\n"
                 "%s\nret;\n}\n", lines[i]);
        fake_cuda_reset();
        fake_cuda_set("LOG", "/dev/null");
        assert_int_equal(cudaLibraryLoadData(&library, text, NULL, NULL, 0, NULL, NULL, 0), 218);
        if (strstr(fake_cuda_finding(), "PTX line 6: ") == NULL && strstr(fake_cuda_finding(), "PTX line 7: ") == NULL)
            fail_msg("%s: '%s'", lines[i], fake_cuda_finding());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bits, end_device),           cmocka_unit_test_teardown(whole_numbers, end_device),
        cmocka_unit_test_teardown(floats, end_device),         cmocka_unit_test_teardown(halves, end_device),
        cmocka_unit_test_teardown(lanes_exchange, end_device), cmocka_unit_test_teardown(the_rest_is_refused, end_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
