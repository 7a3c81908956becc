/* SPDX-License-Identifier: MIT
 * From nodes to steps: what every operation needs. */
#include "cpu_plan.h"

#include <assert.h>

mdldm__cpu_step *mdldm__cpu_add_step(mdldm_plan *plan, const mdldm_graph_op *op, mdldm__cpu_run_fn run)
{
    assert(plan->step_count < plan->step_capacity);
    mdldm__cpu_step *step = &plan->steps[plan->step_count++];
    step->run = run;
    step->op = op;
    step->threads = mdldm__cpu_op_threads(plan, op);
    for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++)
        step->in[slot] = op->in[slot];
    for (int slot = 0; slot < MDLDM_OP_OUTPUTS; slot++)
        step->out[slot] = op->out[slot];
    step->scratch = step->bias_scratch = step->extra = step->src_stage = step->dst_stage = step->packing = -1;
    return step;
}

int32_t mdldm__cpu_add_scratch(mdldm_plan *plan, size_t bytes)
{
    if (bytes == 0)
        return -1;
    assert(plan->all_tensors < plan->tensor_capacity);
    int32_t id = plan->all_tensors++;
    int64_t floats = (int64_t)((bytes + sizeof(float) - 1) / sizeof(float));
    plan->tensors[id] = (mdldm_graph_tensor){
        .dtype = MDLDM_F32, .role = MDLDM_ROLE_ACTIVATION, .param = -1, .dims = {1, 1, 1, floats}, .name = ""};
    plan->alias[id] = id;
    return id;
}

int32_t mdldm__cpu_in_place(mdldm_plan *plan, const mdldm__cpu_node *node, int32_t in, int32_t out)
{
    if (in < 0 || out < 0 || in == out)
        return 0;
    const mdldm_graph_tensor *a = &plan->tensors[in], *b = &plan->tensors[out];
    if (a->role != MDLDM_ROLE_ACTIVATION || b->role != MDLDM_ROLE_ACTIVATION ||
        (a->flags & MDLDM_TENSOR_OUTPUT) || plan->last_use[in] != node->position || a->dtype != b->dtype ||
        mdldm__elements(a->dims) != mdldm__elements(b->dims))
        return 0;
    plan->alias[out] = in;
    return 1;
}

/* Operations whose kernels read each element before they write it. */
static void share_memory(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    const mdldm_graph_op *op = node->op;
    switch (op->kind) {
    case MDLDM_OP_SILU:
    case MDLDM_OP_BIAS:
    case MDLDM_OP_SCALE:
    case MDLDM_OP_DROPOUT:
        mdldm__cpu_in_place(plan, node, op->in[0], op->out[0]);
        break;
    case MDLDM_OP_ADD:
    case MDLDM_OP_SILU_BWD:
        if (!mdldm__cpu_in_place(plan, node, op->in[0], op->out[0]))
            mdldm__cpu_in_place(plan, node, op->in[1], op->out[0]);
        break;
    case MDLDM_OP_GROUP_NORM:
    case MDLDM_OP_GROUP_NORM_APPLY:
        if (op->in[1] < 0)
            mdldm__cpu_in_place(plan, node, op->in[0], op->out[0]);
        break;
    case MDLDM_OP_GROUP_NORM_BWD:
        if (op->in[2] < 0 && !mdldm__cpu_in_place(plan, node, op->in[0], op->out[0]))
            mdldm__cpu_in_place(plan, node, op->in[1], op->out[0]);
        break;
    default:
        break;
    }
}

mdldm_status mdldm__cpu_lower(mdldm_plan *plan, const mdldm__cpu_node *node)
{
    mdldm__cpu_step *step;
    switch (node->op->kind) {
    case MDLDM_OP_CONV:
        return mdldm__cpu_lower_conv(plan, node);
    case MDLDM_OP_CONV_BWD_DATA:
        return mdldm__cpu_lower_bwd_data(plan, node);
    case MDLDM_OP_CONV_BWD_WEIGHTS:
        return mdldm__cpu_lower_bwd_weights(plan, node);
    case MDLDM_OP_QUANTIZE:
        return mdldm__cpu_lower_quantize(plan, node);
    case MDLDM_OP_CONV_Q8:
        return mdldm__cpu_lower_conv_q8(plan, node);
    default:
        step = mdldm__cpu_add_step(plan, node->op, mdldm__cpu_runner(node->op->kind));
        step->scratch = mdldm__cpu_add_scratch(plan, mdldm__cpu_op_scratch(plan, node->op));
        if (node->quantize != NULL) {
            step->out[0] = node->out;
            step->in[5] = node->quantize->in[1];
            step->in[6] = node->quantize->in[2];
            return MDLDM_OK;
        }
        share_memory(plan, node);
        return MDLDM_OK;
    }
}
