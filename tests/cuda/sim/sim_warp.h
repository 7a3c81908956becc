/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_TESTS_CUDA_SIM_WARP_H
#define MDLDM_TESTS_CUDA_SIM_WARP_H

#include "tests/cuda/sim/sim.h"

/* Until it waits at a barrier, ends, or something is found. */
void sim_run_warp(sim_warp *w);

#endif
