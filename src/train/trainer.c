/* SPDX-License-Identifier: MIT
 * The public trainer: life, steps, metrics. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/runtime.h"
#include "train/ema_decay.h"
#include "train/lr_schedule.h"

static void set_metric(mdldm__metric *list, int32_t *count, const char *name, double value, int add)
{
    int32_t i = 0;
    while (i < *count && strcmp(list[i].name, name) != 0)
        i++;
    if (i == MDLDM__MAX_METRICS)
        return;
    if (i == *count) {
        snprintf(list[i].name, sizeof list[i].name, "%s", name);
        list[i].value = 0.0;
        ++*count;
    }
    list[i].value = add ? list[i].value + value : value;
}

void mdldm__trainer_metric_set(mdldm_trainer *t, const char *name, double value)
{
    set_metric(t->metrics, &t->metric_count, name, value, 0);
}

void mdldm__trainer_metric_add(mdldm_trainer *t, const char *name, double value)
{
    set_metric(t->sums, &t->sum_count, name, value / (double)t->options.accumulation, 1);
}

void mdldm_trainer_free(mdldm_trainer *t)
{
    if (t == NULL)
        return;
    mdldm_context *ctx = t->ctx;
    if (t->stage != NULL)
        t->stage->release(t);
    mdldm__loader_free(t->loader);
    if (t->store != NULL)
        mdldm__runtime_enter(ctx); /* another thread may be closing plans of this device */
    if (t->train_plan != NULL)
        ctx->backend->plan_close(t->train_plan);
    if (t->step_plan != NULL)
        ctx->backend->plan_close(t->step_plan);
    if (t->validation_plan != NULL)
        ctx->backend->plan_close(t->validation_plan);
    if (t->store != NULL)
        ctx->backend->store_close(t->store);
    if (t->store != NULL)
        mdldm__runtime_leave(ctx);
    mdldm__env env = t->env;
    mdldm__free(&env, t->train_items);
    mdldm__free(&env, t->validation_items);
    mdldm__train_options_free(&env, &t->options);
    mdldm_dataset_free(t->dataset);
    mdldm_model_free(t->model);
    mdldm__free(&env, t);
    ctx->pins--;
    mdldm__context_release(ctx);
}

static mdldm_status open_loader(mdldm_trainer *t)
{
    mdldm__loader_free(t->loader);
    t->loader = NULL;
    MDLDM__TRY(mdldm__loader_create(&t->ctx->env, t->dataset, t->train_items, t->train_count, t->options.batch,
                                    (uint64_t)t->options.seed, t->global_step * t->options.accumulation,
                                    t->loader_workers, &t->loader));
    t->restart_data = 0;
    return MDLDM_OK;
}

/* An output folder that holds a run already is not written into unless the caller says so. */
static mdldm_status check_output_dir(mdldm_trainer *t)
{
    const mdldm__train_options *o = &t->options;
    mdldm__env *env = &t->ctx->env;
    if (o->output_dir[0] == '\0' || o->overwrite || o->resume[0] != '\0')
        return MDLDM_OK;
    char *latest = NULL;
    MDLDM__TRY(mdldm__checkpoint_latest(env, o->output_dir, &latest));
    char *index = mdldm__path_join(&t->env, o->output_dir, "model_index.json");
    mdldm_status status = index != NULL ? MDLDM_OK : mdldm__oom(env, "output_dir");
    if (status == MDLDM_OK && (latest != NULL || mdldm__path_is_file(index)))
        status = mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                              "output_dir %s holds %s already: resume_from_checkpoint latest goes on with it, "
                              "overwrite_output_dir starts anew",
                              o->output_dir, latest != NULL ? "checkpoints" : "a model");
    mdldm__free(env, latest);
    mdldm__free(&t->env, index);
    return status;
}

static mdldm_status resume(mdldm_trainer *t)
{
    mdldm__env *env = &t->ctx->env;
    const char *from = t->options.resume;
    char *path = NULL;
    if (strcmp(from, "latest") == 0) {
        if (t->options.output_dir[0] == '\0')
            return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                                "resume_from_checkpoint is latest, but there is no output_dir to look into");
        MDLDM__TRY(mdldm__checkpoint_latest(env, t->options.output_dir, &path));
        if (path == NULL)
            return mdldm__error(env, MDLDM_ERROR_NOT_FOUND, "there is no checkpoint in %s to resume from",
                                t->options.output_dir);
    } else {
        if (!mdldm__path_is_dir(from))
            return mdldm__error(env, MDLDM_ERROR_NOT_FOUND,
                                "resume_from_checkpoint is %s: latest or a checkpoint's folder is expected", from);
        path = mdldm__strdup(env, from);
        if (path == NULL)
            return mdldm__oom(env, "checkpoint path");
    }
    mdldm_status status = mdldm__checkpoint_load(t, path);
    if (status == MDLDM_OK)
        mdldm__log(env, 2, "resumed from %s at step %lld", path, (long long)t->global_step);
    mdldm__free(env, path);
    return status;
}

