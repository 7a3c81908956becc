/* SPDX-License-Identifier: MIT
 * In place of the toolkit's headers: what kernels need of CUDA C++, for nvcc and for
 *   clang-16 --cuda-device-only -nocudainc -nocudalib -x cuda
 * alike. Baseline sm_80. Neither compiler fuses a*b+c here (-fmad=false, -ffp-contract=off): write fma32
 * where that is wanted. Divisions and square roots are IEEE's. */
#ifndef MDLDM_DEVICE_CUH
#define MDLDM_DEVICE_CUH

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define MDLDM_PARAM const
#else
#define MDLDM_PARAM const __grid_constant__
#endif

/* extern "C" __global__ void mdldm_NAME(MDLDM_PARAM struct ARGS args). The struct's address is never taken. */
#define MDLDM_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
/* With room for 65536/(threads*blocks) registers: where ptxas left to itself spills. */
#define MDLDM_KERNEL_OF(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define DEVICE static __device__ __forceinline__
#define UNROLL _Pragma("unroll")
#define ONE_BY_ONE _Pragma("unroll 1") /* where registers are short */

/* ---- Where am I ---- */
#define MDLDM_SPECIAL(name, reg) \
    DEVICE uint32_t name(void) { uint32_t v; asm("mov.u32 %0, %%" reg ";" : "=r"(v)); return v; }
MDLDM_SPECIAL(thread_x, "tid.x")
MDLDM_SPECIAL(block_x, "ctaid.x")
MDLDM_SPECIAL(block_y, "ctaid.y")
MDLDM_SPECIAL(block_z, "ctaid.z")
MDLDM_SPECIAL(block_threads, "ntid.x")
MDLDM_SPECIAL(grid_x, "nctaid.x")
MDLDM_SPECIAL(grid_y, "nctaid.y")
MDLDM_SPECIAL(grid_z, "nctaid.z")
#undef MDLDM_SPECIAL
/* A compiler does not know that this is block_z(): what is computed from it is computed anew. */
DEVICE uint32_t block_z_again(void) { uint32_t v; asm volatile("mov.u32 %0, %%ctaid.z;" : "=r"(v)); return v; }
DEVICE uint32_t lane(void) { return thread_x() & 31u; }
DEVICE uint32_t warp(void) { return thread_x() >> 5; }

DEVICE void block_sync(void) { __syncthreads(); }
DEVICE void warp_sync(void)
{
#if defined(__clang__)
    __nvvm_bar_warp_sync(0xffffffffu);
#else
    __syncwarp();
#endif
}

/* Dynamic shared memory; align as the widest access to it wants. */
extern __shared__ __attribute__((aligned(128))) unsigned char mdldm_shared[];

/* A shared address as PTX instructions want it. */
DEVICE uint32_t shared_address(const void *p)
{
    uint64_t a;
    asm("cvta.to.shared.u64 %0, %1;" : "=l"(a) : "l"(p));
    return (uint32_t)a;
}

