/* SPDX-License-Identifier: MIT
 * One process-wide mutex guards the list of attachments and the busy marks. It is not held while a
 * device works: whoever works has its context marked busy, and who wants to close something on that
 * device from another thread waits for the mark to go. */
#include "api/runtime.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum { MAX_PLANS = 8, MAX_NAMES = 7 };

typedef struct plan_entry {
    mdldm_plan *plan; /* NULL: free */
    mdldm__graph_kind kind;
    int64_t n, h, w;
    int32_t act;
    int32_t flags; /* of plan_compile */
    uint64_t used; /* for least recently used */
    int32_t name_count;
    char names[MAX_NAMES][16];
    int32_t tensors[MAX_NAMES];
} plan_entry;

/* What one context keeps for one component. */
typedef struct attachment {
    struct attachment *next;
    mdldm_context *ctx;
    uint64_t uid; /* of the component */
    const mdldm__component *component; /* lives as long as this does */
    mdldm_store *store;
    plan_entry plans[MAX_PLANS];
    uint64_t clock;
} attachment;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static attachment *attachments;


void mdldm__runtime_enter(mdldm_context *ctx)
{
    pthread_mutex_lock(&guard);
    assert(!ctx->busy);
    ctx->busy = 1;
    pthread_mutex_unlock(&guard);
}

void mdldm__runtime_leave(mdldm_context *ctx)
{
    pthread_mutex_lock(&guard);
    ctx->busy = 0;
    pthread_cond_broadcast(&idle);
    pthread_mutex_unlock(&guard);
}

static void close_plan(mdldm_context *ctx, plan_entry *entry)
{
    if (entry->plan != NULL)
        ctx->backend->plan_close(entry->plan);
    memset(entry, 0, sizeof *entry);
}

static void close_attachment(attachment *a)
{
    for (int32_t i = 0; i < MAX_PLANS; i++)
        close_plan(a->ctx, &a->plans[i]);
    if (a->store != NULL)
        a->ctx->backend->store_close(a->store);
    mdldm__free(&a->ctx->env, a);
}

void mdldm__runtime_drop_context(mdldm_context *ctx)
{
    pthread_mutex_lock(&guard);
    for (attachment **link = &attachments; *link != NULL;) {
        attachment *a = *link;
        if (a->ctx != ctx) {
            link = &a->next;
            continue;
        }
        *link = a->next;
        close_attachment(a);
    }
    pthread_mutex_unlock(&guard);
}

void mdldm__runtime_drop_component(const mdldm__component *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&guard);
    for (attachment **link = &attachments; *link != NULL;) {
        attachment *a = *link;
        if (a->uid != c->uid) {
            link = &a->next;
        } else if (a->ctx->busy) {
            pthread_cond_wait(&idle, &guard);
            link = &attachments; /* the list may be another one by now */
        } else {
            *link = a->next;
            close_attachment(a);
        }
    }
    pthread_mutex_unlock(&guard);
}

static mdldm_status open_store(mdldm_context *ctx, const mdldm__component *c, mdldm_store **out)
{
    mdldm_param_desc *desc = mdldm__params_desc(&c->params);
    if (desc == NULL)
        return mdldm__oom(&ctx->env, "the parameter list");
    mdldm_status status = ctx->backend->store_open(ctx->device, desc, c->params.count, 0, out);
    mdldm__free(c->params.env, desc);
    if (status != MDLDM_OK)
        return status;
    for (int32_t i = 0; status == MDLDM_OK && i < c->params.count; i++) {
        const mdldm__param *p = &c->params.items[i];
        if (p->data == NULL)
            status = mdldm__error(&ctx->env, MDLDM_ERROR_INTERNAL, "parameter %s has no values", p->name);
        else
            status = ctx->backend->store_bind(*out, i, p->data, mdldm__param_bind_dtype(p));
    }
    if (status != MDLDM_OK) {
        ctx->backend->store_close(*out);
        *out = NULL;
    }
    return status;
}

static mdldm_status get_attachment(mdldm_context *ctx, const mdldm__component *c, attachment **out)
{
    pthread_mutex_lock(&guard);
    attachment *a = attachments;
    while (a != NULL && (a->ctx != ctx || a->uid != c->uid))
        a = a->next;
    pthread_mutex_unlock(&guard);
    *out = a;
    if (a != NULL)
        return MDLDM_OK;
    a = mdldm__calloc(&ctx->env, 1, sizeof *a);
    if (a == NULL)
        return mdldm__oom(&ctx->env, "the plan cache");
    a->ctx = ctx;
    a->uid = c->uid;
    a->component = c;
    mdldm_status status = open_store(ctx, c, &a->store);
    if (status != MDLDM_OK) {
        mdldm__free(&ctx->env, a);
        return status;
    }
    ctx->drop_attachments = mdldm__runtime_drop_context;
    pthread_mutex_lock(&guard);
    a->next = attachments;
    attachments = a;
    pthread_mutex_unlock(&guard);
    *out = a;
    return MDLDM_OK;
}

static void describe(mdldm__graph *g, const mdldm__component *c, mdldm__graph_kind kind, int64_t n, int64_t h,
                     int64_t w)
{
    switch (kind) {
    case MDLDM__GRAPH_ENCODE: mdldm__autoencoder_encode_graph(g, c, n, h, w); break;
    case MDLDM__GRAPH_QUANTIZE: mdldm__autoencoder_quantize_graph(g, c, n, h, w); break;
    case MDLDM__GRAPH_DECODE: mdldm__autoencoder_decode_graph(g, c, n, h, w, 0); break;
    case MDLDM__GRAPH_DECODE_QUANTIZED: mdldm__autoencoder_decode_graph(g, c, n, h, w, 1); break;
    case MDLDM__GRAPH_UNET: mdldm__graph_output(g, mdldm__unet_describe(g, c, n, h, w)); break;
    }
}

