/* SPDX-License-Identifier: MIT */
#include "quant/calibrator.h"

#include <string.h>

#include "api/runtime.h"
#include "api/unet_inputs.h"

/* One activation that is looked at, and where its range is gathered. */
typedef struct watched {
    mdldm__tensor tensor;
    int32_t range;
    int64_t count;
    float *values; /* shared by the ranges of one tensor; owned by the first of them */
    int32_t owner;
} watched;

struct mdldm__calibrator {
    mdldm_context *ctx;
    const mdldm_model *model;
    int32_t groups;
    mdldm_store *store;
    char **names; /* [ranges] */
    mdldm__range_histogram *histograms; /* [ranges][groups] */
    int32_t ranges;
    /* For maps of h x w: */
    int64_t h, w;
    mdldm_plan *plan;
    watched *watch;
    mdldm_binding *bindings; /* inputs and output first */
    int32_t watch_count, fixed;
    int32_t sample, time_proj, class_proj, label, timestep, output; /* their bindings, -1: none */
};

static void close_map(mdldm__calibrator *c)
{
    mdldm__env *env = &c->ctx->env;
    if (c->plan != NULL)
        c->ctx->backend->plan_close(c->plan);
    for (int32_t i = 0; i < c->watch_count; i++)
        if (c->watch[i].owner)
            mdldm__free(env, c->watch[i].values);
    mdldm__free(env, c->watch);
    mdldm__free(env, c->bindings);
    c->plan = NULL;
    c->watch = NULL;
    c->bindings = NULL;
    c->watch_count = c->fixed = 0;
    c->h = c->w = 0;
}

void mdldm__calibrator_close(mdldm__calibrator *c)
{
    if (c == NULL)
        return;
    mdldm__env *env = &c->ctx->env;
    mdldm__runtime_enter(c->ctx);
    close_map(c);
    if (c->store != NULL)
        c->ctx->backend->store_close(c->store);
    mdldm__runtime_leave(c->ctx);
    for (int32_t i = 0; i < c->ranges; i++)
        mdldm__free(env, c->names[i]);
    mdldm__free(env, c->names);
    mdldm__free(env, c->histograms);
    mdldm__free(env, c);
}

static mdldm_status open_store(mdldm__calibrator *c)
{
    const mdldm__params *params = &c->model->unet->params;
    const mdldm_backend *backend = c->ctx->backend;
    mdldm_param_desc *desc = mdldm__params_desc(params);
    if (desc == NULL)
        return mdldm__oom(&c->ctx->env, "the parameter list");
    mdldm_status status = backend->store_open(c->ctx->device, desc, params->count, 0, &c->store);
    mdldm__free(params->env, desc);
    for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++)
        status = backend->store_bind(c->store, i, params->items[i].data, params->items[i].dtype);
    return status;
}

static int32_t range_index(const mdldm__calibrator *c, const char *name)
{
    for (int32_t i = 0; i < c->ranges; i++)
        if (strcmp(c->names[i], name) == 0)
            return i;
    return -1;
}

/* The ranges that the graph names, each once. */
static mdldm_status collect_names(mdldm__calibrator *c, const mdldm__graph *g)
{
    mdldm__env *env = &c->ctx->env;
    if (c->names != NULL)
        return MDLDM_OK;
    c->names = mdldm__calloc(env, (size_t)g->observed_count + 1, sizeof *c->names);
    if (c->names == NULL)
        return mdldm__oom(env, "the names of ranges");
    for (int32_t i = 0; i < g->observed_count; i++) {
        if (range_index(c, g->observed[i].name) >= 0)
            continue;
        c->names[c->ranges] = mdldm__strdup(env, g->observed[i].name);
        if (c->names[c->ranges++] == NULL)
            return mdldm__oom(env, "the names of ranges");
    }
    c->histograms =
        mdldm__calloc(env, (size_t)c->ranges * (size_t)c->groups + 1, sizeof *c->histograms);
    return c->histograms != NULL ? MDLDM_OK : mdldm__oom(env, "the distributions of activations");
}

static int32_t add_binding(mdldm__calibrator *c, const mdldm__graph *g, const char *name, int32_t dtype)
{
    mdldm__tensor tensor = mdldm__graph_find(g, name);
    if (tensor < 0)
        return -1;
    c->bindings[c->fixed] = (mdldm_binding){.tensor = tensor, .dtype = dtype, .layout = MDLDM_LAYOUT_NCHW};
    return c->fixed++;
}

