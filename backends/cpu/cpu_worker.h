/* SPDX-License-Identifier: MIT
 * The device's own thread, on which everything that opens OpenMP regions runs: OpenMP keeps the threads of a region
 * for the thread that opened it, and so they end with the device instead of with the host's thread. */
#ifndef MDLDM_CPU_WORKER_H
#define MDLDM_CPU_WORKER_H

#include <pthread.h>

#include "../common/host_util.h"

typedef mdldm_status (*mdldm__cpu_job)(void *arg);

typedef struct mdldm__cpu_worker {
    const mdldm_host *core; /* of the caller of device_open */
    /* What the device uses in its place: from a job, set_error keeps the sentence for the thread that called.
     * Jobs do not log: that callback is the caller's alone. */
    mdldm_host host;
    int32_t running;
    int32_t stop;
    pthread_t thread;
    pthread_mutex_t turn; /* of a caller, for a whole call */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    mdldm__cpu_job job; /* NULL: none */
    void *arg;
    int32_t threads;
    mdldm_status result, failed;
    char sentence[1024]; /* of failed; "": none */
} mdldm__cpu_worker;

/* Starts the thread and its OpenMP threads, `threads` in all; none for 1. host must live as long. After an error close
 * is not needed. Errors: OUT_OF_MEMORY, also when the system gives no more threads. */
mdldm_status mdldm__cpu_worker_open(mdldm__cpu_worker *worker, const mdldm_host *host, int32_t threads);
/* Ends the threads; on return they are gone. */
void mdldm__cpu_worker_close(mdldm__cpu_worker *worker);
/* Does job(arg) with OpenMP's settings and the floating-point state as kernels want them, `threads` being the most of
 * any region: there with several, here with one. The caller waits, and finds its own settings as they were. Jobs
 * do not call this. */
mdldm_status mdldm__cpu_do(mdldm__cpu_worker *worker, int32_t threads, mdldm__cpu_job job, void *arg);
/* The count that oneDNN's primitives are made for from here on, within a job. */
void mdldm__cpu_use_threads(int32_t threads);

#endif
