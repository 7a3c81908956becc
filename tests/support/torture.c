/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

enum { HEADER = 64, FRESH = 0xA5, FREED = 0x5A };
static const uint64_t mark_live = UINT64_C(0x6d646c646d6c6976), mark_dead = UINT64_C(0x6d646c646d646561);

typedef struct header {
    uint64_t mark;
    size_t size;
} header;

static header *header_of(void *pointer)
{
    return (header *)((char *)pointer - HEADER);
}

static void *take(torture *t, size_t size)
{
    int64_t number = __atomic_add_fetch(&t->allocations, 1, __ATOMIC_SEQ_CST);
    if (t->fail_at > 0 && (number == t->fail_at || (t->persist && number > t->fail_at))) {
        __atomic_add_fetch(&t->failures, 1, __ATOMIC_SEQ_CST);
        return NULL;
    }
    char *block = aligned_alloc(HEADER, (size + 2 * HEADER - 1) / HEADER * HEADER);
    if (block == NULL)
        return NULL;
    header *h = (header *)block;
    h->mark = mark_live;
    h->size = size;
    memset(block + HEADER, FRESH, size);
    __atomic_add_fetch(&t->live, 1, __ATOMIC_SEQ_CST);
    int64_t bytes = __atomic_add_fetch(&t->live_bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    int64_t peak = __atomic_load_n(&t->peak_bytes, __ATOMIC_SEQ_CST);
    while (bytes > peak &&
           !__atomic_compare_exchange_n(&t->peak_bytes, &peak, bytes, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return block + HEADER;
}

static void give(torture *t, void *pointer)
{
    header *h = header_of(pointer);
    __atomic_sub_fetch(&t->live, 1, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&t->live_bytes, (int64_t)h->size, __ATOMIC_SEQ_CST);
    h->mark = mark_dead;
    memset(pointer, FREED, h->size);
    free(h);
}

void *torture_resize(void *user, void *pointer, size_t size)
{
    torture *t = user;
    if (pointer == NULL)
        return size > 0 ? take(t, size) : NULL;
    if (header_of(pointer)->mark != mark_live) {
        __atomic_add_fetch(&t->broken, 1, __ATOMIC_SEQ_CST);
        return NULL;
    }
    if (size == 0) {
        give(t, pointer);
        return NULL;
    }
    void *moved = take(t, size);
    if (moved == NULL)
        return NULL;
    size_t old = header_of(pointer)->size;
    memcpy(moved, pointer, old < size ? old : size);
    give(t, pointer);
    return moved;
}

/* jansson has one allocator for the process. The library never touches it; here it fails as well, but
 * for string buffers that grow, to 32 bytes times a power of two: jansson 2.14's lexer drops a character
 * then, without noticing, and may run into an assertion. */
static torture *json_target;

static void *json_take(size_t size)
{
    if (size >= 32 && (size & (size - 1)) == 0) {
        const int64_t fail_at = json_target->fail_at;
        json_target->fail_at = 0;
        json_target->allocations--;
        void *block = take(json_target, size);
        json_target->fail_at = fail_at;
        return block;
    }
    return torture_resize(json_target, NULL, size > 0 ? size : 1);
}

static void json_give(void *pointer)
{
    torture_resize(json_target, pointer, 0);
}

static void check_account(const char *name, const torture *t, mdldm_status status, const char *sentence)
{
    if (t->broken != 0)
        fail_msg("%s, allocation %lld failing: %lld pointers freed twice or not ours", name,
                 (long long)t->fail_at, (long long)t->broken);
    if (t->live != 0)
        fail_msg("%s, allocation %lld failing: %lld blocks (%lld bytes) leaked; status %s, \"%s\"", name,
                 (long long)t->fail_at, (long long)t->live, (long long)t->live_bytes, mdldm_status_name(status),
                 sentence);
}

static void check_status(const char *name, const torture *t, mdldm_status status, const char *sentence)
{
    if (status != MDLDM_OK && (status != MDLDM_ERROR_OUT_OF_MEMORY || t->failures == 0))
        fail_msg("%s, allocation %lld failing: status %s, \"%s\"", name, (long long)t->fail_at,
                 mdldm_status_name(status), sentence);
    if (status != MDLDM_OK && strstr(sentence, "memory") == NULL)
        fail_msg("%s, allocation %lld failing: \"%s\" does not speak of memory", name, (long long)t->fail_at,
                 sentence);
}

/* jansson's parser calls a failed allocation a syntax error, so any status but MDLDM_OK will do: a
 * failure overlooked would be a key that is silently lost. */
static void check_json_status(const char *name, const torture *t, mdldm_status status)
{
    if (status == MDLDM_OK && t->failures > 0)
        fail_msg("%s, jansson's allocation %lld failing: not noticed", name, (long long)t->fail_at);
}

static int64_t stride_for(int64_t total, int64_t first, int64_t limit)
{
    return total > limit ? (total - first) / (limit > first ? limit - first : 1) + 1 : 1;
}

int64_t torture_run(const char *name, torture_scenario scenario, void *user, int64_t limit)
{
    torture whole = {0}, json_whole = {0};
    const char *all = getenv("MDLDM_TORTURE");
    if (all != NULL && strcmp(all, "full") == 0)
        limit = INT64_MAX;
    char sentence[1024] = "";
    json_set_alloc_funcs(json_take, json_give);
    json_target = &json_whole;
    mdldm_status status = scenario(&whole, user, sentence);
    if (status != MDLDM_OK)
        fail_msg("%s without a failing allocation: status %s, \"%s\"", name, mdldm_status_name(status), sentence);
    check_account(name, &whole, status, sentence);
    check_account(name, &json_whole, status, sentence);
    for (int json = 0; json < 2; json++) {
        const int64_t total = json ? json_whole.allocations : whole.allocations, first = 50;
        const int64_t stride = stride_for(total, first, limit);
        for (int64_t n = 1; n <= total; n += n < first ? 1 : stride)
            for (int32_t persist = 0; persist < 2; persist++) {
                torture t = {.fail_at = json ? 0 : n, .persist = persist};
                torture j = {.fail_at = json ? n : 0, .persist = persist};
                json_target = &j;
                strcpy(sentence, "out of memory"); /* when the failing call has no context to ask */
                status = scenario(&t, user, sentence);
                check_account(name, &t, status, sentence);
                check_account(name, &j, status, sentence);
                if (json)
                    check_json_status(name, &j, status);
                else
                    check_status(name, &t, status, sentence);
            }
    }
    json_set_alloc_funcs(malloc, free);
    return whole.allocations;
}
