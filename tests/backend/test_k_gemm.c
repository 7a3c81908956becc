/* SPDX-License-Identifier: MIT
 * The matrix product of the cpu plug-in, of each instruction set that this processor has, against sums
 * in double: odd sizes, both orders of the left operand, added and stored, and nothing written beside
 * the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/cpu/cpu_kernels.h"

enum { MOST_M = 37, MOST_N = 75, MOST_K = 70, GUARD = 3 };

/* Relative to the sum of the products' absolute values; observed: 2.3e-7, f32 and bf16 (whose
 * products are exact in f32). */
#define TOLERANCE 8e-7

static uint32_t state_of_noise;

static uint32_t noise(void)
{
    state_of_noise = state_of_noise * 1664525u + 1013904223u;
    return state_of_noise >> 8;
}

static int below(int n)
{
    return (int)(noise() % (uint32_t)n);
}

/* A word of the matrix: a float, or two bf16. */
static uint32_t random_word(int bf16)
{
    float value = (float)noise() / (float)(1 << 23) - 1.0f;
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return bf16 ? (word & 0xffff0000u) | (0x3f80u ^ (noise() & 0x80ffu)) : word;
}

static float as_float(uint32_t word)
{
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* One word times one word, and the sum of absolute values. */
static double product(int bf16, uint32_t a, uint32_t b, double *size)
{
    if (!bf16) {
        double p = (double)as_float(a) * (double)as_float(b);
        *size += fabs(p);
        return p;
    }
    double low = (double)as_float(a << 16) * (double)as_float(b << 16);
    double high = (double)as_float(a & 0xffff0000u) * (double)as_float(b & 0xffff0000u);
    *size += fabs(low) + fabs(high);
    return low + high;
}

static double worst;

static void check_case(const mdldm__cpu_kernels *kernels, int bf16, int m, int n, int k, int transposed, int add)
{
    static uint32_t a[MOST_M * MOST_K], b[MOST_K * (MOST_N + GUARD)];
    static float c[MOST_M * (MOST_N + GUARD)], before[MOST_M * (MOST_N + GUARD)];
    int row = n + GUARD;
    for (int i = 0; i < m * k; i++)
        a[i] = random_word(bf16);
    for (int i = 0; i < k * row; i++)
        b[i] = random_word(bf16);
    for (int i = 0; i < m * row; i++)
        c[i] = before[i] = as_float(random_word(0));
    mdldm__cpu_gemm g = {.m = m, .n = n, .k = k, .a_m = transposed ? 1 : k, .a_k = transposed ? m : 1,
                         .b_k = row, .c_m = row, .a = a, .b = b, .c = c,
                         .dtype = bf16 ? MDLDM_BF16 : MDLDM_F32, .add = add};
    kernels->gemm(&g);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < row; j++) {
            double size = add ? fabs((double)before[i * row + j]) : 0.0;
            double sum = add ? (double)before[i * row + j] : 0.0;
            if (j >= n) {
                assert_memory_equal(&c[i * row + j], &before[i * row + j], sizeof *c);
                continue;
            }
            for (int l = 0; l < k; l++)
                sum += product(bf16, a[i * g.a_m + l * g.a_k], b[l * row + j], &size);
            double error = fabs((double)c[i * row + j] - sum) / size;
            worst = error > worst ? error : worst;
            if (!(error <= TOLERANCE))
                fail_msg("%s, %s, m %d n %d k %d transposed %d add %d: c[%d][%d] is %g, should be %g",
                         kernels->name, bf16 ? "bf16" : "f32", m, n, k, transposed, add, i, j,
                         (double)c[i * row + j], sum);
        }
}

/* Same products, cut otherwise: bit for bit the same. */
static void check_cuts(const mdldm__cpu_kernels *kernels, int bf16)
{
    enum { M = 33, N = 67, K = 41 };
    static uint32_t a[M * K], b[K * N];
    static float whole[M * N], parts[M * N];
    for (int i = 0; i < M * K; i++)
        a[i] = random_word(bf16);
    for (int i = 0; i < K * N; i++)
        b[i] = random_word(bf16);
    mdldm__cpu_gemm g = {.m = M, .n = N, .k = K, .a_m = K, .a_k = 1, .b_k = N, .c_m = N, .a = a, .b = b,
                         .c = whole, .dtype = bf16 ? MDLDM_BF16 : MDLDM_F32};
    kernels->gemm(&g);
    for (int part = 0; part < 4; part++) {
        int m0 = part & 1 ? 19 : 0, n0 = part & 2 ? 30 : 0;
        g.m = part & 1 ? M - 19 : 19;
        g.n = part & 2 ? N - 30 : 30;
        g.a = a + m0 * K;
        g.b = b + n0;
        g.c = parts + m0 * N + n0;
        kernels->gemm(&g);
    }
    assert_memory_equal(whole, parts, sizeof whole);
}

static void check_kernels(void **state)
{
    const mdldm__cpu_kernels *kernels = *state;
    state_of_noise = 7;
    worst = 0.0;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        for (int i = 0; i < 300; i++) {
            int m = 1 + below(MOST_M), n = 1 + below(MOST_N), k = 1 + below(MOST_K);
            check_case(kernels, bf16, m, n, k, below(2), below(2));
        }
        check_cuts(kernels, bf16);
    }
    print_message("%s: largest error %.2g\n", kernels->name, worst);
}

int main(void)
{
    struct CMUnitTest tests[4];
    size_t count = 0;
    const mdldm__cpu_kernels *list[] = {&mdldm__cpu_kernels_base, NULL, NULL, NULL};
    int kinds = 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        list[kinds++] = &mdldm__cpu_kernels_avx2;
    if (avx512)
        list[kinds++] = &mdldm__cpu_kernels_avx512;
    if (avx512 && __builtin_cpu_supports("avx512bf16"))
        list[kinds++] = &mdldm__cpu_kernels_avx512bf16;
#endif
    for (int i = 0; i < kinds; i++)
        tests[count++] = (struct CMUnitTest){
            .name = list[i]->name, .test_func = check_kernels, .initial_state = (void *)(uintptr_t)list[i]};
    return _cmocka_run_group_tests("matrix product", tests, count, NULL, NULL);
}
