/* SPDX-License-Identifier: MIT
 * Stage 2: the UNet learns to predict noise, sample or velocity from noisy latents (Ho, Jain and
 * Abbeel 2020, eq. 14; noise_process.c has the others), class-conditional with label dropout (Ho and
 * Salimans 2022). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/runtime.h"
#include "train/latent_source.h"
#include "train/noise_process.h"
#include "train/trainer.h"
#include "util/rng.h"

typedef struct unet_ids {
    mdldm__tensor sample, target, weight, time_proj, label, class_proj, timestep, seed, loss;
} unet_ids;

typedef struct diffusion_state {
    mdldm__latent_source source;
    mdldm__noise_process process;
    int64_t null_class;   /* -1: none */
    int64_t *class_map;   /* data label -> model label; NULL: unconditional */
    int32_t time_width;
    unet_ids train, validation;
    float *clean, *noise, *noisy, *target, *weight, *time_proj, *class_proj, *inverse_t;
    int32_t *label;
    int64_t *labels, *timesteps; /* [most] */
    double *times;               /* [most] */
} diffusion_state;

static void describe(mdldm_trainer *t, diffusion_state *s, mdldm__graph *g, unet_ids *ids, int64_t n,
                     int training)
{
    const int64_t side = s->source.side;
    g->training = training;
    mdldm__tensor out = mdldm__graph_cast(g, mdldm__unet_describe(g, t->component, n, side, side), MDLDM_F32);
    ids->target = mdldm__graph_input(g, "target", MDLDM_F32, n, side, side, t->component->unet.out_channels);
    ids->weight = s->process.weighted ? mdldm__graph_input(g, "weight", MDLDM_F32, n, 1, 1, 1) : MDLDM__NONE;
    ids->loss = mdldm__graph_loss(g, out, ids->target, ids->weight, MDLDM_LOSS_L2, training ? 1.0f : 0.0f);
    mdldm__graph_output(g, ids->loss);
    if (training) {
        mdldm__graph_backward(g, NULL, 0, NULL);
        mdldm__graph_recompute(g, t->options.gradient_checkpointing ? MDLDM__KEEP_SEGMENT_INPUTS
                                                                    : MDLDM__KEEP_COSTLY);
    }
    ids->sample = mdldm__graph_find(g, "sample");
    ids->time_proj = mdldm__graph_find(g, "time_proj");
    ids->label = mdldm__graph_find(g, "label");
    ids->class_proj = mdldm__graph_find(g, "class_proj");
    ids->timestep = mdldm__graph_find(g, "timestep");
    ids->seed = g->dropout_seed;
}

static mdldm_status compile(mdldm_trainer *t, diffusion_state *s, unet_ids *ids, int64_t n, int training,
                            mdldm_plan **plan)
{
    mdldm__graph g;
    mdldm__graph_init(&g, &t->ctx->env, &t->component->params, 0, t->options.bf16 ? MDLDM_BF16 : MDLDM_F32);
    describe(t, s, &g, ids, n, training);
    mdldm_status status =
        mdldm__trainer_compile(t, &g, !training && t->options.use_ema ? MDLDM_PLAN_EMA : 0, plan);
    mdldm__graph_free(&g);
    return status;
}

