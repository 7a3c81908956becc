/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_DATA_GREY_H
#define MDLDM_DATA_GREY_H

#include <stdint.h>

/* ITU-R 601 luma in 16-bit fixed point, as PIL's convert("L"); of grey colours their value, to the bit. */
static inline uint8_t mdldm__luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

#endif
