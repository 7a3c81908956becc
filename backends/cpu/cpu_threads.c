/* SPDX-License-Identifier: MIT
 * How many threads a step runs on. Threads that meet at the end of every kernel wait for the slowest,
 * and on a machine with other work one of them is often not running at all: a small model on two
 * threads was seen to be 5 times slower than on one. So only a kernel with enough work is divided, by an
 * estimate made from shapes when the plan is compiled; and then among all threads, since libgomp ends those that
 * a region does not need: regions of 4 threads and of 2 in turns cost 5 ms, of 4 and 4 0.2 ms. */
#include "cpu_plan.h"

#include "../common/graph_cost.h"

/* Seconds of work that make a thread worth its while: about 50 times the cost of a parallel region
 * whose threads are awake, about that of one whose threads sleep on a busy machine. */
#define WORTH_A_THREAD 100e-6
#define CLOCK 3e9           /* one F32 FMA vector a cycle is what kernels reach or beat */
#define CACHE_BYTES 20e9    /* a second, of activations */
#define MEMORY_BYTES 10e9   /* a second, of parameters */

static double bytes_of(const mdldm_graph_tensor *t)
{
    return (double)mdldm__elements(t->dims) * (double)mdldm__dtype_size(t->dtype);
}

static double seconds_to_move(const mdldm_plan *plan, int32_t tensor)
{
    if (tensor < 0)
        return 0.0;
    const mdldm_graph_tensor *t = &plan->tensors[tensor];
    int stored = mdldm__is_stored(t->role);
    return bytes_of(t) / (stored ? MEMORY_BYTES : CACHE_BYTES);
}

int32_t mdldm__cpu_threads_for(const mdldm_device *device, double seconds)
{
    if (device->divide_all)
        return device->threads;
    const double fit = seconds / WORTH_A_THREAD;
    return fit < 2.0 || fit < device->threads / 2.0 ? 1 : device->threads;
}

int32_t mdldm__cpu_op_threads(const mdldm_plan *plan, const mdldm_graph_op *op)
{
    const mdldm_device *device = plan->device;
    int narrow = op->in[0] >= 0 && plan->tensors[op->in[0]].dtype == MDLDM_BF16 && device->bf16 == 2;
    double rate = CLOCK * device->kernels->lanes * (narrow ? 2.0 : 1.0);
    if (op->kind == MDLDM_OP_CONV_Q8 && device->bf16 == 2)
        rate *= 4.0;
    double seconds = (double)mdldm__op_macs(op, plan->tensors) / rate;
    for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
        seconds += seconds_to_move(plan, op->in[slot]);
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
        seconds += seconds_to_move(plan, op->out[slot]);
    return mdldm__cpu_threads_for(device, seconds);
}
