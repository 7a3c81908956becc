/* SPDX-License-Identifier: MIT */
#ifndef MDLDM_API_CONTEXT_H
#define MDLDM_API_CONTEXT_H

#include "mdldm/mdldm_backend.h"
#include "util/env.h"

typedef struct mdldm__backend_slot {
    const mdldm_backend *backend; /* NULL: the plug-in could not be loaded */
    char name[32];
    char description[160];
    char reason[1200]; /* "" when usable */
} mdldm__backend_slot;

struct mdldm_context {
    mdldm__env env; /* first: a context is its environment */
    int32_t cancel_flag;
    int32_t committed; /* 1: a backend's call goes on to its end; a request to cancel waits for the next */
    mdldm_host host;
    mdldm__backend_slot *slots; /* best first; filled on first use */
    int32_t slot_count;
    const mdldm_backend *backend;
    mdldm_device *device;
    char backend_name[48];
    int32_t threads;   /* 0: automatic */
    int32_t references; /* atomic: the caller's, and one per trainer */
    int32_t pins;       /* trainers on the open device: it cannot change under them */
    int32_t precision; /* mdldm_dtype of activations */
    int32_t plan_flags; /* MDLDM_PLAN_DIRECT, MDLDM_PLAN_TF32: of every plan */
    uint64_t last_run; /* uid of the component whose plan ran last (runtime.c) */
    int32_t busy;      /* the device is at work; guarded by runtime.c */
    /* Frees the stores and plans this context made for models (runtime.c); set by the runtime when it attaches the first, called before the device goes. */
    void (*drop_attachments)(struct mdldm_context *ctx);
};

/* Opens "auto" when nothing is open yet. */
mdldm_status mdldm__context_device(mdldm_context *ctx);
int32_t mdldm__context_thread_count(const mdldm_context *ctx); /* resolved, >= 1 */

/* A trainer keeps its context alive, and the device in place. */
void mdldm__context_retain(mdldm_context *ctx);
void mdldm__context_release(mdldm_context *ctx);

/* Finds and probes all backends once (backend_registry.c). */
mdldm_status mdldm__context_scan(mdldm_context *ctx);
/* Entered by every public call that works: clears the error text. */
#define MDLDM__ENTER(ctx) ((ctx)->env.error[0] = '\0')

#endif
