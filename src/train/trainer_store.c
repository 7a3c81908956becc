/* SPDX-License-Identifier: MIT
 * The trainer's parameter store and plans. */
#include <stdio.h>
#include <string.h>

#include "api/runtime.h"
#include "train/trainer.h"

int mdldm__trainer_learns(const mdldm_trainer *t, int32_t index)
{
    return index != t->fixed_param && t->component->params.items[index].trainable;
}

static mdldm_status clear_state(mdldm_trainer *t)
{
    mdldm_status status = MDLDM_OK;
    for (int32_t i = 0; status == MDLDM_OK && i < t->state_count; i++) {
        const int64_t *d = t->state[i].dims;
        float *zeros = mdldm__calloc(&t->env, (size_t)(d[0] * d[1] * d[2] * d[3]), sizeof *zeros);
        status = zeros != NULL ? t->ctx->backend->store_bind(t->store, t->component->params.count + i, zeros, MDLDM_F32)
                               : mdldm__oom(&t->ctx->env, "training state");
        mdldm__free(&t->env, zeros);
    }
    return status;
}

mdldm_status mdldm__trainer_open_store(mdldm_trainer *t)
{
    const mdldm__params *params = &t->component->params;
    mdldm_param_desc *table = mdldm__params_desc(params);
    if (table == NULL)
        return mdldm__oom(&t->ctx->env, "parameter table");
    const int32_t all = params->count + t->state_count;
    mdldm_param_desc *desc = mdldm__realloc(params->env, table, (size_t)(all + 1) * sizeof *desc);
    if (desc == NULL) {
        mdldm__free(params->env, table);
        return mdldm__oom(&t->ctx->env, "parameter table");
    }
    for (int32_t i = 0; i < t->state_count; i++)
        desc[params->count + i] = t->state[i];
    if (t->fixed_param >= 0)
        desc[t->fixed_param].trainable = 0;
    mdldm_status status = t->ctx->backend->store_open(
        t->ctx->device, desc, all, MDLDM_STORE_TRAIN | (t->options.use_ema ? MDLDM_STORE_EMA : 0), &t->store);
    mdldm__free(params->env, desc);
    if (status == MDLDM_OK)
        status = clear_state(t);
    for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++) {
        status = t->ctx->backend->store_bind(t->store, i, params->items[i].data, params->items[i].dtype);
        mdldm__component_forget(t->component, i, 1); /* the store has its own copy */
    }
    return status;
}

mdldm_status mdldm__trainer_compile(mdldm_trainer *t, mdldm__graph *g, int32_t flags, mdldm_plan **plan)
{
    if (g->status != MDLDM_OK)
        return g->status;
    mdldm_graph_desc desc = mdldm__graph_desc(g);
    flags |= t->ctx->plan_flags & ~MDLDM_PLAN_TF32; /* that one is of inference */
    flags |= t->options.allow_tf32 ? MDLDM_PLAN_TF32 : 0;
    mdldm__runtime_enter(t->ctx);
    mdldm_status status = t->ctx->backend->plan_compile(t->ctx->device, t->store, &desc, flags, plan);
    mdldm__runtime_leave(t->ctx);
    return status;
}

mdldm_status mdldm__trainer_run(mdldm_trainer *t, mdldm_plan *plan, const mdldm_binding *bindings,
                                int32_t count, int32_t flags)
{
    mdldm__runtime_enter(t->ctx);
    mdldm_status status = t->ctx->backend->plan_run(plan, bindings, count, flags);
    mdldm__runtime_leave(t->ctx);
    return status;
}

mdldm_status mdldm__trainer_copy_weights(mdldm_trainer *t)
{
    mdldm__params *params = &t->component->params;
    int64_t most = 0;
    for (int32_t i = 0; i < params->count; i++) {
        int64_t count = mdldm__param_elements(&params->items[i]);
        most = count > most ? count : most;
    }
    float *values = mdldm__alloc(&t->env, (size_t)most * sizeof *values);
    if (values == NULL)
        return mdldm__oom(&t->ctx->env, "weights");
    mdldm_status status = MDLDM_OK;
    int32_t slot = t->options.use_ema ? MDLDM_SLOT_EMA : MDLDM_SLOT_VALUE;
    for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++) {
        status = t->ctx->backend->store_read(t->store, i, slot, values);
        if (status == MDLDM_OK && mdldm__param_set(params, i, values) != MDLDM_OK)
            status = mdldm__oom(&t->ctx->env, "weights");
    }
    mdldm__free(&t->env, values);
    return status;
}

mdldm_status mdldm__trainer_name_layer(mdldm_trainer *t, mdldm_plan *plan, const mdldm_binding *bindings,
                                       int32_t count, const char *what)
{
    mdldm__env *env = &t->ctx->env;
    mdldm_status status = mdldm__trainer_run(t, plan, bindings, count, MDLDM_RUN_CHECK_FINITE);
    char layer[1024] = "no single layer shows it";
    if (status == MDLDM_ERROR_NUMERIC)
        snprintf(layer, sizeof layer, "%s", env->error);
    else if (status != MDLDM_OK)
        return status;
    return mdldm__error(env, MDLDM_ERROR_NUMERIC,
                        "%s is not finite at step %lld: %s; the weights are those before the step; a lower "
                        "learning_rate or a longer lr_warmup_steps helps",
                        what, (long long)t->global_step + 1, layer);
}
