/* SPDX-License-Identifier: MIT
 * Plans where tensors lie in one arena, from their sizes and lifetimes. */
#ifndef MDLDM_COMMON_ARENA_H
#define MDLDM_COMMON_ARENA_H

#include "host_util.h"

typedef struct mdldm__arena_item {
    size_t size;         /* bytes; 0: needs no place */
    int32_t first, last; /* operations during which it must keep its bytes, inclusive */
    size_t offset;       /* out: a multiple of MDLDM__ALIGN */
} mdldm__arena_item;

/* Greedy: the largest item first, each into the smallest gap that is free during its whole life
 * (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020). Where that is
 * more than 1% (and 1 MiB) above what lives at one time, the order is improved by hill climbing, repeatably.
 * *total gets the arena's bytes. Error: OUT_OF_MEMORY (its own tables, or a total beyond size_t). */
mdldm_status mdldm__arena_plan(const mdldm_host *host, mdldm__arena_item *items, int32_t count,
                               size_t *total);

/* 1 when items that live at the same time never overlap and all lie aligned within total: the check
 * of the tests. *bad gets the offending item. */
int mdldm__arena_valid(const mdldm__arena_item *items, int32_t count, size_t total, int32_t *bad);

#endif
