/* SPDX-License-Identifier: MIT
 * Folders written atomically. The new one takes PATH's place in one renameat2(RENAME_EXCHANGE) where
 * the file system can, else by two renames; what the older folder held beside it (a user's own files,
 * earlier checkpoints) moves over, and only what the new folder replaces by name is removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_util.h"
#include "io/io_fault.h"
#include "io/io_sync.h"

static void release(mdldm__dir_out *out)
{
    mdldm__free(out->env, out->path);
    mdldm__free(out->env, out->temporary);
    out->path = out->temporary = NULL;
}

mdldm_status mdldm__dir_out_open(mdldm__env *env, const char *path, mdldm__dir_out *out)
{
    memset(out, 0, sizeof *out);
    out->env = env;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    const char *last = path + length;
    while (last > path && last[-1] != '/')
        last--;
    size_t last_length = (size_t)(path + length - last);
    if (length == 0 || last_length == 0 || (last_length == 1 && last[0] == '.') ||
        (last_length == 2 && last[0] == '.' && last[1] == '.'))
        return mdldm__error(env, MDLDM_ERROR_INVALID_ARGUMENT,
                            "\"%s\" cannot be written as a folder: its last part must be a name", path);
    struct stat st;
    if (lstat(path, &st) == 0 && !mdldm__path_is_dir(path))
        return mdldm__error(env, MDLDM_ERROR_IO, "cannot write the folder %s: a file of that name is there",
                            path);
    /* A link to a folder: the folder is replaced, not the link. */
    char *real = mdldm__path_is_dir(path) ? realpath(path, NULL) : NULL;
    out->path = real != NULL ? mdldm__strdup(env, real) : mdldm__strndup(env, path, length);
    free(real);
    if (out->path != NULL)
        out->temporary = mdldm__temporary_name(env, out->path);
    if (out->path == NULL || out->temporary == NULL) {
        release(out);
        return mdldm__oom(env, "a path");
    }
    mdldm_status status = mdldm__remove_tree(env, out->temporary);
    if (status == MDLDM_OK)
        status = mdldm__mkdir_p(env, out->temporary);
    if (status != MDLDM_OK)
        release(out);
    return status;
}

/* fsync of every folder below the one open at fd, and of itself; the files' writers synced those. */
static int sync_tree(int fd)
{
    int failed = mdldm__io_fault() || fsync(fd) != 0;
    int error = errno;
    if (failed && error != EINVAL && error != ENOTSUP) {
        close(fd);
        errno = error;
        return -1;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    error = 0;
    struct dirent *entry;
    while (error == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        int sub = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0 ? errno != ENOTDIR && errno != ELOOP : sync_tree(sub) != 0)
            error = errno;
    }
    if (error == 0 && errno != 0)
        error = errno;
    closedir(dir);
    errno = error;
    return error == 0 ? 0 : -1;
}

/* Puts temporary in path's place. When a folder was there it ends at temporary. 0, or -1 with errno
 * and everything as before. */
static int take_place(mdldm__env *env, const char *temporary, const char *path, int *replaced)
{
    *replaced = 0;
    if (mdldm__io_fault())
        return -1;
    if (!mdldm__path_is_dir(path))
        return rename(temporary, path);
    *replaced = 1;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return -1;
    char *old = mdldm__temporary_name(env, path);
    if (old == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int result = rename(path, old);
    if (result == 0 && rename(temporary, path) != 0) {
        int error = errno;
        rename(old, path);
        errno = error;
        result = -1;
    } else if (result == 0) {
        result = rename(old, temporary);
    }
    int error = errno;
    mdldm__free(env, old);
    errno = error;
    return result;
}

/* Moves what only the older folder holds into the new one. 0, or -1 with errno. */
static int keep_others(const char *old_path, const char *new_path)
{
    DIR *old_dir = opendir(old_path);
    if (old_dir == NULL)
        return -1;
    int fd = open(new_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    struct dirent *entry;
    while (error == 0 && (errno = 0, entry = readdir(old_dir)) != NULL) {
        const char *name = entry->d_name;
        struct stat st;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (errno != ENOENT || mdldm__io_fault() || renameat(dirfd(old_dir), name, fd, name) != 0)
            error = errno;
    }
    if (error == 0 && errno != 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    closedir(old_dir);
    errno = error;
    return error == 0 ? 0 : -1;
}

mdldm_status mdldm__dir_out_commit(mdldm__dir_out *out)
{
    mdldm__env *env = out->env;
    int replaced = 0;
    int fd = open(out->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || sync_tree(fd) != 0 || take_place(env, out->temporary, out->path, &replaced) != 0) {
        mdldm_status status = mdldm__error(env, MDLDM_ERROR_IO, "cannot write the folder %s: %s", out->path,
                                           strerror(errno));
        mdldm__dir_out_abort(out);
        return status;
    }
    mdldm_status status = MDLDM_OK;
    if (replaced && keep_others(out->temporary, out->path) != 0)
        status = mdldm__error(env, MDLDM_ERROR_IO, "%s is written, but what it held before stays in %s: %s",
                              out->path, out->temporary, strerror(errno));
    else if ((status = mdldm__sync_parent(env, out->path)) != MDLDM_OK && replaced)
        mdldm__error(env, status, "%s; the earlier one stays in %s", env->error, out->temporary);
    if (replaced && status == MDLDM_OK) {
        char sentence[sizeof env->error];
        memcpy(sentence, env->error, sizeof sentence);
        if (mdldm__remove_tree(env, out->temporary) != MDLDM_OK) {
            /* The new folder stands whole: worth a word, not a failure. */
            mdldm__log(env, 1, "%s", env->error);
            memcpy(env->error, sentence, sizeof sentence);
        }
    }
    release(out);
    return status;
}

void mdldm__dir_out_abort(mdldm__dir_out *out)
{
    if (out->path == NULL)
        return;
    mdldm__env *env = out->env;
    char sentence[sizeof env->error]; /* why we abort stays the error */
    memcpy(sentence, env->error, sizeof sentence);
    if (mdldm__remove_tree(env, out->temporary) != MDLDM_OK)
        mdldm__log(env, 1, "%s", env->error);
    memcpy(env->error, sentence, sizeof sentence);
    release(out);
}
