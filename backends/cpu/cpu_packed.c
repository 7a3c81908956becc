/* SPDX-License-Identifier: MIT
 * Packed copies of weights. */
#include "cpu_store.h"

static int same_key(const mdldm__packed_key *a, const mdldm__packed_key *b)
{
    return a->param == b->param && a->ema == b->ema && a->rotate == b->rotate && a->dtype == b->dtype &&
           a->i0 == b->i0 && a->ic == b->ic;
}

static void destroy(mdldm_store *store, mdldm__packed *p)
{
    if (p->ops->close != NULL)
        p->ops->close(p);
    mdldm__host_free(store->device->host, p->block);
    mdldm__host_free(store->device->host, p);
}

mdldm_status mdldm__packed_get(mdldm_store *store, const mdldm__packed_key *key, const mdldm__pack_ops *ops,
                               const void *layout, mdldm__packed **out, int64_t *added)
{
    const mdldm_host *host = store->device->host;
    mdldm__packed_key wanted = *key;
    wanted.ema = key->ema && store->base.params[key->param].ema != NULL;
    for (mdldm__packed *p = store->packed; p != NULL; p = p->next)
        if (p->ops == ops && same_key(&p->key, &wanted) && (ops->same == NULL || ops->same(p, layout))) {
            p->refs++;
            *out = p;
            return MDLDM_OK;
        }
    mdldm__packed *p = mdldm__host_zalloc(host, 1, sizeof *p);
    if (p == NULL)
        return mdldm__host_oom(host, "packed weights");
    p->key = wanted;
    p->ops = ops;
    p->refs = 1;
    mdldm_status status = ops->open(store, p, layout);
    int lasting = !mdldm__packed_in_passing(store);
    if (status == MDLDM_OK && lasting &&
        (p->block = mdldm__host_alloc(host, p->bytes + MDLDM__ALIGN)) == NULL)
        status = mdldm__host_oom(host, "packed weights");
    if (status != MDLDM_OK) {
        destroy(store, p);
        return status;
    }
    p->data = lasting ? (void *)mdldm__align_up((uintptr_t)p->block) : NULL;
    p->next = store->packed;
    store->packed = p;
    *out = p;
    *added += lasting ? (int64_t)p->bytes : 0;
    return MDLDM_OK;
}

void mdldm__packed_release(mdldm_store *store, mdldm__packed *packed)
{
    if (--packed->refs > 0)
        return;
    mdldm__packed **link = &store->packed;
    while (*link != packed)
        link = &(*link)->next;
    *link = packed->next;
    destroy(store, packed);
}

int mdldm__packed_stale(const mdldm_store *store, const mdldm__packed *p)
{
    return p->version != store->base.params[p->key.param].version;
}

size_t mdldm__packed_room(mdldm_store *store, const mdldm__packed *p)
{
    return mdldm__align_up(p->room) + mdldm__store_host_will_copy(&store->base, p->key.param);
}

mdldm_status mdldm__packed_refresh(mdldm_store *store, mdldm__packed *p, float *room)
{
    if (!mdldm__packed_stale(store, p))
        return MDLDM_OK;
    float *floats_room = (float *)(void *)((char *)room + mdldm__align_up(p->room));
    const float *values = mdldm__store_host_floats(&store->base, p->key.param, p->key.ema, floats_room);
    mdldm_status status = p->ops->pack(store, p, values, room);
    if (status != MDLDM_OK)
        return status;
    mdldm__store_host_copied(&store->base, p->key.param);
    p->version = store->base.params[p->key.param].version;
    return MDLDM_OK;
}

int mdldm__packed_in_passing(const mdldm_store *store)
{
    return (store->base.flags & MDLDM_STORE_TRAIN) != 0;
}

size_t mdldm__packed_passing_bytes(const mdldm__packed *p)
{
    return mdldm__align_up(p->bytes) + p->room;
}

mdldm_status mdldm__packed_into(mdldm_store *store, mdldm__packed *p, void *memory)
{
    p->data = memory;
    return p->ops->pack(store, p, mdldm__store_host_values(&store->base, p->key.param, p->key.ema),
                        (float *)(void *)((char *)memory + mdldm__align_up(p->bytes)));
}