static mdldm_status open_trainer(mdldm_trainer *t, mdldm_dataset *d, const mdldm_options *options)
{
    mdldm__env *env = &t->ctx->env;
    MDLDM__TRY(mdldm__train_options_read(env, options, &t->options));
    if (t->component == NULL)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the model has no %s to train",
                            t->stage == &mdldm__stage_vq ? "autoencoder" : "UNet");
    if (t->component->kind == MDLDM__UNET_2D && t->component->unet.q8_groups > 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the model's UNet is quantised and cannot be trained: train the model it was made from");
    MDLDM__TRY(check_output_dir(t));
    if (mdldm_dataset_count(d) == 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "the data set is empty");
    MDLDM__TRY(mdldm__dataset_split(env, d, t->options.validation_fraction, t->options.validation_gap,
                                    &t->train_items, &t->train_count, &t->validation_items,
                                    &t->validation_count));
    if (t->train_count == 0)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "no training images are left of %lld after validation_fraction %g and "
                            "validation_gap %lld: smaller ones are needed",
                            (long long)mdldm_dataset_count(d), t->options.validation_fraction,
                            (long long)t->options.validation_gap);
    const int64_t per_step = t->options.batch * t->options.accumulation;
    t->steps_per_epoch = (t->train_count + per_step - 1) / per_step;
    t->total_steps = t->options.max_steps > 0 ? t->options.max_steps : t->options.epochs * t->steps_per_epoch;
    MDLDM__TRY(t->stage->prepare(t));
    MDLDM__TRY(open_loader(t));
    if (t->options.resume[0] != '\0')
        return resume(t);
    /* The old run goes only now that the new one is known to work. */
    if (t->options.overwrite && t->options.output_dir[0] != '\0')
        MDLDM__TRY(mdldm__checkpoint_remove_all(env, t->options.output_dir));
    t->restart_data = t->stage->start != NULL; /* it may have looked at the first batches */
    return t->stage->start != NULL ? t->stage->start(t) : MDLDM_OK;
}

mdldm_status mdldm_trainer_create(mdldm_context *ctx, mdldm_stage stage, mdldm_model *m, mdldm_dataset *d,
                                  const mdldm_options *options, mdldm_trainer **out)
{
    if (out != NULL)
        *out = NULL;
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (out == NULL || m == NULL || d == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "mdldm_trainer_create: the %s is NULL",
                            out == NULL ? "place for the trainer" : m == NULL ? "model" : "data set");
    if (stage != MDLDM_STAGE_AUTOENCODER && stage != MDLDM_STAGE_DIFFUSION)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the stage is %d: MDLDM_STAGE_AUTOENCODER or MDLDM_STAGE_DIFFUSION is expected",
                            (int)stage);
    MDLDM__TRY(mdldm__context_device(ctx));
    mdldm_trainer *t = mdldm__calloc(&ctx->env, 1, sizeof *t);
    if (t == NULL)
        return mdldm__oom(&ctx->env, "trainer");
    t->ctx = ctx;
    t->fixed_param = -1;
    mdldm__context_retain(ctx);
    ctx->pins++;
    mdldm__env_init(&t->env, &ctx->env);
    t->stage = stage == MDLDM_STAGE_AUTOENCODER ? &mdldm__stage_vq : &mdldm__stage_diffusion;
    t->model = m;
    mdldm_model_retain(m);
    t->dataset = d;
    mdldm__dataset_retain(d);
    t->component = stage == MDLDM_STAGE_AUTOENCODER ? m->autoencoder : m->unet;
    mdldm_status status = open_trainer(t, d, options);
    if (status != MDLDM_OK) {
        mdldm_trainer_free(t);
        return status;
    }
    *out = t;
    return MDLDM_OK;
}

static mdldm_status enter(mdldm_context *ctx, const mdldm_trainer *t)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (t == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT, "the trainer is NULL");
    if (t->ctx != ctx)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the trainer belongs to another context: use the one it was created with");
    return MDLDM_OK;
}

