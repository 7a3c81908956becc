/* SPDX-License-Identifier: MIT
 * The trainer: what both stages share, and the interface of a stage. Data flow of one optimiser step:
 *   stage->micro (next batch -> bindings -> plan: forward + backward, gradients add up in the store)
 *   x accumulation -> store_adamw (clip, AdamW, EMA) -> stage->after_step (codebook) -> metrics.
 * Everything random is drawn from (seed, running sample number), so step k is the same whether the
 * run was interrupted before it or not. */
#ifndef MDLDM_TRAIN_TRAINER_H
#define MDLDM_TRAIN_TRAINER_H

#include "api/context.h"
#include "data/loader.h"
#include "models/model.h"
#include "train/train_options.h"

#define MDLDM__MAX_METRICS 48

typedef struct mdldm__metric {
    char name[40];
    double value;
} mdldm__metric;

typedef struct mdldm__stage_ops {
    const char *name;      /* "autoencoder", "diffusion": in checkpoints */
    /* Builds graphs and plans; the store is bound. */
    mdldm_status (*prepare)(mdldm_trainer *t);
    /* Before the first step of a fresh run (k-means); may be NULL. */
    mdldm_status (*start)(mdldm_trainer *t);
    /* Forward and backward of micro batch `micro` of the present step; adds to metrics. */
    mdldm_status (*micro)(mdldm_trainer *t, int64_t micro);
    mdldm_status (*after_step)(mdldm_trainer *t); /* may be NULL */
    mdldm_status (*validate)(mdldm_trainer *t);
    mdldm_status (*update_model)(mdldm_trainer *t); /* after the weights were copied */
    /* The stage's own arrays in a checkpoint: declared, written, read back. May be NULL. */
    mdldm_status (*save_declare)(mdldm_trainer *t, mdldm__st_writer *w);
    mdldm_status (*save_data)(mdldm_trainer *t, mdldm__st_writer *w);
    mdldm_status (*load)(mdldm_trainer *t, const mdldm__safetensors *st);
    void (*release)(mdldm_trainer *t);
} mdldm__stage_ops;

struct mdldm_trainer {
    mdldm_context *ctx; /* retained */
    mdldm__env env;     /* of the trainer's own memory */
    const mdldm__stage_ops *stage;
    void *stage_state;
    mdldm_model *model; /* retained */
    mdldm_dataset *dataset;
    mdldm__component *component; /* the one that learns */
    mdldm__train_options options;
    mdldm_store *store;
    const mdldm_param_desc *state; /* [state_count] of the stage: kept in the store behind the parameters, zero at first */
    int32_t state_count;
    int32_t fixed_param; /* kept out of the optimiser (codebook moved by averages), or -1 */
    mdldm_plan *train_plan, *validation_plan;
    mdldm_plan *step_plan; /* of the stage, behind the optimiser's step; may be NULL */
    int64_t *train_items, *validation_items;
    int64_t train_count, validation_count;
    int64_t global_step, total_steps, steps_per_epoch;
    mdldm__loader *loader; /* of the training images, from the batches of global_step on */
    int32_t loader_workers; /* set by prepare */
    int32_t restart_data;   /* the loader stands elsewhere, since a step failed half way or a run was resumed */
    mdldm__metric metrics[MDLDM__MAX_METRICS];
    int32_t metric_count;
    mdldm__metric sums[MDLDM__MAX_METRICS]; /* of the step under way */
    int32_t sum_count;
};

extern const mdldm__stage_ops mdldm__stage_vq;
extern const mdldm__stage_ops mdldm__stage_diffusion;

/* Sets metric name of the last step. */
void mdldm__trainer_metric_set(mdldm_trainer *t, const char *name, double value);
/* Adds to the mean over the micro batches of the step under way. */
void mdldm__trainer_metric_add(mdldm_trainer *t, const char *name, double value);

/* trainer_store.c: a training store with the component's values. */
mdldm_status mdldm__trainer_open_store(mdldm_trainer *t);
/* Does parameter index learn by gradients, so that it has moments and an average of its own? */
int mdldm__trainer_learns(const mdldm_trainer *t, int32_t index);
mdldm_status mdldm__trainer_compile(mdldm_trainer *t, mdldm__graph *g, int32_t flags, mdldm_plan **plan);
mdldm_status mdldm__trainer_run(mdldm_trainer *t, mdldm_plan *plan, const mdldm_binding *bindings,
                                int32_t count, int32_t flags);
/* Copies the store's EMA (or values) into the component. */
mdldm_status mdldm__trainer_copy_weights(mdldm_trainer *t);
/* NUMERIC with the first layer whose output is not finite, found by running the plan again. */
mdldm_status mdldm__trainer_name_layer(mdldm_trainer *t, mdldm_plan *plan, const mdldm_binding *bindings,
                                       int32_t count, const char *what);

/* checkpoint.c, checkpoint_dirs.c */
mdldm_status mdldm__checkpoint_save(mdldm_trainer *t);
mdldm_status mdldm__checkpoint_load(mdldm_trainer *t, const char *folder);
/* Newest checkpoint-N of folder; *path NULL when there is none. */
mdldm_status mdldm__checkpoint_latest(mdldm__env *env, const char *folder, char **path);
/* Removes the oldest beyond limit; limit 0: none. */
mdldm_status mdldm__checkpoint_prune(mdldm__env *env, const char *folder, int64_t limit);
mdldm_status mdldm__checkpoint_remove_all(mdldm__env *env, const char *folder);

#endif
