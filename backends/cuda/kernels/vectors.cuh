/* SPDX-License-Identifier: MIT
 * Four neighbouring elements at once, and elements whose type is known at run time only. */
#ifndef MDLDM_VECTORS_CUH
#define MDLDM_VECTORS_CUH

#include "device.cuh"

/* p aligned to four elements. */
DEVICE void load4(const float *p, float x[4])
{
    const words4 w = *(const words4 *)p;
    x[0] = bits_float(w.x);
    x[1] = bits_float(w.y);
    x[2] = bits_float(w.z);
    x[3] = bits_float(w.w);
}

template <class T> DEVICE void load4(const T *p, float x[4])
{
    const words2 w = *(const words2 *)p;
    T t;
    t.bits = (uint16_t)w.x;
    x[0] = to_float(t);
    t.bits = (uint16_t)(w.x >> 16);
    x[1] = to_float(t);
    t.bits = (uint16_t)w.y;
    x[2] = to_float(t);
    t.bits = (uint16_t)(w.y >> 16);
    x[3] = to_float(t);
}

DEVICE void store4(float *p, const float x[4])
{
    *(words4 *)p = words4{float_bits(x[0]), float_bits(x[1]), float_bits(x[2]), float_bits(x[3])};
}

template <class T> DEVICE void store4(T *p, const float x[4])
{
    T t[4];
    for (int i = 0; i < 4; i++)
        put(&t[i], x[i]);
    *(words2 *)p = words2{t[0].bits | (uint32_t)t[1].bits << 16, t[2].bits | (uint32_t)t[3].bits << 16};
}

/* type: mdldm_dtype: 0 F32, 1 BF16, 3 F16 */
DEVICE float get_any(const void *p, int32_t type, int64_t i)
{
    return type == 0 ? get((const float *)p + i) : type == 1 ? get((const bf16 *)p + i) : get((const f16 *)p + i);
}

DEVICE void put_any(void *p, int32_t type, int64_t i, float x)
{
    if (type == 0)
        put((float *)p + i, x);
    else if (type == 1)
        put((bf16 *)p + i, x);
    else
        put((f16 *)p + i, x);
}

#endif
