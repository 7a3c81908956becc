/* SPDX-License-Identifier: MIT
 * The one matrix product of convolution and attention: a warp's acc += a b from two tiles in shared memory,
 * by fused multiply-adds in f32 or by mma.sync in tf32, bf16, f16; always summed in f32.
 *
 * A tile stands in one of two ways: rows along K ("along": a[m][k], b[n][k]) or across it ("across": a[k][m],
 * b[k][n]). Its rows are power-of-two numbers of 16-byte chunks; chunk c of row r lies at place(r, c), an XOR
 * that lets every access below, and a copy of neighbouring chunks, touch each bank once. K goes by steps of
 * 32 bytes' worth of elements.
 *
 * All types share one distribution of the accumulators, that of mma.m16n8 (PTX ISA, "Matrix Fragments for
 * mma.m16n8k16"): thread 4g+t holds in acc[i][2j+e] row g+8i, column 8j+2t+e. */
#ifndef MDLDM_PRODUCT_CUH
#define MDLDM_PRODUCT_CUH

#include "device.cuh"

/* unrolled: steps that fit side by side into 128 registers beside a tile of 64x32 sums. */
struct by_f32 { typedef float element; static const int unrolled = 1; };
struct by_tf32 { typedef float element; static const int unrolled = 1; };
struct by_bf16 { typedef bf16 element; static const int unrolled = 2; };
struct by_f16 { typedef f16 element; static const int unrolled = 2; };

DEVICE void multiply_add(float d[4], const uint32_t a[4], const uint32_t b[2], by_tf32) { mma_tf32(d, a, b); }
DEVICE void multiply_add(float d[4], const uint32_t a[4], const uint32_t b[2], by_bf16) { mma_bf16(d, a, b); }
DEVICE void multiply_add(float d[4], const uint32_t a[4], const uint32_t b[2], by_f16) { mma_f16(d, a, b); }

/* Halves away from zero, as cvt.rna.tf32 does at a quarter of the speed; infinity stays. */
DEVICE uint32_t tf32_of(uint32_t bits) { return (bits + 0x1000u) & 0xffffe000u; }

template <class E, int CHUNKS, bool ACROSS> struct tile {
    static const int chunks = CHUNKS;
    static const bool across = ACROSS;
    static const int size = sizeof(typename E::element);
    static const int per_chunk = 16 / size;
    static __device__ __forceinline__ uint32_t place(uint32_t row, uint32_t chunk)
    {
        uint32_t mix = 0;
        if (ACROSS && size == 4) /* mma reads 4 rows by 8 floats at once */
            mix = CHUNKS >= 8 ? 2 * (row & 3) : CHUNKS == 4 ? row & 2 : 0;
        else
            mix = CHUNKS >= 8 ? row & 7 : CHUNKS == 4 ? (row >> 1) & 3 : CHUNKS == 2 ? (row >> 2) & 1 : 0;
        return (row * CHUNKS + (chunk ^ mix)) * 16;
    }
    /* From a row's chunk to the same chunk `rows` further, a multiple of 8, after which places repeat: so one
     * address serves a whole column of fragments. */
    static __device__ __forceinline__ uint32_t below(uint32_t rows) { return rows * CHUNKS * 16; }
    /* Of one float. */
    static __device__ __forceinline__ const float *at(const unsigned char *base, uint32_t row, uint32_t column)
    {
        return (const float *)(base + place(row, column / 4) + column % 4 * 4);
    }
};

/* The 16 rows from row + further on of a, at a step of K. */
template <class E, class A> DEVICE void load_rows(uint32_t f[4], const unsigned char *a, uint32_t row, uint32_t further, uint32_t step)
{
    const uint32_t l = lane();
    if (!A::across) {
        load_matrix4(f, shared_address(a) + A::place(row + (l & 15), 2 * step + (l >> 4)) + A::below(further));
    } else if (A::size == 2) {
        load_matrix4_transposed(f, shared_address(a) + A::place((l & 7) + (l >> 4) * 8, (row + further) / 8 + ((l >> 3) & 1)) + A::below(16 * step));
    } else {
        UNROLL for (uint32_t i = 0; i < 4; i++)
            f[i] = float_bits(*A::at(a, 8 * step + (l & 3) + i / 2 * 4, row + further + (l >> 2) + i % 2 * 8));
    }
    if (A::size == 4)
        UNROLL for (int i = 0; i < 4; i++)
            f[i] = tf32_of(f[i]);
}

