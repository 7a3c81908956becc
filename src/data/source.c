/* SPDX-License-Identifier: MIT
 * Listing a folder, and what folders and archives share: classes and order. */
#include "data/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/image.h"
#include "data/natural_order.h"
#include "io/file_util.h"

#define MAX_DEPTH 32 /* a link to a folder above would never end */

int mdldm__source_wants(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL &&
           (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

int mdldm__source_ignores(const char *name)
{
    for (;;) {
        const size_t length = strcspn(name, "/");
        if (name[0] == '.' || (length == 8 && memcmp(name, "__MACOSX", 8) == 0))
            return 1;
        if (name[length] == '\0')
            return 0;
        name += length + 1;
    }
}

mdldm_status mdldm__source_add(mdldm__source *source, const char *name, int64_t zip_index)
{
    mdldm__env *env = source->env;
    if (source->count == source->capacity) {
        const int64_t capacity = source->capacity * 2 + 64;
        mdldm__entry *grown = mdldm__realloc(env, source->entries, (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return mdldm__oom(env, "list of images");
        source->entries = grown;
        source->capacity = capacity;
    }
    char *copy = mdldm__strdup(env, name);
    if (copy == NULL)
        return mdldm__oom(env, "list of images");
    source->entries[source->count++] = (mdldm__entry){copy, -1, zip_index};
    return MDLDM_OK;
}

/* ---- folders ---- */

static mdldm_status list_folder(mdldm__source *source, const char *folder, const char *prefix, int depth);

/* One name of a folder: listed, descended into, or passed over. */
static mdldm_status visit(mdldm__source *source, const char *full, const char *relative, int depth)
{
    mdldm__env *env = source->env;
    struct stat info;
    if (stat(full, &info) != 0) {
        /* A dangling link under an image's name will be reported as unreadable when it is read. */
        return mdldm__source_wants(relative) ? mdldm__source_add(source, relative, -1) : MDLDM_OK;
    }
    if (S_ISDIR(info.st_mode)) {
        if (depth >= MAX_DEPTH)
            return mdldm__error(env, MDLDM_ERROR_FORMAT,
                                "'%s' is nested more than %d folders deep; is there a link to a folder above?",
                                full, MAX_DEPTH);
        return list_folder(source, full, relative, depth + 1);
    }
    return S_ISREG(info.st_mode) && mdldm__source_wants(relative) ? mdldm__source_add(source, relative, -1)
                                                                  : MDLDM_OK;
}

static mdldm_status list_folder(mdldm__source *source, const char *folder, const char *prefix, int depth)
{
    mdldm__env *env = source->env;
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return mdldm__error(env, MDLDM_ERROR_IO, "cannot list folder '%s': %s", folder, strerror(errno));
    mdldm_status status = MDLDM_OK;
    while (status == MDLDM_OK) {
        errno = 0;
        const struct dirent *found = readdir(stream);
        if (found == NULL) {
            if (errno != 0)
                status = mdldm__error(env, MDLDM_ERROR_IO, "cannot list folder '%s': %s", folder,
                                      strerror(errno));
            break;
        }
        if (mdldm__source_ignores(found->d_name))
            continue;
        char *full = mdldm__path_join(env, folder, found->d_name);
        char *relative = prefix[0] == '\0' ? mdldm__strdup(env, found->d_name)
                                           : mdldm__path_join(env, prefix, found->d_name);
        if (full == NULL || relative == NULL)
            status = mdldm__oom(env, "list of images");
        else
            status = visit(source, full, relative, depth);
        mdldm__free(env, full);
        mdldm__free(env, relative);
    }
    closedir(stream);
    return status;
}

/* ---- order and classes ---- */

static int compare_entries(const void *a, const void *b)
{
    return mdldm__natural_compare(((const mdldm__entry *)a)->name, ((const mdldm__entry *)b)->name);
}

/* Labels from the top sub-folders, in the order that the sorted entries give. */
static mdldm_status classify(mdldm__source *source)
{
    mdldm__env *env = source->env;
    const mdldm__entry *in_root = NULL, *in_folder = NULL;
    for (int64_t i = 0; i < source->count; i++) {
        if (strchr(source->entries[i].name, '/') == NULL)
            in_root = &source->entries[i];
        else
            in_folder = &source->entries[i];
        if (i > 0 && strcmp(source->entries[i - 1].name, source->entries[i].name) == 0)
            return mdldm__error(env, MDLDM_ERROR_FORMAT, "'%s' holds '%s' twice", source->path,
                                source->entries[i].name);
    }
    if (in_root != NULL && in_folder != NULL)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "'%s' has images both at its top ('%s') and in sub-folders ('%s'); sub-folders are "
                            "classes: put every image into one, or none",
                            source->path, in_root->name, in_folder->name);
    if (in_folder == NULL)
        return MDLDM_OK;
    for (int64_t i = 0; i < source->count; i++) {
        mdldm__entry *entry = &source->entries[i];
        const size_t length = strcspn(entry->name, "/");
        const char *last = source->class_count > 0 ? source->class_names[source->class_count - 1] : NULL;
        if (last == NULL || strlen(last) != length || memcmp(last, entry->name, length) != 0) {
            const size_t bytes = (size_t)(source->class_count + 1) * sizeof *source->class_names;
            char **grown = mdldm__realloc(env, source->class_names, bytes);
            if (grown == NULL)
                return mdldm__oom(env, "class names");
            source->class_names = grown;
            char *name = mdldm__strndup(env, entry->name, length);
            if (name == NULL)
                return mdldm__oom(env, "class names");
            source->class_names[source->class_count++] = name;
        }
        entry->label = source->class_count - 1;
    }
    return MDLDM_OK;
}

static mdldm_status list(mdldm__source *source)
{
    mdldm__env *env = source->env;
    struct stat info;
    if (stat(source->path, &info) != 0)
        return mdldm__error(env, errno == ENOENT ? MDLDM_ERROR_NOT_FOUND : MDLDM_ERROR_IO,
                            "cannot open data set '%s': %s", source->path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        MDLDM__TRY(list_folder(source, source->path, "", 0));
    else if (S_ISREG(info.st_mode))
        MDLDM__TRY(mdldm__zip_list(source));
    else
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "data set '%s' is neither a folder nor a zip archive", source->path);
    if (source->count == 0)
        return mdldm__error(env, MDLDM_ERROR_FORMAT,
                            "data set '%s' holds no images (.png, .jpg, .jpeg), neither at its top nor in "
                            "sub-folders",
                            source->path);
    qsort(source->entries, (size_t)source->count, sizeof *source->entries, compare_entries);
    return classify(source);
}

mdldm_status mdldm__source_open(mdldm__env *env, const char *path, mdldm__source *out)
{
    memset(out, 0, sizeof *out);
    out->env = env;
    pthread_mutex_init(&out->lock, NULL);
    out->path = mdldm__strdup(env, path);
    mdldm_status status = out->path != NULL ? list(out) : mdldm__oom(env, "data set");
    if (status != MDLDM_OK)
        mdldm__source_close(out);
    return status;
}

void mdldm__source_close(mdldm__source *source)
{
    mdldm__env *env = source->env;
    mdldm__zip_close(source);
    for (int64_t i = 0; i < source->count; i++)
        mdldm__free(env, source->entries[i].name);
    for (int64_t i = 0; i < source->class_count; i++)
        mdldm__free(env, source->class_names[i]);
    mdldm__free(env, source->entries);
    mdldm__free(env, source->class_names);
    mdldm__free(env, source->path);
    pthread_mutex_destroy(&source->lock);
    memset(source, 0, sizeof *source);
}

mdldm_status mdldm__source_read(mdldm__env *env, mdldm__source *source, const mdldm__entry *entry, char **data,
                                size_t *size)
{
    if (source->zip != NULL)
        return mdldm__zip_read(env, source, entry, data, size);
    char *full = mdldm__path_join(env, source->path, entry->name);
    if (full == NULL)
        return mdldm__oom(env, entry->name);
    mdldm_status status = mdldm__file_read(env, full, MDLDM__IMAGE_MAX_FILE, data, size);
    mdldm__free(env, full);
    return status;
}
