/* SPDX-License-Identifier: MIT
 * What every backend refuses before it compiles or runs a plan. */
#ifndef MDLDM_COMMON_PLAN_CHECK_H
#define MDLDM_COMMON_PLAN_CHECK_H

#include "store_host.h"

/* mdldm__graph_check against the store's table (NULL: no store), and flags the store can serve. */
mdldm_status mdldm__plan_check_graph(const mdldm_host *host, const mdldm__store_host *store,
                                     const mdldm_graph_desc *graph, int32_t flags);

/* All bindings usable, all inputs bound, all parameters with values. bound: [tensor_count], for notes. */
mdldm_status mdldm__plan_check_ready(const mdldm_host *host, const mdldm__store_host *store,
                                     const mdldm_graph_tensor *tensors, int32_t tensor_count,
                                     const mdldm_binding *bindings, int32_t count, uint8_t *bound);

/* The state that a run has written has a new version. */
void mdldm__plan_wrote(mdldm__store_host *store, const mdldm_graph_tensor *tensors, int32_t tensor_count);

/* The sentences of a run that ends early. */
mdldm_status mdldm__plan_cancelled(const mdldm_host *host);
mdldm_status mdldm__plan_not_finite(const mdldm_host *host, const mdldm_graph_op *op);

#endif
