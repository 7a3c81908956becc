/* SPDX-License-Identifier: MIT
 * What graph.c, graph_ops.c and autodiff.c share. */
#ifndef MDLDM_GRAPH_GRAPH_INTERNAL_H
#define MDLDM_GRAPH_GRAPH_INTERNAL_H

#include "graph/graph.h"

/* Records the first error; always MDLDM__NONE. */
mdldm__tensor mdldm__graph_fail(mdldm__graph *g, mdldm_status status);
const char *mdldm__graph_keep_name(mdldm__graph *g, const char *text);
mdldm__tensor mdldm__graph_new_tensor(mdldm__graph *g, int32_t dtype, int32_t role, int64_t n, int64_t h,
                                      int64_t w, int64_t c);
/* A new operation with all slots empty; NULL on error. name NULL: the present path. The pointer is
 * valid until the next one is made. */
mdldm_graph_op *mdldm__graph_new_op(mdldm__graph *g, int32_t kind, const char *name);

#endif
