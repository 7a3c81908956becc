/* SPDX-License-Identifier: MIT
 * An allocator hook for tests: counts, fails the Nth allocation, keeps account of what is live. Every
 * block moves when it is resized, is filled with rubbish when new and when freed, and carries a mark,
 * so that stale pointers, use of fresh memory and foreign pointers show. Safe from several threads. */
#ifndef MDLDM_TESTS_TORTURE_H
#define MDLDM_TESTS_TORTURE_H

#include <stddef.h>
#include <stdint.h>

#include "mdldm/mdldm.h"

typedef struct torture {
    int64_t fail_at; /* this allocation (from 1) fails; 0: none */
    int32_t persist; /* 1: and all after it */
    int64_t allocations, failures;
    int64_t live, live_bytes, peak_bytes;
    int64_t broken; /* pointers freed or resized that were not ours, or twice */
} torture;

/* As mdldm_resize_fn; user is a torture, all zero at first. */
void *torture_resize(void *user, void *pointer, size_t size);

/* What to test: makes, uses and frees everything through torture_resize(t, ...). It returns the status
 * of the call that failed, and copies that call's sentence to sentence when it can. */
typedef mdldm_status (*torture_scenario)(torture *t, void *user, char sentence[1024]);

/* Runs the scenario once whole, then failing each allocation in turn (once, and from there on), at most
 * about limit times (then evenly spread; the first 50 always; all of them when the environment has
 * MDLDM_TORTURE=full). Fails the test unless every run ends in
 * MDLDM_OK or MDLDM_ERROR_OUT_OF_MEMORY with a sentence, and leaves nothing allocated. Then the same for
 * the allocations of jansson, whose failures may end in any error. Returns the
 * number of allocations of the whole run. */
int64_t torture_run(const char *name, torture_scenario scenario, void *user, int64_t limit);

#endif
