/* SPDX-License-Identifier: MIT
 * Which checkpoints a folder holds. Only names that are exactly checkpoint-<number> count: what an
 * interrupted write left behind has another name. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "train/trainer.h"

/* Number of checkpoint-<number>, or -1. */
static int64_t number_of(const char *name)
{
    static const char prefix[] = "checkpoint-";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return -1;
    const char *digits = name + sizeof prefix - 1;
    const size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 18 || digits[length] != '\0' || (digits[0] == '0' && length > 1))
        return -1;
    return strtoll(digits, NULL, 10);
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorted numbers; a folder that is not there holds none. */
static mdldm_status list(mdldm__env *env, const char *folder, int64_t **numbers, int64_t *count)
{
    *numbers = NULL;
    *count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL && errno == ENOENT)
        return MDLDM_OK;
    if (dir == NULL)
        return mdldm__error(env, MDLDM_ERROR_IO, "cannot list %s: %s", folder, strerror(errno));
    mdldm_status status = MDLDM_OK;
    int64_t capacity = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const int64_t number = number_of(entry->d_name);
        if (number < 0)
            continue;
        if (*count == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 16;
            int64_t *grown = mdldm__realloc(env, *numbers, (size_t)capacity * sizeof *grown);
            if (grown == NULL) {
                status = mdldm__oom(env, "checkpoint list");
                break;
            }
            *numbers = grown;
        }
        (*numbers)[(*count)++] = number;
    }
    closedir(dir);
    if (status != MDLDM_OK) {
        mdldm__free(env, *numbers);
        *numbers = NULL;
        *count = 0;
        return status;
    }
    if (*count > 1)
        qsort(*numbers, (size_t)*count, sizeof **numbers, ascending);
    return MDLDM_OK;
}

mdldm_status mdldm__checkpoint_latest(mdldm__env *env, const char *folder, char **path)
{
    int64_t *numbers, count;
    *path = NULL;
    MDLDM__TRY(list(env, folder, &numbers, &count));
    mdldm_status status = MDLDM_OK;
    if (count > 0) {
        *path = mdldm__strprintf(env, "%s/checkpoint-%lld", folder, (long long)numbers[count - 1]);
        if (*path == NULL)
            status = mdldm__oom(env, "checkpoint path");
    }
    mdldm__free(env, numbers);
    return status;
}

/* Removes the oldest but keep. */
static mdldm_status remove_oldest(mdldm__env *env, const char *folder, int64_t keep)
{
    int64_t *numbers, count;
    MDLDM__TRY(list(env, folder, &numbers, &count));
    mdldm_status status = MDLDM_OK;
    for (int64_t i = 0; status == MDLDM_OK && i < count - keep; i++) {
        char *path = mdldm__strprintf(env, "%s/checkpoint-%lld", folder, (long long)numbers[i]);
        status = path != NULL ? mdldm__remove_tree(env, path) : mdldm__oom(env, "checkpoint path");
        mdldm__free(env, path);
    }
    mdldm__free(env, numbers);
    return status;
}

mdldm_status mdldm__checkpoint_prune(mdldm__env *env, const char *folder, int64_t limit)
{
    return limit > 0 ? remove_oldest(env, folder, limit) : MDLDM_OK;
}

mdldm_status mdldm__checkpoint_remove_all(mdldm__env *env, const char *folder)
{
    return remove_oldest(env, folder, 0);
}
