/* SPDX-License-Identifier: MIT
 * checkpoint-N/:
 *   state.json               step, seed, batch and accumulation, number of training images
 *   <part>/                  config.json and diffusion_pytorch_model.safetensors: the weights as they
 *                            train; loads in diffusers as it stands. <part>_ema/: their averages
 *   optimizer.safetensors    exp_avg.NAME, exp_avg_sq.NAME, and the stage's own arrays
 * Written aside, each file synced, then renamed. Data order and noise follow from seed and step. */
#include <stdio.h>
#include <string.h>

#include "io/json_util.h"
#include "train/trainer.h"

enum { CHECKPOINT_FORMAT = 1 };

static int64_t largest(const mdldm__params *params)
{
    int64_t most = 0;
    for (int32_t i = 0; i < params->count; i++) {
        const int64_t count = mdldm__param_elements(&params->items[i]);
        most = count > most ? count : most;
    }
    return most;
}

/* Values are written for every parameter; the rest only for those that learn. */
static int is_kept(const mdldm_trainer *t, int32_t index, int32_t slot)
{
    return slot == MDLDM_SLOT_VALUE || mdldm__trainer_learns(t, index);
}

typedef struct slot_name {
    int32_t slot;
    const char *prefix;
} slot_name;

/* One file with the slots given, in order. whole: a loadable model, all its parameters; otherwise the
 * optimiser's state with the stage's arrays. */
static mdldm_status write_tensors(mdldm_trainer *t, const char *path, const slot_name *slots, int32_t count,
                                  int whole)
{
    mdldm__env *env = &t->ctx->env;
    const mdldm__params *params = &t->component->params;
    float *values = mdldm__alloc(&t->env, (size_t)largest(params) * sizeof *values);
    if (values == NULL)
        return mdldm__oom(env, "checkpoint");
    mdldm__st_writer *w = NULL;
    mdldm_status status = mdldm__st_writer_open(env, path, &w);
    if (status == MDLDM_OK)
        status = mdldm__st_writer_metadata(w, "format", "pt");
    for (int32_t k = 0; status == MDLDM_OK && k < count; k++)
        for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++) {
            char name[600];
            if (!whole && !is_kept(t, i, slots[k].slot))
                continue;
            snprintf(name, sizeof name, "%s%s", slots[k].prefix, params->items[i].name);
            status = mdldm__st_writer_declare(w, name, MDLDM_F32, params->items[i].rank, params->items[i].dims);
        }
    if (status == MDLDM_OK && !whole && t->stage->save_declare != NULL)
        status = t->stage->save_declare(t, w);
    for (int32_t k = 0; status == MDLDM_OK && k < count; k++)
        for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++) {
            if (!whole && !is_kept(t, i, slots[k].slot))
                continue;
            status = t->ctx->backend->store_read(t->store, i, slots[k].slot, values);
            if (status == MDLDM_OK)
                status = mdldm__st_writer_data(
                    w, values, (size_t)mdldm__param_elements(&params->items[i]) * sizeof *values);
        }
    if (status == MDLDM_OK && !whole && t->stage->save_data != NULL)
        status = t->stage->save_data(t, w);
    if (status == MDLDM_OK)
        status = mdldm__st_writer_commit(w);
    else
        mdldm__st_writer_abort(w);
    mdldm__free(&t->env, values);
    return status;
}

static const char *part_name(const mdldm_trainer *t)
{
    return t->component == t->model->unet ? "unet" : t->model->autoencoder_folder;
}

static mdldm_status write_part(mdldm_trainer *t, const char *folder, const char *suffix, int32_t slot)
{
    mdldm__env *env = &t->ctx->env;
    char name[64];
    snprintf(name, sizeof name, "%s%s", part_name(t), suffix);
    char *part = mdldm__path_join(&t->env, folder, name);
    char *config = part != NULL ? mdldm__path_join(&t->env, part, "config.json") : NULL;
    char *weights =
        part != NULL ? mdldm__path_join(&t->env, part, "diffusion_pytorch_model.safetensors") : NULL;
    mdldm_status status =
        config != NULL && weights != NULL ? mdldm__mkdir_p(env, part) : mdldm__oom(env, "checkpoint");
    if (status == MDLDM_OK)
        status = mdldm__json_write(env, config, t->component->config);
    const slot_name slots[1] = {{slot, ""}};
    if (status == MDLDM_OK)
        status = write_tensors(t, weights, slots, 1, 1);
    mdldm__free(&t->env, part);
    mdldm__free(&t->env, config);
    mdldm__free(&t->env, weights);
    return status;
}

