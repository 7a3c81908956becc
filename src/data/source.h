/* SPDX-License-Identifier: MIT
 * Where a data set's files lie: a folder or a zip archive, listed in natural order with their classes,
 * and read one by one from any thread. */
#ifndef MDLDM_DATA_SOURCE_H
#define MDLDM_DATA_SOURCE_H

#include <pthread.h>

#include "util/env.h"

typedef struct mdldm__entry {
    char *name;        /* relative to the root, '/' between folders */
    int64_t label;     /* -1: the set has no classes */
    int64_t zip_index; /* -1: a file of a folder */
} mdldm__entry;

typedef struct mdldm__source {
    mdldm__env *env;
    char *path;
    void *zip;            /* libzip's handle, NULL for a folder */
    pthread_mutex_t lock; /* libzip's handle serves one thread at a time */
    mdldm__entry *entries;
    int64_t count, capacity;
    char **class_names;
    int64_t class_count;
} mdldm__source;

/* Lists the PNG and JPEG files (by name) below path; hidden names (.x) and __MACOSX are left out.
 * Errors: NOT_FOUND, IO, FORMAT (no images, a broken, encrypted or hostile archive, images both in the
 * root and in sub-folders). env must live as long as the source. */
mdldm_status mdldm__source_open(mdldm__env *env, const char *path, mdldm__source *out);
void mdldm__source_close(mdldm__source *source);

/* The bytes of a file, freed with mdldm__free; env is the caller's thread's. */
mdldm_status mdldm__source_read(mdldm__env *env, mdldm__source *source, const mdldm__entry *entry,
                                char **data, size_t *size);

/* Shared by the listings: takes over nothing, name is copied. */
mdldm_status mdldm__source_add(mdldm__source *source, const char *name, int64_t zip_index);
/* 1: ends in .png, .jpg or .jpeg, in any case. */
int mdldm__source_wants(const char *name);
/* 1: a component is hidden or __MACOSX. */
int mdldm__source_ignores(const char *name);

/* source_zip.c */
mdldm_status mdldm__zip_list(mdldm__source *source);
mdldm_status mdldm__zip_read(mdldm__env *env, mdldm__source *source, const mdldm__entry *entry, char **data,
                             size_t *size);
void mdldm__zip_close(mdldm__source *source);

#endif
