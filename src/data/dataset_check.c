/* SPDX-License-Identifier: MIT
 * Decodes the files of a data set once, on several threads. Threads take entries in order and leave
 * their verdicts; the caller's thread judges the verdicts strictly in order (log, count, strict, at most
 * so many of a class), so that the outcome does not depend on the threads, and decodes while it waits. */

#include "data/dataset.h"
#include "data/image.h"
#include "data/resize.h"
#include "util/thread.h"

enum { MOST_THREADS = 8 };

typedef struct verdict {
    int ready;  /* guarded by the lock; the rest is settled before it is set */
    int oblong; /* the resized image is not square */
    mdldm_status status;
    char *error; /* NULL: none, or no memory for it */
} verdict;

typedef struct check {
    mdldm__env env; /* without callbacks */
    mdldm_dataset *dataset;
    verdict *verdicts; /* [count] */
    int64_t count;
    pthread_mutex_t lock;
    pthread_cond_t settled;
    int64_t next;       /* the first entry nobody has taken */
    int64_t pass_until; /* entries before this one need no check: their class is full */
    int stop;
} check;

static mdldm_status check_entry(mdldm__env *env, mdldm_dataset *d, const mdldm__entry *entry, int *oblong)
{
    char *data = NULL;
    size_t size = 0;
    MDLDM__TRY(mdldm__source_read(env, &d->source, entry, &data, &size));
    mdldm__image image = {0, 0, NULL};
    mdldm_status status = mdldm__image_decode(env, entry->name, data, size, &image);
    mdldm__free(env, data);
    if (status != MDLDM_OK)
        return status;
    int64_t height = 0, width = 0;
    mdldm__fit_size(image.height, image.width, d->resolution, &height, &width);
    *oblong = height != width;
    mdldm__image_free(env, &image);
    return MDLDM_OK;
}

/* Takes the next entry and checks it; 0 when there is none left. Called and left with the lock held. */
static int check_next(check *c, mdldm__env *env)
{
    if (c->next < c->pass_until)
        c->next = c->pass_until;
    if (c->stop || c->next >= c->count)
        return 0;
    const int64_t index = c->next++;
    pthread_mutex_unlock(&c->lock);

    verdict *v = &c->verdicts[index];
    env->error[0] = '\0';
    v->status = check_entry(env, c->dataset, &c->dataset->source.entries[index], &v->oblong);
    if (v->status != MDLDM_OK && (v->error = mdldm__strdup(env, env->error)) == NULL)
        v->status = MDLDM_ERROR_OUT_OF_MEMORY;

    pthread_mutex_lock(&c->lock);
    v->ready = 1;
    pthread_cond_broadcast(&c->settled);
    return 1;
}

static void *work(void *argument)
{
    check *c = argument;
    mdldm__env env;
    mdldm__env_init(&env, &c->env);
    pthread_mutex_lock(&c->lock);
    while (check_next(c, &env))
        ;
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static const verdict *await(check *c, mdldm__env *own, int64_t index)
{
    pthread_mutex_lock(&c->lock);
    while (!c->verdicts[index].ready)
        if (!check_next(c, own))
            pthread_cond_wait(&c->settled, &c->lock);
    pthread_mutex_unlock(&c->lock);
    return &c->verdicts[index];
}

static void pass_until(check *c, int64_t index)
{
    pthread_mutex_lock(&c->lock);
    c->pass_until = index;
    pthread_mutex_unlock(&c->lock);
}

/* What a broken file is; anything else (memory, cancel) ends the opening. */
static int is_broken(mdldm_status status)
{
    return status == MDLDM_ERROR_FORMAT || status == MDLDM_ERROR_UNSUPPORTED || status == MDLDM_ERROR_IO ||
           status == MDLDM_ERROR_NOT_FOUND;
}

/* Judges all entries in order; keep [count] says which stay. */
static mdldm_status judge(mdldm__env *env, check *c, int strict, int64_t max_samples, uint8_t *keep)
{
    mdldm__env own;
    mdldm__env_init(&own, &c->env);
    mdldm_dataset *d = c->dataset;
    const mdldm__entry *entries = d->source.entries;
    int64_t of_class = 0;
    for (int64_t i = 0; i < c->count; i++) {
        if (i > 0 && entries[i].label != entries[i - 1].label)
            of_class = 0;
        if (max_samples == 0 || of_class < max_samples) {
            const verdict *v = await(c, &own, i);
            if (v->status != MDLDM_OK) {
                if (v->error == NULL)
                    return mdldm__oom(env, "data set");
                mdldm__error(env, v->status, "%s", v->error);
                if (strict || !is_broken(v->status))
                    return v->status;
                mdldm__log(env, 1, "skipped: %s", v->error);
                d->skipped++;
            } else {
                d->any_cropped |= v->oblong;
                keep[i] = 1;
                of_class++;
            }
            if (of_class == max_samples && max_samples > 0) {
                int64_t end = i + 1;
                while (end < c->count && entries[end].label == entries[i].label)
                    end++;
                pass_until(c, end);
            }
        }
        MDLDM__TRY(mdldm__progress(env, "check", i + 1, c->count));
    }
    return MDLDM_OK;
}

/* Drops the entries that do not stay. */
static void compact(mdldm_dataset *d, const uint8_t *keep)
{
    mdldm__source *source = &d->source;
    int64_t kept = 0;
    for (int64_t i = 0; i < source->count; i++)
        if (keep[i])
            source->entries[kept++] = source->entries[i];
        else
            mdldm__free(source->env, source->entries[i].name);
    source->count = kept;
}

mdldm_status mdldm__dataset_check(mdldm__env *env, mdldm_dataset *d, int strict, int64_t max_samples,
                                  int32_t threads)
{
    check c = {.dataset = d, .count = d->source.count};
    mdldm__env_init(&c.env, env);
    c.verdicts = mdldm__calloc(env, (size_t)c.count, sizeof *c.verdicts);
    uint8_t *keep = mdldm__calloc(env, (size_t)c.count, 1);
    if (c.verdicts == NULL || keep == NULL) {
        mdldm__free(env, c.verdicts);
        mdldm__free(env, keep);
        return mdldm__oom(env, "data set");
    }
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.settled, NULL);

    /* The caller's thread is one of them; where no other can be started it does all the work. */
    pthread_t helpers[MOST_THREADS];
    int32_t started = 0;
    while (started + 1 < threads && started + 1 < MOST_THREADS && started + 1 < c.count &&
           mdldm__thread_start(&helpers[started], work, &c) == 0)
        started++;
    mdldm_status status = judge(env, &c, strict, max_samples, keep);

    pthread_mutex_lock(&c.lock);
    c.stop = 1;
    pthread_mutex_unlock(&c.lock);
    for (int32_t i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.settled);

    compact(d, keep);
    for (int64_t i = 0; i < c.count; i++)
        mdldm__free(env, c.verdicts[i].error);
    mdldm__free(env, c.verdicts);
    mdldm__free(env, keep);
    return status;
}
