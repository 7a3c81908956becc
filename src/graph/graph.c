/* SPDX-License-Identifier: MIT
 * The builder's storage: tensors, operations, names, the layer path, leaves. */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "graph/graph_internal.h"

void mdldm__graph_init(mdldm__graph *g, mdldm__env *env, mdldm__params *params, int32_t declare,
                       int32_t act)
{
    memset(g, 0, sizeof *g);
    g->env = env;
    g->params = params;
    g->declare = declare;
    g->act = act;
    g->dropout_seed = g->q8_group = MDLDM__NONE;
}

void mdldm__graph_free(mdldm__graph *g)
{
    if (g->env == NULL)
        return;
    for (int32_t i = 0; i < g->name_count; i++)
        mdldm__free(g->env, g->names[i]);
    mdldm__free(g->env, g->names);
    mdldm__free(g->env, g->observed);
    mdldm__free(g->env, g->tensors);
    mdldm__free(g->env, g->ops);
    mdldm__free(g->env, g->segments);
    memset(g, 0, sizeof *g);
}

mdldm_graph_desc mdldm__graph_desc(const mdldm__graph *g)
{
    mdldm_graph_desc desc = {.struct_size = sizeof desc,
                             .tensor_count = g->tensor_count,
                             .op_count = g->op_count,
                             .tensors = g->tensors,
                             .ops = g->ops};
    return desc;
}

mdldm__tensor mdldm__graph_fail(mdldm__graph *g, mdldm_status status)
{
    if (g->status == MDLDM_OK)
        g->status = status;
    return MDLDM__NONE;
}

const char *mdldm__graph_keep_name(mdldm__graph *g, const char *text)
{
    if (g->name_count == g->name_capacity) {
        int32_t capacity = g->name_capacity > 0 ? g->name_capacity * 2 : 128;
        char **names = mdldm__realloc(g->env, g->names, (size_t)capacity * sizeof *names);
        if (names == NULL) {
            mdldm__graph_fail(g, mdldm__oom(g->env, "graph names"));
            return "";
        }
        g->names = names;
        g->name_capacity = capacity;
    }
    char *copy = mdldm__strdup(g->env, text);
    if (copy == NULL) {
        mdldm__graph_fail(g, mdldm__oom(g->env, "graph names"));
        return "";
    }
    g->names[g->name_count++] = copy;
    return copy;
}

void mdldm__graph_push(mdldm__graph *g, const char *format, ...)
{
    char part[128];
    va_list args;
    va_start(args, format);
    vsnprintf(part, sizeof part, format, args);
    va_end(args);
    size_t length = strlen(g->path), extra = strlen(part);
    if (g->path_depth >= 32 || length + extra + 2 > sizeof g->path) {
        mdldm__graph_fail(g, mdldm__error(g->env, MDLDM_ERROR_INTERNAL, "layer path too deep at %s.%s",
                                          g->path, part));
        g->path_depth++;
        return;
    }
    g->path_marks[g->path_depth++] = (int32_t)length;
    if (length > 0)
        g->path[length++] = '.';
    memcpy(g->path + length, part, extra + 1);
}

void mdldm__graph_pop(mdldm__graph *g)
{
    g->path_depth--;
    if (g->path_depth < 32)
        g->path[g->path_marks[g->path_depth]] = '\0';
}

void mdldm__graph_segment_begin(mdldm__graph *g)
{
    if (g->status != MDLDM_OK)
        return;
    if (g->segment_count == g->segment_capacity) {
        int32_t capacity = g->segment_capacity > 0 ? g->segment_capacity * 2 : 64;
        mdldm__segment *segments = mdldm__realloc(g->env, g->segments, (size_t)capacity * sizeof *segments);
        if (segments == NULL) {
            mdldm__graph_fail(g, mdldm__oom(g->env, "graph segments"));
            return;
        }
        g->segments = segments;
        g->segment_capacity = capacity;
    }
    g->segments[g->segment_count++] = (mdldm__segment){g->op_count, g->op_count};
}

void mdldm__graph_segment_end(mdldm__graph *g)
{
    if (g->status == MDLDM_OK)
        g->segments[g->segment_count - 1].end = g->op_count;
}

const int64_t *mdldm__graph_dims(const mdldm__graph *g, mdldm__tensor t)
{
    static const int64_t none[4] = {1, 1, 1, 1};
    return t >= 0 && t < g->tensor_count ? g->tensors[t].dims : none;
}

mdldm__tensor mdldm__graph_new_tensor(mdldm__graph *g, int32_t dtype, int32_t role, int64_t n, int64_t h,
                                      int64_t w, int64_t c)
{
    if (g->status != MDLDM_OK)
        return MDLDM__NONE;
    if (n <= 0 || h <= 0 || w <= 0 || c <= 0)
        return mdldm__graph_fail(
            g, mdldm__error(g->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "a tensor of %lldx%lldx%lldx%lld (n, h, w, c) at %s: the input is too small for "
                            "this model",
                            (long long)n, (long long)h, (long long)w, (long long)c,
                            g->path[0] != '\0' ? g->path : "the top level"));
    if (g->tensor_count == g->tensor_capacity) {
        int32_t capacity = g->tensor_capacity > 0 ? g->tensor_capacity * 2 : 256;
        mdldm_graph_tensor *tensors =
            mdldm__realloc(g->env, g->tensors, (size_t)capacity * sizeof *tensors);
        if (tensors == NULL)
            return mdldm__graph_fail(g, mdldm__oom(g->env, "graph tensors"));
        g->tensors = tensors;
        g->tensor_capacity = capacity;
    }
    mdldm_graph_tensor *t = &g->tensors[g->tensor_count];
    *t = (mdldm_graph_tensor){.dtype = dtype, .role = role, .param = -1, .dims = {n, h, w, c}, .name = ""};
    return g->tensor_count++;
}

