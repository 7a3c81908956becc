/* SPDX-License-Identifier: MIT
 * The files of a zip archive through libzip. Nothing is ever unpacked to disk; names that leave the
 * archive are refused all the same, since a program may write files under an item's name. */
#include <string.h>
#include <zip.h>

#include "data/image.h"
#include "data/source.h"

/* 1: absolute, or with an empty, "." or ".." component. */
static int is_hostile(const char *name)
{
    for (const char *at = name;;) {
        const size_t length = strcspn(at, "/");
        if (length == 0 || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return 1;
        if (at[length] == '\0')
            return 0;
        at += length + 1;
    }
}

static mdldm_status add_entry(mdldm__source *source, zip_uint64_t index)
{
    mdldm__env *env = source->env;
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(source->zip, index, 0, &stat) != 0 || stat.name == NULL)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "broken zip archive '%s': entry %llu has no name",
                            source->path, (unsigned long long)index);
    char *name = mdldm__strdup(env, stat.name);
    if (name == NULL)
        return mdldm__oom(env, "zip listing");
    for (char *c = name; *c != '\0'; c++) /* some Windows programs write backslashes */
        if (*c == '\\')
            *c = '/';
    mdldm_status status = MDLDM_OK;
    if (!mdldm__source_wants(name))
        status = MDLDM_OK;
    else if (is_hostile(name))
        status = mdldm__error(env, MDLDM_ERROR_FORMAT,
                              "zip archive '%s' holds '%s', a name that leads out of the archive", source->path,
                              name);
    else if (mdldm__source_ignores(name))
        status = MDLDM_OK;
    else if (stat.encryption_method != ZIP_EM_NONE)
        status = mdldm__error(env, MDLDM_ERROR_UNSUPPORTED,
                              "zip archive '%s' is encrypted ('%s'); unpack it first", source->path, name);
    else
        status = mdldm__source_add(source, name, (int64_t)index);
    mdldm__free(env, name);
    return status;
}

/* An archive of one folder that holds the class folders: that outer folder is no class. */
static void strip_wrapper(mdldm__source *source)
{
    const char *first = source->count > 0 ? source->entries[0].name : "";
    const size_t length = strcspn(first, "/") + 1;
    for (int64_t i = 0; i < source->count; i++) {
        const char *name = source->entries[i].name;
        if (strncmp(name, first, length) != 0 || strchr(name, '/') == NULL || strchr(name + length, '/') == NULL)
            return;
    }
    for (int64_t i = 0; i < source->count; i++) {
        char *name = source->entries[i].name;
        memmove(name, name + length, strlen(name + length) + 1);
    }
}

mdldm_status mdldm__zip_list(mdldm__source *source)
{
    mdldm__env *env = source->env;
    int code = 0;
    source->zip = zip_open(source->path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (source->zip == NULL) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        mdldm__error(env, MDLDM_ERROR_FORMAT, "'%s' is no readable zip archive: %s", source->path,
                     zip_error_strerror(&error));
        zip_error_fini(&error);
        return MDLDM_ERROR_FORMAT;
    }
    const zip_int64_t count = zip_get_num_entries(source->zip, 0);
    for (zip_int64_t i = 0; i < count; i++)
        MDLDM__TRY(add_entry(source, (zip_uint64_t)i));
    strip_wrapper(source);
    return MDLDM_OK;
}

static mdldm_status read_entry(mdldm__env *env, mdldm__source *source, const mdldm__entry *entry, char **data,
                               size_t *size)
{
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(source->zip, (zip_uint64_t)entry->zip_index, 0, &stat) != 0)
        return mdldm__error(env, MDLDM_ERROR_IO, "cannot read '%s' in '%s': %s", entry->name, source->path,
                            zip_strerror(source->zip));
    if (stat.size > MDLDM__IMAGE_MAX_FILE)
        return mdldm__error(env, MDLDM_ERROR_UNSUPPORTED, "'%s' in '%s' has %llu bytes; at most %zu are read",
                            entry->name, source->path, (unsigned long long)stat.size, MDLDM__IMAGE_MAX_FILE);
    zip_file_t *file = zip_fopen_index(source->zip, (zip_uint64_t)entry->zip_index, 0);
    if (file == NULL)
        return mdldm__error(env, MDLDM_ERROR_FORMAT, "cannot read '%s' in '%s': %s", entry->name, source->path,
                            zip_strerror(source->zip));
    mdldm_status status = MDLDM_OK;
    char *bytes = mdldm__alloc(env, (size_t)stat.size);
    if (bytes == NULL) {
        status = mdldm__oom(env, entry->name);
    } else {
        /* One byte more than promised, so that libzip sees the end and compares the checksum. */
        char beyond;
        const zip_int64_t got = zip_fread(file, bytes, stat.size);
        if (got < 0 || (zip_uint64_t)got != stat.size || zip_fread(file, &beyond, 1) != 0)
            status = mdldm__error(env, MDLDM_ERROR_FORMAT, "'%s' in '%s' is broken: %s", entry->name,
                                  source->path, got < 0 || (zip_uint64_t)got == stat.size
                                                    ? zip_file_strerror(file)
                                                    : "it ends too early");
    }
    zip_fclose(file);
    if (status != MDLDM_OK) {
        mdldm__free(env, bytes);
        return status;
    }
    *data = bytes;
    *size = (size_t)stat.size;
    return MDLDM_OK;
}

mdldm_status mdldm__zip_read(mdldm__env *env, mdldm__source *source, const mdldm__entry *entry, char **data,
                             size_t *size)
{
    pthread_mutex_lock(&source->lock);
    mdldm_status status = read_entry(env, source, entry, data, size);
    pthread_mutex_unlock(&source->lock);
    return status;
}

void mdldm__zip_close(mdldm__source *source)
{
    if (source->zip != NULL)
        zip_discard(source->zip);
    source->zip = NULL;
}