static mdldm_status write_state(mdldm_trainer *t, const char *folder)
{
    mdldm__env *env = &t->ctx->env;
    const mdldm__train_options *o = &t->options;
    json_t *state = json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "format", CHECKPOINT_FORMAT,
                              "library", mdldm_version(), "stage", t->stage->name, "global_step",
                              (json_int_t)t->global_step, "seed", (json_int_t)o->seed, "train_batch_size",
                              (json_int_t)o->batch, "gradient_accumulation_steps", (json_int_t)o->accumulation,
                              "train_images", (json_int_t)t->train_count, "use_ema", o->use_ema);
    char *path = mdldm__path_join(&t->env, folder, "state.json");
    mdldm_status status =
        state != NULL && path != NULL ? mdldm__json_write(env, path, state) : mdldm__oom(env, "checkpoint");
    json_decref(state);
    mdldm__free(&t->env, path);
    return status;
}

mdldm_status mdldm__checkpoint_save(mdldm_trainer *t)
{
    mdldm__env *env = &t->ctx->env;
    MDLDM__TRY(mdldm__mkdir_p(env, t->options.output_dir));
    char *path = mdldm__strprintf(&t->env, "%s/checkpoint-%lld", t->options.output_dir,
                                  (long long)t->global_step);
    if (path == NULL)
        return mdldm__oom(env, "checkpoint");
    mdldm__dir_out out;
    mdldm_status status = mdldm__dir_out_open(env, path, &out);
    mdldm__free(&t->env, path);
    if (status != MDLDM_OK)
        return status;
    const slot_name moments[2] = {{MDLDM_SLOT_EXP_AVG, "exp_avg."}, {MDLDM_SLOT_EXP_AVG_SQ, "exp_avg_sq."}};
    char *optimizer = mdldm__path_join(&t->env, out.temporary, "optimizer.safetensors");
    status = optimizer != NULL ? write_part(t, out.temporary, "", MDLDM_SLOT_VALUE)
                               : mdldm__oom(env, "checkpoint");
    if (status == MDLDM_OK && t->options.use_ema)
        status = write_part(t, out.temporary, "_ema", MDLDM_SLOT_EMA);
    if (status == MDLDM_OK)
        status = write_tensors(t, optimizer, moments, 2, 0);
    if (status == MDLDM_OK)
        status = write_state(t, out.temporary);
    mdldm__free(&t->env, optimizer);
    if (status != MDLDM_OK) {
        mdldm__dir_out_abort(&out);
        return status;
    }
    MDLDM__TRY(mdldm__dir_out_commit(&out));
    return mdldm__checkpoint_prune(env, t->options.output_dir, t->options.checkpoints_limit);
}

/* Every parameter's tensor of PREFIX, of the right type and size, into its slot; without store only
 * checked, so that a bad file is found out before anything is overwritten. */
static mdldm_status read_slot(mdldm_trainer *t, const mdldm__safetensors *st, const char *prefix, int32_t slot,
                              int store)
{
    const mdldm__params *params = &t->component->params;
    float *values = mdldm__alloc(&t->env, (size_t)largest(params) * sizeof *values);
    mdldm_status status = values != NULL ? MDLDM_OK : mdldm__oom(&t->ctx->env, "checkpoint");
    for (int32_t i = 0; status == MDLDM_OK && i < params->count; i++) {
        const mdldm__param *p = &params->items[i];
        if (!is_kept(t, i, slot))
            continue;
        const size_t bytes = (size_t)mdldm__param_elements(p) * sizeof(float);
        char name[600];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const mdldm__st_tensor *x = mdldm__safetensors_find(st, name);
        if (x == NULL || x->dtype != MDLDM_F32 || x->bytes != bytes ||
            memcmp(x->dims, p->dims, (size_t)p->rank * sizeof *p->dims) != 0) {
            status = mdldm__error(&t->ctx->env, MDLDM_ERROR_FORMAT,
                                  "the checkpoint's %s is missing or of another shape: it was made with another "
                                  "model",
                                  name);
            break;
        }
        if (!store)
            continue;
        memcpy(values, x->data, bytes);
        status = t->ctx->backend->store_write(t->store, i, slot, values);
    }
    mdldm__free(&t->env, values);
    return status;
}

static mdldm_status open_part(mdldm_trainer *t, const char *folder, const char *suffix, mdldm__safetensors *st)
{
    char *path = mdldm__strprintf(&t->env, "%s/%s%s/diffusion_pytorch_model.safetensors", folder, part_name(t),
                                  suffix);
    if (path == NULL)
        return mdldm__oom(&t->ctx->env, "checkpoint");
    mdldm_status status = mdldm__safetensors_open(&t->ctx->env, path, st);
    mdldm__free(&t->env, path);
    return status;
}

