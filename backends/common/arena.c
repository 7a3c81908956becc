/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define WORTH ((size_t)1 << 20) /* bytes that are worth a search */

typedef struct order_entry {
    size_t size;
    int32_t item;
} order_entry;

typedef struct planner {
    mdldm__arena_item *items;
    order_entry *order, *best; /* [count]: who is placed first; best: the order to go back to */
    size_t *offsets;           /* [count] a finished plan, by item */
    int32_t *placed;           /* [count] items placed so far, by offset */
    int32_t count, all;        /* items with a size; all items */
    size_t total;              /* of the last placing */
    uint32_t random;
} planner;

static int by_size(const void *left, const void *right)
{
    const order_entry *a = left, *b = right;
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return (a->item > b->item) - (a->item < b->item); /* the order must not depend on qsort */
}

static int lives_with(const mdldm__arena_item *a, const mdldm__arena_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Places items[self]; placed[0..count) are item numbers sorted by offset. 0 when it cannot be. */
static int place(mdldm__arena_item *items, const int32_t *placed, int32_t count, int32_t self)
{
    mdldm__arena_item *item = &items[self];
    size_t size = mdldm__align_up(item->size);
    size_t end = 0, best_offset = 0, best_gap = SIZE_MAX;
    for (int32_t i = 0; i < count; i++) {
        const mdldm__arena_item *other = &items[placed[i]];
        if (!lives_with(item, other))
            continue;
        if (other->offset > end && other->offset - end >= size && other->offset - end < best_gap) {
            best_gap = other->offset - end;
            best_offset = end;
        }
        size_t other_end = other->offset + mdldm__align_up(other->size);
        if (other_end > end)
            end = other_end;
    }
    item->offset = best_gap != SIZE_MAX ? best_offset : end;
    return item->offset <= SIZE_MAX / 4 - size;
}

/* Places the first `count` of the order. 0 when they do not fit into the address space. */
static int place_first(planner *p, int32_t count)
{
    p->total = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t self = p->order[i].item, at = i;
        if (!place(p->items, p->placed, i, self))
            return 0;
        for (; at > 0 && p->items[p->placed[at - 1]].offset > p->items[self].offset; at--)
            p->placed[at] = p->placed[at - 1];
        p->placed[at] = self;
        size_t end = p->items[self].offset + mdldm__align_up(p->items[self].size);
        if (end > p->total)
            p->total = end;
    }
    return 1;
}

/* The most that lives at one time: no arena can be smaller. It is reached where a life begins. */
static size_t lower_bound(const planner *p)
{
    size_t most = 0;
    for (int32_t i = 0; i < p->count; i++) {
        int32_t now = p->items[p->order[i].item].first;
        size_t live = 0;
        for (int32_t k = 0; k < p->count; k++) {
            const mdldm__arena_item *other = &p->items[p->order[k].item];
            if (other->first <= now && now <= other->last)
                live += mdldm__align_up(other->size);
        }
        most = live > most ? live : most;
    }
    return most;
}

static int32_t below(planner *p, int32_t limit)
{
    p->random = p->random * 1664525u + 1013904223u; /* Numerical Recipes; the plan must be repeatable */
    return (int32_t)((p->random >> 8) % (uint32_t)limit);
}

/* Moves one of the first `count` elsewhere in the order: mostly the one that sticks out furthest. */
static void disturb(planner *p, int32_t count)
{
    int32_t from = 0, to = below(p, count);
    size_t furthest = 0;
    for (int32_t i = 0; i < count; i++) {
        const mdldm__arena_item *item = &p->items[p->order[i].item];
        if (item->offset + item->size > furthest) {
            furthest = item->offset + item->size;
            from = i;
        }
    }
    if (below(p, 3) == 0)
        from = below(p, count);
    order_entry moved = p->order[from];
    if (to < from)
        memmove(p->order + to + 1, p->order + to, (size_t)(from - to) * sizeof moved);
    else
        memmove(p->order + from, p->order + from + 1, (size_t)(to - from) * sizeof moved);
    p->order[to] = moved;
}

/* Improves the order of the large items step by step, then places the small ones into the gaps. */
static void climb(planner *p, size_t bound)
{
    enum { PAIRS = 40000000 }; /* of items looked at: some 50 ms */
    size_t order_bytes = (size_t)p->count * sizeof *p->order, least = SIZE_MAX;
    int32_t large = 0;
    while (large < p->count && p->order[large].size > bound / 200)
        large++;
    memcpy(p->best, p->order, order_bytes);
    for (int64_t left = PAIRS; large > 1 && left > 0 && least > bound; left -= (int64_t)large * large) {
        if (place_first(p, large) && p->total <= least) {
            least = p->total;
            memcpy(p->best, p->order, order_bytes);
        } else {
            memcpy(p->order, p->best, order_bytes);
            if (!place_first(p, large)) /* it could before: the next move wants the offsets */
                return;
        }
        if (least > bound)
            disturb(p, large);
    }
    memcpy(p->order, p->best, order_bytes);
}

static int search(planner *p)
{
    qsort(p->order, (size_t)p->count, sizeof *p->order, by_size);
    if (!place_first(p, p->count))
        return 0;
    size_t first = p->total, bound = lower_bound(p);
    if (first - bound <= bound / 100 || first - bound < WORTH)
        return 1;
    for (int32_t i = 0; i < p->all; i++)
        p->offsets[i] = p->items[i].offset;
    climb(p, bound);
    if (place_first(p, p->count) && p->total < first)
        return 1;
    for (int32_t i = 0; i < p->all; i++)
        p->items[i].offset = p->offsets[i];
    p->total = first;
    return 1;
}

mdldm_status mdldm__arena_plan(const mdldm_host *host, mdldm__arena_item *items, int32_t count,
                               size_t *total)
{
    *total = 0;
    if (count == 0)
        return MDLDM_OK;
    planner p = {.items = items, .all = count};
    p.order = mdldm__host_zalloc(host, 2 * (size_t)count, sizeof *p.order);
    p.offsets = mdldm__host_zalloc(host, (size_t)count, sizeof *p.offsets);
    p.placed = mdldm__host_zalloc(host, (size_t)count, sizeof *p.placed);
    mdldm_status status = MDLDM_OK;
    if (p.order == NULL || p.offsets == NULL || p.placed == NULL) {
        status = mdldm__host_oom(host, "memory plan");
        goto done;
    }
    p.best = p.order + count;
    int absurd = 0;
    for (int32_t i = 0; i < count; i++) {
        items[i].offset = 0;
        absurd |= items[i].size > SIZE_MAX / 4;
        if (items[i].size > 0)
            p.order[p.count++] = (order_entry){items[i].size, i};
    }
    if (absurd || !search(&p))
        status = mdldm__host_oom(host, "a tensor beyond the address space");
    else
        *total = p.total;
done:
    mdldm__host_free(host, p.order);
    mdldm__host_free(host, p.offsets);
    mdldm__host_free(host, p.placed);
    return status;
}

int mdldm__arena_valid(const mdldm__arena_item *items, int32_t count, size_t total, int32_t *bad)
{
    for (int32_t i = 0; i < count; i++) {
        if (items[i].size == 0)
            continue;
        *bad = i;
        if (items[i].offset % MDLDM__ALIGN != 0 || items[i].offset + items[i].size > total)
            return 0;
        for (int32_t j = 0; j < i; j++) {
            if (items[j].size == 0 || !lives_with(&items[i], &items[j]))
                continue;
            if (items[i].offset < items[j].offset + items[j].size &&
                items[j].offset < items[i].offset + items[i].size)
                return 0;
        }
    }
    *bad = -1;
    return 1;
}
