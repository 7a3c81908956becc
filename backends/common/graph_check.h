/* SPDX-License-Identifier: MIT
 * Validation of a graph before a backend compiles it. */
#ifndef MDLDM_COMMON_GRAPH_CHECK_H
#define MDLDM_COMMON_GRAPH_CHECK_H

#include "host_util.h"

/* Refuses with one sentence (INVALID_ARGUMENT) a graph whose indexes, slots, types, roles, order,
 * attributes or shapes are not as mdldm_backend.h describes. params[param_count] is the store's table,
 * store_flags its flags. What passes here a backend can compile without looking again:
 *  - every slot holds a tensor of the right role and type, or -1 where the operation allows it;
 *  - an activation is written by exactly one operation, before it is read; inputs are never written;
 *  - all activations of one operation have one type, where the table in op_info.c says 'a';
 *  - element counts fit in 2^40, shapes agree. */
mdldm_status mdldm__graph_check(const mdldm_host *host, const mdldm_graph_desc *graph,
                                const mdldm_param_desc *params, int32_t param_count,
                                int32_t store_flags);

/* One operation under scrutiny; in[] and out[] are NULL where the slot is empty. */
typedef struct mdldm__op_view {
    const mdldm_host *host;
    const mdldm_graph_op *op;
    const mdldm_graph_tensor *in[MDLDM_OP_INPUTS], *out[MDLDM_OP_OUTPUTS];
} mdldm__op_view;

/* Shapes and attributes of one operation whose slots have been checked (graph_shapes.c). */
mdldm_status mdldm__graph_check_shapes(const mdldm__op_view *v);
/* "graph: operation 'LAYER' (KIND): " and the rest. */
mdldm_status mdldm__graph_bad_op(const mdldm_host *host, const mdldm_graph_op *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
