/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_UTIL_THREAD_H
#define MDLDM_UTIL_THREAD_H

#include <pthread.h>

/* pthread_create with every signal blocked but those of a fault: signals are the host's, and its handlers must not
 * run on our threads; what reports crashes may. Returns pthread_create's code. */
int mdldm__thread_start(pthread_t *thread, void *(*work)(void *), void *argument);

#endif