static mdldm_status watch_all(mdldm__calibrator *c, const mdldm__graph *g)
{
    enum { FIXED = 6 };
    mdldm__env *env = &c->ctx->env;
    c->watch = mdldm__calloc(env, (size_t)g->observed_count + 1, sizeof *c->watch);
    c->bindings = mdldm__calloc(env, (size_t)g->observed_count + FIXED, sizeof *c->bindings);
    if (c->watch == NULL || c->bindings == NULL)
        return mdldm__oom(env, "the list of activations");
    c->sample = add_binding(c, g, "sample", MDLDM_F32);
    c->time_proj = add_binding(c, g, "time_proj", MDLDM_F32);
    c->class_proj = add_binding(c, g, "class_proj", MDLDM_F32);
    c->label = add_binding(c, g, "label", MDLDM_I32);
    c->timestep = add_binding(c, g, "timestep", MDLDM_F32);
    c->output = add_binding(c, g, "output", MDLDM_F32);
    int32_t outputs = c->fixed;
    for (int32_t i = 0; i < g->observed_count; i++) {
        watched *w = &c->watch[c->watch_count++];
        const int64_t *d = mdldm__graph_dims(g, g->observed[i].tensor);
        *w = (watched){g->observed[i].tensor, range_index(c, g->observed[i].name), d[0] * d[1] * d[2] * d[3], NULL, 0};
        for (int32_t k = 0; k < i && w->values == NULL; k++)
            if (c->watch[k].tensor == w->tensor)
                w->values = c->watch[k].values;
        if (w->values != NULL)
            continue;
        w->owner = 1;
        w->values = mdldm__calloc(env, (size_t)w->count, sizeof *w->values);
        if (w->values == NULL)
            return mdldm__oom(env, "activations");
        c->bindings[outputs++] = (mdldm_binding){
            .tensor = w->tensor, .dtype = MDLDM_F32, .layout = MDLDM_LAYOUT_NHWC, .data = w->values};
    }
    c->fixed = outputs;
    return MDLDM_OK;
}

/* A plan for maps of h x w whose activations can be read. */
static mdldm_status open_map(mdldm__calibrator *c, int64_t h, int64_t w)
{
    if (c->plan != NULL && c->h == h && c->w == w)
        return MDLDM_OK;
    close_map(c);
    mdldm__graph g;
    /* Without declare the table is only read. */
    mdldm__graph_init(&g, &c->ctx->env, (mdldm__params *)&c->model->unet->params, 0, MDLDM_F32);
    g.observe = 1;
    mdldm__graph_output(&g, mdldm__unet_describe(&g, c->model->unet, 1, h, w));
    mdldm_status status = g.status;
    if (status == MDLDM_OK)
        status = collect_names(c, &g);
    if (status == MDLDM_OK)
        status = watch_all(c, &g);
    if (status == MDLDM_OK) {
        mdldm_graph_desc desc = mdldm__graph_desc(&g);
        status = c->ctx->backend->plan_compile(c->ctx->device, c->store, &desc, 0, &c->plan);
    }
    mdldm__graph_free(&g);
    c->h = h;
    c->w = w;
    return status;
}

mdldm_status mdldm__calibrator_open(mdldm_context *ctx, const mdldm_model *m, int32_t groups,
                                    mdldm__calibrator **out)
{
    *out = NULL;
    mdldm__calibrator *c = mdldm__calloc(&ctx->env, 1, sizeof *c);
    if (c == NULL)
        return mdldm__oom(&ctx->env, "calibration");
    c->ctx = ctx;
    c->model = m;
    c->groups = groups;
    mdldm__runtime_enter(ctx);
    mdldm_status status = open_store(c);
    mdldm__runtime_leave(ctx);
    if (status != MDLDM_OK) {
        mdldm__calibrator_close(c);
        return status;
    }
    *out = c;
    return MDLDM_OK;
}

static void set(mdldm__calibrator *c, int32_t binding, const void *data)
{
    if (binding >= 0)
        c->bindings[binding].data = (void *)(uintptr_t)data; /* inputs are only read */
}

mdldm_status mdldm__calibrator_predict(mdldm__calibrator *c, const float *latent, int64_t h, int64_t w,
                                       double timestep, int64_t label, float *output)
{
    mdldm__env *env = &c->ctx->env;
    const mdldm__component *unet = c->model->unet;
    mdldm__unet_inputs in = {0};
    float *own = NULL;
    mdldm_status status = mdldm__unet_inputs_make(env, c->model, &timestep, &label, 1, &in);
    if (status == MDLDM_OK && output == NULL) {
        own = mdldm__calloc(env, (size_t)(unet->unet.out_channels * h * w), sizeof *own);
        if (own == NULL)
            status = mdldm__oom(env, "a prediction");
    }
    if (status == MDLDM_OK) {
        mdldm__runtime_enter(c->ctx);
        status = open_map(c, h, w);
        if (status == MDLDM_OK) {
            set(c, c->sample, latent);
            set(c, c->time_proj, in.time_proj);
            set(c, c->class_proj, in.class_proj);
            set(c, c->label, in.rows);
            set(c, c->timestep, in.inverse);
            set(c, c->output, output != NULL ? output : own);
            status = c->ctx->backend->plan_run(c->plan, c->bindings, c->fixed, MDLDM_RUN_CHECK_FINITE);
        }
        mdldm__runtime_leave(c->ctx);
    }
    mdldm__free(env, own);
    mdldm__unet_inputs_free(env, &in);
    if (status != MDLDM_OK)
        return status;
    int32_t group = mdldm__unet_q8_group(c->groups, timestep, mdldm__model_train_timesteps(c->model));
    for (int32_t i = 0; i < c->watch_count; i++)
        mdldm__histogram_add(&c->histograms[(int64_t)c->watch[i].range * c->groups + group], c->watch[i].values,
                             c->watch[i].count);
    return MDLDM_OK;
}

const mdldm__range_histogram *mdldm__calibrator_find(const mdldm__calibrator *c, const char *name)
{
    int32_t range = range_index(c, name);
    return range >= 0 ? &c->histograms[(int64_t)range * c->groups] : NULL;
}
