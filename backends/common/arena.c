/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdlib.h>

typedef struct order_entry {
    size_t size;
    int32_t item;
} order_entry;

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

mdldm_status mdldm__arena_plan(const mdldm_host *host, mdldm__arena_item *items, int32_t count,
                               size_t *total)
{
    *total = 0;
    if (count == 0)
        return MDLDM_OK;
    order_entry *order = mdldm__host_zalloc(host, (size_t)count, sizeof *order);
    int32_t *placed = mdldm__host_zalloc(host, (size_t)count, sizeof *placed);
    mdldm_status status = MDLDM_OK;
    if (order == NULL || placed == NULL) {
        status = mdldm__host_oom(host, "memory plan");
        goto done;
    }
    for (int32_t i = 0; i < count; i++) {
        order[i] = (order_entry){items[i].size, i};
        items[i].offset = 0;
    }
    qsort(order, (size_t)count, sizeof *order, by_size);
    int32_t placed_count = 0;
    for (int32_t i = 0; i < count && order[i].size > 0; i++) {
        int32_t self = order[i].item;
        if (items[self].size > SIZE_MAX / 4 || !place(items, placed, placed_count, self)) {
            status = mdldm__host_oom(host, "a tensor beyond the address space");
            goto done;
        }
        int32_t at = placed_count++;
        for (; at > 0 && items[placed[at - 1]].offset > items[self].offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = self;
        size_t end = items[self].offset + mdldm__align_up(items[self].size);
        if (end > *total)
            *total = end;
    }
done:
    mdldm__host_free(host, order);
    mdldm__host_free(host, placed);
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
