/* SPDX-License-Identifier: MIT
 * kissfft, opened by name at run time: its functions have plain names (kiss_fft), and radar programs bring
 * copies of it, of other scalar types too. Linked, ours would be theirs. */
#ifndef MDLDM_SIGNAL_FFT_LIBRARY_H
#define MDLDM_SIGNAL_FFT_LIBRARY_H

#include <kissfft/kiss_fft.h>

#include "util/env.h"

typedef struct mdldm__fft_library {
    void *handle; /* NULL: closed */
    kiss_fft_cfg (*plan)(int length, int inverse, void *memory, size_t *bytes); /* kiss_fft_alloc */
    void (*transform)(kiss_fft_cfg plan, const kiss_fft_cpx *in, kiss_fft_cpx *out); /* kiss_fft */
} mdldm__fft_library;

/* UNAVAILABLE when there is no such library. Opening it again costs microseconds: nobody keeps it. Any
 * thread. */
mdldm_status mdldm__fft_open(mdldm__env *env, mdldm__fft_library *fft);
void mdldm__fft_close(mdldm__fft_library *fft); /* also of one never opened, cleared */

#endif
