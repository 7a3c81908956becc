/* SPDX-License-Identifier: MIT */
#include "cpu_worker.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "util/thread.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#define FPU_DEFAULT 0x1f80u /* round to nearest, all exceptions masked, no flush to zero */
static uint32_t fpu_get(void)
{
    return _mm_getcsr();
}
static void fpu_set(uint32_t state)
{
    _mm_setcsr(state);
}
#else
#define FPU_DEFAULT 0u
static uint32_t fpu_get(void)
{
    return FPU_DEFAULT;
}
static void fpu_set(uint32_t state)
{
    (void)state;
}
#endif

/* On this thread, with everything put back afterwards. OpenMP's threads have the floating-point state of the thread
 * that made them. */
static mdldm_status do_here(int32_t threads, mdldm__cpu_job job, void *arg)
{
    const int before = omp_get_max_threads(), dynamic = omp_get_dynamic(), levels = omp_get_max_active_levels();
    const uint32_t fpu = fpu_get();
    omp_set_dynamic(0);
    if (levels < 1)
        omp_set_max_active_levels(1);
    omp_set_num_threads(threads);
    fpu_set(FPU_DEFAULT);
    const mdldm_status status = job(arg);
    fpu_set(fpu);
    omp_set_num_threads(before);
    if (levels < 1)
        omp_set_max_active_levels(levels);
    omp_set_dynamic(dynamic);
    return status;
}

static void *work(void *argument)
{
    mdldm__cpu_worker *w = argument;
    fpu_set(FPU_DEFAULT); /* not that of the thread which opened the device */
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->job == NULL && !w->stop)
            pthread_cond_wait(&w->wake, &w->lock);
        if (w->job == NULL)
            break;
        pthread_mutex_unlock(&w->lock);
        const mdldm_status result = do_here(w->threads, w->job, w->arg);
        pthread_mutex_lock(&w->lock);
        w->result = result;
        w->job = NULL;
        pthread_cond_signal(&w->done);
    }
    pthread_mutex_unlock(&w->lock);
    omp_pause_resource_all(omp_pause_soft); /* ends and joins this thread's team; the host's are not touched */
    return NULL;
}

mdldm_status mdldm__cpu_do(mdldm__cpu_worker *w, int32_t threads, mdldm__cpu_job job, void *arg)
{
    if (threads == 1)
        return do_here(1, job, arg);
    pthread_mutex_lock(&w->turn);
    pthread_mutex_lock(&w->lock);
    w->sentence[0] = '\0';
    w->threads = threads;
    w->arg = arg;
    w->job = job;
    pthread_cond_signal(&w->wake);
    while (w->job != NULL)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    const mdldm_status result = w->result;
    if (w->sentence[0] != '\0')
        w->core->set_error(w->core, w->failed, w->sentence);
    pthread_mutex_unlock(&w->turn);
    return result;
}

void mdldm__cpu_use_threads(int32_t threads)
{
    omp_set_num_threads(threads);
}

/* ---- What jobs see of the host ---- */
static void *resize(const mdldm_host *host, void *pointer, size_t size)
{
    const mdldm__cpu_worker *w = host->user;
    return w->core->resize(w->core, pointer, size);
}

static mdldm_status set_error(const mdldm_host *host, mdldm_status status, const char *text)
{
    mdldm__cpu_worker *w = host->user;
    if (!w->running || !pthread_equal(pthread_self(), w->thread))
        return w->core->set_error(w->core, status, text);
    w->failed = status;
    snprintf(w->sentence, sizeof w->sentence, "%s", text);
    return status;
}

static void pass_log(const mdldm_host *host, int32_t level, const char *text)
{
    const mdldm__cpu_worker *w = host->user;
    w->core->log(w->core, level, text);
}

static int32_t cancelled(const mdldm_host *host)
{
    const mdldm__cpu_worker *w = host->user;
    return w->core->cancelled(w->core);
}

/* ---- Start and end ---- */
static void *stand_by(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* Whether the system gives that many threads at once, as a code of pthread_create: OpenMP ends the process when it
 * does not. */
static int rehearse(mdldm__cpu_worker *w, pthread_t *threads, int32_t count)
{
    int32_t started = 0;
    int code = 0;
    pthread_mutex_lock(&w->lock);
    while (started < count && (code = mdldm__thread_start(&threads[started], stand_by, &w->lock)) == 0)
        started++;
    pthread_mutex_unlock(&w->lock);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return code;
}

static mdldm_status make_team(void *arg)
{
    const int32_t *threads = arg;
#pragma omp parallel num_threads(*threads)
    fpu_set(FPU_DEFAULT);
    return MDLDM_OK;
}

static void retire(mdldm__cpu_worker *w)
{
    pthread_cond_destroy(&w->done);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->turn);
    w->running = 0;
}

mdldm_status mdldm__cpu_worker_open(mdldm__cpu_worker *w, const mdldm_host *host, int32_t threads)
{
    memset(w, 0, sizeof *w);
    w->core = host;
    w->host = (mdldm_host){.struct_size = sizeof w->host,
                           .user = w,
                           .resize = resize,
                           .set_error = set_error,
                           .log = pass_log,
                           .cancelled = cancelled};
    if (threads == 1)
        return MDLDM_OK;
    pthread_t *rehearsed = mdldm__host_zalloc(host, (size_t)threads, sizeof *rehearsed);
    if (rehearsed == NULL)
        return mdldm__host_oom(host, "cpu threads");
    pthread_mutex_init(&w->turn, NULL);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->done, NULL);
    w->running = 1;
    int code = rehearse(w, rehearsed, threads);
    if (code == 0)
        code = mdldm__thread_start(&w->thread, work, w);
    mdldm__host_free(host, rehearsed);
    if (code == 0)
        return mdldm__cpu_do(w, threads, make_team, &threads);
    retire(w);
    return mdldm__host_error(host, MDLDM_ERROR_OUT_OF_MEMORY,
                             "the cpu backend cannot start %d threads: %s; try fewer, or allow the process more",
                             threads, strerror(code));
}

void mdldm__cpu_worker_close(mdldm__cpu_worker *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = 1;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    retire(w);
}
