/* SPDX-License-Identifier: MIT
 * Attention without the matrix of scores, with a running maximum over blocks of keys (Milakov and
 * Gimelshein 2018; Dao et al., "FlashAttention", 2022). What it costs depends on the heads: narrow ones
 * the exponentials, wide ones the products. Template: included once per instruction set. */
#include "cpu_vec.h"

#define LOG2_E 1.44269504088896341f /* scores are kept in powers of two: one multiplication fewer */
#define LN_2 0.693147180559945309f

#include "k_attention_narrow.h"
#include "k_attention_bounded.h"
#include "k_attention_narrow_bwd.h"
#include "k_attention_wide.h"
#include "k_attention_wide_bwd.h"

static void k_attention(const mdldm__cpu_attention *a)
{
    if (a->c / a->heads <= NARROW)
        narrow_attention(a);
    else
        wide_attention(a);
}

static void k_attention_bwd(const mdldm__cpu_attention *a)
{
    if (a->c / a->heads <= NARROW)
        narrow_attention_bwd(a);
    else
        wide_attention_bwd(a);
}
