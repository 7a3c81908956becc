/* SPDX-License-Identifier: MIT
 * The environment every internal call works in: allocator, error text, log, cancel flag.
 * A context embeds one; loader threads have their own (own error text, same allocator). */
#ifndef MDLDM_UTIL_ENV_H
#define MDLDM_UTIL_ENV_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "mdldm/mdldm.h"

typedef struct mdldm__env {
    mdldm_resize_fn resize;
    void *resize_user;
    mdldm_log_fn log;
    void *log_user;
    mdldm_progress_fn progress;
    void *progress_user;
    int32_t *cancel; /* read and written atomically; may be NULL */
    char error[1024];
} mdldm__env;

/* An environment with from's allocator (malloc when from is NULL), no callbacks and an empty error:
 * for handles that outlive the context they were made with, and for loader threads. */
void mdldm__env_init(mdldm__env *env, const mdldm__env *from);

/* Memory through the hook. All return NULL on failure without setting the error; mdldm__calloc
 * checks the product for overflow. */
void *mdldm__alloc(mdldm__env *env, size_t size);
void *mdldm__calloc(mdldm__env *env, size_t count, size_t size);
void *mdldm__realloc(mdldm__env *env, void *pointer, size_t size);
void mdldm__free(mdldm__env *env, void *pointer);
char *mdldm__strdup(mdldm__env *env, const char *text);
char *mdldm__strndup(mdldm__env *env, const char *text, size_t length);
/* printf into new memory. */
char *mdldm__strprintf(mdldm__env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes the sentence and returns status. Who detects writes; everybody else propagates. */
mdldm_status mdldm__error(mdldm__env *env, mdldm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The standard sentence for failed allocations: "out of memory (WHAT)". */
mdldm_status mdldm__oom(mdldm__env *env, const char *what);

void mdldm__log(mdldm__env *env, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* MDLDM_ERROR_CANCELLED (with its sentence, and the request consumed) when a cancel is pending. */
mdldm_status mdldm__check_cancel(mdldm__env *env);
/* Calls the progress callback; its refusal or a pending cancel gives MDLDM_ERROR_CANCELLED. */
mdldm_status mdldm__progress(mdldm__env *env, const char *stage, int64_t done, int64_t total);

#define MDLDM__TRY(expression)                        \
    do {                                              \
        mdldm_status mdldm__try_status = (expression); \
        if (mdldm__try_status != MDLDM_OK)            \
            return mdldm__try_status;                 \
    } while (0)

#endif
