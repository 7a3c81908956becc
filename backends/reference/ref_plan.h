/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_REF_PLAN_H
#define MDLDM_REF_PLAN_H

#include "../common/store_host.h"

struct mdldm_device {
    const mdldm_host *host;
};

struct mdldm_store {
    mdldm__store_host table;
};

mdldm_status mdldm__ref_plan_compile(mdldm_device *device, mdldm_store *store,
                                     const mdldm_graph_desc *graph, int32_t flags, mdldm_plan **out);
mdldm_status mdldm__ref_plan_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count,
                                 int32_t flags);
void mdldm__ref_plan_close(mdldm_plan *plan);
void mdldm__ref_plan_info(const mdldm_plan *plan, mdldm_plan_info *info);

#endif
