/* SPDX-License-Identifier: MIT */
#include "graph_check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "op_info.h"

#define MAX_ELEMENTS ((int64_t)1 << 40)

static const char *const dtype_names[] = {"F32", "BF16", "I32", "F16", "I8", "U8"};

mdldm_status mdldm__graph_bad_op(const mdldm_host *host, const mdldm_graph_op *op, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT, "graph: operation '%s' (%s): %s",
                             op->name != NULL ? op->name : "", mdldm__op_name(op->kind), text);
}

static mdldm_status bad_tensor(const mdldm_host *host, const mdldm_graph_desc *graph, int32_t index,
                               const char *what)
{
    const char *name = graph->tensors[index].name;
    return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT, "graph: tensor %d '%s' %s", index,
                             name != NULL ? name : "", what);
}

static mdldm_status check_param(const mdldm_host *host, const mdldm_graph_desc *graph, int32_t index,
                                const mdldm_param_desc *params, int32_t param_count,
                                int32_t store_flags)
{
    const mdldm_graph_tensor *t = &graph->tensors[index];
    if (t->param < 0 || t->param >= param_count)
        return bad_tensor(host, graph, index, "names a parameter that the store does not have");
    if (t->dtype != MDLDM_F32 && (t->dtype != MDLDM_I8 || t->role != MDLDM_ROLE_PARAM))
        return bad_tensor(host, graph, index, "is a parameter and must be F32, or I8 without a gradient");
    const mdldm_param_desc *p = &params[t->param];
    for (int axis = 0; axis < 4; axis++)
        if (t->dims[axis] != p->dims[axis])
            return mdldm__host_error(
                host, MDLDM_ERROR_INVALID_ARGUMENT,
                "graph: tensor %d has shape [%lld,%lld,%lld,%lld], its parameter '%s' [%lld,%lld,%lld,%lld]",
                index, (long long)t->dims[0], (long long)t->dims[1], (long long)t->dims[2],
                (long long)t->dims[3], p->name, (long long)p->dims[0], (long long)p->dims[1],
                (long long)p->dims[2], (long long)p->dims[3]);
    if (t->role == MDLDM_ROLE_PARAM_GRAD && !(store_flags & MDLDM_STORE_TRAIN))
        return bad_tensor(host, graph, index, "is a gradient, but the store was not opened for training");
    if (t->role == MDLDM_ROLE_PARAM_GRAD && !p->trainable)
        return bad_tensor(host, graph, index, "is the gradient of a parameter that is not trainable");
    if (t->role != MDLDM_ROLE_STATE)
        return MDLDM_OK;
    if (!(store_flags & MDLDM_STORE_TRAIN))
        return bad_tensor(host, graph, index, "is state, but the store was not opened for training");
    if (t->flags & MDLDM_TENSOR_OUTPUT)
        return bad_tensor(host, graph, index, "is state and cannot be an output");
    for (int32_t i = 0; i < graph->tensor_count; i++)
        if (i != index && mdldm__is_stored(graph->tensors[i].role) && graph->tensors[i].param == t->param)
            return bad_tensor(host, graph, index, "is state, and another tensor names the same parameter");
    return MDLDM_OK;
}

