/* SPDX-License-Identifier: MIT
 * Which element of a matrix a lane's register holds. */
#ifndef MDLDM_TESTS_CUDA_SIM_MATRIX_H
#define MDLDM_TESTS_CUDA_SIM_MATRIX_H

/* each: elements in a register (1: tf32, 2: 16 bits, 4: 8 bits). A is 16 x k, B is k x 8, C is 16 x 8. */
void sim_place_a(int each, int lane, int reg, int element, int *row, int *k);
void sim_place_b(int each, int lane, int reg, int element, int *k, int *column);
void sim_place_c(int lane, int reg, int *row, int *column);

#endif
