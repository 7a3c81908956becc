/* SPDX-License-Identifier: MIT */
#include "api/context.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* ---- what backends see of us ---- */
static void *host_resize(const mdldm_host *host, void *pointer, size_t size)
{
    mdldm_context *ctx = host->user;
    return ctx->env.resize(ctx->env.resize_user, pointer, size);
}

static mdldm_status host_set_error(const mdldm_host *host, mdldm_status status, const char *text)
{
    mdldm_context *ctx = host->user;
    return mdldm__error(&ctx->env, status, "%s", text);
}

static void host_log(const mdldm_host *host, int32_t level, const char *text)
{
    mdldm_context *ctx = host->user;
    mdldm__log(&ctx->env, level, "%s", text);
}

/* The backend gives up at the first answer other than 0, so the request is consumed here. */
static int32_t host_cancelled(const mdldm_host *host)
{
    mdldm_context *ctx = host->user;
    return ctx->committed == 0 && __atomic_load_n(&ctx->cancel_flag, __ATOMIC_RELAXED) != 0 &&
           __atomic_exchange_n(&ctx->cancel_flag, 0, __ATOMIC_ACQ_REL) != 0;
}

mdldm_status mdldm_context_create(mdldm_context **out)
{
    return mdldm_context_create_with(NULL, NULL, out);
}

mdldm_status mdldm_context_create_with(mdldm_resize_fn resize, void *user, mdldm_context **out)
{
    if (out == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    *out = NULL;
    mdldm__env env;
    mdldm__env_init(&env, NULL);
    if (resize != NULL) {
        env.resize = resize;
        env.resize_user = user;
    }
    mdldm_context *ctx = mdldm__calloc(&env, 1, sizeof *ctx);
    if (ctx == NULL)
        return MDLDM_ERROR_OUT_OF_MEMORY;
    ctx->env = env;
    ctx->env.cancel = &ctx->cancel_flag;
    ctx->precision = MDLDM_F32;
    ctx->references = 1;
    ctx->host = (mdldm_host){.struct_size = sizeof ctx->host,
                             .user = ctx,
                             .resize = host_resize,
                             .set_error = host_set_error,
                             .log = host_log,
                             .cancelled = host_cancelled};
    *out = ctx;
    return MDLDM_OK;
}

static void close_device(mdldm_context *ctx)
{
    if (ctx->drop_attachments != NULL)
        ctx->drop_attachments(ctx);
    if (ctx->device != NULL)
        ctx->backend->device_close(ctx->device);
    ctx->device = NULL;
    ctx->backend = NULL;
    ctx->backend_name[0] = '\0';
}

void mdldm__context_retain(mdldm_context *ctx)
{
    __atomic_add_fetch(&ctx->references, 1, __ATOMIC_RELAXED);
}

void mdldm__context_release(mdldm_context *ctx)
{
    if (__atomic_sub_fetch(&ctx->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    close_device(ctx);
    mdldm__env env = ctx->env;
    mdldm__free(&env, ctx->slots);
    mdldm__free(&env, ctx);
}

void mdldm_context_free(mdldm_context *ctx)
{
    if (ctx != NULL)
        mdldm__context_release(ctx);
}

const char *mdldm_context_error(const mdldm_context *ctx)
{
    return ctx != NULL ? ctx->env.error : "the context is NULL";
}

int32_t mdldm__context_thread_count(const mdldm_context *ctx)
{
    if (ctx->threads > 0)
        return ctx->threads;
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}

/* Opens slot's device and, only when that worked, lets the old one go. */
static mdldm_status open_slot(mdldm_context *ctx, const mdldm__backend_slot *slot, const char *device)
{
    if (ctx->pins > 0)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "backend and threads cannot change while a trainer uses backend %s: free the "
                            "trainer first, or use another context",
                            ctx->backend_name);
    mdldm_device *opened = NULL;
    MDLDM__TRY(slot->backend->device_open(&ctx->host, device, mdldm__context_thread_count(ctx), &opened));
    close_device(ctx);
    ctx->backend = slot->backend;
    ctx->device = opened;
    snprintf(ctx->backend_name, sizeof ctx->backend_name, "%s%s%s", slot->name, device[0] != '\0' ? ":" : "",
             device);
    return MDLDM_OK;
}

static mdldm_status use_auto(mdldm_context *ctx)
{
    for (int32_t i = 0; i < ctx->slot_count; i++) {
        const mdldm__backend_slot *slot = &ctx->slots[i];
        if (slot->reason[0] != '\0') {
            mdldm__log(&ctx->env, 3, "backend %s: %s", slot->name, slot->reason);
            continue;
        }
        mdldm_status status = open_slot(ctx, slot, "");
        if (status == MDLDM_OK) {
            mdldm__log(&ctx->env, 2, "backend %s (%s), %d threads", slot->name, slot->description,
                       (int)mdldm__context_thread_count(ctx));
            ctx->env.error[0] = '\0';
            return MDLDM_OK;
        }
        if (status == MDLDM_ERROR_OUT_OF_MEMORY)
            return status;
        mdldm__log(&ctx->env, 1, "backend %s: %s", slot->name, ctx->env.error);
    }
    return mdldm__error(&ctx->env, MDLDM_ERROR_UNAVAILABLE, "no backend works on this machine");
}

mdldm_status mdldm_context_use_backend(mdldm_context *ctx, const char *name)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (name == NULL)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "the backend's name is NULL: auto, reference, cpu or cuda is expected");
    MDLDM__TRY(mdldm__context_scan(ctx));
    if (strcmp(name, "auto") == 0)
        return use_auto(ctx);
    size_t length = strcspn(name, ":");
    for (int32_t i = 0; i < ctx->slot_count; i++) {
        const mdldm__backend_slot *slot = &ctx->slots[i];
        if (strlen(slot->name) != length || strncmp(slot->name, name, length) != 0)
            continue;
        if (slot->reason[0] != '\0')
            return mdldm__error(&ctx->env, MDLDM_ERROR_UNAVAILABLE, "backend %s is unavailable: %s",
                                slot->name, slot->reason);
        const char *device = name[length] == ':' ? name + length + 1 : "";
        if (strlen(device) > 8)
            return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND,
                                "backend %s has no device %s: a number is expected", slot->name, device);
        return open_slot(ctx, slot, device);
    }
    return mdldm__error(&ctx->env, MDLDM_ERROR_NOT_FOUND,
                        "there is no backend %s: auto, reference, cpu, cuda or cuda:<device> is expected",
                        name);
}

