/* SPDX-License-Identifier: MIT
 * What the machine can do at best: chains of independent multiply-adds that never leave the registers
 * (12 or 24 accumulators: latency 4 or 5 on two ports), and the triad of STREAM (McCalpin 1995). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

enum { BURST = 20000, TRIES = 5, MAX_THREADS = 256 };

/* GFLOP of one burst. */
typedef double (*burst_fn)(void);

#if defined(__x86_64__)
#include <immintrin.h>

#define A4(op, r, a, b, c, d) \
    op " %%" r "31, %%" r "30, %%" r #a "\n" op " %%" r "31, %%" r "30, %%" r #b "\n" \
    op " %%" r "31, %%" r "30, %%" r #c "\n" op " %%" r "31, %%" r "30, %%" r #d "\n"
#define A24(op) \
    A4(op, "zmm", 0, 1, 2, 3) A4(op, "zmm", 4, 5, 6, 7) A4(op, "zmm", 8, 9, 10, 11) \
    A4(op, "zmm", 12, 13, 14, 15) A4(op, "zmm", 16, 17, 18, 19) A4(op, "zmm", 20, 21, 22, 23)
#define B2(a, b) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" #a "\nvfmadd231ps %%ymm15, %%ymm14, %%ymm" #b "\n"
#define S2(a, b) \
    "mulps %%xmm15, %%xmm" #a "\naddps %%xmm14, %%xmm" #b "\nmulps %%xmm15, %%xmm" #b "\naddps %%xmm14, %%xmm" #a "\n"
#define LOW16 "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
    "xmm12", "xmm13", "xmm14", "xmm15"
#define HIGH16 "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", \
    "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

/* Registers start at zero: no subnormals and no infinities on the way. */
#define ZERO_ZMM(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n"
#define BURST_512(name, op, target_name, flops) \
    __attribute__((target(target_name))) static double name(void) \
    { \
        long left = BURST; \
        __asm__ volatile(ZERO_ZMM(30) ZERO_ZMM(31) "1:\n" A24(op) "dec %0\njnz 1b\nvzeroupper\n" \
                         : "+r"(left) \
                         : \
                         : "cc", LOW16, HIGH16); \
        return 1e-9 * BURST * 24.0 * (flops); \
    }
BURST_512(burst_f32_512, "vfmadd231ps", "avx512f", 32)
BURST_512(burst_bf16_512, "vdpbf16ps", "avx512f", 64)
BURST_512(burst_int8_512, "vpdpbusd", "avx512f", 128)

__attribute__((target("avx"))) static double burst_f32_256(void)
{
    long left = BURST;
    __asm__ volatile("vxorps %%ymm14, %%ymm14, %%ymm14\nvxorps %%ymm15, %%ymm15, %%ymm15\n"
                     "1:\n" B2(0, 1) B2(2, 3) B2(4, 5) B2(6, 7) B2(8, 9) B2(10, 11) "dec %0\njnz 1b\nvzeroupper\n"
                     : "+r"(left)
                     :
                     : "cc", LOW16);
    return 1e-9 * BURST * 12.0 * 16;
}

static double burst_f32_128(void)
{
    long left = BURST;
    __asm__ volatile("xorps %%xmm14, %%xmm14\nxorps %%xmm15, %%xmm15\n"
                     "1:\n" S2(0, 1) S2(2, 3) S2(4, 5) S2(6, 7) S2(8, 9) S2(10, 11) "dec %0\njnz 1b\n"
                     : "+r"(left)
                     :
                     : "cc", LOW16);
    return 1e-9 * BURST * 12.0 * 8;
}

static void choose(burst_fn bursts[BENCH_PRECISIONS])
{
    bursts[BENCH_F32] = __builtin_cpu_supports("avx512f") ? burst_f32_512
                        : __builtin_cpu_supports("fma")   ? burst_f32_256
                                                          : burst_f32_128;
    bursts[BENCH_BF16] = __builtin_cpu_supports("avx512bf16") ? burst_bf16_512 : NULL;
    bursts[BENCH_INT8] = __builtin_cpu_supports("avx512vnni") ? burst_int8_512 : NULL;
}
#else
static void choose(burst_fn bursts[BENCH_PRECISIONS])
{
    memset(bursts, 0, BENCH_PRECISIONS * sizeof *bursts);
}
#endif