/* The 16 columns from column + further on of b: f[0], f[1] of the first 8, f[2], f[3] of the others. */
template <class E, class B> DEVICE void load_columns(uint32_t f[4], const unsigned char *b, uint32_t column, uint32_t further, uint32_t step)
{
    const uint32_t l = lane();
    if (!B::across) {
        load_matrix4(f, shared_address(b) + B::place(column + (l & 7) + (l >> 4) * 8, 2 * step + ((l >> 3) & 1)) + B::below(further));
    } else if (B::size == 2) {
        load_matrix4_transposed(f, shared_address(b) + B::place((l & 7) + ((l >> 3) & 1) * 8, (column + further) / 8 + (l >> 4)) + B::below(16 * step));
    } else {
        UNROLL for (uint32_t i = 0; i < 4; i++)
            f[i] = float_bits(*B::at(b, 8 * step + (l & 3) + i % 2 * 4, column + further + (l >> 2) + i / 2 * 8));
    }
    if (B::size == 4)
        UNROLL for (int i = 0; i < 4; i++)
            f[i] = tf32_of(f[i]);
}

template <class E, class A, class B, int MI, int NJ>
DEVICE void product_step_mma(float (&acc)[2 * MI][2 * NJ], const unsigned char *a, uint32_t row, uint32_t step_a,
                             const unsigned char *b, uint32_t column, uint32_t step_b)
{
    uint32_t fa[MI][4];
    UNROLL for (int i = 0; i < MI; i++)
        load_rows<E, A>(fa[i], a, row, 16 * i, step_a);
    UNROLL for (int j = 0; j < NJ; j += 2)
    {
        uint32_t fb[4];
        load_columns<E, B>(fb, b, column, 8 * j, step_b);
        UNROLL for (int half = 0; half < 2 && j + half < NJ; half++)
            UNROLL for (int i = 0; i < MI; i++)
            {
                const int c = 2 * (j + half);
                float d[4] = {acc[2 * i][c], acc[2 * i][c + 1], acc[2 * i + 1][c], acc[2 * i + 1][c + 1]};
                multiply_add(d, fa[i], fb + 2 * half, E());
                acc[2 * i][c] = d[0];
                acc[2 * i][c + 1] = d[1];
                acc[2 * i + 1][c] = d[2];
                acc[2 * i + 1][c + 1] = d[3];
            }
    }
}

template <int N> struct __attribute__((aligned(4 * N))) floats { float v[N]; };
typedef floats<2> floats2;
typedef floats<4> floats4;

/* Both across K: one of K after the other. */
template <class A, class B, int MI, int NJ>
DEVICE void product_step_outer(float (&acc)[2 * MI][2 * NJ], const unsigned char *a, uint32_t row, uint32_t step_a,
                               const unsigned char *b, uint32_t column, uint32_t step_b)
{
    const uint32_t g = lane() >> 2, t = lane() & 3;
    ONE_BY_ONE for (uint32_t k = 0; k < 8; k++)
    {
        float av[2 * MI];
        UNROLL for (int i = 0; i < 2 * MI; i++)
            av[i] = *A::at(a, 8 * step_a + k, row + g + 8 * i);
        UNROLL for (int j = 0; j < NJ; j++)
        {
            const floats2 bv = *(const floats2 *)B::at(b, 8 * step_b + k, column + 8 * j + 2 * t);
            UNROLL for (int i = 0; i < 2 * MI; i++)
                UNROLL for (int e = 0; e < 2; e++)
                    acc[i][2 * j + e] = fma32(av[i], bv.v[e], acc[i][2 * j + e]);
        }
    }
}

template <class A, class B, int MI, int NJ>
DEVICE void product_step_f32(float (&acc)[2 * MI][2 * NJ], const unsigned char *a, uint32_t row, uint32_t step_a,
                             const unsigned char *b, uint32_t column, uint32_t step_b)
{
    const uint32_t g = lane() >> 2, t = lane() & 3;
    const int width = MI > 2 ? 2 : 4; /* of K at a time: 64x32 sums leave no room for four */
    typedef floats<width> part;
    ONE_BY_ONE for (uint32_t k0 = 0; k0 < 8; k0 += width)
    {
        const uint32_t ka = 8 * step_a + k0, kb = 8 * step_b + k0;
        part av[2 * MI];
        UNROLL for (int i = 0; i < 2 * MI; i++)
        {
            if (!A::across)
                av[i] = *(const part *)((const unsigned char *)A::at(a, row + g, ka) + A::below(8 * i));
            else
                UNROLL for (int k = 0; k < width; k++)
                    av[i].v[k] = *A::at(a, ka + k, row + g + 8 * i);
        }
        UNROLL for (int j = 0; j < NJ; j++)
        {
            part bv[2];
            if (!B::across)
                UNROLL for (int e = 0; e < 2; e++)
                    bv[e] = *(const part *)((const unsigned char *)B::at(b, column + 2 * t + e, kb) + B::below(8 * j));
            else
                UNROLL for (int k = 0; k < width; k++)
                {
                    floats2 pair = *(const floats2 *)B::at(b, kb + k, column + 8 * j + 2 * t);
                    bv[0].v[k] = pair.v[0];
                    bv[1].v[k] = pair.v[1];
                }
            UNROLL for (int k = 0; k < width; k++)
                UNROLL for (int i = 0; i < 2 * MI; i++)
                    UNROLL for (int e = 0; e < 2; e++)
                        acc[i][2 * j + e] = fma32(av[i].v[k], bv[e].v[k], acc[i][2 * j + e]);
        }
    }
}