/* ---- Floats ---- */
DEVICE uint32_t float_bits(float f) { uint32_t b; asm("mov.b32 %0, %1;" : "=r"(b) : "f"(f)); return b; }
DEVICE float bits_float(uint32_t b) { float f; asm("mov.b32 %0, %1;" : "=f"(f) : "r"(b)); return f; }
DEVICE float fma32(float a, float b, float c) { float d; asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(d) : "f"(a), "f"(b), "f"(c)); return d; }
DEVICE float max32(float a, float b) { float d; asm("max.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; } /* NaN loses */
DEVICE float min32(float a, float b) { float d; asm("min.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; }
DEVICE float abs32(float a) { return bits_float(float_bits(a) & 0x7fffffffu); }
DEVICE float sqrt32(float a) { float d; asm("sqrt.rn.f32 %0, %1;" : "=f"(d) : "f"(a)); return d; }
DEVICE float div32(float a, float b) { float d; asm("div.rn.f32 %0, %1, %2;" : "=f"(d) : "f"(a), "f"(b)); return d; }
DEVICE int is_finite(float a) { return (float_bits(a) & 0x7f800000u) != 0x7f800000u; }
/* To nearest, halves to even. */
DEVICE float round_even(float a) { float d; asm("cvt.rni.f32.f32 %0, %1;" : "=f"(d) : "f"(a)); return d; }
DEVICE float floor32(float a) { float d; asm("cvt.rmi.f32.f32 %0, %1;" : "=f"(d) : "f"(a)); return d; }
/* 2^x and log2 x by the special function unit: 2 ulp in 2^x, absolute 2^-22 in log2 within [0.5, 2]. */
DEVICE float fast_exp2(float a) { float d; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a)); return d; }
DEVICE float fast_log2(float a) { float d; asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(d) : "f"(a)); return d; }

#define MDLDM_LOG2E 1.4426950408889634f
#define MDLDM_LN2 0.6931471805599453f

/* e^x: n = round(x log2 e), r = x - n ln 2 in two parts (Cody and Waite), then 2^n 2^(r log2 e). Within 3
 * ulp; beyond the range 0 and infinity. */
DEVICE float exp32(float x)
{
    x = min32(max32(x, -104.0f), 89.0f);
    float n = round_even(x * MDLDM_LOG2E);
    float r = fma32(n, -0.693145751953125f, x);
    r = fma32(n, -1.42860682030941723212e-6f, r);
    float half = floor32(n * 0.5f); /* 2^n in two factors: n may lie beyond one exponent */
    return fast_exp2(r * MDLDM_LOG2E) * bits_float((uint32_t)((int32_t)half + 127) << 23) *
           bits_float((uint32_t)((int32_t)(n - half) + 127) << 23);
}
/* As above, NaN kept: max32 loses it. */
DEVICE float exp32_nan(float x) { return x != x ? x : exp32(x); }
DEVICE float sigmoid32(float x) { return div32(1.0f, 1.0f + exp32_nan(-x)); }

/* Natural logarithm for normal x > 0: exponent, then the atanh series on [sqrt(1/2), sqrt 2). Within 2 ulp. */
DEVICE float log32(float x)
{
    uint32_t bits = float_bits(x);
    int32_t e = (int32_t)((bits - 0x3f3504f3u) & 0xff800000u) >> 23;
    float m = bits_float(bits - ((uint32_t)e << 23));
    float f = m - 1.0f, s = div32(f, 2.0f + f), z = s * s;
    float p = fma32(z, fma32(z, fma32(z, fma32(z, 0.22222222f, 0.28571429f), 0.4f), 0.66666667f), 0.0f);
    float tail = fma32((float)e, 1.42860682030941723212e-6f, s * p);
    return fma32((float)e, 0.693145751953125f, fma32(2.0f, s, tail));
}

/* ---- Element types: float, bf16, half ---- */
struct bf16 { uint16_t bits; };
struct f16 { uint16_t bits; };

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(bf16 x) { return bits_float((uint32_t)x.bits << 16); }
DEVICE float to_float(f16 x) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(x.bits)); return f; }

/* To nearest, halves to even; NaN stays a quiet NaN of its own bits, as on the host. */
DEVICE uint16_t bf16_bits(float f)
{
    uint32_t b = float_bits(f);
    if ((b & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((b >> 16) | 0x40u);
    return (uint16_t)((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
}

DEVICE uint16_t f16_bits(float f) { uint16_t h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f)); return h; }
/* Two floats to a word of two elements, a in the low half; NaN becomes the canonical one. */
DEVICE uint32_t pack_bf16(float a, float b) { uint32_t d; asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(d) : "f"(a), "f"(b)); return d; }
DEVICE uint32_t pack_f16(float a, float b) { uint32_t d; asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(d) : "f"(a), "f"(b)); return d; }

DEVICE float get(const float *p) { return *p; }
DEVICE float get(const bf16 *p) { return to_float(*p); }
DEVICE float get(const f16 *p) { return to_float(*p); }
DEVICE void put(float *p, float x) { *p = x; }
DEVICE void put(bf16 *p, float x) { p->bits = bf16_bits(x); }
DEVICE void put(f16 *p, float x) { p->bits = f16_bits(x); }
/* What storing in T does to a value. */
DEVICE float rounded(float x, const float *) { return x; }
DEVICE float rounded(float x, const bf16 *) { return bits_float((uint32_t)bf16_bits(x) << 16); }
DEVICE float rounded(float x, const f16 *) { f16 h; h.bits = f16_bits(x); return to_float(h); }