static mdldm_status open_optimizer(mdldm_trainer *t, const char *folder, mdldm__safetensors *st)
{
    char *path = mdldm__path_join(&t->env, folder, "optimizer.safetensors");
    if (path == NULL)
        return mdldm__oom(&t->ctx->env, "checkpoint");
    mdldm_status status = mdldm__safetensors_open(&t->ctx->env, path, st);
    mdldm__free(&t->env, path);
    return status;
}

static mdldm_status read_state(mdldm_trainer *t, const char *folder, int64_t *step)
{
    mdldm__env *env = &t->ctx->env;
    char *path = mdldm__path_join(&t->env, folder, "state.json");
    if (path == NULL)
        return mdldm__oom(env, "checkpoint");
    json_t *state = NULL;
    mdldm_status status = mdldm__json_read(env, path, &state);
    mdldm__free(&t->env, path);
    if (status != MDLDM_OK)
        return status;
    const json_int_t format = json_integer_value(json_object_get(state, "format"));
    const char *stage = json_string_value(json_object_get(state, "stage"));
    const json_t *global_step = json_object_get(state, "global_step");
    const int had_ema = json_is_true(json_object_get(state, "use_ema"));
    if (format != CHECKPOINT_FORMAT || stage == NULL || !json_is_integer(global_step) ||
        json_integer_value(global_step) < 0)
        status = mdldm__error(env, MDLDM_ERROR_FORMAT,
                              "%s/state.json is not a checkpoint of this library: format %d with stage and "
                              "global_step is expected",
                              folder, CHECKPOINT_FORMAT);
    else if (strcmp(stage, t->stage->name) != 0)
        status = mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                              "%s is a checkpoint of stage %s, this run trains stage %s", folder, stage,
                              t->stage->name);
    else if (had_ema != (t->options.use_ema != 0))
        status = mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                              "%s was written with use_ema %d, this run has use_ema %d: they must agree", folder,
                              had_ema, (int)t->options.use_ema);
    const struct {
        const char *key;
        int64_t now;
    } same[] = {{"seed", t->options.seed},
                {"train_batch_size", t->options.batch},
                {"gradient_accumulation_steps", t->options.accumulation},
                {"train_images", t->train_count}};
    for (size_t i = 0; status == MDLDM_OK && i < sizeof same / sizeof same[0]; i++) {
        const json_int_t then = json_integer_value(json_object_get(state, same[i].key));
        if (then != same[i].now)
            mdldm__log(env, 1, "%s was %lld when the checkpoint was written and is %lld now: the run goes on, "
                               "but not as the uninterrupted one would have",
                       same[i].key, (long long)then, (long long)same[i].now);
    }
    if (status == MDLDM_OK)
        *step = json_integer_value(global_step);
    json_decref(state);
    return status;
}

mdldm_status mdldm__checkpoint_load(mdldm_trainer *t, const char *folder)
{
    int64_t step = 0;
    MDLDM__TRY(read_state(t, folder, &step));
    mdldm__safetensors weights, ema, optimizer;
    MDLDM__TRY(open_part(t, folder, "", &weights));
    mdldm_status status = open_optimizer(t, folder, &optimizer);
    if (status != MDLDM_OK) {
        mdldm__safetensors_close(&weights);
        return status;
    }
    if (t->options.use_ema && (status = open_part(t, folder, "_ema", &ema)) != MDLDM_OK) {
        mdldm__safetensors_close(&weights);
        mdldm__safetensors_close(&optimizer);
        return status;
    }
    const struct {
        const mdldm__safetensors *st;
        const char *prefix;
        int32_t slot;
    } parts[4] = {{&weights, "", MDLDM_SLOT_VALUE},
                  {&optimizer, "exp_avg.", MDLDM_SLOT_EXP_AVG},
                  {&optimizer, "exp_avg_sq.", MDLDM_SLOT_EXP_AVG_SQ},
                  {&ema, "", MDLDM_SLOT_EMA}};
    const int count = t->options.use_ema ? 4 : 3;
    for (int i = 0; status == MDLDM_OK && i < count; i++)
        status = read_slot(t, parts[i].st, parts[i].prefix, parts[i].slot, 0);
    for (int i = 0; status == MDLDM_OK && i < count; i++)
        status = read_slot(t, parts[i].st, parts[i].prefix, parts[i].slot, 1);
    if (status == MDLDM_OK) {
        t->global_step = step;
        t->restart_data = 1;
    }
    if (status == MDLDM_OK && t->stage->load != NULL)
        status = t->stage->load(t, &optimizer);
    mdldm__safetensors_close(&weights);
    mdldm__safetensors_close(&optimizer);
    if (t->options.use_ema)
        mdldm__safetensors_close(&ema);
    return status;
}