static mdldm_status check_tensors(const mdldm_host *host, const mdldm_graph_desc *graph,
                                  const mdldm_param_desc *params, int32_t param_count,
                                  int32_t store_flags)
{
    for (int32_t i = 0; i < graph->tensor_count; i++) {
        const mdldm_graph_tensor *t = &graph->tensors[i];
        int64_t elements = 1;
        for (int axis = 0; axis < 4; axis++) {
            if (t->dims[axis] < 1 || t->dims[axis] > MAX_ELEMENTS / elements)
                return bad_tensor(host, graph, i, "has a size below 1 or beyond 2^40 elements");
            elements *= t->dims[axis];
        }
        if (t->dtype != MDLDM_F32 && t->dtype != MDLDM_BF16 && t->dtype != MDLDM_I32 &&
            t->dtype != MDLDM_I8 && t->dtype != MDLDM_U8)
            return bad_tensor(host, graph, i, "has a type that is none of F32, BF16, I32, I8 and U8");
        switch (t->role) {
        case MDLDM_ROLE_ACTIVATION:
        case MDLDM_ROLE_INPUT:
            if (t->dtype == MDLDM_I8)
                return bad_tensor(host, graph, i, "is I8 and must be a parameter");
            if (t->dtype == MDLDM_U8 && (t->role == MDLDM_ROLE_INPUT || (t->flags & MDLDM_TENSOR_OUTPUT)))
                return bad_tensor(host, graph, i, "is U8 and can be neither an input nor an output");
            break;
        case MDLDM_ROLE_PARAM:
        case MDLDM_ROLE_PARAM_GRAD:
        case MDLDM_ROLE_STATE: {
            mdldm_status status = check_param(host, graph, i, params, param_count, store_flags);
            if (status != MDLDM_OK)
                return status;
            if (t->dtype == MDLDM_I8 && (t->flags & MDLDM_TENSOR_OUTPUT))
                return bad_tensor(host, graph, i, "is I8 and cannot be an output");
            break;
        }
        default:
            return bad_tensor(host, graph, i, "has an unknown role");
        }
    }
    return MDLDM_OK;
}

/* Role and type of the tensor in one slot against its letter. */
static mdldm_status check_slot(const mdldm_host *host, const mdldm_graph_desc *graph,
                               const mdldm_graph_op *op, const char *side, int slot, int32_t index,
                               char letter, int32_t *act_dtype)
{
    int kind = tolower((unsigned char)letter);
    if (index == -1) {
        if (letter == kind)
            return mdldm__graph_bad_op(host, op, "%s slot %d is empty and must not be", side, slot);
        return MDLDM_OK;
    }
    if (index < 0 || index >= graph->tensor_count)
        return mdldm__graph_bad_op(host, op, "%s slot %d holds tensor %d, the graph has 0..%d", side, slot,
                                   index, graph->tensor_count - 1);
    const mdldm_graph_tensor *t = &graph->tensors[index];
    int output = side[0] == 'o';
    int role_fits = kind == 'p' || kind == 'q' ? t->role == MDLDM_ROLE_PARAM
                    : kind == 'g' ? t->role == MDLDM_ROLE_PARAM_GRAD
                    : kind == 's' ? t->role == MDLDM_ROLE_STATE
                                  : t->role == MDLDM_ROLE_ACTIVATION ||
                                        (!output && t->role == MDLDM_ROLE_INPUT);
    if (!role_fits)
        return mdldm__graph_bad_op(host, op, "%s slot %d must be %s", side, slot,
                                   kind == 'p' || kind == 'q' ? "a parameter"
                                   : kind == 'g' ? "a parameter gradient"
                                   : kind == 's' ? "state"
                                   : output      ? "an activation"
                                                 : "an activation or input");
    int is_float = t->dtype == MDLDM_F32 || t->dtype == MDLDM_BF16;
    if (((kind == 'a' || kind == 'l') && !is_float) || (kind == 'f' && t->dtype != MDLDM_F32) ||
        (kind == 'i' && t->dtype != MDLDM_I32) || (kind == 'u' && t->dtype != MDLDM_U8) ||
        (kind == 'q' && t->dtype != MDLDM_I8) || (kind == 'p' && t->dtype != MDLDM_F32))
        return mdldm__graph_bad_op(host, op, "%s slot %d is %s, it must be %s", side, slot,
                                   dtype_names[t->dtype],
                                   kind == 'f' || kind == 'p' ? "F32"
                                   : kind == 'i'              ? "I32"
                                   : kind == 'u'              ? "U8"
                                   : kind == 'q'              ? "I8"
                                                              : "F32 or BF16");
    if (kind == 'a') {
        if (*act_dtype >= 0 && *act_dtype != t->dtype)
            return mdldm__graph_bad_op(host, op, "%s slot %d is %s, the ones before it %s", side, slot,
                                       dtype_names[t->dtype], dtype_names[*act_dtype]);
        *act_dtype = t->dtype;
    }
    return MDLDM_OK;
}

