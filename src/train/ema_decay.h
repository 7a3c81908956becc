/* SPDX-License-Identifier: MIT
 * The decay of diffusers' EMAModel with use_ema_warmup. */
#ifndef MDLDM_TRAIN_EMA_DECAY_H
#define MDLDM_TRAIN_EMA_DECAY_H

#include <stdint.h>

/* Decay of EMA update `update`, counted from 1 (EMAModel.optimization_step after its increment):
 * 1 - (1 + (update-1)/inv_gamma)^-power, at most max_decay; the first is 0, so that the average starts
 * as a copy of the weights. ema = decay * ema + (1 - decay) * weight. */
double mdldm__ema_decay(int64_t update, double inv_gamma, double power, double max_decay);

#endif
