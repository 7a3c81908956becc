/* SPDX-License-Identifier: MIT
 * Batches in an order that the seed alone decides. A cursor walks the endless sequence of shuffled
 * epochs; whoever takes the next batch (a worker, under the lock, or the caller itself) gets its items
 * from the cursor, so the batches are fixed before anybody decodes. Workers fill a ring of slots ahead
 * of the consumer, who takes them in the order of their numbers. */
#include "data/loader.h"

#include <assert.h>
#include <string.h>

#include "util/thread.h"
#include "util/rng.h"

typedef struct slot {
    int ready;
    mdldm_status status;
    char error[sizeof((mdldm__env *)0)->error];
    float *images;   /* [batch, resolution, resolution, channels] */
    int64_t *items;  /* [batch] */
    int64_t *epochs; /* [batch] */
} slot;

struct mdldm__loader {
    mdldm__env env; /* no callbacks: threads use copies of it */
    mdldm_dataset *dataset;
    int64_t batch, resolution;
    uint64_t seed;

    /* The cursor. */
    int64_t *pool; /* [count]: the items in the order they were given */
    int64_t *order; /* [count]: this epoch's */
    int64_t count, epoch, position;

    /* The ring; with workers all below is guarded by the lock, except a slot's content between its
     * being taken and its being ready. */
    slot *slots;
    int64_t slot_count;
    int64_t taken, consumed; /* batches handed to workers, batches handed to the caller */
    int stop;
    pthread_mutex_t lock;
    pthread_cond_t can_take, can_consume;
    pthread_t *threads;
    int32_t thread_count;
};

/* ---- the cursor ---- */

/* Fisher and Yates, always from the same start, so that epoch e needs no history. */
static void shuffle(mdldm__loader *l)
{
    memcpy(l->order, l->pool, (size_t)l->count * sizeof *l->order);
    for (int64_t i = l->count - 1; i > 0; i--) {
        const int64_t j = mdldm__rng_below(l->seed, MDLDM__RNG_SHUFFLE, (uint64_t)l->epoch, (uint32_t)i,
                                           (uint32_t)(i + 1));
        const int64_t swapped = l->order[i];
        l->order[i] = l->order[j];
        l->order[j] = swapped;
    }
}

static void next_items(mdldm__loader *l, int64_t *items, int64_t *epochs)
{
    for (int64_t i = 0; i < l->batch; i++) {
        if (l->position == l->count) {
            l->position = 0;
            l->epoch++;
            shuffle(l);
        }
        items[i] = l->order[l->position++];
        epochs[i] = l->epoch;
    }
}

/* ---- filling ---- */

static size_t values_of_item(const mdldm__loader *l)
{
    return (size_t)(l->resolution * l->resolution) * (size_t)mdldm_dataset_channels(l->dataset);
}

static mdldm_status fill(mdldm__env *env, const mdldm__loader *l, const int64_t *items, const int64_t *epochs,
                         float *images)
{
    const size_t pixels = values_of_item(l);
    for (int64_t i = 0; i < l->batch; i++)
        MDLDM__TRY(mdldm__dataset_item(env, l->dataset, items[i], epochs[i], images + (size_t)i * pixels));
    return MDLDM_OK;
}

static void *work(void *argument)
{
    mdldm__loader *l = argument;
    mdldm__env env;
    mdldm__env_init(&env, &l->env);
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && l->taken - l->consumed >= l->slot_count)
            pthread_cond_wait(&l->can_take, &l->lock);
        if (l->stop)
            break;
        slot *s = &l->slots[l->taken++ % l->slot_count];
        next_items(l, s->items, s->epochs);
        pthread_mutex_unlock(&l->lock);

        env.error[0] = '\0';
        s->status = fill(&env, l, s->items, s->epochs, s->images);
        memcpy(s->error, env.error, sizeof s->error);

        pthread_mutex_lock(&l->lock);
        s->ready = 1;
        pthread_cond_signal(&l->can_consume); /* one consumer */
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static mdldm_status start_workers(mdldm__env *env, mdldm__loader *l, int32_t workers)
{
    l->threads = mdldm__calloc(env, (size_t)workers, sizeof *l->threads);
    if (l->threads == NULL)
        return mdldm__oom(env, "loader threads");
    mdldm_status status = MDLDM_OK;
    for (int32_t i = 0; i < workers && status == MDLDM_OK; i++) {
        const int code = mdldm__thread_start(&l->threads[i], work, l);
        if (code != 0)
            status = mdldm__error(env, MDLDM_ERROR_UNAVAILABLE,
                                  "could not start loader thread %d of %d: %s; try a smaller "
                                  "dataloader_num_workers",
                                  (int)i + 1, (int)workers, strerror(code));
        else
            l->thread_count++;
    }
    return status;
}

/* ---- life ---- */