/* The model's label of each class of the data: by name where the model has names. */
static mdldm_status map_classes(mdldm_trainer *t, diffusion_state *s)
{
    mdldm__env *env = &t->ctx->env;
    const int64_t model_classes = mdldm__model_class_count(t->model);
    const int64_t data_classes = mdldm_dataset_class_count(t->dataset);
    s->null_class = mdldm__model_null_class(t->model);
    if (model_classes == 0)
        return MDLDM_OK;
    if (data_classes == 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the model has %lld classes, but the training images have none: one sub-folder per "
                            "person is expected, or a model made with unconditional",
                            (long long)model_classes);
    if (data_classes > model_classes)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the training images have %lld classes, the model has room for %lld",
                            (long long)data_classes, (long long)model_classes);
    s->class_map = mdldm__alloc(&t->env, (size_t)data_classes * sizeof *s->class_map);
    if (s->class_map == NULL)
        return mdldm__oom(env, "classes");
    for (int64_t i = 0; i < data_classes; i++) {
        const char *name = mdldm_dataset_class_name(t->dataset, i);
        s->class_map[i] = mdldm_model_class_name(t->model, 0) == NULL ? i : -1;
        for (int64_t k = 0; s->class_map[i] < 0 && k < model_classes; k++) {
            const char *known = mdldm_model_class_name(t->model, k);
            if (known != NULL && strcmp(known, name) == 0)
                s->class_map[i] = k;
        }
        if (s->class_map[i] < 0)
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "class %s of the training images is not one of the model's", name);
    }
    return MDLDM_OK;
}

static mdldm_status make_buffers(mdldm_trainer *t, diffusion_state *s, int64_t most)
{
    const size_t latents = (size_t)(most * s->source.size), rows = (size_t)most;
    const size_t width = rows * (size_t)s->time_width;
    float **const arrays[] = {&s->clean, &s->noise, &s->noisy, &s->target};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if ((*arrays[i] = mdldm__alloc(&t->env, latents * sizeof(float))) == NULL)
            return mdldm__oom(&t->ctx->env, "stage 2 buffers");
    s->weight = mdldm__alloc(&t->env, rows * sizeof *s->weight);
    s->inverse_t = mdldm__alloc(&t->env, rows * sizeof *s->inverse_t);
    s->time_proj = mdldm__alloc(&t->env, width * sizeof *s->time_proj);
    s->class_proj = mdldm__alloc(&t->env, width * sizeof *s->class_proj);
    s->label = mdldm__alloc(&t->env, rows * sizeof *s->label);
    s->labels = mdldm__alloc(&t->env, rows * sizeof *s->labels);
    s->timesteps = mdldm__alloc(&t->env, rows * sizeof *s->timesteps);
    s->times = mdldm__alloc(&t->env, rows * sizeof *s->times);
    if (s->weight == NULL || s->inverse_t == NULL || s->time_proj == NULL || s->class_proj == NULL ||
        s->label == NULL || s->labels == NULL || s->timesteps == NULL || s->times == NULL)
        return mdldm__oom(&t->ctx->env, "stage 2 buffers");
    return MDLDM_OK;
}

static mdldm_status prepare(mdldm_trainer *t)
{
    mdldm__env *env = &t->ctx->env;
    const mdldm__train_options *o = &t->options;
    diffusion_state *s = mdldm__calloc(&t->env, 1, sizeof *s);
    if (s == NULL)
        return mdldm__oom(env, "stage 2");
    t->stage_state = s;
    if (t->model->autoencoder == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the model has no autoencoder: make it with vae_path, the result of stage 1");
    MDLDM__TRY(mdldm__noise_process_open(t, &s->process));
    MDLDM__TRY(map_classes(t, s));
    const int64_t most = o->batch > o->eval_batch ? o->batch : o->eval_batch;
    MDLDM__TRY(mdldm__latent_source_open(t->ctx, &t->env, t->model, t->dataset, most, &s->source));
    if (t->component->unet.in_channels != s->source.channels ||
        t->component->unet.out_channels != s->source.channels)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the UNet has %d input and %d output channels, the autoencoder %lld latent channels: "
                            "they must agree",
                            (int)t->component->unet.in_channels, (int)t->component->unet.out_channels,
                            (long long)s->source.channels);
    s->time_width = mdldm__unet_time_width(t->component);
    MDLDM__TRY(make_buffers(t, s, most));
    const int cached = strcmp(o->latent_cache, "on") == 0 ||
                       (strcmp(o->latent_cache, "auto") == 0 && !mdldm__dataset_augments(t->dataset));
    if (cached) {
        MDLDM__TRY(mdldm__latent_source_fill(&s->source, t->train_items, t->train_count));
        MDLDM__TRY(mdldm__latent_source_fill(&s->source, t->validation_items, t->validation_count));
        mdldm__runtime_drop_component(t->model->autoencoder); /* its packed weights are not needed now */
        mdldm__component_forget(t->model->autoencoder, 0, t->model->autoencoder->params.count);
    }
    MDLDM__TRY(mdldm__trainer_open_store(t));
    MDLDM__TRY(compile(t, s, &s->train, o->batch, 1, &t->train_plan));
    if (t->validation_count > 0)
        MDLDM__TRY(compile(t, s, &s->validation, o->eval_batch, 0, &t->validation_plan));
    t->loader_workers = s->source.cache != NULL ? 0 : (int32_t)t->options.workers;
    return MDLDM_OK;
}