/* 16 bytes at a time; both sides aligned to 16. */
struct __attribute__((aligned(16))) words4 { uint32_t x, y, z, w; };
struct __attribute__((aligned(8))) words2 { uint32_t x, y; };

/* ---- Sums over a warp, and over a block of up to 1024 threads; all threads get the result. The order is
 * fixed. room: 33 floats of shared memory; block_sum ends behind a barrier, so room may be used again. ---- */
DEVICE float shuffle_xor(float x, int mask)
{
#if defined(__clang__)
    return __nvvm_shfl_sync_bfly_f32(0xffffffffu, x, mask, 31);
#else
    return __shfl_xor_sync(0xffffffffu, x, mask);
#endif
}
DEVICE float shuffle(float x, int from)
{
#if defined(__clang__)
    return __nvvm_shfl_sync_idx_f32(0xffffffffu, x, from, 31);
#else
    return __shfl_sync(0xffffffffu, x, from);
#endif
}
DEVICE uint32_t shuffle_xor(uint32_t x, int mask) { return float_bits(shuffle_xor(bits_float(x), mask)); }
DEVICE uint32_t shuffle(uint32_t x, int from) { return float_bits(shuffle(bits_float(x), from)); }

DEVICE float warp_sum(float x)
{
    for (int m = 16; m > 0; m >>= 1)
        x += shuffle_xor(x, m);
    return x;
}
DEVICE float warp_max(float x)
{
    for (int m = 16; m > 0; m >>= 1)
        x = max32(x, shuffle_xor(x, m));
    return x;
}
DEVICE float block_sum(float x, float *room)
{
    x = warp_sum(x);
    if (lane() == 0)
        room[warp()] = x;
    block_sync();
    if (warp() == 0) {
        float y = lane() < (block_threads() + 31) / 32 ? room[lane()] : 0.0f;
        y = warp_sum(y);
        if (lane() == 0)
            room[32] = y;
    }
    block_sync();
    float all = room[32];
    block_sync();
    return all;
}

/* ---- Votes ---- */
/* One bit per lane of the warp. */
DEVICE uint32_t lanes_where(int condition)
{
    uint32_t bits;
    asm volatile("{.reg .pred p; setp.ne.s32 p, %1, 0; vote.sync.ballot.b32 %0, p, 0xffffffff;}" : "=r"(bits) : "r"(condition));
    return bits;
}

DEVICE int32_t lowest_bit(uint32_t bits) /* bits != 0 */
{
    int32_t n;
    asm("{.reg .b32 r; brev.b32 r, %1; clz.b32 %0, r;}" : "=r"(n) : "r"(bits));
    return n;
}

/* ---- Copies to shared memory that run beside the arithmetic; 16 bytes, both sides aligned ---- */
DEVICE void copy_async16(uint32_t shared, const void *global)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global) : "memory");
}
/* bytes (0 to 16) are read, the rest of the 16 becomes zero. */
DEVICE void copy_async16(uint32_t shared, const void *global, uint32_t bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(bytes) : "memory");
}
DEVICE void copy_async4(uint32_t shared, const void *global, uint32_t bytes)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(global), "r"(bytes) : "memory");
}
DEVICE void copy_commit(void) { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* At most `pending` of the youngest groups are still under way. A barrier must follow. */
template <int pending> DEVICE void copy_wait(void) { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }

/* ---- Tensor cores: d += a b; a [16 x k] row-major, b [k x 8] column-major, in the fragments of the PTX
 * documentation, section "Matrix multiply-accumulate" ---- */
DEVICE void load_matrix4(uint32_t r[4], uint32_t shared)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared) : "memory");
}
DEVICE void load_matrix4_transposed(uint32_t r[4], uint32_t shared)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared) : "memory");
}
#define MDLDM_MMA_K16(name, type) \
    DEVICE void name(float d[4], const uint32_t a[4], const uint32_t b[2]) \
    { \
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1])); \
    }
MDLDM_MMA_K16(mma_bf16, "bf16")
MDLDM_MMA_K16(mma_f16, "f16")
#undef MDLDM_MMA_K16
DEVICE void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE uint32_t to_tf32(float x) { uint32_t d; asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(d) : "f"(x)); return d; }

#endif