mdldm_status mdldm__context_device(mdldm_context *ctx)
{
    if (ctx->device != NULL)
        return MDLDM_OK;
    MDLDM__TRY(mdldm__context_scan(ctx));
    return use_auto(ctx);
}

const char *mdldm_context_backend(const mdldm_context *ctx)
{
    return ctx != NULL ? ctx->backend_name : "";
}

mdldm_status mdldm_context_set_threads(mdldm_context *ctx, int32_t threads)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (threads < 0 || threads > 1024)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "threads is %d: 1 to 1024, or 0 for one per processor, is expected",
                            (int)threads);
    int32_t before = ctx->threads;
    ctx->threads = threads;
    if (ctx->device == NULL || before == threads)
        return MDLDM_OK;
    char name[sizeof ctx->backend_name];
    memcpy(name, ctx->backend_name, sizeof name);
    mdldm_status status = mdldm_context_use_backend(ctx, name);
    if (status != MDLDM_OK)
        ctx->threads = before;
    return status;
}

mdldm_status mdldm_context_set_precision(mdldm_context *ctx, const char *precision)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    const int32_t tf32 = precision != NULL && strcmp(precision, "tf32") == 0;
    if (tf32 || (precision != NULL && (strcmp(precision, "f32") == 0 || strcmp(precision, "no") == 0)))
        ctx->precision = MDLDM_F32;
    else if (precision != NULL && strcmp(precision, "bf16") == 0)
        ctx->precision = MDLDM_BF16;
    else
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "precision is %s: f32, tf32 or bf16 is expected",
                            precision != NULL ? precision : "NULL");
    ctx->plan_flags = (ctx->plan_flags & ~MDLDM_PLAN_TF32) | (tf32 ? MDLDM_PLAN_TF32 : 0);
    return MDLDM_OK;
}

mdldm_status mdldm_context_set_winograd(mdldm_context *ctx, int32_t enabled)
{
    if (ctx == NULL)
        return MDLDM_ERROR_INVALID_ARGUMENT;
    MDLDM__ENTER(ctx);
    if (enabled != 0 && enabled != 1)
        return mdldm__error(&ctx->env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "enabled is %d: 1, or 0 for direct convolutions only, is expected", (int)enabled);
    ctx->plan_flags = (ctx->plan_flags & ~MDLDM_PLAN_DIRECT) | (enabled ? 0 : MDLDM_PLAN_DIRECT);
    return MDLDM_OK;
}

void mdldm_context_set_log(mdldm_context *ctx, mdldm_log_fn fn, void *user)
{
    if (ctx == NULL)
        return;
    ctx->env.log = fn;
    ctx->env.log_user = user;
}

void mdldm_context_set_progress(mdldm_context *ctx, mdldm_progress_fn fn, void *user)
{
    if (ctx == NULL)
        return;
    ctx->env.progress = fn;
    ctx->env.progress_user = user;
}

void mdldm_context_cancel(mdldm_context *ctx)
{
    if (ctx != NULL)
        __atomic_store_n(&ctx->cancel_flag, 1, __ATOMIC_RELEASE);
}

const char *mdldm_status_name(mdldm_status status)
{
    switch (status) {
    case MDLDM_OK: return "MDLDM_OK";
    case MDLDM_ERROR_INVALID_ARGUMENT: return "MDLDM_ERROR_INVALID_ARGUMENT";
    case MDLDM_ERROR_OUT_OF_MEMORY: return "MDLDM_ERROR_OUT_OF_MEMORY";
    case MDLDM_ERROR_IO: return "MDLDM_ERROR_IO";
    case MDLDM_ERROR_FORMAT: return "MDLDM_ERROR_FORMAT";
    case MDLDM_ERROR_UNSUPPORTED: return "MDLDM_ERROR_UNSUPPORTED";
    case MDLDM_ERROR_NOT_FOUND: return "MDLDM_ERROR_NOT_FOUND";
    case MDLDM_ERROR_UNAVAILABLE: return "MDLDM_ERROR_UNAVAILABLE";
    case MDLDM_ERROR_CANCELLED: return "MDLDM_ERROR_CANCELLED";
    case MDLDM_ERROR_NUMERIC: return "MDLDM_ERROR_NUMERIC";
    case MDLDM_ERROR_CAPACITY: return "MDLDM_ERROR_CAPACITY";
    case MDLDM_ERROR_INTERNAL: return "MDLDM_ERROR_INTERNAL";
    }
    return "MDLDM_ERROR_UNKNOWN";
}

#define STRING2(x) #x
#define STRING(x) STRING2(x)
const char *mdldm_version(void)
{
    return STRING(MDLDM_VERSION_MAJOR) "." STRING(MDLDM_VERSION_MINOR) "." STRING(MDLDM_VERSION_PATCH);
}