/* The two above by the kind of element. NJ even, unless b's tile has rows or columns to spare. */
template <class E> struct product {
    template <class A, class B, int MI, int NJ>
    static __device__ __forceinline__ void step(float (&acc)[2 * MI][2 * NJ], const unsigned char *a, uint32_t row, uint32_t step_a,
                                                const unsigned char *b, uint32_t column, uint32_t step_b)
    {
        product_step_mma<E, A, B, MI, NJ>(acc, a, row, step_a, b, column, step_b);
    }
};
template <> struct product<by_f32> {
    template <class A, class B, int MI, int NJ>
    static __device__ __forceinline__ void step(float (&acc)[2 * MI][2 * NJ], const unsigned char *a, uint32_t row, uint32_t step_a,
                                                const unsigned char *b, uint32_t column, uint32_t step_b)
    {
        if (A::across && B::across)
            product_step_outer<A, B, MI, NJ>(acc, a, row, step_a, b, column, step_b);
        else
            product_step_f32<A, B, MI, NJ>(acc, a, row, step_a, b, column, step_b);
    }
};

/* Two floats as neighbouring elements. */
DEVICE void put2(float *p, float a, float b) { *(floats2 *)p = floats2{{a, b}}; }
DEVICE void put2(bf16 *p, float a, float b) { *(uint32_t *)p = pack_bf16(a, b); }
DEVICE void put2(f16 *p, float a, float b) { *(uint32_t *)p = pack_f16(a, b); }
/* Eight, at 16 bytes' alignment. */
DEVICE void put8(float *p, const float v[8])
{
    *(floats4 *)p = floats4{{v[0], v[1], v[2], v[3]}};
    *(floats4 *)(p + 4) = floats4{{v[4], v[5], v[6], v[7]}};
}
DEVICE void put8(bf16 *p, const float v[8])
{
    *(words4 *)p = words4{pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7])};
}
DEVICE void put8(f16 *p, const float v[8])
{
    *(words4 *)p = words4{pack_f16(v[0], v[1]), pack_f16(v[2], v[3]), pack_f16(v[4], v[5]), pack_f16(v[6], v[7])};
}

/* A chunk of a source whose channels do not stand at multiples of 16 bytes: element by element, zero past
 * `left` elements. */
template <typename T> DEVICE words4 gather_chunk(const T *p, int32_t left)
{
    words4 r;
    uint32_t w[4];
    if (sizeof(T) == 4) {
        UNROLL for (int i = 0; i < 4; i++)
            w[i] = i < left ? ((const uint32_t *)p)[i] : 0u;
    } else {
        UNROLL for (int i = 0; i < 4; i++)
        {
            uint32_t low = 2 * i < left ? ((const uint16_t *)p)[2 * i] : 0u;
            uint32_t high = 2 * i + 1 < left ? ((const uint16_t *)p)[2 * i + 1] : 0u;
            w[i] = low | high << 16;
        }
    }
    r.x = w[0], r.y = w[1], r.z = w[2], r.w = w[3];
    return r;
}

/* 16 bytes to shared memory, zeros where not inside; valid: an address that may be formed and read. GATHER: by
 * elements of which there are `left`. */
template <typename T, bool GATHER>
DEVICE void copy_chunk(unsigned char *to, const T *from, const T *valid, bool inside, int32_t left)
{
    if (GATHER)
        *(words4 *)to = gather_chunk(inside ? from : valid, inside ? left : 0);
    else
        copy_async16(shared_address(to), inside ? from : valid, inside ? 16 : 0);
}

#endif
