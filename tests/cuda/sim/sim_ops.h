/* SPDX-License-Identifier: MIT
 * What the handlers of memory operations share. */
#ifndef MDLDM_TESTS_CUDA_SIM_OPS_H
#define MDLDM_TESTS_CUDA_SIM_OPS_H

#include "tests/cuda/sim/sim.h"

uint64_t sim_lane_address(sim_warp *w, const sim_op *op, sim_reg reg, int lane);
/* False with a finding when an active lane of the register holds nothing. */
bool sim_need_written(sim_warp *w, const sim_op *op, sim_reg reg, uint32_t mask, const char *what);
/* "global", "shared" ... False: not a space. */
bool ptx_space(const char *word, uint8_t *space);

/* Wavefronts and sectors of an access of `size` bytes a lane to `addr` of each lane. */
void sim_count_access(sim_warp *w, const sim_op *op, sim_space space, const uint64_t *addr, uint32_t mask, unsigned size);
void sim_count_rows(sim_warp *w, const sim_op *op, const uint32_t *rows, int n);

#endif
