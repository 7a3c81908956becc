/* SPDX-License-Identifier: MIT
 * The launches of a plan: captured once as a CUDA graph, so that the driver is called once per run and the
 * GPU never waits for the host; one by one where capture does not work. */
#include "../common/plan_check.h"
#include "cuda_plan.h"

mdldm_status mdldm__cuda_issue(mdldm_plan *plan, const mdldm__cuda_launch_record *launch)
{
    const mdldm_device *device = plan->device;
    if (launch->name != NULL)
        return mdldm__cuda_start(device, launch->kernel, launch->name, launch->grid, launch->block, launch->shared,
                                 plan->args + launch->args);
    void *address = *(void **)(void *)(plan->args + launch->args);
    return mdldm__cuda_check(device, device->api->cudaMemsetAsync(address, 0, launch->bytes, device->stream),
                             "cudaMemsetAsync");
}

static int belongs(const mdldm__cuda_launch_record *launch, int kind)
{
    if (launch->packed >= 0)
        return (kind & MDLDM__CUDA_RUN_FRESH) != 0;
    return (kind & MDLDM__CUDA_RUN_CHECKED) != 0 || !launch->checks;
}

/* poll: between operations; not while capturing, which takes no time. */
static mdldm_status issue_all(mdldm_plan *plan, int kind, int poll)
{
    const mdldm_device *device = plan->device;
    mdldm_status status = MDLDM_OK;
    if (kind & MDLDM__CUDA_RUN_CHECKED)
        status = mdldm__cuda_check(device,
                                   device->api->cudaMemsetAsync(mdldm__cuda_item_address(plan, plan->flag_item), 0,
                                                                (size_t)plan->op_count * sizeof(int32_t), device->stream),
                                   "cudaMemsetAsync");
    int32_t op = -1;
    for (int32_t i = 0; i < plan->launch_count && status == MDLDM_OK; i++) {
        const mdldm__cuda_launch_record *launch = &plan->launches[i];
        if (!belongs(launch, kind))
            continue;
        if (poll && launch->op != op && device->host->cancelled(device->host))
            return mdldm__plan_cancelled(device->host);
        op = launch->op;
        status = mdldm__cuda_issue(plan, launch);
    }
    return status;
}

/* NULL in *exec, and OK, where the runtime cannot capture. */
static mdldm_status capture(mdldm_plan *plan, int kind, mdldm__cuda_handle *exec)
{
    const mdldm_device *device = plan->device;
    const mdldm__cuda_api *api = device->api;
    mdldm__cuda_handle graph = NULL;
    *exec = NULL;
    if (api->cudaStreamBeginCapture(device->stream, MDLDM__CUDA_CAPTURE_THREAD) != 0) {
        (void)api->cudaGetLastError();
        return MDLDM_OK;
    }
    mdldm_status status = issue_all(plan, kind, 0);
    int error = api->cudaStreamEndCapture(device->stream, &graph);
    if (status == MDLDM_OK && error == 0 && graph != NULL)
        error = api->cudaGraphInstantiate(exec, graph, 0);
    if (error != 0) {
        (void)api->cudaGetLastError();
        *exec = NULL;
    }
    if (graph != NULL && api->cudaGraphDestroy(graph) != 0)
        (void)api->cudaGetLastError();
    return status;
}

mdldm_status mdldm__cuda_replay(mdldm_plan *plan, int kind)
{
    mdldm_device *device = plan->device;
    const mdldm_host *host = device->host;
    if (device->graphs && plan->execs[kind] == NULL) {
        mdldm_status status = capture(plan, kind, &plan->execs[kind]);
        if (status != MDLDM_OK)
            return status;
        if (plan->execs[kind] == NULL) {
            device->graphs = 0;
            host->log(host, 2, "cuda: launches cannot be captured as a graph and go one by one");
        }
    }
    if (plan->execs[kind] == NULL)
        return issue_all(plan, kind, 1);
    if (host->cancelled(host))
        return mdldm__plan_cancelled(host);
    return mdldm__cuda_check(device, device->api->cudaGraphLaunch(plan->execs[kind], device->stream), "cudaGraphLaunch");
}

void mdldm__cuda_forget_graphs(mdldm_plan *plan)
{
    for (int kind = 0; kind < MDLDM__CUDA_EXECS; kind++) {
        if (plan->execs[kind] != NULL && plan->device->api->cudaGraphExecDestroy(plan->execs[kind]) != 0)
            (void)plan->device->api->cudaGetLastError();
        plan->execs[kind] = NULL;
    }
}