static mdldm_status make_slots(mdldm__env *env, mdldm__loader *l, int32_t workers)
{
    /* One batch being filled by each worker and as many ready; the caller's thread needs a single one. */
    l->slot_count = workers > 0 ? 2 * (int64_t)workers : 1;
    l->slots = mdldm__calloc(env, (size_t)l->slot_count, sizeof *l->slots);
    if (l->slots == NULL)
        return mdldm__oom(env, "loader queue");
    const size_t pixels = values_of_item(l);
    for (int64_t i = 0; i < l->slot_count; i++) {
        slot *s = &l->slots[i];
        s->images = mdldm__calloc(env, (size_t)l->batch, pixels * sizeof *s->images);
        s->items = mdldm__calloc(env, (size_t)l->batch, sizeof *s->items);
        s->epochs = mdldm__calloc(env, (size_t)l->batch, sizeof *s->epochs);
        if (s->images == NULL || s->items == NULL || s->epochs == NULL)
            return mdldm__oom(env, "loader queue");
    }
    return MDLDM_OK;
}

static mdldm_status set_up(mdldm__env *env, mdldm__loader *l, const int64_t *items, int64_t start,
                           int32_t workers)
{
    l->pool = mdldm__calloc(env, (size_t)l->count, sizeof *l->pool);
    l->order = mdldm__calloc(env, (size_t)l->count, sizeof *l->order);
    if (l->pool == NULL || l->order == NULL)
        return mdldm__oom(env, "loader order");
    memcpy(l->pool, items, (size_t)l->count * sizeof *l->pool);
    l->epoch = start * l->batch / l->count;
    l->position = start * l->batch % l->count;
    shuffle(l);
    MDLDM__TRY(make_slots(env, l, workers));
    return workers > 0 ? start_workers(env, l, workers) : MDLDM_OK;
}

mdldm_status mdldm__loader_create(mdldm__env *env, mdldm_dataset *d, const int64_t *items, int64_t count,
                                  int64_t batch, uint64_t seed, int64_t start, int32_t workers,
                                  mdldm__loader **out)
{
    *out = NULL;
    assert(batch >= 1 && start >= 0 && workers >= 0);
    if (count < 1)
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT, "there are no images to load; the list is empty");
    mdldm__loader *l = mdldm__calloc(env, 1, sizeof *l);
    if (l == NULL)
        return mdldm__oom(env, "loader");
    mdldm__env_init(&l->env, env);
    mdldm__dataset_retain(d);
    l->dataset = d;
    l->batch = batch;
    l->count = count;
    l->seed = seed;
    l->resolution = mdldm__dataset_resolution(d);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->can_take, NULL);
    pthread_cond_init(&l->can_consume, NULL);
    mdldm_status status = set_up(env, l, items, start, workers);
    if (status != MDLDM_OK)
        mdldm__loader_free(l);
    else
        *out = l;
    return status;
}

mdldm_status mdldm__loader_next(mdldm__env *env, mdldm__loader *l, float *images, int64_t *labels,
                                int64_t *items)
{
    slot *s = &l->slots[l->consumed % l->slot_count];
    if (l->thread_count > 0) {
        pthread_mutex_lock(&l->lock);
        while (!s->ready)
            pthread_cond_wait(&l->can_consume, &l->lock);
        pthread_mutex_unlock(&l->lock);
    } else if (!s->ready) {
        next_items(l, s->items, s->epochs);
        env->error[0] = '\0';
        /* Who trains on cached latents wants the order alone. */
        s->status = images != NULL ? fill(env, l, s->items, s->epochs, s->images) : MDLDM_OK;
        memcpy(s->error, env->error, sizeof s->error);
        s->ready = 1;
    }
    if (s->status != MDLDM_OK) /* the slot stays: the same batch fails again */
        return mdldm__error(env, s->status, "%s", s->error);

    const size_t pixels = values_of_item(l);
    if (images != NULL)
        memcpy(images, s->images, (size_t)l->batch * pixels * sizeof *images);
    for (int64_t i = 0; i < l->batch && labels != NULL; i++)
        labels[i] = mdldm_dataset_item_label(l->dataset, s->items[i]);
    if (items != NULL)
        memcpy(items, s->items, (size_t)l->batch * sizeof *items);

    pthread_mutex_lock(&l->lock);
    s->ready = 0;
    l->consumed++;
    pthread_cond_signal(&l->can_take);
    pthread_mutex_unlock(&l->lock);
    return MDLDM_OK;
}

void mdldm__loader_free(mdldm__loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_cond_broadcast(&l->can_take);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->thread_count; i++)
        pthread_join(l->threads[i], NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->can_take);
    pthread_cond_destroy(&l->can_consume);

    mdldm__env env = l->env; /* l itself goes through it */
    for (int64_t i = 0; i < l->slot_count && l->slots != NULL; i++) {
        mdldm__free(&env, l->slots[i].images);
        mdldm__free(&env, l->slots[i].items);
        mdldm__free(&env, l->slots[i].epochs);
    }
    mdldm__free(&env, l->slots);
    mdldm__free(&env, l->threads);
    mdldm__free(&env, l->pool);
    mdldm__free(&env, l->order);
    mdldm_dataset_free(l->dataset);
    mdldm__free(&env, l);
}
