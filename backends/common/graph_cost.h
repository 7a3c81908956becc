/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_COMMON_GRAPH_COST_H
#define MDLDM_COMMON_GRAPH_COST_H

#include "mdldm/mdldm_backend.h"

/* Multiply-accumulates of convolutions, attention and codebook search; the rest counts as none.
 * For graphs that mdldm__graph_check has passed. */
int64_t mdldm__op_macs(const mdldm_graph_op *op, const mdldm_graph_tensor *tensors);
int64_t mdldm__graph_macs(const mdldm_graph_desc *graph);

#endif
