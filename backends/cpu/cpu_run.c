/* SPDX-License-Identifier: MIT
 * Running a plan. */
#include "../common/layout.h"
#include "../common/plan_check.h"
#include "cpu_plan.h"

/* Where parameters and gradients lie now: a bind may have moved them since the last run. */
static void find_parameters(mdldm_plan *plan)
{
    for (int32_t i = 0; i < plan->tensor_count; i++) {
        const mdldm_graph_tensor *t = &plan->tensors[i];
        if (t->role == MDLDM_ROLE_PARAM_GRAD)
            plan->memory[i] = plan->store->base.params[t->param].grad;
        if (t->role == MDLDM_ROLE_STATE)
            plan->memory[i] = plan->store->base.params[t->param].owned_value;
        if (t->role == MDLDM_ROLE_PARAM) /* kernels read parameters only */
            plan->memory[i] = (void *)(uintptr_t)mdldm__store_host_memory(&plan->store->base, t->param,
                                                                          t->dtype, plan->ema);
    }
}

static int weights_stale(const mdldm_plan *plan)
{
    for (int32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].packed != NULL && plan->steps[i].packing < 0 &&
            mdldm__packed_stale(plan->store, plan->steps[i].packed))
            return 1;
    return 0;
}

static mdldm_status refresh_weights(mdldm_plan *plan)
{
    mdldm_status status = MDLDM_OK;
    for (int32_t i = 0; i < plan->step_count && status == MDLDM_OK; i++)
        if (plan->steps[i].packed != NULL && plan->steps[i].packing < 0)
            status = mdldm__packed_refresh(plan->store, plan->steps[i].packed,
                                           (float *)(void *)plan->arena);
    return status;
}

static mdldm_status check_finite(mdldm_plan *plan, const mdldm__cpu_step *step)
{
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++) {
        if (step->out[slot] < 0)
            continue;
        const mdldm_graph_tensor *t = &plan->tensors[step->out[slot]];
        if ((t->dtype == MDLDM_F32 || t->dtype == MDLDM_BF16) &&
            !plan->device->kernels->finite(plan->memory[step->out[slot]], t->dtype,
                                           mdldm__elements(t->dims), step->threads))
            return mdldm__plan_not_finite(plan->device->host, step->op);
    }
    return MDLDM_OK;
}

static mdldm_status run_step(mdldm_plan *plan, mdldm__cpu_step *step)
{
    if (step->packing >= 0) {
        mdldm__cpu_use_threads(plan->device->threads);
        mdldm_status status =
            mdldm__packed_into(plan->store, step->packed, mdldm__cpu_memory(plan, step->packing));
        if (status != MDLDM_OK)
            return status;
    }
    return step->run(plan, step);
}

typedef struct run_job {
    mdldm_plan *plan;
    const mdldm_binding *bindings;
    int32_t count, flags;
} run_job;

static mdldm_status run(void *arg)
{
    const run_job *job = arg;
    mdldm_plan *plan = job->plan;
    const mdldm_binding *bindings = job->bindings;
    const int32_t count = job->count;
    const mdldm_host *host = plan->device->host;
    find_parameters(plan);
    mdldm_status status = plan->arena != plan->device->arena ? mdldm__cpu_set_addresses(plan) : MDLDM_OK;
    if (status == MDLDM_OK)
        status = refresh_weights(plan);
    for (int32_t i = 0; i < count && status == MDLDM_OK; i++)
        if (plan->tensors[bindings[i].tensor].role == MDLDM_ROLE_INPUT)
            mdldm__layout_import(&bindings[i], &plan->tensors[bindings[i].tensor],
                                 plan->memory[bindings[i].tensor]);
    for (int32_t i = 0; i < plan->step_count && status == MDLDM_OK; i++) {
        if (host->cancelled(host))
            return mdldm__plan_cancelled(host);
        status = run_step(plan, &plan->steps[i]);
        if (status == MDLDM_OK && (job->flags & MDLDM_RUN_CHECK_FINITE))
            status = check_finite(plan, &plan->steps[i]);
    }
    if (plan->store != NULL)
        mdldm__plan_wrote(&plan->store->base, plan->tensors, plan->tensor_count);
    for (int32_t i = 0; i < count && status == MDLDM_OK; i++)
        if (plan->tensors[bindings[i].tensor].role != MDLDM_ROLE_INPUT)
            mdldm__layout_export(&bindings[i], &plan->tensors[bindings[i].tensor],
                                 plan->memory[bindings[i].tensor]);
    return status;
}

mdldm_status mdldm__cpu_plan_run(mdldm_plan *plan, const mdldm_binding *bindings, int32_t count,
                                 int32_t flags)
{
    mdldm_status status = mdldm__plan_check_ready(
        plan->device->host, plan->store != NULL ? &plan->store->base : NULL, plan->tensors,
        plan->tensor_count, bindings, count, plan->bound);
    if (status != MDLDM_OK)
        return status;
    run_job job = {plan, bindings, count, flags};
    return mdldm__cpu_do(&plan->device->worker, weights_stale(plan) ? plan->device->threads : plan->threads, run,
                         &job);
}