typedef struct task {
    const bench_options *o;
    pthread_barrier_t *barrier;
    burst_fn burst;    /* NULL: the triad below */
    float *a, *b, *c;  /* [count] each */
    size_t count;
    int32_t passes;
    double rate; /* best of the tries, GFLOP/s or GB/s */
} task;

static double thread_now(const bench_options *o)
{
    struct timespec t;
    clock_gettime(o->cpu_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void triad(float *restrict a, const float *restrict b, const float *restrict c, size_t count, float scale)
{
    for (size_t i = 0; i < count; i++)
        a[i] = b[i] + scale * c[i];
    __asm__ volatile("" : : "r"(a) : "memory"); /* the compiler must not skip a pass */
}

static void *work(void *argument)
{
    task *t = argument;
    for (size_t i = 0; i < t->count; i++)
        t->a[i] = t->b[i] = t->c[i] = 1.0f;
    for (int i = -1; i < TRIES; i++) {
        pthread_barrier_wait(t->barrier);
        double start = thread_now(t->o), done = 0.0;
        for (int32_t k = 0; k < t->passes; k++)
            if (t->burst != NULL) {
                done += t->burst();
            } else {
                triad(t->a, t->b, t->c, t->count, 3.0f);
                done += 1e-9 * 3.0 * sizeof(float) * (double)t->count;
            }
        double rate = done / (thread_now(t->o) - start);
        if (i >= 0 && rate > t->rate)
            t->rate = rate;
    }
    return NULL;
}

/* Sum of the threads' rates. bytes: of the three arrays of all threads together; 0 for bursts. */
static double measure(const bench_options *o, int32_t threads, burst_fn burst, size_t bytes, int32_t passes)
{
    pthread_t ids[MAX_THREADS];
    task tasks[MAX_THREADS];
    pthread_barrier_t barrier;
    int32_t count = threads < MAX_THREADS ? threads : MAX_THREADS, started = 0;
    size_t each = bytes / 3 / sizeof(float) / (size_t)count;
    float *memory = bytes > 0 ? malloc(3 * each * sizeof(float) * (size_t)count) : NULL;
    if (bytes > 0 && memory == NULL)
        return 0.0;
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int32_t i = 0; i < count; i++) {
        tasks[i] = (task){.o = o, .barrier = &barrier, .burst = burst, .passes = passes, .count = each};
        tasks[i].a = memory != NULL ? memory + 3 * each * (size_t)i : NULL;
        tasks[i].b = memory != NULL ? tasks[i].a + each : NULL;
        tasks[i].c = memory != NULL ? tasks[i].b + each : NULL;
    }
    while (started < count - 1 && pthread_create(&ids[started], NULL, work, &tasks[started]) == 0)
        started++;
    double rate = 0.0;
    if (started < count - 1) { /* they wait for ever at the barrier: no way to go on */
        fprintf(stderr, "bench: cannot start %d threads\n", (int)threads);
        exit(1);
    }
    work(&tasks[count - 1]);
    for (int32_t i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    for (int32_t i = 0; i < count; i++)
        rate += tasks[i].rate;
    pthread_barrier_destroy(&barrier);
    free(memory);
    return rate;
}

void bench_measure_peaks(const bench_options *o, int32_t threads, bench_peaks *p)
{
    burst_fn bursts[BENCH_PRECISIONS];
    choose(bursts);
    for (int i = 0; i < BENCH_PRECISIONS; i++)
        p->compute[i] = bursts[i] != NULL ? measure(o, threads, bursts[i], 0, 200) : 0.0;
    p->memory = measure(o, threads, NULL, (size_t)384 << 20, 1);
    p->cache = measure(o, threads, NULL, (size_t)9 << 20, 40);
}