/* Notes the tensors that can be bound, by name. */
static void note_names(plan_entry *entry, const mdldm__graph *g)
{
    for (int32_t i = 0; i < g->tensor_count; i++) {
        const mdldm_graph_tensor *t = &g->tensors[i];
        if (t->role != MDLDM_ROLE_INPUT && !(t->flags & MDLDM_TENSOR_OUTPUT))
            continue;
        assert(entry->name_count < MAX_NAMES && strlen(t->name) < sizeof entry->names[0]);
        strcpy(entry->names[entry->name_count], t->name);
        entry->tensors[entry->name_count++] = i;
    }
}

static mdldm_status compile(mdldm_context *ctx, attachment *a, const mdldm__component *c, plan_entry *entry)
{
    mdldm__graph g;
    /* Without declare the table is only read. */
    mdldm__graph_init(&g, &ctx->env, (mdldm__params *)&c->params, 0, entry->act);
    describe(&g, c, entry->kind, entry->n, entry->h, entry->w);
    mdldm_status status = g.status;
    if (status == MDLDM_OK) {
        mdldm_graph_desc desc = mdldm__graph_desc(&g);
        status = ctx->backend->plan_compile(ctx->device, a->store, &desc, entry->flags, &entry->plan);
    }
    if (status == MDLDM_OK)
        note_names(entry, &g);
    mdldm__graph_free(&g);
    return status;
}

static mdldm_status get_plan(mdldm_context *ctx, attachment *a, const mdldm__component *c,
                             mdldm__graph_kind kind, int64_t n, int64_t h, int64_t w, plan_entry **out)
{
    plan_entry *oldest = &a->plans[0];
    for (int32_t i = 0; i < MAX_PLANS; i++) {
        plan_entry *e = &a->plans[i];
        if (e->plan != NULL && e->kind == kind && e->n == n && e->h == h && e->w == w &&
            e->act == ctx->precision && e->flags == ctx->plan_flags) {
            e->used = ++a->clock;
            *out = e;
            return MDLDM_OK;
        }
        if (e->used < oldest->used) /* a free entry was used at 0 */
            oldest = e;
    }
    close_plan(ctx, oldest);
    oldest->kind = kind;
    oldest->n = n;
    oldest->h = h;
    oldest->w = w;
    oldest->act = ctx->precision;
    oldest->flags = ctx->plan_flags;
    mdldm_status status = compile(ctx, a, c, oldest);
    if (status != MDLDM_OK) {
        close_plan(ctx, oldest);
        return status;
    }
    oldest->used = ++a->clock;
    *out = oldest;
    return MDLDM_OK;
}

static mdldm_status run(mdldm_context *ctx, const plan_entry *entry, const mdldm__named_binding *named,
                        int32_t count)
{
    mdldm_binding bindings[MAX_NAMES];
    int32_t used = 0;
    for (int32_t i = 0; i < count; i++) {
        if (named[i].data == NULL)
            continue;
        int32_t k = 0;
        while (k < entry->name_count && strcmp(entry->names[k], named[i].name) != 0)
            k++;
        assert(k < entry->name_count && used < MAX_NAMES);
        bindings[used++] = (mdldm_binding){.tensor = entry->tensors[k],
                                           .dtype = named[i].dtype,
                                           .layout = named[i].layout,
                                           .data = named[i].data};
    }
    return ctx->backend->plan_run(entry->plan, bindings, used, 0);
}

/* Mapped weights that the backend reads in place stay resident while it does; when another component's
 * turn comes (decode after the denoise steps), the pages of those that ran before are given back. */
static void rest_others(mdldm_context *ctx, const attachment *busy)
{
    if (ctx->last_run == busy->uid)
        return;
    ctx->last_run = busy->uid;
    pthread_mutex_lock(&guard);
    for (const attachment *a = attachments; a != NULL; a = a->next)
        if (a->ctx == ctx && a != busy)
            mdldm__component_forget(a->component, 0, a->component->params.count);
    pthread_mutex_unlock(&guard);
}

mdldm_status mdldm__runtime_run(mdldm_context *ctx, const mdldm__component *c, mdldm__graph_kind kind,
                                int64_t n, int64_t h, int64_t w, const mdldm__named_binding *bindings,
                                int32_t count)
{
    attachment *a;
    plan_entry *entry;
    MDLDM__TRY(mdldm__context_device(ctx));
    mdldm__runtime_enter(ctx);
    mdldm_status status = get_attachment(ctx, c, &a);
    if (status == MDLDM_OK)
        status = get_plan(ctx, a, c, kind, n, h, w, &entry);
    if (status == MDLDM_OK) {
        rest_others(ctx, a);
        status = run(ctx, entry, bindings, count);
    }
    mdldm__runtime_leave(ctx);
    return status;
}

mdldm_status mdldm__runtime_cost(mdldm_context *ctx, const mdldm__component *c, mdldm__graph_kind kind,
                                 int64_t n, int64_t h, int64_t w, mdldm_plan_info *info)
{
    attachment *a;
    plan_entry *entry;
    MDLDM__TRY(mdldm__context_device(ctx));
    mdldm__runtime_enter(ctx);
    mdldm_status status = get_attachment(ctx, c, &a);
    if (status == MDLDM_OK)
        status = get_plan(ctx, a, c, kind, n, h, w, &entry);
    if (status == MDLDM_OK) {
        memset(info, 0, sizeof *info);
        info->struct_size = sizeof *info;
        ctx->backend->plan_info(entry->plan, info);
    }
    mdldm__runtime_leave(ctx);
    return status;
}
