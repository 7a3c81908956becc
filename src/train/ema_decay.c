/* SPDX-License-Identifier: MIT */
#include "train/ema_decay.h"

#include <math.h>

double mdldm__ema_decay(int64_t update, double inv_gamma, double power, double max_decay)
{
    int64_t step = update - 1;
    if (step <= 0)
        return 0.0;
    double decay = 1.0 - pow(1.0 + (double)step / inv_gamma, -power);
    return fmax(0.0, fmin(decay, max_decay));
}