mdldm_graph_op *mdldm__graph_new_op(mdldm__graph *g, int32_t kind, const char *name)
{
    if (g->status != MDLDM_OK)
        return NULL;
    if (g->op_count == g->op_capacity) {
        int32_t capacity = g->op_capacity > 0 ? g->op_capacity * 2 : 256;
        mdldm_graph_op *ops = mdldm__realloc(g->env, g->ops, (size_t)capacity * sizeof *ops);
        if (ops == NULL) {
            mdldm__graph_fail(g, mdldm__oom(g->env, "graph operations"));
            return NULL;
        }
        g->ops = ops;
        g->op_capacity = capacity;
    }
    if (name == NULL)
        name = mdldm__graph_keep_name(g, g->path);
    mdldm_graph_op *op = &g->ops[g->op_count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->name = name;
    for (int i = 0; i < MDLDM_OP_INPUTS; i++)
        op->in[i] = MDLDM__NONE;
    for (int i = 0; i < MDLDM_OP_OUTPUTS; i++)
        op->out[i] = MDLDM__NONE;
    return op;
}

mdldm__tensor mdldm__graph_input(mdldm__graph *g, const char *name, int32_t dtype, int64_t n, int64_t h,
                                 int64_t w, int64_t c)
{
    mdldm__tensor t = mdldm__graph_new_tensor(g, dtype, MDLDM_ROLE_INPUT, n, h, w, c);
    mdldm__graph_name(g, t, name);
    return t;
}

static mdldm__tensor parameter(mdldm__graph *g, const char *name, int32_t rank, const int64_t dims[4],
                               mdldm__init init, float a, int32_t trainable, int32_t integer)
{
    if (g->status != MDLDM_OK)
        return MDLDM__NONE;
    char full[640];
    snprintf(full, sizeof full, "%s%s%s", g->path, g->path[0] != '\0' ? "." : "", name);
    int32_t index = mdldm__params_find(g->params, full);
    if (index < 0) {
        if (!g->declare)
            return mdldm__graph_fail(g, mdldm__error(g->env, MDLDM_ERROR_INTERNAL,
                                                     "the graph asks for parameter %s, which was never "
                                                     "declared", full));
        mdldm_status status = mdldm__params_add(g->params, full, rank, dims, init, a, trainable);
        if (status != MDLDM_OK)
            return mdldm__graph_fail(
                g, g->params->env == g->env ? status : mdldm__oom(g->env, "parameter table"));
        index = g->params->count - 1;
        g->params->items[index].integer = integer;
    }
    const mdldm__param *p = &g->params->items[index];
    for (int32_t i = 0; i < 4; i++)
        if (p->dims[i] != (i < rank ? dims[i] : 1))
            return mdldm__graph_fail(g, mdldm__error(g->env, MDLDM_ERROR_INTERNAL,
                                                     "parameter %s is used with two shapes", full));
    for (int32_t t = 0; t < g->tensor_count; t++)
        if (g->tensors[t].role == MDLDM_ROLE_PARAM && g->tensors[t].param == index)
            return t;
    mdldm__tensor t = mdldm__graph_new_tensor(g, p->integer ? MDLDM_I8 : MDLDM_F32, MDLDM_ROLE_PARAM,
                                              p->dims[0], p->dims[1], p->dims[2], p->dims[3]);
    if (t >= 0) {
        g->tensors[t].param = index;
        g->tensors[t].name = mdldm__graph_keep_name(g, full);
    }
    return t;
}

mdldm__tensor mdldm__graph_param(mdldm__graph *g, const char *name, int32_t rank, int64_t d0, int64_t d1,
                                 int64_t d2, int64_t d3, mdldm__init init, float a)
{
    const int64_t dims[4] = {d0, d1, d2, d3};
    return parameter(g, name, rank, dims, init, a, 1, 0);
}

mdldm__tensor mdldm__graph_buffer(mdldm__graph *g, const char *name, int32_t rank, int64_t d0, int64_t d1,
                                  int64_t d2, int64_t d3, mdldm__init init, float a)
{
    const int64_t dims[4] = {d0, d1, d2, d3};
    return parameter(g, name, rank, dims, init, a, 0, 0);
}

mdldm__tensor mdldm__graph_integers(mdldm__graph *g, const char *name, int32_t rank, int64_t d0, int64_t d1,
                                    int64_t d2, int64_t d3)
{
    const int64_t dims[4] = {d0, d1, d2, d3};
    return parameter(g, name, rank, dims, MDLDM__INIT_UNIFORM, 0.0f, 0, 1);
}

void mdldm__graph_output(mdldm__graph *g, mdldm__tensor t)
{
    if (g->status == MDLDM_OK && t >= 0)
        g->tensors[t].flags |= MDLDM_TENSOR_OUTPUT;
}

mdldm__tensor mdldm__graph_find(const mdldm__graph *g, const char *name)
{
    for (int32_t i = 0; i < g->tensor_count; i++) {
        const mdldm_graph_tensor *t = &g->tensors[i];
        if ((t->role == MDLDM_ROLE_INPUT || t->flags & MDLDM_TENSOR_OUTPUT) && strcmp(t->name, name) == 0)
            return i;
    }
    return MDLDM__NONE;
}

void mdldm__graph_name(mdldm__graph *g, mdldm__tensor t, const char *name)
{
    if (g->status == MDLDM_OK && t >= 0)
        g->tensors[t].name = mdldm__graph_keep_name(g, name);
}