/* Slots of one operation, and the order: ready[] tells which tensors can be read. */
static mdldm_status check_op(const mdldm_host *host, const mdldm_graph_desc *graph,
                             const mdldm_graph_op *op, uint8_t *ready)
{
    const mdldm__op_info *info = mdldm__op_info_of(op->kind);
    if (info == NULL)
        return mdldm__graph_bad_op(host, op, "kind %d is unknown", op->kind);
    mdldm__op_view view = {.host = host, .op = op};
    int32_t act_dtype = -1;
    int ins = (int)strlen(info->in), outs = (int)strlen(info->out);
    for (int slot = 0; slot < MDLDM_OP_INPUTS; slot++) {
        /* Slots beyond the operation's own are not looked at: builders leave 0 or -1 there. */
        if (slot >= ins)
            break;
        mdldm_status status =
            check_slot(host, graph, op, "input", slot, op->in[slot], info->in[slot], &act_dtype);
        if (status != MDLDM_OK)
            return status;
        if (op->in[slot] < 0)
            continue;
        view.in[slot] = &graph->tensors[op->in[slot]];
        if (!ready[op->in[slot]])
            return mdldm__graph_bad_op(host, op, "input slot %d holds tensor %d, which nothing has written",
                                       slot, op->in[slot]);
    }
    for (int slot = 0; slot < outs; slot++) {
        mdldm_status status =
            check_slot(host, graph, op, "output", slot, op->out[slot], info->out[slot], &act_dtype);
        if (status != MDLDM_OK)
            return status;
        if (op->out[slot] < 0)
            continue;
        const mdldm_graph_tensor *t = &graph->tensors[op->out[slot]];
        view.out[slot] = t;
        if (t->role == MDLDM_ROLE_ACTIVATION && ready[op->out[slot]])
            return mdldm__graph_bad_op(host, op, "output slot %d holds tensor %d, which is written already",
                                       slot, op->out[slot]);
        ready[op->out[slot]] = 1;
    }
    return mdldm__graph_check_shapes(&view);
}

mdldm_status mdldm__graph_check(const mdldm_host *host, const mdldm_graph_desc *graph,
                                const mdldm_param_desc *params, int32_t param_count,
                                int32_t store_flags)
{
    if (graph->tensor_count < 1 || graph->op_count < 1 || graph->tensors == NULL || graph->ops == NULL)
        return mdldm__host_error(host, MDLDM_ERROR_INVALID_ARGUMENT, "graph: it has no operations");
    mdldm_status status = check_tensors(host, graph, params, param_count, store_flags);
    if (status != MDLDM_OK)
        return status;
    uint8_t *ready = mdldm__host_zalloc(host, (size_t)graph->tensor_count, 1);
    if (ready == NULL)
        return mdldm__host_oom(host, "graph check");
    for (int32_t i = 0; i < graph->tensor_count; i++)
        ready[i] = graph->tensors[i].role == MDLDM_ROLE_INPUT || graph->tensors[i].role == MDLDM_ROLE_PARAM;
    for (int32_t i = 0; i < graph->op_count && status == MDLDM_OK; i++)
        status = check_op(host, graph, &graph->ops[i], ready);
    for (int32_t i = 0; i < graph->tensor_count && status == MDLDM_OK; i++)
        if ((graph->tensors[i].flags & MDLDM_TENSOR_OUTPUT) && !ready[i])
            status = bad_tensor(host, graph, i, "is an output that nothing has written");
    mdldm__host_free(host, ready);
    return status;
}