static void release(mdldm_trainer *t)
{
    diffusion_state *s = t->stage_state;
    if (s == NULL)
        return;
    mdldm__latent_source_close(&s->source);
    mdldm__scheduler_free(s->process.scheduler);
    void *const memory[] = {s->class_map, s->clean,      s->noise,     s->noisy, s->target, s->weight,
                            s->time_proj, s->class_proj, s->inverse_t, s->label, s->labels, s->timesteps,
                            s->times};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        mdldm__free(&t->env, memory[i]);
    mdldm__free(&t->env, s);
    t->stage_state = NULL;
}

/* From s->clean, s->noise, s->timesteps and s->labels to the loss of ids' plan. */
static mdldm_status run(mdldm_trainer *t, diffusion_state *s, const unet_ids *ids, mdldm_plan *plan,
                        int64_t n, uint64_t dropout_item, float *loss)
{
    mdldm__env *env = &t->ctx->env;
    const size_t count = (size_t)(n * s->source.size);
    MDLDM__TRY(mdldm__noise_process_apply(&s->process, s->clean, s->noise, s->timesteps, n, count, s->noisy, s->target));
    mdldm_binding b[10];
    int32_t bindings = 0, seed[2];
    uint32_t words[2];
    mdldm__rng_words((uint64_t)t->options.seed, MDLDM__RNG_DROPOUT, dropout_item, 0, words, 2);
    memcpy(seed, words, sizeof seed);
#define BIND(id, type, order, array)                                                                  \
    if ((id) >= 0)                                                                                    \
    b[bindings++] = (mdldm_binding){.tensor = (id), .dtype = (type), .layout = (order), .data = (array)}
    for (int64_t i = 0; i < n; i++) {
        s->times[i] = mdldm__scheduler_train_time(s->process.scheduler, s->timesteps[i]);
        s->inverse_t[i] = (float)(1.0 / s->times[i]);
        s->label[i] = s->class_map != NULL ? (int32_t)s->labels[i] : 0;
        s->weight[i] = mdldm__noise_process_weight(&s->process, s->timesteps[i]);
    }
    MDLDM__TRY(mdldm__unet_time_proj(env, t->component, s->times, n, s->time_proj));
    if (ids->class_proj >= 0) {
        for (int64_t i = 0; i < n; i++)
            s->times[i] = (double)s->label[i];
        MDLDM__TRY(mdldm__unet_time_proj(env, t->component, s->times, n, s->class_proj));
    }
    BIND(ids->sample, MDLDM_F32, MDLDM_LAYOUT_NCHW, s->noisy);
    BIND(ids->target, MDLDM_F32, MDLDM_LAYOUT_NCHW, s->target);
    BIND(ids->weight, MDLDM_F32, MDLDM_LAYOUT_NHWC, s->weight);
    BIND(ids->time_proj, MDLDM_F32, MDLDM_LAYOUT_NHWC, s->time_proj);
    BIND(ids->label, MDLDM_I32, MDLDM_LAYOUT_NHWC, s->label);
    BIND(ids->class_proj, MDLDM_F32, MDLDM_LAYOUT_NHWC, s->class_proj);
    BIND(ids->timestep, MDLDM_F32, MDLDM_LAYOUT_NHWC, s->inverse_t);
    BIND(ids->seed, MDLDM_I32, MDLDM_LAYOUT_NHWC, seed);
    BIND(ids->loss, MDLDM_F32, MDLDM_LAYOUT_NHWC, loss);
#undef BIND
    MDLDM__TRY(mdldm__trainer_run(t, plan, b, bindings, 0));
    if (!isfinite(*loss))
        return mdldm__trainer_name_layer(t, plan, b, bindings, "the loss");
    return MDLDM_OK;
}

