/* SPDX-License-Identifier: MIT
 * Which backends there are. "reference" is linked in; the others are shared objects named
 * mdldm_backend_<name>.so, looked for in $MDLDM_BACKEND_DIR, then in mdldm/ beside the shared library
 * this code lies in, then in the configured libdir - never in the current directory. A plug-in stays
 * loaded for the life of the process: threads of the host that it ran on end through OpenMP's code. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/context.h"

#ifndef MDLDM_LIBDIR
#define MDLDM_LIBDIR "/usr/local/lib"
#endif

/* The one backend that is linked in (backends/reference). */
extern const mdldm_backend mdldm__backend_reference;

/* Best first; "auto" takes the first that works. */
static const struct {
    const char *name, *description;
} plugins[] = {
    {"cuda", "NVIDIA GPUs through the CUDA runtime"},
    {"cpu", "x86-64 processors through oneDNN"},
};

static int try_file(mdldm__backend_slot *slot, const char *folder, const char *sub)
{
    char path[1024];
    int length = snprintf(path, sizeof path, "%s%s/mdldm_backend_%s.so", folder, sub, slot->name);
    if (length < 0 || (size_t)length >= sizeof path || access(path, R_OK) != 0)
        return 0;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) {
        const char *why = dlerror();
        snprintf(slot->reason, sizeof slot->reason, "cannot load %s", why != NULL ? why : path);
        return 1;
    }
    mdldm_backend_entry_fn entry;
    void *symbol = dlsym(handle, MDLDM_BACKEND_ENTRY);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function pointer */
    slot->backend = entry != NULL ? entry(MDLDM_BACKEND_ABI) : NULL;
    if (slot->backend == NULL)
        snprintf(slot->reason, sizeof slot->reason,
                 "%s does not speak backend interface version %u of this library", path, MDLDM_BACKEND_ABI);
    return 1;
}

/* The folder of the shared library that holds this function; 0 in a statically linked program. */
static int own_folder(char *folder, size_t capacity)
{
    Dl_info info;
    if (dladdr((const void *)(uintptr_t)&mdldm__context_scan, &info) == 0 || info.dli_fname == NULL)
        return 0;
    const char *slash = strrchr(info.dli_fname, '/');
    if (slash == NULL || strstr(slash, ".so") == NULL ||
        (size_t)(slash - info.dli_fname) >= capacity)
        return 0;
    memcpy(folder, info.dli_fname, (size_t)(slash - info.dli_fname));
    folder[slash - info.dli_fname] = '\0';
    return 1;
}

static void find_plugin(mdldm__backend_slot *slot)
{
    const char *given = secure_getenv("MDLDM_BACKEND_DIR");
    if (given != NULL && given[0] == '/' && try_file(slot, given, ""))
        return;
    char folder[512];
    if (own_folder(folder, sizeof folder) && try_file(slot, folder, "/mdldm"))
        return;
    if (try_file(slot, MDLDM_LIBDIR, "/mdldm"))
        return;
    snprintf(slot->reason, sizeof slot->reason,
             "no mdldm_backend_%s.so in $MDLDM_BACKEND_DIR (an absolute path) or in %s/mdldm", slot->name,
             MDLDM_LIBDIR);
}

static void probe(mdldm__backend_slot *slot)
{
    char reason[sizeof slot->reason] = "";
    if (slot->backend == NULL)
        return;
    if (slot->backend->description != NULL)
        snprintf(slot->description, sizeof slot->description, "%s", slot->backend->description);
    if (slot->backend->probe(reason, sizeof reason) != 0)
        snprintf(slot->reason, sizeof slot->reason, "%s", reason[0] != '\0' ? reason : "it cannot run here");
}

mdldm_status mdldm__context_scan(mdldm_context *ctx)
{
    if (ctx->slots != NULL)
        return MDLDM_OK;
    const int32_t count = (int32_t)(sizeof plugins / sizeof plugins[0]) + 1;
    mdldm__backend_slot *slots = mdldm__calloc(&ctx->env, (size_t)count, sizeof *slots);
    if (slots == NULL)
        return mdldm__oom(&ctx->env, "backend list");
    for (int32_t i = 0; i < count - 1; i++) {
        snprintf(slots[i].name, sizeof slots[i].name, "%s", plugins[i].name);
        snprintf(slots[i].description, sizeof slots[i].description, "%s", plugins[i].description);
        find_plugin(&slots[i]);
        probe(&slots[i]);
    }
    snprintf(slots[count - 1].name, sizeof slots[count - 1].name, "reference");
    slots[count - 1].backend = &mdldm__backend_reference;
    probe(&slots[count - 1]);
    ctx->slots = slots;
    ctx->slot_count = count;
    return MDLDM_OK;
}

static const mdldm__backend_slot *slot_at(mdldm_context *ctx, int32_t index)
{
    if (ctx == NULL || mdldm__context_scan(ctx) != MDLDM_OK || index < 0 || index >= ctx->slot_count)
        return NULL;
    return &ctx->slots[index];
}

int32_t mdldm_backend_count(mdldm_context *ctx)
{
    return ctx != NULL && mdldm__context_scan(ctx) == MDLDM_OK ? ctx->slot_count : 0;
}

const char *mdldm_backend_name(mdldm_context *ctx, int32_t index)
{
    const mdldm__backend_slot *slot = slot_at(ctx, index);
    return slot != NULL ? slot->name : NULL;
}

const char *mdldm_backend_description(mdldm_context *ctx, int32_t index)
{
    const mdldm__backend_slot *slot = slot_at(ctx, index);
    return slot != NULL ? slot->description : NULL;
}

const char *mdldm_backend_reason(mdldm_context *ctx, int32_t index)
{
    const mdldm__backend_slot *slot = slot_at(ctx, index);
    if (slot == NULL)
        return "there is no backend of this index";
    return slot->reason[0] != '\0' ? slot->reason : NULL;
}
