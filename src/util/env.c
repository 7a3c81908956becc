/* SPDX-License-Identifier: MIT */
#include "util/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_resize(void *user, void *pointer, size_t size)
{
    (void)user;
    if (size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, size);
}

void mdldm__env_init(mdldm__env *env, const mdldm__env *from)
{
    memset(env, 0, sizeof *env);
    env->resize = from != NULL ? from->resize : default_resize;
    env->resize_user = from != NULL ? from->resize_user : NULL;
}

void *mdldm__alloc(mdldm__env *env, size_t size)
{
    return env->resize(env->resize_user, NULL, size > 0 ? size : 1);
}

void *mdldm__calloc(mdldm__env *env, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *p = mdldm__alloc(env, total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

void *mdldm__realloc(mdldm__env *env, void *pointer, size_t size)
{
    return env->resize(env->resize_user, pointer, size > 0 ? size : 1);
}

void mdldm__free(mdldm__env *env, void *pointer)
{
    if (pointer != NULL)
        env->resize(env->resize_user, pointer, 0);
}

char *mdldm__strndup(mdldm__env *env, const char *text, size_t length)
{
    char *copy = mdldm__alloc(env, length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *mdldm__strdup(mdldm__env *env, const char *text)
{
    return mdldm__strndup(env, text, strlen(text));
}

char *mdldm__strprintf(mdldm__env *env, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return NULL;
    char *text = mdldm__alloc(env, (size_t)length + 1);
    if (text != NULL) {
        va_start(args, format);
        vsnprintf(text, (size_t)length + 1, format, args);
        va_end(args);
    }
    return text;
}

mdldm_status mdldm__error(mdldm__env *env, mdldm_status status, const char *format, ...)
{
    /* The arguments may point into env->error itself (a sentence extended on its way up). */
    char text[sizeof env->error];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(env->error, text, sizeof text);
    return status;
}

mdldm_status mdldm__oom(mdldm__env *env, const char *what)
{
    return mdldm__error(env, MDLDM_ERROR_OUT_OF_MEMORY, "out of memory (%s)", what);
}

void mdldm__log(mdldm__env *env, int32_t level, const char *format, ...)
{
    if (env->log == NULL)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    env->log(env->log_user, level, text);
}

mdldm_status mdldm__check_cancel(mdldm__env *env)
{
    if (env->cancel != NULL && __atomic_exchange_n(env->cancel, 0, __ATOMIC_ACQ_REL) != 0)
        return mdldm__error(env, MDLDM_ERROR_CANCELLED, "cancelled on request");
    return MDLDM_OK;
}

mdldm_status mdldm__progress(mdldm__env *env, const char *stage, int64_t done, int64_t total)
{
    if (env->progress != NULL && env->progress(env->progress_user, stage, done, total) != 0)
        return mdldm__error(env, MDLDM_ERROR_CANCELLED, "cancelled by the progress callback");
    return mdldm__check_cancel(env);
}