static mdldm_status optimize(mdldm_trainer *t)
{
    const mdldm__train_options *o = &t->options;
    const double factor = mdldm__lr_multiplier(o->lr_schedule, t->global_step, o->warmup, t->total_steps,
                                               o->lr_cycles, o->lr_power, o->learning_rate);
    const double decay =
        o->use_ema ? mdldm__ema_decay(t->global_step + 1, o->ema_inv_gamma, o->ema_power, o->ema_max_decay) : -1.0;
    mdldm_adamw adamw = {.struct_size = sizeof adamw,
                         .lr = (float)(o->learning_rate * factor),
                         .beta1 = (float)o->beta1,
                         .beta2 = (float)o->beta2,
                         .eps = (float)o->epsilon,
                         .weight_decay = (float)o->weight_decay,
                         .grad_scale = 1.0f / (float)o->accumulation,
                         .max_grad_norm = (float)o->max_grad_norm,
                         .ema_decay = (float)decay,
                         .step = t->global_step + 1,
                         .bad_param = -1};
    mdldm_status status = t->ctx->backend->store_adamw(t->store, &adamw);
    if (adamw.bad_param >= 0)
        return mdldm__error(&t->ctx->env, MDLDM_ERROR_NUMERIC,
                            "the gradient of %s is not finite at step %lld; the weights are those before the "
                            "step; a lower learning_rate or a longer lr_warmup_steps helps",
                            t->component->params.items[adamw.bad_param].name, (long long)t->global_step + 1);
    if (status != MDLDM_OK)
        return status;
    mdldm__trainer_metric_set(t, "lr", o->learning_rate * factor);
    mdldm__trainer_metric_set(t, "grad_norm", adamw.grad_norm);
    if (o->use_ema)
        mdldm__trainer_metric_set(t, "ema_decay", decay);
    return MDLDM_OK;
}

mdldm_status mdldm_trainer_step(mdldm_context *ctx, mdldm_trainer *t)
{
    MDLDM__TRY(enter(ctx, t));
    mdldm_status status = mdldm__progress(&ctx->env, "train", t->global_step, t->total_steps);
    t->sum_count = 0;
    if (status == MDLDM_OK && t->restart_data)
        status = open_loader(t);
    for (int64_t i = 0; status == MDLDM_OK && i < t->options.accumulation; i++)
        status = t->stage->micro(t, i);
    if (status == MDLDM_OK)
        status = optimize(t);
    if (status != MDLDM_OK) {
        /* As if the step had never begun: no gradients left over, the same batches next time. */
        char sentence[sizeof ctx->env.error];
        memcpy(sentence, ctx->env.error, sizeof sentence);
        ctx->backend->store_zero_grad(t->store);
        memcpy(ctx->env.error, sentence, sizeof sentence);
        t->restart_data = 1;
        return status;
    }
    t->global_step++;
    for (int32_t i = 0; i < t->sum_count; i++)
        mdldm__trainer_metric_set(t, t->sums[i].name, t->sums[i].value);
    if (t->stage->after_step == NULL)
        return MDLDM_OK;
    ctx->committed = 1; /* the weights have moved: what belongs to the step is done too */
    status = t->stage->after_step(t);
    ctx->committed = 0;
    return status;
}

int64_t mdldm_trainer_global_step(const mdldm_trainer *t)
{
    return t != NULL ? t->global_step : 0;
}

int64_t mdldm_trainer_total_steps(const mdldm_trainer *t)
{
    return t != NULL ? t->total_steps : 0;
}

int64_t mdldm_trainer_epoch(const mdldm_trainer *t)
{
    return t != NULL ? t->global_step / t->steps_per_epoch : 0;
}

int64_t mdldm_trainer_steps_per_epoch(const mdldm_trainer *t)
{
    return t != NULL ? t->steps_per_epoch : 0;
}

int32_t mdldm_trainer_metric_count(const mdldm_trainer *t)
{
    return t != NULL ? t->metric_count : 0;
}

const char *mdldm_trainer_metric_name(const mdldm_trainer *t, int32_t index)
{
    return t != NULL && index >= 0 && index < t->metric_count ? t->metrics[index].name : NULL;
}

double mdldm_trainer_metric_value(const mdldm_trainer *t, int32_t index)
{
    return t != NULL && index >= 0 && index < t->metric_count ? t->metrics[index].value : (double)NAN;
}

double mdldm_trainer_metric(const mdldm_trainer *t, const char *name)
{
    for (int32_t i = 0; t != NULL && name != NULL && i < t->metric_count; i++)
        if (strcmp(t->metrics[i].name, name) == 0)
            return t->metrics[i].value;
    return (double)NAN;
}

mdldm_status mdldm_trainer_validate(mdldm_context *ctx, mdldm_trainer *t)
{
    MDLDM__TRY(enter(ctx, t));
    if (t->validation_count == 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "no images are held out: validation_fraction is %g", t->options.validation_fraction);
    return t->stage->validate(t);
}

mdldm_status mdldm_trainer_checkpoint(mdldm_context *ctx, mdldm_trainer *t)
{
    MDLDM__TRY(enter(ctx, t));
    if (t->options.output_dir[0] == '\0')
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "there is no output_dir to write a checkpoint into");
    return mdldm__checkpoint_save(t);
}

mdldm_status mdldm_trainer_update_model(mdldm_context *ctx, mdldm_trainer *t)
{
    MDLDM__TRY(enter(ctx, t));
    MDLDM__TRY(mdldm__trainer_copy_weights(t));
    mdldm__runtime_drop_component(t->component);
    return t->stage->update_model != NULL ? t->stage->update_model(t) : MDLDM_OK;
}
