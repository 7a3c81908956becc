/* SPDX-License-Identifier: MIT
 * Operations that work lane by lane: what their handlers look like and how the decoder finds them. */
#ifndef MDLDM_TESTS_CUDA_LANE_OPS_H
#define MDLDM_TESTS_CUDA_LANE_OPS_H

#include "tests/cuda/sim/sim.h"

/* An exact name. Signature: one letter an operand, destinations before the space: h 16 bits, i 32, l 64 (whole
 * numbers or plain bits), f f32, d f64, p predicate. */
typedef struct sim_entry {
    const char *name, *signature;
    sim_handler run;
    uint8_t own_written;
} sim_entry;

extern const sim_entry sim_int_entries[], sim_bit_entries[], sim_float_entries[], sim_double_entries[],
    sim_half_entries[], sim_exchange_entries[]; /* each ends with an entry without a name */

#define SIM_LOOP(D, ...)                                                                                               \
    if (mask == UINT32_MAX) {                                                                                          \
        SIM_PER_LANE { __VA_ARGS__; }                                                                                  \
    } else {                                                                                                           \
        for (int l = 0; l < SIM_LANES; ++l)                                                                            \
            if (mask >> l & 1) {                                                                                       \
                __VA_ARGS__;                                                                                           \
            }                                                                                                          \
    }

#define SIM_UNARY(FN, D, A, EXPR)                                                                                      \
    SIM_FAST static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                            \
        D *d = sim_lanes(w, op->r[0]);                                                                                 \
        const A *a = sim_lanes(w, op->r[1]);                                                                           \
        SIM_LOOP(D, const A x = a[l]; d[l] = (D)(EXPR))                                                                \
    }
#define SIM_BINARY(FN, D, A, B, EXPR)                                                                                  \
    SIM_FAST static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                            \
        D *d = sim_lanes(w, op->r[0]);                                                                                 \
        const A *a = sim_lanes(w, op->r[1]);                                                                           \
        const B *b = sim_lanes(w, op->r[2]);                                                                           \
        SIM_LOOP(D, const A x = a[l]; const B y = b[l]; d[l] = (D)(EXPR))                                              \
    }
#define SIM_TERNARY(FN, D, A, B, C, EXPR)                                                                              \
    SIM_FAST static void FN(sim_warp *w, const sim_op *op, uint32_t mask) {                                            \
        D *d = sim_lanes(w, op->r[0]);                                                                                 \
        const A *a = sim_lanes(w, op->r[1]);                                                                           \
        const B *b = sim_lanes(w, op->r[2]);                                                                           \
        const C *c = sim_lanes(w, op->r[3]);                                                                           \
        SIM_LOOP(D, const A x = a[l]; const B y = b[l]; const C z = c[l]; d[l] = (D)(EXPR))                            \
    }

#endif
