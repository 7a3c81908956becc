/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_DATA_THREAD_H
#define MDLDM_DATA_THREAD_H

#include <pthread.h>

/* pthread_create with every signal blocked: signals are the host's, and its handlers must not run on
 * our threads. Returns pthread_create's code. */
int mdldm__thread_start(pthread_t *thread, void *(*work)(void *), void *argument);

#endif
