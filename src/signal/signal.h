/* SPDX-License-Identifier: MIT
 * The parts of mdldm_spectrogram. */
#ifndef MDLDM_SIGNAL_SIGNAL_H
#define MDLDM_SIGNAL_SIGNAL_H

#include "util/env.h"

typedef enum mdldm__window {
    MDLDM__WINDOW_HANN,
    MDLDM__WINDOW_HAMMING,
    MDLDM__WINDOW_BLACKMAN,
    MDLDM__WINDOW_KAISER,
    MDLDM__WINDOW_RECTANGULAR
} mdldm__window;

/* Window values w[length] as scipy.signal.get_window makes them: one period of a periodic window.
 * Returns their sum. */
double mdldm__window_fill(mdldm__window kind, double kaiser_beta, int64_t length, float *w);

typedef enum mdldm__clutter {
    MDLDM__CLUTTER_NONE,
    MDLDM__CLUTTER_MEAN,
    MDLDM__CLUTTER_HIGHPASS,
    MDLDM__CLUTTER_MTI
} mdldm__clutter;

/* Removes what does not move from iq[count][2], in place. cutoff: of the high-pass, as a fraction of the
 * sample rate, in (0, 0.5). */
void mdldm__clutter_remove(mdldm__clutter kind, double cutoff, float *iq, int64_t count);

#endif
