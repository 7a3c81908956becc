/* SPDX-License-Identifier: MIT */
#include "plan_check.h"

#include <string.h>

#include "graph_check.h"
#include "layout.h"
#include "op_info.h"

mdldm_status mdldm__plan_check_graph(const mdldm_host *host, const mdldm__store_host *store,
                                     const mdldm_graph_desc *graph, int32_t flags)
{
    mdldm_status status = mdldm__graph_check(host, graph, store != NULL ? store->desc : NULL,
                                             store != NULL ? store->count : 0,
                                             store != NULL ? store->flags : 0);
    if (status != MDLDM_OK)
        return status;
    if ((flags & MDLDM_PLAN_EMA) && (store == NULL || !(store->flags & MDLDM_STORE_EMA)))
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT,
                                 "the plan wants EMA weights, but the store was opened without them");
    return MDLDM_OK;
}

mdldm_status mdldm__plan_check_ready(const mdldm_host *host, const mdldm__store_host *store,
                                     const mdldm_graph_tensor *tensors, int32_t tensor_count,
                                     const mdldm_binding *bindings, int32_t count, uint8_t *bound)
{
    memset(bound, 0, (size_t)tensor_count);
    for (int32_t i = 0; i < count; i++) {
        mdldm_status status = mdldm__binding_check(host, tensors, tensor_count, &bindings[i]);
        if (status != MDLDM_OK)
            return status;
        bound[bindings[i].tensor] = 1;
    }
    for (int32_t i = 0; i < tensor_count; i++) {
        if (tensors[i].role == MDLDM_ROLE_INPUT && !bound[i])
            return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT, "input '%s' is not bound",
                                     tensors[i].name);
        if ((tensors[i].role == MDLDM_ROLE_PARAM || tensors[i].role == MDLDM_ROLE_STATE) &&
            !mdldm__store_host_is_bound(store, tensors[i].param, tensors[i].dtype))
            return mdldm__store_host_no_value(store, tensors[i].param, tensors[i].dtype);
    }
    return MDLDM_OK;
}

void mdldm__plan_wrote(mdldm__store_host *store, const mdldm_graph_tensor *tensors, int32_t tensor_count)
{
    for (int32_t i = 0; i < tensor_count; i++)
        if (tensors[i].role == MDLDM_ROLE_STATE)
            store->params[tensors[i].param].version++;
}

mdldm_status mdldm__plan_cancelled(const mdldm_host *host)
{
    return mdldm__host_error(host, MDLDM_ERROR_CANCELLED, "cancelled on request");
}

mdldm_status mdldm__plan_not_finite(const mdldm_host *host, const mdldm_graph_op *op)
{
    return mdldm__host_error(host, MDLDM_ERROR_NUMERIC, "first non-finite value in the output of %s (%s)",
                             op->name, mdldm__op_name(op->kind));
}