static mdldm_status micro(mdldm_trainer *t, int64_t index)
{
    diffusion_state *s = t->stage_state;
    const mdldm__train_options *o = &t->options;
    const uint64_t seed = (uint64_t)o->seed, item = (uint64_t)(t->global_step * o->accumulation + index);
    MDLDM__TRY(mdldm__latent_source_next(&s->source, t->loader, o->batch, s->clean, s->labels));
    for (int64_t i = 0; i < o->batch; i++) {
        const uint64_t sample = item * (uint64_t)o->batch + (uint64_t)i; /* running number of the sample */
        mdldm__rng_normal(seed, MDLDM__RNG_TRAIN_NOISE, sample, 0, s->noise + i * s->source.size,
                          (size_t)s->source.size);
        s->timesteps[i] = mdldm__noise_process_draw(&s->process, seed, sample);
        if (s->class_map == NULL)
            continue;
        s->labels[i] = s->class_map[s->labels[i]];
        double drop;
        mdldm__rng_uniform(seed, MDLDM__RNG_LABEL_DROP, sample, 0, &drop, 1);
        if (s->null_class >= 0 && drop < o->label_dropout)
            s->labels[i] = s->null_class;
    }
    float loss = 0.0f;
    MDLDM__TRY(run(t, s, &s->train, t->train_plan, o->batch, item, &loss));
    mdldm__trainer_metric_add(t, "loss", (double)loss);
    return MDLDM_OK;
}

/* Mean loss of the held-out images at fixed timesteps, spread evenly, and fixed noise. */
static mdldm_status validate(mdldm_trainer *t)
{
    diffusion_state *s = t->stage_state;
    const int64_t batch = t->options.eval_batch, total = t->validation_count;
    const int64_t steps = mdldm__scheduler_num_train_timesteps(s->process.scheduler);
    double sum = 0.0;
    int64_t batches = 0;
    for (int64_t first = 0; first < total; first += batch, batches++) {
        MDLDM__TRY(mdldm__progress(&t->ctx->env, "validate", first, total));
        for (int64_t i = 0; i < batch; i++) { /* the last batch is filled from the start again */
            const int64_t position = (first + i) % total, item = t->validation_items[position];
            MDLDM__TRY(mdldm__latent_source_get(&s->source, &item, 1, s->clean + i * s->source.size));
            mdldm__rng_normal((uint64_t)t->options.seed, MDLDM__RNG_VALIDATION, (uint64_t)item, 0,
                              s->noise + i * s->source.size, (size_t)s->source.size);
            /* Consecutive items get timesteps far apart: 0.618 is the golden section. */
            const double place = fmod(((double)position + 0.5) * 0.6180339887498949, 1.0);
            s->timesteps[i] = (int64_t)(place * (double)steps);
            if (s->class_map != NULL)
                s->labels[i] = s->class_map[mdldm_dataset_item_label(t->dataset, item)];
        }
        float loss = 0.0f;
        MDLDM__TRY(run(t, s, &s->validation, t->validation_plan, batch, 0, &loss));
        sum += (double)loss;
    }
    mdldm__trainer_metric_set(t, "val_loss", sum / (double)batches);
    return MDLDM_OK;
}

const mdldm__stage_ops mdldm__stage_diffusion = {.name = "diffusion",
                                                 .prepare = prepare,
                                                 .micro = micro,
                                                 .validate = validate,
                                                 .release = release};
